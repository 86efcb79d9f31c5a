"""Layers that choose: the definition, selection, pruning."""

import math
import warnings

import hypothesis
import pytest
import torch
from hypothesis import strategies as some
from torch.nn.functional import conv2d, pad, silu

from s_kan import KANConv2d, KANLinear, SKANConv2d, SKANLinear, linear, make_basis
from s_kan.linear import loop_over_members
from s_kan.selection import Selection
from separata.models import count_parameters

POOL = ("bspline", "rbf", "fourier")
UNITS = ("node", "edge", "layer")


def decided(layer, seed=0):
    """The layer with random logits, so that there is something to select."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        layer.select.logits.copy_(torch.randn(layer.select.logits.shape, generator=generator))
    return layer


def scales(names, n):
    """What gives families the same size: by their norms in the mean over [-1, 1]."""
    x = torch.linspace(-1, 1, 401, dtype=torch.float64)
    norms = [make_basis(name, n).double()(x).square().sum(1).mean().sqrt() for name in names]
    middle = math.prod(norms) ** (1 / len(norms))
    return [middle / norm for norm in norms]


def definition(layer, x):
    """The layer's sum, edge by edge and function by function."""
    weights = layer.select().expand(-1, layer.n_out, layer.n_in)
    sizes = scales(layer.names, 6)
    y = torch.zeros(len(x), layer.n_out, dtype=x.dtype)
    for o in range(layer.n_out):
        for d in range(layer.n_in):
            if layer.base_weight is not None:
                y[:, o] += layer.base_weight[o, d] * silu(x[:, d])
            start = 0
            for p, name in enumerate(layer.names):
                basis = make_basis(name, 6).to(x.dtype)(x[:, d])
                for i in range(6):
                    y[:, o] += weights[p, o, d] * sizes[p] * layer.coefficients[o, d, start + i] * basis[:, i]
                start += 6
    return y


@pytest.mark.parametrize("base", ["silu", "none"])
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("largest", [0, linear.LARGEST_JOINED], ids=["a product for each", "one product"])
def test_a_layer_computes_its_definition(unit, base, largest, monkeypatch):
    monkeypatch.setattr(linear, "LARGEST_JOINED", largest)
    layer = decided(SKANLinear(2, 3, POOL, 6, unit, base).double())
    x = 2 * torch.rand(5, 2, dtype=torch.float64) - 1
    torch.testing.assert_close(layer(x), definition(layer, x), atol=1e-6, rtol=0)
    torch.testing.assert_close(loop_over_members(layer, x), layer(x), atol=1e-10, rtol=0)
    gradients = torch.autograd.grad(layer(x).square().sum(), list(layer.parameters()))
    expected = torch.autograd.grad(loop_over_members(layer, x).square().sum(), list(layer.parameters()))
    torch.testing.assert_close(gradients, expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ["bspline", "chebyshev", "wavelet"])
def test_a_pool_of_one_is_a_plain_layer(name):
    with pytest.warns(UserWarning, match="nothing to select"):
        layer = SKANLinear(3, 4, (name,), 6)
    plain = KANLinear(3, 4, name, 6)
    with torch.no_grad():
        plain.coefficients.copy_(layer.coefficients)
        plain.base_weight.copy_(layer.base_weight)
    x = torch.randn(7, 3)
    torch.testing.assert_close(layer(x), plain(x), atol=1e-6, rtol=0)
    layer.prune()
    torch.testing.assert_close(layer(x), plain(x), atol=1e-6, rtol=0)
    assert count_parameters(layer) == count_parameters(plain) == 3 * 4 * 7


@hypothesis.given(
    shift=some.floats(-20, 20), tau=some.floats(0.05, 5), seed=some.integers(0, 100), unit=some.sampled_from(UNITS)
)
@hypothesis.settings(max_examples=30)
def test_weights_sum_to_one_and_do_not_feel_a_shift(shift, tau, seed, unit):
    layer = decided(SKANLinear(2, 3, POOL, 6, unit), seed).double()
    layer.set_temperature(tau)
    weights = layer.selection()
    torch.testing.assert_close(weights.sum(0), torch.ones_like(weights[0]))
    with torch.no_grad():
        layer.select.logits += shift
    torch.testing.assert_close(layer.selection(), weights, atol=1e-8, rtol=0)


