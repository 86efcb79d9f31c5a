"""Models that lie in files: programs of torch.export, and ONNX."""

import json
import pickle
import shutil
import subprocess
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from circuit_diagrams import GALLERY, check, cli, cost, parse, to_text, trace
from circuit_diagrams.paper import PAPER
from separata.testing import Commands

call = Commands(PAPER, [cli.draw, cli.cost, cli.check, cli.run, cli.backward, cli.gallery])
NAMES = ["encoder-layer", "convolutions", "unet"]


def made(name):
    torch.manual_seed(0)
    entry = GALLERY[name]
    module = entry.make().eval()
    return entry, module, entry.inputs(torch.Generator().manual_seed(1))


class InPlace(nn.Module):
    """Writes into arrays and into a buffer, and gives several outputs."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.register_buffer("scale", torch.rand(4), persistent=False)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, image, *, mask=None):
        self.calls.add_(1)
        y = self.body(image).mean((2, 3))
        y += 1
        top, index = (y * self.scale).topk(2, -1)
        return {"top": top.masked_fill(mask, 0.0), "index": index, "calls": self.calls * 2}


def exported(module, args, path, kwargs=None):
    with warnings.catch_warnings(action="ignore"):
        torch.export.save(torch.export.export(module.eval(), args, kwargs, strict=False), path)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_an_exported_program_has_the_diagram_of_its_module(name, tmp_path):
    entry, module, inputs = made(name)
    path = exported(module, inputs, tmp_path / "net.pt2")
    diagram = trace(path, axes=entry.axes, name=entry.title)
    assert diagram == trace(module, *inputs, axes=entry.axes, name=entry.title)
    # What PyTorch itself reads from the file.
    wanted = torch.export.load(path).module()(*inputs)
    torch.testing.assert_close(diagram(*inputs), wanted, rtol=1e-5, atol=1e-6)


def test_what_a_program_writes_into_is_read_from_then_on(tmp_path):
    module, image = InPlace().eval(), torch.randn(2, 3, 8, 8)
    mask = torch.tensor([[True, False], [False, False]])
    path = exported(module, (image,), tmp_path / "net.pt2", {"mask": mask})
    for diagram in (trace(path), trace(module, image, mask=mask)):
        module.calls.zero_()
        found = diagram(image, mask)
        wanted = module(image, mask=mask)
        for a, b in zip(found, wanted.values(), strict=True):
            torch.testing.assert_close(a, b)
        assert len(diagram.outputs) == 3
    assert trace(path).name == "InPlace"


def test_views_of_what_is_written_into_change_with_it(tmp_path):
    class Viewed(nn.Module):
        def forward(self, x):
            y = x.exp()
            first, _ = y.chunk(2)
            first.add_(1)
            return y

    x = torch.randn(4, 3)
    with warnings.catch_warnings(action="ignore"):
        assert check(trace(Viewed(), x), Viewed(), x) < 1e-6
    with pytest.raises(ValueError, match="views"):
        trace(exported(Viewed(), (x,), tmp_path / "net.pt2"))


def test_weights_that_are_part_of_another_tensor_are_read_from_their_place(tmp_path):
    class Sliced(nn.Module):
        def __init__(self):
            super().__init__()
            whole = torch.randn(5, 3)
            self.first = nn.Parameter(whole[1:4].T)
            self.register_buffer("second", whole[4])

        def forward(self, x):
            return x @ self.first + self.second

    module, x = Sliced(), torch.randn(2, 3)
    diagram = trace(exported(module, (x,), tmp_path / "net.pt2"))
    torch.testing.assert_close(diagram(x), x @ module.first + module.second)


EXPLODED = Path(tempfile.gettempdir()) / "circuit-diagrams-was-here"


class Bomb:
    def __reduce__(self):
        return (open, (str(EXPLODED), "w"))


def rewritten(path, out, change):
    """The archive with some members changed."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = change(name.partition("/")[2], old.read(name))
            if content is not None:
                new.writestr(name, content)
    return out


def config_changed(content, key, value):
    config = json.loads(content)
    first = next(iter(config["config"].values()))
    (first if key in first else first["tensor_meta"])[key] = value
    return json.dumps(config)


