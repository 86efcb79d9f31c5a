"""What rules say of single operations, against Definition 2.14 and PyTorch's own shapes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from circuit_diagrams import check, check_broadcasts, infer_signature, parse, register, simplify, to_text, trace
from circuit_diagrams.execution import run
from circuit_diagrams.signatures.call import Rule
from circuit_diagrams.verification import is_linear

CASES = {
    "matmul": (lambda a, b: a @ b, [(3, 1, 4, 5), (2, 5, 6)]),
    "addmm": (lambda a, b, c: torch.addmm(c, a, b), [(3, 4), (4, 5), (5,)]),
    "baddbmm": (lambda a, b, c: torch.baddbmm(c, a, b), [(2, 3, 4), (2, 4, 5), (2, 3, 5)]),
    "outer": (torch.outer, [(3,), (4,)]),
    "einsum": (lambda a, b: torch.einsum("...ij,jk->...ki", a, b), [(2, 3, 4), (4, 5)]),
    "tensordot": (lambda a, b: torch.tensordot(a, b, ([2, -3], [0, 2])), [(3, 4, 5), (5, 2, 3)]),
    "softmax": (lambda a: a.softmax(1), [(2, 3, 4)]),
    "cumsum": (lambda a: a.cumsum(0), [(3, 4)]),
    "layer_norm": (lambda a: F.layer_norm(a, (4, 5)), [(3, 4, 5)]),
    "group_norm": (lambda a: F.group_norm(a, 2), [(2, 4, 3)]),
    "instance_norm": (F.instance_norm, [(2, 3, 8)]),
    "mean": (lambda a: a.mean((0, 2), keepdim=True), [(2, 3, 4)]),
    "amax": (lambda a: a.amax(1), [(2, 3, 4)]),
    "broadcast": (lambda a, b: a * b, [(2, 3, 4), (3, 1)]),
    "permute": (lambda a: a.permute(2, 0, 1), [(2, 3, 4)]),
    "movedim": (lambda a: a.movedim(0, 2), [(2, 3, 4)]),
    "reshape": (lambda a: a.reshape(2, 12).reshape(2, 3, 4), [(2, 3, 4)]),
    "expand": (lambda a: a.unsqueeze(1).expand(-1, 5, -1), [(2, 3)]),
    "slice": (lambda a: a[:, 1:3], [(2, 4, 3)]),
    "select": (lambda a: a[:, 2], [(2, 4, 3)]),
    "cat": (lambda a, b: torch.cat([a, b], 1), [(2, 3, 4), (2, 5, 4)]),
    "stack": (lambda a, b: torch.stack([a, b], 1), [(2, 3), (2, 3)]),
    "chunk": (lambda a: torch.cat(a.chunk(2, 1)[::-1], 1), [(3, 4)]),
    "pad": (lambda a: F.pad(a, (1, 2)), [(2, 3)]),
    "flip": (lambda a: a.flip(1), [(2, 3)]),
    "conv1d": (lambda a, w: F.conv1d(a, w, padding=1), [(2, 3, 8), (4, 3, 3)]),
    "depthwise": (lambda a, w: F.conv2d(a, w, groups=3), [(2, 3, 6, 6), (3, 1, 3, 3)]),
    "pool": (lambda a: F.max_pool2d(a, 2), [(2, 3, 4, 6)]),
    "adaptive": (lambda a: F.adaptive_avg_pool2d(a, 1), [(2, 3, 4, 6)]),
    "upsample": (lambda a: F.interpolate(a, scale_factor=2), [(2, 3, 4, 6)]),
    "attention": (F.scaled_dot_product_attention, [(2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 7)]),
    "hardswish": (F.hardswish, [(2, 3)]),
    "slice_scatter": (lambda a, b: torch.slice_scatter(a, b, 1, 1, 4, 2), [(2, 4, 3), (2, 2, 3)]),
    "select_scatter": (lambda a, b: torch.select_scatter(a, b, 1, 2), [(2, 4, 3), (2, 3)]),
    "index_add": (lambda a, b: a.index_add(1, torch.tensor([3, 0, 3]), b), [(2, 4, 5), (2, 3, 5)]),
    "index_put": (lambda a, b: a.index_put((torch.tensor([2, 0]),), b), [(4, 3), (2, 3)]),
    "rotation": (lambda a, b: torch.view_as_real(torch.view_as_complex(a) * torch.view_as_complex(b)), [(4, 3, 2)] * 2),
    "triu": (lambda a: a.triu(1), [(2, 4, 5)]),
    "where": (lambda a, b: torch.where(a > 0, a, b), [(2, 3), (3,)]),
    "norm": (lambda a: torch.linalg.vector_norm(a, dim=1), [(2, 3)]),
}


def inputs_of(shapes):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


@pytest.mark.parametrize("name", CASES)
def test_every_broadcast_that_a_rule_states_is_one_and_every_other_is_none(name):
    function, shapes = CASES[name]
    inputs = inputs_of(shapes)
    diagram = trace(function, *inputs)
    assert not [op for op in diagram.ops if op.kind == "opaque"]
    assert check(diagram, function, *inputs) < 1e-12
    report = check_broadcasts(diagram, *inputs)
    assert report.wrong == ()
    assert report.missed == ()
    known = run(diagram, *inputs, keeps_all=True)
    for op in diagram.ops:
        if op.kind in {"linear", "rearrange", "join"}:
            assert is_linear(op, known, torch.Generator().manual_seed(1))


MASK = torch.tensor(
    [[1, 1, 0, 1, 0, 1], [0, 0, 0, 0, 0, 0], [1, 0, 1, 1, 1, 0], [0, 1, 1, 0, 1, 1], [1, 1, 1, 1, 1, 1]]
)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, "einsum mul softmax einsum"),
        ({"is_causal": True, "scale": 0.3}, "einsum mul ones triu masked_fill softmax einsum"),
        ({"attn_mask": MASK.bool()}, "einsum mul logical_not masked_fill softmax einsum"),
        ({"attn_mask": MASK.double()}, "einsum mul add softmax einsum"),
    ],
)
def test_attention_is_written_out_as_its_products_and_softmax(options, names):
    class Attention(nn.Module):
        def forward(self, q, k, v, **options):
            return F.scaled_dot_product_attention(q, k, v, **options)

    inputs = inputs_of([(2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 7)])
    tensors = [x for x in options.values() if isinstance(x, torch.Tensor)]
    diagram = trace(Attention(), *inputs, **options)
    assert " ".join(op.name for op in diagram.ops) == names
    # The second query sees no key where the mask is one of truth values.
    torch.testing.assert_close(diagram(*inputs, *tensors), Attention()(*inputs, **options), rtol=1e-12, atol=1e-12)
    report = check_broadcasts(diagram, *inputs, *tensors)
    assert (report.wrong, report.missed) == ((), ())
    assert parse(to_text(diagram)) == diagram
    whole = trace(Attention(), *inputs, **options, expand=False)
    assert [op.name for op in whole.ops] == ["attention"]
    assert check_broadcasts(whole, *inputs, *tensors).wrong == ()
    torch.testing.assert_close(whole(*inputs, *tensors), diagram(*inputs, *tensors), rtol=1e-12, atol=1e-12)


def test_attention_that_cannot_be_written_out_stays_one_box():
    q, k, v = inputs_of([(1, 4, 5, 4), (1, 2, 6, 4), (1, 2, 6, 4)])

    def grouped(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)

    diagram = trace(grouped, q, k, v)
    assert [op.name for op in diagram.ops] == ["attention"]
    assert check(diagram, grouped, q, k, v) < 1e-12


def test_a_wrong_broadcast_is_found_out():
    from dataclasses import replace

    from circuit_diagrams import Link

    x = torch.randn(3, 4, dtype=torch.float64)
    diagram = trace(lambda a: a.softmax(1), x)
    op = diagram.ops[0]
    wrong = replace(op, broadcast=(*op.broadcast, Link(op.inputs[0].axes[1], (0,), (0,))))
    assert len(check_broadcasts(replace(diagram, ops=(wrong,)), x).wrong) == 1
    silent = replace(op, broadcast=())
    assert len(check_broadcasts(replace(diagram, ops=(silent,)), x).missed) == 1


def test_self_attention_keeps_queries_and_keys_apart():
    x = torch.randn(5, 4, dtype=torch.float64)
    diagram = trace(lambda a: (a @ a.T).softmax(-1) @ a, x, axes={"a": "t k"})
    scores = diagram.ops[1].outputs[0]
    assert [axis.label for axis in scores.axes] == ["t", "t′"]
    report = check_broadcasts(diagram, x)
    assert report.wrong == ()


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([1, 2]),
    st.sampled_from([1, 2]),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([1, 2]),
    st.integers(7, 9),
)
def test_convolution_is_window_extraction_and_a_contraction(stride, dilation, padding, groups, size):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, size, generator=generator, dtype=torch.float64)
    w = torch.randn(6, 4 // groups, 3, generator=generator, dtype=torch.float64)
    diagram = trace(lambda a, b: F.conv1d(a, b, None, stride, padding, dilation, groups), x, w)
    length = (size + 2 * padding - dilation * 2 - 1) // stride + 1
    assert diagram.outputs[0].shape == (2, 6, length)
    padded = F.pad(x, (padding, padding))
    places = stride * torch.arange(length)[:, None] + dilation * torch.arange(3)
    windows = padded[..., places].unflatten(1, (groups, -1))
    wanted = torch.einsum("bgcxw,gocw->bgox", windows, w.unflatten(0, (groups, -1))).flatten(1, 2)
    torch.testing.assert_close(diagram(x, w), wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("function", "shape", "pairs"),
    [
        (lambda x: x.softmax(1), (3, 4, 5), [(0, 0), (2, 2)]),
        (lambda x: x.transpose(0, 1), (3, 3), [(0, 1), (1, 0)]),
        (lambda x: x.relu(), (2, 3), [(0, 0), (1, 1)]),
        (lambda x: x @ torch.ones(3, 3, dtype=torch.float64), (3, 3), [(0, 0)]),
        (lambda x: x.cumsum(0), (4,), []),
    ],
)
def test_signatures_are_inferred_from_values_alone(function, shape, pairs):
    assert infer_signature(function, torch.randn(shape, dtype=torch.float64)) == pairs


def test_the_snake_identity_and_two_ways_of_transposing():
    x, eye = torch.randn(5, dtype=torch.float64), torch.eye(5, dtype=torch.float64)

    class Snake(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("eye", eye)

        def forward(self, a):
            return torch.einsum("aab->b", torch.einsum("a,bc->abc", a, self.eye))

    straight = simplify(trace(Snake(), x))
    assert len(straight.ops) == 0
    torch.testing.assert_close(straight(x), x)

    m = torch.randn(4, 3, dtype=torch.float64)
    broadcast = trace(lambda a, w: torch.einsum("ij,bj->bi", w, a), torch.randn(6, 3, dtype=torch.float64), m)
    outer = trace(
        lambda a, w: torch.einsum("bjij->bi", torch.einsum("bj,ik->bjik", a, w)),
        torch.randn(6, 3, dtype=torch.float64),
        m,
    )
    a = torch.randn(6, 3, dtype=torch.float64)
    assert len(simplify(outer).ops) == 1
    torch.testing.assert_close(simplify(outer)(a, m), broadcast(a, m))


def test_an_operator_of_ones_own_gets_a_rule():
    @torch.library.custom_op("circuit_tests::double", mutates_args=())
    def double(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    @double.register_fake
    def _(x):
        return torch.empty_like(x)

    def rule(call):
        found = Rule("elementwise", [call.new()])
        for place in range(len(call.shapes[0])):
            found.passes(call, 0, place, 0, place)
        return found

    x = torch.randn(2, 3)
    with pytest.warns(UserWarning, match="closed box"):
        assert trace(lambda a: double(a), x).ops[0].kind == "opaque"
    register("circuit_tests::double", rule)
    diagram = trace(lambda a: double(a), x)
    assert diagram.ops[0].kind == "elementwise"
    torch.testing.assert_close(diagram(x), 2 * x)
    with pytest.raises(ValueError, match="namespace"):
        register("double", rule)
