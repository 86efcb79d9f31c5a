"""Searches that are alike for all, comparisons, and verdicts on results whose truth is known."""

import json
import math
import random
import re

import numpy as np
import pytest
import torch

from kan_assessment import Comparison, Entry, compare, fit_rule, get_family, judge, kan_flops, make_task
from kan_assessment.configs import BudgetConfig, RunConfig, SearchConfig, TrainConfig
from kan_assessment.costs.matching import BudgetError
from kan_assessment.protocol.search import best_of, draw_settings, learning_rates, plan
from kan_assessment.protocol.statistics import advantage, band, outcome
from kan_assessment.protocol.trials import Trial
from kan_assessment.protocol.verdicts import Case, left_out_hits, sentence

QUICK = RunConfig(train=TrainConfig(epochs=2), search=SearchConfig(trials=3, seeds=2))


def regression(n: int = 90):
    x = torch.rand(n, 2, generator=torch.Generator().manual_seed(0))
    return make_task("own", x, torch.sin(6 * x[:, 0]) * x[:, 1], budget=120)


def test_rates_are_spread_over_the_range_and_the_same_for_all():
    rates = learning_rates(SearchConfig(lr_low=1e-4, lr_high=1e-1), 5)
    assert rates == learning_rates(SearchConfig(lr_low=1e-4, lr_high=1e-1), 5)
    assert sorted(rates) == pytest.approx([10**-3.7, 10**-3.1, 10**-2.5, 10**-1.9, 10**-1.3])
    assert rates[0] == pytest.approx(10**-2.5)
    assert learning_rates(SearchConfig(), 1) == pytest.approx([(3e-4 * 3e-2) ** 0.5])
    assert learning_rates(SearchConfig(), 0) == []


def test_every_family_tries_as_many_settings_its_usual_ones_first():
    base = Trial("own", "mlp", ())
    for name in ("mlp", "bspline_kan", "bspline_mlp"):
        planned = plan(get_family(name), 4, 2, 400, "params", SearchConfig(trials=6), base)
        assert len(planned) == 6
        trials = [trial for trial, _ in planned]
        assert [dict(trial.settings) == get_family(name).usual for trial in trials[:3]] == [True] * 3
        assert sorted(trial.lr for trial in trials[:3]) == sorted(trial.lr for trial in trials[3:])
        assert len({(trial.settings, trial.lr) for trial in trials}) == 6
        assert all(abs(found.off) < 0.5 for _, found in planned)
        assert planned == plan(get_family(name), 4, 2, 400, "params", SearchConfig(trials=6), base)


def test_settings_that_do_not_fit_the_budget_are_drawn_again():
    # A grid of 20 intervals on 60 inputs does not fit; one of 3 does.
    planned = plan(get_family("bspline_kan"), 60, 2, 650, "params", SearchConfig(trials=8), Trial("own", "x", ()))
    assert all(found.value <= 1.5 * 650 for _, found in planned)
    assert all(dict(trial.settings)["grid"] < 20 for trial, _ in planned)
    with pytest.raises(BudgetError):
        plan(get_family("bspline_kan"), 600, 2, 100, "params", SearchConfig(trials=2), Trial("own", "x", ()))


def test_random_settings_come_from_the_space():
    family = get_family("bspline_kan")
    rng = random.Random(0)
    drawn = [draw_settings(family, rng) for _ in range(200)]
    for name, values in family.space.items():
        assert {one[name] for one in drawn} == set(values)


def test_the_best_is_so_on_validation_data_and_never_one_that_diverged():
    results = [
        {"validation": [1.0, 3.0], "test": [0.0, 0.0]},
        {"validation": [1.5, 1.5], "test": [9.0, 9.0]},
        {"validation": [0.1, None], "test": [0.1, None]},
    ]
    assert best_of(results, is_lower_better=True) == 1
    assert best_of(results, is_lower_better=False) == 0


