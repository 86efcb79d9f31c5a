"""Whole networks: parameters to the unit, ensembles of methods, the user's own models, and what they cost."""

import copy
import io

import pytest
import torch
from torch import nn

from af_kan import (
    AFKAN,
    MLP,
    AFKANLinear,
    MethodEnsemble,
    ModelConfig,
    ScaledNetwork,
    count_flops,
    count_parameters,
    make_network,
    matched,
    replace_linear,
)
from af_kan.networks.factory import n_parameters
from af_kan.networks.network import combined

WIDTHS = (784, 64, 10)
PUBLISHED = {
    "mlp": 52_512,
    "relu-kan": 316_842,
    "bspline-kan": 508_160,
    "rbf-kan": 459_114,
    "faster-kan": 408_224,
    "bsrbf-kan": 459_040,
}
"""Parameters at 784-64-10, as counted with the published codes."""


def test_parameters_are_those_of_the_published_layer():
    assert count_parameters(AFKAN(WIDTHS)) == 52_552


@pytest.mark.parametrize(("kind", "expected"), PUBLISHED.items())
def test_parameters_of_the_others_are_those_of_their_codes(kind, expected):
    network = make_network(ModelConfig(kind, "64"), 784, 10)
    assert count_parameters(network) == expected == n_parameters(ModelConfig(kind, "64"), 784, 10)


@pytest.mark.parametrize(
    ("reduction", "own"),
    [
        ("global_attn", 7 + 1),
        ("multistep", 7),
        ("spatial_attn", 6 * 3 + 6 + 1),
        ("local_attn", 3 * (4 + 2) + 7 + 1),
        ("self_attn", 3 * (36 + 6) + 1),
        ("multihead_attn", 4 * (36 + 6)),
    ],
)
def test_a_reduction_costs_next_to_nothing(reduction, own):
    assert count_parameters(AFKANLinear(20, 5, reduction=reduction)) == 20 * 5 + 2 * 6 + own + 2 * 20


def test_what_takes_no_part_does_not_count():
    class Wasteful(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, x):
            return self.used(x)

    module = Wasteful()
    assert count_parameters(module, torch.zeros(1, 3)) == 8
    assert count_parameters(module, torch.zeros(1, 3), used_only=False) == 16
    assert count_parameters(module) == 16, "without a sample, nothing is known of it"


def test_operations_are_counted_by_the_definition():
    """An AF-KAN layer of 5 inputs, 3 outputs and 6 functions, by hand."""
    layer = AFKANLinear(5, 3, reduction="multistep", norm="none")
    features = 5 * 6 * (2 * 1 + 2 * 4 + 1 + 1)  # differences, SiLUs, a product, a square
    reduced = 5 * 6 + 2 * 5 * 6 + 5  # the sum that is not used, the weighted sum, the bias
    output = 5 * 4 + 2 * 5 * 3
    assert count_flops(layer, torch.zeros(1, 5)) == features + reduced + output
    assert layer.fused
    assert count_flops(layer, torch.zeros(7, 5)) == 7 * count_flops(layer, torch.zeros(1, 5))


def test_a_linear_layer_is_counted_as_products():
    assert count_flops(nn.Linear(8, 3, bias=False), torch.zeros(2, 8)) == 2 * 2 * 8 * 3


def test_it_takes_more_operations_than_a_perceptron():
    x = torch.zeros(1, 784)
    ours, theirs = (count_flops(network, x) for network in (AFKAN(WIDTHS), MLP(WIDTHS)))
    assert 1.2 < ours / theirs < 3


@pytest.mark.parametrize(
    ("combine", "expected"),
    [("sum", 2 + 3 + 4), ("product", 24), ("sum_product", 9 + 24), ("quadratic", 9 + 24 + 4 + 9 + 16)],
)
def test_outputs_of_streams_are_combined(combine, expected):
    outputs = [torch.full((2, 3), value) for value in (2.0, 3.0, 4.0)]
    torch.testing.assert_close(combined(outputs, combine), torch.full((2, 3), float(expected)))


def test_an_ensemble_is_its_methods_with_shared_weights():
    network = MethodEnsemble([6, 5, 4], ["multistep", "spatial_attn", "global_attn"], "product")
    x, product = torch.randn(8, 6), 1.0
    for i, method in enumerate(network.methods):
        single = AFKAN([6, 5, 4], reduction=method)
        for j, layer in enumerate(single.layers):
            state = {key: value for key, value in network.layers[j].state_dict().items() if "reduction" not in key}
            source = network.layers[j].reduction if i == 0 else network.streams[i - 1][j]
            state |= {f"reduction.{key}": value for key, value in source.state_dict().items()}
            layer.load_state_dict(state)
        product = product * single(x)
    torch.testing.assert_close(network(x), product)
    n_single = count_parameters(AFKAN([6, 5, 4], reduction="multistep"))
    assert count_parameters(network) < 1.8 * n_single


@pytest.mark.parametrize("settings", [{"norm": "batch"}, {"norm": "none", "feature_norm": "running"}])
def test_what_a_stream_remembers_of_training_is_its_own(settings):
    """After the same batch again and again, evaluation is as training was."""
    network = MethodEnsemble([6, 5, 4], ["global_attn", "multistep"], **settings)
    x = torch.randn(256, 6)
    with torch.no_grad():
        for _ in range(250):
            trained = network(x)
        assert (network.eval()(x) - trained).abs().max() < 0.1 * trained.std()


