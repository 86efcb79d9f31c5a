"""A training step on 1,000 functions at 100 points: the grid form, DeepXDE's Cartesian one, and tiled rows."""

import pytest
import torch

from deeponet import DeepONet, JoinedNet, TripleDataset, make_problem, predict

B, P, M = 1000, 100, 100
SIZES = [M, 40, 40], [1, 40, 40]


@pytest.fixture(scope="module")
def data() -> TripleDataset:
    generator = torch.Generator().manual_seed(0)
    u, y = torch.randn(B, M, generator=generator), torch.rand(P, 1, generator=generator)
    return TripleDataset(u, y, torch.randn(B, P, generator=generator))


def step(model, values, target, optimizer):
    """One full-batch step of Adam."""
    optimizer.zero_grad()
    loss = (values() - target).square().mean()
    loss.backward()
    optimizer.step()
    return loss


def adam(model):
    return torch.optim.Adam(model.parameters(), 1e-3, fused=True)


def test_grid(benchmark, data):
    model = DeepONet(*SIZES)
    loss = benchmark(step, model, lambda: predict(model, data.u, data.y), data.s, adam(model))
    assert loss.isfinite()


def test_deepxde(benchmark, data, monkeypatch):
    """The peer's network for the same Cartesian product, with the same optimizer."""
    monkeypatch.setenv("DDE_BACKEND", "pytorch")
    pytest.importorskip("deepxde", reason="DeepXDE is not installed")
    from deepxde.nn.pytorch import DeepONetCartesianProd

    # It makes a GPU the default of the whole process.
    torch.set_default_device(None)
    model = DeepONetCartesianProd(*SIZES, "relu", "Glorot normal")
    loss = benchmark(step, model, lambda: model((data.u, data.y))[..., None], data.s, adam(model))
    assert loss.isfinite()


def test_tiled_rows(benchmark, data):
    """What the grid form replaces: 100,000 rows, each with its function."""
    model = DeepONet(*SIZES)
    u, y, s = data.rows()
    assert u.shape == (B * P, M)
    loss = benchmark.pedantic(step, (model, lambda: model(u, y), s, adam(model)), rounds=3, warmup_rounds=1)
    assert loss.isfinite()


def test_own_points(benchmark, data):
    """Every function at points of its own, without a repetition of u."""
    model, y = DeepONet(*SIZES), torch.rand(B, P, 1)
    loss = benchmark.pedantic(
        step, (model, lambda: predict(model, data.u, y), data.s, adam(model)), rounds=3, warmup_rounds=1
    )
    assert loss.isfinite()


def test_stacked(benchmark, data):
    """Forty branch networks as one batched product."""
    model = DeepONet(*SIZES, stacked=True)
    loss = benchmark.pedantic(
        step, (model, lambda: predict(model, data.u, data.y), data.s, adam(model)), rounds=3, warmup_rounds=1
    )
    assert loss.isfinite()


def test_fully_connected(benchmark, data):
    """The baseline on the same grid."""
    model = JoinedNet(M, 1, [40, 40, 1])
    loss = benchmark.pedantic(
        step, (model, lambda: predict(model, data.u, data.y), data.s, adam(model)), rounds=3, warmup_rounds=1
    )
    assert loss.isfinite()


@pytest.mark.parametrize("n", [1000, 10_000])
def test_antiderivatives(benchmark, n):
    """Random functions and their integrals."""
    problem = make_problem("antiderivative")
    data = benchmark.pedantic(lambda: problem.sample(n, torch.Generator().manual_seed(0)), rounds=3, warmup_rounds=1)
    assert len(data) == n
