"""A module with dendrites against the formulas, computed copy by copy."""

import copy

import pytest
import torch
from torch import nn

from dendritic_backprop import DendriteConfig, DendriticModule, FirstOutput, count_parameters
from dendritic_backprop.adapters import TensorOutput
from dendritic_backprop.copies import FusedCopies, LoopedCopies, make_copies

MODULES = {
    "linear": (lambda: nn.Linear(5, 4), (3, 5)),
    "linear over a sequence": (lambda: nn.Linear(5, 4, bias=False), (3, 2, 5)),
    "convolution": (lambda: nn.Conv2d(3, 4, 3, padding=1, stride=2, padding_mode="circular"), (2, 3, 6, 6)),
    "grouped convolution": (lambda: nn.Conv2d(4, 6, 3, groups=2), (2, 4, 5, 5)),
    "depthwise convolution": (lambda: nn.Conv1d(4, 4, 3, groups=4, bias=False), (2, 4, 6)),
    "volume": (lambda: nn.Conv3d(2, 3, 2), (1, 2, 3, 3, 3)),
    "block": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)), (3, 3, 5, 5)),
}


def drawn(shape):
    return torch.randn(shape, dtype=torch.float64)


def single(module, d):
    """The d-th dendrite's copy as a module of its own."""
    copies, one = module.dendrites, copy.deepcopy(module.module)
    if isinstance(copies, LoopedCopies):
        return copies.copies[d]
    one.load_state_dict({name: value[d] for name, value in copies.state_dict().items()})
    return one


@pytest.mark.parametrize("name", MODULES)
def test_the_output_is_that_of_the_formula_copy_by_copy(grown, name):
    make, shape = MODULES[name]
    module = grown(make(), 3, DendriteConfig(activation="tanh")).eval()
    x, axis = drawn(shape), -1 if "linear" in name else 1
    with torch.no_grad():
        out = module.module(x)
        along = [1] * out.ndim
        along[axis] = -1
        v0 = single(module, 0)(x).tanh()
        v1 = (single(module, 1)(x) + module.lateral[0].view(along) * v0).tanh()
        v2 = single(module, 2)(x) + module.lateral[1].view(along) * v0 + module.lateral[2].view(along) * v1
        expected = out + sum(g.view(along) * v for g, v in zip(module.gain, (v0, v1, v2.tanh())))
        torch.testing.assert_close(module(x), expected)
    without = grown(make(), 2, DendriteConfig(cascade=False))
    assert without.lateral.numel() == 0
    assert without(x).shape == out.shape


@pytest.mark.parametrize("name", [key for key in MODULES if key != "block"])
def test_fused_copies_are_what_a_loop_over_modules_gives(name):
    make, shape = MODULES[name]
    template = make().double()
    assert isinstance(make_copies(template, 3, TensorOutput()), FusedCopies)
    looped = LoopedCopies(template, 3, TensorOutput())
    looped.initialize(1.0, torch.Generator().manual_seed(0))
    fused = FusedCopies(template, 3)
    for key, value in fused.named_parameters():
        value.data.copy_(torch.stack([one.get_parameter(key) for one in looped.copies]))
    x = drawn(shape)
    for a, b in zip(fused(template, x), looped(template, x)):
        torch.testing.assert_close(a, b)


def test_dendrites_pass_no_error_back(grown):
    """Oracle 1: dL/dx is g W, of the bare layer for the same error."""
    torch.manual_seed(0)
    x, g = drawn((6, 5)), drawn((6, 4))
    for config, is_hidden in (
        (DendriteConfig(), True),
        (DendriteConfig(perforated=False), False),
        (DendriteConfig(learning="random"), True),
        (DendriteConfig(learning="gradient"), False),
    ):
        module = grown(nn.Linear(5, 4), 2, config)
        leaf = x.clone().requires_grad_()
        module(leaf).backward(g)
        bare = g @ module.module.weight.detach()
        assert torch.allclose(leaf.grad, bare, atol=1e-6) is is_hidden
        torch.testing.assert_close(module.module.weight.grad, g.T @ x)
        with torch.no_grad():
            by_gain = torch.stack([(g * v).sum(0) for v in module.values(x)])
        torch.testing.assert_close(module.gain.grad, by_gain)
        trained = [parameter.grad is not None for parameter in module.dendrites.parameters()]
        assert trained == [config.learning == "gradient"] * len(trained)


