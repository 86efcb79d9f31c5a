"""Layers are replaced where they can be, and everything else is named with the reason."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, weight_norm

from separata.conversion import convert


class Doubled(nn.Module):
    """Twice a layer: a replacement that can be seen."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return 2 * self.layer(x)


def doubled(model, **settings):
    return convert(model, lambda name, layer: Doubled(layer), (nn.Linear,), opaque=(Doubled,), **settings)


def chain(n=3):
    return nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(n)))


def test_every_layer_of_the_kinds_is_replaced_and_computes_in_its_place():
    model, x = chain(), torch.randn(5, 4)
    before = model(x)
    found = doubled(model)
    assert found.model is model
    assert found.converted == ("0", "1", "2")
    assert not found.left
    torch.testing.assert_close(model(x), 8 * before)


def test_a_network_that_is_one_layer_is_replaced_itself():
    layer, x = nn.Linear(4, 2), torch.randn(3, 4)
    found = doubled(layer)
    assert found.converted == ("",)
    torch.testing.assert_close(found.model(x), 2 * layer(x))


@pytest.mark.parametrize(
    ("settings", "converted"),
    [
        ({"targets": "?.1"}, ("a.1", "b.1")),
        ({"targets": ["a.*", "b.0"]}, ("a.0", "a.1", "b.0")),
        ({"targets": lambda name, layer: name.startswith("b")}, ("b.0", "b.1")),
        ({"skip": ("first", "last")}, ("a.1", "b.0")),
        ({"skip": "a.*"}, ("b.0", "b.1")),
        ({"targets": "a.*", "skip": "first"}, ("a.1",)),
        ({"targets": "a.*", "skip": "last"}, ("a.0", "a.1")),
    ],
)
def test_targets_and_skip_choose(settings, converted):
    model = nn.ModuleDict({"a": chain(2), "b": chain(2)})
    found = doubled(model, **settings)
    assert found.converted == converted
    assert set(found.left) == {"a.0", "a.1", "b.0", "b.1"} - set(converted)
    kept = {name for name, module in model.named_modules() if type(module) is nn.Linear and "layer" not in name}
    assert kept == set(found.left)


def test_a_layer_at_two_places_is_replaced_once_and_stays_one():
    layer = nn.Linear(4, 4)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    found = doubled(model)
    assert found.converted == ("0", "2")
    assert model[0] is model[2]
    assert isinstance(model[0], Doubled)


def test_what_was_converted_before_is_not_converted_within():
    model = chain(2)
    doubled(model, targets="0")
    found = doubled(model)
    assert found.converted == ("1",)
    assert found.left == {"0": "converted before"}
    with pytest.raises(ValueError, match=r"nothing to convert: 0 \(converted before\), 1 \(converted before\)"):
        doubled(model)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.body = nn.Linear(4, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.embedding.weight


def test_a_tied_weight_stays_tied():
    model = Tied()
    found = doubled(model)
    assert found.converted == ("body",)
    assert found.left == {
        "embedding": "Embedding, not Linear",
        "head": "it shares a parameter with embedding",
    }
    assert model.head.weight is model.embedding.weight


def test_layers_with_parametrizations_hooks_or_of_other_kinds_are_left_with_the_reason():
    class Own(nn.Linear):
        pass

    model = nn.ModuleDict(
        {
            "own": Own(2, 2),
            "spectral": parametrizations.spectral_norm(nn.Linear(2, 2)),
            "weight_norm": _old_weight_norm(),
            "hooked": nn.Linear(2, 2),
            "lazy": nn.LazyLinear(2),
            "lstm": nn.LSTM(2, 2),
            "plain": nn.Linear(2, 2),
        }
    )
    model["hooked"].register_forward_hook(lambda *_: None)
    found = doubled(model)
    assert found.converted == ("plain",)
    assert found.left == {
        "own": "Own, not Linear",
        "spectral": "its weights are parametrized",
        "weight_norm": "it has hooks, which would be lost",
        "hooked": "it has hooks, which would be lost",
        "lazy": "LazyLinear, not Linear",
        "lstm": "LSTM, not Linear",
    }
    assert "left 2 (it has hooks, which would be lost): weight_norm, hooked" in str(found)


def _old_weight_norm():
    with pytest.warns(FutureWarning):
        return weight_norm(nn.Linear(2, 2))


def test_an_encoder_of_pytorch_computes_the_same_in_training_and_inference():
    """Its fast path would read weights instead of calling the new layers."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    model = nn.TransformerEncoder(layer, 2)
    found = doubled(model)
    assert found.converted == ("layers.0.linear1", "layers.0.linear2", "layers.1.linear1", "layers.1.linear2")
    assert found.left["layers.0.self_attn"] == "MultiheadAttention, not Linear"
    x, padding = torch.randn(3, 5, 8), torch.zeros(3, 5, dtype=torch.bool)
    padding[0, 3:] = True
    trained = model.train()(x, src_key_padding_mask=padding)
    with torch.no_grad():
        evaluated = model.eval()(x, src_key_padding_mask=padding)
    torch.testing.assert_close(evaluated[~padding], trained[~padding])


def test_the_mode_of_each_layer_is_kept():
    model = chain(2)
    model[0].eval()
    doubled(model)
    assert not model[0].training
    assert model[1].training


def test_a_network_is_untouched_when_a_layer_cannot_be_made():
    model = chain(3)
    before = copy.deepcopy(model)

    def make(name, layer):
        if name == "1":
            raise ValueError("1 cannot be made")
        return Doubled(layer)

    with pytest.raises(ValueError, match="1 cannot be made"):
        convert(model, make, (nn.Linear,))
    assert str(model) == str(before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"targets": "*.mlp"}, r"targets: '\*\.mlp' matches no Linear of the network; there are 0, 1, 2"),
        ({"targets": ("0", "9")}, "targets: '9' matches no Linear"),
        ({"skip": "head"}, "skip: 'head' matches no Linear"),
        ({"skip": "?"}, r"nothing to convert: 0 \(skipped\), 1 \(skipped\), 2 \(skipped\)"),
        ({"targets": lambda *_: False}, r"nothing to convert: 0 \(not among the targets\)"),
    ],
)
def test_a_choice_that_leaves_nothing_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        doubled(chain(), **settings)


def test_a_network_without_such_layers_is_refused():
    with pytest.raises(ValueError, match="nothing to convert: the network has no Linear"):
        doubled(nn.Sequential(nn.ReLU(), nn.Flatten()))
