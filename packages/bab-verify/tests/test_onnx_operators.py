"""Every operator computes what ONNX Runtime computes, and every affine one has the right adjoint and intervals."""

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from bab_verify.frontends.onnx_import import graph_from_model
from bab_verify.frontends.onnx_registry import CONVERTERS, NetworkError, UnsupportedOperatorError
from bab_verify.frontends.onnx_runtime import session
from bab_verify.graph import Graph
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Affine

_RANDOM = np.random.default_rng(0)


def _weights(*shape):
    return _RANDOM.normal(size=shape).astype(np.float32)


W_CONV = _weights(4, 3, 3, 2)
W_GROUP = _weights(6, 1, 3, 3)


def model(nodes, shape, *, opset=17, constants=None, output="y", dtype=TensorProto.FLOAT):
    """Nodes as (operator, inputs, outputs, attributes)."""
    made = [
        helper.make_node(op, ins, outs, name=f"n{i}", **attributes)
        for i, (op, ins, outs, attributes) in enumerate(nodes)
    ]
    graph = helper.make_graph(
        made,
        "g",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info(output, dtype, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def one(op, shape, *constants, opset=17, before=(), outputs=("y",), **attributes):
    """A model of one operator that takes x and constants; `None` leaves an input out."""
    names = ["" if c is None else f"c{i}" for i, c in enumerate(constants)]
    given = {f"c{i}": c for i, c in enumerate(constants) if c is not None}
    return model([(op, [*before, "x", *names], list(outputs), attributes)], shape, opset=opset, constants=given)


def i64(*values):
    return np.array(values, np.int64)


def f32(*values):
    return np.array(values, np.float32)


def positive(*nodes):
    """x made positive first, by x^2 + 0.5."""
    return [("Mul", ["x", "x"], ["s"], {}), ("Add", ["s", "half"], ["p"], {}), *nodes]


HALF = {"half": np.float32(0.5)}
I8 = (1, 3, 7, 8)

CASES = {
    "gemm": one("Gemm", (1, 4), _weights(4, 3), _weights(3)),
    "gemm transposed": one("Gemm", (1, 4), _weights(3, 4), _weights(1, 3), transB=1, alpha=0.5, beta=2.0),
    "gemm left": model(
        [("Gemm", ["a", "x", "c"], ["y"], {"transB": 1})], (1, 4), constants={"a": _weights(5, 4), "c": _weights(5, 1)}
    ),
    "gemm matrix bias": one("Gemm", (1, 4), _weights(4, 3), _weights(1, 3), opset=7),
    "matmul right": one("MatMul", (1, 2, 4), _weights(4, 3)),
    "matmul vector": one("MatMul", (1, 2, 4), _weights(4)),
    "matmul batched constant": one("MatMul", (1, 2, 5, 4), _weights(2, 4, 3)),
    "matmul left": model([("MatMul", ["a", "x"], ["y"], {})], (1, 4, 3), constants={"a": _weights(2, 4)}),
    "matmul left wide": model([("MatMul", ["a", "x"], ["y"], {})], (4,), constants={"a": _weights(2, 4)}),
    "matmul variable": model(
        [("Transpose", ["x"], ["t"], {"perm": [0, 2, 1]}), ("MatMul", ["x", "t"], ["y"], {})], (1, 3, 4)
    ),
    "matmul bias": model(
        [("MatMul", ["x", "a"], ["m"], {}), ("Add", ["b", "m"], ["y"], {})],
        (1, 4),
        constants={"a": _weights(4, 3), "b": _weights(3)},
    ),
    "conv": one("Conv", I8, W_CONV, _weights(4)),
    "conv strides": one("Conv", I8, W_CONV, strides=[2, 3], pads=[1, 1, 1, 1]),
    "conv asymmetric": one("Conv", I8, W_CONV, pads=[0, 1, 2, 0], strides=[2, 1]),
    "conv dilated": one("Conv", I8, W_CONV, dilations=[2, 3]),
    "conv groups": one("Conv", I8, W_GROUP, _weights(6), group=3, pads=[1, 1, 1, 1]),
    "conv same upper": one("Conv", I8, W_CONV, auto_pad="SAME_UPPER", strides=[2, 2]),
    "conv same lower": one("Conv", I8, W_CONV, auto_pad="SAME_LOWER", strides=[2, 2]),
    "conv valid": one("Conv", I8, W_CONV, auto_pad="VALID"),
    "conv 1d": one("Conv", (1, 2, 9), _weights(3, 2, 3), _weights(3), strides=[2]),
    "conv 3d": one("Conv", (1, 2, 4, 4, 4), _weights(3, 2, 2, 2, 2)),
    "conv norm": model(
        [("Conv", ["x", "w"], ["c"], {}), ("BatchNormalization", ["c", "g", "b", "m", "v"], ["y"], {})],
        I8,
        constants={"w": W_CONV, "g": _weights(4), "b": _weights(4), "m": _weights(4), "v": np.abs(_weights(4))},
    ),
    "conv transpose": one("ConvTranspose", (1, 3, 4, 5), _weights(3, 2, 3, 2), _weights(2)),
    "conv transpose strides": one(
        "ConvTranspose", (1, 3, 4, 5), _weights(3, 2, 3, 3), strides=[2, 3], pads=[1, 0, 0, 2], output_padding=[1, 2]
    ),
    "conv transpose extended": one(
        "ConvTranspose", (1, 3, 4, 5), _weights(3, 2, 2, 2), _weights(2), strides=[3, 3], output_padding=[2, 1]
    ),
    "conv transpose groups": one("ConvTranspose", (1, 4, 3, 3), _weights(4, 2, 2, 2), group=2, dilations=[2, 1]),
    "conv transpose shape": one(
        "ConvTranspose", (1, 3, 4, 4), _weights(3, 2, 3, 3), strides=[2, 2], output_shape=[8, 8]
    ),
    "conv transpose larger shape": one(
        "ConvTranspose", (1, 3, 4, 4), _weights(3, 2, 2, 2), _weights(2), strides=[3, 3], output_shape=[12, 13]
    ),
    "conv transpose same": one(
        "ConvTranspose", (1, 3, 4, 4), _weights(3, 2, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"
    ),
    "conv transpose 1d": one("ConvTranspose", (1, 3, 4), _weights(3, 2, 3), strides=[2]),
    "lstm": one("LSTM", (1, 1, 2), _weights(1, 16, 2), _weights(1, 16, 4), hidden_size=4),
    "lstm reverse": one(
        "LSTM", (1, 1, 2), _weights(1, 16, 2), _weights(1, 16, 4), _weights(1, 32), hidden_size=4, direction="reverse"
    ),
    "lstm bidirectional": one(
        "LSTM",
        (1, 1, 2),
        _weights(2, 12, 2),
        _weights(2, 12, 3),
        _weights(2, 24),
        None,
        _weights(2, 1, 3),
        _weights(2, 1, 3),
        hidden_size=3,
        direction="bidirectional",
        outputs=("", "", "y"),
    ),
    "lstm of a batch": one("LSTM", (3, 4, 2), _weights(1, 12, 2), _weights(1, 12, 3), _weights(1, 24), hidden_size=3),
    "lstm of a batch after a reshape": model(
        [
            ("Reshape", ["x", "s"], ["r"], {}),
            ("LSTM", ["r", "w", "u", "", "", "h", "h"], ["y"], {"hidden_size": 3, "direction": "bidirectional"}),
        ],
        (1, 18),
        constants={"s": i64(3, 3, 2), "w": _weights(2, 12, 2), "u": _weights(2, 12, 3), "h": _weights(2, 3, 3)},
    ),
    "gru": one(
        "GRU",
        (2, 3, 2),
        _weights(2, 9, 2),
        _weights(2, 9, 3),
        _weights(2, 18),
        hidden_size=3,
        direction="bidirectional",
    ),
    "gru reset after": one(
        "GRU", (2, 3, 2), _weights(1, 9, 2), _weights(1, 9, 3), _weights(1, 18), hidden_size=3, linear_before_reset=1
    ),
    "gru state": one(
        "GRU",
        (2, 3, 2),
        _weights(1, 9, 2),
        _weights(1, 9, 3),
        None,
        None,
        _weights(1, 3, 3),
        hidden_size=3,
        linear_before_reset=1,
        outputs=("", "y"),
    ),
    "rnn": one(
        "RNN",
        (2, 3, 2),
        _weights(1, 3, 2),
        _weights(1, 3, 3),
        _weights(1, 6),
        None,
        _weights(1, 3, 3),
        hidden_size=3,
        direction="reverse",
    ),
    "elu": one("Elu", (1, 3, 4), alpha=0.7),
    "selu": one("Selu", (1, 3, 4)),
    "celu": one("Celu", (1, 3, 4), alpha=0.7),
    "add": one("Add", (1, 3, 4), _weights(3, 1)),
    "add wider": one("Add", (1, 3), _weights(2, 4, 1)),
    "add zero": one("Add", (1, 3), np.zeros(3, np.float32)),
    "sub": one("Sub", (1, 3), _weights(3)),
    "sub from": model([("Sub", ["c", "x"], ["y"], {})], (1, 3), constants={"c": _weights(2, 3)}),
    "sub itself": model([("Sub", ["x", "x"], ["y"], {})], (1, 3)),
    "add itself": model([("Add", ["x", "x"], ["y"], {})], (1, 3)),
    "add broadcast": model([("ReduceSum", ["x"], ["s"], {}), ("Add", ["s", "x"], ["y"], {})], (1, 3, 4)),
    "sub broadcast": model([("ReduceMean", ["x"], ["s"], {"axes": [1]}), ("Sub", ["x", "s"], ["y"], {})], (1, 3, 4)),
    "mul": one("Mul", (1, 3, 4), _weights(3, 1)),
    "mul itself": model([("Mul", ["x", "x"], ["y"], {})], (1, 3)),
    "mul variables": model([("Relu", ["x"], ["r"], {}), ("Mul", ["x", "r"], ["y"], {})], (1, 3)),
    "mul broadcast": model([("ReduceSum", ["x"], ["s"], {}), ("Mul", ["s", "x"], ["y"], {})], (1, 3, 4)),
    "cube": model([("Mul", ["x", "x"], ["s"], {}), ("Mul", ["s", "x"], ["y"], {})], (1, 3)),
    "div": one("Div", (1, 3), f32(2, -3, 0.5)),
    "div variable": model(positive(("Div", ["x", "p"], ["y"], {})), (1, 3), constants=HALF),
    "div constant": model(positive(("Div", ["half", "p"], ["y"], {})), (1, 3), constants=HALF),
    "neg": one("Neg", (1, 3)),
    "sum": model([("Sum", ["x", "c", "x"], ["y"], {})], (1, 3), constants={"c": _weights(3)}),
    "mean": model([("Mean", ["x", "c"], ["y"], {})], (1, 3), constants={"c": _weights(3)}),
    **{f"pow {p}": one("Pow", (1, 3), np.float32(p)) for p in (0, 1, 2, 3, 5)},
    "pow tensor": one("Pow", (1, 3), f32(2, 2, 2)),
    **{
        f"pow {p}": model(positive(("Pow", ["p", "e"], ["y"], {})), (1, 3), constants={**HALF, "e": np.float32(p)})
        for p in (0.5, -1, -0.5, -2)
    },
    **{
        op: one(op, (1, 5))
        for op in ("Abs", "Cos", "Erf", "Exp", "Relu", "Sigmoid", "Sign", "Sin", "Tanh", "Identity", "Softmax")
    },
    **{op: model(positive((op, ["p"], ["y"], {})), (1, 3), constants=HALF) for op in ("Log", "Sqrt", "Reciprocal")},
    "gelu": one("Gelu", (1, 5), opset=20),
    "gelu tanh": one("Gelu", (1, 5), opset=20, approximate="tanh"),
    "leaky relu": one("LeakyRelu", (1, 5), alpha=0.2),
    "p relu": one("PRelu", (1, 3, 2), f32([0.1], [0.2], [-0.3])),
    "clip": one("Clip", (1, 5), np.float32(-0.5), np.float32(0.7)),
    "clip lower": one("Clip", (1, 5), np.float32(-0.5)),
    "clip upper": one("Clip", (1, 5), None, np.float32(0.5)),
    "clip none": one("Clip", (1, 5)),
    "clip old": one("Clip", (1, 5), opset=7, min=-0.1, max=0.3),
    "clip limits": one("Clip", (1, 5), opset=10, min=0.0),
    "hard sigmoid": one("HardSigmoid", (1, 5), alpha=0.7),
    "hard swish": one("HardSwish", (1, 5)),
    "softmax axis": one("Softmax", (1, 3, 4), axis=1),
    "softmax old": one("Softmax", (1, 3, 4), axis=1, opset=11),
    "softmax single": one("Softmax", (1, 3, 1)),
    "log softmax": one("LogSoftmax", (1, 3, 4), axis=-1),
    "max": model(
        [("Neg", ["x"], ["n"], {}), ("Max", ["x", "n", "c"], ["y"], {})], (1, 3), constants={"c": _weights(2, 3)}
    ),
    "min": model(
        [("Neg", ["x"], ["n"], {}), ("Min", ["x", "c", "n"], ["y"], {})], (1, 3), constants={"c": np.float32(-0.2)}
    ),
    "max pool": one("MaxPool", I8, kernel_shape=[3, 2], strides=[2, 2]),
    "max pool pads": one("MaxPool", I8, kernel_shape=[3, 3], pads=[1, 0, 1, 2], strides=[2, 1]),
    "max pool ceil": one("MaxPool", I8, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, dilations=[1, 2]),
    "max pool same": one("MaxPool", I8, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
    "max pool 1d": one("MaxPool", (1, 2, 6), kernel_shape=[2], opset=8),
    "global max pool": one("GlobalMaxPool", (1, 2, 3, 3)),
    "average pool": one("AveragePool", I8, kernel_shape=[3, 2], strides=[2, 2]),
    "average pool pads": one("AveragePool", I8, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "average pool counted": one("AveragePool", I8, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    "average pool asymmetric": one("AveragePool", I8, kernel_shape=[3, 3], pads=[1, 0, 0, 2]),
    "average pool asymmetric counted": one(
        "AveragePool", I8, kernel_shape=[3, 3], pads=[1, 0, 0, 2], count_include_pad=1
    ),
    "average pool ceil": one("AveragePool", I8, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "global average pool": one("GlobalAveragePool", I8),
    "reduce all": one("ReduceSum", (1, 3, 4)),
    "reduce sum": one("ReduceSum", (1, 3, 4), i64(-1), keepdims=0),
    "reduce sum old": one("ReduceSum", (1, 3, 4), opset=11, axes=[1, 2]),
    "reduce sum none": one("ReduceSum", (1, 3, 4), np.zeros(0, np.int64), noop_with_empty_axes=1),
    "reduce mean": one("ReduceMean", (1, 3, 4), axes=[1]),
    "reduce mean new": one("ReduceMean", (1, 3, 4), i64(1), opset=18, keepdims=0),
    "reduce max": one("ReduceMax", (1, 3, 4), axes=[1], keepdims=0),
    "reduce max two": one("ReduceMax", (1, 3, 4), axes=[0, 2]),
    "reduce min": one("ReduceMin", (1, 3, 4), axes=[2]),
    "reduce squares": one("ReduceSumSquare", (1, 3, 4), axes=[2]),
    "reduce l1": one("ReduceL1", (1, 3, 4), axes=[2]),
    "reduce l2": one("ReduceL2", (1, 3, 4), axes=[2]),
    "reshape": one("Reshape", (1, 3, 4), i64(0, -1)),
    "flatten": one("Flatten", (1, 3, 4), axis=2),
    "transpose": one("Transpose", (1, 3, 4), perm=[2, 0, 1]),
    "squeeze": one("Squeeze", (1, 3, 1), i64(2)),
    "squeeze old": one("Squeeze", (1, 3, 1), opset=9, axes=[0]),
    "unsqueeze": one("Unsqueeze", (1, 3), i64(0, 3)),
    "unsqueeze old": one("Unsqueeze", (1, 3), opset=9, axes=[1]),
    "slice": one("Slice", (1, 5, 6), i64(4, 0), i64(0, 100), i64(1, 2), i64(-2, 3)),
    "slice old": one("Slice", (1, 5, 6), opset=9, starts=[1], ends=[-1], axes=[2]),
    "gather": one("Gather", (1, 5), np.array([[0, 0], [-1, 2]]), axis=1),
    "gather one": one("Gather", (1, 5), np.array(3), axis=1),
    "split": model(
        [("Split", ["x", "s"], ["a", "b"], {"axis": 1}), ("Concat", ["b", "a"], ["y"], {"axis": 1})],
        (1, 5),
        constants={"s": i64(2, 3)},
    ),
    "split old": model(
        [("Split", ["x"], ["a", "b"], {"axis": 1, "split": [1, 4]}), ("Sub", ["b", "a"], ["y"], {})], (1, 5), opset=11
    ),
    "concat": model(
        [("Relu", ["x"], ["r"], {}), ("Concat", ["c", "r", "x", "c"], ["y"], {"axis": -1})],
        (1, 3),
        constants={"c": _weights(1, 2)},
    ),
    "concat zeros": model(
        [("Concat", ["x", "c"], ["y"], {"axis": 1})], (1, 3), constants={"c": np.zeros((1, 2), np.float32)}
    ),
    "concat nothing": model(
        [("Slice", ["x", "n", "n", "n"], ["e"], {}), ("Concat", ["e", "x"], ["y"], {"axis": 0})],
        (1, 3),
        constants={"n": i64(0)},
    ),
    "pad": one("Pad", (1, 2, 3), i64(0, 1, 0, 0, 0, 2)),
    "pad value": one("Pad", (1, 2, 3), i64(0, 1, 0, 0, 0, 2), np.float32(1.5)),
    "pad old": one("Pad", (1, 2, 3), opset=9, pads=[0, 0, 1, 0, 0, -1], value=-2.0),
    "pad reflect": one("Pad", (1, 2, 3), i64(0, 0, 2, 0, 0, 1), mode="reflect"),
    "pad edge": one("Pad", (1, 2, 3), i64(0, 0, 2, 0, 0, 1), mode="edge"),
    "expand": one("Expand", (1, 3, 1), i64(2, 1, 4)),
    "tile": one("Tile", (1, 3), i64(2, 2)),
    "resize": one("Resize", (1, 2, 3, 3), None, f32(1, 1, 2, 3), mode="nearest"),
    "resize sizes": one(
        "Resize", (1, 2, 3, 3), None, None, i64(1, 2, 5, 4), mode="nearest", coordinate_transformation_mode="asymmetric"
    ),
    "upsample": one("Upsample", (1, 2, 3, 3), f32(1, 1, 2, 2), opset=9, mode="nearest"),
    "depth to space": one("DepthToSpace", (1, 8, 2, 2), blocksize=2),
    "cast": model(
        [("Cast", ["x"], ["d"], {"to": TensorProto.DOUBLE}), ("Cast", ["d"], ["y"], {"to": TensorProto.FLOAT})], (1, 3)
    ),
    "dropout": one("Dropout", (1, 3), np.float32(0.5), opset=13),
    "dropout old": one("Dropout", (1, 3), opset=7),
    "batch norm": one(
        "BatchNormalization", (1, 3, 2), _weights(3), _weights(3), _weights(3), np.abs(_weights(3)), epsilon=0.01
    ),
    "layer norm": one("LayerNormalization", (1, 3, 4), _weights(4), _weights(4)),
    "where": model(
        [("Where", ["m", "x", "c"], ["y"], {})],
        (1, 3),
        constants={"m": np.array([True, False, True]), "c": _weights(2, 1)},
    ),
    "where variables": model(
        [("Neg", ["x"], ["n"], {}), ("Where", ["m", "x", "n"], ["y"], {})],
        (1, 3),
        constants={"m": np.array([True, False, True])},
    ),
    "shape": model(
        [
            ("Shape", ["x"], ["s"], {}),
            ("Gather", ["s", "one"], ["n"], {}),
            ("Size", ["x"], ["z"], {}),
            ("Range", ["zero", "n", "one"], ["r"], {}),
            ("Equal", ["r", "one"], ["q"], {}),
            ("Cast", ["q"], ["w"], {"to": TensorProto.FLOAT}),
            ("Cast", ["z"], ["f"], {"to": TensorProto.FLOAT}),
            ("Mul", ["w", "f"], ["c"], {}),
            ("Mul", ["x", "c"], ["y"], {}),
        ],
        (1, 3),
        constants={"one": np.int64(1), "zero": np.int64(0)},
    ),
    "shape part": model(
        [("Shape", ["x"], ["s"], {"start": 1}), ("ConstantOfShape", ["s"], ["o"], {}), ("Add", ["x", "o"], ["y"], {})],
        (1, 3),
    ),
    "constant": model(
        [("Constant", [], ["c"], {"value_floats": [1.0, 2.0, 3.0]}), ("Mul", ["x", "c"], ["y"], {})], (1, 3)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_forward(name):
    proto = CASES[name]
    graph = graph_from_model(proto, dtype=torch.float32)
    assert graph.nodes[-1].size
    runtime = session(proto.SerializeToString())
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(4, *graph.input_shape)).astype(np.float32))
    expected = [runtime.run(None, {"x": point.numpy()})[0] for point in x]
    assert graph.output_shape == expected[0].shape
    torch.testing.assert_close(graph(x), torch.from_numpy(np.stack(expected)).flatten(1).float(), rtol=1e-5, atol=1e-5)
    check_affine(graph)


def check_affine(graph: Graph):
    """The adjoint and the intervals of each affine operation, against its Jacobian."""
    for node in graph.nodes[1:]:
        operator = node.operator
        if not isinstance(operator, Affine):
            continue
        shapes = [graph.nodes[source].shape for source in node.inputs]
        points = [torch.randn(shape) for shape in shapes]
        jacobians = torch.autograd.functional.jacobian(
            lambda *p, f=operator: f(*(q[None] for q in p))[0], tuple(points)
        )
        identity = torch.eye(node.size).reshape(-1, *node.shape)
        offset = operator(*(torch.zeros(1, *shape) for shape in shapes)).flatten()
        lower, upper = offset.clone(), offset.clone()
        intervals = []
        for jacobian, adjoint, shape in zip(jacobians, operator.adjoint(identity), shapes):
            torch.testing.assert_close(adjoint.reshape(jacobian.shape), jacobian)
            low, width = torch.randn(1, *shape), torch.rand(1, *shape)
            intervals.append(Interval(low, low + width))
            matrix = jacobian.reshape(node.size, -1)
            lower += matrix.clamp(min=0) @ low.flatten() + matrix.clamp(max=0) @ (low + width).flatten()
            upper += matrix.clamp(min=0) @ (low + width).flatten() + matrix.clamp(max=0) @ low.flatten()
        bounds = operator.interval(*intervals)
        torch.testing.assert_close(bounds.lower.flatten(), lower, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(bounds.upper.flatten(), upper, rtol=1e-4, atol=1e-4)


def test_every_operator_is_tested():
    tested = {node.op_type for proto in CASES.values() for node in proto.graph.node}
    assert set(CONVERTERS) - tested <= {"GatherElements", "GatherND", "SpaceToDepth"}


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (one("Pow", (1, 3), np.float32(1.3)), "exponent"),
        (one("Pow", (1, 2), f32(1, 2)), "exponent"),
        (one("Cast", (1, 3), to=TensorProto.INT64), "Cast"),
        (one("Resize", (1, 2, 3, 3), None, f32(1, 1, 2, 3), mode="linear"), "nearest"),
        (model([("MaxPool", ["x"], ["y", "i"], {"kernel_shape": [2, 2]})], I8), "indices"),
        (model([("Conv", ["x", "x"], ["y"], {})], (1, 3, 2, 2)), "input 1 depends on the network's input"),
        (one("Mod", (1, 3), f32(2), fmod=1), "Mod"),
        (one("ConvTranspose", (1, 3, 4), _weights(3, 2, 2), strides=[3], output_shape=[14]), "too large for its input"),
    ],
    ids=range(8),
)
def test_unsupported_cases(proto, message):
    with pytest.raises(UnsupportedOperatorError, match=message):
        graph_from_model(proto)


@pytest.mark.parametrize(
    "proto",
    [
        one("Gemm", (1, 4), _weights(5, 3)),
        one("Div", (1, 2), f32(1, 0)),
        one("Add", (1, 4), _weights(3)),
        model([("Relu", [], ["y"], {})], (1, 3)),
    ],
    ids=range(4),
)
def test_impossible_cases(proto):
    with pytest.raises(NetworkError, match="n0"):
        graph_from_model(proto)
