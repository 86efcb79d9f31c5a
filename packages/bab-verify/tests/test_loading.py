"""Networks as they are given: each is read once, and what is given stays as it is."""

from decimal import Decimal, localcontext

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

from bab_verify import Verifier, VerifyConfig, compute_bounds, verify_robustness
from bab_verify.configs import AttackConfig
from bab_verify.frontends.loading import load_network, load_onnx
from bab_verify.frontends.onnx_import import graph_from_model
from bab_verify.frontends.torch_modules import graph_from_module
from bab_verify.properties.specification import make_robustness
from bab_verify.properties.vnnlib import save_vnnlib

X = torch.tensor([0.3, 0.7])
CONFIG = VerifyConfig(device="cpu", attack_restarts=1, attack_steps=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A module, its ONNX file, and a property of it that is violated."""
    folder = tmp_path_factory.mktemp("made")
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    torch.onnx.export(module, (X[None],), folder / "net.onnx", dynamo=False)
    save_vnnlib(make_robustness(X, 1 - int(module(X).argmax()), 0.01, 2), folder / "property.vnnlib")
    return module, folder / "net.onnx", folder / "property.vnnlib"


@pytest.fixture
def read(monkeypatch):
    """The sizes of the ONNX models that were read."""
    sizes, load = [], onnx.load_model_from_string
    monkeypatch.setattr(onnx, "load_model_from_string", lambda data: sizes.append(len(data)) or load(data))
    return sizes


def attack(network, prop):
    from bab_verify.commands.attack import attack

    return attack(network, prop, AttackConfig(restarts=1, steps=1), "cpu", None).value["status"]


WAYS = {
    "verifier": lambda net, prop: Verifier(net, CONFIG).verify(make_robustness(X, 0, 0.01, 2)).status,
    "robustness": lambda net, prop: verify_robustness(net, X, 0, 0.01, CONFIG).status,
    "attack": attack,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_file_is_read_once(way, made, read):
    _, network, prop = made
    assert WAYS[way](network, prop) in {"sat", "unsat"}
    assert len(read) == 1


def test_a_graph_is_copied_and_a_file_and_a_module_give_the_same(made):
    module, path, _ = made
    from_module, from_file = load_network(module, X[None]), load_network(path)
    again = load_network(from_file.graph)
    assert again.graph is not from_file.graph
    assert again.given is from_file.graph
    assert from_module.given is module
    assert from_file.name == str(path)
    x = torch.rand(5, 2, dtype=torch.float64)
    for loaded in (from_module, from_file, again):
        torch.testing.assert_close(loaded.graph(x), module(x.float()).double(), atol=1e-6, rtol=1e-6)


def saved(path, node, kind=np.float32, **constants):
    """A file of one operation."""
    form = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    ends = [helper.make_tensor_value_info(name, form, [1, 1]) for name in "xy"]
    weights = [numpy_helper.from_array(np.array([value], kind), name) for name, value in constants.items()]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def exact_normalization():
    scale, shift, mean, variance, eps = (Decimal(float(np.float32(x))) for x in (1.3, 0.7, 0.2, 0.011, 1e-3))
    with localcontext() as context:
        context.prec = 50
        return (3 - mean) / (variance + eps).sqrt() * scale + shift


TENTH = 0.1
FILES = {
    # 0.99 of max(x, 0) is no number of single precision.
    "a slope": (helper.make_node("LeakyRelu", ["x"], ["y"], alpha=0.01), np.float32, {}, lambda: Decimal(3)),
    "a normalization": (
        helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=1e-3),
        np.float32,
        {"s": 1.3, "b": 0.7, "m": 0.2, "v": 0.011},
        exact_normalization,
    ),
    "doubles": (helper.make_node("Mul", ["x", "c"], ["y"]), np.float64, {"c": TENTH}, lambda: 3 * Decimal(TENTH)),
}


@pytest.mark.parametrize("name", FILES)
def test_bounds_of_a_file_that_was_loaded_hold_for_the_file(name, tmp_path):
    node, kind, constants, exact = FILES[name]
    saved(tmp_path / "net.onnx", node, kind, **constants)
    x = torch.tensor([[3.0]], dtype=torch.float64)
    value = exact()
    for network in (load_onnx(tmp_path / "net.onnx"), graph_from_model(onnx.load(tmp_path / "net.onnx"))):
        lower, upper = compute_bounds(network, x, x)
        assert Decimal(lower.item()) <= value <= Decimal(upper.item())


def test_bounds_of_a_module_in_single_precision_hold_for_its_weights():
    module = nn.Sequential(nn.LeakyReLU(0.01), nn.Linear(1, 1))
    x = torch.tensor([[3.0]])
    lower, upper = compute_bounds(graph_from_module(module, x), x.double(), x.double())
    weight, bias = (Decimal(p.item()) for p in module[1].parameters())
    assert Decimal(lower.item()) <= 3 * weight + bias <= Decimal(upper.item())


def test_single_precision_is_for_those_who_ask_for_it(tmp_path):
    saved(tmp_path / "net.onnx", helper.make_node("Mul", ["x", "c"], ["y"]), np.float64, c=0.1)
    assert load_onnx(tmp_path / "net.onnx").example().dtype == torch.float64
    assert load_onnx(tmp_path / "net.onnx", torch.float32).example().dtype == torch.float32
