"""Networks side by side learn as each would alone, and what is reported is what was asked for."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from kan_assessment import (
    MemberData,
    ModelFamily,
    Separate,
    Stacked,
    Trial,
    get_family,
    load_symbolic,
    make_task,
    run_trial,
)
from kan_assessment.configs import TrainConfig
from kan_assessment.protocol.training import _Best, score, train_members
from kan_assessment.protocol.trials import fit_members, make_member, values_of
from kan_assessment.tasks.suites import load_task
from kan_assessment.tasks.task import Samples, Task

SMALL = Trial("symbolic/gelu", "bspline_kan", (3,), train=TrainConfig(epochs=3), n_train=100, seeds=(0, 1))


def adam(members, lr=1e-2):
    return lambda: torch.optim.Adam(members.parameters(), lr)


@pytest.mark.parametrize("name", ["mlp", "bspline_kan", "bspline_mlp", "chebyshev_kan", "rbf_kan", "wavelet_kan"])
def test_stacked_networks_learn_as_separate_ones(name):
    task = load_symbolic("exp-sin", n_train=150, n_test=50)
    family = get_family(name)
    models = [make_member(task, family, replace(SMALL, model=name, hidden=(4,)), seed) for seed in (0, 1, 2)]
    fits = []
    for kind in (Stacked, Separate):
        data = MemberData(task, (0, 1, 2))
        copies = [make_member(task, family, replace(SMALL, model=name, hidden=(4,)), seed) for seed in (0, 1, 2)]
        for copy, model in zip(copies, models):
            copy.load_state_dict(model.state_dict())
        members = kind(copies)
        fits.append(train_members(members, data, TrainConfig(batch_size=50), 3, adam(members)))
    for key in ("validation", "test", "final_test"):
        assert getattr(fits[0], key) == pytest.approx(getattr(fits[1], key), rel=2e-3)
    assert fits[0].steps == fits[1].steps == 9


def test_a_seed_gives_the_same_whichever_others_are_beside_it():
    alone = run_trial(replace(SMALL, seeds=(1,)))
    beside = run_trial(replace(SMALL, seeds=(0, 1, 2)))
    assert values_of(beside, "test")[1] == pytest.approx(values_of(alone, "test")[0], rel=1e-3)
    assert run_trial(replace(SMALL, seeds=(1,))) == alone
    assert values_of(beside, "test")[0] != values_of(beside, "test")[2]


def test_features_and_values_are_scaled_by_training_samples_and_errors_are_in_the_task_s_units():
    generator = torch.Generator().manual_seed(0)
    x = 100 + 7 * torch.randn(80, 2, generator=generator)
    task = make_task("own", x, 1e4 + 50 * x[:, 0])
    data = MemberData(task, (0, 1))
    (train,) = data.stages
    features = data.features(torch.stack(train))
    torch.testing.assert_close(features.mean(1), torch.zeros(2, 2), atol=1e-4, rtol=0)
    torch.testing.assert_close(features.std(1), torch.ones(2, 2), atol=1e-4, rtol=0)
    # A network that always gives zero predicts the mean of the training values.
    zero = nn.Linear(2, 1)
    nn.init.zeros_(zero.weight)
    nn.init.zeros_(zero.bias)
    found = score(Separate([zero, zero]), data, data.test)
    for i, seed in enumerate((0, 1)):
        assert float(found[i]) == pytest.approx(task.trivial(seed), rel=1e-4)
    # One that always gives 1 is a standard deviation of them above it.
    nn.init.ones_(zero.bias)
    for i, value in enumerate(score(Separate([zero, zero]), data, data.test)):
        values = task.draw(i).y[train[i]]
        off = task.draw(i).y[task.draw(i).test] - values.mean() - values.std()
        assert float(value) == pytest.approx(float(off.square().mean().sqrt()), rel=1e-4)


def test_each_seed_passes_over_its_samples_in_orders_of_its_own():
    last = torch.arange(30, 32)
    samples = Samples(torch.rand(32, 1), torch.rand(32), (torch.arange(30),), last, last)
    task = Task("own", "own", "rmse", 1, 1, lambda seed: samples)
    data = MemberData(task, (0, 1))
    first, second = data.epoch(0), data.epoch(0)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], second[0])
    assert torch.equal(first.sort(1).values, torch.arange(30).expand(2, 30))
    assert torch.equal(MemberData(task, (1,)).epoch(0)[0], first[1]), "whichever seeds are beside it"


@pytest.mark.parametrize(("metric", "expected"), [("rmse", math.sqrt(14 / 3)), ("mae", 2.0), ("median error", 2.0)])
def test_metrics_of_regressions(metric, expected):
    y = torch.tensor([0.0, 0.0, 1.0, 2.0, 3.0])
    samples = Samples(torch.zeros(5, 1), y, (torch.tensor([0, 1]),), torch.tensor([2]), torch.tensor([2, 3, 4]))
    task = Task("own", "own", metric, 1, 1, lambda seed: samples, is_standardized=False)
    model = nn.Linear(1, 1)
    nn.init.zeros_(model.bias)
    data = MemberData(task, (0,))
    assert float(score(Separate([model]), data, data.test)[0]) == pytest.approx(expected)


def test_parts_of_different_sizes_count_only_their_own_samples():
    y = torch.tensor([0, 1, 0, 1, 1, 1])
    parts = {0: (torch.tensor([4, 5]), torch.tensor([0])), 1: (torch.tensor([4]), torch.tensor([0, 2, 1, 3]))}

    def draw(seed):
        return Samples(torch.zeros(6, 1), y, (torch.arange(6)[: 4 + seed],), *parts[seed])

    data = MemberData(Task("own", "own", "accuracy", 1, 2, draw, is_standardized=False), (0, 1))
    model = nn.Linear(1, 2)
    with torch.no_grad():
        model.bias.copy_(torch.tensor([1.0, 0.0]))
    members = Separate([model, model])
    assert score(members, data, data.test).tolist() == [100.0, 50.0]
    assert score(members, data, data.validation).tolist() == [0.0, 0.0]
    assert data.epoch(0).shape == (2, 4)


def test_the_epoch_is_chosen_on_validation_samples_alone():
    found = run_trial(replace(SMALL, train=TrainConfig(epochs=12, checks=12)))
    for i in range(2):
        assert found["best_test"][i] <= found["test"][i]
        assert 1 <= found["epoch"][i] <= 12


def test_what_diverges_has_no_number_and_spoils_no_other():
    found = run_trial(replace(SMALL, lr=1e12))
    assert found["test"] == [None, None] or all(value is None or value > 0.5 for value in found["test"])
    task = load_symbolic("gelu", n_train=60, n_test=20)
    models = [make_member(task, get_family("mlp"), replace(SMALL, model="mlp"), seed) for seed in (0, 1)]
    with torch.no_grad():
        models[0][0].weight.fill_(float("nan"))
    members = Stacked(models)
    fit = train_members(members, MemberData(task, (0, 1)), TrainConfig(), 2, adam(members))
    assert math.isnan(fit.test[0])
    assert fit.test[1] < 5


def test_batch_normalization_is_trained_one_by_one():
    settings = (("batch_norm", True),)
    trial = replace(SMALL, task="tabular/iris", model="mlp", hidden=(16,), settings=settings, n_train=0)
    fit = fit_members(load_task("tabular/iris"), get_family("mlp"), replace(trial, train=TrainConfig(epochs=40)))
    assert min(fit.test) > 70


def test_classes_that_arrived_first_are_forgotten():
    task = load_task("continual/digits")
    trial = Trial("continual/digits", "mlp", (32,), train=TrainConfig(epochs=6), seeds=(0,))
    in_stages = fit_members(task, get_family("mlp"), trial)
    at_once = fit_members(load_task("vision/digits"), get_family("mlp"), replace(trial, task="vision/digits"))
    assert in_stages.test[0] < 70
    assert at_once.test[0] > 85
    assert in_stages.test == in_stages.final_test


def test_a_model_that_is_pruned_while_it_is_trained_gets_a_new_optimizer():
    task = load_symbolic("exp-sin", n_train=120, n_test=50)
    family = get_family("s_kan")
    trial = Trial("symbolic/exp-sin", "s_kan", (3,), train=TrainConfig(epochs=10, batch_size=40), seeds=(0, 1))
    fit = fit_members(task, family, trial)
    assert all(math.isfinite(value) for value in fit.test)
    model = make_member(task, family, trial, 0)
    follow = family.follow(model)
    before = sum(p.numel() for p in model.parameters())
    changes = [follow(progress / 10) for progress in range(11)]
    assert sum(changes) == 1
    left = family.final(make_member(task, family, trial, 0))
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in left.parameters()) < before


def test_epochs_before_a_model_was_pruned_do_not_count():
    """Until then, it is larger than its budget."""
    task = load_symbolic("gelu", n_train=60, n_test=20)
    model = nn.Linear(1, 1)
    members = Separate([model])
    told = []

    def follow(progress):
        told.append(progress)
        if progress == 0.5:
            with torch.no_grad():
                model.weight.fill_(100.0)
        return progress == 0.5

    config = TrainConfig(batch_size=30)
    fit = train_members(members, MemberData(task, (0,)), config, 4, adam(members, 0.0), [follow])
    assert told == [i / 8 for i in range(1, 9)], "after each step"
    assert fit.epoch == [2]
    assert fit.test == fit.best_test == fit.final_test
    assert fit.test[0] > 50


def test_the_reported_test_value_is_that_of_the_best_validation_epoch():
    for sign in (1, -1):
        best = _Best(1, is_lower_better=sign > 0)
        for epoch, (validation, test) in enumerate([(5, 1), (3, 4), (4, 0.5)], 1):
            best.see(epoch, sign * torch.tensor([validation]), sign * torch.tensor([test]))
        fit = best.fit(9, only_last=False)
        found = (fit.epoch, fit.validation, fit.test, fit.best_test, fit.final_test)
        assert found == ([2], [sign * 3], [sign * 4], [sign * 0.5], [sign * 0.5])


def test_parameter_groups_of_a_family_are_what_is_trained():
    made = []

    def build(n_in, hidden, n_out):
        made.append(nn.Sequential(nn.Linear(n_in, hidden[0]), nn.Tanh(), nn.Linear(hidden[0], n_out)))
        return made[-1]

    def groups(model, lr):
        return [{"params": model[0].parameters(), "lr": 0.0}, {"params": model[2].parameters(), "lr": lr}]

    family = ModelFamily("own", build, groups=groups)
    task = load_symbolic("gelu", n_train=60, n_test=20)
    fit_members(task, family, replace(SMALL, model="own", seeds=(5,)))
    before = make_member(task, family, replace(SMALL, model="own"), 5)
    assert torch.equal(before[0].weight, made[0][0].weight)
    assert not torch.equal(before[2].weight, made[0][2].weight)


def test_an_embedding_before_the_models_is_the_same_for_all_and_learns():
    task = load_task("text/stdlib")
    members = [make_member(task, get_family(name), replace(SMALL, model=name), 0) for name in ("mlp", "bspline_kan")]
    assert torch.equal(members[0][0].embedding, members[1][0].embedding)
    trial = Trial("text/stdlib", "mlp", (16,), train=TrainConfig(epochs=2), seeds=(0,))
    assert fit_members(task, get_family("mlp"), trial).test[0] > task.trivial(0) + 10
