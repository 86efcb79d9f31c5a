import itertools

import numpy as np
import pytest

from dualformer import (
    MazeTask,
    MazeTokenizer,
    SokobanTask,
    SokobanTokenizer,
    astar,
    make_tokenizer,
    random_mazes,
    random_sokobans,
)

TASK = MazeTask(3, 3, (0, 0), (0, 2), ((1, 1), (0, 1)))


def test_a_maze_is_written_in_the_grammar():
    tokenizer, trace = MazeTokenizer(3, 3), astar(TASK, deterministic=True)
    assert " ".join(tokenizer.prompt(TASK)) == "start 0 0 goal 0 2 wall 0 1 wall 1 1"
    words = " ".join(tokenizer.trace(trace.steps, TASK))
    assert words.startswith("create 0 0 c0 c2 close 0 0 c0 c2 create 1 0 c1 c3 close 1 0 c1 c3 create 2 0 c2 c4")
    assert " ".join(tokenizer.plan(trace.plan)) == "plan 0 0 plan 1 0 plan 2 0 plan 2 1 plan 2 2 plan 1 2 plan 0 2"


def test_the_vocabulary_is_sorted_as_text_after_bos_and_eos():
    vocab = MazeTokenizer(4, 3).vocab
    words = ["start", "goal", "wall", "create", "close", "plan", *"0123", *(f"c{i}" for i in range(12))]
    assert vocab == ("bos", "eos", *sorted(words))
    assert vocab.index("c10") < vocab.index("c2")
    assert len(MazeTokenizer(30, 30).vocab) == 938


def test_sequences_are_framed_and_come_back():
    tokenizer, trace = MazeTokenizer(3, 3), astar(TASK, deterministic=True)
    prompt = tokenizer.encode_prompt(TASK)
    assert (prompt[0], prompt[-1]) == (0, 1)
    assert tokenizer.decode(prompt) == tokenizer.prompt(TASK)
    target = tokenizer.encode_target(tokenizer.trace(trace.steps, TASK), tokenizer.plan(trace.plan))
    assert target == [0, *tokenizer.encode_trace(trace, TASK), *tokenizer.encode_plan(trace), 1]
    assert tokenizer.decode([*target, 5, 6]) == tokenizer.trace(trace.steps, TASK) + tokenizer.plan(trace.plan)


def test_a_level_is_written_in_the_grammar():
    task = SokobanTask.from_text("######\n#@$ .#\n######")
    tokenizer, trace = SokobanTokenizer(6, 3), astar(task, deterministic=True)
    prompt = " ".join(tokenizer.prompt(task))
    assert prompt.startswith("worker 1 1 box 2 1 dock 4 1 wall 0 0 wall 0 1 wall 0 2 wall 1 0")
    words = " ".join(tokenizer.trace(trace.steps, task))
    assert words.startswith("create worker 1 1 box 2 1 c0 c2 close worker 1 1 box 2 1 c0 c2 create worker 2 1 box 3 1")
    assert words.endswith("close worker 3 1 c2 c0")  # the box is on its dock, and said no more
    assert " ".join(tokenizer.plan(trace.plan)) == "plan 1 1 plan 2 1 plan 3 1"


def test_boxes_are_sorted_as_text():
    task = SokobanTask(12, 5, (1, 1), ((10, 2), (2, 2)), ((3, 3), (4, 3)), ())
    assert " ".join(SokobanTokenizer(12, 5).prompt(task)).startswith("worker 1 1 box 10 2 box 2 2 dock 3 3 dock 4 3")


def test_docks_with_a_box_are_left_out_of_the_prompt():
    task = SokobanTask.from_text("######\n#+$* #\n######")
    words = SokobanTokenizer(6, 3).prompt(task)
    assert words.count("box") == words.count("dock") == 1


def test_every_generated_task_fits_its_vocabulary():
    rng = np.random.default_rng(0)
    maze, level = MazeTokenizer(5, 5), SokobanTokenizer(7, 7)
    for task, trace in itertools.islice(random_mazes(5, 5, rng), 20):
        assert maze.decode(maze.encode_prompt(task)) == maze.prompt(task)
        maze.encode_trace(trace, task)
    for task, trace in itertools.islice(random_sokobans(7, 7, rng, n_boxes=1), 3):
        level.encode_trace(trace, task)


def test_costs_outside_the_vocabulary_are_refused_not_cut():
    task = SokobanTask.from_text("######\n#@$ .#\n######")
    with pytest.raises(ValueError, match="outside the vocabulary"):
        SokobanTokenizer(6, 3, max_cost=2).encode_trace(astar(task, deterministic=True), task)


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [(MazeTokenizer(4, 4), "4x4, but the task is 3x3"), (SokobanTokenizer(3, 3), "sokoban tasks, not for MazeTask")],
)
def test_tasks_of_another_size_or_kind_are_refused(tokenizer, words):
    with pytest.raises(ValueError, match=words):
        tokenizer.encode_prompt(TASK)


def test_tokens_outside_the_vocabulary_are_refused():
    with pytest.raises(ValueError, match="'c99' is not in the vocabulary"):
        MazeTokenizer(3, 3).encode(["create", "c99"])


@pytest.mark.parametrize("tokenizer", [MazeTokenizer(3, 4), SokobanTokenizer(7, 6, 100)])
def test_a_tokenizer_is_made_again_from_its_spec(tokenizer):
    again = make_tokenizer(**tokenizer.spec())
    assert type(again) is type(tokenizer)
    assert again.vocab == tokenizer.vocab


def test_kinds_and_sizes_that_are_none_are_refused():
    with pytest.raises(ValueError, match="maze, sokoban"):
        make_tokenizer("chess", 8, 8)
    with pytest.raises(ValueError, match="0x3"):
        MazeTokenizer(0, 3)


@pytest.mark.parametrize("kind", ["maze", "sokoban"])
def test_vocabularies_without_end_are_refused_at_once(kind):
    for width, height in ((10**9, 10**9), (1, 10**12)):
        with pytest.raises(ValueError, match=f"has at most 100,000 cells, not {width}x{height}"):
            make_tokenizer(kind, width, height)
    with pytest.raises(ValueError, match="at most 1,000,000 costs"):
        make_tokenizer("sokoban", 7, 7, 10**12)


def test_random_tasks_without_end_are_refused_at_once():
    for random in (random_mazes, random_sokobans):
        with pytest.raises(ValueError, match="at most 100,000 cells"):
            next(random(100_000, 100_000, np.random.default_rng(0)))
