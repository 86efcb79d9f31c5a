"""The function under the layers, against loops over steps and samples in double precision."""

import pytest
import torch
from torch import nn

from snn_continual import HebbianSubspace, SpikingLateral
from snn_continual.rates import is_constant
from snn_continual.synapses import Convolution, Dense, Synapses

T, B = 3, 2


def double(*shape):
    return torch.randn(*shape, dtype=torch.float64)


class DenseCase:
    connection, n_features = Dense(), 5
    shape, out_shape, weight_shape = (5,), (4,), (4, 5)

    @staticmethod
    def patches(x):
        """(positions, features) under one output's weight rows."""
        return x[None]

    @staticmethod
    def errors(grad):
        """(positions, out) to match."""
        return grad[None]

    @staticmethod
    def forward(x, weight):
        return nn.functional.linear(x, weight)


class ConvolutionCase:
    connection, n_features = Convolution((2, 3), (2, 1), (1, 0), (1, 2)), 18
    shape, out_shape, weight_shape = (3, 5, 6), (4, 3, 2), (4, 3, 2, 3)

    @staticmethod
    def patches(x):
        padded = nn.functional.pad(x, (0, 0, 1, 1))
        corners = [(2 * i, j) for i in range(3) for j in range(2)]
        return torch.stack([padded[:, i : i + 2, j : j + 5 : 2].flatten() for i, j in corners])

    @staticmethod
    def errors(grad):
        return grad.flatten(1).T

    @staticmethod
    def forward(x, weight):
        return nn.functional.conv2d(x[None], weight, stride=(2, 1), padding=(1, 0), dilation=(1, 2))[0]


CASES = pytest.mark.parametrize("case", [DenseCase, ConvolutionCase])


def over_time(shape, is_same):
    return double(1, B, *shape).expand(T, -1, *(-1,) * len(shape)) if is_same else double(T, B, *shape)


def subspace_of(n_features, spiking=None):
    subspace = HebbianSubspace(n_features, spiking=spiking).double()
    subspace.extend(torch.linalg.qr(double(n_features, 2)).Q.T)
    return subspace


def propagate(case, x, activity, grad, weight, feedback, subspace, project):
    """Output, gradients of input and of weight, of the function."""
    x, weight = x.detach().requires_grad_(), weight.detach().requires_grad_()
    y = Synapses.apply(x, activity, weight, None, feedback, case.connection, subspace, project)
    y.backward(grad)
    return y.detach(), x.grad, weight.grad


def by_hand(case, x, activity, grad, weight, feedback, subspace):
    """The same sums, written out."""
    seen = x if activity is None else activity
    y, grad_x, grad_weight = torch.empty_like(grad), torch.empty_like(x), torch.zeros_like(weight)
    for t in range(T):
        for b in range(B):
            y[t, b] = case.forward(x[t, b], weight)
            example = x[t, b].detach().clone().requires_grad_()
            case.forward(example, weight if feedback is None else feedback).backward(grad[t, b])
            grad_x[t, b] = example.grad
            for error, patch in zip(case.errors(grad[t, b]), case.patches(seen[t, b]), strict=True):
                outside = patch
                if subspace is not None:
                    response = subspace.fixed @ patch
                    outside = patch - subspace.fixed.T @ (subspace.spiking(response) if subspace.spiking else response)
                grad_weight += torch.outer(error, outside).reshape(weight.shape)
    return y, grad_x, grad_weight


@CASES
@pytest.mark.parametrize("learner", ["plain", "input", "weight", "spiking"])
@pytest.mark.parametrize("constant", ["", "x", "g", "xg", "a", "ag"])
@pytest.mark.parametrize("traced", [False, True])
def test_gradients_are_the_sums_over_steps_whether_inputs_and_errors_are_constant_or_not(
    case, learner, constant, traced
):
    x = over_time(case.shape, "x" in constant)
    activity = over_time(case.shape, "a" in constant) if traced else None
    grad = over_time(case.out_shape, "g" in constant)
    weight, feedback = double(*case.weight_shape), double(*case.weight_shape) if traced else None
    subspace = None
    if learner != "plain":
        subspace = subspace_of(case.n_features, SpikingLateral(3.0, 8) if learner == "spiking" else None)
    project = "weight" if learner == "weight" else "input"
    found = propagate(case, x, activity, grad, weight, feedback, subspace, project)
    for one, other in zip(found, by_hand(case, x, activity, grad, weight, feedback, subspace), strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)


@CASES
def test_a_constant_input_is_worked_through_once(case):
    x = double(1, B, *case.shape).expand(T, -1, *(-1,) * len(case.shape))
    y, *_ = propagate(
        case, x, None, over_time(case.out_shape, is_same=True), double(*case.weight_shape), None, None, "input"
    )
    assert is_constant(y)


@CASES
@pytest.mark.parametrize("constant", [False, True])
def test_bias_collects_the_error_of_every_step_sample_and_position(case, constant):
    bias = double(4).requires_grad_()
    x, grad = over_time(case.shape, constant), over_time(case.out_shape, constant)
    weight = double(*case.weight_shape)
    y = Synapses.apply(x, None, weight, bias, None, case.connection, None, "input")
    y.backward(grad)
    expected = grad.transpose(0, 2).flatten(1).sum(1)
    torch.testing.assert_close(bias.grad, expected)
    shift = y - Synapses.apply(x, None, weight, None, None, case.connection, None, "input")
    torch.testing.assert_close(shift.transpose(0, 2).flatten(1).T, bias.expand(shift[:, :, 0].numel(), 4))


def test_what_needs_no_gradient_gets_none():
    x, weight = over_time((5,), is_same=False).requires_grad_(), double(4, 5)
    Synapses.apply(x, None, weight, None, None, Dense(), None, "input").sum().backward()
    assert x.grad is not None
    assert weight.grad is None
