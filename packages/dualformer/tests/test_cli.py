import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from dualformer import MazeTask, TrainConfig, cli, load, records
from dualformer.configs import RunConfig
from dualformer.paper import PAPER
from separata import configs, files
from separata.runs import read_csv
from separata.testing import Commands, contents, interrupted_after, write_bomb

TINY = ("--dim", "16", "--n-layers", "1", "--n-heads", "1", "--steps", "6", "--batch-size", "4", "--device", "cpu")
MAZE = "S..#\n.#..\n....\n#..G\n"
LEVEL = "######\n# .. #\n# $$ #\n# @  #\n######\n"


call = Commands(PAPER, [cli.generate, cli.trace, cli.train, cli.solve, cli.evaluate])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with mazes, tasks and a trained run."""
    place = tmp_path_factory.mktemp("files")
    (place / "maze.txt").write_text(MAZE)
    (place / "level.xsb").write_text(LEVEL)
    (place / "walled.txt").write_text("S#..\n##..\n....\n...G\n")
    records.save_jsonl(records.generate_many("maze", 4, 20, seed=1), place / "tasks.jsonl")
    assert call("train", "--data", place / "tasks.jsonl", "--out", place / "run", *TINY).code == 0
    return place


@pytest.fixture
def here(folder, tmp_path, monkeypatch):
    """A copy of it to work in."""
    shutil.copytree(folder, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


# ---- what it is for


def test_generate_writes_tasks_and_says_what_they_are_like(tmp_path):
    code, out, _ = call(
        *("generate", "--size", 5, "--n-tasks", 20, "--out", tmp_path / "a.jsonl"),
        *("--test-out", tmp_path / "b.jsonl", "--seed", 3, "--json"),
    )
    told = json.loads(out)
    assert (code, told["n_tasks"], told["n_test_tasks"]) == (0, 18, 2)
    assert told["sha256"] == records.fingerprint(tmp_path / "a.jsonl")
    train, test = records.load_jsonl(tmp_path / "a.jsonl"), records.load_jsonl(tmp_path / "b.jsonl")
    assert (len(train), len(test)) == (18, 2)
    assert not {one.task.walls for one in train} & {one.task.walls for one in test}
    assert call("generate", "--size", 5, "--n-tasks", 20, "--out", tmp_path / "c.jsonl", "--seed", 3)[0] == 0
    assert records.load_jsonl(tmp_path / "c.jsonl") == train + test


def test_generate_takes_drawings(here):
    code, out, err = call("generate", "maze.txt", "walled.txt", "--out", "own.jsonl")
    assert (code, out.startswith("1 task in own.jsonl;")) == (0, True)
    assert "walled.txt is skipped: no path from S to G" in err
    assert records.load_jsonl(here / "own.jsonl")[0].task == MazeTask.from_text(MAZE)
    done = call("generate", "maze.txt", "walled.txt", "--strict", "--out", "strict.jsonl")
    done.assert_refused("walled.txt: no path from S to G")
    assert not (here / "strict.jsonl").exists()


@pytest.mark.parametrize("level", range(5))
def test_trace_shows_clauses_and_the_plan(here, level):
    code, out, _ = call("trace", "--maze", "maze.txt", "--level", level, "--deterministic")
    lines = out.splitlines()
    assert code == 0
    assert ("close 0 0 c0 c6" in lines) == (level == 0)
    assert any(line.startswith("create") for line in lines) == (level < 4)
    assert lines[-1] == "plan 3 3"
    value = json.loads(call("trace", "--maze", "maze.txt", "--level", level, "--deterministic", "--json")[1])
    assert " ".join(value["reasoning"] + value["plan"]) == " ".join(lines)


def test_trace_takes_sokoban_levels(here):
    code, out, _ = call("trace", "--sokoban", "level.xsb", "--level", 2)
    assert code == 0
    assert out.splitlines()[0] == "create worker 2 3 box 2 2 box 3 2"


def test_train_writes_a_run_that_can_be_read(here):
    assert sorted(path.name for path in (here / "run").iterdir()) == [
        "checkpoint.safetensors",
        "config.json",
        "history.csv",
        "model.safetensors",
    ]
    config = json.loads((here / "run" / "config.json").read_text())
    assert config["sha256"] == {"data": records.fingerprint(here / "tasks.jsonl")}
    settings = configs.from_plain(RunConfig, config["config"], here)
    assert settings == RunConfig(probs="maze", dim=16, n_layers=1, n_heads=1, train=TrainConfig(steps=6, batch_size=4))
    history = read_csv(here / "run" / "history.csv")
    assert [list(row) for row in history] == [["step", "sequences", "tokens", "lr", "loss"]] * 6
    planner = load(here / "run")
    assert (planner.tokenizer.width, planner.model.config.dim) == (4, 16)


@pytest.mark.parametrize(
    "options",
    [
        ("--probs", "complete-trace", "--precision", "bf16-mixed"),
        ("--probs", "mix-0.5", "--validation", "tasks.jsonl", "--weights", "bfloat16"),
        ("--probs", "0,0,0,1,0", "--variant", "released"),
    ],
    ids=" ".join,
)
def test_every_way_of_training_gives_a_planner(here, options):
    assert call("train", "--data", "tasks.jsonl", "--out", "other", *TINY, *options)[0] == 0
    code, out, _ = call("evaluate", "other", "tasks.jsonl", "--n-samples", 2, "--limit", 3, "--max-len", 20, "--json")
    assert (code, json.loads(out)["n_tasks"]) == (0, 3)
    dtype = files.load_tensors(here / "other" / "model.safetensors")[0]["decoder_norm.weight"].dtype
    assert dtype == (torch.bfloat16 if "bfloat16" in options else torch.float32)


def test_a_training_begins_where_another_ended(here):
    train = ("train", "--data", "tasks.jsonl", *TINY, "--lr", "1e-9", "--start-from", "run")
    assert call(*train, "--out", "further")[0] == 0
    one, other = (files.load_tensors(here / name / "model.safetensors")[0] for name in ("run", "further"))
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, atol=1e-6, rtol=1e-5)
    config = json.loads((here / "further" / "config.json").read_text())
    assert config["sha256"]["start_from"] == records.fingerprint(here / "run" / "model.safetensors")
    call(*train, "--out", "wide", "--dim", "32").assert_refused("another size")
    assert not (here / "wide").exists()


def test_sokoban_is_trained_on_too(here):
    assert call("generate", "level.xsb", "--out", "levels.jsonl")[0] == 0
    train = ("train", "--data", "levels.jsonl", "--probs", "solution-only", *TINY)
    assert call(*({"6": "2", "4": "1"}.get(word, word) for word in train), "--out", "sokoban")[0] == 0
    code, out, _ = call("solve", "sokoban", "level.xsb", "--n-samples", 2, "--max-len", 9, "--draw", "--mode", "fast")
    assert (code, "level.xsb: no correct plan in 2 samples" in out) == (0, True)


def test_solve_draws_on_the_terminal_and_to_files(here):
    options = ("--n-samples", 2, "--max-len", 30, "--mode", "slow")
    records.save_jsonl(records.load_jsonl(here / "tasks.jsonl", 3), here / "few.jsonl")
    code, out, _ = call("solve", "run", "maze.txt", "few.jsonl", *options, "--draw", "--image", "pictures")
    assert code == 0
    assert out.count("* path  + closed  o created") == 4
    assert len(list((here / "pictures").glob("*.png"))) == 4
    assert call("solve", "run", "maze.txt", *options, "--image", "maze.svg")[0] == 0
    assert "<svg" in (here / "maze.svg").read_text()
    (found,) = json.loads(call("solve", "run", "maze.txt", *options, "--json")[1])
    assert (found["task"], found["n_samples"], found["shortest"]) == ("maze.txt", 2, 7)


def test_a_model_that_comes_with_the_package_solves_a_maze(tmp_path):
    maze = "....#.G.\n.......#\n.#....#.\n.#.#.###\n.#.#....\n#S.###.#\n..#...#.\n#......#\n"
    (tmp_path / "maze.txt").write_text(maze)
    options = ("--mode", "slow", "--n-samples", 16, "--max-len", 100, "--json")
    code, out, _ = call("solve", "dualformer", tmp_path / "maze.txt", *options)
    (found,) = json.loads(out)
    assert (code, found["n_samples"], found["shortest"]) == (0, 16, 11)
    assert found["reasoning"][0] == "create"
    assert found["solved"]


def test_evaluate_measures_all_modes(here):
    options = ("--n-samples", 2, "--limit", 2, "--max-len", 25)
    code, out, _ = call("evaluate", "run", "tasks.jsonl", *options, "--mode", "all", "--json")
    found = json.loads(out)
    assert (code, sorted(found)) == (0, ["auto", "fast", "slow"])
    assert found["fast"]["slow_share"] == 0
    assert found["slow"]["slow_share"] == 1
    table = [line.split() for line in call("evaluate", "run", "tasks.jsonl", *options, "--mode", "all")[1].splitlines()]
    assert table[0] == ["fast", "slow", "auto"]
    assert ["n_tasks", "2", "2", "2"] in table
    assert "one_optimal" in {row[0] for row in table}


@pytest.mark.slow
def test_two_processes_train_as_one_does(here):
    (here / "main.py").write_text("from dualformer.cli import main; main()")
    words = ["train", "--data", "tasks.jsonl", *TINY, "--out", "two", "--devices", "2"]
    done = subprocess.run(
        [sys.executable, "main.py", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("saved in two") == 1
    one, two = (files.load_tensors(here / name / "model.safetensors")[0] for name in ("run", "two"))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-4, rtol=1e-3)


def test_the_name_of_a_model_that_comes_with_the_package_is_not_hidden_by_a_folder(here):
    shutil.copytree(here / "run", here / "dualformer")
    (here / "complete-trace").mkdir()
    assert load("complete-trace").tokenizer.width == load("dualformer").tokenizer.width == 8
    assert load("./dualformer").tokenizer.width == load(Path("dualformer")).tokenizer.width == 4
    code, _, err = call("evaluate", "dualformer", "tasks.jsonl")
    assert code == 2
    assert "write ./dualformer for the run in this folder" in err
    code, _, err = call("evaluate", "./dualformer", "tasks.jsonl", "--limit", 1, "--n-samples", 1, "--max-len", 9)
    assert (code, "comes with the package" in err) == (0, False)


def test_a_training_that_diverges_says_so(here):
    code, out, err = call(
        "train", "--data", "tasks.jsonl", "--out", "wild", *TINY, "--lr", "1", "--weight-decay", "1e9"
    )
    assert (code, out) == (2, "") or (code == 0 and "Training diverged" in err)
    assert "ower the learning rate" in err


# ---- interruptions

KILLED = """
import os, signal
from torch.optim.optimizer import register_optimizer_step_post_hook
steps = iter(range(10**9))
register_optimizer_step_post_hook(lambda *_: next(steps) == 3 and os.kill(os.getpid(), signal.SIGKILL))
from dualformer.cli import main
main()
"""


def test_a_run_that_was_killed_goes_on_to_what_an_undisturbed_one_gives(here):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, "train", "--data", "tasks.jsonl", "--out", "broken", *TINY],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL
    call("evaluate", "broken", "tasks.jsonl").assert_refused("has not ended", "--resume")
    assert call("train", "--data", "tasks.jsonl", "--out", "broken", *TINY, "--resume")[0] == 0
    assert (here / "broken" / "history.csv").read_text() == (here / "run" / "history.csv").read_text()
    one, other = (files.load_tensors(here / name / "model.safetensors")[0] for name in ("run", "broken"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_interrupted_run_says_where_it_is_and_goes_on_to_the_same(here, monkeypatch):
    words = ["train", "--data", "tasks.jsonl", "--out", "stopped", *TINY]
    monkeypatch.setattr(sys, "argv", ["dualformer", *words])
    with interrupted_after(3):
        code, out, err = call(*words)
    assert (code, out) == (130, "")
    assert f"dualformer {' '.join(words)} --resume" in err
    assert call(*words, "--resume").code == 0
    assert contents(here / "stopped") == contents(here / "run")


def test_resuming_a_finished_run_changes_nothing(here):
    before = contents(here / "run")
    code, _, err = call("train", "--data", "tasks.jsonl", "--out", "run", *TINY, "--resume")
    assert (code, "diverged" in err) == (0, False)
    assert contents(here / "run") == before


# ---- what it refuses


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--probs", "0.5,0.5"), ("five numbers",)),
        (("--probs", "0.5,0.5,0.5,0,0"), ("sum to 1",)),
        (("--probs", "most"), ("complete-trace", "'most'")),
        (("--create-drop", "-0.1"), ("between 0 and 1", "-0.1")),
        (("--create-drop", "1.1"), ("between 0 and 1", "1.1")),
        (("--variant", "mine"), ("released", "'mine'")),
        (("--model", "huge"), ("s, m, l, xl", "'huge'")),
        (("--n-heads", "3"), ("heads",)),
        (("--steps", "0"), ("at least 1",)),
        (("--steps", "many"), ("steps",)),
        (("--lr", "-1"), ("positive",)),
        (("--seed", "-1"), ("seed", "at least 0")),
        (("--weights", "int8"), ("float32, bfloat16",)),
        (("--data", "none.jsonl"), ("no file none.jsonl",)),
        (("--validation", "none.jsonl"), ("no file none.jsonl",)),
        (("--device", "tpu"), ("auto, cpu, cuda",)),
        (("--devices", "3"), ("3 processes",)),
        (("--precision", "7-bit"), ("7-bit",)),
        (("--colour", "red"), ("--colour",)),
    ],
    ids=lambda value: " ".join(value).strip("-") if value[0].startswith("--") else "",
)
@pytest.mark.usefixtures("unchecked")
def test_wrong_options_are_refused_before_anything_is_written(here, options, words):
    before = contents(here)
    given = {"--data": "tasks.jsonl", "--out": "new", **dict(zip(TINY[::2], TINY[1::2])), **dict([options])}
    call("train", *(word for pair in given.items() for word in pair)).assert_refused(*words)
    assert contents(here) == before
    assert not (here / "new").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("S..\n.G", "row 2 has 2 cells"),
        ("...\n..G", "exactly one S"),
        ("S.G\n..G", "exactly one G, but has 2"),
        ("#####\n....G", "exactly one S"),
        ("S#G\n.#.\n.#.", "no path from S to G"),
        ("", "empty"),
        ("hello", "not with"),
    ],
)
def test_mazes_that_are_none_are_refused(here, text, words):
    (here / "bad.txt").write_text(text)
    for command in (("trace", "--maze", "bad.txt"), ("solve", "run", "bad.txt"), ("evaluate", "run", "bad.txt")):
        call(*command).assert_refused("bad.txt", words)
    call("generate", "bad.txt", "--strict", "--out", "new.jsonl").assert_refused(words)
    assert not (here / "new.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [("#####\n# $.#\n#####", "exactly one worker"), ("######\n#@$$.#\n######", "2 boxes and 1 docks")],
)
def test_levels_that_are_none_are_refused(here, text, words):
    (here / "bad.xsb").write_text(text)
    call("trace", "--sokoban", "bad.xsb").assert_refused("bad.xsb", words)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("solve", "run", "maze.txt", "--mode", "quick"), ("fast, slow, auto", "'quick'")),
        (("solve", "run", "maze.txt", "--mode", "all"), ("fast, slow, auto", "'all'")),
        (("evaluate", "run", "tasks.jsonl", "--mode", "quick"), ("fast, slow, auto", "'quick'")),
        (("solve", "run", "maze.txt", "--max-len", "2", "--mode", "fast"), ("max_len", "2 tokens")),
        (("solve", "run", "maze.txt", "--n-samples", "0"), ("at least 1",)),
        (("solve", "run", "maze.txt", "--temperature", "-1"), ("negative",)),
        (("solve", "run", "level.xsb"), ("level.xsb", "maze tasks")),
        (("solve", "dualformer", "maze.txt"), ("8x8, but the task is 4x4",)),
        (("evaluate", "complete-trace", "tasks.jsonl"), ("8x8, but the task is 4x4",)),
        (("solve", "none", "maze.txt"), ("none holds no training", "complete-trace, dualformer")),
        (("solve", "dualformer"), ("give a task", ".jsonl")),
        (("evaluate", "run"), ("give a task", ".jsonl")),
        (("evaluate", "run", "tasks.jsonl", "--batch-size", "0"), ("--batch-size", "at least 1")),
        (("evaluate", "run", "tasks.jsonl", "--seed", "-1"), ("seed", "at least 0")),
        (("solve", "run", "maze.txt", "--seed", "-1"), ("seed", "at least 0")),
        (("trace", "--maze", "maze.txt", "--seed", "-1"), ("seed", "at least 0")),
        (("generate", "--seed", "-1", "--out", "new.jsonl"), ("seed", "at least 0")),
        (("generate", "--tasks-per-layout", "0", "--out", "new.jsonl"), ("--tasks-per-layout", "at least 1")),
        (("generate", "--size", "6", "--tasks-per-layout", "2000", "--out", "new.jsonl"), ("6x6", "2,000 tasks")),
        (("solve", "run", "none.txt"), ("no file none.txt",)),
        (("solve", "run", "maze.txt", "--image", "maze.doc"), (".svg, .png or .pdf",)),
        (("evaluate", "run", "tasks.jsonl", "--limit", "0"), ("at least 1",)),
        (("trace",), ("--maze", "--sokoban")),
        (("trace", "--maze", "maze.txt", "--level", "5"), ("0, 1, 2, 3 or 4",)),
        (("generate", "--size", "2", "--out", "new.jsonl"), ("10 cells",)),
        (("generate", "--task", "chess", "--out", "new.jsonl"), ("maze, sokoban",)),
        (("generate", "--n-tasks", "0", "--out", "new.jsonl"), ("at least 1",)),
        (("generate", "walled.txt", "--out", "new.jsonl"), ("none of the tasks",)),
    ],
    ids=lambda value: " ".join(value) if value[0] in {"solve", "evaluate", "trace", "generate"} else "",
)
@pytest.mark.usefixtures("unchecked")
def test_wrong_questions_cost_one_line(here, command, words):
    before = contents(here)
    call(*command).assert_refused(*words)
    assert contents(here) == before


def test_a_corrupt_line_is_named_and_nothing_is_trained_on_the_rest(here):
    lines = (here / "tasks.jsonl").read_text().splitlines()
    lines[4] = lines[4][:50]
    (here / "corrupt.jsonl").write_text("\n".join(lines))
    call("train", "--data", "corrupt.jsonl", "--out", "new", *TINY).assert_refused("corrupt.jsonl, line 5")
    call("evaluate", "run", "corrupt.jsonl").assert_refused("corrupt.jsonl, line 5")
    assert not (here / "new").exists()


def test_a_folder_that_holds_a_run_is_left_as_it_is(here):
    before = contents(here)
    command = ("train", "--data", "tasks.jsonl", "--out", "run", *TINY)
    call(*command).assert_refused("already holds a training", "--resume")
    call(*command, "--seed", "3", "--resume").assert_refused("another seed")
    assert contents(here) == before


def test_a_run_goes_on_with_the_same_data_whatever_its_name(here):
    shutil.copy(here / "tasks.jsonl", here / "moved.jsonl")
    before = contents(here / "run")
    assert call("train", "--data", "moved.jsonl", "--out", "run", *TINY, "--resume").code == 0
    records.save_jsonl(records.load_jsonl(here / "tasks.jsonl", 3), here / "moved.jsonl")
    call("train", "--data", "moved.jsonl", "--out", "run", *TINY, "--resume").assert_refused("another data")
    assert contents(here / "run") == before


def test_a_pickle_in_place_of_tensors_is_never_run(here):
    for name in ("model.safetensors", "checkpoint.safetensors"):
        write_bomb(here / "run" / name, here / "ran")
    call("evaluate", "run", "tasks.jsonl").assert_refused("not a whole safetensors file")
    done = call("train", "--data", "tasks.jsonl", "--out", "run", *TINY, "--resume")
    done.assert_refused("not a whole safetensors file")
    assert not (here / "ran").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"tokenizer": {"kind": "maze"}, "model": {}}'])
def test_damaged_settings_are_refused(here, text):
    (here / "run" / "config.json").write_text(text)
    call("evaluate", "run", "tasks.jsonl").assert_refused("config.json")


def test_weights_of_another_model_or_vocabulary_are_refused(here):
    config = json.loads((here / "run" / "config.json").read_text())
    config["tokenizer"]["width"] = config["tokenizer"]["height"] = 5
    files.write_json(here / "run" / "config.json", config)
    call("evaluate", "run", "tasks.jsonl").assert_refused("vocabulary")
    config["tokenizer"]["width"] = config["tokenizer"]["height"] = 4
    files.write_json(here / "run" / "config.json", {**config, "model": {**config["model"], "n_layers": 2}})
    call("evaluate", "run", "tasks.jsonl").assert_refused("another model")


# ---- outputs, and options that do not apply

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
