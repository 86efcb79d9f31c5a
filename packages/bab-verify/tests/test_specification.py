"""Boxes, clauses and points."""

import pytest
import torch

from bab_verify.properties.specification import Clause, Query, Specification, SpecificationError, make_robustness

TWO = torch.tensor([[1.0, 0.0], [0.0, 1.0]])


def test_violation_by_hand():
    both = Clause(TWO, torch.tensor([0.0, 1.0]))
    one = Clause(-TWO[:1], torch.tensor([-5.0]))
    spec = Specification((Query(torch.zeros(2), torch.ones(2), (both, one)),))
    x = torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [0.5, 1.25], [0.0, 1.0]])
    y = torch.tensor([[-1.0, 0.5], [2.0, 0.0], [6.0, 9.0], [-1.0, 0.5], [0.0, 1.0]])
    expected = [max(-0.5, min(max(-1, -0.5), 4)), 2.0, -0.5, 0.25, 0.0]
    assert spec.violation(x, y).tolist() == expected
    assert spec.satisfied(x, y).tolist() == [True, False, True, False, True]


def test_a_point_must_satisfy_a_clause_of_its_own_box():
    low = Query(torch.zeros(1), torch.ones(1), (Clause(torch.ones(1, 1), torch.zeros(1)),))
    high = Query(torch.full((1,), 2.0), torch.full((1,), 3.0), (Clause(-torch.ones(1, 1), torch.zeros(1)),))
    spec = Specification((low, high))
    x = torch.tensor([[0.5], [0.5], [2.5], [2.5]])
    y = torch.tensor([[-1.0], [1.0], [-1.0], [1.0]])
    assert spec.satisfied(x, y).tolist() == [True, False, False, True]


def test_clause_without_rows_holds_always():
    query = Query(torch.zeros(1), torch.ones(1), (Clause(torch.zeros(0, 3), torch.zeros(0)),))
    assert Specification((query,)).satisfied(torch.tensor([0.5]), torch.zeros(3))
    assert not Specification((query,)).satisfied(torch.tensor([1.5]), torch.zeros(3))
    assert query.n_outputs == 3


@pytest.mark.parametrize(
    ("image", "clip", "message"),
    [
        ([0.0, 255.0], (0.0, 1.0), "to 254.9 or farther out, but pixels are limited to 0 to 1"),
        ([-1.5, 0.5], (0.0, 1.0), "values from -1.4 to"),
        ([0.5, 0.5], (1.0, 0.0), "must not be above the second"),
        ([0.5, 0.5], (0.0, float("nan")), "must not be above the second"),
    ],
)
def test_an_image_that_is_not_of_pixels_is_refused(image, clip, message):
    """Nothing is left of its box."""
    with pytest.raises(SpecificationError, match=message):
        make_robustness(torch.tensor(image), 0, 0.1, 2, clip)


def test_an_image_may_be_beyond_the_limits_by_rounding():
    (query,) = make_robustness(torch.tensor([1.0 + 1e-7, 0.0]), 0, 0.1, 2).queries
    assert (query.lower <= 1).all()
    assert (query.upper <= 1).all()


def test_robustness():
    spec = make_robustness(torch.tensor([[0.02, 0.5], [0.99, 0.5]]), 1, 0.05, 3)
    (query,) = spec.queries
    torch.testing.assert_close(
        query.lower, torch.tensor([0.0, 0.45, 0.94, 0.45], dtype=torch.float64), atol=1e-7, rtol=0
    )
    torch.testing.assert_close(
        query.upper, torch.tensor([0.07, 0.55, 1.0, 0.55], dtype=torch.float64), atol=1e-7, rtol=0
    )
    x = query.lower.expand(3, 4)
    y = torch.tensor([[1.0, 2.0, 0.0], [3.0, 2.0, 0.0], [0.0, 2.0, 2.0]])
    assert spec.satisfied(x, y).tolist() == [False, True, True]
    assert make_robustness(torch.zeros(2), 0, 1.0, 2, clip=None).queries[0].lower.tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Query(torch.ones(2), torch.tensor([1.0, 0.0]), ()), "X_1, 1.0, is above"),
        (lambda: Query(torch.tensor([torch.nan]), torch.ones(1), ()), "NaN"),
        (lambda: Query(torch.zeros(1), torch.tensor([torch.inf]), ()), "infinite"),
        (lambda: Query(torch.zeros(1), torch.ones(1), ()), "at least one clause"),
        (lambda: Clause(torch.ones(1, 2), torch.tensor([torch.nan])), "NaN"),
        (lambda: Specification(()), "at least one query"),
        (lambda: make_robustness(torch.zeros(2), 3, 0.1, 3), "label is 3"),
        (lambda: make_robustness(torch.zeros(2), 0, -0.1, 3), "radius"),
    ],
    ids=range(8),
)
def test_what_cannot_be(make, message):
    with pytest.raises(SpecificationError, match=message):
        make()


def test_sizes_must_agree():
    def query(n, m):
        return Query(torch.zeros(n), torch.ones(n), (Clause(torch.ones(1, m), torch.zeros(1)),))

    with pytest.raises(SpecificationError, match="different sizes"):
        Specification((query(1, 2), query(2, 2)))
    with pytest.raises(SpecificationError, match="different sizes"):
        Query(torch.zeros(1), torch.ones(1), query(1, 2).clauses + query(1, 3).clauses)
