"""The experiments: that they measure every claim, and how they count."""

import dataclasses

import pytest
import torch

from bab_verify import Interval, VerifyConfig, experiments
from bab_verify.experiments import figures
from bab_verify.experiments.__init__ import competition
from bab_verify.experiments.published import read_published
from bab_verify.experiments.room import room, room_left
from bab_verify.experiments.trials import Trial
from bab_verify.operators.s_shaped import Sigmoid
from bab_verify.paper import ACTIVATIONS, PAPER
from separata import Run
from separata import experiments as core


@pytest.fixture
def run(tmp_path):
    return lambda *claims: Run(PAPER, claims, tmp_path)


VISITED = {
    "genbab": 2, "babsr": 4, "random": 4, "middle": 4,
    "base": 2, "base-unstrengthened": 4, "biccos": 1, "babsr-base": 2,
}  # fmt: skip
LENGTHS = {"base": 2.0, "base-unstrengthened": 4.0, "biccos": 2.0, "babsr-base": 2.0}


def trial_of_three(trial, device):
    """Of three properties bounds prove one, every method the second, and some the third."""
    root = {"status": "unsat", "visited": 0, "cuts": 0, "length": 0.0}
    left = {**root, "status": "unknown"}

    def after_branching(method, status):
        cuts = {"cuts": 5, "length": LENGTHS[method]} if method in LENGTHS else {}
        return {**root, "status": status, "visited": VISITED[method], **cuts}

    def third(method):
        return after_branching(method, "unsat" if method in {"genbab", "biccos", "babsr-base"} else "unknown")

    answers = [
        {"alpha": root, **dict.fromkeys(trial.methods, root)},
        {"alpha": left, **{method: after_branching(method, "unsat") for method in trial.methods}},
        {"alpha": left, **{method: third(method) for method in trial.methods}},
    ]
    limit = trial.budget.max_domains
    return {"radii": [0.1] * 3, "quality": 1.0, "neurons": 7, "answers": answers, "wrong": 0, "max_domains": limit}


EXPECTED = {
    "general-nonlinearities": {
        **dict.fromkeys((f"alpha_{name}" for name in ACTIVATIONS), 1),
        **dict.fromkeys((f"genbab_{name}" for name in ACTIVATIONS), 3),
        "wrong": 0,
    },
    "branching-heuristic": {
        "visited_bbps": 2, "visited_babsr": 4, "visited_random": 4,
        "proven_bbps": 12, "proven_babsr": 8, "proven_random": 8,
    },
    "multi-dimensional": {"alpha_lstm": 1, "genbab_lstm": 3, "alpha_vit": 1, "genbab_vit": 3, "wrong": 0},
    "general-graphs": {"genbab": 3, "alpha": 1, "properties": 3, "wrong": 0},
    "cuts": {"mean": 5, "share": 1, "visited_ratio": 0.5},
    "more-verified": {"beta": 3, "base": 2, "biccos": 3, "visited_ratio": 0.5},
    "strengthening-and-trees": {"length_ratio": 0.5, "strengthening": 0.5**0.5, "trees": 0.25},
    "scale": {"neurons": 7, "share": 1, "beta": 1, "biccos": 2, "visited_ratio": 0.5},
}  # fmt: skip


