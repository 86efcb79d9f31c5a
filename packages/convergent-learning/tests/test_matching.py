"""Matching and mutual information, against brute force and closed forms."""

import math
import time
from itertools import permutations

import pytest
import torch

from convergent_learning import match_units, mutual_information, random_matching

C = torch.tensor([[0.9, 0.8], [0.85, 0.1]], dtype=torch.float64)


def test_the_smallest_case_where_the_two_methods_differ():
    semi, best = match_units(C, "semi"), match_units(C, "bipartite")
    assert semi.index.tolist() == [0, 0]
    assert semi.mean == pytest.approx(0.875)
    assert best.index.tolist() == [1, 0]
    assert best.mean == pytest.approx(0.825)
    assert semi.overlap(best) == 0.5


@pytest.mark.parametrize("seed", range(3))
def test_no_permutation_is_better_than_the_assignment(seed):
    c = torch.rand(7, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.5
    best = max(sum(c[i, j] for i, j in enumerate(order)) for order in permutations(range(7)))
    assert float(match_units(c).value.sum()) == pytest.approx(float(best), abs=1e-12)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6)])
def test_layers_of_other_widths(shape):
    c = torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = match_units(c)
    partners = found.index[found.index >= 0].tolist()
    assert len(partners) == len(set(partners)) == 4
    narrow = c if shape[0] == 4 else c.T
    best = max(sum(narrow[i, j] for i, j in enumerate(order)) for order in permutations(range(6), 4))
    assert float(found.value.nansum()) == pytest.approx(float(best))
    assert torch.equal(found.value.isnan(), found.index < 0)
    assert found.mean == pytest.approx(float(best) / 4)
    assert found.order[-1] in torch.nonzero(found.index < 0) or shape[0] == 4


def test_cycles_of_a_permutation():
    order = [2, 0, 1, 3, 5, 4]
    found = match_units(torch.eye(6, dtype=torch.float64)[order])
    assert found.index.tolist() == order
    assert found.cycles() == [[0, 2, 1], [4, 5], [3]]
    with pytest.raises(ValueError, match="one-to-one"):
        match_units(C, "semi").cycles()


def test_four_thousand_units_take_seconds():
    c = torch.rand(4096, 4096, generator=torch.Generator().manual_seed(0))
    start = time.process_time()
    found = match_units(c)
    assert time.process_time() - start < 30
    assert found.index.unique().numel() == 4096


@pytest.mark.parametrize(
    ("matrix", "method", "message"),
    [
        (torch.zeros(0, 3), "semi", "expected a matrix"),
        (torch.full((2, 2), math.nan), "bipartite", "finite"),
        (torch.zeros(2, 2), "best", "semi or bipartite"),
    ],
)
def test_bad_matrices_are_refused(matrix, method, message):
    with pytest.raises(ValueError, match=message):
        match_units(matrix, method)


def test_a_random_matching_is_one_to_one():
    c = torch.eye(50)
    found = random_matching(c, torch.Generator().manual_seed(0))
    assert sorted(found.index.tolist()) == list(range(50))
    assert found.mean < 0.2


def gaussians(rho, n=100_000):
    z = torch.randn(n, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return z[:, :1], rho * z[:, :1] + math.sqrt(1 - rho**2) * z[:, 1:]


def test_mutual_information_of_gaussians():
    assert abs(mutual_information(*gaussians(0.0))) < 0.001
    exact = -0.5 * math.log(1 - 0.64)
    assert 0.85 * exact < float(mutual_information(*gaussians(0.8), bins=20)) < exact


def test_the_bias_of_few_samples_is_subtracted():
    x = torch.randn(400, 12, generator=torch.Generator().manual_seed(1))
    y = torch.randn(400, 12, generator=torch.Generator().manual_seed(2))
    assert float(mutual_information(x, y, correct=False).mean()) == pytest.approx(81 / 800, rel=0.1)
    assert abs(float(mutual_information(x, y).mean())) < 0.01


def test_zeros_have_a_bin_of_their_own():
    """Units on for half of the samples, both or the other way round: one bit each, whatever the quantiles are."""
    on = (torch.rand(50_000, 1, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    level = 1 + torch.rand(50_000, 2, generator=torch.Generator().manual_seed(1))
    found = mutual_information(on * level[:, :1], torch.cat([on, 1 - on], 1) * level[:, 1:])
    torch.testing.assert_close(found[0], torch.full((2,), math.log(2), dtype=torch.float64), atol=2e-3, rtol=0)


def test_blocks_of_many_units_agree_with_single_pairs():
    x = torch.randn(500, 70, generator=torch.Generator().manual_seed(0))
    y = x[:, [3, 69]] ** 2
    found = mutual_information(x, y)
    assert found.shape == (70, 2)
    assert found.argmax(0).tolist() == [3, 69]
    assert float(found[69, 1]) == pytest.approx(float(mutual_information(x[:, 69:], y[:, 1:])), abs=1e-12)


def test_bad_samples_are_refused():
    x = torch.zeros(4, 1)
    with pytest.raises(ValueError, match="same samples"):
        mutual_information(x, x[:3])
    with pytest.raises(ValueError, match="not finite"):
        mutual_information(x * math.nan, x)
    with pytest.raises(ValueError, match="2 or more bins"):
        mutual_information(x, x, bins=1)
