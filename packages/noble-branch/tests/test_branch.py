"""Branches and CosNet, against closed forms, the naive path and finite differences."""

import math

import pytest
import torch
from torch import nn

from noble_branch import ACTIVATIONS, BranchConfig, BranchedLinear, CosNet, NonlinearLowRankBranch, make_activation


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def unit_cosnet(rank: int, layers: int) -> CosNet:
    """CosNet with unit frequencies, no phases, and nothing between the layers."""
    net = CosNet(rank, layers).double()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(torch.eye(rank) if name == "mixing" else torch.tensor(float(name.startswith("omega"))))
    return net


def branched(activation: str = "cosnet", path: str = "fused", **options) -> BranchedLinear:
    torch.manual_seed(0)
    return BranchedLinear(7, 5, 3, BranchConfig(activation, up_std=0.5), path=path, **options)


def test_cosines_of_cosines():
    h = torch.linspace(-4, 4, 9, dtype=torch.float64)[:, None]
    torch.testing.assert_close(unit_cosnet(1, 2)(h), h.cos().cos())
    assert unit_cosnet(1, 2)(torch.zeros(1, 1).double()).item() == pytest.approx(0.5403023, abs=1e-7)
    assert unit_cosnet(1, 1)(torch.full((1, 1), math.pi).double()).item() == pytest.approx(-1)


def test_frequencies_phases_and_the_linear_map_stand_where_the_equation_has_them():
    net = CosNet(2).double()
    h = torch.tensor([0.3, -1.2], dtype=torch.float64)
    (a, b), (c, d) = net.mixing.tolist()
    u = [math.cos(w * x + p) for w, x, p in zip(net.omega_1.tolist(), h.tolist(), net.phi_1.tolist(), strict=True)]
    mixed = [u[0] * a + u[1] * c, u[0] * b + u[1] * d]
    expected = [math.cos(w * x + p) for w, x, p in zip(net.omega_2.tolist(), mixed, net.phi_2.tolist(), strict=True)]
    assert net(h).tolist() == pytest.approx(expected)


def test_initial_frequencies_and_phases_are_of_their_ranges():
    torch.manual_seed(0)
    net = CosNet(4000, 1, freq_range=(2.0, 8.0))
    assert 2 <= net.omega_1.min() < 2.1
    assert 7.9 < net.omega_1.max() <= 8
    assert net.phi_1.std().item() == pytest.approx(2 * math.pi / math.sqrt(12), rel=0.05)
    assert CosNet(4000, 1, phase="small").phi_1.std().item() == pytest.approx(0.1, rel=0.05)


def test_normalized_inputs_reach_the_activation_at_unit_variance():
    torch.manual_seed(0)
    branch = NonlinearLowRankBranch(256, 128, 64, BranchConfig(up_std=0.02))
    h = torch.randn(500, 256, generator=generator(1)) @ branch.down.T
    assert h.var().item() == pytest.approx(1, rel=0.05)
    assert branch.up.std().item() == pytest.approx(0.02, rel=0.05)
    assert (NonlinearLowRankBranch(256, 128, 64).up == 0).all()


def test_a_cosnet_branch_is_bounded_by_its_last_projection():
    branch = NonlinearLowRankBranch(6, 8, 4, BranchConfig(up_std=1.0))
    out = branch(1e3 * torch.randn(500, 6, generator=generator()))
    assert (out.abs() <= branch.up.abs().sum(1) + 1e-4).all()


def test_a_branch_that_is_off_changes_no_bit():
    linear, x = nn.Linear(32, 16), torch.randn(3, 9, 32, generator=generator())
    made = BranchedLinear.from_linear(linear, 4)
    assert torch.equal(made(x), linear(x))
    assert made.weight is linear.weight
    fused = BranchedLinear.from_linear(linear, 4, path="fused")
    torch.testing.assert_close(fused(x), linear(x), atol=1e-6, rtol=1e-6)


def test_gpt_2_small_grows_by_what_its_formula_says():
    torch.manual_seed(0)
    count = lambda d, o: sum(p.numel() for p in NonlinearLowRankBranch(d, o, 64).parameters())  # noqa: E731
    assert count(768, 3072) == 250_112
    sides = [(768, 2304), (768, 768), (768, 3072), (3072, 768)]
    assert 12 * sum(count(*one) for one in sides) == 9_646_080


