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


class Sum(nn.Module):
    """Three inputs and one output."""

    def forward(self, x, y, z):
        return x.sum() + y.sum() + z.sum()


class Of(nn.Module):
    """A linear layer, and any function of what it gives."""

    def __init__(self, function):
        super().__init__()
        self.linear, self.function = nn.Linear(3, 2), function

    def forward(self, x):
        return self.function(self.linear(x))


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
    onnx.save(Sum(), tmp_path / "net.onnx", inputs, ["s"], dynamic_axes=axes, extra="noprop[onnx]")
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


def refused(folder, model, message, inputs=None, outputs=("y",), axes=AXES):
    """See that an export is refused in a sentence that says why, and leaves nothing."""
    inputs = {"x": X} if inputs is None else inputs
    with pytest.raises(ValueError, match=message) as caught:
        onnx.save(model, folder / "net.onnx", inputs, outputs, dynamic_axes=axes, extra="noprop[onnx]")
    assert "\n" not in str(caught.value)
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("inputs", "axes", "message"),
    [
        ({"x": X[:2]}, AXES, "the example x is 2 long along its axis 0, not at least 3"),
        ({"x": X}, {"X": {0: "batch"}}, "no input X whose axes could be dynamic, only x"),
        ({"x": X}, {"x": {2: "batch"}}, "has 2 axes, none of which is the dynamic one 2"),
        ({"x": X, "y": X[1:]}, {"x": {0: "n"}, "y": {0: "n"}}, "name n must be of equal length, not 4 and 3"),
    ],
)
def test_examples_that_do_not_fit_the_dynamic_axes_are_refused(tmp_path, inputs, axes, message):
    refused(tmp_path, nn.Linear(3, 2), message, inputs, axes=axes)


@pytest.mark.parametrize(
    ("function", "outputs", "message"),
    [
        (lambda y: y, ["y", "z"], "gives 1 outputs, but the names of 2"),
        (lambda y: (y, y.sum(1)), ["y"], "gives 2 outputs, but the names of 1"),
        (lambda y: {"y": y}, ["y"], "one tensor or a tuple of several, not a dict"),
        (lambda y: (y, [y]), ["y", "z"], "one tensor or a tuple of several, not a tuple"),
        (lambda y: torch.complex(y, y), ["y"], "the output y is complex"),
    ],
)
def test_other_outputs_than_named_tensors_are_refused(tmp_path, function, outputs, message):
    refused(tmp_path, Of(function), message, outputs=outputs)


def test_a_network_that_cannot_be_copied_is_refused(tmp_path):
    model = nn.Linear(3, 2)
    model.last = model(X)
    refused(tmp_path, model, "the network cannot be copied")


def test_what_the_network_itself_raises_is_not_taken_for_a_failed_export(tmp_path):
    with pytest.raises(ZeroDivisionError):
        onnx.save(
            Of(lambda y: y / (1 // 0)), tmp_path / "net.onnx", {"x": X}, ["y"], dynamic_axes=AXES, extra="noprop[onnx]"
        )
    assert not list(tmp_path.iterdir())


def test_a_network_of_one_length_or_without_finite_values_is_not_kept(tmp_path, capfd):
    refused(tmp_path, Of(lambda y: y.reshape(4, 2)), "ONNX Runtime cannot compute the exported network: .*; nothing is")
    assert not capfd.readouterr().err
    refused(tmp_path, Of(lambda y: y * 0 / 0), "values that are not finite")


def test_a_count_is_exported_and_the_network_s_own_stays(tmp_path):
    class Counting(nn.Module):
        """Inputs in double precision and with gradients; integers and truth values out, and a buffer that moves."""

        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 2)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            y = self.linear(x) + self.calls
            return y, y.argmax(1), y > 1

    model, x = Counting(), X.double().requires_grad_()
    onnx.save(model, tmp_path / "net.onnx", {"x": x}, ["y", "first", "more"], dynamic_axes=AXES, extra="noprop[onnx]")
    assert model.calls == 0
    found = run(tmp_path / "net.onnx", x=torch.rand(7, 3, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(found["y"].argmax(1), found["first"])
    assert torch.equal(found["y"] > 1, found["more"])
    assert found["first"].unique().numel() + found["more"].unique().numel() > 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda x: x[:, :1] + 1, r"shape \(4, 3\) where the original has \(4, 1\)"),
        (lambda x: (x, x), "has 1 outputs instead of 2"),
        (lambda x: x > 0, "differs from the original"),
        (lambda x: x / 0, "not finite"),
    ],
)
def test_shapes_numbers_and_types_of_outputs_are_compared(tmp_path, monkeypatch, given, message):
    """Tensors of equal values would be taken for equal if one were broadcast to the other."""
    monkeypatch.setattr(onnx, "_run", lambda path, inputs: [torch.ones(4, 3)])

    class Given(nn.Module):
        def forward(self, x):
            return given(x)

    with pytest.raises(ValueError, match=message):
        onnx.check(Given(), tmp_path / "net.onnx", {"x": torch.full((4, 3), 0.0)})


def test_a_file_that_is_no_network_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"not a network")
    for name in ("net.onnx", "absent.onnx"):
        with pytest.raises(ValueError, match="ONNX Runtime cannot compute") as caught:
            onnx.check(nn.Linear(3, 2), tmp_path / name, {"x": X})
        assert "\n" not in str(caught.value)
