"""The ideal network against closed forms."""

import math

import pytest
import torch

from modular_addition import FourierReport, flawed_indicator, ghosts, ideal_network, ideal_weights, measure_ghosts


def pattern(p):
    """p/4 at the sum, p/8 at each ghost, and -1/2 everywhere, one entry at a time."""
    found = torch.full((p, p, p), -0.5, dtype=torch.double)
    for x in range(p):
        for y in range(p):
            found[x, y, (x + y) % p] += p / 4
            found[x, y, 2 * x % p] += p / 8
            found[x, y, 2 * y % p] += p / 8
    return found


@pytest.mark.parametrize(("p", "n"), [(11, 5), (11, 6), (23, 5), (23, 12), (15, 7)])
def test_squares_give_the_indicator_with_two_ghosts(p, n):
    table = ideal_network(p, n, "quad", 1.3, 0.7).logit_table().detach()
    torch.testing.assert_close(table / (1.3**2 * 0.7 * n), pattern(p), atol=1e-10, rtol=0)
    torch.testing.assert_close(flawed_indicator(p), pattern(p), atol=1e-10, rtol=0)
    report = measure_ghosts(table)
    assert report.accuracy == 1
    assert report.ratio == pytest.approx(0.5, abs=1e-9)
    assert report.margin == pytest.approx(1.3**2 * 0.7 * n * p / 8, rel=1e-9)


def test_logits_without_a_peak_have_no_ratio():
    assert math.isnan(measure_ghosts(torch.zeros(7, 7, 7)).ratio)


def test_relu_approaches_its_closed_form():
    errors = {}
    for n in (12, 64):
        table = ideal_network(23, n, "relu").logit_table().detach() / n
        errors[n] = float((table - flawed_indicator(23, "relu")).abs().max())
    assert errors[64] <= 0.005
    assert errors[12] <= 0.083 + 1e-3
    assert measure_ghosts(flawed_indicator(23, "relu")).ratio == pytest.approx(0.335, abs=0.01)
    assert measure_ghosts(flawed_indicator(11, "relu")).ratio == pytest.approx(0.336, abs=0.01)


def test_the_closed_form_of_relu_is_its_sum():
    p, x, y, j = 11, 3, 9, 4
    angles = [2 * math.pi * k / p for k in range(1, 6)]
    terms = [abs(math.cos(w * (x - y) / 2)) * math.cos(w * (j - x - y)) for w in angles]
    assert float(flawed_indicator(p, "relu")[x, y, j]) == pytest.approx(2 / (3 * math.pi) * sum(terms), abs=1e-12)


def test_an_ideal_network_is_diagnosed_as_one():
    report = FourierReport.from_weights(*ideal_weights(23, 8, 0.5, 0.2))
    assert report.ipr == pytest.approx(1)
    assert report.agreement == 1
    assert report.mean_cos == pytest.approx(1)
    assert report.balance == pytest.approx((0, 0), abs=1e-9)
    assert report.counts.tolist() == [8] * 11
    assert float(report.resultants(1).max()) < 1e-12
    assert float(report.resultants(8).min()) == pytest.approx(1)


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_ideal_network_is_refused():
    assert ghosts(23, 20, 5) == (2, 17, 10)
    with pytest.raises(ValueError, match="at least 5"):
        ideal_network(23, 4)
    with pytest.raises(ValueError, match="odd"):
        ideal_network(12)
    with pytest.raises(ValueError, match="gelu"):
        flawed_indicator(23, "gelu")
    with pytest.raises(ValueError, match="0 .. 22"):
        ghosts(23, 23, 1)
