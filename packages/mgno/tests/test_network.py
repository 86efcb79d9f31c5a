"""The network: published sizes, places and shifts, refusals, and use in a network of one's own."""

import pytest
import torch
from torch import nn

from mgno import BiasFunction, MgNO, MgNO1d, MultigridConv2d, count_parameters

TWO = ((1, 0), (2, 0))


def test_parameters_are_those_of_the_published_networks():
    assert count_parameters(MgNO.darcy()) == 572_661
    assert count_parameters(MgNO.darcy_smooth()) == 738_573


@pytest.mark.parametrize(
    ("network", "size"),
    [
        (MgNO.darcy(), 33),
        (MgNO.navier_stokes(2), 32),
        (MgNO.helmholtz(), 101),
        (MgNO.pipe(), 35),
        (MgNO(1, 3, 4, 2, TWO, bias="function", pointwise_skip=False, lift_project=True), 9),
    ],
    ids=["darcy", "navier-stokes", "helmholtz", "pipe", "lifted"],
)
def test_published_networks_run_on_their_grids(network, size):
    x = torch.randn(1, network.in_channels, size, size)
    with torch.no_grad():
        assert network(x).shape == (1, network.out_channels, size, size)


def test_a_layer_is_what_the_formula_says():
    network = MgNO(2, 1, 3, 1, TWO)
    a = torch.randn(2, 2, 8, 8)
    layer = network.layers[0]
    inner = layer.operator(a) + nn.functional.conv2d(a, layer.pointwise.weight, layer.pointwise.bias)
    expected = torch.einsum("oi,bihw->bohw", network.head.weight[..., 0, 0], nn.functional.gelu(inner))
    torch.testing.assert_close(network(a), expected)


def test_a_normalized_layer_is_normalized_before_its_activation():
    layer = MgNO(1, 1, 3, 1, TWO, norm="layer", activation="relu").layers[0]
    a = torch.randn(4, 1, 8, 8)
    inner = layer.operator(a) + layer.pointwise(a)
    expected = nn.functional.relu(nn.functional.layer_norm(inner, inner.shape[1:]))
    torch.testing.assert_close(layer(a), expected)


@pytest.mark.parametrize("norm", ["cycle", "both"])
def test_the_last_map_is_linear_so_that_functions_have_their_own_sizes(norm):
    network = MgNO(1, 1, 4, 1, TWO, norm=norm, head="operator", bias="none")
    h = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(network.head(3 * h), 3 * network.head(h))


def test_the_bias_of_operators_is_that_of_smoothing_steps_as_published():
    names = [name for name, _ in MgNO.navier_stokes().layers[0].operator.named_parameters() if name.endswith("bias")]
    assert names
    assert all(".norm." in name or ".A." in name or ".S." in name for name in names)


def test_a_residual_network_adds_its_input():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain = MgNO(1, 1, 3, 1, TWO)
    residual = MgNO(1, 1, 3, 1, TWO, residual=True)
    residual.load_state_dict(plain.state_dict())
    a = torch.randn(1, 1, 8, 8)
    torch.testing.assert_close(residual(a), plain(a) + a)


def test_periodic_networks_commute_with_shifts_unless_they_know_places():
    a = torch.randn(1, 1, 16, 16).double()
    for bias in ("none", "scalar", "function"):
        network = MgNO(1, 1, 4, 2, TWO, "circular", bias=bias).double()
        if bias == "function":
            for layer in network.layers:
                nn.init.normal_(layer.bias.values)
        with torch.no_grad():
            difference = network(a.roll((2, -4), (2, 3))) - network(a).roll((2, -4), (2, 3))
        assert (float(difference.abs().max()) < 1e-12) == (bias != "function")


@pytest.mark.parametrize("padding_mode", ["zeros", "circular"])
def test_a_bias_function_is_interpolated_between_its_points(padding_mode):
    bias = BiasFunction(1, 1, 4, padding_mode)
    with torch.no_grad():
        bias.values.copy_(torch.tensor([0.0, 3.0, 6.0, 9.0])[None, None])
        found = bias(torch.zeros(1, 1, 8 if padding_mode == "circular" else 7))[0, 0]
    expected = [0, 1.5, 3, 4.5, 6, 7.5, 9] + ([4.5] if padding_mode == "circular" else [])
    torch.testing.assert_close(found, torch.tensor(expected))


def test_networks_on_a_line():
    network = MgNO1d(1, 2, 4, 2, TWO, "circular", bias="function")
    assert network(torch.randn(3, 1, 17)).shape == (3, 2, 17)


class OwnUNet(nn.Module):
    """A user's own small U-Net, which has a multigrid convolution where it had a convolution."""

    def __init__(self, layer):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU())
        self.middle = nn.Sequential(nn.MaxPool2d(2), layer, nn.ReLU(), nn.Upsample(scale_factor=2))
        self.up = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, x):
        skip = self.down(x)
        return self.up(torch.cat([skip, self.middle(skip)], 1))


def test_a_layer_serves_in_a_network_and_a_loop_of_one_s_own():
    """The mean over the whole square is beyond the reach of the U-Net's own convolutions."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(16, 1, 16, 16, generator=generator) + torch.randn(16, 1, 1, 1, generator=generator)
    y = x.mean((2, 3), keepdim=True).expand_as(x)
    errors = []
    for layer in (MultigridConv2d(8, 8, ((1, 0), (1, 0), (2, 0)), "circular"), nn.Conv2d(8, 8, 3, padding=1)):
        with torch.random.fork_rng():
            torch.manual_seed(1)
            network = OwnUNet(layer)
        optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
        for _ in range(40):
            loss = nn.functional.mse_loss(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        errors.append(float(loss.detach()))
    assert errors[0] < 0.6 * errors[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"width": 0}, "at least 1, not 0 and 4"),
        ({"residual": True, "out_channels": 2}, "as many channels, not 1 and 2"),
    ],
)
def test_wrong_settings_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        MgNO(**{"in_channels": 1, "out_channels": 1, **arguments})


def test_wrong_functions_are_refused():
    with pytest.raises(ValueError, match=r"expected functions \(batch, 1, height, width\)"):
        MgNO(1, 1, 4, 1, TWO)(torch.zeros(8, 8))
