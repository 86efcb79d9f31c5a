"""The objective against closed forms, finite differences and NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dendritic_backprop import covariance_grad_target, covariance_score
from dendritic_backprop.correlation import Moments, batch_covariance, batch_objective, patterns


def drawn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_the_score_is_the_covariance_that_numpy_computes_of_every_position():
    v, error = drawn(4, 3, 5, 2), drawn(4, 3, 5, 2, seed=1)
    found = covariance_score(v, error, node_axis=1)
    for j in range(3):
        expected = abs(np.cov(v[:, j].flatten(), error[:, j].flatten(), bias=True)[0, 1]) * 40
        assert found[j].item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("activation", [torch.sigmoid, torch.tanh])
def test_the_gradient_is_that_of_the_closed_form_and_of_finite_differences(activation):
    x, error, weight = drawn(20, 3), drawn(20, 4, seed=1), drawn(4, 3, seed=2).requires_grad_()
    v = activation(x @ weight.T)
    covariance_score(v, error).sum().backward()
    centered = error - error.mean(0)
    sign = ((v - v.mean(0)) * centered).sum(0).sign().detach()
    slope = (v * (1 - v) if activation is torch.sigmoid else 1 - v.square()).detach()
    by_hand = (sign * centered * slope).T @ x
    torch.testing.assert_close(weight.grad, by_hand, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close((covariance_grad_target(error, sign) * slope).T @ x, by_hand)
    step = 1e-5
    for i, j in ((0, 0), (3, 2)):
        moved = weight.detach().clone()
        moved[i, j] += step
        above = covariance_score(activation(x @ moved.T), error).sum()
        moved[i, j] -= 2 * step
        below = covariance_score(activation(x @ moved.T), error).sum()
        assert ((above - below) / (2 * step)).item() == pytest.approx(weight.grad[i, j].item(), rel=1e-5)


def test_the_mean_of_the_outputs_adds_nothing_to_the_gradient():
    x, error, weight = drawn(30, 3), drawn(30, 1, seed=1), drawn(1, 3, seed=2).requires_grad_()
    v = torch.sigmoid(x @ weight.T)
    centered = error - error.mean(0)
    (through,) = torch.autograd.grad(((v - v.mean(0)) * centered).sum(), weight, retain_graph=True)
    (constant,) = torch.autograd.grad(((v - 7.0) * centered).sum(), weight, retain_graph=True)
    torch.testing.assert_close(through, constant)
    (raw,) = torch.autograd.grad(((v - v.mean(0)) * error).sum() + v.mean() * error.sum(), weight)
    assert not torch.allclose(raw, through)


def test_the_target_keeps_the_axis_of_the_neurons():
    error, sign = drawn(2, 3, 4), torch.tensor([1.0, -1, 1], dtype=torch.float64)
    found = covariance_grad_target(error, sign, node_axis=1)
    expected = sign.view(3, 1) * (error - error.mean((0, 2), keepdim=True))
    torch.testing.assert_close(found, expected)


def test_patterns_are_samples_and_positions():
    out = torch.arange(24.0).view(2, 3, 4)
    assert patterns(out, 1).shape == (8, 3)
    assert patterns(out, 1)[:4, 1].tolist() == out[0, 1].tolist()
    assert torch.equal(patterns(out, -1), out.reshape(6, 4))
    assert patterns(out[0, 0], -1).shape == (1, 4), "a sample without a batch"
    assert patterns(out[:0], 1).shape == (0, 3), "a batch without a sample"


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 30), st.integers(1, 29), st.integers(0, 10_000))
def test_moments_of_parts_are_those_of_the_whole(n, cut, seed):
    values, error = drawn(2, n, 3, seed=seed), drawn(n, 3, seed=seed + 1)
    cut = min(cut, n - 1)
    both = Moments.of(values[:, :cut], error[:cut]) + Moments.of(values[:, cut:], error[cut:])
    for k in range(2):
        for j in range(3):
            a, b = values[k, :, j].numpy(), error[:, j].numpy()
            assert both.covariance[k, j].item() == pytest.approx(np.cov(a, b, bias=True)[0, 1], abs=1e-12)
            assert both.pearson[k, j].item() == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-9)
            slope = np.polyfit(a, b, 1)[0]
            assert both.regression()[k, j].item() == pytest.approx(-slope, abs=1e-8)


def test_a_neuron_without_error_and_a_constant_dendrite_have_no_score():
    values, error = drawn(2, 10, 2), drawn(10, 2, seed=1)
    error[:, 0] = 0
    values[1, :, 1] = 0.5
    moments = Moments.of(values, error)
    for kind in ("covariance", "normalized", "pearson"):
        score = moments.score(kind)
        assert score[:, 0].tolist() == [0, 0]
        assert score[1, 1] == pytest.approx(0, abs=1e-12)
        assert score[0, 1] > 0
    for dtype in (torch.float64, torch.float16):
        v = values.to(dtype).requires_grad_()
        found = batch_objective(v, error.to(dtype), torch.ones(2, 2), moments, "normalized")
        (gradient,) = torch.autograd.grad(found, v)
        assert gradient.isfinite().all()
        assert not gradient[:, :, 0].any()
        assert gradient[0, :, 1].any()


def test_the_expected_gradient_of_batches_is_that_of_the_whole_data():
    """A batch's own mean, or its own sign, would not give it."""
    values, error = drawn(1, 40, 2), drawn(40, 2, seed=1) + 3
    moments, sign = Moments.of(values, error), torch.tensor([[1.0, -1.0]], dtype=torch.float64)

    def gradient(rows):
        part = values[:, rows].clone().requires_grad_()
        batch_objective(part, error[rows], sign, moments, "normalized").backward()
        return part.grad

    parts = torch.cat([gradient(slice(i, i + 8)) for i in range(0, 40, 8)], 1) / 5
    torch.testing.assert_close(parts, gradient(slice(0, 40)))
    scaled = covariance_grad_target(error, sign[0]) / error.std(0, correction=0) / 40
    torch.testing.assert_close(parts[0], scaled)


def test_the_mean_output_adds_nothing_to_the_covariance_of_a_batch():
    error = drawn(40, 2)
    values = 0.5 + 0.01 * error[None]
    mean = error.mean(0)
    raw = torch.stack([((values * (error - mean))[:, i : i + 8]).mean(1) for i in range(0, 40, 8)])
    found = torch.stack([batch_covariance(values[:, i : i + 8], error[i : i + 8], mean) for i in range(0, 40, 8)])
    expected = torch.stack([0.01 * error[i : i + 8].var(0, correction=0) for i in range(0, 40, 8)])[:, None]
    torch.testing.assert_close(found, expected)
    assert (raw < 0).any(), "what it would be otherwise"


@pytest.mark.usefixtures("unchecked")
def test_a_score_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="covariance, normalized, pearson"):
        Moments.of(drawn(1, 3, 1), drawn(3, 1)).score("cosine")
