"""Trials: the radius, the answers, and what they come to."""

import json
import math
from dataclasses import replace

import pytest
import torch

from bab_verify import Result, Verifier, make_robustness, save_vnnlib
from bab_verify.experiments.answers import branched, cost, mean_cost, mean_ratio, proven, ratios, solved, tried
from bab_verify.experiments.radius import WANTED, chosen_radii, chosen_radius, largest_radius
from bab_verify.experiments.recipes import Recipe
from bab_verify.experiments.trials import (
    METHODS,
    STANDARD,
    Case,
    Trial,
    folder_of,
    is_wrong,
    method_config,
    neurons,
    run_trial,
)
from bab_verify.properties.counterexamples import Counterexample

BUDGET = replace(
    STANDARD,
    max_domains=8,
    timeout=5,
    root_steps=2,
    branch_steps=2,
    batch_size=4,
    attack_restarts=2,
    beta_lr=0.3,
    cut_lr=0.4,
)
TRIAL = Trial(Recipe(hidden=(8,), epochs=1), ("genbab", "random"), BUDGET, 2, validation=1, compared=1)


@pytest.fixture(scope="module")
def found():
    return json.loads(json.dumps(run_trial(TRIAL, "cpu")))


@pytest.mark.parametrize("start", [1e-3, 0.1, 0.37, 5.0])
def test_the_radius_is_where_the_wanted_share_is_proven(start):
    limits = {stand_in(): 0.05 * (i + 1) for i in range(20)}
    asked = []

    def proves(prop, radius):
        asked.append((prop, radius))
        return radius <= limits[prop]

    radius = chosen_radius(proves, list(limits), start)
    share = sum(radius <= limit for limit in limits.values()) / len(limits)
    assert WANTED[0] <= share <= WANTED[1]
    assert len(asked) == len(set(asked)), "nothing is proven twice"


def stand_in():
    """A property that nobody looks into."""
    return lambda radius: make_robustness(torch.zeros(1), 0, radius, 2)


def test_a_radius_that_cannot_be_found_ends_the_search():
    assert math.isfinite(chosen_radius(lambda prop, radius: True, [stand_in()], 0.1))
    assert chosen_radius(lambda prop, radius: False, [stand_in()], 0.1) > 0


@pytest.mark.parametrize("start", [1e-3, 0.1, 0.37, 5.0])
def test_the_largest_radius_is_found_from_below(start):
    asked = []

    def proves(radius):
        asked.append(radius)
        return radius <= 0.3

    assert 0.3 / 1.01 <= largest_radius(proves, start) <= 0.3
    assert len(asked) <= 18
    assert largest_radius(lambda radius: False, start) == 0
    assert math.isfinite(largest_radius(lambda radius: True, start))


def test_each_property_has_its_own_radius_beyond_the_largest_that_is_proven():
    limits = {stand_in(): limit for limit in (0.1, 0.25)}
    proves = lambda prop, radius: radius <= limits[prop]  # noqa: E731
    radii = chosen_radii(proves, (list(limits), []), 0.08, 0.5)
    for radius, limit in zip(radii, limits.values()):
        assert 1.5 * limit / 1.01 <= radius <= 1.5 * limit
    assert len(set(chosen_radii(proves, (list(limits), list(limits)), 0.08, 0))) == 1


def test_beyond_what_bounds_verify_they_leave_properties_open():
    found = run_trial(replace(TRIAL, methods=(), properties=1, beyond=0.03), "cpu")
    assert [answer["alpha"]["status"] for answer in found["answers"]] == ["unknown"]
    assert len(found["radii"]) == 1


def test_only_some_properties_are_compared(found):
    assert [set(answer) for answer in found["answers"]] == [{"alpha", "genbab", "random"}, {"alpha", "genbab"}]
    assert len(tried(found["answers"], ("genbab", "random"))) == 1


def without_seconds(trial):
    answers = [
        {method: {**result, "seconds": None} for method, result in answer.items()} for answer in trial["answers"]
    ]
    return {**trial, "answers": answers}


def test_a_trial_gives_its_numbers_again_and_another_seed_others(found):
    again = json.loads(json.dumps(run_trial(TRIAL, "cpu")))
    other = run_trial(replace(TRIAL, methods=(), properties=1, radius=0.01, seed=1), "cpu")
    assert without_seconds(again) == without_seconds(found)
    assert (found["wrong"], found["neurons"], found["max_domains"]) == (0, 8, 8)
    assert found["quality"] != other["quality"]


@pytest.mark.parametrize("method", METHODS)
def test_methods_have_the_same_budget(method):
    config = method_config(BUDGET, method, 0, "cpu", attack=False)
    assert (config.timeout, config.max_domains, config.batch_size, config.root.steps, config.branch.steps) == (
        5,
        8,
        4,
        2,
        2,
    )
    assert (config.branch.beta_lr, config.branch.cut_lr) == (0.3, 0.4)


