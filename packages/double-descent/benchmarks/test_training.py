"""Closed forms beside loops, the reduced problem beside PyTorch's own optimizer, and seeds as one beside each alone."""

import statistics
import time

import pytest
import torch
from sklearn.linear_model import Ridge

from double_descent import FitConfig, NetworkConfig, TwoLayerNet, gd_path, ridge_path, train_two_layer
from double_descent.fitting import path
from double_descent.least_squares import LeastSquares

N, P, C = 300, 600, 10


def problem(n_seeds=1, n=N, p=P):
    random = torch.Generator().manual_seed(0)
    z = torch.relu(torch.randn(n_seeds, n, p, generator=random, dtype=torch.float64))
    return LeastSquares(z, torch.randn(n_seeds, n, C, generator=random, dtype=torch.float64))


def by_torch(z, y, optimizer, steps, size):
    """What one would write without this package: a linear layer, batches and an optimizer of PyTorch's."""
    weights = torch.zeros(z.shape[1], C, dtype=torch.float64, requires_grad=True)
    made = optimizer([weights])
    for _ in range(steps):
        index = torch.randperm(len(z))[:size] if size < len(z) else slice(None)
        made.zero_grad()
        ((z[index] @ weights - y[index]).square().sum() / (2 * size)).backward()
        made.step()
    return weights.detach()


def ends(config, both, steps):
    return [weights for _, weights in path(both, config, [steps], range(both.n_seeds))][-1]


@pytest.mark.benchmark(group="gradient descent, 300 x 600, 10 outputs")
@pytest.mark.parametrize("kind", ["closed form, 7 budgets up to 1e6", "1,000 steps by PyTorch"])
def test_gradient_descent(benchmark, kind):
    both = problem()
    z, y = both.features[0], both.targets[0]
    if kind.startswith("closed"):
        found = benchmark(gd_path, z, y, [10.0**k for k in range(7)])
        assert found.shape == (7, P, C)
    else:
        lr = 1 / float(both.spectrum.h_max)
        benchmark.pedantic(by_torch, (z, y, lambda w: torch.optim.SGD(w, lr), 1000 if benchmark.enabled else 10, N))


@pytest.mark.benchmark(group="SGD, 1,000 steps of 32 of 300 x 600")
@pytest.mark.parametrize("kind", ["reduced", "PyTorch"])
def test_sgd(benchmark, kind):
    both = problem()
    steps = 1000 if benchmark.enabled else 10
    if kind == "reduced":
        benchmark.pedantic(ends, (FitConfig("sgd"), both, steps))
    else:
        z, y = both.features[0], both.targets[0]
        benchmark.pedantic(by_torch, (z, y, lambda w: torch.optim.SGD(w, 1e-3), steps, 32))


@pytest.mark.benchmark(group="Adam, 1,000 steps on 300 x 600")
@pytest.mark.parametrize("kind", ["precomputed", "PyTorch"])
def test_adam(benchmark, kind):
    both = problem()
    steps = 1000 if benchmark.enabled else 10
    if kind == "precomputed":
        benchmark.pedantic(ends, (FitConfig("adam"), both, steps))
    else:
        z, y = both.features[0], both.targets[0]
        benchmark.pedantic(by_torch, (z, y, lambda w: torch.optim.Adam(w, 1e-2), steps, N))


@pytest.mark.benchmark(group="17 ridge penalties, 300 x 600")
@pytest.mark.parametrize("kind", ["one decomposition", "scikit-learn"])
def test_ridge(benchmark, kind):
    both = problem()
    z, y = both.features[0].numpy(), both.targets[0].numpy()
    alphas = [10.0**-k for k in range(17)]
    if kind == "one decomposition":
        benchmark(ridge_path, z, y, alphas)
    else:
        benchmark(lambda: [Ridge(N * alpha, fit_intercept=False, solver="svd").fit(z, y) for alpha in alphas])


@pytest.mark.benchmark(group="closed form over widths, 300 samples")
@pytest.mark.parametrize("p", [75, 300, 1200, 4800])
def test_over_widths(benchmark, p):
    both = problem(p=p)
    benchmark(gd_path, both.features[0], both.targets[0], [1e6])


def ratio(together, alone):
    """Median time of one over the other's, taking turns."""
    seconds = [[], []]
    for _ in range(7):
        for one, run in zip(seconds, (together, alone), strict=True):
            start = time.perf_counter()
            run()
            one.append(time.perf_counter() - start)
    return statistics.median(seconds[1]) / statistics.median(seconds[0])


@pytest.mark.timed
def test_ten_seeds_as_one_take_at_most_a_third_of_the_time(record_property):
    n_seeds, small = 10, problem(10, 40, 20)
    config, seeds = FitConfig("sgd", batch_size=8), range(10)
    singles = [LeastSquares(small.features[i : i + 1], small.targets[i : i + 1]) for i in seeds]
    linear = ratio(lambda: ends(config, small, 100), lambda: [ends(config, one, 100) for one in singles])
    x, y = torch.randn(n_seeds, 50, 20, dtype=torch.float64), torch.randn(n_seeds, 50, 5, dtype=torch.float64)
    nets, train = [TwoLayerNet(20, 8, 5, seed=seed) for seed in seeds], NetworkConfig(epochs=35)
    networks = ratio(
        lambda: list(train_two_layer(nets, x, y, train, list(seeds))),
        lambda: [list(train_two_layer([nets[i]], x[i : i + 1], y[i : i + 1], train, [i])) for i in seeds],
    )
    record_property("linear", linear)
    record_property("networks", networks)
    assert linear >= 3
    assert networks >= 3
