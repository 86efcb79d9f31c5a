"""Each neuron against closed forms: outputs, moments, and the gradient that passes."""

import copy
import math

import pytest
import torch
from torch import nn

from stochastic_neurons import (
    MultiplicativeNoise,
    NoisyHardSigmoid,
    NoisyRectifier,
    NoisySigmoid,
    Rectifier,
    RelaxedBernoulli,
    SmoothTimesStochastic,
    StraightThroughBernoulli,
    UnbiasedBernoulli,
    available_neurons,
    make_neuron,
    seed_neurons,
    set_inference,
)

N = 200_000
A = torch.tensor([-2.0, -0.3, 0.0, 0.8, 2.5], dtype=torch.float64)


def drawn(neuron, a=A, n=N, seed=0):
    """Samples of a neuron and the derivative of each."""
    neuron = neuron.double().train()
    neuron.generator = torch.Generator().manual_seed(seed)
    rows = a.expand(n, -1).clone().requires_grad_()
    h = neuron(rows)
    return h.detach(), torch.autograd.grad(h.sum(), rows)[0]


def test_straight_through_copies_the_gradient_or_scales_it():
    for scale in (False, True):
        h, slope = drawn(StraightThroughBernoulli(scale_by_sigmoid=scale), n=1000)
        assert set(h.unique().tolist()) == {0.0, 1.0}
        p = A.sigmoid()
        expected = p * (1 - p) if scale else torch.ones_like(p)
        torch.testing.assert_close(slope, expected.expand_as(slope))
    h, slope = drawn(StraightThroughBernoulli(threshold=True), n=3)
    assert h.tolist() == [[0.0, 0.0, 0.0, 1.0, 1.0]] * 3, "the threshold is not active at 0"
    assert (slope == 1).all()


@pytest.mark.parametrize("name", ["sbn", "st", "st-sigmoid", "relaxed-hard", "sts"])
def test_bernoulli_neurons_are_on_as_often_as_the_sigmoid_says(name):
    neuron = RelaxedBernoulli(hard=True) if name == "relaxed-hard" else make_neuron(name, 5)
    neuron = neuron.double()
    neuron.generator = torch.Generator().manual_seed(1)
    h = neuron.sample(A.expand(N, -1)).detach()
    error = h.std(0) / math.sqrt(N)
    assert ((h.mean(0) - A.sigmoid()).abs() < 4 * error).all()
    torch.testing.assert_close(neuron.expected(A), A.sigmoid())


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.5, 0.9])
def test_smooth_times_stochastic_has_the_moments_and_the_gradient_of_its_definition(ratio):
    h, slope = drawn(SmoothTimesStochastic(ratio))
    p = A.sigmoid()
    error = h.std(0) / math.sqrt(N)
    assert ((h.mean(0) - p).abs() <= 4 * error + 1e-12).all()
    # E[h²] = p^r p^(2 − 2r)
    assert ((h.square().mean(0) - p ** (2 - ratio)).abs() <= 4 * h.square().std(0) / math.sqrt(N) + 1e-12).all()
    expected = (1 - ratio) * p * (1 - p)
    assert ((slope.mean(0) - expected).abs() <= 4 * slope.std(0) / math.sqrt(N) + 1e-12).all()
    if ratio == 0.5:
        on = h > 0
        torch.testing.assert_close(h[on], p.sqrt().expand_as(h)[on])
        torch.testing.assert_close(slope[on], (0.5 * p.sqrt() * (1 - p)).expand_as(h)[on])


def test_rescaled_it_is_unbiased_for_a_linear_loss_and_its_outputs_stay():
    plain, slope = drawn(SmoothTimesStochastic(0.4))
    scaled, steeper = drawn(SmoothTimesStochastic(0.4, rescale=True))
    torch.testing.assert_close(plain, scaled)
    torch.testing.assert_close(steeper, slope / 0.6)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_noisy_rectifiers_have_the_expectations_of_their_closed_forms(sigma):
    gaussian, slope = drawn(NoisyRectifier(sigma=sigma))
    z = A / sigma
    phi, below = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi), torch.special.ndtr(z)
    for values, expected in (
        (gaussian, sigma * phi + A * below),
        (slope, below),
        ((gaussian > 0).double(), below),
    ):
        assert ((values.mean(0) - expected).abs() < 4 * values.std(0) / math.sqrt(N) + 1e-5).all()
    logistic, slope = drawn(NoisyRectifier("logistic", sigma))
    for values, expected in (
        (logistic, sigma * torch.nn.functional.softplus(z)),
        (slope, z.sigmoid()),
        ((logistic > 0).double(), z.sigmoid()),
    ):
        assert ((values.mean(0) - expected).abs() < 4 * values.std(0) / math.sqrt(N) + 1e-5).all()
    for name, expected in (
        ("gaussian", sigma * phi + A * below),
        ("logistic", sigma * torch.nn.functional.softplus(z)),
    ):
        torch.testing.assert_close(NoisyRectifier(name, sigma).expected(A), expected)


