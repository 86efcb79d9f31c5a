"""Files: real networks, and every bad one."""

import gzip
import os
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from bab_verify.frontends.loading import load_onnx
from bab_verify.frontends.onnx_files import read_model
from bab_verify.frontends.onnx_import import graph_from_model
from bab_verify.frontends.onnx_registry import NetworkError, UnsupportedOperatorError
from bab_verify.frontends.onnx_runtime import session

DATA = Path(os.environ.get("SEPARATA_DATA", "/nonexistent")) / "vnncomp2024"
NETWORKS = [
    "acasxu_2023/onnx/ACASXU_run2a_1_1_batch_2000.onnx.gz",
    "dist_shift_2023/onnx/mnist_concat.onnx.gz",
    "lsnc/onnx/quadrotor2d_output.onnx.gz",
    "lsnc/onnx/quadrotor2d_state.onnx.gz",
    "ml4acopf_2023/onnx/14_ieee_ml4acopf.onnx.gz",
    "vit_2023/onnx/pgd_2_3_16.onnx.gz",
]


def network(*, shape=(1, 4), nodes=None, weights=None, inputs=None, outputs=("y",), kind=TensorProto.FLOAT, opset=17):
    weights = {"w": np.ones((4, 3), np.float32)} if weights is None else weights
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"], name="layer")] if nodes is None else nodes,
        "g",
        [helper.make_tensor_value_info(name, kind, shape) for name in (inputs or ["x"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [w if isinstance(w, TensorProto) else numpy_helper.from_array(w, name) for name, w in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.mark.skipif(not DATA.is_dir(), reason="needs $SEPARATA_DATA/vnncomp2024")
@pytest.mark.parametrize("path", NETWORKS)
def test_forward_of_real_networks(path):
    graph = load_onnx(DATA / path, torch.float32)
    runtime = session(read_model(DATA / path).SerializeToString())
    x = 0.1 * torch.rand(3, *graph.input_shape, generator=torch.Generator().manual_seed(0))
    name = runtime.get_inputs()[0].name
    expected = np.stack([runtime.run(None, {name: point.numpy()})[0].reshape(-1) for point in x])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(graph(x).numpy(), expected, rtol=1e-5, atol=1e-5 * scale)


def test_files_plain_and_compressed(tmp_path):
    data = network().SerializeToString()
    (tmp_path / "net.onnx").write_bytes(data)
    (tmp_path / "net.onnx.gz").write_bytes(gzip.compress(data))
    x = torch.rand(2, 4, dtype=torch.float64)
    for name in ("net.onnx", "net.onnx.gz"):
        torch.testing.assert_close(load_onnx(tmp_path / name)(x), x.sum(1, keepdim=True).expand(2, 3))
    assert graph_from_model(data, dtype=torch.float32)(x.float()).dtype == torch.float32


def test_external_data(tmp_path):
    onnx.save(network(), tmp_path / "net.onnx", save_as_external_data=True, size_threshold=0, location="w.bin")
    assert load_onnx(tmp_path / "net.onnx").n_outputs == 3
    (tmp_path / "w.bin").unlink()
    with pytest.raises(NetworkError, match="external data"):
        load_onnx(tmp_path / "net.onnx")


def test_symbolic_dimensions_are_1():
    assert graph_from_model(network(shape=("batch", 4))).input_shape == (1, 4)


def test_initializers_among_the_inputs_are_no_inputs():
    assert graph_from_model(network(inputs=["x", "w"])).n_inputs == 4


def test_what_the_output_does_not_need_is_dropped():
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Det", ["x"], ["z"]),
        helper.make_node("Neg", ["x"], ["y"]),
    ]
    assert len(graph_from_model(network(nodes=nodes, weights={})).nodes) == 2


def test_output_that_is_the_input_or_a_constant():
    same = graph_from_model(network(nodes=[helper.make_node("Identity", ["x"], ["y"])], weights={}))
    x = torch.rand(2, 4, dtype=torch.float64)
    assert torch.equal(same(x), x)
    constant = graph_from_model(network(nodes=[helper.make_node("Neg", ["w"], ["y"])]))
    assert torch.equal(constant(x), -torch.ones(2, 12, dtype=torch.float64))


def test_local_functions_are_inlined():
    model = network(nodes=[helper.make_node("Twice", ["x"], ["y"], domain="own")], weights={})
    body = [helper.make_node("Add", ["a", "a"], ["b"])]
    model.functions.append(helper.make_function("own", "Twice", ["a"], ["b"], body, [helper.make_opsetid("", 17)]))
    model.opset_import.append(helper.make_opsetid("own", 1))
    x = torch.rand(2, 4, dtype=torch.float64)
    assert torch.equal(graph_from_model(model)(x), 2 * x)


def test_all_unsupported_operators_are_named_at_once():
    nodes = [
        helper.make_node("Mod", ["x", "x"], ["a"], name="first", fmod=1),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Det", ["b"], ["c"], name="second"),
        helper.make_node("Own", ["x"], ["d"], name="third", domain="com.example"),
        helper.make_node("Pow", ["x", "w"], ["e"], name="fourth"),
        helper.make_node("Sum", ["b", "c", "d", "e"], ["y"]),
    ]
    model = network(nodes=nodes, weights={"w": np.float32([1.5])})
    with pytest.raises(UnsupportedOperatorError, match="net") as caught:
        graph_from_model(model, "net")
    message = str(caught.value)
    assert all(part in message for part in ("Mod (first)", "Det (second)", "com.example.Own (third)", "Pow (fourth): "))
    assert "Relu" not in message
    assert "Sum" not in message


BAD = {
    "batch": (network(shape=(2, 4)), "batch.* is 2"),
    "float16 weights": (network(weights={"w": np.ones((4, 3), np.float16)}), "w is of type float16"),
    "quantised weights": (network(weights={"w": np.ones((4, 3), np.int8)}), "w is of type int8"),
    "integer input": (network(kind=TensorProto.INT64), "input is of type int64"),
    "NaN": (network(weights={"w": np.full((4, 3), np.nan, np.float32)}), "w holds NaN"),
    "infinity": (network(weights={"w": np.full((4, 3), np.inf, np.float32)}), "w holds NaN or infinity"),
    "beyond float32": (network(weights={"w": np.full((4, 3), 1e300)}), "layer"),
    "two inputs": (network(inputs=["x", "z"]), "one input is supported, not 2"),
    "two outputs": (network(outputs=("y", "x")), "one output is supported, not 2"),
    "unknown input": (network(weights={}), "takes 'w', which nothing gives"),
    "unknown output": (network(outputs=("z",)), "'z', which nothing gives"),
    "truncated weights": (
        network(weights={"w": TensorProto(name="w", dims=[4, 3], data_type=TensorProto.FLOAT, raw_data=b"abcd")}),
        "w is damaged",
    ),
    "shapes": (network(shape=(1, 5)), r"Gemm \(layer\)"),
    "empty": (onnx.ModelProto(ir_version=8), "not an ONNX model"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_networks(name):
    model, message = BAD[name]
    with pytest.raises(NetworkError, match=message) as caught:
        graph_from_model(model, "bad.onnx", torch.float32)
    assert str(caught.value).startswith("bad.onnx: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"hello world, this is text", b"\x00" * 1000, network().SerializeToString()[:-5], b"\x3a\x05abcde", b"\x08"],
    ids=range(6),
)
@pytest.mark.parametrize("name", ["bad.onnx", "bad.onnx.gz"])
def test_bad_files(tmp_path, data, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    with pytest.raises(NetworkError, match=r"bad\.onnx.*: (not an ONNX model|the file is empty)"):
        load_onnx(path)


def test_damaged_compression_and_missing_file(tmp_path):
    (tmp_path / "net.onnx.gz").write_bytes(b"not compressed")
    with pytest.raises(NetworkError, match="cannot be read"):
        load_onnx(tmp_path / "net.onnx.gz")
    (tmp_path / "cut.onnx.gz").write_bytes(gzip.compress(network().SerializeToString())[:-12])
    with pytest.raises(NetworkError, match="cannot be read"):
        load_onnx(tmp_path / "cut.onnx.gz")
    (tmp_path / "broken.onnx.gz").write_bytes(gzip.compress(network().SerializeToString())[:10] + b"\xff" * 100)
    with pytest.raises(NetworkError, match="cannot be read"):
        load_onnx(tmp_path / "broken.onnx.gz")
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        load_onnx(tmp_path / "none.onnx")


@pytest.mark.parametrize("start", [b"garbage!", b"\x08\x01"], ids=["text", "fields"])
def test_a_huge_file_is_refused_at_once(tmp_path, start):
    path = tmp_path / "huge.onnx"
    with path.open("wb") as stream:
        stream.write(start * 20_000)
        stream.truncate(4 * 2**30)
    began = time.perf_counter()
    with pytest.raises(NetworkError, match="not an ONNX model"):
        load_onnx(path)
    assert time.perf_counter() - began < 10
