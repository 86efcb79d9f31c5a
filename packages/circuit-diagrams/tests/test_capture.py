"""Modules become diagrams that compute the same; axes are found by rules, not by sizes."""

import warnings

import pytest
import torch
from torch import nn

from circuit_diagrams import GALLERY, check, from_json, parse, to_text, to_torch, trace
from circuit_diagrams.arguments import resolve
from circuit_diagrams.gallery.attention import MultiHeadAttention

SMALL = [name for name in GALLERY if name not in {"resnet50", "identity-resnet", "encoder-decoder"}]


def traced(name):
    torch.manual_seed(0)
    entry = GALLERY[name]
    module = entry.make().eval().double()
    inputs = entry.inputs(torch.Generator().manual_seed(1), torch.float64)
    return module, inputs, trace(module, *inputs, axes=entry.axes, name=entry.title)


@pytest.fixture(scope="module")
def gallery():
    return {name: traced(name) for name in SMALL}


@pytest.mark.parametrize("name", SMALL)
def test_a_diagram_computes_what_its_module_does_and_survives_json_text_and_code(gallery, name):
    module, inputs, diagram = gallery[name]
    assert not [op for op in diagram.ops if op.kind == "opaque"]
    assert check(diagram, module, *inputs) < 1e-12
    assert from_json(diagram.to_json()) == diagram
    read = parse(to_text(diagram))
    assert read == diagram
    space = {}
    exec(to_torch(diagram), space)
    own = next(v for v in space.values() if isinstance(v, type) and issubclass(v, nn.Module))()
    own.load_state_dict(module.state_dict(), strict=False)
    torch.backends.mha.set_fastpath_enabled(False)
    with torch.no_grad():
        torch.testing.assert_close(own.eval()(*inputs), module(*inputs), rtol=1e-12, atol=1e-12)
    torch.backends.mha.set_fastpath_enabled(True)


def shape_of(diagram):
    """Operations with their broadcast axes as places, without sizes and names."""
    return [
        (
            op.name,
            [[axis.id for axis in a.axes] for a in (*op.inputs, *op.outputs)],
            [(x.axis.id, x.inputs, x.outputs) for x in op.broadcast],
        )
        for op in diagram.ops
    ]


def test_equal_sizes_give_the_same_axes_as_different_ones():
    different = trace(MultiHeadAttention(12, 5, 3), torch.randn(7, 12), torch.randn(11, 12))
    equal = trace(MultiHeadAttention(4, 4, 4), torch.randn(4, 4), torch.randn(4, 4))
    assert shape_of(different) == shape_of(equal)


def test_one_tensor_that_is_given_several_times_stays_several_inputs():
    x = torch.randn(5, 4, 3)
    attention = GALLERY["attention"].make()
    diagram = trace(attention, x, x, x)
    others = [torch.randn(5, 4, 3) for _ in range(3)]
    assert check(diagram, attention, *others) < 1e-6
    with pytest.warns(UserWarning, match="recorded"):
        recorded = trace(lambda a, b: a - b if a.sum() > -1e9 else b, x, x)
    torch.testing.assert_close(recorded(*others[:2]), others[0] - others[1])


class Branching(nn.Module):
    def forward(self, x):
        return x.relu() if x.sum() > 0 else x.neg()


