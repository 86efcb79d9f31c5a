"""The commands, on files as people have them."""

import json
import sys

import numpy as np
import pytest
from assessment_shell import call

from separata.testing import contents, interrupted_after

TINY = ("--epochs", "1", "--trials", "2", "--seeds", "2", "--device", "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table of one's own, and a report on it."""
    place = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    rows = [f"{a:.4f},{b:.4f},{'yes' if c > 0 else 'no'},{np.sin(2 * a) + b * (c > 0):.4f}" for a, b, c in x]
    (place / "own.csv").write_text("a,b,flag,price\n" + "\n".join(rows) + "\n")
    done = call("run", "--data", place / "own.csv", "--target", "price", "--out", place / "report", *TINY)
    assert done.code == 0, done.err
    assert "bspline_kan against mlp at equal parameters" in done.out
    assert f"Report: {place / 'report'}" in done.out
    return place


def test_models_are_compared_on_one_s_own_table(folder):
    assert {path.name for path in (folder / "report").iterdir()} == {
        "config.json",
        "checkpoint.safetensors",
        "report.json",
        "report.md",
        "advantages.svg",
        "pareto-0.svg",
    }
    done = call("run", "--data", folder / "own.csv", "--target", "flag", "--models", "mlp,bspline_mlp", "--json", *TINY)
    assert done.code == 0, done.err
    (comparison,) = json.loads(done.out)["comparisons"]
    assert (comparison["metric"], comparison["task"], comparison["domain"]) == ("accuracy", "own", "own")
    assert [entry["model"] for entry in comparison["entries"]] == ["mlp", "bspline_mlp"]
    assert len(comparison["entries"][0]["values"]) == 2


def test_single_tasks_and_kinds_of_budgets_are_named(tmp_path):
    done = call("run", "--tasks", "tabular/iris,formula:x*y", "--by", "params,flops,flops-shared", "--json", *TINY)
    assert done.code == 0, done.err
    found = json.loads(done.out)["comparisons"]
    assert [one["task"] for one in found] == ["iris", "formula:x*y"]
    assert {entry["by"] for one in found for entry in one["entries"]} == {"params", "flops", "flops-shared"}


def test_a_model_of_one_s_own_is_compared(tmp_path, monkeypatch):
    (tmp_path / "my_net.py").write_text(
        "from torch import nn\n"
        "def make(n_in, hidden, n_out):\n"
        "    return nn.Sequential(nn.Linear(n_in, hidden[0]), nn.Tanh(), nn.Linear(hidden[0], n_out))\n"
    )
    monkeypatch.chdir(tmp_path)
    try:
        done = call("run", "--tasks", "tabular/iris", "--models", "mlp,my_net:make", *TINY)
    finally:
        sys.modules.pop("my_net", None)
    assert done.code == 0, done.err
    assert "my_net:make against mlp" in done.out


def test_an_assessment_that_was_stopped_goes_on_to_the_same_report(folder, tmp_path):
    words = ("run", "--data", folder / "own.csv", "--target", "price", "--out", tmp_path / "part", *TINY)
    with interrupted_after(3):
        done = call(*words)
    assert done.code == 130
    assert "--resume" in done.err
    done = call(*words, "--resume")
    assert done.code == 0, done.err
    whole, part = contents(folder / "report"), contents(tmp_path / "part")
    assert part["report.json"] == whole["report.json"]


def test_costs_are_counted():
    done = call("count", "--model", "bspline_kan", "--widths", "784,16,10", "--grid", "5", "--order", "3")
    assert done.code == 0, done.err
    assert "139,770" in done.out
    assert "3,332,448" in done.out
    value = json.loads(call("count", "--model", "mlp", "--widths", "784,1024,10", "--activation", "gelu", "--json").out)
    assert (value["params"], value["flops_naive"]) == (814_090, 1_640_588)


def test_steps_are_profiled(tmp_path):
    done = call(
        "profile", "--models", "mlp,bspline_kan", "--widths", "8,16,2", "--equal", "params", "--steps", "3", "--json",
        "--plot", tmp_path / "ratios.png",
    )  # fmt: skip
    assert done.code == 0, done.err
    mlp, kan = json.loads(done.out)["rows"]
    assert mlp["ratio"] == 1
    assert kan["params"] == pytest.approx(mlp["params"], rel=0.3)
    assert kan["ratio"] == pytest.approx(kan["step_ms"] / mlp["step_ms"])
    assert (tmp_path / "ratios.png").read_bytes().startswith(b"\x89PNG")
    assert "MB" in call("profile", "--models", "mlp,bspline_kan", "--widths", "8,16,2", "--steps", "3").out


def test_exponents_are_measured(tmp_path):
    done = call(
        "scaling", "--models", "mlp", "--dims", "1,2", "--sizes", "30,60", "--kind", "generic", "--epochs", "1",
        "--trials", "1", "--seeds", "2", "--plot", tmp_path / "scaling.svg", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    rows = json.loads(done.out)["rows"]
    assert [(row["target"], row["d"], row["model"]) for row in rows] == [("generic", 1, "mlp"), ("generic", 2, "mlp")]
    assert (tmp_path / "scaling.svg").is_file()


def test_a_verdict_is_in_words(folder):
    done = call("verdict", folder / "report")
    assert done.code == 0, done.err
    assert "bspline_kan against mlp at equal parameters" in done.out
    assert "own: at equal parameters" in done.out
    (verdict,) = json.loads(call("verdict", folder / "report", "--json").out)["verdicts"]
    assert sum(verdict["outcomes"]["own"].values()) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run"], ["--data FILE"]),
        (["run", "--data", "absent.csv"], ["absent.csv"]),
        (["run", "--data", "own.txt"], [".csv or .npz"]),
        (["run", "--data", "own.csv", "--suite", "tabular"], ["not both"]),
        (["run", "--data", "own.csv", "--target", "cost"], ["cost"]),
        (["run", "--data", "empty.csv"], ["empty.csv"]),
        (["run", "--data", "few.csv"], ["at least 10 samples"]),
        (["run", "--suite", "audio"], ["audio"]),
        (["run", "--tasks", "tabular/boston"], ["boston"]),
        (["run", "--tasks", "tabular/iris", "--target", "x"], ["--target"]),
        (["run", "--tasks", "tabular/iris", "--models", "mlp"], ["two or more different models"]),
        (["run", "--tasks", "tabular/iris", "--models", "mlp,kan"], ["no model kan"]),
        (["run", "--tasks", "tabular/iris", "--models", "mlp,own:make"], ["own"]),
        (["run", "--tasks", "tabular/iris", "--by", "watts"], ["watts"]),
        (["run", "--tasks", "tabular/iris", "--params", "3"], ["over the budget of 3"]),
        (["run", "--tasks", "tabular/iris", "--trials", "0"], ["trials must be positive"]),
        (["run", "--tasks", "tabular/iris", "--seeds", "0"], ["seeds must be positive"]),
        (["run", "--tasks", "tabular/iris", "--lr-low", "0.5"], ["above the highest"]),
        (["run", "--tasks", "tabular/iris", "--epochs", "-1"], ["epochs"]),
        (["run", "--tasks", "tabular/iris", "--resume"], ["--out"]),
        (["run", "--data", "own.csv", "--target", "price", "--out", "report", *TINY], ["--resume"]),
        (["run", "--tasks", "tabular/iris", "--out", "own.csv"], ["own.csv is a file"]),
        (["count", "--widths", "784"], ["two or more widths"]),
        (["count", "--widths", "784,x"], ["784,16,10"]),
        (["count", "--widths", "4,2", "--grid", "0"], ["at least 1 interval"]),
        (["count", "--widths", "4,2", "--grid-range", "-1"], ["the lower first"]),
        (["count", "--widths", "4,2", "--activation", "relu"], ["no setting activation"]),
        (["profile", "--plot", "a.gif"], [".svg"]),
        (["profile", "--widths", "5"], ["two or more widths"]),
        (["profile", "--steps", "0"], ["positive"]),
        (["scaling", "--sizes", "50"], ["two different --sizes"]),
        (["scaling", "--dims", "0"], ["positive whole numbers"]),
        (["verdict", "absent"], ["absent"]),
        (["verdict", "own.csv"], ["own.csv"]),
    ],
)
def test_bad_input_costs_one_line_and_leaves_nothing(folder, words, told, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "own.txt").write_text("a")
    (folder / "empty.csv").write_text("")
    (folder / "few.csv").write_text("a,b\n" + "".join(f"{i},{i / 7}\n" for i in range(5)))
    before = contents(folder)
    call(*words).assert_refused(*told)
    assert contents(folder) == before
