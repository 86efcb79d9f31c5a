"""Beside neuraloperator's network with the same weights; checked with version 2.0.0."""

import pytest
import torch

from mgno.baselines.fno import FNO
from mgno.baselines.neuraloperator import fno_from_neuraloperator

models = pytest.importorskip("neuralop.models", reason="neuraloperator is not installed")


def peer(**options):
    """A small model, with factors of the skips that are not one."""
    sizes = {"n_modes": (10, 8), "in_channels": 2, "out_channels": 3, "hidden_channels": 8, "n_layers": 3}
    module = models.FNO(**(sizes | options))
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "channel_mlp_skips" in name:
                parameter.normal_()
    return module


@pytest.mark.parametrize("shape", [(16, 16), (64, 31), (10, 64), (8, 8), (8, 5)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"domain_padding": 0.25},
        {"domain_padding": [0.125, 0.125], "positional_embedding": None},
        {"n_modes": (24, 22), "hidden_channels": 5, "n_layers": 1},
        {"lifting_channel_ratio": 3, "projection_channel_ratio": 1.5, "channel_mlp_expansion": 1.0},
    ],
    ids=["default", "padding", "not positional", "one layer", "ratios"],
)
def test_outputs_are_neuraloperator_s(options, shape):
    module = peer(**options)
    x = torch.randn(2, 2, *shape)
    expected = module(x)
    torch.testing.assert_close(fno_from_neuraloperator(module)(x), expected, atol=1e-5, rtol=1e-5)


def test_so_are_gradients():
    module = peer()
    copy, x = fno_from_neuraloperator(module), torch.randn(2, 2, 16, 12)
    for network in (module, copy):
        network(x).square().sum().backward()
    theirs = torch.view_as_real(module.fno_blocks.convs[0].weight.tensor.grad.permute(2, 3, 0, 1))
    torch.testing.assert_close(copy.layers[0].spectral.weight.grad, theirs, atol=1e-4, rtol=1e-4)


def test_it_has_as_many_parameters():
    """Where a complex number counts as two."""
    module = models.FNO(n_modes=(24, 22), in_channels=1, out_channels=1, hidden_channels=32)
    theirs = sum(p.numel() * (2 if p.is_complex() else 1) for p in module.parameters())
    assert theirs == sum(p.numel() for p in FNO(1, 1).parameters())


def test_it_begins_as_widely_spread():
    theirs = models.FNO(n_modes=(24, 22), in_channels=1, out_channels=1, hidden_channels=32).fno_blocks.convs[0].weight
    ours = FNO(1, 1).layers[0].spectral.weight
    assert float(ours.std()) == pytest.approx(float(torch.view_as_real(theirs.tensor).std()), rel=0.01)


def test_the_copy_keeps_its_mode_and_is_a_copy():
    module = peer().eval()
    copy = fno_from_neuraloperator(module)
    assert not copy.training
    torch.nn.init.zeros_(copy.lifting[0].weight)
    assert module.lifting.fcs[0].weight.any()


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"norm": "instance_norm"}, "norm"),
        ({"preactivation": True}, "preactivation"),
        ({"stabilizer": "tanh"}, "stabilizer"),
        ({"channel_mlp_dropout": 0.1}, "channel_mlp_dropout"),
        ({"non_linearity": torch.nn.functional.relu}, "non_linearity"),
        ({"resolution_scaling_factor": 2}, "resolution_scaling_factor"),
        ({"max_n_modes": (12, 7)}, "max_n_modes"),
        ({"n_modes": (9, 8)}, r"n_modes \(odd\)"),
        ({"domain_padding": [0.1, 0.2]}, "domain_padding"),
        ({"use_channel_mlp": False}, "parameters"),
        ({"fno_skip": "soft-gating"}, "parameters"),
        ({"channel_mlp_skip": "linear"}, "parameters"),
    ],
)
def test_other_options_are_refused(options, what):
    with pytest.raises(ValueError, match=f"FNO has no such {what}"):
        fno_from_neuraloperator(peer(**options))


@pytest.mark.parametrize("options", [{"factorization": "tucker"}, {"n_modes": (4,)}, {"n_modes": (4, 4, 4)}])
def test_other_models_are_refused(options):
    with pytest.raises(ValueError, match=r"two-dimensional neuralop.models.FNO with dense weights"):
        fno_from_neuraloperator(peer(**options))


def test_what_is_no_model_of_the_library_is_refused():
    with pytest.raises(ValueError, match=r"neuralop.models.FNO"):
        fno_from_neuraloperator(torch.nn.Linear(1, 1))
