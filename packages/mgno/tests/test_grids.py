"""Data on grids, losses and roll-outs."""

import numpy as np
import pytest
import torch
from torch import nn

from mgno import GridDataset, HelmholtzLoss, TrajectoryDataset, evaluate, make_loss, predict, rollout
from separata.pde import relative_l2


def data(n=6, channels=1):
    generator = torch.Generator().manual_seed(0)
    return GridDataset(torch.randn(n, channels, 4, 6, generator=generator), torch.randn(n, 4, 6, generator=generator))


def test_pairs_know_their_shape_and_are_split_and_coarsened():
    pairs = data()
    assert (pairs.shape.in_channels, pairs.shape.out_channels, pairs.shape.size) == (1, 1, (4, 6))
    rest, held = pairs.split(2, torch.Generator().manual_seed(1))
    rows = torch.cat([rest.x, held.x]).flatten(1).tolist()
    assert (len(rest), len(held)) == (4, 2)
    assert sorted(rows) == sorted(pairs.x.flatten(1).tolist())
    assert torch.equal(pairs.coarsened(2).y, pairs.y[..., ::2, ::2])
    mixed = pairs.shuffled(torch.Generator().manual_seed(1))
    assert torch.equal(mixed.x, pairs.x)
    assert not torch.equal(mixed.y, pairs.y)


def test_trajectories_are_pairs_of_neighboring_frames():
    frames = torch.arange(2 * 3).view(2, 3, 1, 1).expand(2, 3, 2, 2).float()
    pairs = TrajectoryDataset(frames).pairs()
    assert pairs.x[:, 0, 0, 0].tolist() == [0, 1, 3, 4]
    assert pairs.y[:, 0, 0, 0].tolist() == [1, 2, 4, 5]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GridDataset(torch.zeros(2, 3), torch.zeros(2, 3)), "x must be functions on a plane"),
        (lambda: GridDataset(torch.zeros(2, 3, 3), torch.zeros(2, 3, 4)), "as many samples on one grid"),
        (lambda: GridDataset(torch.zeros(2, 3, 3), torch.full((2, 3, 3), torch.nan)), "y has .* sample 0"),
        (lambda: data().split(6, torch.Generator()), "1 to 5 can be held out"),
        (lambda: data().coarsened(0), "stride must be at least 1"),
        (
            lambda: GridDataset(*2 * [torch.tensor([1.0, 0]).expand(2, 2, 2).permute(2, 0, 1)]).check_nonzero(),
            "zero .* sample 1 ",
        ),
        (lambda: TrajectoryDataset(torch.zeros(2, 1, 3, 3)), "at least two times"),
    ],
)
def test_wrong_data_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_losses_of_a_scaled_function_are_the_scale():
    true = data().y
    for name in ("h1", "l2", "h1-differences"):
        loss = make_loss(name, 2.0)
        torch.testing.assert_close(loss(1.25 * true, true), torch.full((6,), 0.25))
        assert not loss(true, true).any()
    for name in ("h1", "h1-differences"):
        torch.testing.assert_close(make_loss(name, 0.0)(true + 1, true), relative_l2(true + 1, true))


def test_the_helmholtz_loss_of_a_plane_is_known():
    """e = 3 x on n x n points with spacing 1/n: the slope is 3 everywhere."""
    n = 8
    error = 3 * torch.arange(n) / n * torch.ones(n, 1)
    expected = (10 * error.square().sum() + 9 * n * n).sqrt()
    torch.testing.assert_close(HelmholtzLoss()(error[None, None], torch.zeros(1, 1, n, n)), expected[None])


def test_the_helmholtz_loss_has_the_slopes_of_numpy_s_gradient():
    error = torch.randn(2, 1, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = HelmholtzLoss()(error, torch.zeros_like(error))
    for one, e in zip(found, error[:, 0].numpy(), strict=True):
        down, right = np.gradient(e, 1 / 5, 1 / 7)
        assert float(one) == pytest.approx(np.sqrt((10 * e**2 + down**2 + right**2).sum()))


class Doubled(nn.Module):
    """The next state is twice the state."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        return self.factor * x


def test_a_rollout_goes_on_from_predictions():
    x = torch.randn(3, 1, 4, 4)
    states = rollout(Doubled(), x, 3)
    torch.testing.assert_close(states, torch.stack([2 * x, 4 * x, 8 * x], 1))
    with pytest.raises(ValueError, match="at least 1 step"):
        rollout(Doubled(), x, 0)
    with pytest.raises(ValueError, match="none can follow"):
        rollout(nn.Conv2d(1, 2, 1), x, 2)
    model = nn.Conv2d(1, 2, 1).train()
    with pytest.raises(ValueError, match="none can follow"):
        rollout(model, x, 2)
    assert model.training, "in the mode that it was in"


def test_errors_of_pairs_and_of_trajectories():
    x = torch.randn(3, 1, 4, 4)
    report = evaluate(Doubled(), GridDataset(x, x))
    assert report.relative_l2 == pytest.approx(1)
    assert report.mse == pytest.approx(float(x.square().mean()))
    frames = torch.cat([x, 2 * x, 5 * x], 1)
    moving = evaluate(Doubled(), TrajectoryDataset(frames))
    assert (moving.n_steps, moving.n_samples) == (2, 6)
    assert moving.relative_l2 == pytest.approx((0 + 1 / 5) / 2)
    assert moving.rollout_l2 == pytest.approx(1 / 29**0.5)
    assert predict(Doubled(), x).shape == x.shape