@pytest.mark.parametrize("name", ["nonlinearities", "general-graphs", "multi-dimensional", "cutting-planes", "scale"])
def test_what_experiments_measure_of_answers(name, run, monkeypatch):
    monkeypatch.setattr("bab_verify.experiments.findings.run_trial", trial_of_three)
    (one,) = (found for found in core.of(PAPER) if found.name == name)
    measured = run(*one.claims)
    one(one.presets["smoke"], measured)
    assert set(measured.measurements) == set(measured.notes) == set(measured.figures) == set(one.claims)
    for claim in set(one.claims) & EXPECTED.keys():
        assert measured.measurements[claim] == [pytest.approx(EXPECTED[claim])]
    if name == "nonlinearities":
        (points,) = measured.measurements["branching-points"]
        assert 0 < points["gap_table"] < points["gap_middle"] < 1
        assert points["visited_ratio"] == pytest.approx(0.5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nonlinearities", "general-graphs", "multi-dimensional", "cutting-planes", "scale"])
def test_what_experiments_measure_of_networks(name, run):
    (one,) = (found for found in core.of(PAPER) if found.name == name)
    measured = run(*one.claims)
    one(one.presets["smoke"], measured)
    assert set(measured.measurements) == set(measured.notes) == set(measured.figures) == set(one.claims)
    for numbers in measured.measurements.get("general-nonlinearities", []):
        assert numbers["wrong"] == 0
        assert all(numbers[f"genbab_{name}"] >= numbers[f"alpha_{name}"] for name in ACTIVATIONS)


def test_presets_grow():
    for one in core.of(PAPER):
        if one.name == "competition":
            continue
        budgets = {preset: _budgets(config) for preset, config in one.presets.items()}
        sizes = [max(budget.max_domains for budget in budgets[preset]) for preset in ("smoke", "quick", "gpu", "paper")]
        assert sizes == sorted(sizes)
        assert max(budget.timeout for budget in budgets["smoke"]) <= 5


def _budgets(value):
    if isinstance(value, VerifyConfig):
        return [value]
    if dataclasses.is_dataclass(value):
        return [found for field in dataclasses.fields(value) for found in _budgets(getattr(value, field.name))]
    return [found for item in value for found in _budgets(item)] if isinstance(value, tuple) else []


def test_networks_of_one_experiment_have_one_limit():
    for one in core.of(PAPER):
        for config in one.presets.values():
            if isinstance(config, experiments.biccos.CuttingPlanesConfig):
                assert len({trial.budget for trial in config.networks}) == 1
                assert all(isinstance(trial, Trial) for trial in config.networks)


def test_the_room_between_planes_is_an_area():
    table, middle = room_left(Sigmoid(), 0.02, 50, torch.Generator().manual_seed(0))
    assert 0 < table < middle < 1
    lower, upper = torch.tensor([-3.0, 0.5], dtype=torch.float64), torch.tensor([2.0, 4.0], dtype=torch.float64)
    planes = Sigmoid().relax((Interval(lower[:, None, None], upper[:, None, None]),))
    steps = torch.linspace(0, 1, 1001, dtype=torch.float64)
    x = lower[:, None] + (upper - lower)[:, None] * steps
    above = planes.upper_slopes[0].flatten()[:, None] * x + planes.upper_intercept.flatten()[:, None]
    below = planes.lower_slopes[0].flatten()[:, None] * x + planes.lower_intercept.flatten()[:, None]
    torch.testing.assert_close(room(Sigmoid(), lower, upper), torch.trapezoid(above - below, x))


# ---- the competition


ROWS = """some,./benchmarks/some/onnx/net.onnx,./benchmarks/some/vnnlib/safe.vnnlib.gz,1.5,unsat,3.5
some,onnx/net.onnx,vnnlib/unsafe.vnnlib,1.5,sat,3.5
short,row
"""


def test_published_results(tmp_path):
    (tmp_path / "results.csv").write_text(ROWS)
    assert read_published(tmp_path / "results.csv") == {
        ("some", "net.onnx", "safe.vnnlib"): "unsat",
        ("some", "net.onnx", "unsafe.vnnlib"): "sat",
    }


def test_the_competition_is_counted_where_it_is(tmp_path, monkeypatch, run):
    from bab_verify import make_robustness, save_vnnlib

    folder = tmp_path / "vnncomp" / "benchmarks" / "some"
    folder.mkdir(parents=True)
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    torch.onnx.export(module, (torch.zeros(1, 2),), folder / "net.onnx", dynamo=False)
    x = torch.tensor([0.3, 0.7])
    label = int(module(x).argmax())
    save_vnnlib(make_robustness(x, label, 1e-4, 2), folder / "safe.vnnlib")
    save_vnnlib(make_robustness(x, label, 1e-4, 2), folder / "unsafe.vnnlib")
    (folder / "instances.csv").write_text("net.onnx,safe.vnnlib,5\nnet.onnx,unsafe.vnnlib,5\n")
    (tmp_path / "vnncomp" / "results.csv").write_text(ROWS)
    monkeypatch.setenv("SEPARATA_DATA", str(tmp_path))
    measured = run("competition")
    competition(competition.presets["paper"], measured)
    assert measured.measurements == {"competition": [{"decided": 2, "winner": 2, "contradicted": 1}]}


def test_without_its_files_nothing_is_measured(run):
    measured = run("competition")
    competition(competition.presets["quick"], measured)
    assert not measured.measurements


# ---- figures


def answers(*visited):
    def one(n):
        return {"status": "unsat" if n else "unknown", "visited": n or 100, "cuts": 0}

    root = {"status": "unknown", "visited": 0, "cuts": 0}
    return [{"alpha": root, "genbab": one(a), "biccos": one(b)} for a, b in visited]


def test_a_cactus_counts_what_is_decided(run):
    found = {("net", 0): {"answers": answers((1, 1), (5, 2), (0, 60)), "max_domains": 100}}
    measured = run("cuts")
    figures.cactus(found, ("genbab", "biccos"), measured)
    counts = {(row["method"], row["step"]): row["decided"] for row in measured.history}
    assert [counts["GenBaB", n] for n in (1, 2, 4, 8, 64, 100)] == [1, 1, 1, 2, 2, 2]
    assert [counts["BICCOS", n] for n in (1, 2, 4, 8, 64, 100)] == [1, 2, 2, 2, 3, 3]


def test_the_histogram_leaves_nothing_out(run):
    pairs = [(8, 1), (8, 3), (8, 6), (8, 8), (8, 9), (8, 17), (0, 9)]
    found = {("net", 0): {"answers": answers(*pairs), "max_domains": 100}}
    figure = figures.histogram(found, run("cuts"))
    assert [bar.get_height() for bar in figure.axes[0].patches] == [1] * len(figures.BINS)
