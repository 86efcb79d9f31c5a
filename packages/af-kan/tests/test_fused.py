"""The fused sums against the definition: values, gradients, tails, precision, chunks and memory."""

from typing import get_args

import pytest
import torch

from af_kan import AFKANLinear, basis_features, basis_sums, uniform_grid
from af_kan.configs import Activation, Combination
from af_kan.layers import fused, silu_quad
from af_kan.layers.fused import naive_sums

ACTIVATIONS, COMBINATIONS = get_args(Activation), get_args(Combination)


def inputs(*shape, dtype=torch.double, g=3, k=3, spread=1.5):
    """x, s, e and v that want gradients; numbers are no multiples of the grid's step, where ReLU has its kink."""
    generator = torch.Generator().manual_seed(0)
    x = spread * torch.randn(*shape, generator=generator, dtype=torch.double)
    low, high = uniform_grid(g, k)
    weight = torch.randn(g + k, generator=generator, dtype=torch.double)
    jitter = 0.01 * torch.randn(g + k, generator=generator, dtype=torch.double)
    return [one.to(dtype).detach().requires_grad_() for one in (x, low + jitter, high - jitter, weight)]


def gradients(sums, arguments, names):
    """Both sums, and the gradients of a random combination of them."""
    total, weighted = sums(*arguments, *names)
    generator = torch.Generator().manual_seed(1)
    loss = sum(
        (one * torch.randn(one.shape, generator=generator, dtype=torch.double)).sum() for one in (total, weighted)
    )
    return [total, weighted, *torch.autograd.grad(loss, arguments)]


