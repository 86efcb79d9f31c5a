"""The hypernetwork against closed forms: sizes, initial magnitudes, homogeneity, the base."""

import math
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mip_hypernet import HyperNetwork, count_weights, encode
from mip_hypernet.heads import HEADS

SHAPES = {"conv.weight": (16, 8, 3, 3), "conv.bias": (16,), "linear.weight": (10, 256), "linear.bias": (10,)}
N = 16 * 8 * 9 + 16 + 2560 + 10
ONE = {"gamma": (1,)}
DEFAULT = {"encoding": None, "residual": False}


def flat(values):
    return torch.cat([value.flatten() for value in values.values()])


def n_trainable(module):
    return sum(one.numel() for one in module.parameters() if one.requires_grad)


def test_size_of_the_paper_s_hypernetwork():
    assert count_weights(ONE, SHAPES, (16, 128)) == 2224 + 129 * N
    assert n_trainable(HyperNetwork(ONE, SHAPES, (16, 128))) == 2224 + 129 * N


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("normalization", [None, "layer", "weight"])
@pytest.mark.parametrize("residual", [True, False])
def test_sizes_are_told_before_anything_is_made(heads, normalization, residual):
    settings = {"heads": heads, "normalization": normalization, "residual": residual, "rank": 3, "chunk": 100}
    for encoding in ("l2", None):
        given = settings | {"encoding": encoding, "output_bias": not residual and encoding is None}
        inputs = {"a": (2,), "b": (3, 2)}
        assert count_weights(inputs, SHAPES, (5, 7), **given) == n_trainable(
            HyperNetwork(inputs, SHAPES, (5, 7), **given)
        )