CONFIG = "data/weights/model_weights_config.json"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n, c: config_changed(c, "use_pickle", value=True) if n == CONFIG else pickle.dumps(Bomb()), "pickle"),
        (lambda n, c: config_changed(c, "sizes", [{"as_int": 900}, {"as_int": 4}]) if n == CONFIG else c, "cut off"),
        (lambda n, c: config_changed(c, "sizes", [{"as_int": -9}, {"as_int": 4}]) if n == CONFIG else c, "shape"),
        (lambda n, c: config_changed(c, "dtype", 99) if n == CONFIG else c, "type 99"),
        (lambda n, c: None if n == CONFIG else c, "has no data/weights"),
        (lambda n, c: None if n == "models/model.json" else c, "0 exported programs"),
        (lambda n, c: b"{}" if n == "models/model.json" else c, "cannot be read"),
        (lambda n, c: c.replace(b"aten.linear.default", b"aten.from_file.default"), "no operator"),
        (lambda n, c: b"big" if n == "byteorder" else c, "byte order"),
    ],
)
def test_a_program_that_is_broken_or_would_run_code_is_refused(change, message, tmp_path):
    path = exported(nn.Linear(4, 3), (torch.randn(2, 4),), tmp_path / "net.pt2")

    def kept(name, content):
        if name in (CONFIG, "models/model.json", "byteorder") or name.startswith("data/weights/weight"):
            return change(name, content) if name == CONFIG or message != "pickle" else content
        return content

    with pytest.raises(ValueError, match=message):
        trace(rewritten(path, tmp_path / "bad.pt2", kept))
    assert not EXPLODED.exists()


def test_what_is_no_model_file_is_refused(tmp_path):
    (tmp_path / "a.pt2").write_text("nothing")
    (tmp_path / "a.onnx").write_text("nothing")
    for name, message in (("a.pt2", "no zip"), ("a.onnx", "no valid ONNX"), ("a.bin", "no file")):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            trace(tmp_path / name)
    shutil.copy(tmp_path / "a.pt2", tmp_path / "a.bin")
    with pytest.raises(ValueError, match=r"\.pt2 and \.onnx"):
        trace(tmp_path / "a.bin")
    path = exported(nn.Linear(4, 3), (torch.randn(2, 4),), tmp_path / "net.pt2")
    with pytest.raises(ValueError, match="2×4, not 5×4"):
        trace(path, torch.randn(5, 4))


onnx = pytest.importorskip("onnx", reason="ONNX files need the extra onnx")
ReferenceEvaluator = pytest.importorskip("onnx.reference").ReferenceEvaluator


@pytest.fixture(scope="module", params=["multi-head-attention", "unet"])
def model(request, tmp_path_factory):
    entry, module, inputs = made(request.param)
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(module, inputs, dynamo=True, verbose=False).save(path)
    return entry, module, inputs, path


def computed(path, arrays):
    """What another program computes from an ONNX file: ONNX Runtime, or ONNX's own reference."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return ReferenceEvaluator(str(path)).run(None, arrays)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, arrays)


def test_an_onnx_model_computes_the_same_elsewhere_and_costs_what_its_module_does(model):
    entry, module, inputs, path = model
    diagram = trace(path, axes=entry.axes)
    assert not [op for op in diagram.ops if op.kind == "opaque"]
    names = [a.name for a in diagram.inputs]
    wanted = computed(path, {name: x.numpy() for name, x in zip(names, inputs, strict=True)})
    np.testing.assert_allclose(diagram(*inputs).numpy(), wanted[0], rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(diagram(*inputs), module(*inputs), rtol=1e-4, atol=1e-6)
    assert cost(diagram).macs == cost(trace(module, *inputs)).macs
    assert parse(to_text(diagram)) == diagram
    assert {op.region[:1] for op in diagram.ops} >= {(name,) for name, _ in module.named_children() if name == "out"}


def graph_of(nodes, inputs, outputs, **initializers):
    """A small ONNX model."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in initializers.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def node(kind, inputs, outputs, **attributes):
    return onnx.helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


W = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
IMAGE = {"x": (2, 3, 8, 9)}
SINGLE = {
    "Conv": ([node("Conv", "x w", "y", pads=[1, 0, 2, 1], strides=[2, 1])], {"w": W}),
    "MaxPool": ([node("MaxPool", "x", "y", kernel_shape=[3, 2], pads=[1, 0, 0, 1], strides=[2, 2])], {}),
    "AveragePool": ([node("AveragePool", "x", "y", kernel_shape=[2, 2], pads=[1, 1, 1, 1])], {}),
    "ConvTranspose": (
        [node("ConvTranspose", "x w", "y", strides=[2, 2], output_padding=[1, 1], pads=[1, 1, 1, 1])],
        {"w": W.swapaxes(0, 1).copy()},
    ),
    "Shape": ([node("Shape", "x", "s"), node("Gather", "s i", "n"), node("Concat", "n m", "t", axis=0),
               node("Reshape", "x t", "y")], {"i": np.array([0]), "m": np.array([-1])}),
    "Gemm": ([node("Flatten", "x", "f"), node("Gemm", "f w b", "y", alpha=0.5, beta=2.0, transB=1)],
             {"w": np.ones((5, 216), np.float32), "b": np.arange(5, dtype=np.float32)}),
    "Slice": ([node("Slice", "x a b c d", "y")], {"a": np.array([1, -3]), "b": np.array([8, 2**62]),
                                                 "c": np.array([2, 3]), "d": np.array([3, 1])}),
    "Split": ([node("Split", "x", "a b", axis=3, num_outputs=2), node("ReduceSum", "a k", "c"),
               node("ReduceMean", "b k", "d"), node("Sub", "c d", "y")], {"k": np.array([3])}),
    "Pad": ([node("Pad", "x p v", "y")], {"p": np.array([0, 0, 1, 2, 0, 0, 0, 3]), "v": np.float32(7)}),
    "InstanceNormalization": ([node("InstanceNormalization", "x s b", "y", epsilon=0.1)],
                              {"s": np.array([1, 2, 3], np.float32), "b": np.array([3, 1, 0], np.float32)}),
    "Clip": ([node("Clip", "x a b", "c"), node("Pow", "c e", "y")],
             {"a": np.float32(0.1), "b": np.float32(0.9), "e": np.float32(2)}),
    "Expand": ([node("Unsqueeze", "x a", "u"), node("Expand", "u s", "e"), node("Squeeze", "q t", "y")],
               {"a": np.array([1]), "s": np.array([1, 1, 3, 8, 9]), "t": np.array([1])}),
    "Max": ([node("ReduceMax", "x", "m", keepdims=0), node("Sum", "x m x", "s"), node("Min", "s x", "y")], {}),
    "Softmax": ([node("Softmax", "x", "s", axis=1), node("Transpose", "s", "y")], {}),
    "HardSwish": ([node("HardSwish", "x", "h"), node("LeakyRelu", "h", "y", alpha=0.2)], {}),
}  # fmt: skip
SINGLE["Expand"][0][2] = node("Squeeze", "e t", "y")


