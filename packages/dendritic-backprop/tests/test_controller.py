"""The cycle of phases, with scores that are given."""

import copy
import warnings

import pytest
import torch
from torch import nn

from dendritic_backprop import (
    CycleConfig,
    DendriteConfig,
    DendriteController,
    add_dendrites,
    num_dendrites,
    search_rate,
)
from separata import states

X, Y = torch.randn(32, 3, generator=torch.Generator().manual_seed(0)), torch.arange(32) % 2


def adam(groups):
    return torch.optim.Adam(groups, 1e-2)


def network(**settings):
    torch.manual_seed(0)
    return add_dendrites(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), config=DendriteConfig(**settings))


def epoch(controller):
    """A user's loop, which knows nothing of phases."""
    controller.model.train()
    for x, y in zip(X.split(16), Y.split(16)):
        controller.optimizer.zero_grad()
        nn.functional.cross_entropy(controller.model(x), y).backward()
        controller.optimizer.step()


def played(scores, cycle, **settings):
    """Epochs with these scores; a dendrite phase takes none of them."""
    controller, log, scores = DendriteController(network(**settings), adam, cycle=cycle), [], list(scores)
    while not controller.is_finished and scores:
        epoch(controller)
        log.append(controller.step(scores.pop(0) if controller.phase == "neuron" else 0.0))
    return controller, log


CYCLE = CycleConfig(patience=2, max_dendrites=2, dendrite_epochs=2, thresholds=(0.0,), tries=2)


def test_dendrites_that_help_stay_and_the_training_ends_with_the_most():
    controller, log = played([0.5, 0.4, 0.4, 0.6, 0.6, 0.5, 0.7, 0.7, 0.7], CYCLE)
    assert controller.is_finished
    assert [step.num_dendrites for step in log if step.phase_changed] == [0, 1, 1, 2, 2]
    assert [step.phase for step in log if step.phase_changed] == [
        "dendrite",
        "neuron",
        "dendrite",
        "neuron",
        "finished",
    ]
    assert not any(step.rolled_back for step in log)
    assert controller.best_score == 0.7
    assert (num_dendrites(controller.model), len(controller.correlations)) == (2, 2)
    with pytest.raises(ValueError, match="ended"):
        controller.step(0.5)
    with pytest.raises(ValueError, match="ended"):
        _ = controller.optimizer


def test_dendrites_that_do_not_help_are_undone_and_tried_again_from_other_weights():
    controller, log = played([0.5, 0.4, 0.4, 0.45, 0.4, 0.4], CYCLE)
    assert log[-1].rolled_back
    assert (controller.phase, log[-2].num_dendrites, log[-1].num_dendrites) == ("dendrite", 1, 0)
    first = controller.state_dict()["accepted_model"]
    assert all(torch.equal(value, first[name]) for name, value in controller.model.state_dict().items())
    controller, log = played([0.5, 0.4, 0.4, 0.45, 0.4, 0.4, 0.45, 0.3, 0.3], CYCLE)
    assert controller.is_finished
    assert sum(step.rolled_back for step in log) == 2
    assert num_dendrites(controller.model) == 0
    assert all(torch.equal(value, first[name]) for name, value in controller.model.state_dict().items())
    one, other = controller.correlations
    assert one != other
    controller, log = played([0.5, 0.4, 0.4, 0.45, 0.4, 0.4, 0.8, 0.3, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], CYCLE)
    assert num_dendrites(controller.model) == 1, "a success between makes failures count anew"
    assert controller.best_score == 0.8


def test_a_phase_ends_with_its_best_weights():
    controller = DendriteController(network(), adam, cycle=CYCLE)
    kept = None
    for score in (0.1, 0.5, 0.2, 0.3):
        epoch(controller)
        if score == 0.5:
            kept = copy.deepcopy(controller.model.state_dict())
        controller.step(score)
    assert controller.phase == "dendrite"
    assert all(torch.equal(value, kept[name]) for name, value in controller.model.state_dict().items())