def test_an_ensemble_of_one_method_is_a_network():
    ensemble = MethodEnsemble([6, 5, 4], ["multistep"])
    network = AFKAN([6, 5, 4], reduction="multistep")
    network.load_state_dict(ensemble.state_dict())
    x = torch.randn(3, 6)
    torch.testing.assert_close(ensemble(x), network(x))


def test_images_are_flattened_and_other_axes_kept():
    network = AFKAN([64, 12, 10])
    images = torch.rand(5, 1, 8, 8)
    torch.testing.assert_close(network(images), network(images.flatten(1)))
    assert network(torch.rand(2, 3, 64)).shape == (2, 3, 10)


class OwnCNN(nn.Module):
    """A model as somebody else would write it."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.ReLU(), nn.Flatten())
        self.head = nn.Sequential(nn.Linear(36, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 10))

    def forward(self, x):
        return self.head(self.features(x))


def test_linear_layers_of_one_s_own_model_are_replaced_and_trained():
    model = OwnCNN()
    assert replace_linear(model, activation="gelu", drop_activations=True) is model
    assert isinstance(model.head[0], AFKANLinear)
    assert model.head[0].config.activation == "gelu"
    assert isinstance(model.head[1], nn.Identity)
    assert isinstance(model.features[1], nn.ReLU), "what follows no replaced layer stays"
    x, y = torch.rand(64, 1, 8, 8), torch.randint(10, (64,))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    torch.save(model.state_dict(), buffer := io.BytesIO())
    buffer.seek(0)
    copy.deepcopy(model).load_state_dict(torch.load(buffer, weights_only=True))


def test_a_predicate_chooses_by_name_and_layer():
    model = OwnCNN()
    replace_linear(model, predicate=lambda name, layer: name == "head.3" and layer.out_features == 10)
    assert type(model.head[0]) is nn.Linear
    assert isinstance(model.head[3], AFKANLinear)
    assert isinstance(model.head[1], nn.ReLU)


@pytest.mark.parametrize("last", [nn.Sigmoid, nn.Tanh, nn.Softplus, nn.ReLU])
def test_an_activation_function_that_ends_a_model_keeps_the_range_of_its_outputs(last):
    model = nn.Sequential(
        nn.Sequential(nn.Linear(4, 8), nn.ReLU()), nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1), last())
    )
    replace_linear(model, drop_activations=True)
    assert isinstance(model[0][1], nn.Identity), "a nested block, which another one follows"
    assert isinstance(model[1][1], nn.Identity)
    assert isinstance(model[1][3], last)


def test_a_shared_activation_function_that_ends_a_model_stays_there():
    act = nn.Sigmoid()
    model = nn.Sequential(nn.Linear(4, 8), act, nn.Linear(8, 1), act)
    replace_linear(model, drop_activations=True)
    assert isinstance(model[3], nn.Sigmoid)
    assert isinstance(model[1], nn.Identity)


def test_type_device_and_shared_layers_stay():
    shared = nn.Linear(4, 4, dtype=torch.double)
    model = nn.Sequential(shared, nn.Tanh(), shared).eval()
    replace_linear(model)
    assert model[0] is model[2]
    assert model[0].weight.dtype == torch.double
    assert not model[0].training
    assert isinstance(replace_linear(nn.Linear(4, 2)), AFKANLinear)


def test_the_output_of_attention_is_left_alone():
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    replace_linear(encoder)
    assert isinstance(encoder.linear1, AFKANLinear)
    assert not isinstance(encoder.self_attn.out_proj, AFKANLinear)
    encoder(torch.randn(2, 5, 8)).sum().backward()
    assert encoder.linear2.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: replace_linear(nn.Conv2d(1, 2, 3)), "no nn.Linear"),
        (lambda: replace_linear(OwnCNN(), predicate=lambda *_: False), "none of the linear layers head.0"),
        (lambda: AFKAN([5]), "two or more"),
        (lambda: AFKAN([5, 0, 2]), "positive"),
        (lambda: MethodEnsemble([3, 2], []), "at least one"),
        (lambda: MethodEnsemble([3, 2], ["mean"]), "global_attn"),
        (lambda: ModelConfig(hidden="4,x"), "whole numbers"),
        (lambda: ModelConfig("mlp", methods="multistep"), "af-kan"),
        (lambda: matched(ModelConfig("bspline-kan"), 100, 784, 10), "too small"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("kind", ["relu-kan", "bspline-kan", "rbf-kan", "faster-kan", "bsrbf-kan", "chebyshev-kan"])
def test_parameters_are_matched_by_the_width(kind):
    config = matched(ModelConfig(kind), 52_552, 784, 10)
    width = int(config.hidden)
    sizes = [n_parameters(ModelConfig(kind, str(width + i)), 784, 10) for i in (-1, 0, 1)]
    assert abs(sizes[1] - 52_552) <= min(abs(sizes[0] - 52_552), abs(sizes[2] - 52_552))
    assert width < 20


def test_a_scaled_network_takes_data_as_it_is():
    network = ScaledNetwork(nn.Linear(2, 1), 2)
    x = torch.tensor([[0.0, 5.0], [10.0, 5.0], [4.0, 5.0]])
    network.fit_inputs(x)
    network.fit_outputs(torch.tensor([1.0, 3.0, 5.0]))
    scaled = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [-0.2, 0.0]])
    expected = 3 + (8 / 3) ** 0.5 * network.network(scaled)
    torch.testing.assert_close(network(x), expected)
    images = ScaledNetwork(nn.Identity(), 4)
    images.fit_inputs(torch.rand(3, 1, 2, 2))
    torch.testing.assert_close(images(torch.tensor([[[[0.0, 0.5], [0.75, 1.0]]]])), torch.tensor([[-1, 0, 0.5, 1.0]]))