def test_a_network_of_several_layers_has_the_gradient_of_frozen_side_inputs(grown):
    """All the way down: as if the dendrites' outputs were constants added to what the neurons receive."""
    torch.manual_seed(0)
    first, second = grown(nn.Linear(5, 6), 2), grown(nn.Linear(6, 3), 2)
    x, y = drawn((8, 5)), drawn((8, 3))
    (second(first(x).relu()) - y).square().sum().backward()
    with torch.no_grad():
        sides = [first.values(x)]
        hidden = (first.module(x) + sum(g * v for g, v in zip(first.gain, sides[0]))).relu()
        sides.append(second.values(hidden))
    added = [sum(g.detach() * v for g, v in zip(layer.gain, side)) for layer, side in zip((first, second), sides)]
    plain = [copy.deepcopy(layer.module) for layer in (first, second)]
    for layer in plain:
        layer.zero_grad()
    ((plain[1]((plain[0](x) + added[0]).relu()) + added[1]) - y).square().sum().backward()
    for mine, theirs in zip((first, second), plain):
        torch.testing.assert_close(mine.module.weight.grad, theirs.weight.grad)


@pytest.mark.parametrize("name", MODULES)
def test_accepting_changes_no_output(name):
    """Oracle 2. Bit for bit for the first dendrite; later ones share a fused operation with older ones, whose sums may
    then be rounded in another order."""
    make, shape = MODULES[name]
    module, x = DendriticModule(make()).eval(), torch.randn(shape)
    for n in range(3):
        with torch.no_grad():
            before = module(x)
            module.start_candidates(2)
            nn.init.normal_(next(module.candidates.parameters()))
            module.accept()
            after = module(x)
        assert module.num_dendrites == n + 1
        if n == 0 or name == "block":
            assert torch.equal(before, after)
        torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-6)
        nn.init.normal_(module.gain)


def test_parameters_are_counted_as_the_paper_s_formula_says(grown):
    """Oracle 6: 396 of Linear(32, 12), 408 with a dendrite more, and 828 with two."""
    for n, added in ((0, 0), (1, 408), (2, 828), (3, 3 * 396 + 36 + 36)):
        assert count_parameters(grown(nn.Linear(32, 12), n)) == 396 + added
    module = grown(nn.Linear(32, 12), 1)
    module.start_candidates(3)
    assert count_parameters(module) == 804


def test_each_neuron_keeps_its_own_candidate():
    module = DendriticModule(nn.Linear(3, 4))
    module.start_candidates(2)
    weight = module.candidates.weight.detach().clone()
    module.accept(torch.tensor([0, 1, 1, 0]))
    assert torch.equal(module.dendrites.weight[0, 1], weight[1, 1])
    assert torch.equal(module.dendrites.weight[0, 3], weight[0, 3])
    module.start_candidates(2)
    nn.init.normal_(module.candidate_lateral)
    lateral = module.candidate_lateral.detach().clone()
    module.accept(torch.tensor([1, 0, 0, 1]))
    assert module.lateral[0].tolist() == [lateral[1, 0, 0], lateral[0, 0, 1], lateral[0, 0, 2], lateral[1, 0, 3]]


def test_a_state_loads_into_a_network_with_any_number_of_dendrites(grown):
    torch.manual_seed(0)
    for make, shape in (MODULES["linear"], MODULES["block"]):
        old, x = grown(make(), 2).eval(), drawn(shape)
        for n in (0, 1, 3):
            new = grown(make(), n).eval()
            new.load_state_dict(old.state_dict())
            assert new.num_dendrites == 2
            assert torch.equal(new(x), old(x))
            assert not any(parameter.requires_grad for parameter in new.dendrites.parameters())
        same = new.gain
        new.load_state_dict(old.state_dict())
        assert new.gain is same, "an optimizer of a network of the same size goes on"
        old.start_candidates(2)
        new.load_state_dict(old.state_dict())
        assert torch.equal(new.state_dict()["candidate_lateral"], old.state_dict()["candidate_lateral"])


def test_copies_in_a_dendrite_phase_are_independent():
    module = DendriticModule(nn.Linear(5, 4).requires_grad_(False))  # noqa: FBT003
    module.start_candidates(1)
    module(torch.randn(3, 5)).sum().backward()
    twin = copy.deepcopy(module)
    assert (len(module.traces), len(twin.traces)) == (1, 0)
    nn.init.zeros_(twin.candidates.weight)
    assert module.candidates.weight.any()


