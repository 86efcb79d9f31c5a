"""Beside hyperlight, the authors' library, and hypnettorch, where they are installed."""

import pytest
import torch

from mip_hypernet import HyperNetwork, encode, magnitude_report

SHAPES = {"conv.weight": (6, 4, 3, 3), "fc.weight": (10, 20), "fc.bias": (10,)}


def test_hyperlight_predicts_the_same_from_the_same_weights():
    hyperlight = pytest.importorskip("hyperlight", reason="hyperlight is not installed")
    theirs = hyperlight.HyperNet({"b": (2,), "a": (1,)}, SHAPES, [8, 16])
    ours = HyperNetwork({"b": (2,), "a": (1,)}, SHAPES, (8, 16))
    with torch.no_grad():
        for number, layer in ((0, theirs.backbone.block0_lin), (2, theirs.backbone.block1_lin)):
            layer.bias.normal_()
            ours.hidden[number].load_state_dict(layer.state_dict())
        ours.head.weight.copy_(theirs.backbone.output.weight)
        ours.base.copy_(theirs.backbone.output.bias)
    for a, b in ((torch.rand(1), torch.rand(2)), (torch.rand(5, 1), torch.rand(5, 2))):
        found, expected = ours(a=a, b=b), theirs(a=a, b=b)
        for name in SHAPES:
            torch.testing.assert_close(found[name], expected[name], rtol=1e-5, atol=1e-6)
    std = {name: float(rows.std()) for name, rows in zip(SHAPES, ours.head.weight.split([216, 200, 10]), strict=True)}
    own = HyperNetwork({"b": (2,), "a": (1,)}, SHAPES, (8, 16))
    for name, rows in zip(SHAPES, own.head.weight.split([216, 200, 10]), strict=True):
        assert float(rows.std()) == pytest.approx(std[name], rel=0.1)


def test_encodings_of_hyperlight():
    encoding = pytest.importorskip("hyperlight.hypernet.encoding", reason="hyperlight is not installed")
    gamma = torch.rand(7, 3)
    torch.testing.assert_close(encode(gamma), encoding.encode_input(gamma, "cos|sin"))
    torch.testing.assert_close(encode(gamma, "l1"), encoding.encode_input(gamma, "z|1-z"))


def test_hypernetworks_of_hyperlight_are_diagnosed():
    hyperlight = pytest.importorskip("hyperlight", reason="hyperlight is not installed")
    inputs = {"gamma": (1,)}
    plain = hyperlight.HyperNet(
        inputs, SHAPES, [8, 16], encoding=None, init_independent_weights=False, fc_kws={"out_bias": False}
    )
    assert magnitude_report(plain).slope == pytest.approx(1, abs=1e-4)
    assert abs(magnitude_report(hyperlight.HyperNet(inputs, SHAPES, [32, 64])).slope) < 0.1


def test_hypernetworks_of_hypnettorch_are_diagnosed():
    hnets = pytest.importorskip("hypnettorch.hnets", reason="hypnettorch is not installed")
    torch.manual_seed(0)
    shapes = [list(shape) for shape in SHAPES.values()]
    net = hnets.HMLP(
        shapes, uncond_in_size=2, cond_in_size=0, layers=(8, 16), num_cond_embs=0, verbose=False, use_bias=False
    )
    ray = torch.linspace(0.1, 1, 6)[:, None] * torch.tensor([0.6, 0.8])
    found = magnitude_report(net, ray)
    assert found.slope == pytest.approx(1, abs=1e-4)
    assert list(found.stds) == ["0", "1", "2", "all"]
    biased = hnets.HMLP(shapes, uncond_in_size=2, cond_in_size=0, layers=(8, 16), num_cond_embs=0, verbose=False)
    assert 0 < magnitude_report(biased, ray).slope < 0.98
