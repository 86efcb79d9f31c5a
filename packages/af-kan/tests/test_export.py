"""ONNX files in ONNX Runtime."""

from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from af_kan import AFKAN, MethodEnsemble, ModelConfig, make_network, replace_linear, save_onnx
from af_kan.configs import KINDS, ReductionName

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")


def check(network, path, sample_shape):
    """ONNX Runtime gives what PyTorch does, for batches of any length."""
    save_onnx(network, path, sample_shape)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for n in (1, 6):
        x = torch.randn(n, *sample_shape)
        with torch.no_grad():
            expected = network.eval()(x)
        np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("reduction", ["global_attn", "multistep", "spatial_attn"])
def test_networks_of_the_reductions_are_exported(reduction, tmp_path):
    check(AFKAN([5, 4, 3], reduction=reduction), tmp_path / "net.onnx", (5,))


@pytest.mark.slow
@pytest.mark.parametrize("reduction", get_args(ReductionName))
@pytest.mark.parametrize("feature_norm", ["none", "sample", "running"])
@pytest.mark.parametrize("activation", ["softplus", "gelu", "selu"])
def test_networks_of_every_setting_are_exported(reduction, feature_norm, activation, tmp_path):
    network = AFKAN([5, 4, 3], reduction=reduction, feature_norm=feature_norm, activation=activation)
    network(torch.randn(8, 5))
    check(network, tmp_path / "net.onnx", (5,))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_networks_of_every_kind_are_exported(kind, tmp_path):
    check(make_network(ModelConfig(kind, "4"), 5, 3), tmp_path / "net.onnx", (5,))


def test_a_model_of_one_s_own_with_new_layers_is_exported(tmp_path):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 36, 8), nn.ReLU(), nn.Linear(8, 3))
    check(replace_linear(model, reduction="multistep"), tmp_path / "net.onnx", (1, 8, 8))


@pytest.mark.slow
def test_an_ensemble_is_exported(tmp_path):
    check(MethodEnsemble([5, 4, 3], ["multistep", "global_attn"], "quadratic"), tmp_path / "net.onnx", (5,))
