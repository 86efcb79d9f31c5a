"""ONNX files in ONNX Runtime."""

import numpy as np
import pytest
import torch
from tiny import data, model

from mt_deeponet import save_onnx
from mt_deeponet.export import _Exported
from separata import onnx

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")


def test_outputs_are_pytorch_s_for_any_number_and_a_file_that_differs_is_noticed(tmp_path):
    samples = data("fisher")
    surrogate = model("fisher", samples)
    save_onnx(surrogate, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    for n in (1, 7):
        some = samples[:n]
        inputs = {"functions": some.functions, "codes": some.codes, "points": some.points}
        (found,) = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        np.testing.assert_allclose(found, surrogate.predict(some), atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        surrogate.network.trunk.out.bias += 1
    with pytest.raises(ValueError, match="differs from the original"):
        onnx.check(_Exported(surrogate.eval()), tmp_path / "net.onnx", inputs)


def test_other_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match="exported as .onnx, not as net.pt"):
        save_onnx(model("fisher", data("fisher")), tmp_path / "net.pt")
