import math

import pytest
import torch
from torch import nn

from snn_continual import (
    ContinualLearner,
    HebbianSubspace,
    HLOPConv2d,
    HLOPLinear,
    LeakyTrace,
    MeanRate,
    SpikingLateral,
    WeightedRate,
)
from snn_continual.rates import repeat

FEEDBACKS = ("bp", "fa", "sign")


def gradients(layer, x, grad):
    """Output, and gradients of input, weight and bias."""
    x = x.detach().clone().requires_grad_()
    layer.zero_grad()
    y = layer(x)
    y.backward(grad)
    return [y.detach(), x.grad, *(parameter.grad for parameter in layer.parameters())]


def assert_equal_gradients(one, other, x, *, atol=1e-10):
    grad = torch.randn_like(other(x))
    for found, expected in zip(gradients(one, x, grad), gradients(other, x, grad), strict=True):
        torch.testing.assert_close(found, expected, atol=atol, rtol=0)


def orthonormal(k, n):
    return torch.linalg.qr(torch.randn(n, k, dtype=torch.float64)).Q.T


def known(layer, rows):
    """A layer that projects away what it knows."""
    layer.subspace.extend(rows)
    layer.is_projecting = True
    return layer


# ---- without a subspace


@pytest.mark.parametrize("shape", [(5,), (3, 5), (4, 3, 5), (2, 4, 3, 5)])
@pytest.mark.parametrize("bias", [False, True])
def test_linear_layer_without_subspace_is_nn_linear(bias, shape):
    layer, plain = HLOPLinear(5, 2, bias, dtype=torch.float64), nn.Linear(5, 2, bias, dtype=torch.float64)
    plain.load_state_dict(layer.state_dict(), strict=False)
    assert_equal_gradients(layer, plain, torch.randn(shape, dtype=torch.float64))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"stride": 2}, {"padding": (2, 1)}, {"dilation": 2}, {"stride": (2, 1), "padding": 1, "dilation": (1, 2)}],
    ids=str,
)
def test_convolution_without_subspace_is_nn_conv2d(bias, options):
    layer = HLOPConv2d(2, 3, (3, 2), bias=bias, dtype=torch.float64, **options)
    plain = nn.Conv2d(2, 3, (3, 2), bias=bias, dtype=torch.float64, **options)
    plain.load_state_dict(layer.state_dict(), strict=False)
    assert_equal_gradients(layer, plain, torch.randn(2, 2, 6, 7, dtype=torch.float64))
    assert_equal_gradients(layer, plain, torch.randn(2, 6, 7, dtype=torch.float64))


def test_a_subspace_that_still_learns_its_first_task_changes_nothing():
    layer, plain = HLOPLinear(5, 2), nn.Linear(5, 2)
    plain.load_state_dict(layer.state_dict(), strict=False)
    ContinualLearner(layer).begin_task(3)
    assert_equal_gradients(layer, plain, torch.randn(4, 5), atol=1e-6)


# ---- with one


def layer_of(kind, feedback="bp", project="input", **options):
    options |= {"feedback": feedback, "project": project, "dtype": torch.float64}
    if kind == "linear":
        return known(HLOPLinear(6, 4, **options), orthonormal(2, 6)), torch.randn(5, 6, dtype=torch.float64)
    layer = HLOPConv2d(2, 4, 3, 2, 1, **options)
    return known(layer, orthonormal(5, 18)), torch.randn(3, 2, 5, 5, dtype=torch.float64)


KINDS = pytest.mark.parametrize("kind", ["linear", "convolution"])
PROJECTS = pytest.mark.parametrize("project", ["input", "weight"])


@KINDS
@PROJECTS
@pytest.mark.parametrize("feedback", FEEDBACKS)
def test_weight_gradient_is_autograd_s_times_the_projection_and_the_input_gradient_the_feedback_s(
    kind, feedback, project
):
    layer, x = layer_of(kind, feedback, project)
    plain = nn.Linear(6, 4) if kind == "linear" else nn.Conv2d(2, 4, 3, 2, 1)
    plain.double().load_state_dict({"weight": layer.weight, "bias": layer.bias})
    grad = torch.randn_like(plain(x))
    expected = gradients(plain, x, grad)
    basis = layer.subspace.fixed
    outside = torch.eye(basis.shape[1], dtype=torch.float64) - basis.T @ basis
    expected[2] = (expected[2].flatten(1) @ outside).reshape(expected[2].shape)
    if feedback != "bp":
        plain.weight.data = layer.backward_weight()
        expected[1] = gradients(plain, x, grad)[1]
    for found, wanted in zip(gradients(layer, x, grad), expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-10, rtol=0)


@KINDS
@PROJECTS
def test_a_layer_that_is_not_projecting_has_plain_gradients(kind, project):
    layer, x = layer_of(kind, project=project)
    layer.is_projecting = False
    plain = nn.Linear(6, 4) if kind == "linear" else nn.Conv2d(2, 4, 3, 2, 1)
    plain.double().load_state_dict(layer.state_dict(), strict=False)
    assert_equal_gradients(layer, plain, x)