@pytest.mark.parametrize("unit", UNITS)
def test_at_low_temperature_one_is_left(unit):
    layer = decided(SKANLinear(2, 3, POOL, 6, unit))
    first = list(layer.chosen())
    layer.set_temperature(1e-3)
    weights = layer.selection()
    torch.testing.assert_close(weights.amax(0), torch.ones_like(weights[0]))
    assert [layer.names[i] for i in weights.argmax(0)] == first == layer.chosen()


def test_new_layers_mix_all_families_evenly():
    torch.testing.assert_close(SKANLinear(2, 3).selection(), torch.full((5, 3), 0.2))


@pytest.mark.parametrize("top_k", [1, 2])
@pytest.mark.parametrize("unit", UNITS)
def test_what_is_kept_does_not_jump_and_the_rest_is_gone(unit, top_k):
    layer = decided(SKANLinear(3, 4, POOL, 6, unit).double())
    x = 2 * torch.rand(20, 3, dtype=torch.float64) - 1
    largest = layer.select.largest(top_k)
    assert torch.equal(largest.sum(0), torch.full_like(largest[0].long(), top_k))
    # The mixture with the coefficients of everything else at zero.
    masked = layer.coefficients.detach() * largest[layer.member].movedim(0, -1).expand(4, 3, -1)
    with torch.no_grad():
        kept = SKANLinear(3, 4, POOL, 6, unit).double()
        kept.load_state_dict(layer.state_dict())
        kept.coefficients.copy_(masked)
    expected = kept(x)
    layer.prune(top_k)
    torch.testing.assert_close(layer(x), expected, atol=1e-12, rtol=0)
    assert count_parameters(layer) == 4 * 3 * (6 * top_k + 1)
    assert count_parameters(SKANLinear(3, 4, POOL, 6, unit)) == 4 * 3 * (3 * 6 + 1) + kept.select.logits.numel()
    assert all("+" in name for name in layer.chosen()) == (top_k == 2)
    torch.testing.assert_close(layer.selection().sum(0), torch.full((layer.kept[0].numel(),), float(top_k)).double())


def test_a_mode_that_computes_with_one_family_is_pruned_without_any_change():
    layer = decided(SKANLinear(3, 4, POOL, 6))
    layer.select.hard = "straight-through"
    x = torch.randn(9, 3)
    before = layer(x)
    layer.prune()
    torch.testing.assert_close(layer(x), before, atol=1e-6, rtol=0)


def test_noise_of_gumbel_is_not_pruned_into_the_network():
    layer, other = (decided(SKANLinear(3, 4, POOL, 6)) for _ in range(2))
    other.load_state_dict(layer.state_dict())
    layer.select.hard = other.select.hard = "gumbel"
    layer.select.draw(torch.Generator().manual_seed(1))
    layer.prune()
    other.prune()
    x = torch.randn(9, 3)
    torch.testing.assert_close(layer(x), other(x))


def test_straight_through_has_the_gradients_of_the_soft_weights():
    select = Selection(3, (2, 1))
    weight = torch.randn(3, 2, 1)
    with torch.no_grad():
        select.logits.copy_(torch.randn(3, 2, 1))
    soft = torch.autograd.grad((select() * weight).sum(), select.logits)[0]
    select.hard = "straight-through"
    assert sorted(select().detach().flatten().tolist()) == [0, 0, 0, 0, 1, 1]
    torch.testing.assert_close(torch.autograd.grad((select() * weight).sum(), select.logits)[0], soft)


def test_gumbel_noise_draws_families_by_their_weights():
    select = Selection(3, (20_000, 1))
    shares = torch.tensor([0.6, 0.3, 0.1])
    with torch.no_grad():
        select.logits.copy_(shares.log()[:, None, None].expand(-1, 20_000, 1))
    select.hard = "gumbel"
    select.draw(torch.Generator().manual_seed(0))
    torch.testing.assert_close(select().detach().mean((1, 2)), shares, atol=0.015, rtol=0)
    assert torch.equal(select.eval()().argmax(0), torch.zeros(20_000, 1, dtype=torch.long)), "no noise in evaluation"


def test_halving_goes_by_the_mean_over_units_and_not_by_the_largest():
    shares = torch.tensor([[0.97, 0.1, 0.1, 0.1], [0.02, 0.5, 0.5, 0.5], [0.01, 0.4, 0.4, 0.4]])
    select = Selection(3, (4, 1))
    with torch.no_grad():
        select.logits.copy_(shares.log()[..., None])
    # The means are 0.32, 0.38 and 0.30; then 0.30, 0.32 and 0.38, while the largest are 0.97, 0.42 and 0.50.
    select.keep(2)
    assert select.is_active.tolist() == [True, True, False]
    with torch.no_grad():
        select.logits[2] += 0.4
    select.is_active[:] = True
    select.keep(2)
    assert select.is_active.tolist() == [False, True, True]


