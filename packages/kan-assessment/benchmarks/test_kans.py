"""A training step of KANs beside an MLP's, the forms of the spline basis, and networks side by side.

Peers: pykan and efficient-kan's layer, as the wheel kan-gpt ships it, where they are installed.
"""

from itertools import pairwise

import pytest
import torch

from house import peer
from kan_assessment import MLP, BSplineKAN, MemberData, PerEdgeKAN, Separate, Stacked, get_family, load_symbolic
from kan_assessment.models.splines import FORMS, spline_basis

WIDTHS = [64, 64, 10]
BATCH = 128


def stepper(model, n_in=WIDTHS[0], n_out=WIDTHS[-1]):
    generator = torch.Generator().manual_seed(0)
    x, y = 2 * torch.rand(BATCH, n_in, generator=generator) - 1, torch.randn(BATCH, n_out, generator=generator)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-3)

    def step():
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


@pytest.mark.parametrize("make", [MLP, BSplineKAN, PerEdgeKAN], ids=["mlp", "bspline_kan", "per_edge_kan"])
def test_step(benchmark, make):
    loss = benchmark.pedantic(stepper(make(WIDTHS)), rounds=5, warmup_rounds=1)
    assert loss.isfinite()


@pytest.mark.parametrize("name", ["rbf_kan", "chebyshev_kan", "af_kan", "s_kan"])
def test_step_of_other_kans(benchmark, name):
    loss = benchmark.pedantic(stepper(get_family(name).build(64, [64], 10)), rounds=5, warmup_rounds=1)
    assert loss.isfinite()


def test_step_of_efficient_kan(benchmark):
    module = peer("kan_gpt.efficient_kan.model", "KANLinear")
    model = torch.nn.Sequential(*(module.KANLinear(*pair) for pair in pairwise(WIDTHS)))
    loss = benchmark.pedantic(stepper(model), rounds=5, warmup_rounds=1)
    assert loss.isfinite()


def test_step_of_pykan(benchmark):
    peer("kan", "KAN")
    loss = benchmark.pedantic(stepper(get_family("pykan").build(64, [64], 10)), rounds=3, warmup_rounds=1)
    assert loss.isfinite()


@pytest.mark.parametrize("form", [*FORMS, "compiled"])
def test_basis(benchmark, form, request):
    x = (2 * torch.rand(BATCH, 784, generator=torch.Generator().manual_seed(0)) - 1).requires_grad_()
    basis = spline_basis
    if form == "compiled":
        if not request.config.getoption("benchmark_enable"):
            pytest.skip("compiling takes longer than everything else here")
        basis = torch.compile(spline_basis)

    def forward_and_backward():
        values = basis(x, 5, 3, -1.0, 1.0, "recursion" if form == "compiled" else form)
        (gradient,) = torch.autograd.grad(values.sum(), x)
        return values, gradient

    values, _ = benchmark.pedantic(forward_and_backward, rounds=5, warmup_rounds=1)
    assert values.shape == (BATCH, 784, 8)


@pytest.mark.parametrize("kind", [Stacked, Separate], ids=["stacked", "separate"])
@pytest.mark.parametrize("name", ["mlp", "bspline_kan"])
def test_six_networks_side_by_side(benchmark, kind, name):
    """What small networks gain by being trained as one computation."""
    task, family = load_symbolic("exp-sin"), get_family(name)
    seeds = range(6)
    members = kind([family.build(2, [5], 1) for _ in seeds])
    data = MemberData(task, seeds)
    batch = data.epoch(0)[:, :BATCH]
    optimizer = torch.optim.Adam(members.parameters(), 1e-2)

    def step():
        optimizer.zero_grad()
        loss = (members(data.features(batch))[..., 0] - data.targets(batch)).square().mean(1).sum()
        loss.backward()
        optimizer.step()
        return loss

    assert benchmark.pedantic(step, rounds=5, warmup_rounds=1).isfinite()
