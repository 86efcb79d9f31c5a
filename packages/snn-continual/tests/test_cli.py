import io
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from separata import files
from separata.testing import Commands, Done, contents, interrupted_after, write_bomb
from snn_continual import cli
from snn_continual.paper import PAPER

call = Commands(PAPER, [cli.train, cli.evaluate, cli.inspect])
QUICK = ("--timesteps", "3", "--hidden", "12", "--epochs", "2")


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """Three tasks of clouds of points, as files."""
    folder, rng = tmp_path_factory.mktemp("tasks"), np.random.default_rng(0)
    for index in range(3):
        centres = 2 * rng.normal(size=(3, 20))
        labels = np.arange(60) % 3
        points = centres[labels] + 0.5 * rng.normal(size=(60, 20))
        np.savez(
            folder / f"{index}.npz", x_train=points[:40], y_train=labels[:40], x_test=points[40:], y_test=labels[40:]
        )
    return folder


@pytest.fixture(scope="module")
def finished(tasks, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "run"
    train = ["train", "--out", out, "--benchmark", tasks, *QUICK]
    assert call(*train).code == 0
    return out


@pytest.fixture
def trained(finished, tmp_path):
    """A folder with a finished run, to do with as one likes."""
    return shutil.copytree(finished, tmp_path / "run")


# ---- what it is for


def test_train_evaluate_and_inspect_agree_on_a_folder_of_tasks(tasks, tmp_path):
    out = tmp_path / "run"
    code, told, err = call("train", "--out", out, "--benchmark", tasks, *QUICK)
    assert code == 0
    assert told.count("\n") == 1
    assert "average accuracy" in told
    assert "error" not in err
    rows = [line.split(",") for line in (out / "accuracy.csv").read_text().splitlines()[1:]]
    last = [float(cell) for cell in rows[-1][1:]]
    assert [[cell != "" for cell in row[1:]] for row in rows] == np.tri(3, dtype=bool).tolist()
    assert f"{100 * np.mean(last):.2f} %" in told
    assert len((out / "history.csv").read_text().splitlines()) == 1 + 3 * 2

    code, told, err = call("evaluate", out, "--json")
    found = json.loads(told)
    assert (code, err) == (0, "")
    assert [row["accuracy"] for row in found["rows"]] == pytest.approx(last, abs=1e-5)
    assert found["acc"] == pytest.approx(np.mean(last), abs=1e-5)
    lines = call("evaluate", out)[1].splitlines()
    assert [line.split()[0] for line in lines] == ["task", "0", "1", "2", "acc"]
    assert lines[-1] == f"acc {found['acc']:.4f}"

    code, told, err = call("inspect", out, "--json", "--plot", tmp_path / "matrix.svg")
    found = json.loads(told)
    assert (code, err) == (0, "")
    assert [row["of"] for row in found["rows"]] == [20, 12, 12]
    assert all(0 < row["dim"] <= row["of"] for row in found["rows"])
    assert all(0 <= row[key] <= 1 for row in found["rows"] for key in ("explained_first_task", "explained_last_task"))
    assert "<svg" in (tmp_path / "matrix.svg").read_text()
    assert (found["tasks"], type(found["tasks"])) == (3, int)
    header, *lines, last = call("inspect", out)[1].splitlines()
    assert header.split()[:4] == ["layer", "dim", "of", "orthonormality"]
    assert [line.split()[:3] for line in lines] == [
        [row["layer"], str(row["dim"]), str(row["of"])] for row in found["rows"]
    ]
    assert last == "tasks 3"


@pytest.mark.parametrize(
    "options",
    [
        ("--method", "ewc", "--rule", "bptt"),
        ("--method", "gpm", "--rule", "ottt", "--feedback", "sign"),
        ("--method", "replay", "--rehearse", "5", "--feedback", "fa"),
        ("--method", "hlop", "--spiking-lateral", "--rehearse", "3"),
        ("--method", "joint"),
    ],
    ids=" ".join,
)
def test_every_way_of_training_gives_a_run_that_can_be_tested(tasks, tmp_path, options):
    out = tmp_path / "run"
    assert call("train", "--out", out, "--benchmark", tasks, *QUICK, *options)[0] == 0
    code, told, _ = call("evaluate", out, "--json")
    assert code == 0
    last = (out / "accuracy.csv").read_text().splitlines()[-1].split(",")[1:]
    assert [row["accuracy"] for row in json.loads(told)["rows"]] == pytest.approx([float(x) for x in last], abs=1e-5)
    assert call("inspect", out, "--json")[0] == 0


KILLED = """
import os, signal, sys
steps = iter(range(10**9))
register_optimizer_step_post_hook(lambda *_: next(steps) == 4 and os.kill(os.getpid(), signal.SIGKILL))
from snn_continual.cli import main
main()
"""
UNFINISHED = {"config.json", "checkpoint.safetensors", "history.csv"}
"""What a run has written that was broken off in its third task."""


def assert_same_run(one, other):
    for name in ("accuracy.csv", "history.csv"):
        assert (one / name).read_text() == (other / name).read_text()
    found, expected = (files.load_tensors(folder / "model.safetensors")[0] for folder in (one, other))
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_to_what_an_undisturbed_one_gives(tasks, finished, tmp_path):
    out = tmp_path / "broken"
    options = ("--benchmark", str(tasks), *QUICK)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, "train", "--out", str(out), *options], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert contents(out).keys() == UNFINISHED
    call("evaluate", out).assert_refused("not ended", "--resume")
    assert call("train", "--out", out, *options, "--resume")[0] == 0
    assert_same_run(out, finished)


