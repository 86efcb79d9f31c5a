"""Affine operations: each adjoint is the transposed Jacobian, each interval the exact range."""

import pytest
import torch

from bab_verify.intervals import Interval
from bab_verify.operators.affine import Add, Affine, Dense, Scale, Shift, Sum
from bab_verify.operators.combination import Combination
from bab_verify.operators.convolution import Convolution, TransposedConvolution
from bab_verify.operators.rearrangements import Concatenate, Reshape, Select

INFINITY = float("inf")


def rand(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)), dtype=torch.float64)


class Mirror(Affine):
    """An operation without an adjoint of its own: x and -2 y, turned around."""

    def linear(self, x, y):
        return (x - 2 * y).flip(1)

    def least(self, lower, upper):
        return (lower[0] - 2 * upper[1]).flip(1)


OPERATORS = {
    "dense": Dense(rand(4, 3), rand(4), (3,)),
    "dense without bias": Dense(rand(4, 3), None, (3,)),
    "dense on the last of three dimensions": Dense(rand(4, 3), rand(4), (2, 2, 3)),
    "reshape": Reshape((2, 6), (3, 4)),
    "select": Select((2, 3), torch.tensor([[5, 0], [3, 3]])),
    "select with zeros": Select((2, 3), torch.tensor([-1, 4, 4, -1, 0])),
    "scale": Scale(rand(3), (2, 3)),
    "scale by nothing": Scale(torch.tensor([0.0, -1.0, 2.0], dtype=torch.float64), (2, 3)),
    "shift": Shift(rand(3), (2, 3)),
    "add": Add((2, 3), (1, -1, 1)),
    "concatenate": Concatenate(((2, 3), (2, 1), (2, 2)), -1),
    "sum": Sum((2, 3, 2), (0, -1)),
    "combination": Combination((rand(4, 6), rand(4, 2)), rand(4), ((2, 3), (2,)), (2, 2)),
    "convolution of one dimension": Convolution(rand(2, 2, 3), rand(2), (1, 2, 7), (2,), (1,), (1,)),
    "convolution": Convolution(rand(4, 1, 2, 3), rand(4), (1, 2, 5, 6), (2, 3), (1, 0), (1, 2), 2),
    "convolution of three dimensions": Convolution(
        rand(1, 1, 2, 2, 2), None, (1, 1, 3, 4, 3), (1, 2, 1), (0, 1, 1), (1, 1, 2)
    ),
    "transposed convolution": TransposedConvolution(rand(2, 2, 2, 3), (1, 2, 3, 2), (2, 1), (1, 2), 2),
    "derived adjoint": Mirror((4,), (4,)),
}
each = pytest.mark.parametrize("operator", OPERATORS.values(), ids=list(OPERATORS))


def dense(operator):
    """The operation as one matrix, column by column, and its constant."""
    sizes = [torch.Size(shape).numel() for shape in operator.input_shapes]
    total = sum(sizes)

    def value(x):
        parts = x.split(sizes, 1)
        return operator(*(part.reshape(-1, *shape) for part, shape in zip(parts, operator.input_shapes))).flatten(1)

    constant = value(torch.zeros(1, total, dtype=torch.float64))
    return (value(torch.eye(total, dtype=torch.float64)) - constant).T, constant[0], sizes


def boxes(operator, seed=3):
    found = []
    for i, shape in enumerate(operator.input_shapes):
        a, b = rand(2, *shape, seed=seed + i), rand(2, *shape, seed=seed + 10 + i)
        found.append(Interval(torch.minimum(a, b), torch.maximum(a, b)))
    return found


def join(intervals):
    return Interval(*(torch.cat([x[side].flatten(1) for x in intervals], 1) for side in (0, 1)))


@each
def test_the_adjoint_is_the_transposed_jacobian(operator):
    matrix, _, sizes = dense(operator)
    shape = operator(*(torch.zeros(1, *s, dtype=torch.float64) for s in operator.input_shapes)).shape[1:]
    a = rand(5, *shape, seed=1)
    found = operator.adjoint(a)
    assert [tuple(x.shape[1:]) for x in found] == [tuple(s) for s in operator.input_shapes]
    expected = (a.flatten(1) @ matrix).split(sizes, 1)
    for x, y in zip(found, expected):
        torch.testing.assert_close(x.flatten(1), y)


@each
def test_the_adjoint_passes_gradients_on(operator):
    shape = operator(*(torch.zeros(1, *s, dtype=torch.float64) for s in operator.input_shapes)).shape[1:]
    a = rand(2, *shape).requires_grad_()
    sum(x.square().sum() for x in operator.adjoint(a)).backward()
    matrix, _, _ = dense(operator)
    torch.testing.assert_close(a.grad.flatten(1), 2 * a.detach().flatten(1) @ matrix @ matrix.T)


@each
def test_the_interval_is_the_exact_range(operator):
    matrix, constant, _ = dense(operator)
    inputs = boxes(operator)
    lower, upper = join(inputs)
    found = operator.interval(*inputs)
    least = lower @ matrix.clamp(min=0).T + upper @ matrix.clamp(max=0).T + constant
    most = upper @ matrix.clamp(min=0).T + lower @ matrix.clamp(max=0).T + constant
    torch.testing.assert_close(found.lower.flatten(1), least)
    torch.testing.assert_close(found.upper.flatten(1), most)
    x = torch.lerp(lower, upper, torch.rand(50, 1, lower.shape[1]).round().double())
    y = (x @ matrix.T + constant).flatten(2)
    assert (found.lower.flatten(1) <= y.amin(0)).all()
    assert (found.upper.flatten(1) >= y.amax(0)).all()


@each
def test_infinite_bounds_reach_only_what_depends_on_them(operator):
    matrix, constant, _ = dense(operator)
    inputs = boxes(operator)
    inputs[0].lower[:, ..., 0] = -INFINITY
    inputs[-1].upper[:, ..., -1] = INFINITY
    lower, upper = join(inputs)
    found = operator.interval(*inputs)

    def least(low, high, m):
        terms = torch.where(m == 0, 0.0, torch.where(m > 0, low.unsqueeze(1) * m, high.unsqueeze(1) * m))
        return terms.sum(2) + constant

    torch.testing.assert_close(found.lower.flatten(1), least(lower, upper, matrix))
    torch.testing.assert_close(found.upper.flatten(1), least(upper, lower, matrix))


def test_bounds_near_the_largest_number_do_not_overflow_inwards():
    operator = Dense(torch.ones(1, 1), None, (1,))
    found = operator.interval(Interval(torch.full((1, 1), 2e38), torch.full((1, 1), 3e38))).defined()
    assert found.lower.item() <= 2e38
    assert found.upper.item() >= 3e38