def test_many_weights_are_warned_of(monkeypatch):
    monkeypatch.setattr("mip_hypernet.hypernetwork.MANY", 1000)
    with pytest.warns(UserWarning, match="low-rank"):
        HyperNetwork(ONE, {"w": (100, 10)}, (4,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        HyperNetwork(ONE, {"w": (10, 10)}, (4,))


@given(st.floats(0.01, 1), st.floats(0.1, 3))
def test_the_default_is_positively_homogeneous(value, factor):
    torch.manual_seed(0)
    for heads in HEADS:
        net = HyperNetwork(ONE, SHAPES, (6, 9), heads=heads, chunk=100, **DEFAULT)
        once, more = flat(net(gamma=value)), flat(net(gamma=factor * value))
        torch.testing.assert_close(more, factor * once, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("change", [{"activation": "tanh"}, {"initialization": "default"}, {"normalization": "layer"}])
def test_other_networks_are_not(change):
    net = HyperNetwork(ONE, SHAPES, (6, 9), **{**DEFAULT, **change})
    once, twice = flat(net(gamma=0.5)), flat(net(gamma=1.0))
    assert float(((twice - 2 * once).norm() / twice.norm()).detach()) > 0.01


@pytest.mark.parametrize("heads", ["joint", "per-tensor", "low-rank"])
def test_slices_have_the_variance_of_layers_of_their_own(heads):
    z = torch.randn(200)
    draws = []
    for _ in range(8):
        net = HyperNetwork(ONE, SHAPES, (200,), heads=heads, rank=200)
        draws.append(net.head(z, None).detach())
    for name, part in zip(SHAPES, torch.stack(draws).split([1152, 16, 2560, 10], 1), strict=True):
        if name.endswith("bias"):
            assert not part.any()
        else:
            expected = math.sqrt(2 / math.prod(SHAPES[name])) * float(z.norm())
            assert float(part.std()) == pytest.approx(expected, rel=0.05)


def test_rows_of_the_last_layer():
    net = HyperNetwork(ONE, SHAPES, (16, 128))
    rows = net.head.weight.split([1152, 16, 2560, 10])
    assert float(rows[0].detach().std()) == pytest.approx(math.sqrt(2 / 1152), rel=0.05)
    assert float(rows[2].detach().std()) == pytest.approx(math.sqrt(2 / 2560), rel=0.05)


@pytest.mark.parametrize("settings", [{}, DEFAULT])
def test_hidden_layers_begin_with_the_variance_of_their_fan_out(settings):
    net = HyperNetwork(ONE, SHAPES, (400, 100), **settings)
    assert float(net.hidden[2].weight.detach().std()) == pytest.approx(math.sqrt(2 / 100), rel=0.05)
    assert not net.hidden[2].bias.any()


def test_a_step_changes_weights_as_much_with_mip_as_without():
    """With SGD, Δθ is -lr ‖z‖² times the gradient of θ: MIP's hidden layers must be no smaller than the default's."""
    gamma = torch.tensor([1.0])
    norms = {}
    for name, settings in (("mip", {}), ("default", DEFAULT)):
        encoded = gamma if settings else encode(gamma)
        nets = [HyperNetwork(ONE, {"v": (3,)}, (16, 128), **settings) for _ in range(60)]
        norms[name] = sum(float(net.hidden(encoded).detach().square().sum()) for net in nets) / 60
    assert norms["default"] == pytest.approx(norms["mip"], rel=0.35)


@pytest.mark.parametrize("d", [1, 9])
@pytest.mark.parametrize("activation", ["leaky_relu", "tanh", "gelu"])
def test_hyperfan_gives_weights_the_variance_of_he_et_al(d, activation):
    """At an input of norm 1: 2 / fan-in; a vector of its own mean square, where that is known."""
    gamma = torch.full((d,), 1 / math.sqrt(d))
    base = {name: torch.full(shape, 0.5) for name, shape in SHAPES.items()}
    given = {"activation": activation, "initialization": "hyperfan", "base": base, **DEFAULT}
    draws = [HyperNetwork({"gamma": (d,)}, SHAPES, (16, 64), **given)(gamma=gamma) for _ in range(30)]
    for name, expected in (("conv.weight", 2 / 72), ("linear.weight", 2 / 256), ("conv.bias", 0.25)):
        values = torch.stack([one[name] for one in draws]).detach()
        # Vectors are few numbers.
        tolerance = 0.2 if name == "conv.bias" else 0.05
        assert float(values.square().mean()) == pytest.approx(expected, rel=tolerance)


def test_pytorch_s_initialization():
    net = HyperNetwork(ONE, SHAPES, (30, 50), initialization="default", output_bias=True, **DEFAULT)
    bound = 1 / math.sqrt(50)
    for values in (net.head.weight, net.base):
        assert float(values.detach().std()) == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert float(net.base.detach().abs().max()) <= bound
    assert float(net.hidden[2].weight.detach().abs().max()) <= 1 / math.sqrt(30)
    assert net.hidden[2].bias.any()


def test_an_output_bias_begins_at_zero():
    net = HyperNetwork(ONE, SHAPES, (4,), output_bias=True, **DEFAULT)
    assert net.base is not None
    assert not flat(net(gamma=0.0)).any()
    assert HyperNetwork(ONE, SHAPES, (4,), **DEFAULT).base is None


@pytest.mark.parametrize("heads", HEADS)
def test_what_is_predicted_is_the_base_and_a_matrix_times_the_last_layer(heads):
    base = {name: torch.randn(shape) for name, shape in SHAPES.items()}
    net = HyperNetwork(ONE, SHAPES, (5, 7), heads=heads, rank=3, chunk=100, base=base)
    gamma = torch.tensor([0.3])
    layers = [one for one in net.hidden if isinstance(one, nn.Linear)]
    z = torch.tensor([math.cos(0.15 * math.pi), math.sin(0.15 * math.pi)])
    for layer in layers:
        z = layer.weight @ z + layer.bias
        z = torch.where(z > 0, z, 0.01 * z)
    if heads == "joint":
        delta = net.head.weight @ z
    elif heads == "per-tensor":
        delta = torch.cat([weight @ z for weight in net.head.weights])
    elif heads == "low-rank":
        delta = net.head.up @ net.head.down @ z
        assert torch.linalg.matrix_rank(net.head.up @ net.head.down) == 3
    else:
        delta = torch.cat([net.head.weight @ (one * z) for one in net.head.embeddings])[:N] * net.head.scale
        assert len(net.head.embeddings) == 38
    for (name, value), part in zip(net(gamma=gamma).items(), delta.split([1152, 16, 2560, 10]), strict=True):
        torch.testing.assert_close(value, base[name] + part.view(SHAPES[name]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("heads", HEADS)
def test_without_a_change_the_base_is_predicted(heads):
    base = {name: torch.randn(shape) for name, shape in SHAPES.items()}
    net = HyperNetwork(ONE, SHAPES, (5, 7), heads=heads, base=base, delta=0)
    for gamma in (0.0, 0.4, 1.0):
        assert all(torch.equal(value, base[name]) for name, value in net(gamma=gamma).items())
    # And it can be learned.
    flat(net(gamma=0.4)).square().sum().backward()
    moved = [one.grad for one in net.head.parameters() if one.grad is not None and one.grad.any()]
    assert moved


def test_the_base_is_read_frozen_and_replaced():
    net = HyperNetwork(ONE, SHAPES, (4,))
    assert not flat(net.base_parameters()).any()
    values = {name: torch.randn(shape) for name, shape in SHAPES.items()}
    net.load_base(values)
    assert all(torch.equal(value, values[name]) for name, value in net.base_parameters().items())
    before = n_trainable(net)
    net.freeze_base()
    assert before - n_trainable(net) == N
    flat(net(gamma=0.2)).sum().backward()
    assert net.base.grad is None
    plain = HyperNetwork(ONE, SHAPES, (4,), **DEFAULT)
    for call in (plain.freeze_base, plain.base_parameters, lambda: plain.load_base(values)):
        with pytest.raises(ValueError, match="no independent weights"):
            call()
    for wrong, word in (
        ({**values, "conv.bias": torch.zeros(3)}, r"conv.bias is \(3,\)"),
        ({**values, "more": torch.zeros(3)}, "more is unknown"),
        ({"conv.bias": torch.zeros(16)}, "conv.weight is missing"),
    ):
        with pytest.raises(ValueError, match=word):
            net.load_base(wrong)


def test_inputs_by_name():
    net = HyperNetwork({"b": (2,), "a": (2, 1)}, SHAPES, (4,))
    a, b = torch.rand(2, 1), torch.rand(2)
    found = flat(net(b=b, a=a))
    # In the order of their names.
    torch.testing.assert_close(found, net.predict_flat(torch.cat([a.flatten(), b])))
    batch = net(a=torch.stack([a, 0 * a]), b=torch.stack([b, b]))
    assert batch["conv.weight"].shape == (2, 16, 8, 3, 3)
    torch.testing.assert_close(flat({name: value[0] for name, value in batch.items()}), found)
    # One of them for all.
    shared = net(a=torch.stack([a, 0 * a]), b=b)
    torch.testing.assert_close(shared["linear.bias"], batch["linear.bias"])


@pytest.mark.parametrize(
    ("inputs", "word"),
    [
        ({"a": 0.5}, "needs the input b"),
        ({"a": 0.5, "b": [0.1, 0.2], "c": 1.0}, "no input c"),
        ({"a": 0.5, "b": [0.1, 0.2, 0.3]}, r"b must have the shape \(2,\)"),
        ({"a": torch.rand(3, 1), "b": torch.rand(4, 2)}, "3 and 4"),
        ({"a": 1.5, "b": [0.1, 0.2]}, "InputScaler"),
        ({"a": math.nan, "b": [0.1, 0.2]}, "NaN"),
        ({"a": "half", "b": [0.1, 0.2]}, "a must be numbers or a tensor, not 'half'"),
        ({"a": None, "b": [0.1, 0.2]}, "a must be numbers or a tensor, not None"),
    ],
)
def test_wrong_inputs(inputs, word, unchecked):
    net = HyperNetwork({"a": (1,), "b": (2,)}, SHAPES, (4,))
    with pytest.raises(ValueError, match=word):
        net(**inputs)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"hidden_sizes": ()}, "one or more hidden layers"),
        ({"hidden_sizes": (4, 0)}, "positive width"),
        ({"activation": "swish"}, "activation"),
        ({"normalization": "batch"}, "normalization"),
        ({"initialization": "ones"}, "initialization"),
        ({"heads": "two"}, "heads"),
        ({"rank": 0}, "rank"),
        ({"dropout": 1.0}, "dropout"),
        ({"encoding": "l3"}, "encoding"),
        ({"output_shapes": {}}, "one output or more"),
        ({"output_shapes": {"w": (0, 3)}}, "without a number"),
        ({"base": {"w": torch.ones(2)}}, "do not fit"),
        ({"delta": math.nan}, "delta must be a finite number"),
        ({"delta": -1.0}, "delta must be a finite number"),
    ],
)
def test_wrong_settings(settings, word, unchecked):
    with pytest.raises(ValueError, match=word):
        HyperNetwork(**{"input_shapes": ONE, "output_shapes": {"v": (3,)}, **settings})


def test_gradients_of_all_weights():
    net = HyperNetwork({"gamma": (2,)}, {"w": (2, 2)}, (3,), activation="tanh").double()
    gamma = torch.tensor([0.3, 0.6], dtype=torch.float64)
    parameters = dict(net.named_parameters())

    def call(*values):
        return torch.func.functional_call(net, dict(zip(parameters, values, strict=True)), kwargs={"gamma": gamma})["w"]

    assert torch.autograd.gradcheck(call, tuple(parameters.values()))


def test_single_precision_under_autocast():
    net = HyperNetwork(ONE, SHAPES, (16, 32))
    plain = flat(net(gamma=0.3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = flat(net(gamma=0.3))
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, plain)


def test_mip_keeps_the_norm_of_what_it_encodes():
    """‖z‖ is ‖E(γ)‖ on average over the draws, with layers of variance 2 / fan-out."""
    gamma = torch.tensor([0.1])
    squares = [
        float(HyperNetwork(ONE, {"v": (3,)}, (64, 256)).hidden(encode(gamma)).detach().square().sum())
        for _ in range(60)
    ]
    assert sum(squares) / 60 == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("d", [1, 9])
def test_changes_begin_as_large_with_layer_normalization_as_without(d):
    """‖Δθ‖ is √2 ‖E(γ)‖ for each tensor, with ‖E(γ)‖ = √d."""
    gamma = torch.full((d,), 1 / math.sqrt(d))
    for normalization in (None, "layer", "weight"):
        squares = [
            float(
                HyperNetwork({"gamma": (d,)}, {"w": (20, 30)}, (32, 128), normalization=normalization)(gamma=gamma)["w"]
                .detach()
                .square()
                .sum()
            )
            for _ in range(60)
        ]
        assert sum(squares) / 60 == pytest.approx(2 * d, rel=0.15)


def test_dropout_is_for_training_only():
    net = HyperNetwork(ONE, SHAPES, (64,), dropout=0.5)
    one, two = flat(net(gamma=0.3)), flat(net(gamma=0.3))
    assert not torch.equal(one, two)
    net.eval()
    assert torch.equal(flat(net(gamma=0.3)), flat(net(gamma=0.3)))
