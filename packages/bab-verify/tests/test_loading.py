"""Networks as they are given: each is read once, and what is given stays as it is."""

import onnx
import pytest
import torch
from torch import nn

from bab_verify import Verifier, VerifyConfig, verify_robustness
from bab_verify.configs import AttackConfig
from bab_verify.frontends.loading import load_network
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
