"""What is recognized in networks as they are read, and what becomes one operation."""

import math
from math import pi, sqrt

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from bab_verify import compute_bounds
from bab_verify.frontends.onnx_import import graph_from_model
from bab_verify.operators.affine import Scale

DOUBLE = torch.float64


def converted(nodes, shape, constants, dtype=torch.float32):
    """The graph of an ONNX model; nodes as (operator, inputs, outputs, attributes)."""
    graph = helper.make_graph(
        [helper.make_node(op, ins, outs, **attributes) for op, ins, outs, attributes in nodes],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return graph_from_model(model, dtype=dtype)


def weights(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def gelu_nodes(order):
    first = {
        "half first": [("Mul", ["x", "half"], ["h"], {}), ("Mul", ["h", "g"], ["y"], {})],
        "half last": [("Mul", ["g", "x"], ["h"], {}), ("Mul", ["h", "half"], ["y"], {})],
        "half on the gate": [("Mul", ["g", "half"], ["h"], {}), ("Mul", ["x", "h"], ["y"], {})],
    }[order]
    return [("Add", ["e", "one"], ["g"], {}), *first]


@pytest.mark.parametrize("order", ["half first", "half last", "half on the gate"])
@pytest.mark.parametrize("kind", ["erf", "tanh"])
def test_recognizes_gelu(order, kind):
    constants = {
        "half": np.float32(0.5),
        "one": np.float32(1),
        "root": np.float32(sqrt(2)),
        "c": np.float32(0.044715),
        "k": np.float32(sqrt(2 / pi)),
        "three": np.float32(3),
    }
    graph = converted([*gate_nodes(kind), *gelu_nodes(order)], (1, 5), constants)
    functions = [type(op).__name__ for op in graph.operators if not isinstance(op, Scale)]
    assert functions == ["Gelu" if kind == "erf" else "TanhGelu"]
    x = torch.randn(3, 5)
    expected = torch.nn.functional.gelu(x, approximate="none" if kind == "erf" else "tanh")
    torch.testing.assert_close(graph(x), expected)


def gate_nodes(kind):
    if kind == "erf":
        return [("Div", ["x", "root"], ["d"], {}), ("Erf", ["d"], ["e"], {})]
    return [
        ("Pow", ["x", "three"], ["q"], {}),
        ("Mul", ["c", "q"], ["cq"], {}),
        ("Add", ["x", "cq"], ["i"], {}),
        ("Mul", ["i", "k"], ["ki"], {}),
        ("Tanh", ["ki"], ["e"], {}),
    ]


@pytest.mark.parametrize("kind", ["erf", "tanh"])
@pytest.mark.parametrize("x", [-3.0, -0.75, 0.5, 2.0, 6.0])
def test_bounds_are_those_of_the_constants_in_the_file(kind, x):
    """In single precision these are not those of GELU, by some 1e-8."""
    root, k, c = np.float32(sqrt(2)), np.float32(sqrt(2 / pi)), np.float32(0.044715)
    constants = {"half": np.float32(0.5), "one": np.float32(1), "root": root, "c": c, "k": k, "three": np.float32(3)}
    nodes = [*gate_nodes(kind), *gelu_nodes("half first")]
    graph = converted(nodes, (1, 1), constants, DOUBLE)
    gate = math.erf(x / float(root)) if kind == "erf" else math.tanh(float(k) * (x + float(c) * x**3))
    at = torch.full((1, 1), x, dtype=DOUBLE)
    for method in ("ibp", "crown", "alpha-crown"):
        lower, upper = compute_bounds(graph, at, at, method=method)
        assert lower.item() - 1e-14 <= 0.5 * x * (1 + gate) <= upper.item() + 1e-14
        assert upper.item() - lower.item() < 1e-12


def test_gelu_of_a_scaled_input():
    constants = {"half": np.float32(0.5), "one": np.float32(1), "root": np.float32(1.5)}
    nodes = [("Div", ["x", "root"], ["d"], {}), ("Erf", ["d"], ["e"], {}), *gelu_nodes("half first")]
    graph = converted(nodes, (1, 5), constants)
    x = torch.randn(3, 5)
    torch.testing.assert_close(graph(x), 0.5 * x * (1 + torch.erf(x / 1.5)))


def test_what_is_almost_gelu_is_not():
    constants = {"half": np.float32(0.5), "one": np.float32(1.1), "root": np.float32(sqrt(2))}
    nodes = [("Div", ["x", "root"], ["d"], {}), ("Erf", ["d"], ["e"], {}), *gelu_nodes("half first")]
    graph = converted(nodes, (1, 5), constants)
    assert "Product" in [type(op).__name__ for op in graph.operators]
    x = torch.randn(3, 5)
    torch.testing.assert_close(graph(x), 0.5 * x * (1.1 + torch.erf(x / sqrt(2))))


def test_rearrangements_become_one():
    nodes = [
        ("Transpose", ["x"], ["t"], {"perm": [0, 2, 1]}),
        ("Flatten", ["t"], ["f"], {}),
        ("Gather", ["f", "i"], ["g"], {"axis": 1}),
        ("Reshape", ["g", "s"], ["y"], {}),
    ]
    graph = converted(nodes, (1, 3, 4), {"i": np.array([3, 1, 1, 7]), "s": np.array([2, 2])})
    assert [type(op).__name__ for op in graph.operators] == ["Select"]


def test_scalings_go_into_a_layer_that_nothing_else_takes():
    nodes = [("Conv", ["x", "w"], ["c"], {}), ("BatchNormalization", ["c", "g", "b", "m", "v"], ["y"], {})]
    constants = {"w": weights(4, 3, 3, 2), **dict.fromkeys("gbm", weights(4)), "v": np.abs(weights(4))}
    graph = converted(nodes, (1, 3, 7, 8), constants)
    assert [type(op).__name__ for op in graph.operators] == ["Convolution"]
    nodes = [("Gemm", ["x", "w"], ["h"], {}), ("LeakyRelu", ["h"], ["y"], {})]
    graph = converted(nodes, (1, 4), {"w": weights(4, 3)})
    assert [type(op).__name__ for op in graph.operators].count("Dense") == 1
