"""Learning rules: each against its own equations, written out for a perceptron with the same weights."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss, one_hot

from counter_current import (
    CounterCurrent,
    DataShape,
    DirectFeedbackAlignment,
    FeedbackAlignmentConv2d,
    FeedbackAlignmentLinear,
    LossConfig,
    NetworkConfig,
    RunConfig,
    TargetConfig,
    classification_loss,
    feedback_alignment,
    make_mlp,
    make_network,
    make_rule,
)
from counter_current.configs import RULES

N, SIZES = 16, [8, 7, 6, 4]


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(N, 8, generator=generator), torch.arange(N) % 4


@pytest.fixture
def network():
    torch.manual_seed(0)
    return make_mlp(SIZES, "tanh")


def gradients(network, rule, x, labels):
    network.zero_grad()
    losses = rule.gradients(x, labels, torch.Generator().manual_seed(5))
    assert losses["loss"].isfinite()
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in network.forward_parameters()]


def forward(network, x):
    """Activations and derivatives of tanh, layer by layer."""
    w1, w2, w3 = (p.detach() for p in network.forward_parameters())
    h1 = torch.tanh(x @ w1.T)
    h2 = torch.tanh(h1 @ w2.T)
    return (x, h1, h2, h2 @ w3.T), (1 - h1**2, 1 - h2**2), (w1, w2, w3)


def error(logits, labels):
    return (logits.softmax(1) - one_hot(labels, 4)) / len(labels)


def test_back_propagation(network, batch):
    found = gradients(network, make_rule(network, RunConfig(rule="bp")), *batch)
    w = [p.detach().clone().requires_grad_() for p in network.forward_parameters()]
    loss = cross_entropy(torch.tanh(torch.tanh(batch[0] @ w[0].T) @ w[1].T) @ w[2].T, batch[1])
    for ours, theirs in zip(found, torch.autograd.grad(loss, w), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_feedback_alignment_replaces_the_transposed_weights(network, batch):
    rule = make_rule(network, RunConfig(rule="fa"))
    found = gradients(network, rule, *batch)
    r2, r3 = (path[0].feedback for path in rule.paths[1:])
    assert not torch.allclose(r3, network.forward_parameters()[2])
    (x, h1, h2, logits), (d1, d2), _ = forward(network, batch[0])
    e = error(logits, batch[1])
    delta2 = e @ r3 * d2
    delta1 = delta2 @ r2 * d1
    for ours, theirs in zip(found, (delta1.T @ x, delta2.T @ h1, e.T @ h2), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_direct_feedback_alignment_projects_the_error(network, batch):
    rule = make_rule(network, RunConfig(rule="dfa"))
    found = gradients(network, rule, *batch)
    (x, h1, h2, logits), (d1, d2), _ = forward(network, batch[0])
    e = error(logits, batch[1])
    r1, r2 = rule.projections.matrices
    for ours, theirs in zip(found, ((e @ r1 * d1).T @ x, (e @ r2 * d2).T @ h1, e.T @ h2), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_direct_random_target_projection_projects_the_label(network, batch):
    rule = make_rule(network, RunConfig(rule="drtp"))
    found = gradients(network, rule, *batch)
    (x, h1, h2, logits), (d1, d2), _ = forward(network, batch[0])
    y = one_hot(batch[1], 4) / N
    r1, r2 = rule.projections.matrices
    expected = ((y @ r1 * d1).T @ x, (y @ r2 * d2).T @ h1, error(logits, batch[1]).T @ h2)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def targets(network, batch, beta):
    """The targets of difference target propagation, with g = tanh(V ·)."""
    (_, h1, h2, logits), _, _ = forward(network, batch[0])
    _, v2, v3 = (p.detach() for p in network.feedback_parameters())
    t3 = logits - beta * N * error(logits, batch[1])
    t2 = h2 + torch.tanh(t3 @ v3.T) - torch.tanh(logits @ v3.T)
    return h1 + torch.tanh(t2 @ v2.T) - torch.tanh(h2 @ v2.T), t2, t3


@pytest.mark.parametrize("name", ["fw-dtp", "dtp"])
def test_target_propagation_learns_towards_its_targets(network, batch, name):
    config = RunConfig(rule=name, target=TargetConfig(target_step=0.5))
    found = gradients(network, make_rule(network, config), *batch)
    w = [p.detach().clone().requires_grad_() for p in network.forward_parameters()]
    below = [a.detach() for a in network.activations(batch[0])[:-1]]
    outputs = [torch.tanh(below[0] @ w[0].T), torch.tanh(below[1] @ w[1].T), below[2] @ w[2].T]
    losses = [(h - t).square().sum(1).mean() / 2 for h, t in zip(outputs, targets(network, batch, 0.5), strict=True)]
    for ours, theirs in zip(found, torch.autograd.grad(sum(losses), w), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_fixed_weights_stay_and_learned_ones_invert_what_is_above(network, batch):
    gradients(network, make_rule(network, RunConfig(rule="fw-dtp")), *batch)
    assert all(p.grad is None for p in network.feedback_parameters())
    rule = make_rule(network, RunConfig(rule="dtp", target=TargetConfig(noise=0.2, feedback_steps=1)))
    gradients(network, rule, *batch)
    generator = torch.Generator().manual_seed(5)
    layers = list(network.dual_layers())[1:]
    for layer, below in zip(layers, [a.detach() for a in network.activations(batch[0])[1:-1]], strict=True):
        v = layer.feedback_module[0].weight.detach().clone().requires_grad_()
        disturbed = below + 0.2 * torch.randn(below.shape, generator=generator)
        above = layer(disturbed).detach()
        expected = torch.autograd.grad(mse_loss(torch.tanh(above @ v.T), disturbed), v)[0]
        torch.testing.assert_close(layer.feedback_module[0].weight.grad, expected)
    assert rule.feedback_parameters == network.feedback_parameters()[1:]


def test_counter_current_learning_is_the_gradient_of_its_loss(network, batch):
    config = LossConfig("cosine", 1.0, 0.5, flood_threshold=0.7)
    found = gradients(network, CounterCurrent(network, config), *batch)
    loss = classification_loss(network.activations(batch[0]), network.class_signals(), batch[1], config).total
    for ours, theirs in zip(found, torch.autograd.grad(loss, network.forward_parameters()), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert all(p.grad.any() for p in network.feedback_parameters())


def test_the_feedback_network_runs_on_the_classes_not_on_the_samples(network, batch):
    rows = []
    hook = list(network.dual_layers())[-1].feedback_module.register_forward_pre_hook(
        lambda _, x: rows.append(len(x[0]))
    )
    gradients(network, CounterCurrent(network), *batch)
    gradients(network, CounterCurrent(network, LossConfig(targets="batch")), *batch)
    hook.remove()
    assert rows == [4, N]


def test_the_control_trains_the_output_layer_alone(network, batch):
    first, second, output = gradients(network, make_rule(network, RunConfig(rule="output-only")), *batch)
    exact = gradients(network, make_rule(network, RunConfig(rule="bp")), *batch)[-1]
    assert not first.any()
    assert not second.any()
    torch.testing.assert_close(output, exact)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_trains_a_convolutional_network(rule):
    network = make_network(NetworkConfig("cnn", "3,4", norm="before"), DataShape((2, 8, 8), 5))
    found = gradients(network, make_rule(network, RunConfig(rule=rule)), torch.randn(9, 2, 8, 8), torch.arange(9) % 5)
    assert all(gradient.isfinite().all() for gradient in found)
    assert all(gradient.any() for gradient in found) == (rule != "output-only")


@pytest.mark.parametrize("rule", ["ccl", "bp", "fa", "output-only"])
def test_an_autoencoder_is_trained_without_labels(rule):
    network = make_network(
        NetworkConfig("autoencoder", "3,4", "relu", "after", standardize=False), DataShape((1, 8, 8), None)
    )
    found = gradients(network, make_rule(network, RunConfig(rule=rule)), torch.rand(5, 1, 8, 8), None)
    assert found[-1].any()


@pytest.mark.parametrize("rule", ["dfa", "drtp", "fw-dtp", "dtp"])
def test_rules_that_need_classes_refuse_an_autoencoder(rule):
    config = NetworkConfig("autoencoder", "3,4", standardize=False)
    network = make_network(config, DataShape((1, 8, 8), None))
    with pytest.raises(ValueError, match="autoencoder"):
        make_rule(network, RunConfig(rule=rule))
    with pytest.raises(ValueError, match="needs classes"):
        RunConfig(config, rule=rule)
    with pytest.raises(ValueError, match="needs labels"):
        make_rule(make_mlp(SIZES), RunConfig(rule=rule)).gradients(torch.zeros(2, 8), None, torch.Generator())


@pytest.mark.parametrize("settings", [{}, {"stride": 2, "padding": 1}, {"padding": 2, "dilation": 2, "groups": 2}])
def test_an_aligned_convolution_with_its_own_weights_is_exact(settings):
    layer = FeedbackAlignmentConv2d(2, 4, 3, **settings)
    x = torch.randn(3, 2, 9, 9, requires_grad=True)
    plain = nn.Conv2d(2, 4, 3, **settings)
    plain.load_state_dict({key: value for key, value in layer.state_dict().items() if key != "feedback"})
    layer.feedback.copy_(layer.weight.detach())
    of_ours = torch.autograd.grad(layer(x).square().sum(), [x, layer.weight, layer.bias])
    of_plain = torch.autograd.grad(plain(x).square().sum(), [x, plain.weight, plain.bias])
    for ours, theirs in zip(of_ours, of_plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_feedback_alignment_works_under_autocast(network, batch):
    rule = make_rule(network, RunConfig(rule="fa"))
    exact = gradients(network, rule, *batch)
    network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        loss = cross_entropy(rule.output(batch[0]), batch[1])
    loss.backward()
    for p, theirs in zip(network.forward_parameters(), exact, strict=True):
        torch.testing.assert_close(p.grad, theirs, rtol=0.1, atol=0.01)


def test_an_aligned_map_sends_errors_through_its_random_weights():
    layer, x, g = FeedbackAlignmentLinear(5, 3), torch.randn(2, 4, 5, requires_grad=True), torch.randn(2, 4, 3)
    layer(x).backward(g)
    torch.testing.assert_close(x.grad, g @ layer.feedback)
    torch.testing.assert_close(layer.weight.grad, torch.einsum("bti,btj->ij", g, x))
    torch.testing.assert_close(layer.bias.grad, g.sum((0, 1)))


def test_a_twin_of_any_module_shares_its_weights_and_leaves_it_as_it_is():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(5, 4), nn.ReLU())
            self.outer = nn.Linear(4, 2)

        def forward(self, x):
            return self.outer(self.inner(x))

    own, x = Own(), torch.randn(3, 5)
    twin = feedback_alignment(own, torch.Generator().manual_seed(0))
    torch.testing.assert_close(twin(x), own(x))
    twin(x).sum().backward()
    assert own.outer.weight.grad is not None
    assert type(own.outer) is nn.Linear
    assert set(own.state_dict()) == set(Own().state_dict())
    with pytest.raises(ValueError, match="number of zeros"):
        feedback_alignment(nn.Conv2d(1, 1, 3, padding="same"), torch.Generator())


def test_random_feedback_depends_on_the_seed_alone(network):
    config = RunConfig(rule="dfa")
    other = replace(config, train=replace(config.train, seed=1))
    first, again, different = (make_rule(network, one) for one in (config, config, other))
    assert isinstance(first, DirectFeedbackAlignment)
    for a, b, c in zip(*(rule.projections.matrices for rule in (first, again, different)), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
        assert a.var().item() == pytest.approx(2 / a.shape[1], rel=0.8)
