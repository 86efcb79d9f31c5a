"""Costs against PyTorch's counter, numbers worked out by hand, and autograd."""

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from circuit_diagrams import GALLERY, backward, cost, fit_polynomial, saved_bytes, trace
from circuit_diagrams.gallery.attention import MultiHeadAttention
from circuit_diagrams.measurement import measured_peak

NAMES = ["attention", "multi-head-attention", "encoder-block", "convolutions", "unet", "vision-transformer"]


@pytest.fixture(scope="module")
def traced():
    found = {}
    for name in NAMES:
        entry = GALLERY[name]
        module = entry.make().eval()
        inputs = entry.inputs(torch.Generator().manual_seed(0))
        found[name] = module, inputs, trace(module, *inputs)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_flops_are_those_that_pytorch_counts(traced, name):
    module, inputs, diagram = traced[name]
    with torch.no_grad(), FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        module(*inputs)
    assert cost(diagram).flops == counter.get_total_flops()


class Nested(nn.Module):
    """What the caller of a module holds is freed only when it returns."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 32))
        self.last = nn.Linear(32, 32)

    def forward(self, x):
        return self.last(torch.relu(self.wide(x)))


@pytest.mark.parametrize("name", ["perceptron", "encoder-layer", "identity-resnet", "nested"])
def test_peak_memory_is_what_the_module_needs(name):
    entry = GALLERY.get(name)
    module = entry.make().eval() if entry else Nested()
    inputs = entry.inputs(torch.Generator().manual_seed(0)) if entry else (torch.randn(5, 8),)
    assert cost(trace(module, *inputs)).peak_bytes == measured_peak(module, module, *inputs)


def test_copies_that_a_product_makes_are_counted():
    def function(a, b):
        return torch.einsum("aib,cbi->ac", a, b)

    a, b = torch.randn(6, 3, 5), torch.randn(7, 5, 3)
    diagram = trace(function, a, b)
    # One of the two has to be transposed for the product of two matrices.
    least = 4 * (6 * 15 + 7 * 15 + 6 * 7) + 4 * 6 * 15
    assert cost(diagram).peak_bytes == measured_peak(diagram, nn.Identity(), a, b) >= least


def test_numbers_that_are_known():
    layer = trace(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).eval(), torch.randn(2, 7, 32))
    assert cost(layer).flops == 2 * (14 * (32 * 96 + 32 * 32 + 2 * 32 * 64) + 2 * (2 * 4 * 7 * 7 * 8)) == 241_920
    conv = trace(nn.Conv2d(3, 16, 3, stride=2, padding=1, dilation=2), torch.randn(1, 3, 16, 16))
    assert conv.outputs[0].shape == (1, 16, 7, 7)
    assert cost(conv).flops == 42_336
    y, x, m, k, h = 20, 22, 128, 16, 4
    attention = trace(MultiHeadAttention(m, k, h), torch.randn(y, m), torch.randn(x, m))
    assert cost(attention).macs == 2 * m * k * h * y + 2 * m * k * h * x + 2 * y * x * k * h
    resnet = GALLERY["resnet50"]
    with torch.device("meta"):
        module = resnet.make().eval()
    table = cost(trace(module, torch.empty(1, 3, 224, 224, device="meta")))
    assert table.parameters == 25_557_032
    assert table.macs == 4_089_184_256
    assert sum(table.by_region().values()) == table.macs


def test_training_memory_of_a_chain_is_its_inputs():
    chain = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    # The input, and what the rectifier gives, which the second layer takes.
    assert saved_bytes(trace(chain, torch.randn(5, 4))) == 4 * 5 * (4 + 8)


def test_polynomials_are_exact_and_others_are_refused():
    def macs(sizes):
        q = torch.empty(sizes["y"], sizes["k"], 2, device="meta")
        keys = torch.empty(sizes["x"], sizes["k"], 2, device="meta")
        return cost(trace(GALLERY["attention"].make(), q, keys, keys)).macs

    found = fit_polynomial(macs, ["y", "x", "k"], [{"y": 9, "x": 4, "k": 6}])
    assert str(found) == "4 y x k"
    assert found(y=100, x=200, k=16) == 4 * 100 * 200 * 16
    mixed = fit_polynomial(lambda s: 3 * s["n"] ** 2 + s["n"] + 7, ["n"], [{"n": 50}])
    assert (str(mixed), str(mixed.leading())) == ("3 n^2 + n + 7", "3 n^2")
    with pytest.raises(ValueError, match="no polynomial"):
        fit_polynomial(lambda s: s["n"] ** 3, ["n"], [{"n": 50}])


@pytest.mark.parametrize("name", ["perceptron", "encoder-block", "convolutions", "identity-block"])
def test_the_backward_diagram_computes_gradients(name):
    torch.manual_seed(0)
    entry = GALLERY[name]
    module = entry.make().eval().double()
    inputs = entry.inputs(torch.Generator().manual_seed(1), torch.float64)
    diagram = trace(module, *inputs)
    found = backward(diagram)
    xs = [x.clone().requires_grad_() for x in inputs]
    named = dict(module.named_parameters())
    learned = [named[a.name] for a in diagram.parameters if a.role == "parameter"]
    y = module(*xs)
    dy = torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(2))
    wanted = torch.autograd.grad(y, [*xs, *learned], dy)
    for a, b in zip(found(*inputs, dy), wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
    assert not [op.target for op in found.ops if op.kind == "opaque"]


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Linear(6, 5), (3, 6)),
        (nn.Conv2d(4, 6, 3, stride=2, padding=1), (2, 4, 8, 8)),
        (nn.ConvTranspose2d(4, 6, 2, stride=2), (2, 4, 8, 8)),
    ],
)
def test_the_backward_pass_of_a_linear_operation_costs_twice_the_forward_pass(module, shape):
    diagram = trace(module, torch.randn(shape))
    x = torch.randn(shape, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        y = module(x)
        forward = counter.get_total_flops()
        y.backward(torch.ones_like(y))
    assert cost(backward(diagram)).flops == counter.get_total_flops() - forward == 2 * cost(diagram).flops


def test_groups_cost_what_convolutions_side_by_side_do():
    x = torch.randn(2, 4, 8, 8)
    grouped, half = trace(nn.Conv2d(4, 8, 3, groups=2), x), trace(nn.Conv2d(2, 4, 3), x[:, :2])
    assert cost(grouped).macs == 2 * cost(half).macs
    assert cost(backward(grouped)).macs == 2 * cost(backward(half)).macs