def test_an_interrupted_run_says_how_to_go_on_and_goes_on_to_what_an_undisturbed_one_gives(
    tasks, finished, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    words = ["train", "--out", str(out), "--benchmark", str(tasks), *QUICK]
    monkeypatch.setattr(sys, "argv", ["snn-continual", *words])
    with interrupted_after(5):
        code, told, err = call(*words)
    assert (code, told) == (130, "")
    assert f"snn-continual {' '.join(words)} --resume" in err.splitlines()[-1]
    assert str(out) in err.splitlines()[-1]
    assert contents(out).keys() == UNFINISHED
    call("evaluate", out).assert_refused("not ended", "--resume")
    assert call(*words, "--resume")[0] == 0
    assert_same_run(out, finished)


def test_a_run_on_a_relative_folder_is_read_from_anywhere(tasks, tmp_path, monkeypatch):
    monkeypatch.chdir(tasks.parent)
    assert call("train", "--out", tmp_path / "run", "--benchmark", tasks.name, *QUICK)[0] == 0
    monkeypatch.chdir(tmp_path)
    assert call("evaluate", "run")[0] == 0


def test_resuming_a_finished_run_changes_nothing(tasks, trained):
    before = contents(trained)
    assert call("train", "--out", trained, "--benchmark", tasks, *QUICK, "--resume")[0] == 0
    assert contents(trained) == before


# ---- what it tells of a training that goes wrong


def test_a_loss_that_exploded_is_warned_of_in_a_line(tasks, tmp_path):
    code, told, err = call("train", "--out", tmp_path / "run", "--benchmark", tasks, *QUICK, "--lr", "1e9")
    (warning,) = [line for line in err.splitlines() if line.startswith("warning: ")]
    assert "the loss exploded" in warning
    assert warning.endswith("lower the learning rate")
    assert code == 0
    assert "average accuracy" in told


@pytest.mark.parametrize("options", [(), ("--method", "ewc"), ("--method", "gpm")], ids=" ".join)
def test_a_training_that_diverges_ends_with_its_remedy_and_leaves_nothing(tasks, tmp_path, options):
    out = tmp_path / "run"
    done = call("train", "--out", out, "--benchmark", tasks, *QUICK, *options, "--lr", "1e38")
    done.assert_refused("diverged", "task 1", "lower the learning rate", after_progress=True)
    assert not out.exists()


def test_inputs_of_an_unusual_scale_are_warned_of(tasks, tmp_path):
    for scale in (1e-3, 1.0, 1e3):
        folder = tmp_path / f"tasks-{scale}"
        folder.mkdir()
        with np.load(tasks / "0.npz") as arrays:
            np.savez(folder / "0.npz", **{key: arrays[key] * (scale if key[0] == "x" else 1) for key in arrays})
        code, _, err = call("train", "--out", tmp_path / f"run-{scale}", "--benchmark", folder, *QUICK)
        assert code == 0
        assert ("standardize" in err) == (scale != 1)


# ---- what it refuses


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--method", "si"), ("hlop, finetune, ewc, gpm, replay, joint", "'si'")),
        (("--benchmark", "imagenet"), ("pmnist", "folder", "'imagenet'")),
        (("--rule", "stdp"), ("dsr, bptt, ottt", "'stdp'")),
        (("--feedback", "random"), ("bp, fa, sign", "'random'")),
        (("--timesteps", "0"), ("at least 1", "0")),
        (("--epochs", "0"), ("at least 1", "0")),
        (("--epochs", "many"), ("epochs",)),
        (("--lr", "-1"), ("positive", "-1")),
        (("--lr", "nan"), ("positive", "nan")),
        (("--lr", "inf"), ("positive", "inf")),
        (("--seed", "-1"), ("from 0", "-1")),
        (("--seed", str(10**20)), ("from 0", str(10**20))),
        (("--timesteps", "20000"), ("at most 10000", "20000")),
        (("--hidden", "0"), ("at least 1", "0")),
        (("--rehearse", "-1"), ("negative", "-1")),
        (("--method", "ewc", "--strength", "-1"), ("negative", "-1")),
        (("--method", "ewc", "--strength", "nan"), ("strength", "nan")),
        (("--method", "gpm", "--threshold", "1.5"), ("between 0 and 1", "1.5")),
        (("--method", "gpm", "--threshold", "nan"), ("between 0 and 1", "nan")),
        (("--hidden", "200000"), ("at most 100000", "200000")),
        (("--device", "tpu"), ("auto, cpu, cuda", "'tpu'")),
        (("--data", "nowhere"), ("nowhere",)),
        (("--colour", "red"), ("--colour",)),
    ],
    ids=lambda value: " ".join(value).strip("-") if value[0].startswith("--") else "",
)
def test_wrong_options_are_refused_before_anything_is_written(tasks, tmp_path, options, words):
    out = tmp_path / "run"
    call("train", "--out", out, "--benchmark", tasks, *options).assert_refused(*words)
    assert not out.exists()


