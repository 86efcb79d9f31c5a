"""The direct solvers, against dense matrices."""

import pytest
import torch

from separata.pde import direct_solvers
from separata.pde.finite_volumes import assemble

D = torch.float64


@pytest.fixture(params=[(5, 4), (4, 5), (3, 5, 4)], ids=str)
def system(request, generator):
    """Samples with their own coefficients and masks."""
    shape = (3, *request.param)
    a = torch.exp(3 * torch.randn(*shape, generator=generator, dtype=D))
    mask = torch.rand(*shape, generator=generator) < 0.8
    f = torch.randn(*shape, generator=generator, dtype=D)
    faces = [(None, 1.0), (0.5, None), (None, None)][: len(request.param)]
    return assemble(a, mask, f, [0.1, 0.2, 0.4][: len(faces)], faces, zero_outside=True)


def test_all_solve_the_dense_system(system):
    size = system.right[0].numel()
    units = torch.eye(size, dtype=D).reshape(size, 1, *system.right.shape[1:])
    matrices = torch.stack([system.apply(unit.expand_as(system.right)).flatten(1) for unit in units], -1)
    torch.testing.assert_close(matrices, matrices.mT)
    expected = torch.linalg.solve(matrices, system.right.flatten(1)).reshape(system.right.shape)
    for solve in ("solve_definite", "solve_banded", "solve_sparse", "solve_blocks"):
        found = getattr(direct_solvers, solve)(system)
        torch.testing.assert_close(found, expected, atol=1e-11, rtol=1e-9, msg=solve)


def test_blocks_may_be_solved_some_at_a_time(system, monkeypatch):
    whole = direct_solvers.solve_blocks(system)
    monkeypatch.setattr(direct_solvers, "LARGEST_FACTOR", 1)
    torch.testing.assert_close(direct_solvers.solve_blocks(system), whole)


def test_a_wide_band_is_left_to_the_sparse_solver(system, monkeypatch):
    whole = direct_solvers.solve_definite(system)
    monkeypatch.setattr(direct_solvers, "WIDEST_BAND", 1)
    monkeypatch.delattr(direct_solvers, "solve_banded")
    torch.testing.assert_close(direct_solvers.solve_definite(system), whole)
