"""The networks of the paper, by their published sizes; finished networks in plain PyTorch and ONNX."""

import numpy as np
import pytest
import torch
from torch import nn

from biper import (
    BinaryLayer,
    DataShape,
    ModelConfig,
    Sign,
    binarize,
    binary_layers,
    freeze,
    make_float_network,
    make_network,
    save_onnx,
    to_stage2,
)


@pytest.mark.parametrize(
    ("arch", "shape", "n_parameters"),
    [
        ("resnet18", DataShape(), 11_005_002),
        ("resnet20", DataShape(), 270_522),
        ("vgg-small", DataShape(), 4_661_770),
        ("imagenet-resnet18", DataShape(3, 224, 1000), 11_694_376),
    ],
)
def test_published_sizes(arch, shape, n_parameters):
    with torch.device("meta"):
        network = make_network(ModelConfig(arch), shape)
    assert sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad) == n_parameters


def test_what_stays_real():
    shape = DataShape(3, 32, 5)
    for arch, n_binary in (("resnet8", 6), ("resnet20", 18), ("vgg-small", 5), ("imagenet-resnet34", 32)):
        network = make_network(ModelConfig(arch, width=1 / 16), shape)
        real = [name for name, module in network.named_modules() if type(module) in (nn.Conv2d, nn.Linear)]
        assert len(list(binary_layers(network))) == n_binary
        assert all(name.startswith(("stem", "features.0", "classifier")) or "shortcut" in name for name in real), real


@pytest.mark.parametrize("arch", ["resnet8", "resnet18", "imagenet-resnet18"])
def test_images_of_odd_sizes(arch):
    network = make_network(ModelConfig(arch, width=1 / 16), DataShape(2, 13, 3)).eval()
    assert network(torch.randn(2, 2, 13, 13)).shape == (2, 3)


def test_each_convolution_of_a_thin_network_has_its_residual():
    """With all convolutions silent, a block is its shortcut, clipped."""
    network = make_network(ModelConfig("resnet8"), DataShape()).eval()
    for name, parameter in network.named_parameters():
        if name.endswith("alpha"):
            nn.init.zeros_(parameter)
    x = torch.randn(2, 16, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(network.blocks[0](x), x.clamp(-1, 1))
        y = network.blocks[1](x)
    pooled = x.unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5)).clamp(-1, 1)
    torch.testing.assert_close(y[:, 8:24], pooled)
    assert not y[:, :8].any()
    assert not y[:, 24:].any()


def test_the_twins_begin_with_the_same_weights():
    for method in ("biper", "recu"):
        torch.manual_seed(3)
        network = make_network(ModelConfig("vgg-small", method, width=0.05))
        torch.manual_seed(3)
        twin = make_float_network(ModelConfig("vgg-small", "float", width=0.05), DataShape())
        state = network.state_dict()
        assert all(torch.equal(state[name], value) for name, value in twin.state_dict().items())


def test_vgg_says_what_it_takes():
    network = make_network(ModelConfig("vgg-small", width=0.05), DataShape(1, 16, 3))
    with pytest.raises(ValueError, match=r"images of \(1, 16, 16\), not \(3, 16, 16\)"):
        network(torch.zeros(2, 3, 16, 16))
    with pytest.raises(ValueError, match="at least 8 pixels, not 7"):
        make_network(ModelConfig("vgg-small"), DataShape(1, 7, 3))
    real = make_network(ModelConfig("vgg-small", width=0.05, real_activations=True))
    assert not any(layer.binarize_input for _, layer in binary_layers(real))
    assert any(isinstance(module, nn.ReLU) for module in real.modules())


def finished(**settings) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Conv2d(6, 8, 3, padding=1), nn.BatchNorm2d(8),
        nn.Flatten(), nn.Linear(128, 5), nn.Linear(5, 3),
    )  # fmt: skip
    model = to_stage2(binarize(model, **settings).model)
    model(torch.randn(16, 1, 4, 4))
    return model.eval()


@pytest.mark.parametrize("binarize_input", [True, False])
def test_a_frozen_network_is_plain_and_computes_the_same(binarize_input):
    model = finished(binarize_input=binarize_input)
    frozen = freeze(model)
    assert not any(isinstance(module, BinaryLayer) for module in frozen.modules())
    assert any(isinstance(module, Sign) for module in frozen.modules()) == binarize_input
    x = torch.randn(5, 1, 4, 4)
    assert torch.equal(frozen(x), model(x))
    assert torch.equal(freeze(model, as_bytes=True)(x), model(x))
    with pytest.raises(ValueError, match="merge and as_bytes"):
        freeze(model, merge=True, as_bytes=True)
    merged = freeze(model, merge=True)
    torch.testing.assert_close(merged(x), model(x), rtol=1e-4, atol=1e-5)
    if not binarize_input:
        assert type(merged[2]) is nn.Conv2d, "one plain layer"
        assert merged[2].weight[0].abs().unique().numel() == 1, "of one magnitude a channel"
    with pytest.raises(ValueError, match="first stage"):
        freeze(make_network(ModelConfig("resnet8")))


def test_onnx_runtime_computes_the_same(tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    model = finished()
    save_onnx(model, tmp_path / "n.onnx", (1, 4, 4))
    session = runtime.InferenceSession(tmp_path / "n.onnx")
    x = np.random.default_rng(0).normal(size=(64, 1, 4, 4)).astype("float32")
    (found,) = session.run(None, {"x": x})
    expected = model(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    large = to_stage2(binarize(nn.Sequential(nn.Linear(2, 200), nn.Linear(200, 200), nn.Linear(200, 2))).model)
    large(torch.randn(4, 2))
    save_onnx(large, tmp_path / "large.onnx", (2,))
    assert (tmp_path / "large.onnx").stat().st_size < 2 * 200 * 200, "about a byte for each binary weight"
    # Zeros reach the signs where the image is empty and the stem has no bias: sgn(0) = +1 there, too.
    with torch.no_grad():
        model[0].bias.zero_()
        model[1].bias.zero_()
        model[1].running_mean.zero_()
    save_onnx(model, tmp_path / "n.onnx", (1, 4, 4))
    zeros = np.zeros((3, 1, 4, 4), dtype="float32")
    (found,) = runtime.InferenceSession(tmp_path / "n.onnx").run(None, {"x": zeros})
    np.testing.assert_allclose(found, model(torch.from_numpy(zeros)).detach().numpy(), rtol=1e-4, atol=1e-5)
    assert (model[1](model[0](torch.from_numpy(zeros))) == 0).all()