# ---- wrong answers


def linear_case(weight):
    """y = (0, weight * x), x in [0.4, 0.6]; a violation where the second output is not the smaller."""
    module = torch.nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[0.0], [weight]]))
    network = lambda x: module(x.float()).detach().double()  # noqa: E731
    specification = make_robustness(torch.tensor([0.5]), 0, 0.1, 2)
    return Case(Verifier(module, example=torch.zeros(1, 1)), specification, network)


def test_right_answers_are_not_wrong():
    safe, unsafe = linear_case(-1.0), linear_case(1.0)
    assert not is_wrong(safe, [Result("unsat"), Result("unknown")], 0)
    x = torch.tensor([0.5], dtype=torch.float64)
    found = Counterexample(x, unsafe.network(x), -0.5)
    assert not is_wrong(unsafe, [Result("sat", counterexample=found), Result("unknown")], 0)


def test_wrong_answers_are_found():
    safe, unsafe = linear_case(-1.0), linear_case(1.0)
    assert is_wrong(unsafe, [Result("unsat")], 0), "samples violate"
    assert is_wrong(safe, [Result("unsat"), Result("sat")], 0), "answers differ"
    x = torch.tensor([0.5], dtype=torch.float64)
    assert is_wrong(safe, [Result("sat", counterexample=Counterexample(x, safe.network(x), -1.0))], 0)
    outside = torch.tensor([0.9], dtype=torch.float64)
    assert is_wrong(unsafe, [Result("sat", counterexample=Counterexample(outside, unsafe.network(outside), -1.0))], 0)


# ---- instances in a folder


def test_instances_of_a_folder(tmp_path, monkeypatch):
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    folder = tmp_path / "some" / "where"
    folder.mkdir(parents=True)
    torch.onnx.export(module, (torch.zeros(1, 2),), folder / "net.onnx", dynamo=False)
    x = torch.tensor([0.3, 0.7])
    label = int(module(x).argmax())
    save_vnnlib(make_robustness(x, label, 1e-4, 2), folder / "safe.vnnlib")
    save_vnnlib(make_robustness(x, 1 - label, 1e-4, 2), folder / "unsafe.vnnlib")
    (folder / "instances.csv").write_text("net.onnx,safe.vnnlib,5\nnet.onnx,unsafe.vnnlib,5\n")
    monkeypatch.setenv("SEPARATA_DATA", str(tmp_path))
    found = run_trial(Trial(folder="some/where", budget=BUDGET), "cpu")
    assert [answer["alpha"]["status"] for answer in found["answers"]] == ["unsat", "sat"]
    assert (found["neurons"], found["wrong"]) == (3, 0)


def test_a_folder_that_is_not_there_says_where_it_is_wanted(tmp_path, monkeypatch):
    monkeypatch.setenv("SEPARATA_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"\$SEPARATA_DATA/vnncomp"):
        folder_of("vnncomp")
    monkeypatch.delenv("SEPARATA_DATA")
    with pytest.raises(FileNotFoundError, match=r"\$SEPARATA_DATA/vnncomp"):
        folder_of("vnncomp")


def test_neurons_are_relus():
    module = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 4), torch.nn.Sigmoid())
    assert neurons(Verifier(module, example=torch.zeros(1, 2)).graph) == 5


# ---- what answers come to


def answer(alpha, one, visited, other="unsat", other_visited=8):
    return {
        "alpha": {"status": alpha, "visited": 0},
        "one": {"status": one, "visited": visited},
        "other": {"status": other, "visited": other_visited},
    }


ANSWERS = [
    answer("unsat", "unsat", 0, "unsat", 0),
    answer("sat", "sat", 0, "sat", 0),
    answer("unknown", "unsat", 4),
    answer("unknown", "sat", 16),
    answer("unknown", "unknown", 3),
]


def test_counts():
    assert (proven(ANSWERS, "alpha"), proven(ANSWERS, "one"), proven(ANSWERS, "other")) == (1, 2, 4)
    assert (solved(ANSWERS, "alpha"), solved(ANSWERS, "one")) == (2, 4)
    assert branched(ANSWERS) == ANSWERS[2:]


def test_an_unsolved_property_costs_the_limit():
    assert cost(ANSWERS[-1]["one"], 100) == 100
    assert cost({"status": "unsat", "visited": 130}, 100) == 100
    assert mean_cost(ANSWERS, "one", 1000) == pytest.approx((4 * 16 * 1000) ** (1 / 3))
    assert math.isnan(mean_cost(ANSWERS[:2], "one", 1000))


def test_ratios_are_of_what_both_decide():
    assert ratios(ANSWERS, "one", "other") == [0.5, 2]
    assert mean_ratio([0.5, 2]) == pytest.approx(1)
    assert math.isnan(mean_ratio([]))