@pytest.mark.parametrize("path", ["fused", "naive"])
def test_an_identity_branch_is_a_change_of_the_weight(path):
    layer = branched("identity", path).double()
    x = torch.randn(11, 7, generator=generator()).double()
    weight = layer.weight + layer.branch.up @ layer.branch.down
    torch.testing.assert_close(layer(x), x @ weight.T + layer.bias)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"transposed": True}])
def test_both_paths_give_the_same_output_and_gradients(activation, options):
    fused, naive = branched(activation, **options).double(), branched(activation, "naive", **options).double()
    x = torch.randn(4, 6, 7, generator=generator()).double()
    found = []
    for layer in (fused, naive):
        y = layer(x)
        y.square().sum().backward()
        found.append([y, *(p.grad for p in layer.parameters())])
    assert all(one.abs().sum() > 0 for one in found[0])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_agree_with_finite_differences(activation):
    layer = branched(activation).double()
    names = list(dict(layer.named_parameters()))
    x = torch.randn(3, 7, generator=generator()).double().requires_grad_()

    def output(x, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(output, (x, *layer.parameters()))


@pytest.mark.parametrize("path", ["fused", "naive"])
def test_cosines_stay_exact_under_autocast(path):
    layer = branched("cos", path)
    x = torch.randn(64, 7, generator=generator()).bfloat16().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = layer(x)
        # The phase of a high frequency would be lost in bfloat16.
        h = torch.full((1,), 3.0)
        fast = CosNet(1, 1, freq_range=(101.0, 101.0))
        with torch.no_grad():
            fast.phi_1.fill_(0.3)
        assert fast(h.bfloat16()).item() == pytest.approx(math.cos(303.3), abs=5e-3)
    assert mixed.dtype == torch.bfloat16
    torch.testing.assert_close(mixed.float(), layer(x), atol=4e-2, rtol=2e-2)


def test_the_map_between_cosines_is_not_rounded_under_autocast():
    torch.manual_seed(0)
    net, h = CosNet(16, freq_range=(20.0, 20.0)), torch.randn(50, 16, generator=generator())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = net(h)
    # A product of numbers of eight bits would be off by some hundredths, twenty times that in the argument.
    omega_1, phi_1, mixing, omega_2, phi_2 = (
        getattr(net, name).double() for name in ("omega_1", "phi_1", "mixing", "omega_2", "phi_2")
    )
    expected = torch.cos(omega_2 * (torch.cos(omega_1 * h.double() + phi_1) @ mixing) + phi_2)
    torch.testing.assert_close(mixed.double(), expected, atol=1e-4, rtol=0)


def test_activations_are_those_of_their_names():
    h = torch.linspace(-2, 2, 5).double()
    expected = {
        "sin": [math.sin(x) for x in h.tolist()],
        "tanh": [math.tanh(x) for x in h.tolist()],
        "relu": [max(x, 0) for x in h.tolist()],
        "leaky_relu": [x if x > 0 else 0.01 * x for x in h.tolist()],
        "silu": [x / (1 + math.exp(-x)) for x in h.tolist()],
        "gelu": [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in h.tolist()],
        "identity": h.tolist(),
    }
    for name, values in expected.items():
        assert make_activation(name, 5)(h).tolist() == pytest.approx(values), name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BranchedLinear(4, 9, 5), "between 1 and 4"),
        (lambda: BranchedLinear(9, 4, 0), "between 1 and 4, the"),
        (lambda: BranchedLinear(4, 9, 2, BranchConfig("swish")), "cosnet, cos, sin"),
        (lambda: BranchConfig(up_std=float("nan")), "up_std must be"),
        (lambda: BranchedLinear(4, 9, 2, path="fast"), "path must be one of naive, fused"),
        (lambda: CosNet(4, 3), "1 or 2 layers"),
        (lambda: CosNet(4, freq_range=(2.0, 1.0)), "ascending"),
        (lambda: CosNet(4, phase="none"), "phase must be"),
        (lambda: CosNet(0), "rank must be"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
