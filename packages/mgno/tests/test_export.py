"""ONNX files in ONNX Runtime, and pictures."""

import numpy as np
import pytest
import torch

from mgno import FNO, DataShape, MgNO, draw_prediction, save_onnx
from separata import onnx


def test_a_picture_shows_given_true_and_predicted_functions():
    x, true = torch.arange(6.0).view(2, 3), torch.arange(6.0).view(2, 3) + 1
    figure = draw_prediction(x, true + 0.5, true)
    shown = {axes.get_title("left"): axes.images[0] for axes in figure.axes if axes.images}
    assert list(shown) == ["given", "true", "predicted", "predicted - true"]
    assert shown["predicted - true"].get_array().tolist() == [[0.5] * 3] * 2
    assert shown["true"].get_clim() == shown["predicted"].get_clim() == (1.0, 6.5)
    assert len([axes for axes in draw_prediction(x, true).axes if axes.images]) == 2


def test_other_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match="exported as .onnx, not as net.pt"):
        save_onnx(MgNO(1, 1, 2, 1, ((1, 0),)), tmp_path / "net.pt", DataShape(1, 1, 8, 8))
    assert not list(tmp_path.iterdir())


def test_what_pytorch_cannot_export_is_refused_in_a_sentence(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")

    def refuse(model, args, path, **options):
        path.write_bytes(b"half")
        raise torch.onnx.OnnxExporterError("step 3/3\nan operation has no counterpart")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(ValueError, match="cannot export this network") as caught:
        save_onnx(MgNO(1, 1, 2, 1, ((1, 0),)), tmp_path / "net.onnx", DataShape(1, 1, 8, 8))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_fno_is_refused(tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    with pytest.raises(ValueError, match="Fourier transforms"):
        save_onnx(FNO(1, 1, 2, 2, 1), tmp_path / "net.onnx", DataShape(1, 1, 8, 8))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("padding_mode", ["circular", pytest.param("reflect", marks=pytest.mark.slow)])
def test_outputs_are_pytorch_s_for_any_number(padding_mode, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    network, other = (MgNO(2, 1, 3, 1, ((1, 0), (2, 0)), padding_mode, bias="function") for _ in range(2))
    save_onnx(network, tmp_path / "net.onnx", DataShape(2, 1, 8, 7))
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    for n in (1, 4):
        x = torch.randn(n, 2, 8, 7)
        with torch.no_grad():
            np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], network(x), atol=1e-6, rtol=1e-4)
    with pytest.raises(ValueError, match="differs from the original"):
        onnx.check(other, tmp_path / "net.onnx", {"x": torch.randn(2, 2, 8, 7)})
