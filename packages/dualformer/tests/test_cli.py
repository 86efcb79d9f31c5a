import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from dualformer_shell import MAZE, TINY, call

from dualformer import MazeTask, TrainConfig, load, records
from dualformer.configs import RunConfig
from separata import configs, files
from separata.runs import read_csv
from separata.testing import contents, interrupted_after


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
