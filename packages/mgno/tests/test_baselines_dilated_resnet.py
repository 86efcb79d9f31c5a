"""The dilated ResNet: what a point sees, Neumann conditions by mirrored functions, and the count of its parameters."""

import pytest
import torch

from mgno.baselines.dilated_resnet import DilatedResNet


@pytest.mark.parametrize("n_blocks", [1, 2])
def test_a_point_sees_22_points_for_each_block_and_2_more(n_blocks):
    network, reach = DilatedResNet(1, 1, width=2, n_blocks=n_blocks), 22 * n_blocks + 2
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            # Positive everywhere, so that nothing cancels and nothing is cut off.
            parameter.fill_(0.0 if name.endswith("bias") else 0.1)
    x = torch.zeros(1, 1, 2 * reach + 5, 2 * reach + 5)
    middle = reach + 2
    x[..., middle, middle] = 1
    seen = network(x)[0, 0] > 0
    assert seen[2:-2, 2:-2].all()
    assert seen.sum() == (2 * reach + 1) ** 2


def test_the_first_block_by_rolled_sums():
    network = DilatedResNet(1, 1, width=2, n_blocks=1, padding_mode="circular").double()
    u = torch.randn(2, 18, 20, dtype=torch.float64)
    v = u
    convolutions = [layer for layer in network.blocks[0].layers if hasattr(layer, "weight")]
    for layer, distance in zip(convolutions, (1, 2, 4, 8, 4, 2, 1), strict=True):
        total = layer.bias[:, None, None]
        for a in (-1, 0, 1):
            for b in (-1, 0, 1):
                moved = v.roll((-a * distance, -b * distance), (1, 2))
                total = total + torch.einsum("oi,ihw->ohw", layer.weight[:, :, a + 1, b + 1], moved)
        v = total.relu()
    torch.testing.assert_close(network.blocks[0](u[None])[0], u + v)


def test_reflection_is_the_periodic_network_on_the_mirrored_function():
    """With kernels that are symmetric; period 2n - 2."""
    reflecting = DilatedResNet(1, 1, width=3, n_blocks=1, padding_mode="reflect").double()
    with torch.no_grad():
        for parameter in reflecting.parameters():
            if parameter.ndim == 4:
                parameter.add_(parameter.flip(2)).add_(parameter.flip(3))
    periodic = DilatedResNet(1, 1, width=3, n_blocks=1, padding_mode="circular").double()
    periodic.load_state_dict(reflecting.state_dict())
    x = torch.randn(1, 1, 12, 15, dtype=torch.float64)
    mirrored = torch.cat([x, x[:, :, 1:-1].flip(2)], 2)
    mirrored = torch.cat([mirrored, mirrored[..., 1:-1].flip(3)], 3)
    torch.testing.assert_close(periodic(mirrored)[..., :12, :15], reflecting(x))


def test_it_commutes_with_every_shift():
    network, x = DilatedResNet(1, 1, width=3, padding_mode="circular"), torch.randn(1, 1, 17, 16)
    torch.testing.assert_close(network(x.roll((3, 5), (2, 3))), network(x).roll((3, 5), (2, 3)), atol=1e-6, rtol=0)


def test_number_of_parameters():
    c_in, c_out, w, n_blocks = 2, 3, 5, 3
    expected = (9 * c_in * w + w) + n_blocks * 7 * (9 * w * w + w) + (9 * w * c_out + c_out)
    network = DilatedResNet(c_in, c_out, w, n_blocks)
    assert sum(p.numel() for p in network.parameters()) == expected
    # In the paper's size, for one function.
    assert sum(p.numel() for p in DilatedResNet(1, 1).parameters()) == 480 + 28 * 20_784 + 433