def test_sign_symmetric_feedback_has_the_weight_s_signs_and_the_scale_of_its_fan():
    layer, _ = layer_of("linear", "sign")
    torch.testing.assert_close(layer.backward_weight(), layer.weight.sign() / math.sqrt(6))
    conv, _ = layer_of("convolution", "sign")
    torch.testing.assert_close(conv.backward_weight(), conv.weight.sign() * math.sqrt(2 / (3 * 3 * 4)))
    before = layer.backward_weight()
    layer.weight.data.neg_()
    torch.testing.assert_close(layer.backward_weight(), -before)


@KINDS
def test_feedback_alignment_is_random_fixed_saved_and_not_trained(kind):
    layer, _ = layer_of(kind, "fa")
    assert layer.backward_weight().shape == layer.weight.shape
    bound = 1 / math.sqrt(layer.weight[0].numel())
    assert bound / 2 < layer.feedback_weight.abs().max() <= bound
    assert not torch.equal(layer.feedback_weight, layer.weight)
    assert "feedback_weight" in layer.state_dict()
    assert all(parameter is not layer.feedback_weight for parameter in layer.parameters())


def test_feedback_alignment_repeats_with_its_generator():
    one, other = (
        HLOPLinear(3, 2, feedback="fa", generator=torch.Generator().manual_seed(7)).feedback_weight for _ in range(2)
    )
    assert torch.equal(one, other)


class TwoLayers(nn.Module):
    def __init__(self, kind, feedback, project):
        super().__init__()
        options = {"bias": False, "feedback": feedback, "project": project}
        if kind == "linear":
            self.lower, n = HLOPLinear(10, 8, **options), 8
        else:
            self.lower, n = HLOPConv2d(2, 2, 3, **options), 8
        self.upper = HLOPLinear(n, 3, **options)

    def forward(self, x):
        return self.upper(torch.tanh(self.lower(x)).flatten(1))


