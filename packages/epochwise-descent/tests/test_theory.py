"""The closed form and the deterministic equivalent: limits, published curves, random matrices and simulations."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from epochwise_descent import (
    FeatureGroups,
    TeacherStudent,
    deterministic_equivalent,
    exact_dynamics,
    groups_dynamics,
    sample,
    sample_groups,
    turn_sizes,
    two_scale_theory,
)

FIG1 = TeacherStudent(n=150, d=100, p=70, kappa=100.0, eta=0.25)
FIG3 = TeacherStudent(n=110, d=100, p=70, eta=0.25)
T = 10 ** np.linspace(-1, 8, 181)


def test_the_beginning_and_the_end():
    start = two_scale_theory(replace(FIG1, noise=0.4), [0.0, 1e-12])
    np.testing.assert_allclose(start.error, (1 + 0.4**2) / 2, atol=1e-9)
    np.testing.assert_allclose(start.r, 0, atol=1e-9)
    end = two_scale_theory(FIG1, [np.inf])
    assert end.parts["r_fast"][0] == pytest.approx(0.7)
    assert end.parts["r_slow"][0] == pytest.approx(0.3)
    assert end.error[0] == pytest.approx(0, abs=1e-12)
    one = two_scale_theory(replace(FIG1, kappa=1.0), [1e9])
    assert one.error[0] == pytest.approx(0, abs=1e-6)
    slow = two_scale_theory(FIG1, [0.0, np.inf], "slow").error
    np.testing.assert_allclose(slow, [0.28125, 0], atol=1e-9)
    # With fewer samples than features of a group, its alignment ends at n / d.
    few = two_scale_theory(TeacherStudent(n=20, d=100, p=70, kappa=10.0), [np.inf])
    assert few.parts["r_fast"][0] == pytest.approx(0.2)


def test_each_group_alone_and_both_as_measured_before():
    """Extremes that another implementation of the formulas gave."""
    fast, slow, both = (two_scale_theory(FIG1, T, only).error for only in ("fast", "slow", None))
    assert fast.min() == pytest.approx(0.2329, abs=1e-3)
    assert T[fast.argmin()] == pytest.approx(13, rel=0.15)
    assert fast[-1] == pytest.approx(0.281, abs=1e-3)
    assert turn_sizes(slow)[2] < 1e-12
    assert slow[0] == pytest.approx(0.281, abs=1e-3)
    assert slow[-1] == pytest.approx(0, abs=1e-3)
    first, peak, _, _ = turn_sizes(both)
    assert both[first] == pytest.approx(0.2328, abs=1e-3)
    assert T[first] == pytest.approx(14, rel=0.15)
    assert both[peak] == pytest.approx(0.2677, abs=1e-3)
    assert T[peak] == pytest.approx(316, rel=0.1)
    assert both[-1] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("kappa", "first", "peak"),
    [(12, 0.2504, 0.2517), (30, 0.2616, 0.321), (100, 0.2632, 0.3794), (1000, None, 0.4089), (1e5, None, 0.4125)],
)
def test_ratios_as_measured_before(kappa, first, peak):
    error = two_scale_theory(replace(FIG3, kappa=kappa), T).error
    at = turn_sizes(error)
    assert error[at[1]] == pytest.approx(peak, abs=1e-3)
    if first is not None:
        assert error[at[0]] == pytest.approx(first, abs=1e-3)


@pytest.mark.parametrize("kappa", [1, 7])
def test_small_ratios_have_one_descent(kappa):
    assert turn_sizes(two_scale_theory(replace(FIG3, kappa=kappa), T).error)[2] < 1e-9


def test_weight_decay_as_measured_before():
    setup = TeacherStudent(n=120, d=100, p=80, kappa=40.0, noise=0.2, l2=4e-8, eta=0.25)
    error = two_scale_theory(setup, T).error
    first, peak, _, _ = turn_sizes(error)
    assert error[first] == pytest.approx(0.230, abs=2e-3)
    assert error[peak] == pytest.approx(0.295, abs=2e-3)
    assert error[peak:].min() == pytest.approx(0.104, abs=2e-3)
    assert error[-1] == pytest.approx(0.120, abs=2e-3)
    assert two_scale_theory(replace(setup, l2=4e-3), T).error[T > 1e3].min() > 0.26


def test_settings_are_broadcast():
    l2, kappa = np.array([[1e-6], [1e-2]]), np.array([10.0, 100.0, 1e3])
    found = two_scale_theory(FIG1, T, l2=l2, kappa=kappa).error
    assert found.shape == (2, 3, len(T))
    for i, j in np.ndindex(2, 3):
        one = two_scale_theory(replace(FIG1, l2=float(l2[i, 0]), kappa=float(kappa[j])), T).error
        np.testing.assert_allclose(found[i, j], one, rtol=1e-12)


def test_a_group_alone_is_a_random_matrix():
    """R of one group is the trace of G (G + lam)^-1 of a Wishart matrix, by definition of ridge regression."""
    rng = np.random.default_rng(0)
    d, n, p = 1000, 1500, 700
    x = rng.standard_normal((n, p)) / d**0.5
    eigenvalues = np.linalg.eigvalsh(x.T @ x)
    setup = TeacherStudent(n=n, d=d, p=p, kappa=100.0, eta=0.25)
    t = np.array([1.0, 10.0, 1000.0])
    lam = 1 / (0.25 * t)
    expected = (eigenvalues / (eigenvalues + lam[:, None])).sum(1) / d
    np.testing.assert_allclose(two_scale_theory(setup, t).parts["r_fast"], expected, rtol=0.02)


def test_where_the_closed_form_has_no_solution_it_is_infinite_and_says_so():
    setup = TeacherStudent(n=80, d=100, p=70)
    with pytest.warns(RuntimeWarning, match="deterministic equivalent"):
        error = two_scale_theory(setup, T).error
    assert not np.isnan(error).any()
    assert error[-1] == np.inf
    assert np.isfinite(error[0])


def test_what_is_refused():
    for options, told in (({"l2": [-1.0]}, "l2"), ({"kappa": [0.5]}, "swap")):
        with pytest.raises(ValueError, match=told):
            two_scale_theory(FIG1, T, **options)
    with pytest.raises(ValueError, match="negative"):
        two_scale_theory(FIG1, [-1.0])
    with pytest.raises(ValueError, match="l2"):
        deterministic_equivalent(FIG1, T, l2=-1.0)


# ---- the deterministic equivalent


def marchenko_pastur(ratio, function, n_points=200_001):
    """Integral of a function over the spectrum of x^T x for x (n, d) of variance 1 / d, at n / d = ratio >= 1."""
    low, high = (ratio**0.5 - 1) ** 2, (ratio**0.5 + 1) ** 2
    angle = np.linspace(0, np.pi, n_points)
    x = (low + high) / 2 - (high - low) / 2 * np.cos(angle)
    density = np.sqrt(np.clip((x - low) * (high - x), 0, None)) / (2 * np.pi * x)
    return np.trapezoid(function(x) * density * (high - low) / 2 * np.sin(angle), angle)


@pytest.mark.parametrize("l2", [0.0, 0.02, 0.3])
def test_one_group_is_an_integral_over_marchenko_pastur(l2):
    t, eta, ratio = np.array([1.0, 30.0, 1000.0]), 0.2, 1.5
    found = groups_dynamics(FeatureGroups((100,), (1.0,)), 150, t, noise=0.3, l2=l2, eta=eta)
    for i, one in enumerate(t):

        def learned(x, one=one):
            return x / (x + l2) * (1 - np.exp(-eta * one * (x + l2)))

        r = marchenko_pastur(ratio, learned)
        left = marchenko_pastur(ratio, lambda x, of=learned: (1 - of(x)) ** 2)
        noise = marchenko_pastur(ratio, lambda x, of=learned: of(x) ** 2 / x)
        assert found.r[i] == pytest.approx(r, abs=1e-6)
        assert found.excess[i] == pytest.approx((left + 0.09 * noise) / 2, abs=1e-6)


def test_the_end_of_one_group_is_ridgeless_regression():
    """Hastie et al. 2022: bias 1 - n / d, and variance n / (d - n), of fewer samples than features."""
    found = groups_dynamics(FeatureGroups((100,), (1.0,)), 60, [1e7], noise=0.5, eta=0.2)
    assert found.excess[0] == pytest.approx((0.4 + 0.25 * 60 / 40) / 2, rel=1e-4)


@pytest.mark.parametrize(
    ("groups", "n", "noise", "l2"),
    [
        (FeatureGroups((210, 90), (1.0, 0.01)), 450, 0.0, 0.0),
        (FeatureGroups((210, 90), (1.0, 0.02)), 400, 0.4, 1e-3),
        (FeatureGroups((210, 90), (1.0, 0.05)), 150, 0.2, 0.0),
        (FeatureGroups((100, 150, 50), (1.0, 0.1, 0.003)), 380, 0.3, 1e-5),
    ],
)
def test_it_is_the_mean_of_draws(groups, n, noise, l2):
    """Of 300 features, with teachers of exact norm, whose scatter would be larger than the difference."""
    batch = sample_groups(groups, n, 12, noise=noise, generator=torch.Generator().manual_seed(0))
    clean = sample_groups(groups, n, 12, noise=0.0, generator=torch.Generator().manual_seed(0))
    t = np.geomspace(1, 1e6, 13)
    norm = batch.w.norm(dim=1, keepdim=True) / 300**0.5
    y = clean.y / norm + (batch.y - clean.y)
    found = exact_dynamics(batch.x, y, batch.f, batch.w / norm, t, l2=l2, eta=0.15, dynamics="flow", noise=noise)
    limit = groups_dynamics(groups, n, t, noise=noise, l2=l2, eta=0.15)
    error = 4 * found.std / 12**0.5
    assert (np.abs(found.mean - limit.error) < error + 0.004).all(), np.abs(found.mean - limit.error)
    assert (np.abs(found.r.mean(0) - limit.r) < 0.02).all()


def test_it_is_nearer_to_gradient_descent_than_the_closed_form():
    setup = TeacherStudent(n=300, d=200, p=140, kappa=100.0)
    batch = sample(setup, 80, generator=torch.Generator().manual_seed(0))
    t = np.geomspace(3, 1e6, 25)
    scale = (batch.w.norm(dim=1, keepdim=True) / 200**0.5).square().numpy()
    found = exact_dynamics(batch.x, batch.y, batch.f, batch.w, t).excess / scale
    closed, limit = two_scale_theory(setup, t).excess, deterministic_equivalent(setup, t).excess
    away = [np.abs(one - found.mean(0)).mean() for one in (closed, limit)]
    assert away[1] < away[0] / 3, away