@pytest.mark.parametrize("combination", COMBINATIONS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_sums_and_gradients_are_those_of_the_definition(activation, combination, monkeypatch):
    monkeypatch.setattr(fused, "CHUNK", 6 * 7)
    names = activation, combination
    for found, expected in zip(gradients(basis_sums, inputs(4, 5), names), gradients(naive_sums, inputs(4, 5), names)):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_gradients_are_finite_differences(combination):
    assert torch.autograd.gradcheck(lambda *a: basis_sums(*a, "silu", combination), inputs(2, 3))


@pytest.mark.parametrize("activation", ["silu", "gelu", "tanh"])
def test_second_derivatives_are_finite_differences_of_the_first(activation):
    assert torch.autograd.gradgradcheck(lambda *a: basis_sums(*a, activation, "quad1"), inputs(2, 2, g=2, k=1))


def test_only_what_wants_a_gradient_has_one_in_a_second_derivative():
    x, low, high, weight = inputs(3)
    total, _ = basis_sums(x, low.detach(), high.detach(), weight.detach())
    (first,) = torch.autograd.grad(total.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    y = x.detach().requires_grad_()
    (expected,) = torch.autograd.grad(basis_features(y, low.detach(), high.detach()).sum(), y, create_graph=True)
    (expected,) = torch.autograd.grad(expected.sum(), y)
    torch.testing.assert_close(second, expected)


@pytest.mark.parametrize("activation", ["silu", "sigmoid"])
@pytest.mark.parametrize("names", [("prod",), ("sum",)])
def test_one_exponential_serves_all_also_far_from_the_grid(activation, names):
    """Single precision beside double, where exponentials would overflow or vanish."""
    x = torch.tensor([-300.0, -95.0, -88.5, -50.0, -10.0, 0.0, 10.0, 50.0, 88.5, 95.0, 300.0])
    _, low, high, weight = (one.detach() for one in inputs(1, dtype=torch.float32))
    found = basis_sums(x, low, high, weight, activation, *names)
    expected = naive_sums(x.double(), low.double(), high.double(), weight.double(), activation, *names)
    for one, other in zip(found, expected):
        torch.testing.assert_close(one.double(), other, rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize("ends", [(-3.0, 3.0), (2.0, 3.0), (-3.0, -2.0)])
def test_the_closed_form_of_silu_and_quad1_holds_far_from_the_grid(ends):
    """Values and gradients in single precision beside the definition in double."""
    x = torch.tensor([-300.0, -95.0, -80.5, -40.0, -5.0, -2.5, 0.0, 2.5, 5.0, 40.0, 80.5, 95.0, 300.0])
    low, high = (torch.linspace(*ends, 6) for _ in range(2))
    weight = torch.linspace(-1, 1, 6)
    assert silu_quad.applies("silu", "quad1", x, low, high)
    found = values_and_gradients(basis_sums, (x, low, high, weight))
    expected = values_and_gradients(naive_sums, tuple(one.double() for one in (x, low, high, weight)))
    for one, other in zip(found, expected):
        torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("activation", "combination", "widest"), [("gelu", "quad1", 1), ("silu", "quad2", 1), ("silu", "quad1", 3.1)]
)
def test_the_closed_form_is_for_silu_and_quad1_on_a_narrow_grid_alone(activation, combination, widest):
    x, low, high, weight = inputs(3, 4)
    high = torch.full_like(high, widest).detach()
    assert not silu_quad.applies(activation, combination, x, low, high)
    for one, other in zip(
        basis_sums(x, low, high, weight, activation, combination),
        naive_sums(x, low, high, weight, activation, combination),
    ):
        torch.testing.assert_close(one, other)


def values_and_gradients(sums, arguments):
    """Both sums of SiLU and quad1, and the gradients of something of both in all arguments."""
    arguments = [one.detach().requires_grad_() for one in arguments]
    total, weighted = sums(*arguments)
    return total, weighted, *torch.autograd.grad((total + weighted.sin()).sum(), arguments)


def test_accuracy_in_single_precision_is_no_worse_than_the_definition_s():
    arguments = [one.detach() for one in inputs(300, 20, dtype=torch.float32)]
    exact = naive_sums(*(one.double() for one in arguments))
    for ours, plain, truth in zip(basis_sums(*arguments), naive_sums(*arguments), exact):
        scale = truth.abs().clamp(min=1e-3)
        errors = [((one - truth).abs() / scale).max().item() for one in (ours, plain)]
        assert errors[0] <= 3 * errors[1] + 1e-6


def test_a_wide_grid_is_computed_without_shared_exponentials():
    x, _, _, weight = inputs(50, dtype=torch.double, spread=60)
    low, high = torch.linspace(-200, 90, 6, dtype=torch.double), torch.linspace(-90, 200, 6, dtype=torch.double)
    for one, other in zip(basis_sums(x, low, high, weight), naive_sums(x, low, high, weight)):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("n", [0, 1, 6, 7, 8, 63])
def test_any_number_of_numbers_and_any_chunk(n, monkeypatch):
    monkeypatch.setattr(fused, "CHUNK", 42)
    x, low, high, weight = inputs(9, n)
    turned = x.detach().T.requires_grad_()  # not contiguous
    for one, other in zip(basis_sums(turned, low, high, weight), naive_sums(turned, low, high, weight)):
        torch.testing.assert_close(one, other)
    basis_sums(turned, low, high, weight)[1].sum().backward()
    assert turned.grad.shape == turned.shape


def test_nothing_of_the_size_of_all_functions_is_kept_for_the_backward_pass():
    x = torch.randn(64, 100, requires_grad=True)
    low, high = uniform_grid(3, 3)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        basis_sums(x, low, high, torch.ones(6))
    assert max(kept) == x.numel()
    kept.clear()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        naive_sums(x, low, high, torch.ones(6))
    assert sum(kept) > 10 * x.numel()


@pytest.mark.parametrize("reduction", ["global_attn", "multistep", "spatial_attn"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_computes_features_in_single_precision(reduction, dtype):
    """Features at 60 exceed the range of float16; the layer under autocast does not."""
    layer = AFKANLinear(6, 4, reduction=reduction, combination="cubic1")
    x = torch.tensor([[60.0, -20.0, 3.0, 0.5, -1.0, 0.1]]).expand(3, -1)
    expected = layer(x)
    with torch.autocast("cpu", dtype=dtype):
        found = layer(x.to(dtype))
        assert layer.features(x.to(dtype)).dtype == torch.float32
    assert layer.features(x).max() > torch.finfo(torch.float16).max
    torch.testing.assert_close(found.float(), expected, atol=0.03, rtol=0.03)


@pytest.mark.parametrize("reduction", ["global_attn", "multistep"])
def test_a_layer_in_half_precision_runs(reduction):
    layer = AFKANLinear(6, 4, reduction=reduction).bfloat16()
    x = torch.randn(5, 6)
    assert layer(x.bfloat16()).dtype == torch.bfloat16
    torch.testing.assert_close(layer(x.bfloat16()).float(), layer.float()(x.bfloat16().float()), atol=0.1, rtol=0.1)


@pytest.mark.parametrize("reduction", ["global_attn", "multistep"])
def test_the_fused_layer_is_the_plain_one(reduction):
    layer = AFKANLinear(11, 5, reduction=reduction)
    x = torch.randn(7, 11)
    outputs, grads = [], []
    for layer.fused in (True, False):
        layer.zero_grad()
        y = layer(x)
        y.square().sum().backward()
        outputs.append(y)
        grads.append([p.grad.clone() for p in layer.parameters()])
    torch.testing.assert_close(*outputs, atol=1e-6, rtol=1e-5)
    for one, other in zip(*grads):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