def test_a_comparison_has_all_models_at_the_budget():
    found = compare(regression(), ["mlp", "bspline_kan", "bspline_mlp"], ("params", "flops"), QUICK)
    assert [(one.by, one.model) for one in found.entries] == [
        (by, model) for by in ("params", "flops") for model in ("mlp", "bspline_kan", "bspline_mlp")
    ]
    kan, mlp = found.entry("bspline_kan"), found.entry("mlp")
    assert abs(kan.off) < 0.3
    assert (mlp.advantage, mlp.outcome) == (None, None)
    assert kan.advantage.n == 2
    assert len(found.trials) == 2 * 3 * 3
    # At equal FLOPs, an MLP has more parameters than at equal parameters; a KAN about as many.
    assert found.entry("mlp", "flops").cost["params"] > 3 * mlp.cost["params"]
    for by in ("params", "flops"):
        entry = found.entry("bspline_kan", by)
        expected = advantage(entry.values, found.entry("mlp", by).values, is_lower_better=True)
        assert entry.advantage == expected
        assert entry.outcome == outcome(expected, band(is_lower_better=True))
    again = Comparison.from_json(json.loads(json.dumps(found.to_json())))
    assert again == found


def test_what_is_reported_is_the_test_value_of_the_best_by_validation():
    found = compare(regression(), ["mlp", "bspline_kan"], ("params",), QUICK)
    rows = [row for row in found.trials if row["model"] == "mlp"]
    best = min(rows, key=lambda row: row["validation"])
    assert found.entry("mlp").mean == pytest.approx(best["test"])
    optimistic = RunConfig(train=QUICK.train, search=SearchConfig(trials=3, seeds=2, selection="best-test"))
    assert compare(regression(), ["mlp", "bspline_kan"], ("params",), optimistic).entry("mlp").mean <= best["test"]


def test_budgets_are_those_that_are_given():
    given = RunConfig(BudgetConfig(params=200, flops=5000), QUICK.train, SearchConfig(trials=1, seeds=2))
    found = compare(regression(), ["mlp", "bspline_kan"], ("params", "flops"), given)
    assert found.entry("mlp").cost["params"] == pytest.approx(200, rel=0.05)
    assert found.entry("mlp", "flops").cost["flops_naive"] == pytest.approx(5000, rel=0.05)


def test_budgets_that_are_not_given_are_those_of_the_kan_at_equal_parameters():
    one = RunConfig(train=QUICK.train, search=SearchConfig(trials=1, seeds=2))
    found = compare(regression(), ["mlp", "bspline_kan"], ("params", "flops", "flops-shared"), one)
    widths = (2, *found.entry("bspline_kan").hidden, 1)
    for by, sharing in (("flops", "naive"), ("flops-shared", "shared")):
        assert found.entry("mlp", by).budget == kan_flops(widths, 5, 3, "silu", sharing)


def test_a_model_that_does_not_fit_is_left_out_with_a_note():
    task = make_task("wide", torch.rand(40, 300), torch.rand(40), budget=700)
    found = compare(task, ["mlp", "bspline_kan"], ("params",), QUICK)
    assert [one.model for one in found.entries] == ["mlp"]
    assert "bspline_kan costs at least" in found.notes[-1]


def test_a_single_seed_has_no_interval():
    found = compare(regression(), ["mlp", "bspline_kan"], ("params",), QUICK, seeds=[4])
    assert found.entry("bspline_kan").advantage is None
    with pytest.raises(ValueError, match="two seeds or more"):
        judge([found], "bspline_kan")
    with pytest.raises(ValueError, match="two or more different models"):
        compare(regression(), ["mlp", "mlp"])


def planted(task: str, domain: str, metric: str, values: dict[str, list[float]], **traits: float) -> Comparison:
    """A comparison with known results."""
    is_lower = metric != "accuracy"
    entries = []
    for model, numbers in values.items():
        found = None if model == "mlp" else advantage(numbers, values["mlp"], is_lower_better=is_lower)
        entries.append(
            Entry(
                "params",
                model,
                100,
                (5,),
                {},
                0.01,
                {"params": 100, "flops_naive": 1, "flops_shared": 1},
                0.0,
                tuple(numbers),
                1,
                found,
                found and outcome(found, band(is_lower_better=is_lower)),
            )
        )
    usual = {"inputs": 2, "outputs": 1, "samples": 1000, "regression": float(is_lower)}
    return Comparison(task, domain, metric, "mlp", {**usual, **traits}, tuple(entries), ())


def mixed() -> list[Comparison]:
    rng = np.random.default_rng(0)
    found = []
    for i in range(4):
        error = 0.01 * np.exp(0.1 * rng.normal(size=3))
        values = {"mlp": list(3 * error), "kan": list(error * np.exp(0.05 * rng.normal(size=3)))}
        found.append(planted(f"f{i}", "symbolic", "rmse", values, inputs=1 + i % 2))
    for i in range(4):
        points = 90 + rng.normal(size=3)
        values = {"mlp": list(points), "kan": list(points - 4 + 0.2 * rng.normal(size=3))}
        found.append(planted(f"c{i}", "vision", "accuracy", values, inputs=784, outputs=10, samples=4000 + i))
    return found


