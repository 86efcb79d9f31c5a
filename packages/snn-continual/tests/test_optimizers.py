"""Optimisers beside projection: what is welcome, warned of and refused, and that old outputs stay."""

import copy
import warnings

import pytest
import torch
from torch import nn

from snn_continual import ContinualLearner, wrap


def descend(model, optimizer, x, y):
    """Five steps."""
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


def second_task(rows=3):
    """A model in its second task, knowing some directions exactly."""
    model = wrap(nn.Sequential(nn.Linear(6, 5, bias=False), nn.Tanh(), nn.Linear(5, 3, bias=False)))
    learner = ContinualLearner(model)
    learner.begin_task(rows)
    learner.end_task(orthonormalize=True)
    learner.begin_task(0)
    return learner


def test_sgd_is_welcome_and_adam_is_warned_of():
    learner = second_task()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learner.guard(torch.optim.SGD(learner.trainable_parameters(), lr=0.1, momentum=0.9))
    with pytest.warns(UserWarning, match="Adam .*project_update=True"):
        learner.guard(torch.optim.Adam(learner.trainable_parameters()))


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_weight_decay_is_refused(kind):
    learner = second_task()
    with pytest.raises(ValueError, match="weight decay .*project_update=True"):
        learner.guard(kind(learner.trainable_parameters(), lr=0.1, weight_decay=0.1))


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.Adam(p, lr=0.01),
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.3),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
    ],
    ids=["adam", "adamw", "decay"],
)
@pytest.mark.parametrize("projects", [True, False])
def test_projected_updates_keep_old_outputs_under_any_optimiser(make, projects):
    learner = second_task()
    before = [layer.weight.detach().clone() for layer in learner.layers]
    optimizer = make(learner.trainable_parameters())
    if projects:
        learner.guard(optimizer, project_update=True)
    descend(learner.model, optimizer, torch.randn(9, 6), torch.randint(3, (9,)))
    change = [(layer.weight - old).detach() for layer, old in zip(learner.layers, before, strict=True)]
    on_known = [(d @ layer.subspace.fixed.T).abs().max() for d, layer in zip(change, learner.layers, strict=True)]
    assert min(d.abs().max() for d in change) > 1e-3
    if projects:
        assert max(on_known) < 1e-5
    else:
        assert min(on_known) > 1e-3


def test_updates_of_the_first_task_are_left_alone():
    learner = ContinualLearner(wrap(nn.Sequential(nn.Linear(6, 3, bias=False))))
    learner.begin_task(6)
    other = copy.deepcopy(learner)
    x, y = torch.randn(9, 6), torch.randint(3, (9,))
    for one, projects in ((learner, True), (other, False)):
        optimizer = torch.optim.Adam(one.trainable_parameters())
        if projects:
            one.guard(optimizer, project_update=True)
        descend(one.model, optimizer, x, y)
    assert torch.equal(learner.layers[0].weight, other.layers[0].weight)
