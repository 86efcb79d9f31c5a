from math import pi

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bab_verify.intervals import Interval
from bab_verify.operators.periodic import Sin


def interval(lower, upper, dtype=torch.float64):
    return Interval(*(torch.tensor(x, dtype=dtype).reshape(-1, 1, 1) for x in (lower, upper)))


@settings(max_examples=settings().max_examples * 3 // 5)
@given(st.floats(-50, 50), st.floats(0, 8))
def test_interval_is_exact(lower, width):
    x = interval([lower], [lower + width])
    f = torch.lerp(x.lower, x.upper, torch.linspace(0, 1, 4001, dtype=torch.float64)).sin()
    bounds = Sin().interval(x)
    assert bounds.lower.item() == pytest.approx(f.min().item(), abs=2e-6)
    assert bounds.upper.item() == pytest.approx(f.max().item(), abs=2e-6)
    assert bounds.lower <= f.min()
    assert bounds.upper >= f.max()


def test_a_wave_is_enclosed_by_its_crests():
    planes = Sin().relax((interval([-4 * pi], [4 * pi]),))
    assert planes.lower_slopes[0].item() == pytest.approx(0, abs=1e-9)
    assert planes.lower_intercept.item() == pytest.approx(-1, abs=1e-9)
    assert planes.upper_intercept.item() == pytest.approx(1, abs=1e-9)


def test_within_a_crest_it_is_a_chord_and_tangents():
    x = interval([0.3] * 3, [2.0] * 3)
    p = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64).reshape(1, 3, 1, 1).expand(2, 3, 1, 1)
    planes = Sin().relax((x,), p)
    chord = (x.upper.sin() - x.lower.sin()) / (x.upper - x.lower)
    torch.testing.assert_close(planes.lower_slopes[0], chord)
    expected = torch.lerp(x.lower.cos(), x.upper.cos(), p[0])
    torch.testing.assert_close(planes.upper_slopes[0], expected)
    t = expected.acos()
    torch.testing.assert_close(planes.upper_intercept, t.sin() - expected * t)


@pytest.mark.parametrize("period", [1, -3, 1000])
def test_planes_repeat_with_the_period(period):
    generator = torch.Generator().manual_seed(period + 5)
    lower, upper = torch.rand(2, 200, 1, 1, generator=generator, dtype=torch.float64).mul(8).sub(4).sort(0).values
    near = Sin().relax((Interval(lower, upper),))
    shift = 2 * pi * period
    far = Sin().relax((Interval(lower + shift, upper + shift),))
    middle = (lower + upper) / 2
    for side in (0, 2):
        here = near[side][0] * middle + near[side + 1]
        there = far[side][0] * (middle + shift) + far[side + 1]
        torch.testing.assert_close(here, there, atol=1e-5, rtol=0)


def test_large_arguments_in_single_precision():
    generator = torch.Generator().manual_seed(0)
    lower = (torch.rand(500, 1, 1, generator=generator) - 0.5) * 4e4
    upper = lower + torch.rand(500, 1, 1, generator=generator) * 8
    planes = Sin().relax((Interval(lower, upper),), torch.rand(2, 500, 1, 1, generator=generator))
    x = torch.lerp(lower.double(), upper.double(), torch.linspace(0, 1, 500, dtype=torch.float64))
    below = planes.lower_slopes[0].double() * x + planes.lower_intercept.double()
    above = planes.upper_slopes[0].double() * x + planes.upper_intercept.double()
    assert (below <= x.sin() + 1e-10).all()
    assert (above >= x.sin() - 1e-10).all()
    bounds = Sin().interval(Interval(lower, upper))
    assert (bounds.lower <= x.sin()).all()
    assert (bounds.upper >= x.sin()).all()
