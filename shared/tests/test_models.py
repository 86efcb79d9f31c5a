from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from separata import data
from separata.models import MLP, ResNet, SmallCNN, count_parameters, match_width
from separata.training import accuracy, train


def n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


@pytest.fixture
def one_thread():
    """Networks this small lose time to a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class TestMLP:
    @pytest.mark.parametrize("sizes", [(3, 2), (64, 10), (5, 7, 11, 2)])
    @pytest.mark.parametrize("bias", [True, False])
    def test_parameter_count(self, sizes, bias):
        expected = sum(a * b + bias * b for a, b in pairwise(sizes))
        assert n_parameters(MLP(sizes, bias=bias)) == expected

    def test_is_the_composition_of_affine_maps_and_activations(self):
        network = MLP((6, 5, 4, 3), nn.Tanh)
        x = torch.randn(2, 1, 2, 3)
        values = x.reshape(2, 6).numpy()
        (w1, b1), (w2, b2), (w3, b3) = [
            (layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in network.layers[::2]
        ]
        expected = np.tanh(np.tanh(values @ w1.T + b1) @ w2.T + b2) @ w3.T + b3
        np.testing.assert_allclose(network(x).detach(), expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("sizes", [(), (3,), (3, 0, 2)])
    def test_needs_two_positive_sizes(self, sizes):
        with pytest.raises(ValueError, match="two or more positive sizes"):
            MLP(sizes)


class TestSmallCNN:
    @pytest.mark.parametrize(("channels", "classes", "size", "width"), [(1, 10, 28, 32), (3, 7, 32, 8), (1, 2, 9, 4)])
    def test_parameter_count(self, channels, classes, size, width):
        convolutions = 9 * channels * width + width + 9 * width * 2 * width + 2 * width
        affine = 2 * width * (size // 4) ** 2 * 4 * width + 4 * width + 4 * width * classes + classes
        network = SmallCNN(channels, classes, size, width)
        assert n_parameters(network) == convolutions + affine
        assert network(torch.zeros(2, channels, size, size)).shape == (2, classes)

    def test_needs_four_pixels(self):
        with pytest.raises(ValueError, match="at least 4 pixels, not 3"):
            SmallCNN(1, 10, 3)


class TestResNet:
    # Counts that follow from He et al. 2016, table 6, with option A.
    @pytest.mark.parametrize(
        ("depth", "expected"), [(20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018), (110, 1_727_962)]
    )
    def test_parameter_count_of_the_paper(self, depth, expected):
        assert n_parameters(ResNet(depth)) == expected

    def test_parameter_count_of_other_shapes(self):
        w, n, channels, classes = 4, 2, 1, 100
        convolutions = channels * w + 2 * n * w * w
        convolutions += w * 2 * w + (2 * n - 1) * 4 * w * w
        convolutions += 2 * w * 4 * w + (2 * n - 1) * 16 * w * w
        normalisation = 2 * w + 2 * (2 * n) * (w + 2 * w + 4 * w)
        expected = 9 * convolutions + normalisation + 4 * w * classes + classes
        assert n_parameters(ResNet(6 * n + 2, classes, channels, w)) == expected

    def test_a_block_that_adds_nothing_passes_pixels_on_and_adds_zero_channels(self):
        block = ResNet(8, width=2).stages[1][0].eval()
        nn.init.zeros_(block.residual[-1].weight)
        x = torch.rand(1, 2, 6, 6)
        out = block(x)
        assert out.shape == (1, 4, 3, 3)
        assert out[:, :2].equal(x[:, :, ::2, ::2])
        assert not out[:, 2:].any()

    def test_the_stages_halve_the_resolution(self):
        network = ResNet(14).eval()
        x = network.stem(torch.zeros(1, 3, 32, 32))
        shapes = []
        for stage in network.stages:
            x = stage(x)
            shapes.append(tuple(x.shape[1:]))
        assert shapes == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]

    def test_the_depth_is_the_number_of_layers_with_weights(self):
        layers = [module for module in ResNet(26).modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        assert len(layers) == 26

    def test_weights_start_as_in_he_et_al_2015(self):
        torch.manual_seed(0)
        for layer in ResNet(20).modules():
            if isinstance(layer, nn.Conv2d):
                expected = (2 / (9 * layer.out_channels)) ** 0.5
                assert layer.weight.std().item() == pytest.approx(expected, rel=0.1)

    @pytest.mark.parametrize("depth", [21, 2, -4, 0])
    def test_the_depth_must_be_6n_plus_2(self, depth):
        with pytest.raises(ValueError, match=rf"6n \+ 2 .*, not {depth}$"):
            ResNet(depth)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("make", "epochs"),
    [
        (lambda: MLP((64, 32, 10)), 6),
        (lambda: SmallCNN(1, 10, 8, width=8), 6),
        (lambda: ResNet(8, in_channels=1, width=8), 3),
    ],
    ids=["mlp", "cnn", "resnet"],
)
def test_learns_digits(make, epochs):
    torch.manual_seed(0)
    network, digits, test = make(), data.load("digits"), data.load("digits", split="test")
    train(
        network,
        digits.images,
        digits.labels,
        epochs=epochs,
        batch_size=64,
        optimizer=torch.optim.Adam(network.parameters(), 1e-2),
        generator=torch.Generator().manual_seed(0),
    )
    assert accuracy(network, test.images, test.labels) > 0.9


def test_parameters_are_the_trainable_numbers():
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 5, dtype=torch.complex64))
    assert count_parameters(network) == (3 * 2 + 2) + 2 * 2 + 2 * (2 * 5 + 5)
    network[0].weight.requires_grad_(requires_grad=False)
    assert count_parameters(network) == 2 + 2 * 2 + 2 * (2 * 5 + 5)


@given(budget=st.integers(20, 100_000), inputs=st.integers(1, 50), outputs=st.integers(1, 10))
def test_the_matched_width_is_the_nearest_of_all(budget: int, inputs: int, outputs: int) -> None:
    def count(width: int) -> int:
        return width * (inputs + 1) + outputs * (width + 1)

    if count(1) > 1.5 * budget:
        with pytest.raises(ValueError, match="too small: with a width of 1"):
            match_width(count, budget)
        return
    best = min(range(1, 3_000), key=lambda width: abs(count(width) - budget))
    found = match_width(count, budget, most=2_999)
    assert abs(count(found) - budget) == abs(count(best) - budget)


def test_a_width_is_at_most_the_largest_that_is_asked_for() -> None:
    assert match_width(lambda width: width, 1_000, most=7) == 7
    assert match_width(lambda width: 10 * width, 15) == 1
    assert match_width(lambda width: sum(p.numel() for p in MLP((784, width, 10)).parameters()), 52_512) == 66