def test_halving_drops_the_smallest_mean_weight_for_good():
    select = Selection(3, (2, 1))
    with torch.no_grad():
        select.logits.copy_(torch.tensor([[0.0, 0.0], [2.0, -3.0], [1.0, 1.0]])[..., None])
    select.keep(2)
    assert select.is_active.tolist() == [False, True, True]
    assert not select()[0].any()
    with torch.no_grad():
        select.logits[0] = 100
    select.keep(2)
    assert select.is_active.tolist() == [False, True, True]
    assert not select.largest(3)[0].any()


@pytest.mark.parametrize("unit", UNITS)
def test_a_pruned_layer_s_state_prunes_another(unit):
    layer = decided(SKANLinear(3, 4, POOL, 6, unit))
    layer.prune()
    again = SKANLinear(3, 4, POOL, 6, unit)
    again.load_state_dict(layer.state_dict())
    x = torch.randn(5, 3)
    assert again.is_pruned
    assert again.chosen() == layer.chosen()
    torch.testing.assert_close(again(x), layer(x))
    whole = SKANLinear(3, 4, POOL, 6, unit)
    with pytest.raises(RuntimeError, match="coefficients"):
        layer.load_state_dict(whole.state_dict())


def test_a_choice_of_a_small_pool_is_one_of_a_larger():
    layer = decided(SKANLinear(3, 4, ("rbf", "fourier"), 6))
    with pytest.raises(ValueError, match="only a pruned layer"):
        layer.within(POOL)
    layer.prune()
    chosen = layer.chosen()
    with pytest.raises(ValueError, match="in this order"):
        layer.within(("fourier", "rbf", "bspline"))
    layer.within(POOL)
    assert layer.chosen() == chosen
    again = SKANLinear(3, 4, POOL, 6)
    again.load_state_dict(layer.state_dict())
    x = torch.randn(5, 3)
    torch.testing.assert_close(again(x), layer(x))


@pytest.mark.parametrize("unit", UNITS)
def test_a_convolution_of_one_pixel_is_a_dense_layer(unit):
    convolution = decided(SKANConv2d(3, 4, 1, pool=POOL, n_basis=6, unit=unit))
    dense = SKANLinear(3, 4, POOL, 6, unit)
    with torch.no_grad():
        dense.coefficients.copy_(convolution.coefficients[..., 0, 0])
        dense.base_weight.copy_(convolution.base_weight[..., 0, 0])
        dense.select.logits.copy_(convolution.select.logits)
    x = torch.randn(2, 3, 5, 6)
    expected = dense(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(convolution(x), expected, atol=1e-5, rtol=0)
    dense.prune()
    convolution.prune()
    torch.testing.assert_close(convolution(x), dense(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), atol=1e-5, rtol=0)
    assert count_parameters(convolution) == count_parameters(dense)


def test_a_convolution_is_the_sum_over_windows_padded_before_it_is_expanded():
    layer = decided(SKANConv2d(2, 3, 3, stride=2, padding=1, pool=POOL, n_basis=6).double())
    x = torch.randn(2, 2, 6, 5, dtype=torch.float64)
    wide = pad(x, (1, 1, 1, 1))
    expected = conv2d(silu(wide), layer.base_weight, stride=2)
    for p, part in enumerate(layer.coefficients.split(6, 2)):
        basis = make_basis(POOL[p], 6).double()(wide)
        for i in range(6):
            image = conv2d(basis[..., i], part[:, :, i], stride=2)
            weight = layer.select()[p, :, 0] * scales(POOL, 6)[p]
            expected = expected + weight[None, :, None, None] * image
    torch.testing.assert_close(layer(x), expected, atol=1e-6, rtol=0)
    assert make_basis("rbf", 6)(torch.zeros(1)).abs().sum() > 0, "padding counts"


@pytest.mark.parametrize("unit", UNITS)
def test_images_that_are_moved_give_images_that_are_moved(unit):
    layer = decided(SKANConv2d(2, 3, 3, pool=POOL, n_basis=6, unit=unit))
    x = torch.randn(1, 2, 9, 9)
    layer.prune()
    moved = x.roll((1, 2), (2, 3))
    torch.testing.assert_close(layer(moved)[..., 1:, 2:], layer(x)[..., :-1, :-2], atol=1e-5, rtol=0)


@pytest.mark.parametrize("unit", UNITS)
def test_pruned_convolutions_keep_their_part(unit):
    layer = decided(SKANConv2d(2, 4, 3, padding="same", pool=POOL, n_basis=6, unit=unit, base="none").double())
    largest = layer.select.largest().expand(-1, 4, 2)
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64)
    with torch.no_grad():
        layer.coefficients *= largest[layer.member].movedim(0, -1)[..., None, None]
    before = layer(x)
    layer.prune()
    torch.testing.assert_close(layer(x), before, atol=1e-12, rtol=0)
    assert count_parameters(layer) == 4 * 2 * 6 * 9