class Plain(nn.Module):
    """Nothing of this package: what a user may write."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 5, 5))
        self.register_buffer("scale", torch.rand(5))
        self.lstm = nn.LSTM(5, 4, batch_first=True)
        self.shared = nn.Linear(4, 4)

    def forward(self, x, mask=None):
        y = torch.einsum("bti,gij->bgtj", x * self.scale, self.weight).amax(1)
        if mask is not None:
            y = y.masked_fill(mask[..., None], 0.0)
        y, (h, _) = self.lstm(y)
        y = self.shared(self.shared(y).tanh())
        top, index = y.topk(2, -1)
        return {"y": torch.stack([top, top.flip(-1)]).roll(1, 0), "h": h, "index": index}


def test_a_users_module_works_and_an_unknown_operation_is_a_closed_box_with_a_warning():
    module = Plain().double()
    inputs = torch.randn(2, 3, 5, dtype=torch.float64), torch.rand(2, 3) > 0.5
    with pytest.warns(UserWarning, match="closed box"):
        diagram = trace(module, *inputs)
    assert [op.name for op in diagram.ops if op.kind == "opaque"] == ["lstm"]
    assert check(diagram, module, *inputs) < 1e-12
    assert len(diagram.outputs) == 3


def test_what_export_cannot_trace_is_recorded_as_it_runs():
    with pytest.warns(UserWarning, match="recorded"):
        diagram = trace(Branching(), torch.ones(3))
    assert [op.name for op in diagram.ops][-1] == "relu"


def test_in_place_operations_and_views_are_computed_in_order():
    def function(x):
        y = x.clone()
        y += 1
        y.mul_(2)
        return y.t().reshape(-1) - x.flatten().sum()

    x = torch.randn(3, 4, dtype=torch.float64)
    assert check(trace(function, x), function, x) < 1e-12


def test_a_model_of_a_billion_parameters_needs_no_memory():
    with torch.device("meta"):
        module = nn.Sequential(*(nn.Linear(16384, 16384) for _ in range(4)))
    diagram = trace(module, torch.empty(2, 16384, device="meta"))
    assert not diagram.values
    assert sum(a.shape[0] * a.shape[-1] for a in diagram.parameters if len(a.shape) == 2) > 10**9


def test_training_mode_is_given_back_and_told():
    module = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.9)).train()
    with pytest.warns(UserWarning, match="evaluation mode"):
        diagram = trace(module, torch.ones(2, 3))
    assert module[1].training
    assert [op.name for op in diagram.ops] == ["linear"]


def test_shared_weights_are_one_array():
    layer = nn.Linear(4, 4)
    diagram = trace(nn.Sequential(layer, nn.ReLU(), layer), torch.ones(2, 4))
    first, last = diagram.ops[0], diagram.ops[-1]
    assert [a.id for a in first.parameters] == [a.id for a in last.parameters]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: trace(nn.Linear(3, 2), torch.ones(2, 4)), "cannot be called"),
        (lambda: trace(nn.Linear(3, 2), 5), "none was given"),
        (lambda: trace(nn.Linear(3, 2), torch.ones(2, 3), axes={"x": "b c"}), "inputs are input"),
        (lambda: trace(nn.Linear(3, 2), torch.ones(2, 3), axes={"input": "b"}), "it has 2"),
        (lambda: trace(nn.Linear(3, 2), torch.ones(2, 3), axes={"input": "b b"}), "two axes of one name"),
        (lambda: trace(nn.Linear(3, 2), torch.ones(2, 3), axes={"input": "b 4"}), "size 4, but it has 3"),
        (
            lambda: trace(
                nn.Bilinear(2, 3, 1), torch.ones(4, 2), torch.ones(4, 3), axes={"input1": "b c", "input2": "b c"}
            ),
            "two names",
        ),
        (lambda: trace(lambda x: "text", torch.ones(2)), "something else than tensors"),
        (lambda: trace(nn.Linear(3, 2), torch.ones(2, 3))(torch.ones(3, 3)), "2×3"),
        (lambda: trace(nn.Linear(3, 2), torch.ones(2, 3))(), "takes 1 tensors"),
        (lambda: from_json("{}"), "not a diagram"),
        (lambda: from_json("["), "not JSON"),
        (lambda: resolve("aten.from_file.default"), "no operator"),
    ],
)
def test_what_a_user_does_wrong_is_said_in_a_sentence(call, message):
    with warnings.catch_warnings(action="ignore"), pytest.raises(ValueError, match=message):
        call()
