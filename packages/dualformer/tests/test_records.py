import itertools
import json
from collections import Counter

import numpy as np
import pytest

from dualformer import MazeTask, generate, generate_many, random_sokobans, records


@pytest.fixture(scope="module")
def mazes():
    return list(itertools.islice(generate("maze", 5, np.random.default_rng(0)), 12))


@pytest.fixture
def file(mazes, tmp_path):
    records.save_jsonl(mazes, tmp_path / "mazes.jsonl")
    return tmp_path / "mazes.jsonl"


@pytest.mark.parametrize(("kind", "size"), [("maze", 5), ("sokoban", 6)])
def test_records_come_back_from_disk_as_they_were(kind, size, tmp_path):
    made = list(itertools.islice(generate(kind, size, np.random.default_rng(0), max_trace=4000), 2))
    records.save_jsonl(made, tmp_path / "tasks.jsonl")
    assert records.load_jsonl(tmp_path / "tasks.jsonl") == made
    assert records.load_jsonl(tmp_path / "tasks.jsonl", 1) == made[:1]
    assert all(len(one.reasoning) <= 4000 for one in made)


def test_a_line_is_an_object_with_the_words_and_the_task(file, mazes):
    first = json.loads(file.read_text().splitlines()[0])
    assert list(first) == ["task", "prompt", "reasoning", "plan"]
    assert first["task"]["kind"] == "maze"
    assert first["task"]["start"] == list(mazes[0].task.start)
    assert first["prompt"][:3] == ["start", *map(str, mazes[0].task.start)]
    assert first["plan"][:3] == ["plan", *map(str, mazes[0].task.start)]


def damaged(file, number, line):
    lines = file.read_text().splitlines()
    lines[number - 1] = line(lines[number - 1])
    file.write_text("\n".join(lines) + "\n")
    return file


def changed(**parts):
    def line(old):
        value = json.loads(old)
        for name, part in parts.items():
            value[name] = part(value[name])
        return json.dumps(value)

    return line


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (lambda old: old[:40], "not JSON"),
        (lambda old: "[]", 'not an object with a "task"'),
        (lambda old: '{"prompt": []}', 'not an object with a "task"'),
        (changed(prompt=lambda words: words[:-1]), "the prompt is not that of the task"),
        (changed(prompt=lambda words: [1, *words]), "lists of words"),
        (changed(plan=lambda words: words[:-3]), "does not solve"),
        (changed(plan=lambda words: words[1:]), "does not solve"),
        (changed(plan=lambda words: None), "lists of words"),
        (changed(reasoning=lambda words: ["plan", *words]), "the reasoning begins with 'plan'"),
        (changed(task=lambda task: {**task, "kind": "chess"}), "maze, sokoban, not 'chess'"),
        (changed(task=lambda task: {**task, "start": [0]}), r'"start" of the task must be \[x, y\]'),
        (changed(task=lambda task: {**task, "walls": [[0, "1"]]}), '"walls" of the task must be a whole number'),
        (changed(task=lambda task: {**task, "width": 5.5}), '"width" of the task must be a whole number'),
        (changed(task=lambda task: {**task, "goal": task["start"]}), "must differ"),
        (changed(task=lambda task: {"kind": "maze"}), "a maze task has kind, width"),
    ],
    ids=range(15),
)
def test_a_damaged_line_is_named_by_its_number(file, line, words):
    with pytest.raises(ValueError, match=f"line 7: .*{words}"):
        records.load_jsonl(damaged(file, 7, line))


def test_empty_lines_are_passed_over(file, mazes):
    file.write_text(file.read_text().replace("\n", "\n\n"))
    assert records.load_jsonl(file) == mazes


def test_files_without_tasks_or_with_several_sizes_are_refused(file, tmp_path):
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    with pytest.raises(ValueError, match="holds no task"):
        records.load_jsonl(empty)
    other = next(generate("maze", 6, np.random.default_rng(0)))
    file.write_text(file.read_text() + json.dumps(other.to_json()) + "\n")
    with pytest.raises(ValueError, match="maze 5x5 and maze 6x6"):
        records.load_jsonl(file)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        records.load_jsonl(tmp_path / "none.jsonl")
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not UTF-8"):
        records.load_jsonl(binary)


