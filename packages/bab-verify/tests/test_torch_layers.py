"""PyTorch's own layers are converted directly, to what they compute."""

import time

import pytest
import torch
from torch import nn

from bab_verify import NetworkError, compute_bounds
from bab_verify.frontends.loading import load_network
from bab_verify.frontends.torch_layers import graph_from_layers

IMAGE, LINE, CUBE, FLAT = (3, 7, 8), (3, 9), (2, 4, 4, 4), (6,)
LAYERS = [
    (nn.Linear(6, 4), FLAT), (nn.Linear(8, 4, bias=False), IMAGE),
    (nn.Conv1d(3, 4, 3, padding=1), LINE), (nn.Conv2d(3, 6, (3, 2), (2, 1), (1, 0), groups=3), IMAGE),
    (nn.Conv2d(3, 2, 4, padding="same"), IMAGE), (nn.Conv2d(3, 2, 3, padding="valid", dilation=2), IMAGE),
    (nn.Conv2d(3, 2, 3, padding=(1, 2), padding_mode="circular"), IMAGE),
    (nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect"), IMAGE),
    (nn.Conv2d(3, 2, 3, padding=1, padding_mode="replicate"), IMAGE), (nn.Conv3d(2, 2, 2), CUBE),
    (nn.ConvTranspose1d(3, 2, 3, 2), LINE),
    (nn.ConvTranspose2d(3, 2, 3, (2, 3), (1, 0), output_padding=(1, 2)), IMAGE), (nn.ConvTranspose3d(2, 2, 2), CUBE),
    (nn.BatchNorm1d(6), FLAT), (nn.BatchNorm1d(3, affine=False), LINE), (nn.BatchNorm2d(3), IMAGE),
    (nn.BatchNorm3d(2), CUBE), (nn.LayerNorm(6), FLAT), (nn.LayerNorm((7, 8), elementwise_affine=False), IMAGE),
    (nn.MaxPool1d(3, 2, 1), LINE), (nn.MaxPool2d(3, 2, 1, ceil_mode=True), IMAGE), (nn.MaxPool3d(2), CUBE),
    (nn.AvgPool1d(2), LINE), (nn.AvgPool2d(3, 2, 1), IMAGE), (nn.AvgPool2d(3, 2, 1, ceil_mode=True), IMAGE),
    (nn.AvgPool2d(3, 2, 1, count_include_pad=False), IMAGE), (nn.AvgPool2d(2, divisor_override=3), IMAGE),
    (nn.AvgPool3d(2), CUBE), (nn.AdaptiveAvgPool2d(1), IMAGE), (nn.AdaptiveAvgPool2d((None, 4)), IMAGE),
    (nn.AdaptiveAvgPool1d(3), LINE),
    (nn.ReLU(), FLAT), (nn.ReLU6(), FLAT), (nn.Hardtanh(-0.5, 0.7), FLAT), (nn.LeakyReLU(0.2), FLAT),
    (nn.PReLU(), FLAT), (nn.PReLU(3), IMAGE), (nn.ELU(0.7), FLAT), (nn.SELU(), FLAT), (nn.CELU(0.7), FLAT),
    (nn.SiLU(), FLAT), (nn.Hardswish(), FLAT), (nn.Hardsigmoid(), FLAT), (nn.Sigmoid(), FLAT), (nn.Tanh(), FLAT),
    (nn.GELU(), FLAT), (nn.GELU("tanh"), FLAT), (nn.Softmax(-1), FLAT), (nn.Softmax(1), IMAGE),
    (nn.LogSoftmax(1), FLAT), (nn.Identity(), FLAT), (nn.Dropout(), FLAT), (nn.Dropout2d(), IMAGE),
    (nn.Flatten(), IMAGE), (nn.Flatten(2), IMAGE), (nn.Unflatten(1, (2, -1)), FLAT),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=[f"{i}-{type(x[0]).__name__}" for i, x in enumerate(LAYERS)])
def test_a_layer_is_what_it_computes(layer, shape, dtype):
    torch.manual_seed(0)
    layer = layer.to(dtype).eval()
    for parameter in (*layer.parameters(), *layer.buffers()):
        if parameter.is_floating_point():
            parameter.data.uniform_(0.1, 0.9)
    graph = graph_from_layers(layer, (1, *shape), torch.float64)
    assert graph is not None
    x = 4 * torch.rand(4, *shape, dtype=dtype) - 2
    with torch.no_grad():
        expected = layer(x).flatten(1).double()
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(graph(x.double()), expected, rtol=tolerance, atol=tolerance)


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, 2), nn.ReLU(), nn.Sequential(nn.Flatten(), nn.Linear(144, 20)), nn.ReLU(), nn.Linear(20, 10)
    )  # fmt: skip


def test_a_layer_that_occurs_twice_is_applied_twice():
    layer = nn.Linear(2, 2)
    module, x = nn.Sequential(layer, layer), torch.rand(3, 2)
    torch.testing.assert_close(load_network(module, x[:1]).graph(x.double()).float(), module(x))


def test_a_small_network_is_converted_within_20_ms():
    module, x = network(), torch.zeros(1, 1, 14, 14)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        load_network(module, x)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.02


def test_what_was_trained_on_is_converted_anew():
    module, x = nn.Sequential(nn.Linear(2, 1)), torch.ones(1, 2)
    before = compute_bounds(module, x, x).lower.item()
    module[0].bias.data += 1
    assert compute_bounds(module, x, x).lower.item() == pytest.approx(before + 1)


BOXES = torch.rand(2, 196)


def test_flattened_boxes_with_the_shape_of_an_input_are_those_of_images():
    module = network()
    flat = compute_bounds(module, BOXES - 0.01, BOXES + 0.01, method="crown", input_shape=(1, 14, 14))
    images = BOXES.reshape(2, 1, 14, 14)
    shaped = compute_bounds(module, images - 0.01, images + 0.01, method="crown")
    torch.testing.assert_close(flat.lower, shaped.lower)
    torch.testing.assert_close(flat.upper, shaped.upper)


def test_flattened_boxes_without_it_are_refused_in_one_sentence():
    with pytest.raises(NetworkError, match="Sequential does not take 196 numbers as its input .* as input_shape$"):
        compute_bounds(network(), BOXES, BOXES)


def test_an_input_shape_that_does_not_fit_is_refused():
    with pytest.raises(NetworkError, match=r"an input has 196 numbers, but input_shape is \[1, 3, 3\]"):
        compute_bounds(network(), BOXES, BOXES, input_shape=(1, 3, 3))
    graph = load_network(network(), input_shape=(1, 14, 14)).graph
    compute_bounds(graph, BOXES, BOXES, method="ibp", input_shape=(1, 14, 14))
    with pytest.raises(NetworkError, match="takes inputs of the shape"):
        compute_bounds(graph, BOXES, BOXES, input_shape=(1, 3, 3))
