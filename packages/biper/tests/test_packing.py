"""Packed networks compute what the network computes, and their files are only data."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from biper import (
    DataShape,
    ModelConfig,
    binarize,
    load_packed,
    make_network,
    pack,
    pack_bits,
    save_packed,
    to_stage2,
    unpack_bits,
)
from biper.layers import BiPerConv2d, BiPerLinear
from biper.packed_layers import PackedLayer, Threshold
from separata import files

GEOMETRIES = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": (3, 2), "stride": (1, 2), "padding": (2, 1), "dilation": (2, 1)},
    {"kernel_size": 4, "padding": "same", "dilation": 2},
    {"kernel_size": 3, "groups": 2, "padding": 1},
    {"kernel_size": 3, "groups": 6, "padding": 2, "padding_mode": "circular"},
    {"kernel_size": 1},
]


def trained(model: nn.Module, x: torch.Tensor) -> nn.Module:
    """A network whose normalizations have seen data, and whose scales have both signs."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("alpha") or "bn" in name or "norm" in name:
                parameter.uniform_(-1, 1)
    for _ in range(3):
        model.train()(x)
    return model.eval()


@pytest.mark.parametrize("settings", GEOMETRIES, ids=str)
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_sums_are_those_of_the_convolution(settings):
    torch.manual_seed(0)
    layer = BiPerConv2d(6, 12, stage=2, bias=False, **settings).eval()
    x = torch.randn(3, 6, 9, 8)
    x[0, 0, 0, :4] = 0.0  # sgn(0) = +1
    expected = layer(x)
    assert torch.equal(PackedLayer.from_layer(layer)(x), expected)
    assert expected.abs().max() > 0


def brute_force(x, w, stride, padding, dilation, groups):
    """Sums of products of signs as integers, tap by tap; what is beyond the border is not there."""
    n, _, height, width = x.shape
    outputs, channels, rows, columns = w.shape
    signs, weights = np.where(x >= 0, 1, -1), np.where(np.sin(20 * w) >= 0, 1, -1)
    shape = [
        (size + 2 * p - d * (k - 1) - 1) // s + 1
        for size, p, d, k, s in zip((height, width), padding, dilation, (rows, columns), stride, strict=True)
    ]
    y = np.zeros((n, outputs, *shape), dtype=np.int64)
    for o, i, j, r, c in np.ndindex(outputs, *shape, rows, columns):
        top, left = i * stride[0] - padding[0] + r * dilation[0], j * stride[1] - padding[1] + c * dilation[1]
        if 0 <= top < height and 0 <= left < width:
            first = o // (outputs // groups) * channels
            y[:, o, i, j] += signs[:, first : first + channels, top, left] @ weights[o, :, r, c]
    return y


@pytest.mark.parametrize(
    ("channels", "outputs", "groups", "kernel", "stride", "padding", "dilation"),
    [
        (65, 4, 1, (3, 3), (1, 1), (1, 1), (1, 1)),
        (70, 6, 2, (2, 3), (2, 1), (0, 2), (1, 2)),
        (24, 6, 3, (1, 2), (3, 2), (2, 1), (2, 2)),
        (9, 9, 9, (3, 1), (1, 3), (4, 0), (3, 1)),
    ],
)
def test_sums_are_those_of_integers(channels, outputs, groups, kernel, stride, padding, dilation):
    """Channels that fill no byte and no word, and signs of weights and inputs that are zero."""
    torch.manual_seed(0)
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    layer = BiPerConv2d(channels, outputs, kernel, stage=2, bias=False, **settings).eval()
    x = torch.randn(2, channels, 6, 5)
    with torch.no_grad():
        layer.alpha.fill_(1.0)
        layer.weight.view(-1)[::5] = 0.0
    x.view(-1)[::7], x.view(-1)[1::7] = 0.0, -0.0
    expected = brute_force(x.numpy(), layer.weight.detach().numpy().astype(float), **settings)
    np.testing.assert_array_equal(PackedLayer.from_layer(layer)(x).numpy(), expected)
    np.testing.assert_array_equal(layer(x).detach().numpy(), expected)


