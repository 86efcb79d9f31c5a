"""Layers that skip what is gated off, penalties, norms, and gates in networks of others."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from separata.models import MLP, SmallCNN
from stochastic_neurons import (
    ConditionalLinear,
    ConditionalNetwork,
    Gater,
    ModelConfig,
    SmoothTimesStochastic,
    StraightThroughBernoulli,
    UnbiasedBernoulli,
    add_gates,
    available_neurons,
    count_macs,
    distinct_patterns,
    gate_activity,
    make_network,
    make_neuron,
    max_norm_,
    measure_speed,
    network_penalty,
    parameter_groups,
    replace_activations,
    seed_neurons,
    set_activity,
    set_inference,
    sparsity_penalty,
    stochastic_backward,
)


def layer(**settings):
    torch.manual_seed(0)
    return ConditionalLinear(6, 12, 5, **settings)


@pytest.mark.parametrize("activation", ["linear", "tanh", "relu"])
@pytest.mark.parametrize(("block_size", "bias"), [(1, True), (3, False), (12, True)])
@pytest.mark.parametrize("n", [1, 2, 40])
def test_skipping_gives_what_masking_gives(activation, block_size, bias, n):
    made = layer(gate="noisy-relu", block_size=block_size, activation=activation, bias=bias).eval()
    made.gater.neuron.inference = "threshold"
    x = torch.randn(n, 6)
    gates = made.gater(x)
    assert n < 40 or 0 < (gates != 0).double().mean() < 1
    expected = made.experts(x)
    expected = {"linear": expected, "tanh": expected.tanh(), "relu": expected.relu()}[activation]
    expected = expected * gates.repeat_interleave(block_size, 1)
    torch.testing.assert_close(made.sparse(x, gates), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(made(x), expected, atol=1e-5, rtol=1e-5)
    active = gates != 0
    rows = active.t().nonzero()[:, 1]
    torch.testing.assert_close(made._padded(x, active, rows), made._by_block(x, active, rows), atol=1e-5, rtol=1e-5)


def test_nothing_on_costs_nothing_and_is_nothing():
    made = layer(gate="st", block_size=3, activity=1e-9).eval()
    made.gater.neuron.inference = "threshold"
    made.gater.gates.weight.data.zero_()
    x = torch.randn(5, 6)
    with torch.no_grad(), FlopCounterMode(display=False) as skipped:
        assert made(x).abs().max() == 0
    assert skipped.get_total_flops() == 2 * 5 * (6 * 5 + 5 * 4), "the gater alone"


def test_only_the_blocks_that_are_on_are_multiplied():
    made = layer(gate="st", block_size=3).eval()
    gates = torch.tensor([[1.0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]])
    with FlopCounterMode(display=False) as counter:
        made.sparse(torch.randn(3, 6), gates)
    assert counter.get_total_flops() == 2 * int(gates.sum()) * 3 * 6


def test_counted_operations_are_those_of_the_flop_counter():
    model = ConditionalNetwork(20, 4, ModelConfig("st", 60, 7, 5))
    with FlopCounterMode(display=False) as counter:
        model.train()(torch.randn(1, 20))
    assert 2 * count_macs(model, 1.0).total == counter.get_total_flops()
    cost = count_macs(model, 0.25)
    assert cost.experts == 0.25 * 60 * 24
    assert cost.gater == 20 * 7 + 7 * 12
    assert cost.ratio == pytest.approx((360 + 224) / 1440)
    with pytest.raises(ValueError, match="within 0 and 1, not 1.5"):
        count_macs(model, 1.5)


def test_speeds_are_of_the_same_network_which_stays_as_it_was():
    model = make_network(ModelConfig("st", 60, 7, 5), (20,), 4)
    model.conditional.gater.neuron.inference = "threshold"
    x = torch.randn(500, 20)
    set_activity(model, x, 0.1)
    found = measure_speed(model.train(), x[:8], repeats=2)
    assert found.batch_size == 8
    assert min(found.plain, found.masked, found.skipping) > 0
    assert model.training
    assert model.conditional.skip
    assert float((model.eval().gates(x) != 0).double().mean()) == pytest.approx(0.1, abs=0.01)
    with pytest.raises(ValueError, match="between 0 and 1, not 0"):
        set_activity(model, x, 0.0)


@pytest.mark.parametrize("target", [0.1, 0.5])
def test_the_penalty_is_zero_at_the_target_and_has_the_gradient_of_the_file(target):
    at = torch.full((4, 3), target, dtype=torch.float64)
    assert sparsity_penalty(at, target) == pytest.approx(0, abs=1e-12)
    assert sparsity_penalty(at, target, "l2") == 0
    p = torch.rand(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mean = p.mean(0)
    gradient = torch.autograd.grad(sparsity_penalty(p, target), p)[0]
    torch.testing.assert_close(gradient, (((mean - target) / (mean * (1 - mean))) / 4).expand(4, -1))
    assert sparsity_penalty(p, target) > 0
    # The mean over examples counts, not each example.
    mixed = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    assert sparsity_penalty(mixed, 0.5) == pytest.approx(0, abs=1e-6)


@pytest.mark.usefixtures("unchecked")
def test_penalties_that_cannot_be_are_refused():
    for target in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match="must lie between 0 and 1"):
            sparsity_penalty(torch.rand(2, 2), target)
    with pytest.raises(ValueError, match="kl or l2, not 'l1'"):
        sparsity_penalty(torch.rand(2, 2), 0.1, "l1")
    with pytest.raises(ValueError, match="no gates whose activity could be penalized"):
        network_penalty(nn.Linear(2, 2), 0.1)
    with pytest.raises(ValueError, match="not been run in training mode since"):
        network_penalty(layer(), 0.1)
    with pytest.raises(ValueError, match="no gates whose activity could be counted"):
        gate_activity(torch.zeros(0, 3))


def test_the_penalty_of_a_network_is_of_its_last_pass_and_can_be_copied_away():
    made = layer(gate="st")
    x = torch.randn(9, 6)
    made(x)
    copy.deepcopy(made)
    p = made.gater.gates(made.gater.hidden(x)).sigmoid()
    torch.testing.assert_close(network_penalty(made, 0.2), sparsity_penalty(p, 0.2))
    with pytest.raises(ValueError, match="since their last penalty"):
        network_penalty(made, 0.2)


def test_activity_is_counted_by_gate_and_by_example():
    found = gate_activity(torch.tensor([[1.0, 0, 0.5], [2.0, 0, 0]]))
    assert found.of_gate.tolist() == [1, 0, 0.5]
    assert found.of_example.tolist() == pytest.approx([2 / 3, 1 / 3])
    assert (found.mean, found.n_dead, found.n_always_on) == (0.5, 1, 1)
    assert distinct_patterns(torch.tensor([[1.0, 0], [3.0, 0], [0, 1]])) == 2


def test_norms_are_scaled_down_and_never_up():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[3.0, 0, 4, 0], [0.3, 0, 0.4, 0], [0, 0, 0, 2.1]]))
        model[0].bias.fill_(9)
    max_norm_(model, 2.1)
    expected = torch.tensor([[1.26, 0, 1.68, 0], [0.3, 0, 0.4, 0], [0, 0, 0, 2.1]])
    torch.testing.assert_close(model[0].weight.detach(), expected, atol=1e-5, rtol=0)
    assert (model[0].bias == 9).all()
    with pytest.raises(ValueError, match="must be positive"):
        max_norm_(model, 0.0)


@pytest.mark.parametrize("gate", available_neurons())
def test_every_gate_starts_at_the_activity_asked_for(gate):
    torch.manual_seed(0)
    gater = Gater(8, 6, 4, gate, activity=0.2)
    gater.gates.weight.data.zero_()
    p = gater.neuron.probability(gater.gates(gater.hidden(torch.randn(3, 8))))
    if gate not in ("relu", "multiplicative"):
        torch.testing.assert_close(p, torch.full_like(p, 0.2), atol=1e-3, rtol=0)


def test_the_gater_starts_as_the_authors_script_has_it():
    torch.manual_seed(0)
    sigmoid, rectifier = Gater(784, 400, 2000, "st"), Gater(784, 400, 2000, "noisy-relu")
    assert sigmoid.gates.weight.detach().abs().max() == pytest.approx(4 * (6 / 2400) ** 0.5, rel=1e-3)
    weights = rectifier.gates.weight.detach()
    assert ((weights != 0).sum(1) == 15).all(), "15 weights into each rectified gate"
    assert weights[weights != 0].std() == pytest.approx(1, abs=0.03)
    assert (weights != 0).any(0).all(), "not the same hidden units for each"
    for gater in (sigmoid, rectifier):
        assert gater.hidden[0].weight.detach().abs().max() == pytest.approx((6 / 1184) ** 0.5, rel=1e-3)


def test_groups_have_the_gaters_rate_and_all_parameters_once():
    model = make_network(ModelConfig("sbn", 20, 5, baseline="learned"), (6,), 3)
    groups = parameter_groups(model, 0.2, 0.1)
    assert [group["lr"] for group in groups] == pytest.approx([0.2, 0.02])
    listed = [p for group in groups for p in group["params"]]
    assert len(listed) == len({id(p) for p in listed}) == len(list(model.parameters()))
    assert {id(p) for p in groups[1]["params"]} == {id(p) for p in model.conditional.gater.parameters()}
    with pytest.raises(ValueError, match="must be positive"):
        parameter_groups(model, 0.0)


class Users(nn.Module):
    """A network that is not ours: a residual block on sequences, and a head."""

    def __init__(self):
        super().__init__()
        self.up, self.act, self.down = nn.Linear(8, 24), nn.GELU(), nn.Linear(24, 8)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.norm(x + self.down(self.act(self.up(x)))).mean(1))


@pytest.mark.parametrize("gate", ["st", "sts", "noisy-relu", "sbn"])
def test_gates_go_into_a_network_of_the_users_and_learn(gate):
    torch.manual_seed(0)
    model = Users()
    weights = model.up.weight.detach().clone()
    found = add_gates(model, gate=gate, gater_hidden=6, block_size=4, activity=0.5, targets="up")
    assert found.converted == ("up",)
    assert found.left["down"] == "not among the targets"
    torch.testing.assert_close(model.up.experts.weight, weights)
    x, y = torch.randn(16, 5, 8), torch.randint(3, (16,))
    losses = nn.functional.cross_entropy(model(x), y, reduction="none")
    if gate == "sbn":
        # Each position of a sequence has gates of its own, and the loss of its sequence.
        with pytest.raises(ValueError, match="losses of 16 examples, but neurons drew for 80"):
            stochastic_backward(losses, model)
        model(x)
        stochastic_backward(losses.repeat_interleave(5), model)
    else:
        stochastic_backward(losses, model)
    assert model.up.gater.gates.weight.grad.abs().sum() > 0
    other = Users()
    add_gates(other, gate=gate, gater_hidden=6, block_size=4, targets="up")
    other.load_state_dict(model.state_dict())
    for one in (model, other):
        set_inference(one, "threshold")
    torch.testing.assert_close(other.eval()(x), model.eval()(x))
    with pytest.raises(RuntimeError, match=r"Missing key.*up\.experts\.weight"):
        other.load_state_dict(Users().state_dict())


def test_gates_are_skipped_on_sequences_as_they_are_masked():
    model = Users()
    add_gates(model, gate="st", gater_hidden=6, block_size=4, targets=["up", "down"])
    x = torch.randn(3, 5, 8)
    outputs = []
    for skip in (True, False):
        model.up.skip = model.down.skip = skip
        seed_neurons(model, torch.Generator().manual_seed(1))
        outputs.append(model.eval()(x))
    torch.testing.assert_close(*outputs, atol=1e-5, rtol=1e-5)


def test_activations_are_replaced_in_networks_that_are_not_ours():
    cnn = SmallCNN(1, 3, 8, width=4)
    found = replace_activations(cnn, StraightThroughBernoulli, targets="features.*")
    assert found.converted == ("features.1", "features.4")
    out = cnn(torch.randn(2, 1, 8, 8))
    out.sum().backward()
    assert cnn.features[0].weight.grad.abs().sum() > 0
    mlp = MLP((5, 6, 6, 2), nn.Tanh)
    replace_activations(mlp, lambda: UnbiasedBernoulli(6), skip="first")
    assert [type(one).__name__ for one in mlp.layers] == ["Linear", "Tanh", "Linear", "UnbiasedBernoulli", "Linear"]
    before = set(MLP((5, 6, 6, 2)).state_dict())
    replace_activations(smooth := MLP((5, 6, 6, 2)), SmoothTimesStochastic)
    assert set(smooth.state_dict()) == before


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layer(block_size=5), "12 experts are no whole number of blocks of 5"),
        (lambda: layer(activation="gelu"), "linear, tanh, relu, not 'gelu'"),
        (lambda: layer(gate="coin"), "no neuron 'coin'"),
        (lambda: layer(activity=0.0), "a probability between 0 and 1"),
        (lambda: Gater(0, 3, 3), "needs inputs and gates"),
        (lambda: layer()(torch.randn(2, 7)), "takes 6 features, not 7"),
        (lambda: layer()(torch.full((2, 6), float("nan"))), "pre-activations of the gates are not finite"),
        (lambda: add_gates(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2)), block_size=2), "0: 3 experts are no whole"),
        (lambda: add_gates(nn.Sequential(nn.Linear(2, 3))), "nothing to convert: 0"),
        (lambda: replace_activations(nn.Linear(2, 2), StraightThroughBernoulli), "not ReLU or Sigmoid or Tanh"),
        (lambda: ModelConfig(experts=10, block_size=3), "10 experts are no whole number of blocks of 3"),
        (lambda: ModelConfig(activity=1.0), "activity must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("gate", ["st", "sts", "relu"])
def test_gradients_in_evaluation_mode_are_those_of_masking(gate):
    """A gate that is off learns from what its experts would have given; a network may be tuned in evaluation mode."""
    made, x, found = layer(gate=gate, block_size=3).eval(), torch.randn(9, 6), []
    for skip in (True, False):
        made.skip = skip
        seed_neurons(made, torch.Generator().manual_seed(1))
        found.append(torch.autograd.grad(made(x).sum(), list(made.parameters())))
    torch.testing.assert_close(*found)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("n", [0, 1, 4])
def test_skipping_goes_with_autocast(n, bias):
    model = nn.Sequential(nn.Linear(8, 6), layer(gate="st", block_size=3, bias=bias)).eval()
    outputs = []
    for skip in (True, False):
        model[1].skip = skip
        seed_neurons(model, torch.Generator().manual_seed(1))
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            outputs.append(model(torch.ones(n, 8)))
    assert outputs[0].dtype == outputs[1].dtype == torch.bfloat16
    torch.testing.assert_close(*outputs, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("n", [1, 32])
@pytest.mark.parametrize(("a", "sign"), [(-1.0, -1), (1.0, 1)])
def test_the_penalty_wakes_gates_that_are_never_on_and_calms_those_that_always_are(n, a, sign):
    a = torch.full((n, 3), a).requires_grad_()
    gradient = torch.autograd.grad(sparsity_penalty(make_neuron("relu", 3).probability(a), 0.1), a)[0]
    assert (gradient.sign() == sign).all()
    assert gradient.isfinite().all()


def test_an_activity_that_cannot_be_does_not_start_with_dead_gates():
    made = layer(gate=SmoothTimesStochastic(0.0))
    assert made.gater(torch.randn(40, 6)).mean() > 0.1
