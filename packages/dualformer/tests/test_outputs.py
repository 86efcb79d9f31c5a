import hashlib
import json
import os
import stat
import threading

import pytest
from dualformer_shell import MAZE, TINY, call

from dualformer import records
from separata.testing import contents

FEW = ("--size", "5", "--n-tasks", "20")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("generate", *FEW, "--out", "d", "--test-out", "ok.jsonl"), ("d is a folder; name a file",)),
        (("generate", *FEW, "--out", "ok.jsonl", "--test-out", "d"), ("d is a folder; name a file",)),
        (("generate", *FEW, "--out", "ok.jsonl", "--test-out", "maze.txt/x"), ("folder maze.txt: it is a file",)),
        (("generate", *FEW, "--out", "ok.jsonl", "--test-out", "./ok.jsonl"), ("another file than --out",)),
        (("generate", "maze.txt", "--out", "maze.txt"), ("maze.txt is one of the drawings",)),
        (("solve", "run", "maze.txt", "--image", "plain"), ("plain is a file; name a folder",)),
        (("solve", "run", "maze.txt", "--image", "d.svg"), ("d.svg is a folder",)),
        (("solve", "run", "maze.txt", "--image", "plain/x.svg"), ("folder plain: it is a file",)),
        (("generate", "maze.txt", "small.txt", "--out", "ok.jsonl"), ("maze.txt is maze 4x4 and small.txt maze 3x2",)),
        (("generate", "maze.txt", "--size", "3", "--out", "ok.jsonl"), ("--size is for random tasks",)),
        (
            ("generate", "maze.txt", "--n-tasks", "7", "--every-task", "--workers", "-4", "--out", "ok.jsonl"),
            ("--n-tasks and --workers and --every-task are for random tasks, not for drawings",),
        ),
        (("generate", *FEW, "--strict", "--out", "ok.jsonl"), ("--strict is for drawings",)),
        (("generate", "--task", "sokoban", "--every-task", "--out", "ok.jsonl"), ("--every-task is for mazes",)),
        (("generate", "--tasks-per-layout", "2", "--every-task", "--out", "ok.jsonl"), ("not both",)),
        (("generate", "maze.txt", "--max-trace", "5", "--out", "ok.jsonl"), ("tokens, more than 5",)),
        (("generate", "maze.txt", "--max-trace", "0", "--out", "ok.jsonl"), ("--max-trace must be at least 1",)),
        (("generate", "--size", "100000", "--out", "ok.jsonl"), ("at most 100,000 cells, not 100000x100000",)),
        (("trace", "--maze", "maze.txt", "--create-drop", "0.5"), ("do not apply to level 0",)),
        (("trace", "--maze", "maze.txt", "--variant", "released", "--level", "2"), ("do not apply to level 2",)),
        (
            ("trace", "--maze", "maze.txt", "--variant", "released", "--level", "3", "--create-drop", "0.5"),
            ("--create-drop does not apply",),
        ),
        (("solve", "run", "maze.txt", "--draw", "--json"), ("give one of them",)),
        (("solve", "run", "maze.txt", "--max-len", "1000000000000"), ("at most 1,000,000 tokens",)),
        (("solve", "run", "maze.txt", "--n-samples", "1000000000"), ("at most 100,000",)),
        (("solve", "run", "maze.txt", "--temperature", "inf"), ("finite number, but it is inf",)),
    ],
    ids=lambda value: " ".join(value) if value[0] in {"solve", "evaluate", "trace", "generate"} else "",
)
@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_done_is_refused_before_the_work(here, command, words, monkeypatch):
    def work(*_, **__):
        raise AssertionError("the work was begun")

    (here / "d").mkdir()
    (here / "d.svg").mkdir()
    (here / "plain").write_text("")
    (here / "small.txt").write_text("S..\n.#G\n")
    monkeypatch.setattr(records, "generate_many", work if "100000" not in command else records.generate_many)
    monkeypatch.setattr("dualformer.planner.sample", work)
    before = contents(here)
    call(*command).assert_refused(*words)
    assert contents(here) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--lr", "1e30"), "at most 1, not 1e+30"),
        (("--variant", "released", "--create-drop", "0.5"), "0.5 does not apply"),
        (("--devices", "0"), "at least 1"),
        (("--nodes", "-1"), "at least 1"),
        (("--start-from", "none"), "none holds no training"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_trainings_that_cannot_be_are_refused(here, options, words):
    call("train", "--data", "tasks.jsonl", "--out", "new", *TINY, *options).assert_refused(words)
    assert not (here / "new").exists()


def test_a_pipe_takes_the_tasks_and_stays_a_pipe(here):
    """As /dev/full or /dev/null would be, which root could replace by a file."""
    os.mkfifo(here / "pipe")
    found = []
    reader = threading.Thread(target=lambda: found.append((here / "pipe").read_text()), daemon=True)
    reader.start()
    done = call("generate", "maze.txt", "--out", "pipe", "--json")
    reader.join(10)
    assert stat.S_ISFIFO((here / "pipe").stat().st_mode)
    assert json.loads(done.out)["sha256"] == hashlib.sha256(found[0].encode()).hexdigest()


def test_drawings_with_long_traces_are_skipped(here):
    (here / "near.txt").write_text("SG..\n....\n....\n....\n")
    code, out, err = call("generate", "maze.txt", "near.txt", "--max-trace", "30", "--out", "own.jsonl")
    assert (code, out.startswith("1 task in")) == (0, True)
    assert "maze.txt is skipped: its trace has" in err


def test_a_maze_may_begin_with_a_mark_of_byte_order(here):
    (here / "bom.txt").write_text(MAZE, encoding="utf-8-sig")
    plain, marked = (call("trace", "--maze", name, "--deterministic").out for name in ("maze.txt", "bom.txt"))
    assert plain == marked


def test_others_may_read_a_run(here):
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (here / "run").iterdir()}
    assert set(modes.values()) == {modes["config.json"]}