def test_inputs_of_other_shapes():
    torch.manual_seed(0)
    conv, linear = BiPerConv2d(3, 4, 3, padding=1, stage=2).eval(), BiPerLinear(13, 4, stage=2).eval()
    for layer, shapes in ((conv, [(3, 5, 5), (0, 3, 5, 5)]), (linear, [(0, 13), (13,)])):
        for shape in shapes:
            x = torch.randn(shape)
            torch.testing.assert_close(PackedLayer.from_layer(layer)(x), layer(x), rtol=1e-5, atol=1e-5)
    # 14 features fill as many bytes as 13, and 8 as many words.
    for layer, shapes in ((conv, [(1, 4, 5, 5), (5, 5)]), (linear, [(2, 14), (2, 8), ()])):
        for shape in shapes:
            with pytest.raises(ValueError, match="this layer takes"):
                PackedLayer.from_layer(layer)(torch.randn(shape))


def test_new_bits_are_seen():
    x = torch.randn(1, 2, 4, 4, generator=torch.manual_seed(0))
    layer = PackedLayer.from_layer(BiPerConv2d(2, 3, 3, stage=2, bias=False))
    before = layer(x)
    layer.load_state_dict({**layer.state_dict(), "planes": 255 - layer.planes})
    # Bits beyond the last weight do not count.
    assert torch.equal(layer(x), -before)
    layer.planes = 255 - layer.planes
    assert torch.equal(layer(x), before)
    linear = PackedLayer.from_layer(BiPerLinear(5, 3, stage=2, bias=False))
    y = linear(x.view(-1)[:5])
    linear.planes = linear.planes | 0b11100000
    assert torch.equal(linear(x.view(-1)[:5]), y)


def test_a_bias_and_real_inputs():
    torch.manual_seed(0)
    x = torch.randn(2, 5, 7, 7)
    for binarize_input in (True, False):
        layer = BiPerConv2d(5, 4, 3, padding=1, stage=2, binarize_input=binarize_input).eval()
        torch.testing.assert_close(PackedLayer.from_layer(layer)(x), layer(x), rtol=1e-5, atol=1e-5)
    for shape in ((13,), (4, 13), (2, 3, 13)):
        linear = BiPerLinear(13, 5, stage=2, bias=False).eval()
        y = torch.randn(shape)
        assert torch.equal(PackedLayer.from_layer(linear)(y), linear(y))


def test_a_weight_takes_one_bit():
    layer = PackedLayer.from_layer(BiPerConv2d(16, 32, 3, stage=2, bias=False))
    assert layer.planes.dtype == torch.uint8
    assert layer.planes.numel() == 16 * 32 * 9 // 8
    rows = np.random.default_rng(0).random((3, 13)) < 0.5
    assert (unpack_bits(pack_bits(rows), 13) == rows).all()
    assert pack_bits(np.array([[True, False, False, True]])) == 0b1001


@pytest.mark.parametrize("method", ["biper", "ste", "xnor", "recu"])
@pytest.mark.parametrize("arch", ["vgg-small", "resnet20"])
def test_networks_give_the_same_logits(method, arch):
    torch.manual_seed(0)
    shape = DataShape(1, 16, 4)
    x = torch.randn(6, 1, 16, 16)
    network = make_network(ModelConfig(arch, method, width=0.1), shape)
    network = trained(to_stage2(network) if method == "biper" else network, x)
    with torch.no_grad():
        expected = network(x)
        assert torch.equal(pack(network, fold=False)(x), expected)
        folded = pack(network)
        assert torch.equal(folded(x), expected)
    n_thresholds = sum(isinstance(module, Threshold) for module in folded.modules())
    assert n_thresholds == (4 if arch == "vgg-small" else 0), "of five binary layers, four meet the next one's sign"


def test_thresholds_hold_for_every_sum_there_can_be():
    torch.manual_seed(1)
    chain = nn.Sequential(
        nn.Identity(), BiPerLinear(9, 40), nn.BatchNorm1d(40), nn.Hardtanh(), BiPerLinear(40, 3, bias=False)
    )
    with torch.no_grad():
        chain[2].weight.uniform_(-1, 1)
        chain[2].weight[:3] = 0.0
        chain[2].bias.uniform_(-2, 2)
        chain[2].running_mean.uniform_(-3, 3)
        chain[1].alpha.uniform_(-1, 1)
    to_stage2(chain).eval()
    # Every sign pattern of nine inputs.
    x = torch.tensor([[1.0 if i >> bit & 1 else -1.0 for bit in range(9)] for i in range(512)])
    packed = pack(chain)
    assert isinstance(packed.network[2], Threshold)
    with torch.no_grad():
        assert torch.equal(packed(x), chain(x))


class Summed(nn.Sequential):
    """Looks like a chain, but is none."""

    def forward(self, x):
        return self[3](self[1](self[0](x)) + 0.5 * self[0](x))


