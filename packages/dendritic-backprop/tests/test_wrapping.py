"""Which modules of strangers' networks get dendrites, and what is left for inference."""

import copy

import pytest
import torch
from torch import nn

from dendritic_backprop import (
    CorrelationTrainer,
    DendriteConfig,
    DendriticModule,
    add_dendrites,
    count_parameters,
    dendrite_parameters,
    neuron_parameters,
    num_dendrites,
    parameter_groups,
    perforation_gap,
    prune,
    strip,
)
from dendritic_backprop.wrapping import dendritic_modules, gains
from separata.models import MLP, ResNet


def with_dendrites(model, x, n=1, **settings):
    """A stranger's network with n random dendrites on each module."""
    model = add_dendrites(model, **settings)
    with torch.no_grad():
        model.eval()(x)
    return with_dendrites_on(model, n)


def with_dendrites_on(model, n=1):
    """The same of a network that is wrapped already."""
    for _ in range(n):
        for module in dendritic_modules(model).values():
            module.start_candidates(1)
            module.candidates.initialize(0.5)
            module.accept()
            nn.init.normal_(module.gain, std=0.3)
    return model


def test_modules_are_chosen_by_type_or_name_and_the_network_computes_what_it_did():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 8)
    plain = ResNet(8, 10, width=2).eval()
    for settings, names in (
        ({"types": (nn.Linear,)}, ["classifier"]),
        ({"names": ["stages.0.*.residual.0"]}, ["stages.0.0.residual.0"]),
        ({"types": (nn.Conv2d,), "skip": ["stages*"]}, ["stem.0"]),
        ({"types": (nn.Conv2d,), "skip": ["stages*"], "with_norms": False}, ["stem.0"]),
    ):
        model = copy.deepcopy(plain)
        before = model(x)
        assert add_dendrites(model, **settings) is model
        assert list(dendritic_modules(model)) == names
        assert torch.equal(model.eval()(x), before)
    everything = add_dendrites(copy.deepcopy(plain))
    kinds = [type(module.module).__name__ for module in dendritic_modules(everything).values()]
    assert kinds == ["NormalizedBlock"] * 7 + ["Linear"]


class Together(nn.Sequential):
    """A stranger's sequence, as those of torchvision are."""


def test_norms_are_merged_in_sequences_of_one_s_own_and_only_where_they_are_wrapped():
    torch.manual_seed(0)
    plain = nn.Sequential(
        Together(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()),
        Together(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2), nn.ReLU()),
        nn.Sequential(nn.Flatten(), nn.Linear(32, 4), nn.RMSNorm(4)),
    ).eval()
    x, keys = torch.randn(3, 1, 8, 8), list(plain.state_dict())
    model = add_dendrites(copy.deepcopy(plain), skip=["1.0"])
    kinds = {name: type(module.module).__name__ for name, module in dendritic_modules(model).items()}
    assert kinds == {"0.0": "NormalizedBlock", "2.1": "NormalizedBlock"}
    assert [type(module) for module in model[1]] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert torch.equal(model(x), plain(x))
    assert list(strip(model).state_dict()) == keys
    assert torch.equal(strip(model)(x), plain(x))


def test_a_network_that_cannot_get_dendrites_is_left_as_it_was():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    with pytest.raises(ValueError, match="there is no module fc9"):
        add_dendrites(model, node_axis={"fc9": 1})
    assert [type(module) for module in model] == [nn.Conv2d, nn.BatchNorm2d]


def test_names_choose_modules_that_have_weights():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 2))
    assert list(dendritic_modules(add_dendrites(model, names=["?"]))) == ["0", "4"]
    with pytest.raises(ValueError, match="no module of the name 1"):
        add_dendrites(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), names=["1"])


def test_the_gap_is_that_of_keyword_arguments_too_and_moves_nothing():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))

        def forward(self, x):
            return self.block(input=x)

    x = torch.randn(6, 4)
    for perforated in (True, False):
        model = add_dendrites(Named(), names=["block"], config=DendriteConfig(perforated=perforated))
        model = with_dendrites_on(model).train()
        before = copy.deepcopy(model.state_dict())
        assert (perforation_gap(model, x)["block"] < 1e-6) is perforated
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        assert model.block.module.training


def test_a_module_in_two_places_stays_one():
    shared = nn.Linear(3, 3)
    model = add_dendrites(nn.Sequential(shared, nn.ReLU(), shared))
    assert model[0] is model[2]
    assert isinstance(model[0], DendriticModule)
    assert len(dendritic_modules(model)) == 1