def test_plain_convolutions_are_those_of_a_pool_of_one():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = SKANConv2d(2, 3, 3, padding=1, pool=("wavelet",), n_basis=6)
    plain = KANConv2d(2, 3, 3, padding=1, basis="wavelet", n_basis=6)
    with torch.no_grad():
        plain.coefficients.copy_(layer.coefficients)
        plain.base_weight.copy_(layer.base_weight)
    x = torch.randn(2, 2, 5, 5)
    torch.testing.assert_close(layer(x), plain(x), atol=1e-6, rtol=0)


@pytest.mark.parametrize("normalization", ["tanh", "layer", "batch"])
def test_inputs_are_brought_into_range(normalization):
    layer = SKANLinear(4, 2, POOL, 6, normalization=normalization)
    plain = SKANLinear(4, 2, POOL, 6)
    plain.load_state_dict(layer.state_dict(), strict=False)
    x = 5 * torch.randn(50, 4) + 3
    expected = {
        "tanh": torch.tanh(x),
        "layer": (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, unbiased=False) + 1e-5).sqrt(),
        "batch": (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt(),
    }[normalization]
    torch.testing.assert_close(layer(x), plain(expected), atol=1e-4, rtol=0)


def test_initial_coefficients_have_the_spread_that_is_told():
    layer = SKANLinear(50, 40, POOL, 6)
    assert float(layer.coefficients.std()) == pytest.approx(0.1 / math.sqrt(50), rel=0.02)
    assert layer.base_weight.abs().max() <= 1 / math.sqrt(50)


def pruned():
    layer = decided(SKANLinear(2, 2, POOL, 6))
    layer.prune()
    return layer


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: SKANLinear(2, 3, ("rbf", "nope")), "no basis 'nope'"),
        (lambda: SKANLinear(2, 3, ()), "the pool is empty"),
        (lambda: SKANLinear(0, 3), "at least 1 input and 1 node, not 0 and 3"),
        (lambda: SKANLinear(2, 3, n_basis=3), "at least 4 functions"),
        (lambda: SKANLinear(2, 3, n_basis=7), "even"),
        (lambda: SKANLinear(2, 3, unit="row"), "node, edge or layer"),
        (lambda: SKANLinear(2, 3, base="relu"), "silu, identity or none"),
        (lambda: SKANLinear(2, 3, normalization="max"), "none, tanh, layer or batch"),
        (lambda: SKANLinear(2, 3)(torch.zeros(4, 3)), "takes 2 features, not 3"),
        (lambda: KANLinear(2, 3)(torch.zeros(4, 1)), "takes 2 features, not 1"),
        (lambda: SKANConv2d(2, 3)(torch.zeros(1, 3, 4, 4)), "takes 2 channels, not 3"),
        (lambda: SKANConv2d(2, 3, 2, padding="same"), "odd window"),
        (lambda: SKANConv2d(2, 3, 3, padding="valid"), "'same' or a number"),
        (lambda: SKANConv2d(2, 3, 3, padding=-1), "must not be negative"),
        (lambda: SKANConv2d(2, 3, 0), "must be positive"),
        (lambda: decided(SKANLinear(2, 3)).prune(6), "keep 1 to 5 members"),
        (lambda: pruned().prune(), "already been pruned"),
        (lambda: pruned().weight(), "for each of its members"),
        (lambda: pruned().expand(torch.zeros(1)), "expands each of its members"),
        (lambda: loop_over_members(pruned(), torch.zeros(1, 2)), "this layer has already"),
        (lambda: SKANLinear(2, 3).set_temperature(0), "temperature must be positive"),
    ],
)
def test_what_cannot_be_is_refused(call, said, unchecked):
    with pytest.raises(ValueError, match=said):
        call()


def test_pruning_before_training_warns():
    with pytest.warns(UserWarning, match="before any selection"):
        SKANLinear(2, 3).prune()