def test_only_true_chains_are_folded():
    torch.manual_seed(0)
    parts = [BiPerLinear(9, 12, stage=2), nn.BatchNorm1d(12), nn.Hardtanh(), BiPerLinear(12, 3, stage=2)]
    x = torch.randn(20, 9)
    shared = nn.Sequential(*parts)
    twice = nn.ModuleList([shared, nn.Sequential(parts[0])])
    for model, n_thresholds in ((shared, 1), (Summed(*parts), 0), (twice, 0)):
        packed = pack(model.eval())
        assert sum(isinstance(module, Threshold) for module in packed.modules()) == n_thresholds
        if model is not twice:
            torch.testing.assert_close(packed(x), model(x), rtol=1e-5, atol=1e-5)


def test_a_network_of_ones_own_is_packed_and_read_again(tmp_path):
    torch.manual_seed(0)

    def make() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 6, 3, groups=2), nn.GELU(), nn.Flatten(),
            nn.Linear(6 * 16, 12), nn.Tanh(), nn.Linear(12, 2),
        )  # fmt: skip

    network = to_stage2(binarize(make()).model).eval()
    x = torch.randn(4, 3, 8, 8)
    path = tmp_path / "own.safetensors"
    size = save_packed(pack(network), path)
    assert size == path.stat().st_size
    loaded, shape, _ = load_packed(path, make())
    assert shape is None
    with torch.no_grad():
        torch.testing.assert_close(loaded(x), network(x), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="give one of the same"):
        load_packed(path)
    other = make()
    other[3] = nn.Conv2d(8, 6, 3)
    with pytest.raises(ValueError, match=r"3 has weights of \(6, 4, 3, 3\), not \(6, 8, 3, 3\)"):
        load_packed(path, other)
    with pytest.raises(ValueError, match="does not fit the network"):
        load_packed(path, nn.Sequential(nn.Linear(2, 2)))


def test_a_known_network_is_read_without_the_model(tmp_path):
    torch.manual_seed(0)
    config, shape = ModelConfig("vgg-small", width=0.1), DataShape(1, 8, 3)
    x = torch.randn(5, 1, 8, 8)
    network = trained(to_stage2(make_network(config, shape)), x)
    save_packed(pack(network), tmp_path / "n.safetensors", (config, shape), ("a", "b", "c"))
    loaded, found, classes = load_packed(tmp_path / "n.safetensors")
    assert (found, classes) == (shape, ("a", "b", "c"))
    with torch.no_grad():
        assert torch.equal(loaded(x), network(x))
    assert not loaded.train().training


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda header: header.update(version=2), "version 2"),
        (lambda header: header.update(format="other"), "not a packed network"),
        (lambda header: header.pop("layers"), "no layers"),
        (lambda header: header["layers"]["1"].update(stride=[0, 1]), "geometry"),
        (lambda header: header["layers"]["1"].update(kernel="3"), "kernel"),
        (lambda header: header["layers"].update(nowhere=header["layers"]["1"]), "nowhere"),
        (lambda header: header["thresholds"].update({"1": 5}), "normalization"),
        (lambda header: header.update(network=3), "no network"),
    ],
)
def test_damaged_files_are_refused(tmp_path, change, told):
    path = tmp_path / "n.safetensors"
    model = nn.Sequential(nn.Conv2d(1, 2, 3), BiPerConv2d(2, 2, 3, stage=2))
    save_packed(pack(model), path)
    tensors, metadata = files.load_tensors(path)
    header = json.loads(metadata["biper"])
    change(header)
    files.save_tensors(path, tensors, {"biper": json.dumps(header)})
    with pytest.raises(ValueError, match=told):
        load_packed(path, model)
    files.save_tensors(path, {**tensors, "1.planes": tensors["1.planes"][:, :1]}, metadata)
    with pytest.raises(ValueError, match="planes"):
        load_packed(path, model)
    files.save_tensors(path, tensors, {})
    with pytest.raises(ValueError, match="not a packed network"):
        load_packed(path, model)


def test_what_cannot_be_packed_is_refused():
    with pytest.raises(ValueError, match="no binary layers"):
        pack(nn.Linear(3, 3))
    with pytest.raises(ValueError, match="sine weights of the first stage"):
        pack(nn.Sequential(BiPerLinear(3, 3)))
    with pytest.raises(ValueError, match="zero_is_one"):
        pack(nn.Sequential(BiPerLinear(3, 3, stage=2, zero_is_one=False)))
