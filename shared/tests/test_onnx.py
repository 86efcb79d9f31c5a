import logging
import sys

import pytest
import torch
from torch import nn

from separata import onnx
from separata.extras import MissingExtraError

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")

X = torch.linspace(-1, 1, 12).view(4, 3)
AXES = {"x": {0: "batch"}}


class Both(nn.Module):
    """Two inputs, one of which has a fixed length, and two outputs."""

    def __init__(self):
        super().__init__()
        self.linear, self.dropout = nn.Linear(3, 2), nn.Dropout()

    def forward(self, x, shift):
        y = self.dropout(self.linear(x))
        return y + shift, y.sum(1)


def run(path, **inputs):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    return dict(zip(names, map(torch.from_numpy, session.run(names, {k: v.numpy() for k, v in inputs.items()}))))


def test_a_file_computes_what_pytorch_does_for_any_length(tmp_path):
    model, shift = Both().double().train(), torch.tensor([1.0, -2.0])
    level = logging.getLogger("torch.onnx").level
    inputs = {"x": X, "shift": shift}
    onnx.save(model, tmp_path / "net.onnx", inputs, ["moved", "total"], dynamic_axes=AXES, extra="noprop[onnx]")
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
    for n in (1, 7):
        x = torch.rand(n, 3)
        found = run(tmp_path / "net.onnx", x=x, shift=shift)
        expected = x @ model.linear.weight.float().T + model.linear.bias.float()
        torch.testing.assert_close(found, {"moved": expected + shift, "total": expected.sum(1)})
    assert model.training
    assert model.linear.weight.dtype == torch.float64
    assert logging.getLogger("torch.onnx").level == level


def test_a_file_that_differs_is_not_kept(tmp_path, monkeypatch):
    written = []

    def export(module, args, path, **options):
        """An exporter that exports another network than it is given."""
        with torch.no_grad():
            module.bias += 1e-3
        real(module, args, path, **options)
        with torch.no_grad():
            module.bias -= 1e-3
        written.append(path)

    real = torch.onnx.export
    monkeypatch.setattr(torch.onnx, "export", export)
    model = nn.Linear(3, 2)
    nn.init.ones_(model.weight)
    options = {"dynamic_axes": AXES, "extra": "noprop[onnx]"}
    (tmp_path / "net.onnx").write_text("mine")
    with pytest.raises(ValueError, match="differs from the original by 0.00.*; nothing is kept"):
        onnx.save(model, tmp_path / "net.onnx", {"x": X}, ["y"], **options)
    assert written
    assert (tmp_path / "net.onnx").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1
    onnx.save(model, tmp_path / "net.onnx", {"x": X}, ["y"], **options, tolerance=0.1)
    with pytest.raises(ValueError, match="differs"):
        onnx.check(model, tmp_path / "net.onnx", {"x": X})
    onnx.check(model, tmp_path / "net.onnx", {"x": X}, tolerance=0.1)


def test_the_inputs_that_are_compared_are_of_another_length_than_the_example(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(torch.onnx, "export", lambda module, args, path, **_: path.touch())
    monkeypatch.setattr(onnx, "check", lambda module, path, inputs, tolerance: seen.append(inputs))
    inputs = {"x": X, "y": torch.rand(5, 4), "z": torch.rand(2)}
    axes = {"x": {0: "n"}, "y": {0: "k", 1: "n"}}
    onnx.save(nn.Identity(), tmp_path / "net.onnx", inputs, ["s"], dynamic_axes=axes, extra="noprop[onnx]")
    assert torch.equal(seen[0]["x"], X[1:])
    assert torch.equal(seen[0]["y"], inputs["y"][1:, 1:])
    assert torch.equal(seen[0]["z"], inputs["z"])


def test_what_cannot_be_exported_is_refused_in_a_sentence(tmp_path, monkeypatch):
    def refuse(module, args, path, **options):
        path.write_bytes(b"half")
        raise torch.onnx.OnnxExporterError("step 3/3\nan operation has no counterpart")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(ValueError, match="PyTorch cannot export this network as ONNX; ") as caught:
        onnx.save(nn.ReLU(), tmp_path / "net.onnx", {"x": X}, ["y"], dynamic_axes=AXES, extra="noprop[onnx]")
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="exported as .onnx, not as net.pt"):
        onnx.save(nn.ReLU(), tmp_path / "net.pt", {"x": X}, ["y"], dynamic_axes=AXES, extra="noprop[onnx]")
    assert not list(tmp_path.iterdir())


def test_the_extra_is_asked_for_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=r"needs onnxscript; pip install 'noprop\[onnx\]'"):
        onnx.save(nn.ReLU(), tmp_path / "net.onnx", {"x": X}, ["y"], dynamic_axes=AXES, extra="noprop[onnx]")
    assert not list(tmp_path.iterdir())
