import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

from dualformer import MazeTask, random_mazes

TEXT = "S.#.\n..#.\n...G"


def test_a_drawing_is_read_line_by_line():
    task = MazeTask.from_text(TEXT)
    assert (task.width, task.height, task.start, task.goal) == (4, 3, (0, 0), (3, 2))
    assert task.walls == ((2, 0), (2, 1))
    assert task.to_text() == TEXT


@pytest.mark.parametrize("text", [f"\n{TEXT}\n\n", TEXT.replace("\n", "\r\n"), TEXT.replace(".", " ")])
def test_line_ends_and_spaces_do_not_matter(text):
    assert MazeTask.from_text(text) == MazeTask.from_text(TEXT)


@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 10**6))
def test_every_maze_is_read_as_it_was_drawn(width, height, seed):
    rng = np.random.default_rng(seed)
    order = [(int(i) % width, int(i) // width) for i in rng.permutation(width * height)]
    task = MazeTask(width, height, order[0], order[1], tuple(order[2 : 2 + int(rng.integers(0, len(order) - 1))]))
    assert MazeTask.from_text(task.to_text()) == task
    assert list(task.walls) == sorted(task.walls, key=lambda cell: cell[0] + cell[1] * width)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("S..\n.G", "row 2 has 2 cells and row 1 3"),
        ("...\n..G", "exactly one S, but has 0"),
        ("S.S\n..G", "exactly one S, but has 2"),
        ("S..\n...", "exactly one G, but has 0"),
        ("S?.\n..G", "not with '\\?'"),
    ],
)
def test_drawings_that_are_no_mazes_are_refused(text, words):
    with pytest.raises(ValueError, match=words):
        MazeTask.from_text(text)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"goal": (0, 0)}, "must differ"),
        ({"start": (1, 1)}, "the start .* is on a wall"),
        ({"goal": (1, 1)}, "the goal .* is on a wall"),
        ({"goal": (3, 0)}, "outside"),
        ({"walls": ((0, 3),)}, "outside"),
        ({"width": 0}, "at least one cell"),
    ],
)
def test_tasks_that_make_no_sense_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        MazeTask(**{"width": 3, "height": 3, "start": (0, 0), "goal": (2, 2), "walls": ((1, 1),), **options})


@pytest.mark.parametrize(
    ("plan", "is_right"),
    [
        (((0, 0), (1, 0), (1, 1), (1, 2), (2, 2), (3, 2)), True),
        (((0, 0), (1, 0), (0, 0), (1, 0), (1, 1), (1, 2), (2, 2), (3, 2)), True),  # longer, but a way
        ((), False),
        (((0, 0),), False),
        (((1, 0), (1, 1), (1, 2), (2, 2), (3, 2)), False),  # begins elsewhere
        (((0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (3, 2)), False),  # through a wall
        (((0, 0), (1, 1), (1, 2), (2, 2), (3, 2)), False),  # jumps
        (((0, 0), (0, 0), (1, 0), (1, 1), (1, 2), (2, 2), (3, 2)), False),  # stands still
        (((0, 0), (0, 1), (0, 2), (0, 3), (1, 3), (1, 2), (2, 2), (3, 2)), False),  # outside
    ],
)
def test_plans_are_right_or_wrong(plan, is_right):
    assert MazeTask.from_text(TEXT).is_solved_by(plan) == is_right


def test_random_mazes_are_as_the_paper_draws_them():
    made = list(itertools.islice(random_mazes(10, 8, np.random.default_rng(0)), 20))
    assert len({task.walls for task, _ in made}) == 20
    n_walls = [len(task.walls) for task, _ in made]
    assert min(n_walls) >= 24
    assert max(n_walls) <= 40
    assert min(len(trace.plan) for _, trace in made) >= 10


def test_tasks_of_a_layout_share_its_walls_and_differ():
    made = [task for task, _ in itertools.islice(random_mazes(6, 6, np.random.default_rng(0), tasks_per_layout=3), 30)]
    assert len(set(made)) == 30
    assert all(len({task.walls for task in made[i : i + 3]}) == 1 for i in range(0, 30, 3))
    assert len({task.walls for task in made}) == 10


def test_the_released_generator_keeps_every_success_of_100_draws():
    rng = np.random.default_rng(0)
    made = list(itertools.islice(random_mazes(6, 6, rng, tasks_per_layout=None), 60))
    assert len({task for task, _ in made}) == 60
    layouts = [list(group) for _, group in itertools.groupby(made, lambda pair: pair[0].walls)]
    assert len({group[0][0].walls for group in layouts}) == len(layouts)
    walls = layouts[0][0][0].walls
    free = [(x, y) for x in range(6) for y in range(6) if (x, y) not in walls]
    beside = [[abs(a - c) + abs(b - d) == 1 for c, d in free] for a, b in free]
    steps = shortest_path(csr_array(beside), unweighted=True)
    every = {(free[i], free[j]) for i, j in np.argwhere(np.isfinite(steps) & (steps >= 5)).tolist()}
    n_free = len(free)
    expected = len(every) * (1 - (1 - 1 / (n_free * (n_free - 1))) ** 100)
    assert {(task.start, task.goal) for task, _ in layouts[0]} <= every
    assert abs(len(layouts[0]) - expected) < 4 * np.sqrt(expected)


@pytest.mark.slow
def test_tasks_of_the_released_generator_are_longer_than_those_of_one_task_a_layout():
    """Means over 10x10 mazes by another implementation: 229 to 238 tokens, and 240 to 300 as released."""
    rng = np.random.default_rng(0)
    one, released = (
        5 * np.mean([len(trace.steps) for _, trace in itertools.islice(random_mazes(10, 10, rng, **options), n)])
        for options, n in (({}, 500), ({"tasks_per_layout": None}, 5000))
    )
    assert one == pytest.approx(234, rel=0.05)
    assert released == pytest.approx(270, rel=0.1)


@pytest.mark.parametrize(
    ("size", "options", "words"),
    [
        (6, {"tasks_per_layout": 2000}, "27 free cells"),
        (4, {"tasks_per_layout": 120}, "hardly any layout has 120 tasks"),
    ],
)
def test_a_search_for_mazes_that_do_not_exist_ends(monkeypatch, size, options, words):
    monkeypatch.setattr("dualformer.maze.MAX_FAILURES", 20)
    with pytest.raises(ValueError, match=words):
        next(random_mazes(size, size, np.random.default_rng(0), **options))


def test_the_paper_s_sizes_have_prompts_and_traces_of_the_expected_length():
    """Means over 10x10 mazes by another implementation of the same rules: 234 and 116 tokens."""
    made = list(itertools.islice(random_mazes(10, 10, np.random.default_rng(1)), 40))
    assert 5 * np.mean([len(trace.steps) for _, trace in made]) == pytest.approx(234, rel=0.15)
    assert 6 + 3 * np.mean([len(task.walls) for task, _ in made]) == pytest.approx(116, rel=0.1)


@pytest.mark.parametrize("size", [(1, 20), (3, 3)])
def test_mazes_too_small_to_draw_are_refused(size):
    with pytest.raises(ValueError, match="10 cells"):
        next(random_mazes(*size, np.random.default_rng(0)))
