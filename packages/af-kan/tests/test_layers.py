"""The layer against the numbers of the published code, and its invariances."""

import math

import pytest
import torch
from torch import nn

from af_kan import AFKANLinear
from af_kan.configs import LayerConfig

X = torch.tensor([[0.1, -0.5, 1.2], [0.7, 0.0, -1.0]])
OTHERS = ["spatial_attn", "local_attn", "self_attn", "multihead_attn"]


def known_layer(**settings):
    """The layer whose outputs were computed by the published code."""
    layer = AFKANLinear(3, 2, **settings)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.5, -0.25, 1.0], [0.2, 0.4, -0.6]]))
        layer.reduction.weight.copy_(torch.tensor([0.1, -0.2, 0.3, -0.4, 0.5, -0.6]))
        layer.reduction.bias.fill_(0.05)
    return layer


def test_features_are_those_of_the_published_code():
    expected = torch.tensor([0.0115489, 0.0358168, 0.0282951, 0.0025141, 0.0178627, 0.1149543])
    torch.testing.assert_close(known_layer().features(X)[0, 0], expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [[-0.411866, 0.351920], [1.057245, -0.812194]]),
        ({"reduction": "multistep"}, [[0.963879, -0.596438], [0.135114, 0.372194]]),
        ({"combination": "quad2"}, [[1.050353, -0.808007], [0.620290, -0.045407]]),
        ({"combination": "cubic2"}, [[0.629349, -0.061760], [-0.121111, 0.440164]]),
        ({"feature_norm": "batch"}, [[-0.359978, 0.310285], [1.056551, -0.811791]]),
    ],
)
def test_outputs_are_those_of_the_published_code(settings, expected, fused):
    layer = known_layer(fused=fused, **settings)
    torch.testing.assert_close(layer(X), torch.tensor(expected), atol=1e-4, rtol=0)


def test_temperature_begins_at_the_root_of_the_width():
    assert known_layer().reduction.temperature.tau.item() == pytest.approx(math.sqrt(3))


def test_dividing_by_the_norm_of_all_functions_first_changes_nothing():
    layer = known_layer(feature_norm="batch")
    features = known_layer().features(X)
    scaled = features / features.norm()
    expected = (scaled - scaled.min()) / (scaled.max() - scaled.min())
    torch.testing.assert_close(layer.features(X), expected, atol=1e-5, rtol=0)
    assert layer.features(X).min() == 0
    assert layer.features(X).max() == 1


def test_the_bias_of_global_attention_has_no_effect():
    layer = known_layer()
    before = layer(X)
    layer.reduction.bias.data.fill_(7.0)
    torch.testing.assert_close(layer(X), before)


def permuted(layer, order):
    """The layer with its coordinates in another order."""
    other = AFKANLinear(layer.in_features, layer.out_features, layer.config)
    other.load_state_dict(layer.state_dict())
    with torch.no_grad():
        other.weight.copy_(layer.weight[:, order])
        other.norm.weight.copy_(layer.norm.weight[order])
        other.norm.bias.copy_(layer.norm.bias[order])
    return other


@pytest.mark.parametrize("reduction", ["global_attn", "multistep", "self_attn", "multihead_attn", "local_attn"])
def test_the_order_of_coordinates_does_not_matter(reduction):
    layer = AFKANLinear(7, 4, reduction=reduction)
    nn.init.normal_(layer.norm.weight)
    nn.init.normal_(layer.norm.bias)
    x, order = torch.randn(5, 7), torch.randperm(7)
    torch.testing.assert_close(permuted(layer, order)(x[:, order]), layer(x), atol=1e-5, rtol=1e-4)


def test_the_order_of_coordinates_matters_to_spatial_attention():
    layer = AFKANLinear(7, 4, reduction="spatial_attn")
    x, order = torch.randn(5, 7), torch.tensor([3, 0, 6, 1, 5, 2, 4])
    assert (permuted(layer, order)(x[:, order]) - layer(x)).abs().max() > 1e-3


@pytest.mark.parametrize("reduction", ["global_attn", "multistep", *OTHERS])
@pytest.mark.parametrize("feature_norm", ["none", "sample", "running", "batch"])
def test_a_sample_is_computed_by_itself_unless_features_are_scaled_over_the_batch(reduction, feature_norm):
    layer = AFKANLinear(6, 4, reduction=reduction, feature_norm=feature_norm)
    x = torch.randn(8, 6)
    layer(x)  # a running range has seen something
    layer.eval()
    together, alone = layer(x), torch.cat([layer(one[None]) for one in x])
    difference = (together - alone).abs().max()
    assert difference > 1e-4 if feature_norm == "batch" else difference < 1e-5


