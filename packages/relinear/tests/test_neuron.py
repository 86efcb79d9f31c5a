"""The quadratic neuron against its definition, polynomials, and finite differences."""

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from relinear import QuadraticConv2d, QuadraticLinear, neuron, quadratic_linear
from relinear.neuron import Geometry, Weights, quadratic_map

DOUBLE = torch.float64


@pytest.fixture(autouse=True, params=["squared again", "kept"])
def is_small(request, monkeypatch):
    """Inputs of both kinds: those that are squared again in the backward pass, and small ones."""
    monkeypatch.setattr(neuron, "SMALL", {"squared again": 0, "kept": 10**9}[request.param])
    return request.param == "kept"


GEOMETRY = Geometry((2, 1), (1, 0), (1, 2), 2)


def draw(*shape, scale=1.0):
    return (scale * torch.randn(*shape, dtype=DOUBLE)).requires_grad_()


def dense(form="full"):
    """Inputs and parameters of a small layer, and it as a function of them."""
    x, r, g, b = draw(4, 3), draw(5, 3), draw(5, 3), draw(5, 3)
    c, d, e = draw(5), draw(5), draw(5)
    if form == "compact":
        return lambda x, r, b, c, e: quadratic_linear(x, r, None, b, c, None, e), (x, r, b, c, e)
    return quadratic_linear, (x, r, g, b, c, d, e)


def convolution(form="full"):
    x, weights, biases = draw(2, 4, 5, 4), [draw(6, 2, 3, 2) for _ in range(3)], [draw(6) for _ in range(3)]
    if form == "compact":
        return (
            lambda x, r, b, c, e: quadratic_map(x, Weights(r, None, b, c, None, e), GEOMETRY),
            (x, weights[0], weights[2], biases[0], biases[2]),
        )
    return lambda x, *some: quadratic_map(x, Weights(*some), GEOMETRY), (x, *weights, *biases)


CASES = pytest.mark.parametrize("make", [dense, convolution], ids=["dense", "convolution"])
FORMS = pytest.mark.parametrize("form", ["full", "compact"])


@FORMS
def test_a_layer_is_what_each_neuron_s_formula_says(form):
    x, r, g, b = (np.random.default_rng(i).normal(size=(4, 3)) for i in range(4))
    c, d, e = (np.random.default_rng(i).normal(size=4) for i in range(4, 7))
    expected = np.zeros((4, 4))
    for n in range(4):
        for o in range(4):
            linear = sum(x[n, i] * r[o, i] for i in range(3)) + c[o]
            gate = sum(x[n, i] * g[o, i] for i in range(3)) + d[o] if form == "full" else 1
            expected[n, o] = linear * gate + sum(x[n, i] ** 2 * b[o, i] for i in range(3)) + e[o]
    given = [torch.from_numpy(one) for one in (x, r, g, b, c, d, e)]
    if form == "compact":
        given[2] = given[5] = None
    torch.testing.assert_close(quadratic_linear(*given), torch.from_numpy(expected))


def test_a_neuron_of_one_input_is_a_parabola():
    r, g, b, c, d, e = np.random.default_rng(0).normal(size=6)
    x = np.linspace(-2, 2, 9)
    parameters = [torch.tensor([[v]], dtype=DOUBLE) for v in (r, g, b)]
    parameters += [torch.tensor([v], dtype=DOUBLE) for v in (c, d, e)]
    found = quadratic_linear(torch.from_numpy(x)[:, None], *parameters)[:, 0]
    np.testing.assert_allclose(found, np.polyval([r * g + b, r * d + g * c, c * d + e], x), rtol=1e-12)


def test_leading_axes_are_those_of_the_input():
    layer = QuadraticLinear(3, 2, init="random")
    x = torch.randn(2, 5, 4, 3)
    torch.testing.assert_close(layer(x)[1, 2, 3], layer(x[1, 2, 3][None])[0])
    assert layer(x[0, 0, 0]).shape == (2,)
    assert layer(x[:0]).shape == (0, 5, 4, 2)


