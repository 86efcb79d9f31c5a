"""Draws of teachers, modulations and data; groups of features in data of one's own; single groups."""

import numpy as np
import pytest
import torch

from epochwise_descent import (
    FeatureGroups,
    TeacherStudent,
    balanced_steps,
    effective_groups,
    exact_dynamics,
    haar,
    learned_alone,
    preconditioned,
    sample,
    sample_groups,
    simulate_batch,
)

SETUP = TeacherStudent(n=60, d=40, p=28, kappa=50.0, noise=0.2)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_random_orthogonal_matrices():
    q = haar(2000, 3, generator())
    torch.testing.assert_close(q @ q.mT, torch.eye(3, dtype=torch.float64).expand(2000, 3, 3))
    # Of an evenly distributed one, every entry has mean 0 and variance 1 / 3; QR alone makes the diagonal negative.
    assert float(q.mean(0).abs().max()) < 0.05
    assert float((q.square().mean(0) - 1 / 3).abs().max()) < 0.03


def test_the_modulation_has_the_scales_of_the_groups():
    batch = sample(SETUP, 3, generator=generator())
    sigma = torch.linalg.svdvals(batch.f)
    torch.testing.assert_close(sigma[:, :28], torch.ones(3, 28, dtype=torch.float64))
    torch.testing.assert_close(sigma[:, 28:], torch.full((3, 12), 0.02, dtype=torch.float64))
    # The columns of V belong to the groups.
    torch.testing.assert_close((batch.f @ batch.v).norm(dim=1)[:, 28:], torch.full((3, 12), 0.02, dtype=torch.float64))


def test_labels_are_the_teacher_s_and_noise():
    batch = sample(TeacherStudent(n=4000, d=10, p=5, kappa=2.0, noise=0.5), 1, generator=generator())
    z = batch.x[0] @ torch.linalg.inv(batch.f[0])
    assert float(z.var() * 10) == pytest.approx(1, rel=0.03)
    assert float((batch.y[0] - z @ batch.w[0]).std()) == pytest.approx(0.5, rel=0.05)


def test_equal_seeds_give_equal_draws():
    first, second, third = (sample(SETUP, 2, generator=generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first.x, second.x)
    assert not torch.equal(first.x, third.x)


def test_three_groups_fall_one_after_another():
    groups = FeatureGroups((20, 15, 5), (1.0, 0.05, 0.002))
    batch = sample_groups(groups, 80, 20, generator=generator())
    found = exact_dynamics(batch.x, batch.y, batch.f, batch.w, [3e2, 3e5, 1e8])
    at = found.mean
    assert at[0] > at[1] + 0.05 > at[2] + 0.1


def test_all_groups_at_one_speed_are_the_same_as_one_scale():
    """Gradient descent on whitened features does not know their scales."""
    batch = sample(SETUP, 5, generator=generator())
    t = np.geomspace(1, 1e6, 40)
    found = preconditioned(batch, t, balanced_steps(batch))
    alike = sample(TeacherStudent(n=60, d=40, p=28, kappa=1.0, noise=0.2), 5, generator=generator())
    np.testing.assert_allclose(found.mean, simulate_batch(alike, t).mean, atol=1e-9)


def test_fast_features_alone_end_at_their_least_squares_fit():
    batch = sample(SETUP, 1, generator=generator())
    found = learned_alone(batch, [1e9], "fast")
    side = (batch.x @ batch.v)[0, :, :28].numpy()
    fit = np.linalg.lstsq(side, batch.y[0].numpy(), rcond=None)[0]
    u = (batch.f @ batch.v)[0, :, :28].numpy() @ fit
    assert found.excess[0, 0] == pytest.approx(np.square(u - batch.w[0].numpy()).sum() / 80, rel=1e-9)


def test_slow_features_begin_where_fast_ones_end_and_end_where_both_do():
    batch = sample(SETUP, 3, generator=generator())
    slow = learned_alone(batch, [0.0, 1e12], "slow")
    np.testing.assert_allclose(slow.error[:, 0], learned_alone(batch, [1e12], "fast").error[:, 0], rtol=1e-8)
    np.testing.assert_allclose(slow.error[:, 1], simulate_batch(batch, [1e12]).error[:, 0], rtol=1e-6)


def test_the_groups_of_data_of_one_s_own():
    rng = np.random.default_rng(0)
    scales = np.repeat([3.0, 0.03], [12, 20])
    x = torch.from_numpy(rng.standard_normal((500, 32)) * scales + 7.0)
    found = effective_groups(x)
    assert (found.n, found.d, found.p) == (500, 32, 12)
    assert found.kappa == pytest.approx(100, rel=0.1)
    assert found.gap > 50
    assert found.setup(0.1) == TeacherStudent(500, 32, 12, found.kappa, 0.1)
    digits = pytest.importorskip("sklearn.datasets").load_digits().data
    real = effective_groups(torch.from_numpy(digits))
    assert 0 < real.p < real.d <= 64


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"p": 0}, "between 0 and d = 100"),
        ({"p": 100}, "between 0 and d = 100"),
        ({"n": 0}, "at least 1"),
        ({"kappa": 0.5}, "swap the groups"),
        ({"kappa": float("nan")}, "at least 1"),
        ({"noise": -1}, "noise must not be negative"),
        ({"l2": -1}, "l2 must not be negative"),
        ({"eta": 0}, "eta must be positive"),
    ],
)
def test_settings_that_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        TeacherStudent(**settings)


def test_other_things_that_are_refused():
    with pytest.raises(ValueError, match="size and a scale"):
        FeatureGroups((3, 4), (1.0,))
    with pytest.raises(ValueError, match="at least 3"):
        effective_groups(torch.ones(10, 4))
    batch = sample(SETUP, 1, generator=generator())
    with pytest.raises(ValueError, match="positive step"):
        preconditioned(batch, [1.0], torch.tensor([1.0]))