def test_normalization_of_accepted_dendrites_does_not_move(grown):
    module = grown(MODULES["block"][0](), 1).train()
    assert module.module.training
    before = {name: value.clone() for name, value in module.dendrites.state_dict().items()}
    own = module.module[1].running_mean.clone()
    module(drawn((3, 3, 5, 5)))
    assert all(torch.equal(value, before[name]) for name, value in module.dendrites.state_dict().items())
    assert not torch.equal(own, module.module[1].running_mean)


def test_truncating_keeps_the_oldest_dendrites(grown):
    module, x = grown(nn.Linear(5, 4), 3), drawn((2, 5))
    values = module.values(x)
    module.truncate(2)
    assert (module.num_dendrites, len(module.lateral)) == (2, 1)
    for a, b in zip(module.values(x), values):
        torch.testing.assert_close(a, b)
    with pytest.raises(ValueError, match="of which 5 cannot be kept"):
        module.truncate(5)


def test_a_state_of_other_neurons_is_refused_and_changes_nothing(grown):
    module = grown(nn.Linear(5, 4), 1)
    with pytest.raises(RuntimeError, match="size mismatch"):
        module.load_state_dict(grown(nn.Linear(5, 3), 3).state_dict())
    assert module.num_dendrites == 1


def test_a_network_can_look_at_its_layers_as_before(grown):
    module = grown(nn.Linear(5, 4), 1)
    assert (module.in_features, module.weight is module.module.weight) == (5, True)
    assert not hasattr(module, "kernel_size")
    assert copy.deepcopy(module).bias.shape == (4,)


@pytest.mark.parametrize("name", ["linear", "convolution", "grouped convolution", "block"])
@pytest.mark.parametrize("n", [0, 1])
def test_batches_may_have_one_sample_or_none(grown, name, n):
    make, shape = MODULES[name]
    module, x = grown(make(), 2).eval(), drawn(shape)
    torch.testing.assert_close(module(x[:n]), module(x)[:n])


class Pair(nn.Module):
    """A stranger's module that returns more than a tensor."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(5, 4)

    def forward(self, x, scale=1.0):
        return self.inner(x) * scale, "more"


def test_a_module_that_returns_a_tuple_needs_an_adapter():
    with pytest.raises(ValueError, match="head: it returns a tuple; give an adapter"):
        DendriticModule(Pair(), name="head")(torch.randn(2, 5))
    module = DendriticModule(Pair(), -1, adapter=FirstOutput())
    x = torch.randn(2, 5)
    out, more = module(x, scale=2.0)
    assert more == "more"
    assert module.n_nodes == 4, "found in the first output"
    module.start_candidates()
    module.accept(gain=torch.ones(4))
    after, _ = module(x, scale=2.0)
    with torch.no_grad():
        expected = torch.sigmoid(2 * module.dendrites.copies[0].inner(x))
    torch.testing.assert_close(after - out, expected)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="12 neurons, but axis 1 of its output has 7"):
        DendriticModule(nn.Linear(3, 12), 1)(torch.randn(2, 7, 3))
    with pytest.raises(ValueError, match="no axis 3"):
        DendriticModule(nn.Linear(3, 12), 3)(torch.randn(2, 3))
    module = DendriticModule(nn.Linear(3, 2))
    with pytest.raises(ValueError, match="no candidates to accept"):
        module.accept()
    module.start_candidates()
    with pytest.raises(ValueError, match="accept or discard"):
        module.start_candidates()
    with pytest.raises(ValueError, match="how many neurons Identity has"):
        DendriticModule(nn.Identity()).start_candidates()
    for wrong in ({"n_candidates": 0}, {"init_scale": 0.0}, {"gain_scale": -1.0}):
        with pytest.raises(ValueError, match="must be positive"):
            DendriteConfig(**wrong)
    with pytest.raises(ValueError, match="among several candidates"):
        DendriteConfig(learning="random", n_candidates=2)


@pytest.mark.usefixtures("unchecked")
def test_names_that_there_are_not_are_refused():
    for wrong in ({"activation": "sine"}, {"learning": "luck"}, {"score": "r2"}, {"init_gain": "one"}):
        with pytest.raises(ValueError, match="must be one of"):
            DendriteConfig(**wrong)
