"""Learning curves in files that other programs wrote."""

import json
from pathlib import Path

import numpy as np
import pytest
from descent_shell import wave

from epochwise_descent import load_curve, read_scalars
from separata.testing import write_bomb

EVENTS = Path(__file__).parent / "events" / "events.out.tfevents.1700000000.host.1.0"
"""Written by TensorBoard's own writer: `test/error` as numbers, `test/acc` as tensors, and a text before them."""
T = np.unique(np.geomspace(1, 1e4, 60).round())


def write_csv(path, columns):
    rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values()))]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_table_under_usual_names(tmp_path):
    path = write_csv(tmp_path / "log.csv", {"Epoch": T, "train_loss": T, "Val Error": wave(T)})
    found = load_curve(path)
    assert (found.time_name, found.error_name, found.n_seeds) == ("Epoch", "Val Error", 1)
    np.testing.assert_allclose(found.error[0], wave(T))
    assert found.find_double_descent().is_double_descent


def test_accuracies_become_errors(tmp_path):
    share = write_csv(tmp_path / "share.csv", {"epoch": T, "val_acc": 1 - wave(T)})
    percent = write_csv(tmp_path / "percent.csv", {"epoch": T, "val_acc": 100 - 100 * wave(T)})
    np.testing.assert_allclose(load_curve(share).error[0], wave(T))
    np.testing.assert_allclose(load_curve(percent).error[0], 100 * wave(T))
    np.testing.assert_allclose(load_curve(share, raw=True).error[0], 1 - wave(T))


def test_seeds_beside_and_below_one_another(tmp_path):
    wide = write_csv(tmp_path / "wide.csv", {"step": T, "err_0": wave(T), "err_1": wave(T) + 0.1})
    long = write_csv(
        tmp_path / "long.csv",
        {"run": [0] * len(T) + [1] * len(T), "step": [*T, *T], "error": [*wave(T), *(wave(T) + 0.1)]},
    )
    for found in (load_curve(wide, y="err_*"), load_curve(long, by="run")):
        assert found.n_seeds == 2
        np.testing.assert_allclose(found.error[1] - found.error[0], 0.1)
    with pytest.raises(ValueError, match="name the column that tells seeds apart"):
        load_curve(long)


def test_rows_without_the_error_are_passed_over(tmp_path):
    lines = ["step,loss,test_error"]
    for t, error in zip(T, wave(T)):
        lines += [f"{t},0.5,", f"{t},,{error}"]
    (tmp_path / "mixed.csv").write_text("\n".join(lines))
    assert len(load_curve(tmp_path / "mixed.csv", y="test_error").t) == len(T)


def test_arrays(tmp_path):
    np.savez(tmp_path / "curve.npz", epoch=T, test_error=np.stack([wave(T), wave(T)]))
    assert load_curve(tmp_path / "curve.npz").n_seeds == 2


def test_the_state_of_a_trainer_of_hugging_face(tmp_path):
    history = []
    for step, error in zip(T, wave(T)):
        history.append({"epoch": step / 100, "grad_norm": 1.0, "learning_rate": 5e-5, "loss": 2.0, "step": int(step)})
        history.append({"epoch": step / 100, "eval_loss": 1.0, "eval_accuracy": 1 - error, "step": int(step)})
    state = {"best_metric": None, "epoch": 3.0, "global_step": 10_000, "log_history": history}
    (tmp_path / "checkpoint-500").mkdir()
    (tmp_path / "checkpoint-500" / "trainer_state.json").write_text(json.dumps(state))
    found = load_curve(tmp_path)
    assert (found.time_name, found.error_name) == ("step", "1 - eval_accuracy")
    np.testing.assert_allclose(found.error[0], wave(T), atol=1e-12)
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, history)))
    np.testing.assert_allclose(load_curve(tmp_path / "rows.jsonl", y="eval_accuracy").error, found.error)


def test_an_event_file_that_tensorboard_wrote(tmp_path):
    steps = np.unique(np.geomspace(1, 1e4, 60).round())
    for y in (None, "test/acc"):
        found = load_curve(EVENTS.parent, y=y)
        np.testing.assert_array_equal(found.t, steps)
        np.testing.assert_allclose(found.error[0], wave(steps), atol=1e-6)
    cut = tmp_path / EVENTS.name
    cut.write_bytes(EVENTS.read_bytes()[:-7])
    assert len(read_scalars(cut)) == len(read_scalars(EVENTS)) - 1


def test_what_is_no_event_file(tmp_path):
    data = EVENTS.read_bytes()
    path = tmp_path / "x.tfevents.y"
    for bad in (b"", b"nothing of the kind, though long enough", data[:8] + b"\0" + data[9:]):
        path.write_bytes(bad)
        with pytest.raises(ValueError, match="not an event file"):
            load_curve(path)
    # A record whose length is right, and whose content is not.
    path.write_bytes(data[:12] + b"\xff" * (len(data) - 12))
    with pytest.raises(ValueError, match="not an event file"):
        read_scalars(path)


@pytest.mark.parametrize(
    ("name", "text", "options", "told"),
    [
        ("a.csv", "step,error\n1,2\n2,3\n", {}, "at least 8 points"),
        ("a.csv", "step,error\n" + "1,2\n" * 9, {}, "1 follows 1"),
        ("a.csv", "step,error\n" + "\n".join(f"{i},nan" for i in range(9)), {}, "no finite number"),
        ("a.csv", "step,error\n" + "\n".join(f"{i},x" for i in range(9)), {}, "'x' as error"),
        ("a.csv", "a,b\n1,2\n", {}, "no column that is known to hold times; name one of a, b"),
        ("a.csv", "step,b\n1,2\n", {}, "no column that is known to hold errors; name one of b"),
        ("a.csv", "step,b\n1,2\n", {"y": "c"}, "no column c; it has step, b"),
        ("a.csv", "step,b\n1,2\n", {"y": "c*"}, r"no column like c\*"),
        ("a.csv", "step,error\n1,2\n", {"by": "run"}, "no column run"),
        ("a.json", "[1, 2]", {}, "holds no rows"),
        ("a.json", "{", {}, "not a JSON file"),
        ("a.txt", "hello", {}, "is no .csv"),
    ],
)
def test_what_is_refused(tmp_path, name, text, options, told):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=told):
        load_curve(tmp_path / name, **options)


def test_what_is_not_there_and_what_would_run_code(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_curve(tmp_path / "absent.csv")
    with pytest.raises(FileNotFoundError, match=r"no history\.csv"):
        load_curve(tmp_path)
    write_bomb(tmp_path / "bomb.npz", tmp_path / "mark")
    with pytest.raises(ValueError, match="not a whole .npz"):
        load_curve(tmp_path / "bomb.npz")
    assert not (tmp_path / "mark").exists()
