"""Counterexamples and their files."""

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from bab_verify.frontends.onnx_registry import NetworkError
from bab_verify.properties.counterexamples import Oracle, read_counterexample, write_counterexample
from bab_verify.properties.specification import Clause, Query, Specification

WEIGHTS = np.float32([1, 2])


def network(op="Add", kind=TensorProto.FLOAT, weights=WEIGHTS):
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", kind, ["batch", 2])],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def spec(lower, upper, C, d):
    make = lambda value: torch.tensor(value, dtype=torch.float64)  # noqa: E731
    return Specification((Query(make(lower), make(upper), (Clause(make(C), make(d)),)),))


def test_outputs(tmp_path):
    (tmp_path / "net.onnx").write_bytes(network().SerializeToString())
    for given in (tmp_path / "net.onnx", str(tmp_path / "net.onnx"), network(), network().SerializeToString()):
        y = Oracle(given).outputs(torch.tensor([0.5, -1.0], dtype=torch.float64))
        assert y.dtype == torch.float64
        assert y.tolist() == [1.5, 1.0]
    double = Oracle(network(kind=TensorProto.DOUBLE, weights=np.float64([1, 2])))
    assert double.outputs(torch.tensor([0.1, 0.2], dtype=torch.float64)).tolist() == [1.1, 2.2]


def test_confirm():
    oracle = Oracle(network())
    unsafe = spec([0, 0], [1, 1], [[1, 0], [0, 1]], [1.5, 2.5])
    found = oracle.confirm(unsafe, torch.tensor([0.5, 0.25]))
    assert found is not None
    assert found.x.tolist() == [0.5, 0.25]
    assert found.y.tolist() == [1.5, 2.25]
    assert found.violation == 0
    assert oracle.confirm(unsafe, torch.tensor([0.5000001, 0.25])) is None
    # A point outside is moved into the box.
    assert oracle.confirm(unsafe, torch.tensor([-1.0, 0.0])).x.tolist() == [0, 0]


def test_points_are_rounded_inside_the_box():
    oracle = Oracle(network())
    # 0.1 as float32 is above 0.1, and 0.3 as float32 too.
    (query,) = spec([0.1, 0.1], [0.3, 0.3], [[0, 0]], [0]).queries
    for value in (0.1, 0.3, 0.2, -1.0, 2.0):
        x = oracle.inside(query, torch.full((2,), value, dtype=torch.float64))
        assert torch.equal(x, x.float().double())
        assert (x >= query.lower).all()
        assert (x <= query.upper).all()
    (point,) = spec([0.1, 0.2], [0.1, 0.2], [[0, 0]], [0]).queries
    assert oracle.inside(point, torch.zeros(2)).tolist() == [float(np.float32(0.1)), float(np.float32(0.2))]


def test_each_box_is_tried():
    low, high = spec([0, 0], [1, 1], [[1, 0]], [-9]), spec([5, 5], [6, 6], [[-1, 0]], [0])
    found = Oracle(network()).confirm(Specification(low.queries + high.queries), torch.zeros(2))
    assert found.x.tolist() == [5, 5]


def test_networks_that_do_not_run():
    with pytest.raises(NetworkError, match="ONNX Runtime cannot run it"):
        Oracle(network(op="Nothing"))
    with pytest.raises(NetworkError, match="ONNX Runtime cannot run it"):
        Oracle(b"garbage")


def test_files(tmp_path):
    x, y = torch.tensor([0.1, -1e-9], dtype=torch.float64), torch.tensor([3.0], dtype=torch.float64)
    text = write_counterexample(x, y)
    assert text == "((X_0 0.1)\n (X_1 -1e-09)\n (Y_0 3.0))"
    path = tmp_path / "cex.txt"
    write_counterexample(x, y, path)
    again = read_counterexample(path)
    assert torch.equal(again[0], x)
    assert torch.equal(again[1], y)
    path.write_text(f"sat\n{text}\n")
    assert torch.equal(read_counterexample(path)[0], x)
    assert [p.name for p in tmp_path.iterdir()] == ["cex.txt"]


@pytest.mark.parametrize(
    "text", ["", "unsat", "((X_0 1)(X_2 2)(Y_0 1))", "((X_0 1)", "((X_0 one)(Y_0 1))", "((X_0 1))"]
)
def test_bad_files(tmp_path, text):
    (tmp_path / "cex.txt").write_text(text)
    with pytest.raises(ValueError, match="not a counterexample"):
        read_counterexample(tmp_path / "cex.txt")
    with pytest.raises(FileNotFoundError):
        read_counterexample(tmp_path / "none.txt")
