"""Tridiagonal systems, against dense ones."""

import pytest
import torch

from separata import pde


@pytest.mark.parametrize("batch", [(), (5,), (2, 3)])
@pytest.mark.parametrize("m", [1, 2, 9])
def test_it_solves_the_system(batch, m, generator):
    def draw(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    lower, upper, main, right = draw(*batch, m - 1), draw(*batch, m - 1), 3 + draw(*batch, m), draw(*batch, m)
    matrix = torch.diag_embed(main)
    if m > 1:
        matrix += torch.diag_embed(lower, -1) + torch.diag_embed(upper, 1)
    expected = torch.linalg.solve(matrix, right)
    torch.testing.assert_close(pde.solve_tridiagonal(lower, main, upper, right), expected)


def test_one_matrix_serves_all_samples(generator):
    right = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    ones = torch.ones(5, dtype=torch.float64)
    matrix = 3 * torch.eye(6, dtype=torch.float64) - torch.diag(ones, 1) - torch.diag(ones, -1)
    found = pde.solve_tridiagonal(-ones, torch.full((6,), 3.0, dtype=torch.float64), -ones, right)
    torch.testing.assert_close(found @ matrix, right)


@pytest.mark.usefixtures("unchecked")
def test_lengths_must_fit():
    with pytest.raises(ValueError, match="4 unknowns need as many entries on the diagonal and 3 beside it, not 4, 4"):
        pde.solve_tridiagonal(torch.ones(4), torch.ones(4), torch.ones(3), torch.ones(2, 4))
