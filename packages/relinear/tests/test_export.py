"""Networks for other programs."""

import warnings

import pytest
import torch
from torch import nn

from relinear import make_mlp, quadratize, save_onnx

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def computed(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"x": x.numpy()})[0])


def test_only_products_and_sums_are_left_that_verifiers_know(tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    model = make_mlp((4, 6, 3), "quadratic", "random")
    save_onnx(model, tmp_path / "net.onnx", (4,))
    kinds = {node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node}
    assert kinds <= {"Gemm", "MatMul", "Mul", "Add", "Relu", "Flatten", "Reshape"}
    x = torch.randn(7, 4)
    torch.testing.assert_close(computed(tmp_path / "net.onnx", x), model(x).detach(), atol=1e-4, rtol=1e-4)


def test_a_user_s_convolutional_network(tmp_path):
    cnn = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding_mode="reflect", padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(100, 2)
    )
    model = quadratize(cnn, "compact", init="random").model
    save_onnx(model, tmp_path / "net.onnx", (1, 5, 5))
    x = torch.randn(2, 1, 5, 5)
    torch.testing.assert_close(computed(tmp_path / "net.onnx", x), model(x).detach(), atol=1e-4, rtol=1e-4)


def test_torchscript_s_exporter_writes_large_inputs_as_they_are_computed(tmp_path):
    """Which custom functions are left to, it wrote another network."""
    model = quadratize(nn.Sequential(nn.Linear(300, 4)), init="random").model
    x = torch.randn(230, 300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), tmp_path / "net.onnx", input_names=["x"], dynamo=False)
    torch.testing.assert_close(computed(tmp_path / "net.onnx", x), model(x).detach(), atol=1e-3, rtol=1e-3)