def test_a_network_that_is_one_module_becomes_another_object():
    layer = nn.Linear(3, 2)
    assert add_dendrites(layer).module is layer


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_transformer_of_pytorch_has_its_dendrites_on_the_fast_path_too(mode):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    plain, x = nn.TransformerEncoder(layer, 2), torch.randn(3, 5, 8)
    model = with_dendrites(copy.deepcopy(plain), x)
    assert not [name for name in dendritic_modules(model) if "self_attn" in name]
    assert len(dendritic_modules(model)) == 4
    mask = torch.tensor([[False] * 5, [False] * 4 + [True], [False] * 5])
    for module in (model, plain):
        module.train(mode == "train")
    with torch.no_grad():
        with_gains = model(x, src_key_padding_mask=mask)
        for gain in gains(model):
            gain.zero_()
        without, expected = model(x, src_key_padding_mask=mask), plain(x, src_key_padding_mask=mask)
    keep = ~mask
    torch.testing.assert_close(without[keep], expected[keep], rtol=1e-4, atol=1e-5)
    assert (with_gains - without).abs().max() > 1e-2


def test_mobile_networks_with_depthwise_convolutions_and_squeezes():
    """A block as mobile networks have it: depthwise convolution, squeeze and excitation, hard activations."""
    torch.manual_seed(0)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.depthwise = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.BatchNorm2d(4), nn.Hardswish())
            self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 2, 1), nn.ReLU(), nn.Conv2d(2, 4, 1))
            self.head = nn.Linear(4, 3)

        def forward(self, x):
            x = self.depthwise(x)
            return self.head((x * self.squeeze(x).sigmoid()).mean((2, 3)))

    x, y = torch.randn(8, 4, 5, 5), torch.arange(8) % 3
    model = add_dendrites(Block()).eval()
    before = model(x)
    CorrelationTrainer(model, nn.functional.cross_entropy, lambda p: torch.optim.Adam(p, 1e-2)).run([(x, y)], 2)
    assert torch.equal(model(x), before)
    assert num_dendrites(model) == 1
    for gain in gains(model):
        nn.init.normal_(gain)
    assert max(perforation_gap(model, x).values()) < 1e-6


def test_a_strangers_half_precision_network():
    model, x = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 2)).to(torch.bfloat16), torch.randn(3, 4)
    grown = with_dendrites(model, x.bfloat16())
    assert grown(x.bfloat16()).dtype == torch.bfloat16
    assert grown[0].dendrites.weight.dtype == torch.bfloat16
    single = with_dendrites(nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 2)), x)
    with torch.autocast("cpu", torch.bfloat16):
        assert single(x).dtype == torch.bfloat16


def test_parameters_belong_to_dendrites_or_to_neurons():
    x = torch.randn(2, 4)
    model = with_dendrites(MLP((4, 5, 3)), x, n=2)
    own, others = dendrite_parameters(model), neuron_parameters(model)
    assert not {id(p) for p in own} & {id(p) for p in others}
    assert sum(p.numel() for p in own) == 2 * (25 + 18) + 5 + 3
    assert sum(p.numel() for p in others) == 25 + 18 + 2 * (5 + 3)
    assert count_parameters(model) == sum(p.numel() for p in [*own, *others])
    first, second = parameter_groups(model)
    assert {id(p) for p in second["params"]} == {id(p) for p in gains(model)}
    assert len(first["params"]) == 4
    assert second["weight_decay"] == 0


def test_what_is_stripped_computes_the_same_and_has_nothing_to_train():
    x = torch.randn(5, 4)
    model = with_dendrites(MLP((4, 5, 3)), x)
    model.layers[2].truncate(0)
    model.layers[0].start_candidates(2)
    found = strip(model)
    assert isinstance(found.layers[2], nn.Linear)
    assert found.layers[0].candidates is None
    assert model.layers[0].candidates is not None
    assert not any(parameter.requires_grad for parameter in found.parameters())
    with torch.no_grad():
        assert torch.equal(found(x), model.eval()(x))
    assert isinstance(strip(add_dendrites(nn.Linear(2, 2))), nn.Linear)


def test_dendrites_without_gain_are_pruned_from_the_newest_on():
    x = torch.randn(5, 4)
    model = with_dendrites(MLP((4, 5, 3)), x, n=3)
    with torch.no_grad():
        model.layers[0].gain[1:] = 0
        model.layers[2].gain[1] = 0
        before = model(x)
        assert prune(model) == 2
        assert [module.num_dendrites for module in dendritic_modules(model).values()] == [1, 3]
        torch.testing.assert_close(model(x), before)
    assert prune(model, threshold=100.0) == 4


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="no module of the type Linear or Conv2d.*there are Sequential, Embedding"):
        add_dendrites(nn.Sequential(nn.Embedding(3, 2)))
    with pytest.raises(ValueError, match="no module of the name head"):
        add_dendrites(MLP((2, 3, 2)), names=["head"])
    with pytest.raises(ValueError, match="there is no module fc9"):
        add_dendrites(MLP((2, 3, 2)), node_axis={"fc9": 1})
    with pytest.raises(ValueError, match="has dendrites already"):
        add_dendrites(add_dendrites(MLP((2, 3, 2))))
    with pytest.raises(ValueError, match="call add_dendrites first"):
        num_dendrites(nn.Linear(2, 2))
    model = add_dendrites(MLP((2, 3, 2)), config=DendriteConfig(), node_axis=0)
    with pytest.raises(ValueError, match="layers.0 has 3 neurons, but axis 0"):
        model(torch.randn(7, 2))
