"""ONNX files, read by ONNX Runtime alone."""

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline

from kan_assessment import BSplineKAN, get_family, save_onnx
from separata.bsplines import uniform_knots


def outputs(path, x):
    session = pytest.importorskip("onnxruntime").InferenceSession(str(path))
    return session.run(["y"], {"x": x})[0]


def test_a_kan_in_onnx_runtime_is_scipy_s_splines(tmp_path):
    torch.manual_seed(0)
    # The fine grid is evaluated by the local form.
    model = BSplineKAN([2, 1], grid=20, order=3, base="zero")
    save_onnx(model, tmp_path / "kan.onnx", 2)
    x = np.random.default_rng(0).uniform(-0.99, 0.99, (11, 2)).astype("float32")
    knots, weights = uniform_knots(20, 3).numpy(), model.layers[0].coefficients.detach().double().numpy()[0]
    expected = sum(BSpline(knots, weights[i], 3)(x[:, i]) for i in range(2))
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(outputs(tmp_path / "kan.onnx", x)[:, 0], expected, atol=2e-6)


def test_other_families_are_written_too_and_wrong_names_refused(tmp_path):
    model = get_family("bspline_mlp").build(3, [4], 2)
    save_onnx(model, tmp_path / "one.onnx", 3)
    x = torch.rand(1, 3)
    np.testing.assert_allclose(outputs(tmp_path / "one.onnx", x.numpy()), model(x).detach().numpy(), atol=1e-5)
    with pytest.raises(ValueError, match=r"\.onnx"):
        save_onnx(model, tmp_path / "one.pt", 3)
    assert [path.name for path in tmp_path.iterdir()] == ["one.onnx"]
