"""What all baselines have in common: any grid, gradients, weights on disk, and one sentence for what is wrong."""

import io

import pytest
import torch

from mgno.baselines.dilated_resnet import DilatedResNet
from mgno.baselines.fno import FNO
from mgno.baselines.unet import UNet

BOUNDARIES = ["zeros", "circular", "reflect"]
SMALL = {
    "fno": lambda **options: FNO(2, 3, width=4, n_modes=5, num_layers=2, **options),
    "unet": lambda **options: UNet(2, 3, width=4, n_levels=3, **options),
    "dilated_resnet": lambda **options: DilatedResNet(2, 3, width=4, n_blocks=1, **options),
}
each = pytest.mark.parametrize("make", SMALL.values(), ids=SMALL)
each_convolutional = pytest.mark.parametrize("make", list(SMALL.values())[1:], ids=list(SMALL)[1:])


@pytest.mark.parametrize("size", [15, 16, 17, 31])
@each
def test_the_output_is_on_the_grid_of_the_input(make, size):
    assert make()(torch.randn(2, 2, size, size)).shape == (2, 3, size, size)
    assert make()(torch.randn(1, 2, size, 18)).isfinite().all()


@pytest.mark.parametrize("size", [15, 16, 17, 31])
@pytest.mark.parametrize("boundary", BOUNDARIES)
@each_convolutional
def test_with_every_boundary_condition(make, boundary, size):
    out = make(padding_mode=boundary)(torch.randn(1, 2, size, 19))
    assert out.shape == (1, 3, size, 19)
    assert out.isfinite().all()


@pytest.mark.parametrize("boundary", BOUNDARIES)
@each_convolutional
def test_only_zeros_tell_a_constant_function_where_the_boundary_is(make, boundary):
    network = make(padding_mode=boundary).eval()
    if isinstance(network, UNet):
        # Else the four points that a coarse one becomes differ.
        with torch.no_grad():
            for up in network.up:
                up.weight.copy_(up.weight.mean((2, 3), keepdim=True).expand_as(up.weight))
    out = network(torch.ones(1, 2, 17, 22))
    spread = (out - out[..., 8:9, 11:12]).abs().max()
    assert (spread > 1e-3) if boundary == "zeros" else (spread < 1e-5)


@each_convolutional
def test_periodic_networks_commute_with_shifts(make):
    network = make(padding_mode="circular").eval()
    x, shift = torch.randn(1, 2, 24, 32), (8, -16)
    torch.testing.assert_close(network(x.roll(shift, (2, 3))), network(x).roll(shift, (2, 3)), atol=1e-5, rtol=0)
    zeros = make(padding_mode="zeros").eval()
    assert (zeros(x.roll(shift, (2, 3))) - zeros(x).roll(shift, (2, 3))).abs().max() > 1e-2


@each
def test_every_parameter_has_a_gradient(make):
    network = make()
    network(torch.randn(2, 2, 16, 16)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (FNO(1, 1, width=2, n_modes=(2, 3), num_layers=2, padding=0.2), (5, 6)),
        (UNet(1, 1, width=2, n_levels=2, norm="group"), (5, 6)),
        (DilatedResNet(1, 1, width=2, n_blocks=1), (5, 6)),
    ],
    ids=SMALL,
)
def test_gradients_are_those_of_finite_differences(network, shape):
    torch.manual_seed(1)
    x = torch.randn(1, 1, *shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network.double(), x)


@each
def test_weights_survive_the_disk(make):
    network, x = make().eval(), torch.randn(1, 2, 17, 16)
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    other = make().eval()
    assert not torch.equal(other(x), network(x))
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(x), network(x))


@each
def test_mixed_precision(make):
    network, x = make().eval(), torch.randn(1, 2, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = network(x)
    assert (mixed.float() - network(x)).norm() < 0.1 * network(x).norm()


@each
def test_wrong_inputs_are_refused(make):
    with pytest.raises(ValueError, match="takes 2 input channels, not 3"):
        make()(torch.zeros(1, 3, 16, 16))


@each
def test_wrong_ranks_are_refused(make, unchecked):
    with pytest.raises(ValueError, match=r"\(batch, channels, height, width\), not \(2, 16, 16\)"):
        make()(torch.zeros(2, 16, 16))


@pytest.mark.parametrize(
    ("network", "least", "reason"),
    [
        (FNO(1, 1, 2, 4, 1), 1, ""),
        *[(UNet(1, 1, 2, 3, mode), least, " with 3 levels") for mode, least in zip(BOUNDARIES, [5, 5, 9])],
        *[
            (DilatedResNet(1, 1, 2, 1, mode), least, " for dilations up to 8")
            for mode, least in zip(BOUNDARIES, [1, 8, 9])
        ],
    ],
)
def test_too_small_grids_are_refused_with_the_least_size(network, least, reason):
    network.eval()
    assert network(torch.randn(1, 1, least, least)).isfinite().all()
    with pytest.raises(ValueError, match=f"at least {least}x{least}{reason}, not {least + 3}x{least - 1}$"):
        network(torch.zeros(1, 1, least + 3, least - 1))


@pytest.mark.parametrize("make", [FNO, UNet, DilatedResNet])
def test_wrong_sizes_are_refused(make):
    with pytest.raises(ValueError, match="width must be at least 1, not 0"):
        make(1, 1, width=0)
    with pytest.raises(ValueError, match="in_channels must be at least 1, not -1"):
        make(-1, 1)


def test_wrong_choices_are_refused(unchecked):
    for make in (UNet, DilatedResNet):
        with pytest.raises(ValueError, match="one of zeros, circular, reflect, not 'dirichlet'"):
            make(1, 1, padding_mode="dirichlet")
    with pytest.raises(ValueError, match="one of batch, group, none, not 'layer'"):
        UNet(1, 1, norm="layer")
    with pytest.raises(ValueError, match="padding must be a share"):
        FNO(1, 1, padding=-0.1)
    with pytest.raises(ValueError, match="n_modes must be at least 1, not 0"):
        FNO(1, 1, n_modes=(0, 3))
    with pytest.raises(ValueError, match=r"mlp_ratio \* width must be at least 1, not 0"):
        FNO(1, 1, mlp_ratio=0)
