"""Counterexamples and their files."""

from fractions import Fraction

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from bab_verify import Verifier, VerifyConfig
from bab_verify.commands.attack import attack
from bab_verify.commands.verify import verify
from bab_verify.configs import AttackConfig
from bab_verify.frontends.onnx_import import graph_from_model
from bab_verify.frontends.onnx_registry import NetworkError
from bab_verify.properties.counterexamples import Oracle, read_counterexample, write_counterexample
from bab_verify.properties.specification import Clause, Query, Specification
from bab_verify.properties.vnnlib import save_vnnlib

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
    assert oracle.inside(point, torch.zeros(2)).tolist() == [0.1, 0.2]


def has_float32(lower, upper):
    """Whether a float32 lies between two numbers."""
    least = np.float32(lower)
    if Fraction(float(least)) < Fraction(lower):
        least = np.nextafter(least, np.float32(np.inf))
    return Fraction(float(least)) <= Fraction(upper)


ends = st.floats(-1e30, 1e30).flatmap(
    lambda low: st.tuples(st.just(low), st.one_of(st.just(low), st.floats(0, 1e-6), st.floats(0, 10)).map(abs))
)


@hypothesis.given(st.lists(ends, min_size=2, max_size=2), st.lists(st.floats(-1e31, 1e31), min_size=2, max_size=2))
def test_inputs_are_inside_and_float32_wherever_one_is_inside(box, wanted):
    lower = [low for low, _ in box]
    upper = [max(low, low + width) for low, width in box]
    (query,) = spec(lower, upper, [[0, 0]], [0]).queries
    x = Oracle(network()).inside(query, torch.tensor(wanted, dtype=torch.float64)).tolist()
    for low, value, high in zip(lower, x, upper, strict=True):
        assert Fraction(low) <= Fraction(value) <= Fraction(high)
        assert float(np.float32(value)) == value or not has_float32(low, high)


SINGLE = float(np.float32(0.1))
"""It is more than 0.1, by 1.5e-9."""
PRODUCT = np.float32([1, 1])


def identities():
    """y = x in every form that a network comes in."""
    module = nn.Linear(2, 2)
    with torch.no_grad():
        module.weight.copy_(torch.eye(2))
        module.bias.zero_()
    proto = network(op="Mul", weights=PRODUCT)
    graph = graph_from_model(proto, dtype=torch.float64)
    return {"file": Oracle(proto), "module": Oracle(module, graph=graph)}


@pytest.mark.parametrize("form", ["file", "module"])
def test_where_no_float32_is_inside_both_inputs_must_be_unsafe(form):
    oracle, x = identities()[form], torch.zeros(2)
    fixed = lambda sign, limit: spec([0.1, 0], [0.1, 1], [[sign, 0]], [limit])  # noqa: E731
    middle = (0.1 + SINGLE) / 2
    # At least the middle: only the input as the network takes it. At most: only the exact one.
    assert oracle.confirm(fixed(-1, -middle), x) is None
    assert oracle.confirm(fixed(1, middle), x) is None
    found = oracle.confirm(fixed(-1, -0.1), x)
    assert found is not None
    assert found.x.tolist() == [0.1, 0.0]
    assert found.y.tolist() == [SINGLE, 0.0]


def test_a_clause_is_decided_in_exact_arithmetic():
    clause = Clause(torch.tensor([[1.0, 1.0]]), torch.tensor([1.0]))
    tiny = 2.0**-60
    assert clause.violation(torch.tensor([1.0, tiny], dtype=torch.float64)) == 0
    assert not clause.holds(torch.tensor([1.0, tiny], dtype=torch.float64))
    assert clause.holds(torch.tensor([1.0, -tiny], dtype=torch.float64))
    assert clause.holds(torch.tensor([1.0, 0.0], dtype=torch.float64))


BOXED = spec([0.1, 0.3], [0.1, 0.7], [[0, -1]], [-0.65])
"""The first input is fixed, and the second output is to be large."""


def inside_exactly(x, specification=BOXED):
    (query,) = specification.queries
    return all(
        Fraction(low) <= Fraction(value) <= Fraction(high)
        for low, value, high in zip(query.lower.tolist(), x.tolist(), query.upper.tolist(), strict=True)
    )


@pytest.mark.parametrize("command", ["verify", "attack"])
def test_a_file_of_a_counterexample_is_inside_the_box_exactly(command, tmp_path):
    net, prop, cex = (tmp_path / name for name in ("net.onnx", "p.vnnlib", "cex.txt"))
    net.write_bytes(network(op="Mul", weights=PRODUCT).SerializeToString())
    save_vnnlib(BOXED, prop)
    if command == "verify":
        output = verify(net, prop, VerifyConfig(device="cpu"), cex)
    else:
        output = attack(net, prop, AttackConfig(), "cpu", cex)
    assert output.value["status"] == "sat"
    x, y = read_counterexample(cex)
    assert inside_exactly(x)
    assert (x.tolist(), y.tolist()) == (output.value["counterexample"]["x"], output.value["counterexample"]["y"])
    assert Fraction(y[1].item()) >= Fraction(0.65)


def test_the_counterexample_of_a_module_is_inside_the_box_exactly():
    module = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    with torch.no_grad():
        module[0].weight.copy_(torch.eye(2))
        module[0].bias.zero_()
    unsafe = spec([0.1, 0.3], [0.1, 0.7], [[0, -1]], [-0.6])
    found = Verifier(module, VerifyConfig(device="cpu"), example=torch.zeros(1, 2)).verify(unsafe)
    assert found.status == "sat"
    assert inside_exactly(found.counterexample.x, unsafe)
    with torch.no_grad():
        assert torch.equal(module(found.counterexample.x.float()[None])[0].double(), found.counterexample.y)


@hypothesis.given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4))
def test_numbers_are_read_back_as_they_were(tmp_path_factory, values):
    path = tmp_path_factory.getbasetemp() / "numbers.txt"
    x = torch.tensor(values, dtype=torch.float64)
    write_counterexample(x, -x, path)
    again = read_counterexample(path)
    assert again[0].tolist() == values
    assert again[1].tolist() == (-x).tolist()


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