@KINDS
@PROJECTS
@pytest.mark.parametrize("feedback", FEEDBACKS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_training_on_a_second_task_changes_no_output_on_the_first_task_s_activity(kind, feedback, project, momentum):
    """The whole subspace of the old activity is known exactly, and new rows are learned at the same time."""
    model = TwoLayers(kind, feedback, project)
    shape = (10,) if kind == "linear" else (2, 4, 4)
    old = torch.randn(3, *shape)
    learner = ContinualLearner(model)
    learner.begin_task(0)
    learner.end_task()
    hidden = torch.tanh(model.lower(old)).flatten(1).detach()
    for layer, x in ((model.lower, old), (model.upper, hidden)):
        samples = layer.samples(x)
        layer.subspace.extend(torch.linalg.qr(samples.T).Q.T)
    before, lower_before = model(old).detach(), model.lower.weight.detach().clone()
    learner.begin_task(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=momentum)
    learner.guard(optimizer)
    x, y = torch.randn(30, *shape), torch.randint(3, (30,))
    for _ in range(6):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    assert torch.dist(model.lower.weight, lower_before) > 0.02
    torch.testing.assert_close(model(old), before, atol=1e-5, rtol=0)


def test_spiking_lateral_neurons_project_every_step_by_rounded_responses():
    subspace = HebbianSubspace(6, spiking=SpikingLateral(2.0, 5))
    layer = known(HLOPLinear(6, 4, subspace=subspace), orthonormal(2, 6))
    x, grad = torch.randn(3, 7, 6), torch.randn(3, 7, 4)
    h = layer.subspace.fixed
    responses = ((x @ h.T).clamp(-2, 2) / 2 * 5).round() / 5 * 2
    expected = torch.einsum("tbo,tbi->oi", grad, x - responses @ h)
    torch.testing.assert_close(gradients(layer, x, grad)[2], expected)


# ---- time


@KINDS
@pytest.mark.parametrize("rate", [None, MeanRate(), WeightedRate()], ids=["spikes", "mean", "weighted"])
def test_time_axis_and_flattened_time_agree_in_gradients_and_in_what_is_learned(kind, rate):
    shape = (6,) if kind == "linear" else (2, 4, 4)
    x = torch.randn(3, 5, *shape)

    def made(timesteps):
        torch.manual_seed(1)
        options = {"rate": rate, "timesteps": timesteps}
        layer = HLOPLinear(6, 4, **options) if kind == "linear" else HLOPConv2d(2, 4, 3, **options)
        n = layer.subspace.n_features
        known(layer, orthonormal(2, n)).subspace.grow(2, torch.Generator().manual_seed(2))
        layer.is_learning = True
        return layer

    first, second = made(None), made(3)
    y = first(x)
    grad = torch.randn_like(y)
    y.backward(grad)
    flat = second(x.flatten(0, 1))
    flat.backward(grad.flatten(0, 1))
    torch.testing.assert_close(flat, y.flatten(0, 1))
    torch.testing.assert_close(first.weight.grad, second.weight.grad)
    torch.testing.assert_close(first.subspace.learning, second.subspace.learning)
    reference = HebbianSubspace(first.subspace.n_features)
    reference.extend(first.subspace.fixed)
    reference.grow(2, torch.Generator().manual_seed(2))
    seen = x.flatten(0, 1) if rate is None else torch.einsum("t,tb...->b...", rate.weights(3), x)
    reference.learn(seen if kind == "linear" else nn.functional.unfold(seen, 3).transpose(1, 2).reshape(-1, 18))
    torch.testing.assert_close(first.subspace.learning, reference.learning)


@KINDS
@pytest.mark.parametrize("spiking", [None, SpikingLateral(3.0, 9)], ids=["real", "spiking"])
@pytest.mark.parametrize("rate", [None, MeanRate()], ids=["spikes", "mean"])
def test_a_repeated_input_teaches_what_its_copies_would(kind, spiking, rate):
    x = torch.randn(5, *((6,) if kind == "linear" else (2, 4, 4)))
    learned = []
    for seen in (repeat(x, 4), repeat(x, 4).contiguous()):
        n = 6 if kind == "linear" else 18
        options = {"subspace": HebbianSubspace(n, spiking=spiking), "project": "input", "rate": rate}
        layer = HLOPLinear(6, 4, **options) if kind == "linear" else HLOPConv2d(2, 4, 3, **options)
        layer.subspace.grow(3, torch.Generator().manual_seed(2))
        layer.is_learning = True
        layer(seen)
        learned.append(layer.subspace.learning)
    torch.testing.assert_close(learned[0], learned[1])


def test_the_subspace_learns_only_in_training_and_when_told_to():
    layer = HLOPLinear(6, 4)
    layer.subspace.grow(2)
    start = layer.subspace.learning
    layer(torch.randn(5, 6))
    assert torch.equal(layer.subspace.learning, start)
    layer.is_learning = True
    layer.eval()(torch.randn(5, 6))
    assert torch.equal(layer.subspace.learning, start)
    with torch.no_grad():
        layer.train()(torch.randn(5, 6))
    assert not torch.equal(layer.subspace.learning, start)


@KINDS
def test_a_trace_stands_for_the_activity_in_the_weight_s_gradient_alone(kind):
    options = {"trace": LeakyTrace(4.0), "dtype": torch.float64}
    layer = HLOPLinear(6, 4, **options) if kind == "linear" else HLOPConv2d(2, 4, 3, **options)
    plain = nn.Linear(6, 4) if kind == "linear" else nn.Conv2d(2, 4, 3)
    plain.double().load_state_dict(layer.state_dict(), strict=False)
    x = torch.randn(3, 5, *((6,) if kind == "linear" else (2, 4, 4)), dtype=torch.float64)
    trace = torch.stack([sum(0.75 ** (t - s) * x[s] for s in range(t + 1)) for t in range(3)])
    grad = torch.randn_like(layer(x))
    on_input, on_trace = (gradients(plain, seen.flatten(0, 1), grad.flatten(0, 1)) for seen in (x, trace))
    y, grad_x, grad_weight, grad_bias = gradients(layer, x, grad)
    torch.testing.assert_close(y.flatten(0, 1), on_input[0])
    torch.testing.assert_close(grad_x.flatten(0, 1), on_input[1])
    torch.testing.assert_close(grad_weight, on_trace[2])
    torch.testing.assert_close(grad_bias, on_input[3])


def test_with_a_trace_the_subspace_learns_from_the_activity_and_from_its_trace():
    x = torch.randn(3, 5, 6)
    expected = torch.cat([x.flatten(0, 1), LeakyTrace()(x).flatten(0, 1)])
    torch.testing.assert_close(HLOPLinear(6, 4, trace=LeakyTrace()).samples(x), expected)


def test_a_rate_of_activity_and_trace_is_that_of_each():
    x, rate = torch.randn(3, 5, 6), WeightedRate()
    expected = torch.cat([rate(x), rate(LeakyTrace()(x))])
    torch.testing.assert_close(HLOPLinear(6, 4, trace=LeakyTrace(), rate=rate).samples(x), expected)


# ---- what is refused


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"feedback": "random"}, "feedback must be one of bp, fa, sign, not 'random'"),
        ({"project": "output"}, "project must be one of input, weight, not 'output'"),
        ({"subspace": HebbianSubspace(3)}, "has 4 inputs, but its subspace has 3"),
        ({"subspace": HebbianSubspace(4, spiking=SpikingLateral()), "project": "weight"}, "need project='input'"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_options_that_do_not_fit_are_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        HLOPLinear(4, 2, **options)


@pytest.mark.parametrize("options", [{"groups": 2}, {"padding_mode": "reflect", "padding": 1}, {"padding": "same"}])
@pytest.mark.usefixtures("unchecked")
def test_convolutions_for_which_no_projection_is_defined_are_refused(options):
    with pytest.raises(ValueError, match="orthogonal projection is defined for"):
        HLOPConv2d(4, 4, 3, **options)


def test_a_batch_that_is_no_multiple_of_the_steps_is_refused():
    with pytest.raises(ValueError, match="7 is not a multiple of 3"):
        HLOPLinear(4, 2, timesteps=3)(torch.randn(7, 4))