def test_small_improvements_do_not_count_but_their_weights_do():
    config = CycleConfig(patience=2, thresholds=(0.1, 0.0), min_improvement=0.001)
    controller, log = played([0.5, 0.51, 0.52], config)
    assert controller.phase == "dendrite"
    assert controller.best_score == 0.52
    assert [step.improved for step in log] == [True, True, True]
    assert config.threshold(0) == 0.1
    assert config.threshold(5) == 0.0


def test_smaller_scores_can_be_better():
    controller = DendriteController(network(), adam, cycle=CYCLE, mode="min")
    for score in (1.0, 0.4, 0.5, 0.6):
        epoch(controller)
        controller.step(score)
    assert (controller.phase, controller.best_score) == ("dendrite", 0.4)


def test_phases_of_fixed_length_give_every_variant_the_same_epochs():
    cycle = CycleConfig(
        neuron_epochs=2, first_epochs=3, dendrite_epochs=2, dendrite_patience=0, max_dendrites=2, rollback=False
    )
    lengths = {}
    for learning in ("correlation", "gradient", "random", "none"):
        controller, log = played([0.5] * 20, cycle, learning=learning)
        assert controller.is_finished
        # A user's own loop takes one more pass, which measures the errors.
        lengths[learning] = len(log) - (2 if learning == "correlation" else 0)
        controller = DendriteController(network(learning=learning), adam, cycle=cycle)
        grown = []
        controller.on_trained = lambda cycle, m=controller.model, g=grown: g.append((cycle, num_dendrites(m)))
        while not controller.is_finished:
            epoch(controller)
            controller.step(0.5)
        assert grown == [(n, 0 if learning == "none" else n) for n in range(3)]
    assert set(lengths.values()) == {cycle.n_epochs} == {11}


def test_the_optimizer_is_a_new_one_with_all_gains_and_no_decay_on_them():
    made = []

    def factory(groups):
        made.append(torch.optim.AdamW(groups, 1e-2, weight_decay=0.1))
        return made[-1]

    controller = DendriteController(network(), factory, cycle=CYCLE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for score in (0.5, 0.4, 0.4, 0, 0, 0, 0.6):
            epoch(controller)
            controller.step(score)
    assert len(made) == 3
    assert controller.optimizer is made[-1]
    decays = {id(p): group["weight_decay"] for group in made[-1].param_groups for p in group["params"]}
    modules = controller.modules
    assert [decays[id(module.gain)] for module in modules] == [0, 0]
    assert decays[id(modules[0].module.weight)] == 0.1
    assert id(modules[0].lateral) not in decays
    assert all(module.gain.detach().any() for module in modules), "gains learn"

    def decaying(groups):
        return torch.optim.SGD([p for group in groups for p in group["params"]], 0.1, weight_decay=0.1)

    controller = DendriteController(network(learning="random"), decaying, cycle=CYCLE)
    controller.step(0.5)
    controller.step(0.4)
    with pytest.warns(UserWarning, match="weight decay on the gains"):
        controller.step(0.4)


@pytest.mark.parametrize("order", ["before", "between", "after"])
def test_gradients_are_zeroed_where_a_user_s_loop_does(order):
    """Before the forward pass, between it and the backward pass, or after the step: the same training."""
    found = []
    for where in ("before", order):
        controller = DendriteController(network(), adam, cycle=CYCLE)
        for score in (0.5, 0.4, 0.4, 0, 0, 0, 0.6):
            for x, y in zip(X.split(16), Y.split(16)):
                if where == "before":
                    controller.optimizer.zero_grad()
                loss = nn.functional.cross_entropy(controller.model.train()(x), y)
                if where == "between":
                    controller.optimizer.zero_grad()
                loss.backward()
                controller.optimizer.step()
                if where == "after":
                    controller.optimizer.zero_grad()
            controller.step(score)
        found.append(controller.model.state_dict())
    assert num_dendrites(controller.model) == 1
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())


