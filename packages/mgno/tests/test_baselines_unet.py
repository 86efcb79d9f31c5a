"""The U-Net: what skips and coarse levels carry, and the count of its parameters."""

import pytest
import torch

from mgno.baselines.unet import UNet


def touched(network, size=32):
    """Where the output changes when the value in the middle does: the extent in rows."""
    x = torch.randn(1, 1, size, size)
    y = x.clone()
    y[..., size // 2, size // 2] += 1
    rows = (network(y) != network(x)).any(3)[0, 0].nonzero()
    return int(rows.min()) - size // 2, int(rows.max()) - size // 2


def test_skips_carry_what_is_near_and_coarse_levels_what_is_far():
    network = UNet(1, 1, width=3, n_levels=3, norm="none").eval()
    low, high = touched(network)
    assert low < -10
    assert high > 10
    for level in (2, 1, 0):
        torch.nn.init.zeros_(network.up[level].weight)
        # Each level below sees two convolutions down, two up, of points twice as far apart, and the pooling's.
        reach = [4, 4 + 8 + 2, 4 + 8 + 16 + 4][level]
        low, high = touched(network)
        assert -reach <= low
        assert high <= reach
    assert (low, high) == (-4, 4)


def test_poolings_take_maxima_of_two_by_two_with_what_is_left_at_the_end():
    network = UNet(1, 1, width=1, n_levels=1).eval()
    x = torch.arange(15.0).reshape(1, 1, 3, 5)
    assert network.pool(x).tolist() == [[[[6, 8, 9], [11, 13, 14]]]]


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
@pytest.mark.parametrize(("width", "n_levels"), [(3, 1), (4, 3)])
def test_number_of_parameters(width, n_levels, norm):
    c_in, c_out = 2, 3
    # Two for each channel after a convolution: scale and shift, or one: its bias.
    more = 1 if norm == "none" else 2
    expected = 9 * c_in * width + 9 * width**2 + 2 * more * width
    for level in range(n_levels):
        c = width * 2**level
        down = 9 * c * 2 * c + 9 * (2 * c) ** 2 + 2 * more * 2 * c
        up = 4 * 2 * c * c + c
        out = 9 * 2 * c * c + 9 * c**2 + 2 * more * c
        expected += down + up + out
    expected += width * c_out + c_out
    network = UNet(c_in, c_out, width, n_levels, norm=norm)
    assert sum(p.numel() for p in network.parameters()) == expected


def test_normalization_over_the_batch_needs_more_than_one_value():
    network, x = UNet(1, 1, width=2, n_levels=3), torch.randn(1, 1, 8, 8)
    with pytest.raises(ValueError, match="larger than 8 with 3 levels to train on one sample"):
        network(x)
    assert network(x.expand(2, -1, -1, -1)).isfinite().all()
    assert network.eval()(x).isfinite().all()
    assert UNet(1, 1, width=2, n_levels=3, norm="group")(x).isfinite().all()


def test_over_all_channels_a_sample_does_not_depend_on_the_others():
    network, x = UNet(1, 1, width=2, n_levels=2, norm="group"), torch.randn(3, 1, 9, 9)
    torch.testing.assert_close(network(x)[1:2], network(x[1:2]))
    network = UNet(1, 1, width=2, n_levels=2, norm="batch")
    assert (network(x)[1:2] - network(x[1:2])).abs().max() > 1e-3
