"""ONNX files in ONNX Runtime."""

import numpy as np
import pytest
import torch

from deeponet import DataShape, DeepONet, JoinedNet, save_onnx
from separata import onnx

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")

SHAPE = DataShape(5, 2, 2)


def run(path, u, y):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"u": u.numpy(), "y": y.numpy()})[0]


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("kind", ["stacked", "joined"])
def test_outputs_are_pytorch_s_for_any_number(kind, grid, tmp_path):
    network = {
        "stacked": lambda: DeepONet([5, 4, 12], [2, 6], n_outputs=2, strategy="split_branch", stacked=True),
        "joined": lambda: JoinedNet(5, 2, [7, 2]),
    }[kind]()
    save_onnx(network, tmp_path / "net.onnx", SHAPE, grid=grid)
    for n, k in ((1, 3), (6, 1)):
        u, y = torch.rand(n, 5), torch.rand(k if grid else n, 2)
        with torch.no_grad():
            expected = network.grid(u, y) if grid else network(u, y)
        np.testing.assert_allclose(run(tmp_path / "net.onnx", u, y), expected, atol=1e-6, rtol=1e-5)


def test_a_file_that_differs_is_noticed(tmp_path):
    one, other = (JoinedNet(5, 2, [7, 2]) for _ in range(2))
    save_onnx(one, tmp_path / "net.onnx", SHAPE)
    with pytest.raises(ValueError, match="differs from the original"):
        onnx.check(other, tmp_path / "net.onnx", {"u": torch.rand(3, 5), "y": torch.rand(3, 2)})


def test_other_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match="exported as .onnx, not as net.pt"):
        save_onnx(JoinedNet(5, 2, [3, 2]), tmp_path / "net.pt", SHAPE)
    assert not list(tmp_path.iterdir())
