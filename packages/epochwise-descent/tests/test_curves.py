"""Learning curves in files that other programs wrote."""

import contextlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from descent_shell import wave

from epochwise_descent import load_curve, read_scalars
from epochwise_descent.event_files import masked_crc
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


def test_event_files_of_a_training_that_was_started_again(tmp_path):
    event = lambda step, value: record(b"\x10" + bytes([step]) + field(5, field(1, field(1, b"error") + value)))  # noqa: E731
    number = lambda x: b"\x15" + struct.pack("<f", x)  # noqa: E731
    for name, steps, shift in (("1", range(8), 0.0), ("2", range(6, 12), 0.5)):
        (tmp_path / f"events.out.tfevents.{name}").write_bytes(b"".join(event(i, number(i + shift)) for i in steps))
    (tmp_path / "events.out.tfevents.3").write_bytes(b"")
    found = load_curve(tmp_path)
    np.testing.assert_array_equal(found.t, range(12))
    np.testing.assert_allclose(found.error[0], [0, 1, 2, 3, 4, 5, 6.5, 7.5, 8.5, 9.5, 10.5, 11.5])


def test_tensors_of_all_kinds(tmp_path):
    path = tmp_path / "x.tfevents.y"
    one = struct.pack("<f", 0.5)
    for content, expected in (
        (b"\x08\x01" + field(5, one), 0.5),
        (b"\x08\x01\x2d" + one, 0.5),
        (b"\x08\x01" + field(4, one), 0.5),
        (b"\x08\x02" + field(6, struct.pack("<d", 0.1)), 0.1),
        (b"\x08\x01" + field(4, one + one), None),
        (b"\x08\x03" + field(7, b"\x05"), None),
    ):
        path.write_bytes(record(b"\x10\x07" + field(5, field(1, field(1, b"a") + field(8, content)))))
        assert read_scalars(path) == ([] if expected is None else [(7, "a", expected)])


def record(data):
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked_crc(head)) + data + struct.pack("<I", masked_crc(data))


def field(number, content):
    return bytes([number << 3 | 2, len(content)]) + content


def test_a_flipped_bit_is_never_another_number(tmp_path):
    data, whole = EVENTS.read_bytes(), read_scalars(EVENTS)
    # The check value of CRC-32C, rotated and shifted as records have it.
    assert masked_crc(b"123456789") == (((0xE3069283 >> 15) | (0xE3069283 << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    path = tmp_path / "x.tfevents.y"
    for at in range(0, len(data), 41):
        damaged = bytearray(data)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        with contextlib.suppress(ValueError):
            found = read_scalars(path)
            assert found == whole[: len(found)]
            assert at >= len(data) - 80


@pytest.mark.parametrize(
    ("name", "is_accuracy"),
    [
        *((name, True) for name in ("val_acc_0", "acc@1", "testAcc", "testacc", "Top-1 Accuracy")),
        *((name, False) for name in ("accum_loss", "vaccine_error", "inaccuracy", "acceleration")),
    ],
)
def test_what_is_an_accuracy(tmp_path, name, is_accuracy):
    found = load_curve(write_csv(tmp_path / "a.csv", {"step": T, name: 1 - wave(T)}), y=name)
    np.testing.assert_allclose(found.error[0], wave(T) if is_accuracy else 1 - wave(T))


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
        ("a.csv", "step,error,error\n1,2,3\n", {}, "several columns error"),
        ("a.csv", "step,error\n" + "\n".join(f"{i},{i}e300" for i in range(9)), {}, "beyond 1e"),
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
