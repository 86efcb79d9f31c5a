"""The commands on files, those of strangers among them."""

import csv
import json
from contextlib import contextmanager

import numpy as np
import pytest
from double_descent_shell import call

from double_descent import load_source, partial_sweep
from separata.testing import contents, write_bomb


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Samples as files: features of one's own with labels, and a table of numbers."""
    folder, random = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    x = random.normal(size=(120, 50))
    y = (x[:, 0] + random.normal(size=120) > 0).astype(np.int64)
    np.savez(folder / "own.npz", x=x, y=y)
    np.savez(folder / "parts.npz", Z_train=x[:40, :40], y_train=y[:40], Z_test=x[40:, :40], y_test=y[40:])
    with (folder / "own.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["size", "kind", "third", "target"])
        rows.writerows([repr(a), "ab"[i % 2], repr(b), repr(a - b + 0.1)] for i, (a, b) in enumerate(x[:, :2].tolist()))
    return folder


SWEEP = ("--activation", "none", "--n-train", "20", "--widths", "5,10,20,30,50", "--seeds", "2", "--device", "cpu")


def test_a_sweep_over_a_users_own_columns_writes_its_table_and_picture(place, tmp_path):
    files = ("--out", tmp_path / "sweep.csv", "--plot", tmp_path / "sweep.svg")
    code, out, _ = call("sweep", place / "own.npz", *SWEEP, "--steps", "10,inf", *files, "--json")
    assert code == 0
    value = json.loads(out)
    assert value["threshold"] == 20
    assert [one["steps"] for one in value["series"]] == [10, None]
    assert value["series"][1]["peak"]["location"] == 1.0
    assert value["series"][1]["peak"]["prominence"] > 2
    assert not value["series"][0]["peak"]["is_present"]
    assert contents(tmp_path).keys() == {"sweep.csv", "sweep.svg"}
    assert len((tmp_path / "sweep.csv").read_text().splitlines()) == 1 + 2 * 2 * 5
    assert "P = N" in (tmp_path / "sweep.svg").read_text()
    text = call("sweep", place / "own.npz", *SWEEP, "--steps", "10,inf", "--seeds", "1").out
    assert "yes, at 1.00" in text


@contextmanager
def interrupted(after):
    """Inside the block, a sweep is interrupted, as by Ctrl-C, after as many widths."""
    add, done = partial_sweep.PartialSweep.add, []

    def adding(self, width, rows):
        add(self, width, rows)
        done.append(width)
        if len(done) == after:
            raise KeyboardInterrupt

    partial_sweep.PartialSweep.add = adding
    try:
        yield done
    finally:
        partial_sweep.PartialSweep.add = add


def test_an_interrupted_sweep_goes_on_as_if_it_had_not_been(place, tmp_path):
    whole, out = tmp_path / "whole.csv", tmp_path / "sweep.csv"
    assert call("sweep", place / "own.npz", *SWEEP, "--out", whole).code == 0
    with interrupted(3):
        code, _, err = call("sweep", place / "own.npz", *SWEEP, "--out", out)
    assert code == 130
    assert "--resume" in err
    assert not out.exists()
    call("sweep", place / "own.npz", *SWEEP, "--init-std", "1", "--out", out, "--resume").assert_refused("init_std")
    with interrupted(99) as done:
        assert call("sweep", place / "own.npz", *SWEEP, "--out", out, "--resume").code == 0
    assert done == [30, 50]
    assert out.read_bytes() == whole.read_bytes()
    assert contents(tmp_path).keys() == {"whole.csv", "sweep.csv"}


def test_a_table_keeps_all_its_digits(place):
    source = load_source(str(place / "own.csv"))
    x = np.load(place / "own.npz")["x"]
    np.testing.assert_array_equal(source.x[:, 0].numpy(), x[:, 0])
    np.testing.assert_array_equal(source.x[:, 3].numpy(), x[:, 1])
    np.testing.assert_array_equal(source.y[:, 0].numpy(), x[:, 0] - x[:, 1] + 0.1)
    assert source.n_classes is None
    done = call("sweep", place / "own.csv", "--n-train", "30", "--widths", "10,30,60", "--seeds", "1", "--json")
    assert json.loads(done.out)["threshold"] == 30
    assert "test_error" not in json.loads(done.out)["rows"][0]


def test_a_report_on_features_of_ones_own(place, tmp_path):
    code, out, _ = call("report", place / "parts.npz", "--plot", tmp_path / "report.svg")
    assert code == 0
    assert "a longer run will make it worse" in out
    value = json.loads(call("report", place / "parts.npz", "--steps", "10,inf", "--json").out)
    assert (value["n_samples"], value["n_features"], value["verdict"]) == (40, 40, "worse")
    assert value["condition_number"] == pytest.approx(np.linalg.cond(np.load(place / "parts.npz")["Z_train"]))
    assert [row["steps"] for row in value["rows"]] == [10, None]
    assert "steps of gradient descent" in (tmp_path / "report.svg").read_text()
    held_out = json.loads(call("report", place / "own.npz", "--json").out)
    assert held_out["n_samples"] == 96


def test_networks_are_swept(place, tmp_path):
    options = ("--n-train", "20", "--widths", "1,2", "--seeds", "2", "--epochs", "5", "--device", "cpu")
    done = call("networks", place / "own.npz", *options, "--norm", "batch", "--kernel", "--json")
    value = json.loads(done.out)
    assert value["threshold"] == 40
    assert {row["parameters"] for row in value["rows"]} == {55, 108}
    assert all(row["kernel_condition_number"] >= 1 for row in value["rows"])


def test_the_minimal_example(tmp_path):
    done = call("minimal", "--trials", "50", "--plot", tmp_path / "minimal.png", "--json")
    value = json.loads(done.out)
    assert value["n_train"] == 6
    assert len(value["rows"]) == 30
    assert (tmp_path / "minimal.png").read_bytes().startswith(b"\x89PNG")


SETTINGS = {
    "toml": """
data = "own.npz"
widths = [10, 20, 40]
steps = [5, 50]
seeds = 2
[samples]
n_train = 20
[features]
activation = "tanh"
[settings.Adam]
optimizer = "adam"
lr = 0.1
[settings.descent]
""",
    "yaml": """
data: own.npz
widths: [10, 20, 40]
steps: 5,50
seeds: 2
samples: {n_train: 20}
features: {activation: tanh}
settings:
  Adam: {optimizer: adam, lr: 0.1}
  descent: {}
""",
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_optimizers_are_compared_as_a_file_says(place, tmp_path, kind):
    (tmp_path / f"settings.{kind}").write_text(SETTINGS[kind])
    (tmp_path / "own.npz").write_bytes((place / "own.npz").read_bytes())
    done = call("compare", tmp_path / f"settings.{kind}", "--json", "--device", "cpu")
    assert done.code == 0, done.err
    series = json.loads(done.out)["series"]
    assert [(one["setting"], one["steps"]) for one in series] == [
        ("Adam", 5),
        ("Adam", 50),
        ("descent", 5),
        ("descent", 50),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data = 1\n", "data"),
        ("data = 'own.npz'\nsettings = {}\n", "names no settings"),
        ("data = 'own.npz'\n[settings.a]\noptimizer = 'adamw'\n", "optimizer"),
        ("data = 'own.npz'\nspeed = 3\n[settings.a]\n", "speed"),
        ("data = \n", "not a TOML file"),
        ("data = 'own.npz'\nsteps = 'inf'\n[settings.a]\noptimizer = 'adam'\n", "a has no closed form"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_settings_that_cannot_be_cost_one_line(place, tmp_path, text, message):
    (tmp_path / "settings.toml").write_text(text)
    (tmp_path / "own.npz").write_bytes((place / "own.npz").read_bytes())
    call("compare", tmp_path / "settings.toml").assert_refused(message)


def test_yaml_runs_no_code(tmp_path):
    (tmp_path / "settings.yaml").write_text(f"data: !!python/object/apply:os.mkdir ['{tmp_path / 'mark'}']\n")
    call("compare", tmp_path / "settings.yaml").assert_refused("not a YAML file")
    assert not (tmp_path / "mark").exists()


def broken(folder):
    """Files that are no samples, by name."""
    x = np.random.default_rng(0).normal(size=(30, 4))
    np.savez(folder / "nan.npz", x=np.where(x == x[3, 2], np.nan, x), y=np.arange(30) % 2)
    np.savez(folder / "short.npz", x=x, y=np.arange(29) % 2)
    np.savez(folder / "single.npz", x=x, y=np.zeros(30, int))
    np.savez(folder / "good.npz", x=x, y=np.arange(30) % 2)
    np.savez(folder / "half.npz", x_train=x, y_train=np.arange(30) % 2)
    (folder / "cut.npz").write_bytes((folder / "good.npz").read_bytes()[:300])
    (folder / "numbers.csv").write_text("a,target\n1,x\n2,y\nz,x\n4,y\n")
    write_bomb(folder / "bomb.npz", folder / "mark")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sweep", "nan.npz"), "NaN or infinite, in row 4, column 3"),
        (("sweep", "short.npz"), "a target for each of 30 samples"),
        (("sweep", "single.npz"), "single class 0"),
        (("report", "single.npz"), "single class 0"),
        (("report", "half.npz"), "x_test is not there"),
        (("sweep", "cut.npz"), "not a whole .npz"),
        (("sweep", "bomb.npz"), "not a whole .npz"),
        (("sweep", "numbers.csv"), "no finite number"),
        (("sweep", "absent.npz"), "there is no file"),
        (("sweep", "good.npz", "--n-train", "31"), "too many"),
        (("sweep", "good.npz", "--label-noise", "1.5"), "between 0 and 1"),
        (("sweep", "good.npz", "--lr", "2"), "must be below 2 / h_max"),
        (("sweep", "good.npz", "--widths", "3,-1"), "positive whole numbers"),
        (("sweep", "good.npz", "--widths", "5", "--activation", "none"), "5 columns cannot be taken of the 4"),
        (("sweep", "good.npz", "--widths", "900000000000"), "GiB"),
        (("sweep", "good.npz", "--optimizer", "sgd", "--batch-size", "25"), "larger than the 24 samples"),
        (("sweep", "good.npz", "--optimizer", "adam", "--steps", "inf"), "must be finite"),
        (("sweep", "good.npz", "--steps", "0.1"), "from 0 on"),
        (("sweep", "good.npz", "--metric", "validation_mse"), "there is no validation_mse"),
        (("sweep", "good.npz", "--steps", "some"), "numbers with commas"),
        (("sweep", "good.npz", "--dtype", "float32"), "smallest singular values"),
        (("sweep", "good.npz", "--seeds", "0"), "from 1 to"),
        (("sweep", "good.npz", "--plot", "a.gif"), ".svg"),
        (("sweep", "good.npz", "--out", "a.txt"), ".csv"),
        (("sweep", "good.npz", "--resume"), "--out"),
        (("report", "good.npz", "--optimizer", "adam"), "no closed form"),
        (("networks", "good.npz", "--batch-size", "25"), "larger than the 24 samples"),
        (("networks", "good.npz", "--epochs", "-1"), "must not be negative"),
        (("minimal", "--trials", "0"), "positive"),
        (("compare", "absent.toml"), "there is no file"),
        (("compare", "absent.toml", "--dtype", "float32"), "smallest singular values"),
        (("compare", "good.npz"), "settings are read from"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_costs_one_line_and_leaves_nothing(tmp_path, monkeypatch, words, message):
    broken(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = contents(tmp_path)
    call(*words).assert_refused(message)
    assert contents(tmp_path) == before
    assert not (tmp_path / "mark").exists()


def test_a_sweep_that_goes_on_keeps_numbers_that_are_not_finite(tmp_path):
    out, row = tmp_path / "sweep.csv", {"setting": "inf", "steps": np.inf, "width": 5, "condition_number": np.nan}
    partial_sweep.PartialSweep.begin(out, {"seeds": 1}, resume=False).add(5, [row])
    (found,) = partial_sweep.PartialSweep.begin(out, {"seeds": 1}, resume=True).rows
    assert np.isnan(found.pop("condition_number"))
    assert found == {"setting": "inf", "steps": np.inf, "width": 5}