@pytest.mark.parametrize(
    "neuron",
    [
        NoisyHardSigmoid(),
        NoisyHardSigmoid("logistic", 0.5),
        NoisySigmoid(1.5),
        MultiplicativeNoise(0.7),
        RelaxedBernoulli(0.7),
    ],
)
def test_the_mean_mode_is_the_mean_of_samples_and_its_slope_that_of_theirs(neuron):
    h, slope = drawn(neuron)
    a = A.clone().requires_grad_()
    expected = neuron.expected(a)
    assert ((h.mean(0) - expected).abs() < 4 * h.std(0) / math.sqrt(N) + 1e-4).all()
    derivative = torch.autograd.grad(expected.sum(), a)[0]
    assert ((slope.mean(0) - derivative).abs() < 4 * slope.std(0) / math.sqrt(N) + 1e-4).all()


def test_baselines_have_no_noise():
    for neuron, expected in ((Rectifier(), A.relu()), (make_neuron("sigmoid", 5), A.sigmoid())):
        torch.testing.assert_close(neuron(A), expected)
        torch.testing.assert_close(neuron.eval()(A), expected)
    soft = A.clone().requires_grad_()
    active = Rectifier().probability(soft)
    assert active.tolist() == [0, 0, 0, 1, 1]
    torch.testing.assert_close(torch.autograd.grad(active.sum(), soft)[0], A.sigmoid() * (1 - A.sigmoid()))


@pytest.mark.parametrize("name", available_neurons())
def test_every_neuron_is_seeded_keeps_its_type_and_answers_without_noise_in_two_ways(name):
    model = nn.Sequential(nn.Linear(3, 5), make_neuron(name, 5), nn.Linear(5, 2))
    x = torch.randn(7, 3)
    outputs = []
    for _ in range(2):
        seed_neurons(model, torch.Generator().manual_seed(3))
        with torch.no_grad():
            outputs.append(model.train()(x))
    torch.testing.assert_close(outputs[0], outputs[1], rtol=0, atol=0)
    for inference in ("mean", "threshold"):
        set_inference(model, inference)
        torch.testing.assert_close(model.eval()(x), model.eval()(x), rtol=0, atol=0)
    neuron = model[1].train()
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        assert neuron(torch.randn(4, 5, dtype=dtype)).dtype == dtype
    copied = copy.deepcopy(model)
    assert copied.state_dict().keys() == model.state_dict().keys()


def test_the_threshold_is_on_where_on_is_likelier_than_off():
    neuron = make_neuron("noisy-relu", 5).eval()
    neuron.inference = "threshold"
    torch.testing.assert_close(neuron(A), A.relu())
    smooth = SmoothTimesStochastic(inference="threshold").eval()
    p = A.sigmoid()
    torch.testing.assert_close(smooth(A), torch.where(p.sqrt() > 0.5, p.sqrt(), 0.0))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ["st", "st-sigmoid", "sts", "noisy-relu", "relaxed", "noisy-sigmoid"])
def test_the_gradient_passes_a_compiled_network_and_autocast(name):
    model = nn.Sequential(nn.Linear(3, 5), make_neuron(name, 5), nn.Linear(5, 1))
    x = torch.randn(8, 3)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.manual_seed(0)
    plain = torch.autograd.grad(model(x).sum(), model[0].weight)[0]
    torch.manual_seed(0)
    torch.testing.assert_close(torch.autograd.grad(compiled(x).sum(), model[0].weight)[0], plain)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(x).float().sum()
    assert torch.autograd.grad(loss, model[0].weight)[0].abs().sum() > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: StraightThroughBernoulli(inference="argmax"),
            "inference must be sample, mean, threshold, not 'argmax'",
        ),
        (lambda: SmoothTimesStochastic(1.2), "within 0 and 1, not 1.2"),
        (lambda: SmoothTimesStochastic(1.0, rescale=True), "no gradient to rescale"),
        (lambda: NoisyRectifier("cauchy"), "gaussian or logistic, not 'cauchy'"),
        (lambda: NoisyRectifier(sigma=0.0), "must be positive"),
        (lambda: NoisySigmoid(float("nan")), "must not be negative"),
        (lambda: MultiplicativeNoise(-1.0), "not be negative, not -1"),
        (lambda: RelaxedBernoulli(0.0), "temperature must be positive"),
        (lambda: UnbiasedBernoulli(3, baseline="median"), "baseline must be optimal, mean, learned, none"),
        (lambda: UnbiasedBernoulli(3, decay=1.0), "below 1"),
        (lambda: UnbiasedBernoulli(0), "at least one"),
        (lambda: make_neuron("perceptron", 3), "no neuron 'perceptron'; there are sbn, st"),
        (lambda: make_neuron("st", 3, sigma=2.0), "the neuron st has no setting sigma"),
        (lambda: set_inference(nn.Identity(), "median"), "inference must be"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_settings_that_cannot_be_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", available_neurons())
def test_what_is_not_a_number_stays_visible(name):
    a = torch.tensor([[0.3, float("nan")]])
    neuron = make_neuron(name, 2)
    assert neuron.train()(a).isnan().tolist() == [[False, True]]
    neuron.inference = "threshold"
    assert neuron.eval()(a).isnan().tolist() == [[False, True]]


def test_units_may_be_masked_with_infinity():
    a = torch.tensor([float("inf"), -float("inf"), 0.0]).requires_grad_()
    h = StraightThroughBernoulli()(a)
    assert h[:2].tolist() == [1, 0]
    assert torch.autograd.grad(h.sum(), a)[0][2] == 1