def test_a_missing_data_set_is_named_with_both_ways_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SEPARATA_DATA", str(tmp_path / "data"))
    for benchmark in ("cifar100", "pmnist"):
        done = call("train", "--out", tmp_path / "run", "--benchmark", benchmark)
        done.assert_refused("SEPARATA_DATA", "Hugging Face")
    assert not (tmp_path / "run").exists()


def write_parquet(folder, shape):
    rows = []
    for _ in range(10):
        file = io.BytesIO()
        Image.fromarray(np.zeros(shape, np.uint8)).save(file, "PNG")
        rows.append({"bytes": file.getvalue(), "path": None})
    table = pa.table(
        {"img": pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())])), "label": range(10)}
    )
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        pq.write_table(table, folder / f"{split}-00000-of-00001.parquet")


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_truncated_parquet_file_is_refused(tmp_path, split):
    write_parquet(tmp_path / "data" / "cifar10", (32, 32, 3))
    path = tmp_path / "data" / "cifar10" / f"{split}-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    done = call("train", "--out", tmp_path / "run", "--benchmark", "cifar10", "--data", tmp_path / "data")
    done.assert_refused(str(path), "not a readable Parquet file")
    assert not (tmp_path / "run").exists()


def test_data_sets_that_come_later_are_missed_before_the_first_is_learned(tmp_path):
    write_parquet(tmp_path / "data" / "cifar10", (32, 32, 3))
    done = call("train", "--out", tmp_path / "run", "--benchmark", "five-datasets", *QUICK, "--data", tmp_path / "data")
    done.assert_refused("mnist")
    assert not (tmp_path / "run").exists()


def test_more_images_to_rehearse_than_a_class_has_are_refused_before_anything_is_written(tasks, tmp_path):
    done = call("train", "--out", tmp_path / "run", "--benchmark", tasks, *QUICK, "--method", "replay")
    done.assert_refused("50 images of each class", "13")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("index", [0, 2])
def test_a_truncated_task_is_refused_before_anything_is_written(tasks, tmp_path, index):
    folder = tmp_path / "tasks"
    folder.mkdir()
    for path in tasks.iterdir():
        content = path.read_bytes()
        (folder / path.name).write_bytes(content[:-30] if path.name == f"{index}.npz" else content)
    call("train", "--out", tmp_path / "run", "--benchmark", folder).assert_refused(
        f"{index}.npz is not a whole .npz file"
    )
    assert not (tmp_path / "run").exists()


