"""Networks in their own arithmetic: modules by themselves, files by ONNX Runtime or, where it cannot, as graphs."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from bab_verify import Verifier, VerifyConfig, make_robustness, verify_robustness
from bab_verify.frontends.onnx_registry import NetworkError
from bab_verify.properties.counterexamples import Oracle
from bab_verify.properties.specification import Clause, Query, Specification

CONFIG = VerifyConfig(device="cpu", timeout=20)
IMAGE = torch.linspace(0.2, 0.8, 16, dtype=torch.float64).reshape(1, 4, 4)


def convolutional(activation):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), activation, nn.Flatten(), nn.Linear(8, 2)).double()


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.GELU()], ids=["relu", "gelu"])
def test_modules_in_float64_confirm_their_own_counterexamples(activation):
    module = convolutional(activation)
    label = int(module(IMAGE[None]).argmax())
    assert verify_robustness(module, IMAGE, label, 1e-6, CONFIG).status == "unsat"
    found = verify_robustness(module, IMAGE, 1 - label, 1e-6, CONFIG)
    assert found.status == "sat"
    with torch.no_grad():
        y = module(found.counterexample.x.reshape(1, 1, 4, 4))[0]
    assert torch.equal(found.counterexample.y, y)


def test_a_module_is_run_in_evaluation_mode_and_left_in_the_mode_that_it_was_in():
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.9), nn.Sequential(nn.Dropout(0.9), nn.Linear(2, 2)))
    module.train()
    module[2].eval()
    modes = [one.training for one in module.modules()]
    found = Verifier(module, CONFIG, example=torch.zeros(1, 2)).verify(make_robustness(torch.ones(2), 0, 0.1, 2))
    assert [one.training for one in module.modules()] == modes
    with torch.no_grad():
        expected = module.eval()(torch.ones(1, 2))[0]
    assert found.status == ("unsat" if expected[0] > expected[1] else "sat")


def test_a_module_whose_gradients_are_in_use_keeps_them():
    module = nn.Linear(2, 2)
    module(torch.ones(1, 2)).sum().backward()
    before = module.weight.grad.clone()
    oracle = Verifier(module, CONFIG, example=torch.zeros(1, 2)).oracle
    assert not oracle.outputs(torch.ones(2)).requires_grad
    assert torch.equal(module.weight.grad, before)


def test_a_module_needs_its_graph():
    with pytest.raises(ValueError, match="needs the graph of the module"):
        Oracle(nn.Linear(2, 2))


def model(*nodes, kind=TensorProto.DOUBLE, weights):
    """A model of an image of 4 x 4 with one output."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", kind, [1, 1, 4, 4])],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


KERNEL = np.random.default_rng(0).normal(size=(1, 1, 4, 4))
CONV = helper.make_node("Conv", ["x", "w"], ["y"])


def test_a_file_in_float64_that_onnx_runtime_has_no_kernel_for_is_run_in_double_precision(tmp_path):
    path = tmp_path / "conv.onnx"
    onnx.save(model(CONV, weights={"w": KERNEL}), path)
    oracle = Oracle(path)
    x = IMAGE.flatten()
    assert oracle.dtype == torch.float64
    assert oracle.outputs(x).item() == pytest.approx((KERNEL.reshape(-1) * x.numpy()).sum(), rel=1e-14)
    least = (KERNEL.reshape(-1) * x.numpy()).sum() - 0.1 * np.abs(KERNEL).sum()
    for limit, status in ((least - 1e-6, "unsat"), (least + 1e-6, "sat")):
        clause = Clause(torch.ones(1, 1), torch.tensor([limit], dtype=torch.float64))
        specification = Specification((Query(x - 0.1, x + 0.1, (clause,)),))
        assert Verifier(path, CONFIG).verify(specification).status == status


def test_what_onnx_runtime_has_no_kernel_for_is_refused_in_other_types():
    proto = model(helper.make_node("Nothing", ["x"], ["y"]), weights={})
    with pytest.raises(NetworkError, match="ONNX Runtime cannot run it"):
        Oracle(proto)
