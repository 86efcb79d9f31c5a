"""The error over time: closed form, deterministic equivalent, exact form, and gradient descent step by step."""

import numpy as np
import pytest
import torch

from epochwise_descent import (
    TeacherStudent,
    descend,
    deterministic_equivalent,
    find_double_descent,
    sample,
    simulate_batch,
    two_scale_theory,
)

SETUP = TeacherStudent(n=150, d=100, p=70, kappa=100.0)
T = np.geomspace(1e-3, 1e8, 300)


def draws(n):
    return sample(SETUP, n, generator=torch.Generator().manual_seed(0))


def test_closed_form_at_300_times(benchmark):
    assert benchmark(two_scale_theory, SETUP, T).error.shape == (300,)


def test_deterministic_equivalent_at_300_times(benchmark):
    assert benchmark(deterministic_equivalent, SETUP, T).error.shape == (300,)


@pytest.mark.parametrize("n_draws", [1, 40])
def test_exact_form_at_300_times(benchmark, n_draws):
    assert benchmark(simulate_batch, draws(n_draws), T).error.shape == (n_draws, 300)


def test_exact_form_time_by_time(benchmark):
    """As the authors' code does it: a product of dense matrices for each time, and each draw by itself."""
    batch = draws(1)
    x, y, f, w = batch.x[0].numpy(), batch.y[0].numpy(), batch.f[0].numpy(), batch.w[0].numpy()

    def by_time():
        values, vectors = np.linalg.eigh(x.T @ x)
        eta, solution = 1 / values[-1], np.linalg.lstsq(x, y, rcond=None)[0]
        found = []
        for t in T:
            decay = vectors @ np.diag(np.exp(-eta * values * t)) @ vectors.T
            u = f @ (np.eye(100) - decay) @ solution
            found.append((1 - 2 * u @ w / 100 + u @ u / 100) / 2)
        return found

    assert len(benchmark(by_time)) == 300


def test_gradient_descent_of_a_thousand_steps(benchmark):
    batch = draws(1)
    found = benchmark.pedantic(descend, (batch.x, batch.y, [1000]), rounds=5)
    assert found.shape == (1, 1, 100)


def test_detection(benchmark):
    error = two_scale_theory(SETUP, T).error
    assert benchmark(find_double_descent, T, error).is_double_descent