def test_an_empty_folder_of_tasks_is_refused(tmp_path):
    (tmp_path / "tasks").mkdir()
    call("train", "--out", tmp_path / "run", "--benchmark", tmp_path / "tasks").assert_refused("no file *.npz")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_a_run_is_left_as_it_is(tasks, trained):
    before = contents(trained)
    call("train", "--out", trained, "--benchmark", tasks, *QUICK).assert_refused(
        str(trained), "already holds a training", "--resume"
    )
    done = call("train", "--out", trained, "--benchmark", tasks, *QUICK, "--lr", "0.2", "--seed", "3", "--resume")
    done.assert_refused("lr and seed")
    assert contents(trained) == before


def test_an_output_below_a_file_is_refused(tasks, tmp_path):
    (tmp_path / "file").write_text("")
    done = call("train", "--out", tmp_path / "file" / "run", "--benchmark", tasks, *QUICK)
    done.assert_refused("cannot write to the folder")
    assert contents(tmp_path) == {"file": b""}


@pytest.mark.parametrize("by_torch", [False, True])
@pytest.mark.parametrize("name", ["model.safetensors", "checkpoint.safetensors"])
def test_a_pickle_in_place_of_tensors_is_never_run(tasks, trained, tmp_path, by_torch, name):
    write_bomb(trained / name, tmp_path / "ran", by_torch=by_torch)
    if name == "model.safetensors":
        done = [call("evaluate", trained), call("inspect", trained)]
    else:
        done = [call("train", "--out", trained, "--benchmark", tasks, *QUICK, "--resume")]
    for one in done:
        one.assert_refused(name, "not a whole safetensors file", after_progress=True)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_that_is_none_is_refused(tasks, trained):
    shutil.copy(trained / "model.safetensors", trained / "checkpoint.safetensors")
    done = call("train", "--out", trained, "--benchmark", tasks, *QUICK, "--resume")
    done.assert_refused("checkpoint.safetensors", after_progress=True)


def test_truncated_tensors_are_refused(trained):
    path = trained / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    for command in ("evaluate", "inspect"):
        call(command, trained).assert_refused("not a whole safetensors file")


def test_tensors_of_another_network_are_refused(trained):
    files.save_tensors(trained / "model.safetensors", {"weight": torch.zeros(2)})
    call("evaluate", trained).assert_refused("another model")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"colour": "red"}', '{"epochs": "two"}', '{"hidden": "wide"}', '{"seed": 0.5}']
)
@pytest.mark.usefixtures("unchecked")
def test_settings_that_are_damaged_are_refused(trained, text):
    (trained / "config.json").write_text(text)
    call("evaluate", trained).assert_refused("config.json")


def test_a_folder_without_a_run_is_refused(tmp_path):
    for command in ("evaluate", "inspect"):
        call(command, tmp_path).assert_refused("holds no training")
        call(command, tmp_path / "nowhere").assert_refused("holds no training")


@pytest.mark.parametrize("text", ["", "after,task 0", "after,task 0\n0,high", "after,task 0\n0,", "a\n0,1,1\n1,1"])
def test_accuracies_that_are_damaged_are_refused(trained, tmp_path, text):
    (trained / "accuracy.csv").write_text(text)
    call("inspect", trained, "--plot", tmp_path / "matrix.svg").assert_refused("accuracy.csv", "does not hold")


def test_a_figure_of_an_unknown_kind_is_refused_and_not_left_behind(trained, tmp_path):
    call("inspect", trained, "--plot", tmp_path / "matrix.doc").assert_refused(".svg, .png or .pdf")
    assert not (tmp_path / "matrix.doc").exists()


def test_the_installed_command_tells_an_error_in_one_line_before_it_loads_what_is_slow(tasks, tmp_path):
    command = Path(sys.executable).with_name("snn-continual")
    if not command.exists():
        pytest.skip("the command is not installed beside this interpreter")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", command, "train", "--out", "run", "--benchmark", tasks, "--method", "si"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    imported = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    said = [line for line in done.stderr.splitlines(keepends=True) if not line.startswith("import time:")]
    Done(done.returncode, done.stdout, "".join(said)).assert_refused("'si'")
    assert not (tmp_path / "run").exists()
    assert not [line for line in imported if line.split("|")[-1].strip() == "torch"]
