"""Loops on reduced problems against PyTorch's and SciPy's optimizers on the features themselves."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import cg

from double_descent import FitConfig, fit
from double_descent.fitting import path
from double_descent.least_squares import LeastSquares, initial_weights

N, C = 12, 2


def problem(p, n_seeds=1, seed=0):
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(n_seeds, N, p, generator=random, dtype=torch.float64)
    return LeastSquares(z, torch.randn(n_seeds, N, C, generator=random, dtype=torch.float64))


def by_torch(z, y, start, make, steps, batches=None):
    weights = start.clone().requires_grad_()
    optimizer = make([weights])
    for step in range(steps):
        index = slice(None) if batches is None else batches[step]
        optimizer.zero_grad()
        ((z[index] @ weights - y[index]).square().sum() / (2 * len(y[index]))).backward()
        optimizer.step()
    return weights.detach()


@pytest.mark.parametrize("p", [7, 12, 40])
def test_adam_is_pytorchs(p):
    both = problem(p)
    ((_, weights),) = path(both, FitConfig("adam", lr=0.03, init_std=0.1), [60], [5])
    start = initial_weights(p, C, 0.1, [5])[0]
    expected = by_torch(both.features[0], both.targets[0], start, lambda w: torch.optim.Adam(w, 0.03), 60)
    torch.testing.assert_close(weights[0], expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("p", [7, 40])
def test_sgd_in_the_basis_of_the_features_is_sgd_on_them(p):
    both = problem(p)
    ((_, weights),) = path(both, FitConfig("sgd", lr=0.2, batch_size=5, init_std=0.3), [20], [3])
    random = torch.Generator().manual_seed(3)
    batches = [one for _ in range(7) for one in torch.randperm(N, generator=random).split(5)]
    lr = 0.2 / float(torch.linalg.matrix_norm(both.features[0], 2).square() / N)
    start = initial_weights(p, C, 0.3, [3])[0]
    sgd = by_torch(both.features[0], both.targets[0], start, lambda w: torch.optim.SGD(w, lr), 20, batches)
    torch.testing.assert_close(weights[0], sgd, atol=1e-10, rtol=0)


def test_sgd_with_all_samples_is_gradient_descent():
    both = problem(7)
    ((_, sgd),) = path(both, FitConfig("sgd", lr=0.5, batch_size=N), [30], [0])
    ((_, gd),) = path(both, FitConfig("gd", lr=0.5), [30], [0])
    torch.testing.assert_close(sgd, gd, atol=1e-11, rtol=0)


@pytest.mark.parametrize("p", [7, 40])
def test_conjugate_gradients_are_scipys(p):
    both = problem(p)
    z, y = both.features[0].numpy(), both.targets[0].numpy()
    ((_, weights),) = path(both, FitConfig("cg"), [4], [0])
    expected = [cg(z.T @ z, z.T @ one, maxiter=4, rtol=0)[0] for one in y.T]
    np.testing.assert_allclose(weights[0], np.array(expected).T, atol=1e-9)


def test_lbfgs_with_exact_line_search_makes_the_steps_of_conjugate_gradients():
    # On a quadratic, as long as it forgets no pair (Nocedal and Wright, theorem 7.4): with one output both are one run.
    both = problem(7)
    one = LeastSquares(both.features, both.targets[..., :1])
    for steps in (1, 3, 6):
        ends = [next(iter(path(one, FitConfig(name), [steps], [0])))[1] for name in ("lbfgs", "cg")]
        torch.testing.assert_close(*ends, atol=1e-8, rtol=0)


@pytest.mark.parametrize("name", ["cg", "lbfgs"])
def test_they_end_at_least_squares_and_stay_there(name):
    both = problem(7)
    ((_, weights),) = path(both, FitConfig(name), [200], [0])
    expected = np.linalg.lstsq(both.features[0].numpy(), both.targets[0].numpy(), rcond=None)[0]
    np.testing.assert_allclose(weights[0], expected, atol=1e-8)


@pytest.mark.parametrize("name", ["gd", "momentum", "nesterov", "sgd", "adam", "cg", "lbfgs", "ridge", "exact"])
def test_a_seed_in_a_batch_is_as_if_alone(name):
    both = problem(9, n_seeds=3)
    config = FitConfig(name, batch_size=5, init_std=0.1)
    together = [weights for _, weights in path(both, config, [3, 25], [4, 5, 6])]
    for i, seed in enumerate((4, 5, 6)):
        own = LeastSquares(both.features[i : i + 1], both.targets[i : i + 1])
        alone = [weights[0] for _, weights in path(own, config, [3, 25], [seed])]
        for one, other in zip(together, alone, strict=True):
            torch.testing.assert_close(one[i], other, atol=1e-9, rtol=0)


def test_a_tolerance_ends_a_loop():
    both = problem(7)
    z, y = both.features[0], both.targets[0]
    short = fit(z, y, "adam", 4000, lr=0.05, tol=0.5)
    long = fit(z, y, "adam", 4000, lr=0.05)
    assert short.train_loss > long.train_loss * 1.001
    assert fit(z, y, "adam", 4000, lr=0.05, tol=1e-30).train_loss == long.train_loss


def test_a_fit_tells_how_it_went():
    both = problem(7)
    z, y = both.features[0], both.targets[0]
    found = fit(z.numpy(), y.numpy(), "momentum", 1e5)
    assert found.history[0] == pytest.approx(float(y.square().sum() / (2 * N)))
    assert found.train_loss == min(found.history.values()) == found.history[1e5]
    assert found.condition_number == pytest.approx(np.linalg.cond(z.numpy()))
    torch.testing.assert_close(found.predict(z), z @ found.weights)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "adam", "steps": float("inf")}, "must be finite"),
        ({"optimizer": "sgd", "batch_size": 13}, "larger than the 12 samples"),
        ({"optimizer": "adamw"}, "must be one of"),
        ({"optimizer": "sgd", "lr": 1e9}, "diverges"),
        ({"init_std": -1.0}, "must not be negative"),
        ({"optimizer": "momentum", "momentum": 1.0}, "below 1"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_settings_that_cannot_be_are_refused(options, message):
    both = problem(7)
    with pytest.raises(ValueError, match=message):
        fit(both.features[0], both.targets[0], **options)


def test_sgd_that_diverges_is_refused():
    # Below 2 / h_max, but above the limit of the batches.
    both = problem(7)
    with pytest.raises(ValueError, match="diverges; lower it"):
        list(path(both, FitConfig("sgd", lr=1.95, batch_size=1), [20_000], [0]))
