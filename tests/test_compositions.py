"""Packages work together: what one makes, another takes. Each test names the packages that it needs."""

import ast
from pathlib import Path

import pytest
import torch

from house import PACKAGES


@pytest.mark.composes("bab-verify", "ncap-swimmer")
@pytest.mark.parametrize(("ipsi", "status"), [(1.0, "unsat"), (-1.0, "sat")])
def test_a_swimming_circuit_is_proven_to_bend_the_right_way(ipsi, status, tmp_path):
    """ncap-swimmer exports its circuit and a property of it; bab-verify proves that, or refutes a broken circuit."""
    from bab_verify import Verifier, load_vnnlib
    from ncap_swimmer import SwimmerCircuit, network_from_circuit, save_onnx, wrong_sign_property

    circuit = SwimmerCircuit(n_joints=5, signed=False)
    with torch.no_grad():
        for name, value in (("prop", 1.0), ("osc", 1.0), ("ipsi", ipsi), ("contra", -ipsi)):
            circuit.weight[name].fill_(value)
    save_onnx(network_from_circuit(circuit, "dorsal"), tmp_path / "circuit.onnx", 5)
    (tmp_path / "wrong-sign.vnnlib").write_text(wrong_sign_property(5))
    result = Verifier(tmp_path / "circuit.onnx").verify(load_vnnlib(tmp_path / "wrong-sign.vnnlib"))
    assert result.status == status


def functions():
    """The tests of this file that take what packages make, with the packages that they name."""
    for node in ast.parse(Path(__file__).read_text(encoding="utf-8")).body:
        marks = [mark for mark in getattr(node, "decorator_list", []) if "composes" in ast.unparse(mark)]
        if marks:
            yield node, {argument.value for mark in marks for argument in mark.args}


def test_a_composition_names_its_packages_and_takes_their_public_names():
    modules = {package.module: package.name for package in PACKAGES}
    found = list(functions())
    assert found
    for function, named in found:
        imported = [node for node in ast.walk(function) if isinstance(node, ast.ImportFrom)]
        own = {node.module for node in imported if node.module.split(".")[0] in modules}
        assert not [name for name in own if "." in name], function.name
        assert {modules[name] for name in own} == named, function.name
        assert len(named) > 1, function.name