@pytest.mark.parametrize("name", SINGLE)
def test_operators_of_onnx_compute_what_onnx_says(name, tmp_path):
    nodes, initializers = SINGLE[name]
    x = np.random.default_rng(1).normal(size=(2, 3, 8, 9)).astype(np.float32)
    open_model = graph_of(nodes, IMAGE, {"y": None}, **initializers)
    (wanted,) = ReferenceEvaluator(open_model).run(None, {"x": x})
    onnx.save(graph_of(nodes, IMAGE, {"y": wanted.shape}, **initializers), tmp_path / "net.onnx")
    diagram = trace(tmp_path / "net.onnx")
    assert not [op for op in diagram.ops if op.kind == "opaque"]
    np.testing.assert_allclose(diagram(torch.from_numpy(x)).numpy(), wanted, rtol=1e-5, atol=1e-5)


def test_an_unknown_operator_of_onnx_is_a_closed_box_and_an_open_size_is_asked_for(tmp_path):
    model = graph_of([node("Mish", "x", "m"), node("Relu", "m", "y")], {"x": ("batch", 4)}, {"y": ("batch", 4)})
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(ValueError, match="leaves sizes of x open"):
        trace(tmp_path / "net.onnx")
    with pytest.warns(UserWarning, match="Mish is drawn as a closed box"):
        diagram = trace(tmp_path / "net.onnx", torch.randn(3, 4), axes={"x": "b k"})
    assert [(op.name, op.kind) for op in diagram.ops] == [("Mish", "opaque"), ("relu", "elementwise")]
    assert diagram.outputs[0].shape == (3, 4)
    assert parse(to_text(diagram)) == diagram
    (tmp_path / "net.txt").write_text(to_text(diagram))
    words = "from circuit_diagrams import load; print(load('net.txt').ops[0].kind)"
    told = subprocess.run([sys.executable, "-c", words], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout == "opaque\n"
    with pytest.raises(ValueError, match="Mish cannot be computed"):
        diagram(torch.randn(3, 4))
    with pytest.raises(ValueError, match="shape batch,4"):
        trace(tmp_path / "net.onnx", torch.randn(3, 5))


def test_commands_take_model_files(tmp_path):
    module, x = nn.Sequential(nn.Linear(4, 3), nn.ReLU()), torch.randn(2, 4)
    path = exported(module, (x,), tmp_path / "net.pt2")
    model = graph_of([node("MatMul", "x w", "m"), node("Relu", "m", "y")], {"x": ("b", 4)}, {"y": ("b", 3)},
                     w=np.ones((4, 3), np.float32))  # fmt: skip
    onnx.save(model, tmp_path / "net.onnx")
    for file, words in ((path, ()), (tmp_path / "net.onnx", ("--input", "2,4"))):
        code, text, _ = call("cost", file, *words, "--json")
        assert (code, json.loads(text)["macs"]) == (0, 24)
        code, _, _ = call("draw", file, *words, "--out", tmp_path / "net.svg")
        assert code == 0
        assert call("backward", file, *words, "--out", tmp_path / "back.svg")[0] == 0
        code, text, _ = call("check", file, *words, "--json")
        assert (code, json.loads(text)["wrong"]) == (0, [])
        assert json.loads(text)["error"] is None or json.loads(text)["error"] < 1e-5
    call("cost", tmp_path / "net.onnx").assert_refused("leaves sizes of x open")
    code, _, _ = call("run", path, "--out", tmp_path / "out.npz")
    assert code == 0
    assert np.load(tmp_path / "out.npz")["output0"].shape == (2, 3)
