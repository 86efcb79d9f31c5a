"""Layers against the equations, written out; their states; and where they are used."""

import copy
import math
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from biper import (
    METHODS,
    BiPerConv2d,
    BiPerLinear,
    BiRealLinear,
    ReCUConv2d,
    ReCULinear,
    STELinear,
    XNORLinear,
    after_update,
    begin_epoch,
    biper_regularizer,
    to_stage2,
)


def seeded(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("stage", [1, 2])
def test_a_convolution_is_the_equation(stage):
    layer = BiPerConv2d(4, 6, (3, 2), omega=9.0, stage=stage, stride=2, padding=1, groups=2, dtype=torch.float64)
    x = seeded(3, 4, 7, 8).requires_grad_()
    s = torch.sin(9.0 * layer.weight)
    b = s if stage == 1 else s + (s.sign() - s).detach()
    a = x / (x.var((1, 2, 3), keepdim=True) + 1e-5).sqrt()
    # Bi-Real's polynomial has the gradient 2 - 2|a| up to |a| = 1.
    smooth = torch.where(a.abs() < 1, 2 * a - a * a.abs(), a.sign())
    binary = smooth + (a.sign() - smooth).detach()
    expected = layer.alpha.view(-1, 1, 1) * F.conv2d(binary, b, layer.bias, 2, 1, 1, 2)
    found = layer(x)
    torch.testing.assert_close(found, expected)
    upstream = seeded(*found.shape, seed=1)
    places = (x, layer.weight, layer.alpha, layer.bias)
    for ours, theirs in zip(
        torch.autograd.grad(found, places, upstream), torch.autograd.grad(expected, places, upstream), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(layer.eval()(x), expected, msg="scaling by the deviation changes no sign")


def test_taps_beyond_the_border_count_for_nothing():
    layer = BiPerConv2d(1, 1, 3, padding=1, stage=2, bias=False).eval()
    with torch.no_grad():
        layer.weight.fill_(math.pi / 40)
        layer.alpha.fill_(1.0)
    found = layer(torch.full((1, 1, 4, 4), 0.3))[0, 0]
    assert found.tolist() == [[4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4]]


def test_real_activations_stay():
    layer = BiPerLinear(5, 3, stage=2, binarize_input=False, bias=False)
    x = seeded(4, 5, dtype=torch.float32)
    assert torch.equal(layer(x), x @ layer.binary_weight().float().T * layer.alpha)


def test_the_first_stage_has_its_exact_gradient():
    layer = BiPerConv2d(2, 3, 2, omega=5.0, binarize_input=False, dtype=torch.float64)
    x = seeded(2, 2, 4, 4)

    def forward(weight):
        return torch.func.functional_call(layer, {"weight": weight}, (x,))

    assert torch.autograd.gradcheck(forward, layer.weight.detach().clone().requires_grad_())


def test_weights_are_binary_in_the_second_stage():
    layer = BiPerConv2d(3, 4, 3)
    assert not layer.has_binary_weights
    assert layer.binary_weight().dtype == torch.int8
    assert torch.equal(layer.binary_weight(), torch.sin(20 * layer.weight).sign().to(torch.int8))
    layer.set_stage(2)
    assert set(layer.effective_weight().unique().tolist()) == {-1.0, 1.0}
    assert "omega=20, stage=2" in repr(layer)


@pytest.mark.parametrize("kind", ["conv", "linear"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_both_layers(method, kind):
    plain = nn.Conv2d(4, 6, 3, padding=1, groups=2) if kind == "conv" else nn.Linear(4, 6)
    made = getattr(METHODS[method], kind).from_float(plain)
    assert made.weight is plain.weight
    assert made.bias is plain.bias
    assert made.method == method
    x = seeded(3, 4, 5, 5, dtype=torch.float32) if kind == "conv" else seeded(3, 4, dtype=torch.float32)
    y = made(x)
    assert y.shape == plain(x).shape
    y.square().sum().backward()
    assert all(parameter.grad is not None for parameter in made.parameters())
    with pytest.raises(TypeError, match="floating point"):
        made(x.int())


def test_the_gradients_of_the_baselines():
    x, g = seeded(6), 1.7
    w = torch.tensor([[0.3, -0.2, 1.4, -0.9, 0.05, -2.0]], dtype=torch.float64)
    mean, inside = w.abs().mean(), (w.abs() <= 1).double()
    through_sign = g * x * inside
    cases = {
        STELinear: (w.sign() @ x, through_sign),
        BiRealLinear: (mean * (w.sign() @ x), mean * through_sign),
        # XNOR-Net's: the scale's own gradient, sgn(w) / n times the sum over all weights, comes on top.
        XNORLinear: (mean * (w.sign() @ x), mean * through_sign + g * (w.sign() @ x) * w.sign() / 6),
    }
    for kind, (value, gradient) in cases.items():
        layer = kind(6, 1, bias=False, binarize_input=False, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(w)
        y = layer(x)
        torch.testing.assert_close(y, value)
        y.backward(torch.tensor([g], dtype=torch.float64))
        torch.testing.assert_close(layer.weight.grad, gradient)
        after_update(nn.Sequential(layer))
        assert torch.equal(layer.weight, w.clamp(-1, 1))


def test_recu_clamps_a_share_of_standardized_weights():
    layer = ReCULinear(20_000, 2, bias=False, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        uniform = torch.rand(2, 20_000, generator=generator, dtype=torch.float64) - 0.5
        layer.weight.copy_(0.3 - 0.01 * uniform.sign() * torch.log1p(-2 * uniform.abs()))
    w = layer.standardized().detach()
    torch.testing.assert_close(w.std(1), torch.full((2,), math.sqrt(8), dtype=torch.float64), rtol=0.06, atol=0)
    for progress, tau in ((0.0, 0.85), (1.0, 0.99)):
        begin_epoch(layer, progress)
        b = layer.effective_weight()
        assert torch.equal(b.detach(), (layer.weight - layer.weight.mean(1, keepdim=True)).sign())
        middle = int(w[0].abs().argmin())
        (found,) = torch.autograd.grad(b[0, middle], layer.weight)
        assert found[0, middle] > 0, "the gradient passes through the standardization"
        bound = -w.abs().mean() * math.log(2 - 2 * tau)
        # Of a Laplace distribution, both tails beyond the quantile: what is clamped has no gradient of its own.
        tail = int(w[0].abs().argmax())
        assert w[0, tail].abs() > bound
        (found,) = torch.autograd.grad(layer.effective_weight()[0, tail], layer.weight)
        assert not found.any()
        share = (w.abs() > bound).double().mean().item()
        assert share == pytest.approx(2 * (1 - tau), rel=0.15)


def test_the_regularizer_pulls_to_the_zeros_of_the_sine():
    model = nn.Sequential(BiPerLinear(3, 2), nn.ReLU(), BiPerConv2d(2, 2, 1, omega=5.0), nn.Linear(2, 2))
    with torch.no_grad():
        model[0].weight.fill_(math.pi / 40)
        model[2].weight.fill_(math.pi / 10)
    assert biper_regularizer(model, 0.3).item() == pytest.approx(0.6, rel=1e-6), "tau for each layer at a peak"
    with torch.no_grad():
        model[0].weight.fill_(0.0)
        model[2].weight.fill_(0.02)
    term = biper_regularizer(model, 0.3)
    assert term.item() == pytest.approx(0.3 * (0.5 - 0.5 * math.cos(2 * 5 * 0.02)), rel=1e-5)
    term.backward()
    assert (model[2].weight.grad > 0).all(), "added to a loss, it makes positive weights smaller"
    assert biper_regularizer(nn.Linear(2, 2), 0.3).item() == 0


def test_a_state_of_another_frequency_is_refused():
    model = nn.Sequential(BiPerLinear(3, 2, omega=20.0))
    other = nn.Sequential(BiPerLinear(3, 2, omega=30.0, stage=2))
    with pytest.raises(ValueError, match=r"0 was trained with omega 20, but has omega 30 here"):
        other.load_state_dict(model.state_dict())
    with pytest.raises(ValueError, match="to_stage2"):
        model.load_state_dict(to_stage2(copy.deepcopy(model)).state_dict())


def test_a_state_in_single_precision_is_the_same_one():
    omega = 20 / math.sqrt(8)
    state = nn.Sequential(BiPerLinear(3, 2, omega=omega)).state_dict()
    assert state["0.omega"].dtype == torch.float64
    assert state["0.omega"].item() == omega
    nn.Sequential(BiPerLinear(3, 2, omega=omega)).load_state_dict(
        {name: value.float() for name, value in state.items()}
    )
    with pytest.raises(ValueError, match=r"omega 7\.07106781, but has omega 7\.0711 here; .*omega=7\.07106781"):
        nn.Sequential(BiPerLinear(3, 2, omega=7.0711)).load_state_dict(state)
    with pytest.raises(ValueError, match="the state of 0 is damaged"):
        nn.Sequential(BiPerLinear(3, 2, omega=omega)).load_state_dict({**state, "0.stage": torch.ones(2)})


def test_a_state_goes_from_the_first_to_the_second_stage():
    model, other = nn.Sequential(BiPerLinear(3, 2)), nn.Sequential(BiPerLinear(3, 2, stage=2))
    missing, unexpected = other.load_state_dict(model.state_dict())
    assert not missing
    assert not unexpected
    assert torch.equal(other[0].weight, model[0].weight)
    assert other[0].stage == 2
    state = model.state_dict()
    del state["0.omega"]
    with pytest.raises(RuntimeError, match=r"Missing key\(s\) in state_dict: \"0.omega\""):
        other.load_state_dict(state)
    with pytest.raises(RuntimeError, match="Unexpected"):
        other.load_state_dict({**model.state_dict(), "0.beta": torch.ones(1)})
    with pytest.raises(RuntimeError, match="size mismatch"):
        nn.Sequential(BiPerLinear(4, 2)).load_state_dict(model.state_dict())


def test_bad_settings():
    with pytest.raises(ValueError, match="omega"):
        BiPerConv2d(3, 3, 3, omega=0)
    with pytest.raises(ValueError, match="stage must be 1"):
        BiPerLinear(3, 3, stage=3)
    with pytest.raises(ValueError, match="groups"):
        BiPerConv2d(3, 4, 3, groups=2)
    with pytest.raises(ValueError, match="single number"):
        BiPerConv2d(1, 1, 1)(torch.ones(2, 1, 1, 1))
    with pytest.raises(ValueError, match="no layer of BiPer's"):
        to_stage2(nn.Linear(2, 2))


def chain(**settings):
    torch.manual_seed(0)
    return nn.Sequential(
        BiPerConv2d(3, 8, 3, padding=1, **settings), nn.BatchNorm2d(8), nn.Hardtanh(), ReCUConv2d(8, 4, 3), nn.Flatten()
    )


COMPILED = """
import torch
from torch import nn
from biper import BiPerConv2d, ReCUConv2d
def chain(stage):
    torch.manual_seed(0)
    conv = BiPerConv2d(3, 8, 3, padding=1, stage=stage)
    return nn.Sequential(conv, nn.BatchNorm2d(8), nn.Hardtanh(), ReCUConv2d(8, 4, 3))
x = torch.randn(2, 3, 6, 6)
for stage in (1, 2):
    plain, other = chain(stage), chain(stage)
    compiled = torch.compile(other, backend="aot_eager", fullgraph=True)
    for call in (plain, compiled):
        call(x).square().mean().backward()
    for ours, theirs in zip(other.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
print("one graph")
"""


def test_it_compiles_in_one_graph():
    """In a process of its own: the compiler cannot trace the checks of types that the tests run with."""
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "one graph", done.stderr


def test_it_works_under_autocast_and_in_half_precision():
    x = seeded(2, 3, 6, 6, dtype=torch.float32)
    model = chain(stage=2)
    with torch.autocast("cpu", torch.bfloat16):
        y = model(x)
    y.float().sum().backward()
    assert all(bool(parameter.grad.isfinite().all()) for parameter in model.parameters())
    assert model[0].weight.grad.dtype == torch.float32
    conv = BiPerConv2d(3, 8, 3, stage=2, bias=False).eval()
    with torch.no_grad():
        expected = conv(x)
        with torch.autocast("cpu", torch.bfloat16):
            # Sums of 27 signs are exact in bfloat16; the scale and the product are rounded.
            torch.testing.assert_close(conv(x).float(), expected, rtol=2**-6, atol=0)
    assert chain(stage=2).bfloat16()(x.bfloat16()).dtype == torch.bfloat16


def test_it_trains_on_several_devices(tmp_path):
    from torch import distributed

    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        model = chain(stage=2)
        twin = copy.deepcopy(model)
        x = seeded(2, 3, 6, 6, dtype=torch.float32)
        nn.parallel.DistributedDataParallel(model)(x).square().mean().backward()
        twin(x).square().mean().backward()
        for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
            torch.testing.assert_close(ours.grad, theirs.grad)
    finally:
        distributed.destroy_process_group()


@pytest.mark.gpu
def test_it_gives_the_same_on_a_gpu():
    model = chain(stage=2).eval()
    x = seeded(4, 3, 16, 16, dtype=torch.float32)
    with torch.no_grad():
        expected = model(x)
        torch.testing.assert_close(model.cuda()(x.cuda()).cpu(), expected, rtol=1e-4, atol=1e-4)
