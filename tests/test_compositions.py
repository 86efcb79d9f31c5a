"""Packages work together: what one makes, another takes."""

import pytest
import torch

pytestmark = pytest.mark.usefixtures("whole_tree")


@pytest.fixture(scope="module")
def whole_tree(request):
    if request.config.getoption("--package"):
        pytest.skip("needs every package; left out under --package")


@pytest.mark.parametrize(("ipsi", "status"), [(1.0, "unsat"), (-1.0, "sat")])
def test_a_swimming_circuit_is_proven_to_bend_the_right_way(ipsi, status, tmp_path):
    """ncap-swimmer exports its circuit and a property of it; bab-verify proves that, or refutes a broken circuit."""
    from bab_verify import Verifier, load_vnnlib
    from ncap_swimmer import SwimmerCircuit
    from ncap_swimmer.exports import export_onnx, phase_network, wrong_sign_property

    circuit = SwimmerCircuit(n_joints=5, signed=False)
    with torch.no_grad():
        for name, value in (("prop", 1.0), ("osc", 1.0), ("ipsi", ipsi), ("contra", -ipsi)):
            circuit.weight[name].fill_(value)
    export_onnx(phase_network(circuit, "dorsal"), tmp_path / "circuit.onnx", 5)
    (tmp_path / "wrong-sign.vnnlib").write_text(wrong_sign_property(5))
    result = Verifier(tmp_path / "circuit.onnx").verify(load_vnnlib(tmp_path / "wrong-sign.vnnlib"))
    assert result.status == status