def test_planted_winners_and_losers_are_named_and_the_rule_is_found():
    verdict = judge(mixed(), "kan")
    assert verdict.outcomes == {
        "symbolic": {"win": 4, "tie": 0, "loss": 0},
        "vision": {"win": 0, "tie": 0, "loss": 4},
    }
    assert (verdict.hits, verdict.left_out, verdict.n) == (8, 8, 8)
    assert verdict.rule.says({"inputs": 2, "outputs": 1, "samples": 1000, "regression": 1})
    assert not verdict.rule.says({"inputs": 784, "outputs": 10, "samples": 4000, "regression": 0})
    text = verdict.text()
    assert "4 wins, 0 ties, 4 losses on 8 tasks" in text
    assert "right on 8 of 8" in text
    assert "beats mlp" in sentence(mixed()[0], mixed()[0].entry("kan"))
    assert "loses to mlp: -" in sentence(mixed()[-1], mixed()[-1].entry("kan"))


def test_intervals_are_told_from_their_lower_end():
    for metric, kan in (("rmse", [1.0, 1.3, 0.9]), ("accuracy", [80.0, 84.0, 79.0])):
        one = planted("own", "own", metric, {"mlp": [2.0, 2.1, 2.2], "kan": kan})
        entry = one.entry("kan")
        low, high = map(float, re.search(r"interval (\S+) to (\S+?)(?: %|\))", sentence(one, entry)).groups())
        ends = [entry.advantage.low, entry.advantage.high]
        if metric == "rmse":
            ends = [100 * (math.exp(-v) - 1) for v in ends[::-1]]
        assert [low, high] == pytest.approx(ends, abs=0.05)
        assert low < high


def test_among_rules_that_are_as_often_right_the_one_that_costs_less_is_taken():
    traits = {"inputs": 2.0, "outputs": 1.0, "samples": 9.0, "regression": 1.0}
    assert fit_rule([Case(traits, 5.0), Case(traits, -1.0)]).words() == "on all tasks"
    assert fit_rule([Case(traits, 1.0), Case(traits, -5.0)]).words() == "on none of the tasks"


def test_the_rule_changes_with_the_data():
    """Nothing of the verdict is written beforehand: turned around, the same data give the opposite rule."""
    turned = []
    for one in mixed():
        values = {entry.model: list(entry.values) for entry in one.entries}
        swapped = {"mlp": values["kan"], "kan": values["mlp"]}
        turned.append(planted(one.task, one.domain, one.metric, swapped, **one.traits))
    verdict = judge(turned, "kan")
    assert not verdict.rule.says({"inputs": 2, "outputs": 1, "samples": 1000, "regression": 1})
    assert verdict.rule.says({"inputs": 784, "outputs": 10, "samples": 4000, "regression": 0})


def test_without_a_pattern_the_rule_is_constant_and_does_not_generalize():
    rng = np.random.default_rng(1)
    cases = [Case({k: float(rng.integers(1, 9)) for k in ("inputs", "outputs", "samples", "regression")}, -1.0)] * 6
    assert fit_rule(cases).words() == "on none of the tasks"
    assert fit_rule([Case(case.traits, 1.0) for case in cases]).words() == "on all tasks"
    noise = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        some = [
            Case(
                {k: float(rng.integers(1, 99)) for k in ("inputs", "outputs", "samples", "regression")},
                float(rng.choice([-1.0, 1.0])),
            )
            for _ in range(10)
        ]
        noise.append(left_out_hits(some) / 10)
    assert np.mean(noise) < 0.6
    with pytest.raises(ValueError, match="at least one"):
        fit_rule([])


def test_ties_are_ties_and_wilcoxon_speaks_over_tasks():
    rng = np.random.default_rng(2)
    same = []
    for i in range(6):
        points = 90 + rng.normal(size=3)
        same.append(
            planted(
                f"t{i}", "tabular", "accuracy", {"mlp": list(points), "kan": list(points + 0.1 * rng.normal(size=3))}
            )
        )
    verdict = judge(same, "kan")
    assert verdict.outcomes == {"tabular": {"win": 0, "tie": 6, "loss": 0}}
    assert verdict.p_value > 0.05
    assert judge(mixed()[:4], "kan").p_value is None
    assert math.isclose(judge(mixed(), "kan").p_value, 0.64, abs_tol=0.4)
