"""The paper's networks, and what their settings mean."""

import pytest
import torch
from torch import nn

from relinear import (
    ModelConfig,
    QuadraticActivation,
    QuadraticLinear,
    ReZero,
    RunConfig,
    StrategyConfig,
    TrainConfig,
    make_mlp,
    make_network,
    qresnet,
    quadratic_layers,
)
from relinear.configs import gammas_of
from separata.models import count_parameters


@pytest.mark.parametrize(
    ("depth", "full", "compact"), [(20, 806_266, 538_330), (32, 1_389_114, 927_194), (56, 2_554_810, 1_704_922)]
)
def test_parameters_are_those_of_the_paper_s_networks(depth, full, compact):
    with torch.device("meta"):
        assert count_parameters(qresnet(depth)) == full
        assert count_parameters(qresnet(depth, neuron="compact")) == compact


def test_first_and_last_layer_of_a_residual_network_stay_conventional():
    model = qresnet(20)
    assert len(quadratic_layers(model)) == 18
    conventional = [one for one in model.modules() if isinstance(one, (nn.Conv2d, nn.Linear))]
    assert [one.weight.shape for one in conventional] == [(16, 3, 3, 3), (10, 64)]


def test_a_residual_network_begins_as_the_conventional_one_of_the_same_seed():
    torch.manual_seed(3)
    quadratic = qresnet(8).eval()
    torch.manual_seed(3)
    plain = qresnet(8, neuron="conventional").eval()
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(quadratic(x), plain(x), atol=1e-5, rtol=1e-4)
    random = qresnet(8, init="random").eval()
    assert not torch.allclose(random(x), plain(x), atol=1e-2)


def test_with_rezero_blocks_begin_as_shortcuts():
    model = qresnet(14, rezero=True).eval()
    assert sum(isinstance(one, ReZero) for one in model.modules()) == 6
    x = torch.randn(2, 3, 8, 8)
    stem = model.stem(x)
    torch.testing.assert_close(model.stages[0](stem), stem)
    model(x).sum().backward()
    assert all(one.alpha.grad.abs() > 0 for one in model.modules() if isinstance(one, ReZero))


def test_quadratic_activations_in_residual_networks():
    model = qresnet(8, neuron="activation")
    assert sum(isinstance(one, QuadraticActivation) for one in model.modules()) == 3
    assert not quadratic_layers(model)


def test_perceptrons_of_each_kind():
    networks = {kind: make_mlp((4, 6, 5, 3), kind) for kind in ("quadratic", "compact", "conventional", "activation")}
    n = 4 * 6 + 6 + 6 * 5 + 5 + 5 * 3 + 3
    assert {kind: count_parameters(one) for kind, one in networks.items()} == {
        "quadratic": 3 * n,
        "compact": 2 * n,
        "conventional": n,
        "activation": n,
    }
    x = torch.randn(7, 4)
    first, second, last = (one for one in networks["activation"] if isinstance(one, nn.Linear))
    torch.testing.assert_close(networks["activation"](x), last(second(first(x) ** 2) ** 2))
    normed = make_mlp((4, 6, 5, 3), batchnorm=True)
    kinds = [type(one) for one in normed]
    one = [QuadraticLinear, nn.BatchNorm1d, nn.ReLU]
    assert kinds == [nn.Flatten, *one, *one, QuadraticLinear]


@pytest.mark.parametrize(
    ("model", "strategy", "layers", "n_inputs"),
    [
        (ModelConfig("mlp:7x2"), StrategyConfig(), 3, 12),
        (ModelConfig("mlp:7,5", compact=True), StrategyConfig("random"), 3, 12),
        (ModelConfig("mlp:7"), StrategyConfig("conventional"), 0, 12),
        (ModelConfig("qresnet8"), StrategyConfig(), 6, 3 * 8 * 8),
    ],
)
def test_settings_make_their_network(model, strategy, layers, n_inputs):
    shape = (3, 8, 8) if model.depth else (3, 4)
    network = make_network(RunConfig(model, strategy), shape, 4)
    assert network(torch.randn(5, *shape)).shape == (5, 4)
    found = quadratic_layers(network).values()
    assert len(found) == layers
    assert all(one.form == ("compact" if model.compact else "full") for one in found)
    is_random = any(bool(one.weight_b.any()) for one in found)
    assert is_random == (strategy.strategy == "random")


def test_words_for_perceptrons():
    assert ModelConfig("mlp:64x4").hidden == (64, 64, 64, 64)
    assert ModelConfig("mlp:64,32").hidden == (64, 32)
    assert (ModelConfig("qresnet56").hidden, ModelConfig("qresnet56").depth) == ((), 56)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ModelConfig("mlp"), "mlp:64x4"),
        (lambda: ModelConfig("mlp:0x3"), "1 to 200 hidden layers"),
        (lambda: ModelConfig("mlp:9x300"), "1 to 200 hidden layers of"),
        (lambda: ModelConfig("qresnet21"), "6n \\+ 2"),
        (lambda: ModelConfig("mlp:4", rezero=True), "residual networks"),
        (lambda: StrategyConfig(gamma=1.1), "gamma must be"),
        (lambda: StrategyConfig("relinear-sw", alpha=-0.1), "alpha must be"),
        (lambda: StrategyConfig("random", gamma=0.1), "gamma is a setting of relinear-sg"),
        (lambda: StrategyConfig(alpha=0.1), "alpha is a setting of relinear-sw"),
        (lambda: TrainConfig(epochs=0), "epochs"),
        (lambda: TrainConfig(lr=0.0), "lr must be positive"),
        (lambda: TrainConfig(clip=float("inf")), "clip"),
        (lambda: TrainConfig(momentum=1.0), "momentum"),
        (lambda: make_mlp((3,)), "two or more"),
        (lambda: make_network(RunConfig(ModelConfig("qresnet8")), (12,), 2), "takes images"),
        (lambda: gammas_of("0,2"), "from 0 to 1"),
        (lambda: gammas_of("0,0.0"), "different numbers"),
        (lambda: gammas_of("all"), "--gamma takes"),
    ],
)
def test_bad_settings_are_told(make, said):
    with pytest.raises(ValueError, match=said):
        make()