def test_both_phases_make_optimizers_of_groups():
    def sorted_out(groups):
        return torch.optim.SGD([p for group in groups for p in group["params"]], 0.1)

    controller = DendriteController(network(), sorted_out, cycle=CYCLE)
    for score in (0.5, 0.4, 0.4):
        controller.step(score)
    epoch(controller)
    assert controller.phase == "dendrite"
    assert controller.optimizer.param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize("n_before", [2, 4, 5, 7, 12])
def test_a_state_in_any_phase_goes_on_to_the_same_network(n_before, tmp_path):
    scores = [0.5, 0.4, 0.4, 0.3, 0.3, 0.3, 0.7, 0.6, 0.6, 0.8, 0.8, 0.8]

    def scheduler(optimizer):
        return torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.9)

    def go_on(controller, given, limit=100):
        given = list(given)
        for _ in range(limit):
            if controller.is_finished:
                break
            epoch(controller)
            controller.step(given.pop(0) if controller.phase == "neuron" else 0.0)
        return given

    whole = DendriteController(network(), adam, scheduler, cycle=CYCLE)
    go_on(whole, scores)
    first = DendriteController(network(), adam, scheduler, cycle=CYCLE)
    left = go_on(first, scores, n_before)
    states.save(tmp_path / "state.safetensors", first.state_dict())
    torch.manual_seed(7)
    second = DendriteController(add_dendrites(copy.deepcopy(plain(network()))), adam, scheduler, cycle=CYCLE)
    second.load_state_dict(states.load(tmp_path / "state.safetensors"))
    go_on(second, left)
    assert second.is_finished
    assert second.correlations == whole.correlations
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name


def plain(model):
    return nn.Sequential(model[0].module, nn.ReLU(), model[2].module)


def test_finishing_early_leaves_the_best_network():
    for scores in ([0.5, 0.4], [0.5, 0.4, 0.4], [0.5, 0.4, 0.4, 0.3]):
        controller, _ = played(scores, CYCLE)
        controller.finish()
        assert controller.is_finished
        assert controller.best_score == 0.5
        assert num_dendrites(controller.model) == 0
        assert all(parameter.requires_grad for parameter in plain(controller.model).parameters())
        controller.model(X).sum().backward()


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="max or min"):
        DendriteController(network(), adam, mode="best")
    with pytest.raises(ValueError, match="add_dendrites first"):
        DendriteController(nn.Linear(2, 2), adam)
    controller, _ = played([0.5, 0.4, 0.4], CYCLE)
    copy.deepcopy(controller.model)(X).sum().backward()
    assert controller.modules[0].candidates is None, "a copy begins nothing"
    with pytest.raises(FloatingPointError, match="not finite"):
        controller.train_dendrites([(X * torch.nan, Y)], nn.functional.cross_entropy)
    epoch(controller)  # the phase begins anew
    assert controller.step(0.0).phase == "dendrite"
    controller = DendriteController(network(), adam, cycle=CYCLE)
    with pytest.raises(ValueError, match="finite number, not nan"):
        controller.step(float("nan"))
    with pytest.raises(ValueError, match="but this is: neuron"):
        controller.train_dendrites([], nn.functional.cross_entropy)
    controller = DendriteController(network(), adam)
    for score in (1.0, 0.9, 0.8, 0.7, 0.6):
        controller.step(score)
    with pytest.warns(UserWarning, match="mode='min'"):
        controller.step(0.5)
    for wrong in ({"patience": 0}, {"thresholds": ()}, {"thresholds": (-1.0,)}, {"dendrite_epochs": -1}):
        with pytest.raises(ValueError, match="must|one or more"):
            CycleConfig(**wrong)


def test_the_rate_with_the_best_short_run_is_chosen_and_nothing_is_left_of_the_trials():
    model = network()
    before = copy.deepcopy(model.state_dict())
    optimum = {1.0: 0.2, 0.5: 0.9, 0.1: 0.9, 3.0: float("nan")}

    def trial(rate):
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        nn.init.constant_(model[0].module.weight, rate)
        return optimum[rate]

    assert search_rate(model, list(optimum), trial) == 0.5
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(ValueError, match="no learning rate"):
        search_rate(model, [], trial)