@FORMS
def test_groups_are_separate_convolutions(form):
    layer, (x, *parameters) = convolution(form)
    out = layer(x, *parameters)
    for group in range(2):
        own = [one[3 * group : 3 * group + 3] for one in parameters]
        inputs = x[:, 2 * group : 2 * group + 2]
        maps = [
            conv2d(source, weight, bias, GEOMETRY.stride, GEOMETRY.padding, GEOMETRY.dilation)
            for source, weight, bias in zip(
                [inputs, inputs, inputs**2] if form == "full" else [inputs, inputs**2],
                own[: len(own) // 2],
                own[len(own) // 2 :],
            )
        ]
        expected = maps[0] * maps[1] + maps[2] if form == "full" else maps[0] + maps[1]
        torch.testing.assert_close(out[:, 3 * group : 3 * group + 3], expected)


@CASES
@FORMS
def test_derivatives_are_those_of_finite_differences(make, form):
    layer, arguments = make(form)
    assert torch.autograd.gradcheck(layer, arguments, check_forward_ad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(layer, arguments, fast_mode=True)


def test_parameters_that_are_frozen_get_no_gradient():
    layer, (x, r, g, b, *biases) = dense()
    for frozen in (r, biases[1]):
        frozen.requires_grad = False
    layer(x, r, g, b, *biases).sum().backward()
    assert r.grad is None
    expected = torch.autograd.functional.jacobian(lambda one: layer(x, r, one, b, *biases).sum(), g)
    torch.testing.assert_close(g.grad, expected)


def test_a_hessian_of_torch_func_is_that_of_autograd():
    layer, (x, *parameters) = dense()
    found = torch.func.hessian(lambda x: layer(x, *parameters).sin().sum())(x)
    expected = torch.autograd.functional.hessian(lambda x: layer(x, *parameters).sin().sum(), x)
    torch.testing.assert_close(found, expected)


def test_gradients_of_single_samples_by_vmap():
    layer, (x, *parameters) = dense()

    def loss(weight, sample):
        return layer(sample[None], weight, *parameters[1:]).square().sum()

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters[0], x)
    for own, sample in zip(found, x):
        torch.testing.assert_close(own, torch.autograd.grad(loss(parameters[0], sample), parameters[0])[0])


def test_the_squares_are_not_kept(is_small):
    sizes = []

    def count(tensor):
        sizes.append((tensor.data_ptr(), tensor.numel()))
        return tensor

    x, r, g, b = draw(128, 32), draw(16, 32), draw(16, 32), draw(16, 32)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        quadratic_linear(x, r, g, b)
    of_batch = dict(size for size in sizes if size[1] >= 128 * 16)
    if is_small:
        assert len(of_batch) > 3
        return
    # What both linear maps of 16 neurons give, and the inputs.
    assert sorted(of_batch.values()) == [128 * 16, 128 * 16, 128 * 32]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_is_near_single_precision(dtype):
    x, r, g, b, c = torch.randn(8, 16), *(torch.randn(4, 16, requires_grad=True) for _ in range(3)), torch.randn(4)
    with torch.autocast("cpu", dtype):
        found = quadratic_linear(x, r, g, b, c)
    expected = quadratic_linear(x, r, g, b, c)
    assert found.dtype == (torch.float32 if dtype == torch.float16 else dtype)
    tolerance = 2e-2 if dtype == torch.bfloat16 else 3e-3
    torch.testing.assert_close(
        found.float(), expected, rtol=tolerance, atol=tolerance * float(expected.detach().abs().max())
    )
    grads = [torch.autograd.grad(one.float().sum(), g)[0] for one in (found, expected)]
    assert grads[0].dtype == torch.float32
    torch.testing.assert_close(*grads, rtol=tolerance, atol=tolerance * float(grads[1].abs().max()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_convolutions_under_autocast(dtype):
    layer = QuadraticConv2d(4, 6, 3, groups=2, padding=1, init="random")
    # Beyond 255, squares would overflow in float16.
    x = 400 * torch.randn(2, 4, 6, 6)
    with torch.autocast("cpu", dtype):
        found = layer(x).float()
    expected = layer(x)
    assert found.isfinite().all()
    assert float((found - expected).norm() / expected.norm()) < 0.02


def test_double_precision_is_not_cast():
    layer, arguments = dense()
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(*arguments)
    torch.testing.assert_close(found, layer(*arguments), rtol=0, atol=0)


def test_float16_does_not_overflow_where_squares_would():
    x, r, g, b = 3000 * torch.randn(8, 16), torch.randn(4, 16), torch.randn(4, 16), torch.randn(4, 16)
    assert not x.half().square().isfinite().all()
    with torch.autocast("cpu", torch.float16):
        found = quadratic_linear(x, r, g, b)
    torch.testing.assert_close(found, quadratic_linear(x, r, g, b), rtol=0.02, atol=0.01 * float(found.abs().max()))


@FORMS
@pytest.mark.parametrize("kind", ["dense", "convolution"])
def test_gradients_do_not_overflow_where_those_of_squares_would(kind, form):
    """They are finite in single precision: sums of the squares of 1000 times a hundredth."""
    if kind == "dense":
        layer, x = QuadraticLinear(16, 4, form=form, init="random"), 1000 * torch.randn(8, 16)
    else:
        layer, x = QuadraticConv2d(4, 6, 3, groups=2, form=form, init="random"), 1000 * torch.randn(2, 4, 6, 6)
    x.requires_grad_()
    expected = layer(x)
    grad = 0.01 * torch.randn_like(expected)
    with torch.autocast("cpu", torch.float16):
        found = layer(x)
    for one, other in zip(*(torch.autograd.grad(y, [x, *layer.parameters()], grad) for y in (found, expected))):
        assert one.isfinite().all()
        assert float((one - other).norm() / other.norm()) < 5e-3


def test_derivatives_in_half_precision_of_every_kind():
    """Under `torch.func` and in forward mode as in single precision."""
    layer = QuadraticLinear(6, 5, init="random")
    x, v = torch.randn(4, 6), torch.randn(4, 6)

    def half(x):
        with torch.autocast("cpu", torch.float16):
            return layer(x)

    computed = [
        (
            torch.func.jvp(one, (x,), (v,))[1],
            torch.func.vmap(torch.func.grad(lambda row, one=one: one(row[None]).square().sum()))(x),
            torch.func.vjp(lambda x, one=one: torch.func.grad(lambda y: one(y).square().sum())(x), x)[1](v)[0],
        )
        for one in (half, layer)
    ]
    for found, expected in zip(*computed):
        assert float((found - expected).norm() / expected.norm()) < 5e-3


def test_a_module_in_half_precision_stays_there():
    layer = QuadraticLinear(16, 4, init="random")
    x = torch.randn(8, 16)
    found = layer.half()(x.half())
    assert found.dtype == torch.float16
    torch.testing.assert_close(found.float(), layer.float()(x), rtol=0.01, atol=0.05)


@FORMS
@pytest.mark.parametrize("kind", ["dense", "convolution"])
def test_a_compiled_layer_computes_the_same(kind, form, unchecked):
    if kind == "dense":
        layer, x = QuadraticLinear(6, 5, form=form, init="random"), torch.randn(4, 6, requires_grad=True)
    else:
        layer = QuadraticConv2d(2, 4, 3, padding=1, padding_mode="reflect", form=form, init="random")
        x = torch.randn(3, 2, 5, 5, requires_grad=True)
    # Traced to the end; what a compiler makes of it is not this package's.
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), layer(x))
    grads = [torch.autograd.grad(one(x).square().sum(), [x, *layer.parameters()]) for one in (compiled, layer)]
    torch.testing.assert_close(*grads)


def test_integers_are_refused(unchecked):
    with pytest.raises(ValueError, match=r"floating-point numbers, not torch.int64; call .float\(\)"):
        QuadraticLinear(3, 2)(torch.ones(2, 3, dtype=torch.long))


def test_a_compact_neuron_takes_no_gating_bias():
    with pytest.raises(ValueError, match="no bias_g"):
        quadratic_linear(torch.ones(2, 3), torch.ones(1, 3), None, torch.ones(1, 3), None, torch.ones(1))