def test_a_running_range_is_that_of_training():
    layer = AFKANLinear(6, 4, feature_norm="running")
    first, second = torch.randn(8, 6), 2 * torch.randn(8, 6)
    ranges = [layer.__class__(6, 4).features(x) for x in (first, second)]
    layer(first)
    layer(second)
    for name, of in (("smallest", torch.min), ("largest", torch.max)):
        expected = 0.9 * of(ranges[0]) + 0.1 * of(ranges[1])
        torch.testing.assert_close(getattr(layer.feature_norm, name), expected)
    layer.eval()
    state = {name: value.clone() for name, value in layer.state_dict().items()}
    layer(torch.randn(3, 6))
    assert all(torch.equal(value, state[name]) for name, value in layer.state_dict().items())


@pytest.mark.parametrize("norm", ["layer", "batch", "none"])
def test_any_axes_before_the_last_are_a_batch(norm):
    layer = AFKANLinear(6, 4, norm=norm).eval()
    x = torch.randn(2, 3, 5, 6)
    torch.testing.assert_close(layer(x), layer(x.view(-1, 6)).view(2, 3, 5, 4))
    assert layer(x[0, 0, 0]).shape == (4,)
    assert layer(x[:0]).shape == (0, 3, 5, 4)


def test_the_eps_of_the_normalization_matters_where_the_softmax_is_over_many_coordinates():
    """With 784 coordinates, the variance of z is below the usual eps."""
    x = torch.rand(4, 784)
    usual, exact = AFKANLinear(784, 3), AFKANLinear(784, 3, norm_eps=1e-12)
    exact.load_state_dict(usual.state_dict())
    assert usual.reduce(x).var(-1, correction=0).max() < 1e-5
    assert usual.norm(usual.reduce(x)).std(-1).max() < 0.9
    torch.testing.assert_close(exact.norm(exact.reduce(x)).std(-1), torch.ones(4), atol=0.01, rtol=0)


def test_a_fixed_grid_is_not_trained():
    layer = AFKANLinear(6, 4, trainable_grid=False)
    assert {name for name, _ in layer.named_parameters()} == {
        "weight",
        "reduction.weight",
        "reduction.bias",
        "reduction.temperature.tau",
        "norm.weight",
        "norm.bias",
    }
    assert {"low", "high"} <= layer.state_dict().keys()


@pytest.mark.parametrize("combination", ["quad1", "quad2", "sum", "prod", "sum_prod", "cubic1", "cubic2"])
@pytest.mark.parametrize("reduction", ["global_attn", "multistep", *OTHERS])
def test_gradients_of_the_layer_are_finite_differences(combination, reduction):
    layer = AFKANLinear(3, 2, combination=combination, reduction=reduction, grid_size=2, order=2).double()
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(0.1 * torch.randn_like(p))
    names = [name for name, _ in layer.named_parameters()]

    def run(x, *values):
        return torch.func.functional_call(layer, dict(zip(names, values)), (x,))

    values = [p.detach().clone().requires_grad_() for p in layer.parameters()]
    x = torch.randn(2, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(run, (x, *values), atol=1e-5, fast_mode=True)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: AFKANLinear(3, 2)(torch.zeros(4, 5)), r"last axis of 3, got \(4, 5\)"),
        (lambda: AFKANLinear(3, 2)(torch.zeros(4, 3, dtype=torch.long)), "floating-point"),
        (lambda: AFKANLinear(3, 2, norm="batch")(torch.zeros(1, 3)), "single sample"),
        (lambda: AFKANLinear(3, 2, feature_norm="batch", activation="identity", combination="sum")(X), "all equal"),
        (lambda: AFKANLinear(0, 2), "positive widths"),
        (lambda: AFKANLinear(3, 2, grid_size=0), "grid size"),
        (lambda: AFKANLinear(3, 2, order=-1), "order"),
        (lambda: AFKANLinear(3, 2, activation="swish"), "softplus, sigmoid, silu"),
        (lambda: AFKANLinear(3, 2, reduction="attention"), "global_attn, multistep"),
        (lambda: AFKANLinear(3, 2, norm="group"), "layer, batch, none"),
        (lambda: AFKANLinear(1, 2), "constant"),
        (lambda: AFKANLinear(3, 2, grid_size=1, order=0, reduction="local_attn"), "windows"),
        (lambda: LayerConfig(norm_eps=0.0), "positive"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_wrong_is_said_in_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_an_unknown_setting_is_a_type_error():
    with pytest.raises(TypeError, match="grid"):
        AFKANLinear(3, 2, grid=4)
