"""The second step of ReLinear: rates, weights and gradients that are shrunk."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from relinear import (
    GradientShrinkage,
    QuadraticLinear,
    QuadraticShrinkage,
    conventional_state,
    make_mlp,
    neuron,
    param_groups,
    quadratize,
)

X, Y = torch.randn(20, 4, generator=torch.manual_seed(1)), torch.arange(20) % 3


def train(model, optimizer, n=8, after=lambda: None):
    for _ in range(n):
        optimizer.zero_grad()
        cross_entropy(model(X), Y).backward()
        optimizer.step()
        after()
    return dict(model.named_parameters())


def network(kind="quadratic", init="relinear"):
    torch.manual_seed(0)
    return make_mlp((4, 6, 5, 3), kind, init)


def test_groups_have_the_rates_of_the_paper():
    groups = {one["name"]: one for one in param_groups(network(), 0.1, 1e-2, 1e-3, weight_decay=1e-4)}
    assert {name: one["lr"] for name, one in groups.items()} == pytest.approx({"regular": 0.1, "g": 1e-3, "b": 1e-4})
    assert {name: one["weight_decay"] for name, one in groups.items()} == {"regular": 1e-4, "g": 0, "b": 0}
    assert [len(one["params"]) for one in groups.values()] == [6, 6, 6]
    compact = param_groups(network("compact"), 0.1)
    assert {one["name"]: len(one["params"]) for one in compact} == {"regular": 6, "b": 6}


def test_what_is_not_quadratic_is_regular_and_none_is_lost():
    model = nn.Sequential(nn.Embedding(4, 4), network(), nn.Linear(3, 3))
    groups = param_groups(model, 0.1)
    assert sorted(id(p) for one in groups for p in one["params"]) == sorted(map(id, model.parameters()))
    assert model[2].weight in set(groups[0]["params"])


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_at_gamma_0_the_network_is_the_conventional_one_step_by_step(momentum):
    quadratic, plain = network(), network("conventional")
    optimizers = [
        torch.optim.SGD(param_groups(quadratic, 0.1, 0.0, 0.0), momentum=momentum),
        torch.optim.SGD(plain.parameters(), 0.1, momentum=momentum),
    ]
    start = copy.deepcopy(quadratic.state_dict())
    for _ in range(10):
        ours, theirs = (train(model, one, n=1) for model, one in zip((quadratic, plain), optimizers))
        for name, parameter in theirs.items():
            torch.testing.assert_close(ours[f"{name}_r"], parameter, atol=1e-6, rtol=1e-5)
    for name, parameter in ours.items():
        if not name.endswith("_r"):
            assert torch.equal(parameter, start[name]), name
    assert not torch.equal(ours["1.weight_r"], start["1.weight_r"])


class Cnn(nn.Sequential):
    """Convolutions, the first of many inputs; their biases have no gradient but rounding, which Adam would magnify."""

    def __init__(self):
        super().__init__(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 4, 3, stride=2))
        self.append(nn.AvgPool2d(15)).append(nn.Flatten())


@pytest.mark.parametrize("kind", ["sgd", "nesterov", "adamw"])
@pytest.mark.parametrize("is_large", [False, True])
def test_at_gamma_0_it_is_so_to_the_last_bit(kind, is_large):
    torch.manual_seed(0)
    if is_large:
        plain, x = Cnn(), torch.randn(24, 3, 32, 32)
        assert x.numel() > neuron.SMALL
    else:
        plain, x = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 4)), X
    quadratic = quadratize(copy.deepcopy(plain)).model
    make = {
        "sgd": lambda some: torch.optim.SGD(some, 0.05, momentum=0.9, weight_decay=0.01),
        "nesterov": lambda some: torch.optim.SGD(some, 0.05, momentum=0.9, nesterov=True),
        "adamw": lambda some: torch.optim.AdamW(some, 0.05, weight_decay=0.1),
    }[kind]
    for model, optimizer in (
        (plain, make(plain.parameters())),
        (quadratic, make(param_groups(quadratic, 0.05, 0.0, 0.0))),
    ):
        for _ in range(4):
            optimizer.zero_grad()
            cross_entropy(model(x), torch.arange(len(x)) % 4).backward()
            optimizer.step()
    for name, value in conventional_state(quadratic).items():
        assert torch.equal(value, plain.state_dict()[name]), name


def test_the_optimizer_s_own_decay_is_that_of_the_regular_parameters_alone():
    """As of `AdamW(model.parameters(), weight_decay=0.5)`, rather than none at all."""
    model = network(init="random")
    start = copy.deepcopy(dict(model.named_parameters()))
    optimizer = torch.optim.AdamW(param_groups(model, 0.1, 1.0, 1.0), weight_decay=0.5)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        factor = 1 - 0.1 * 0.5 if name.endswith("_r") else 1.0
        torch.testing.assert_close(parameter, factor * start[name], msg=name)


def test_a_parameter_that_layers_share_is_in_one_group():
    model = nn.Sequential(QuadraticLinear(3, 3), QuadraticLinear(3, 3))
    model[1].weight_g = model[0].weight_g
    groups = param_groups(model, 0.1)
    assert sorted(id(p) for one in groups for p in one["params"]) == sorted(map(id, model.parameters()))


def by_gradients(model, gamma_g, gamma_b):
    """Multiplies the gradients themselves, as an oracle."""
    for name, parameter in model.named_parameters():
        gamma = {"g": gamma_g, "b": gamma_b}.get(name[-1])
        if gamma is not None:
            parameter.grad.mul_(gamma)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_rates_are_shrunk_gradients_for_sgd_and_not_for_adam(kind):
    options = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    models = [network() for _ in range(2)]
    found = train(models[0], kind(param_groups(models[0], 0.01, 0.1, 0.2), **options))
    optimizer = kind(models[1].parameters(), 0.01, **options)
    for _ in range(8):
        optimizer.zero_grad()
        cross_entropy(models[1](X), Y).backward()
        by_gradients(models[1], 0.1, 0.2)
        optimizer.step()
    expected = dict(models[1].named_parameters())
    is_same = {name: torch.allclose(found[name], expected[name], atol=1e-6) for name in found}
    if kind is torch.optim.SGD:
        assert all(is_same.values())
    else:
        assert not is_same["1.weight_g"]


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
def test_the_first_step_of_adam_is_the_rate_of_the_group(kind):
    model = network()
    start = copy.deepcopy(dict(model.named_parameters()))
    found = train(model, kind(param_groups(model, 0.01, 0.1, 0.5, weight_decay=0.0)), n=1)
    for kind_, rate in (("r", 0.01), ("g", 0.001), ("b", 0.005)):
        moved = (found[f"1.weight_{kind_}"] - start[f"1.weight_{kind_}"]).abs().max()
        assert float(moved) == pytest.approx(rate, rel=1e-2)


def test_decay_of_adamw_leaves_quadratic_parameters_alone_unless_asked():
    for asked in (False, True):
        model = network(init="random")
        start = copy.deepcopy(dict(model.named_parameters()))
        groups = param_groups(model, 0.01, 1.0, 1.0, weight_decay=0.5, decay_quadratic=asked)
        optimizer = torch.optim.AdamW(groups)
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        decayed = {name[2:] for name, one in model.named_parameters() if not torch.equal(one, start[name])}
        expected = {"weight_r", "bias_r"} | ({"weight_g", "weight_b", "bias_b"} if asked else set())
        assert decayed == expected, "b_g, whose reference is 1, is never decayed"


def test_schedules_keep_the_ratios():
    optimizer = torch.optim.SGD(param_groups(network(), 0.1, 1e-2, 1e-3))
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [1, 2], 0.1)
    for _ in range(3):
        optimizer.step()
        schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-3, 1e-5, 1e-6])


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_weights_are_pulled_toward_their_references(norm):
    layer = QuadraticLinear(2, 1).double()
    begun = {"weight_r": [[5.0, -5.0]], "bias_r": [1.0], "weight_g": [[0.5, -0.05]], "bias_g": [0.4]}
    begun |= {"weight_b": [[2.0, -0.2]], "bias_b": [0.05]}
    layer.load_state_dict({key: torch.tensor(value, dtype=torch.float64) for key, value in begun.items()})
    QuadraticShrinkage(layer, alpha_g=0.9, alpha_b=0.8, norm=norm).step()
    # d = (0.5, -0.05), -0.6, (2, -0.2), 0.05, by hand.
    expected = {
        "l2": ([0.45, -0.045], 1 - 0.54, [1.6, -0.16], 0.04),
        "l1": ([0.4, 0.0], 1 - 0.5, [1.8, 0.0], 0.0),
    }[norm]
    found = (layer.weight_g[0].tolist(), layer.bias_g.item(), layer.weight_b[0].tolist(), layer.bias_b.item())
    for one, other in zip(found, expected):
        assert one == pytest.approx(other, abs=1e-12)
    assert layer.weight_r.tolist() == [[5, -5]]


def test_at_alpha_0_the_network_stays_conventional():
    models = [network(), network("conventional")]
    shrinkage = QuadraticShrinkage(models[0], 0.0, 0.0)
    ours = train(models[0], torch.optim.SGD(models[0].parameters(), 0.05), after=shrinkage.step)
    theirs = train(models[1], torch.optim.SGD(models[1].parameters(), 0.05))
    for name, parameter in theirs.items():
        torch.testing.assert_close(ours[f"{name}_r"], parameter, atol=1e-5, rtol=1e-4)


def test_gradients_of_sgd_are_shrunk_until_that_is_removed():
    models = [network() for _ in range(2)]
    optimizers = [torch.optim.SGD(models[0].parameters(), 0.05, momentum=0.9)]
    optimizers.append(torch.optim.SGD(param_groups(models[1], 0.05, 0.1, 0.2), momentum=0.9))
    with GradientShrinkage(optimizers[0], models[0], 0.1, 0.2):
        found = [train(model, optimizer) for model, optimizer in zip(models, optimizers)]
    for name in found[0]:
        torch.testing.assert_close(found[0][name], found[1][name], atol=1e-6, rtol=1e-5)
    cross_entropy(models[0](X), Y).backward()
    before = models[0][1].weight_g.grad.clone()
    optimizers[0].step()
    assert torch.equal(models[0][1].weight_g.grad, before)


def test_gradients_that_a_closure_computes_are_shrunk():
    """As Lightning calls optimizers."""
    models = [network() for _ in range(2)]
    optimizers = [torch.optim.SGD(model.parameters(), 0.05, momentum=0.9) for model in models]
    for model, optimizer in zip(models, optimizers):
        GradientShrinkage(optimizer, model, 0.1, 0.2)

    def closure():
        optimizers[0].zero_grad()
        loss = cross_entropy(models[0](X), Y)
        loss.backward()
        return loss

    expected = train(models[1], optimizers[1])
    for number in range(8):
        loss = optimizers[0].step(closure) if number % 2 else optimizers[0].step(closure=closure)
        assert loss > 0
    for name, parameter in models[0].named_parameters():
        torch.testing.assert_close(parameter, expected[name], msg=name)


def test_frozen_parameters_are_not_pulled():
    model = network(init="random")
    model[1].weight_g.requires_grad_(requires_grad=False)
    before = copy.deepcopy(dict(model.named_parameters()))
    QuadraticShrinkage(model, 0.5, 0.5).step()
    assert torch.equal(model[1].weight_g, before["1.weight_g"])
    torch.testing.assert_close(model[3].weight_g, before["3.weight_g"] / 2)


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.Adagrad])
def test_shrunk_gradients_are_refused_where_they_do_nothing(kind):
    model = network()
    with pytest.raises(ValueError, match=f"{kind.__name__}.*param_groups"):
        GradientShrinkage(kind(model.parameters(), 0.1), model)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: param_groups(network(), 0.1, 1.5), "gamma_g must be at least 0 and at most 1, not 1.5"),
        (lambda: param_groups(network(), 0.1, gamma_b=-1.0), "gamma_b"),
        (lambda: param_groups(network(), 0.1, gamma_b=float("nan")), "not nan"),
        (lambda: param_groups(network(), -0.1), "must not be negative"),
        (lambda: param_groups(nn.Linear(2, 2), 0.1), "no quadratic layer"),
        (lambda: param_groups(network("compact"), 0.1, gamma_g=0.1), "compact neurons do not have"),
        (lambda: QuadraticShrinkage(network(), alpha_g=2.0), "alpha_g"),
        (lambda: QuadraticShrinkage(network(), norm="max"), "l2 or l1"),
        (lambda: QuadraticShrinkage(nn.Linear(2, 2)), "with quadratize first"),
        (lambda: param_groups(network(), 0.1, decay_quadratic=True), "give weight_decay"),
        (lambda: GradientShrinkage(torch.optim.SGD(network().parameters(), 0.1), network(), 2.0), "gamma_g"),
        (
            lambda: GradientShrinkage(torch.optim.SGD(network().parameters(), 0.1), network()),
            "make it after quadratize",
        ),
    ],
)
def test_bad_settings_are_told(call, said, unchecked):
    with pytest.raises(ValueError, match=said):
        call()