def test_writing_leaves_nothing_half_written(tmp_path, mazes):
    def broken():
        yield mazes[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        records.save_jsonl(broken(), tmp_path / "mazes.jsonl")
    assert not list(tmp_path.iterdir())


def test_tasks_do_not_depend_on_the_number_of_workers(monkeypatch):
    monkeypatch.setattr(records, "CHUNK", 5)
    one = list(generate_many("maze", 5, 13, seed=1))
    assert one == list(generate_many("maze", 5, 13, seed=1, workers=2))
    assert one != list(generate_many("maze", 5, 13, seed=2))
    assert len(one) == len({record.task.walls for record in one}) == 13


def test_the_parts_to_train_and_to_test_on_share_no_layout():
    options = {"tasks_per_layout": 4}
    made = list(generate_many("maze", 5, 42, options=options))
    assert max(Counter(record.task.walls for record in made).values()) == 4
    train, test = records.split(made, 0.9)
    assert test == made[37:]
    assert not {record.task.walls for record in train} & {record.task.walls for record in test}
    assert len(train) == 36


@pytest.mark.parametrize(
    ("size", "n", "options", "words"),
    [
        (5, 3, {"max_trace": 5}, "gave up after 30 tasks in a row with traces of more than 5 tokens"),
        (4, 3, {"tasks_per_layout": 110}, "hardly any layout has 110 tasks"),
    ],
)
def test_a_search_for_tasks_that_do_not_exist_ends(monkeypatch, size, n, options, words):
    monkeypatch.setattr(records, "MAX_FAILURES", 30)
    monkeypatch.setattr("dualformer.maze.MAX_FAILURES", 30)
    with pytest.raises(ValueError, match=words):
        list(generate_many("maze", size, n, options=options))


def test_asking_for_more_tasks_than_there_are_ends(monkeypatch, mazes):
    def few(kind, size, rng, **options):
        yield from (mazes[i] for i in rng.permutation(12))

    monkeypatch.setattr(records, "generate", few)
    monkeypatch.setattr(records, "MAX_FAILURES", 200)
    with pytest.raises(ValueError, match="found only 12 of 20 such tasks: none of the last 200 was new"):
        list(generate_many("maze", 5, 20))


def test_a_search_for_new_levels_ends_where_all_were_found(monkeypatch):
    monkeypatch.setattr("dualformer.sokoban.MAX_FAILURES", 100)
    levels = random_sokobans(5, 5, np.random.default_rng(0), n_walls=0, n_boxes=1)
    with pytest.raises(ValueError, match="hardly any"):
        assert len(list(levels)) <= 8 * 8


@pytest.mark.parametrize(("n", "share"), [(1, 0.9), (5, 0.0), (5, 1.0)])
def test_parts_that_would_be_empty_are_refused(mazes, n, share):
    with pytest.raises(ValueError, match=r"too few|between 0 and 1"):
        records.split(mazes[:n], share)


@pytest.mark.parametrize(("kind", "size", "n"), [("chess", 5, 1), ("maze", 2, 1), ("sokoban", 5, 1), ("maze", 5, 0)])
def test_what_cannot_be_made_is_refused(kind, size, n):
    with pytest.raises(ValueError, match=r"must be|at least|do not fit"):
        next(generate_many(kind, size, n))


def test_a_task_without_a_plan_has_no_record():
    from dualformer import MazeTokenizer, astar

    task = MazeTask(3, 3, (0, 0), (2, 2), ((1, 0), (1, 1), (1, 2)))
    with pytest.raises(ValueError, match="no path from S to G"):
        records.record_from_trace(task, astar(task, deterministic=True), MazeTokenizer(3, 3))


def test_fingerprints_are_those_of_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert records.fingerprint(tmp_path / "file") == expected


def test_what_could_not_be_read_is_not_written(tmp_path, mazes):
    other = next(generate("maze", 6, np.random.default_rng(0)))
    for made, words in (([*mazes, other], "several shapes, maze 5x5 and maze 6x6"), ([], "holds no task")):
        with pytest.raises(ValueError, match=words):
            records.save_jsonl(made, tmp_path / "mazes.jsonl")
    assert not list(tmp_path.iterdir())


def test_several_files_are_written_all_or_none(tmp_path, mazes):
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    with pytest.raises(ValueError, match="other.jsonl holds no task"):
        records.save_all({one: mazes, other: []})
    assert not list(tmp_path.iterdir())
    digests = records.save_all({one: mazes, other: mazes[:1]})
    assert digests == {path: records.fingerprint(path) for path in (one, other)}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (lambda old: "[" * 200_000, r"line 7: not JSON \(it is nested too deeply\)"),
        (lambda old: "1" * 5000, r"line 7: not JSON \(a number has too many digits\)"),
        (changed(task=lambda task: {**task, "width": 10**9, "height": 10**9}), "line 7: a maze has at most 100,000"),
    ],
    ids=range(3),
)
def test_lines_of_strangers_cost_neither_a_traceback_nor_the_memory(file, line, words):
    with pytest.raises(ValueError, match=words):
        records.load_jsonl(damaged(file, 7, line))


def test_a_level_to_test_on_is_not_among_those_to_train_on():
    levels = list(itertools.islice(generate("sokoban", 6, np.random.default_rng(0), max_trace=3000), 9))
    train, test = records.split([*levels, levels[0]])
    assert test == levels[:1]
    assert train == levels[1:]


def test_very_many_tasks_are_begun_with_the_first():
    assert next(generate_many("maze", 5, 10**15)) == next(generate_many("maze", 5, 300))
