"""The stages, in loops of all kinds."""

import pytest
import torch
from torch import nn

from s_kan import SKAN, SKANLinear, StageConfig, StageSchedule, parameter_groups, selectable_layers

POOL = ("rbf", "fourier", "chebyshev")


def network(**settings):
    return SKAN([2, 3, 1], POOL, 6, **settings)


def train_by_hand(model, n_steps, schedule, x, y):
    """A loop as a user writes it; the stage of each step, and the temperatures."""
    optimizer = torch.optim.AdamW(parameter_groups(model, 1e-2))
    seen, temperatures = [], []
    for step in range(n_steps):
        now = schedule.step(model, step / n_steps, torch.Generator().manual_seed(step))
        if now.has_pruned:
            optimizer = torch.optim.AdamW(parameter_groups(model, 1e-2))
        seen.append(now.stage)
        layers = selectable_layers(model)
        temperatures.append(None if layers[0].is_pruned else float(layers[0].select.temperature))
        optimizer.zero_grad()
        (model(x)[:, 0] - y).square().mean().backward()
        optimizer.step()
    return seen, temperatures


@pytest.fixture
def data():
    x = 2 * torch.rand(50, 2) - 1
    return x, x[:, 0] * x[:, 1]


def test_stages_follow_each_other_and_the_temperature_falls_geometrically(data):
    model = network()
    seen, temperatures = train_by_hand(model, 20, StageSchedule(StageConfig(0.3, 0.2, tau_min=0.1)), *data)
    assert seen == ["full"] * 6 + ["selective"] * 4 + ["fine-tuning"] * 10
    assert temperatures[:7] == pytest.approx([1.0] * 7)
    assert temperatures[7:10] == pytest.approx([0.1**0.25, 0.1**0.5, 0.1**0.75], rel=1e-5)
    assert model.is_pruned
    assert temperatures[10:] == [None] * 10


def test_any_module_with_such_layers_goes_through_the_stages(data):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Sequential(nn.Linear(2, 4), nn.Tanh())
            self.heads = nn.ModuleDict({"a": SKANLinear(4, 1, POOL, 6)})

        def forward(self, x):
            return self.heads["a"](self.first(x))

    model = Own()
    seen, _ = train_by_hand(model, 10, StageSchedule(), *data)
    assert seen[-1] == "fine-tuning"
    assert model.heads["a"].is_pruned


@pytest.mark.parametrize("hard", ["straight-through", "gumbel"])
def test_hard_modes_are_of_the_selective_stage(hard, data):
    model = network()
    schedule = StageSchedule(StageConfig(hard=hard))
    generator = torch.Generator().manual_seed(0)
    schedule.step(model, 0.1, generator)
    assert not (model.layers[0].select() == 1).any()
    schedule.step(model, 0.4, generator)
    weights = model.layers[0].select()
    assert torch.equal(weights.detach().amax(0), torch.ones(3, 1))
    drawn = set()
    for _ in range(8):
        schedule.step(model, 0.4, generator)
        drawn.add(tuple(model.layers[0].select().argmax(0).flatten().tolist()))
    assert (len(drawn) > 1) == (hard == "gumbel")
    seen, _ = train_by_hand(model, 10, schedule, *data)
    assert seen[-1] == "fine-tuning"


def test_halving_leaves_two(data):
    model = network()
    schedule = StageSchedule(StageConfig(halving=True))
    n_active = []
    for progress in (0.0, 0.3, 0.39, 0.41, 0.49):
        schedule.step(model, progress)
        n_active.append(int(model.layers[0].select.is_active.sum()))
    assert n_active == [3, 3, 3, 2, 2]


def test_several_families_may_be_kept(data):
    model = network()
    train_by_hand(model, 10, StageSchedule(StageConfig(top_k=2)), *data)
    assert all(name.count("+") == 1 for layer in model.chosen() for name in layer)


def test_logits_have_a_rate_and_a_decay_of_their_own():
    groups = parameter_groups(network(), 0.1, StageConfig(selection_lr=5, selection_decay=0.01), 0.3)
    assert [(one["lr"], one["weight_decay"]) for one in groups] == [(0.1, 0.3), (0.5, 0.01)]
    assert [tuple(one.shape) for one in groups[1]["params"]] == [(3, 3, 1), (3, 1, 1)]
    model = network()
    with pytest.warns(UserWarning, match="before any selection"):
        model.prune()
    assert len(parameter_groups(model, 0.1)) == 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: StageSchedule().step(network(), 1.5), "0 to 1, not 1.5"),
        (lambda: StageConfig(full=0.8, selective=0.3), "together at most 1"),
        (lambda: StageConfig(full=-0.1), "at least 0"),
        (lambda: StageConfig(tau_min=0), "temperature"),
        (lambda: StageConfig(selection_split=1), "below 1"),
        (lambda: StageConfig(top_k=0), "at least 1 family"),
        (lambda: StageConfig(probe=0), "above 0"),
        (lambda: StageConfig(strategy="successive", top_k=3), "leaves 2 for each unit"),
        (lambda: StageConfig(strategy="oracle", top_k=2), "leaves 1 for each unit"),
        (lambda: StageConfig(selection_lr=0), "positive"),
        (lambda: StageConfig(selection_decay=-1), "negative"),
        (lambda: StageSchedule(StageConfig(top_k=4)).step(network(), 1.0), "keep 1 to 3"),
    ],
)
def test_what_cannot_be_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
