"""Networks that are not ours become binary, and say what was left."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from biper import BiPerConv2d, BiPerLinear, ReCUConv2d, after_update, binarize, to_stage2


class Residual(nn.Module):
    """A stranger's block."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n, n, 3, padding=1, padding_mode="reflect")
        self.norm = nn.BatchNorm2d(n)

    def forward(self, x):
        return x + torch.relu(self.norm(self.conv(x)))


class Special(nn.Conv2d):
    """A stranger's subclass, which does something else."""


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        Residual(8),
        Special(8, 8, 1),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 16),
        nn.ReLU(),
        nn.Linear(16, 2),
    )


def test_layers_are_replaced_and_the_rest_is_told():
    model = network()
    weight = model[1].conv.weight
    found = binarize(model, omega=15.0)
    assert found.converted == ("1.conv", "5")
    assert isinstance(model[1].conv, BiPerConv2d)
    assert isinstance(model[5], BiPerLinear)
    assert model[1].conv.weight is weight
    assert model[1].conv.omega == 15.0
    assert model[1].conv.padding_mode == "reflect"
    assert (found.left["0"], found.left["7"]) == ("skipped", "skipped")
    assert "Special" in found.left["2"]
    assert "BatchNorm2d" in found.left["1.norm"]
    assert "left" in str(found)


def test_targets_and_methods():
    found = binarize(network(), "recu", targets="*.conv", skip=())
    assert found.converted == ("1.conv",)
    assert isinstance(found.model[1].conv, ReCUConv2d)
    again = binarize(found.model, targets=lambda _, module: isinstance(module, nn.Linear), skip=())
    assert again.converted == ("5", "7")
    assert again.left["1.conv"] == "converted before"
    assert binarize(nn.Linear(3, 2), skip=()).model.weight.shape == (2, 3)


def test_a_network_with_a_shared_layer_or_attention():
    shared = nn.Linear(4, 4)
    model = nn.Sequential(nn.Linear(4, 4), shared, shared, nn.MultiheadAttention(4, 2), nn.Linear(4, 2))
    found = binarize(model)
    assert found.converted == ("1", "2")
    assert model[1] is model[2]
    assert any(name.startswith("3") for name in found.left)


def test_latent_weights_begin_where_they_are_asked_to():
    model = binarize(network(), init_b=0.05).model
    for layer in (model[1].conv, model[5]):
        assert layer.weight.abs().mean().item() == pytest.approx(0.05, rel=1e-5)


def test_a_strangers_network_learns_in_two_stages():
    torch.manual_seed(0)
    x = torch.randn(256, 1, 8, 8)
    y = (x[:, 0, :4].mean((1, 2)) > x[:, 0, 4:].mean((1, 2))).long()
    for method in ("biper", "ste"):
        model = binarize(network(), method).model
        for stage in (1, 2):
            if stage == 2 and method == "biper":
                to_stage2(model)
            optimizer = torch.optim.SGD(model.parameters(), 0.02 / stage**2, momentum=0.9)
            for _ in range(60):
                optimizer.zero_grad()
                cross_entropy(model(x), y).backward()
                optimizer.step()
                after_update(model)
        accuracy = (model.eval()(x).argmax(1) == y).float().mean().item()
        assert accuracy > 0.8, (method, accuracy)
        assert set(model[5].effective_weight().unique().tolist()) == {-1.0, 1.0}


def test_bad_requests():
    with pytest.raises(ValueError, match="nothing to convert"):
        binarize(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)))
    with pytest.raises(ValueError, match="nothing to convert"):
        binarize(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
    with pytest.raises(ValueError, match="no method 'sign'; the methods are biper, ste, xnor, bireal, recu"):
        binarize(network(), "sign")
    with pytest.raises(ValueError, match="matches no"):
        binarize(network(), targets="encoder.*")
    with pytest.raises(ValueError, match="omega must be positive"):
        binarize(network(), omega=-1)
    with pytest.raises(ValueError, match="init_b"):
        binarize(network(), init_b=0)
