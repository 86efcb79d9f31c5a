"""Interpolation, against SciPy's and its order."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline, interp1d

from separata import pde

D = torch.float64


@settings(max_examples=20)
@given(st.integers(4, 30), st.integers(0, 1000))
def test_it_is_scipy_s_on_any_points(m, seed):
    generator = torch.Generator().manual_seed(seed)
    x = (torch.rand(m, generator=generator, dtype=D) + 0.05).cumsum(0)
    values = torch.randn(3, m, generator=generator, dtype=D)
    at = x[0] + (x[-1] - x[0]) * torch.rand(3, 20, generator=generator, dtype=D)
    at[:, 0], at[:, 1] = x[0], x[-1]
    linear, cubic = (pde.interpolate(x, values, at, kind) for kind in ("linear", "cubic"))
    for i in range(3):
        known, wanted = (x.numpy(), values[i].numpy()), at[i].numpy()
        torch.testing.assert_close(linear[i], torch.from_numpy(interp1d(*known)(wanted)))
        torch.testing.assert_close(cubic[i], torch.from_numpy(CubicSpline(*known)(wanted)), atol=1e-9, rtol=1e-9)


def test_points_may_be_the_same_for_all_or_a_row_for_each(smooth):
    x, at = torch.linspace(0, 1, 12, dtype=D), torch.linspace(0, 1, 7, dtype=D)
    values = smooth(4, x)
    for kind in ("linear", "cubic"):
        shared = pde.interpolate(x, values, at, kind)
        torch.testing.assert_close(pde.interpolate(x, values, at.expand(4, -1), kind), shared)
        one_by_one = torch.cat([pde.interpolate(x, value[None], at, kind) for value in values])
        torch.testing.assert_close(one_by_one, shared)


@pytest.mark.parametrize(("kind", "expected"), [("linear", 2), ("cubic", 4)])
def test_the_order(kind, expected, order):
    at = torch.linspace(0, 1, 1001, dtype=D)
    errors = []
    for m in (17, 33, 65):
        x = torch.linspace(0, 1, m, dtype=D)
        found = pde.interpolate(x, torch.sin(7 * x)[None], at, kind)
        errors.append((found - torch.sin(7 * at)).abs().max().item())
    assert order(errors) == pytest.approx(expected, abs=0.3)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_known": [0.0, 1.0, 1.0, 2.0]}, "x_known must increase strictly"),
        ({"x_known": [0.0, 1.0, 2.0]}, "values must have the shape \\(any, 3\\), not \\(2, 4\\)"),
        ({"values": [[0.0] * 4, [float("nan")] * 4]}, "values holds values that are not finite at index 1"),
        ({"x": [2.5, 3.5]}, "x must lie in \\[0, 3\\], where the functions are known"),
        ({"x": [[0.0]] * 3}, "x must have the shape \\(2, any\\), not \\(3, 1\\)"),
        ({"kind": "quartic"}, 'kind must be "linear" or "cubic", not "quartic"'),
    ],
)
def test_what_is_wrong_is_named(change, message):
    good = {"x_known": [0.0, 1.0, 2.0, 3.0], "values": [[0.0] * 4] * 2, "x": [0.5], "kind": "linear"}
    kind = (good | change).pop("kind")
    tensors = {name: torch.tensor(value, dtype=D) for name, value in (good | change).items() if name != "kind"}
    with pytest.raises(ValueError, match=message):
        pde.interpolate(**tensors, kind=kind)


def test_a_cubic_needs_four_points():
    x = torch.linspace(0, 1, 3, dtype=D)
    with pytest.raises(ValueError, match="x_known must be a sequence of at least 4 numbers"):
        pde.interpolate(x, x[None], x, "cubic")
