"""The unbiased estimator: against enumeration, autograd and torch.distributions."""

import itertools
import warnings

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli
from torch.utils._python_dispatch import TorchDispatchMode

from stochastic_neurons import (
    UnbiasedBernoulli,
    estimator_statistics,
    exact_expectation,
    exact_gradient,
    exact_moments,
    exact_optimal_baseline,
    gradient_samples,
    make_function,
    optimal_baseline,
    score_function_loss,
    stochastic_backward,
)


def problem(kind, n=5, seed=0, offset=0.0):
    generator = torch.Generator().manual_seed(seed)
    f = make_function(kind, n, generator)
    return (lambda h: f(h) + offset), torch.randn(n, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("kind", ["linear", "quadratic", "multilinear", "mlp"])
def test_the_exact_gradient_is_that_of_the_sum_over_all_states(kind):
    f, a = problem(kind)
    a = a.requires_grad_()
    p = a.sigmoid()
    total = 0.0
    for bits in itertools.product((0.0, 1.0), repeat=5):
        h = torch.tensor([bits], dtype=torch.float64)
        total = total + torch.where(h[0] > 0, p, 1 - p).prod() * f(h)[0]
    torch.testing.assert_close(exact_expectation(f, a), total.detach())
    torch.testing.assert_close(exact_gradient(f, a), torch.autograd.grad(total, a)[0])


def test_closed_forms_of_linear_losses_and_of_a_product():
    c, a = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64), torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    p = a.sigmoid()
    f = lambda h: h @ c  # noqa: E731
    true = c * p * (1 - p)
    torch.testing.assert_close(exact_gradient(f, a), true)
    for name, mean in (("sbn", true), ("st", c), ("st-sigmoid", true), ("sts", true / 2), ("sts-rescaled", true)):
        torch.testing.assert_close(exact_moments(f, a, name).mean, mean)
    product = exact_gradient(lambda h: h[:, 0] * h[:, 1], a)
    torch.testing.assert_close(product, torch.stack([p[1] * p[0] * (1 - p[0]), p[0] * p[1] * (1 - p[1]), 0 * p[2]]))


def test_the_optimal_baseline_of_one_unit_leaves_no_variance():
    a = torch.tensor([0.7], dtype=torch.float64)
    p, (low, high) = float(a.sigmoid()), (1.5, -2.0)
    f = lambda h: low + (high - low) * h[:, 0]  # noqa: E731
    best = exact_optimal_baseline(f, a)
    assert float(best) == pytest.approx((1 - p) * high + p * low)
    moments = exact_moments(f, a, "sbn", baseline=best)
    assert float(moments.variance) == pytest.approx(0, abs=1e-20)
    assert float(moments.mean) == pytest.approx(p * (1 - p) * (high - low))


@pytest.mark.parametrize("kind", ["quadratic", "multilinear", "mlp"])
def test_no_baseline_has_less_variance_than_the_optimal_one(kind):
    f, a = problem(kind, offset=3.0)
    best = exact_optimal_baseline(f, a)
    least = exact_moments(f, a, "sbn", baseline=best).variance
    # The variance is a parabola in the baseline of each unit.
    for shift in (-0.5, -0.01, 0.01, 0.5):
        found = exact_moments(f, a, "sbn", baseline=best + shift).variance
        p = a.sigmoid()
        torch.testing.assert_close(found - least, shift**2 * p * (1 - p))
    mean = exact_expectation(f, a).expand(5)
    of_mean, of_none = (exact_moments(f, a, "sbn", baseline=b).variance.sum() for b in (mean, 0.0))
    assert least.sum() <= of_mean < of_none


@pytest.mark.parametrize("baseline", ["none", "mean", "optimal", "learned"])
def test_its_samples_are_unbiased(baseline):
    f, a = problem("mlp", offset=2.0)
    found = estimator_statistics(f, a, f"sbn-{baseline}", 50_000, seed=1)
    assert found.z.abs().max() < 4
    exact = exact_moments(f, a, "sbn", baseline=exact_optimal_baseline(f, a))
    if baseline == "optimal":
        torch.testing.assert_close(found.variance, exact.variance, rtol=0.05, atol=1e-4)


def test_the_biased_one_is_found_to_be_biased():
    f, a = problem("mlp", offset=2.0)
    found = estimator_statistics(f, a, "st", 20_000)
    assert found.z.abs().max() > 10
    torch.testing.assert_close(found.mean, exact_moments(f, a, "st").mean, rtol=0, atol=0.05)


@pytest.mark.parametrize("baseline", ["none", "mean", "optimal"])
def test_the_surrogate_has_the_gradient_of_the_log_probability_of_torch_distributions(baseline):
    torch.manual_seed(0)
    neuron = UnbiasedBernoulli(4, baseline=baseline).double()
    for _ in range(3):  # moving averages that are not empty
        neuron(torch.randn(32, 4, dtype=torch.float64).requires_grad_())
        score_function_loss(torch.rand(32, dtype=torch.float64), neuron)
    a = torch.randn(6, 4, dtype=torch.float64).requires_grad_()
    h = neuron(a)
    losses = torch.rand(6, dtype=torch.float64)
    b = {
        "none": torch.zeros(4, dtype=torch.float64),
        "mean": (neuron.mean_loss / (1 - 0.9**3)).expand(4),
        "optimal": neuron.numerator / neuron.denominator,
    }[baseline]
    expected = (Bernoulli(logits=a).log_prob(h) * (losses[:, None] - b)).sum(1).mean()
    expected_gradient = torch.autograd.grad(expected, a)[0]
    found = torch.autograd.grad(score_function_loss(losses, neuron), a)[0]
    torch.testing.assert_close(found, expected_gradient)


def test_moving_averages_are_those_of_the_batches_before():
    neuron = UnbiasedBernoulli(2, decay=0.5).double()
    numerator = denominator = torch.zeros(2, dtype=torch.float64)
    for k in range(4):
        a = torch.randn(8, 2, dtype=torch.float64).requires_grad_()
        h, losses = neuron(a), torch.full((8,), float(k + 1), dtype=torch.float64)
        square = (h - a.sigmoid()).square().mean(0).detach()
        assert torch.equal(neuron.denominator, denominator), "not changed before the loss is known"
        score_function_loss(losses, neuron)
        numerator, denominator = (numerator + square * (k + 1)) / 2, (denominator + square) / 2
        torch.testing.assert_close(neuron.numerator, numerator)
        torch.testing.assert_close(neuron.denominator, denominator)


def test_the_optimal_baseline_from_samples_is_near_the_exact_one():
    f, a = problem("multilinear", n=3, offset=1.0)
    h = torch.bernoulli(a.sigmoid().expand(100_000, -1), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        optimal_baseline(h, a.sigmoid(), f(h)), exact_optimal_baseline(f, a), rtol=0.03, atol=0.03
    )


def test_a_learned_baseline_learns_the_loss_and_leaves_the_gradient_to_the_rest():
    torch.manual_seed(0)
    layer, neuron = nn.Linear(3, 4), UnbiasedBernoulli(4, baseline="learned")
    optimizer = torch.optim.Adam(neuron.parameters(), 0.05)
    for _ in range(200):
        a = layer(torch.randn(64, 3))
        neuron(a)
        losses = 2 + a.detach().sum(1)
        optimizer.zero_grad()
        total = score_function_loss(losses, neuron)
        assert torch.autograd.grad(total, neuron.predictor.weight, retain_graph=True)[0].abs().sum() > 0
        total.backward()
        optimizer.step()
    a = layer(torch.randn(64, 3)).detach()
    torch.testing.assert_close(neuron.predictor(a)[:, 0], 2 + a.sum(1), atol=0.1, rtol=0)


def test_a_network_before_binary_units_learns_from_the_loss_alone():
    """Targets that a single layer of binary units can meet: the unit that decides them must find its input."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), UnbiasedBernoulli(3))
    optimizer = torch.optim.Adam(model.parameters(), 0.05)

    def losses(x):
        return (model(x)[:, 0] - (x[:, 0] > 0).float()).square().detach()

    x = torch.randn(512, 2)
    with torch.no_grad():
        before = losses(x).mean()
    for _ in range(500):
        optimizer.zero_grad()
        stochastic_backward(losses(torch.randn(128, 2)), model)
        optimizer.step()
    with torch.no_grad():
        after = losses(x).mean()
    assert before > 0.4
    assert after < 0.1


def test_used_twice_before_a_loss_both_uses_count():
    torch.manual_seed(0)
    neuron = UnbiasedBernoulli(2, baseline="none", uses=2)
    first, second = (torch.randn(3, 2).requires_grad_() for _ in range(2))
    h = [neuron(first), neuron(second)]
    losses = torch.rand(3)
    score_function_loss(losses, neuron).backward()
    for a, one in zip((first, second), h, strict=True):
        torch.testing.assert_close(a.grad, (one - a.detach().sigmoid()) * losses[:, None] / 3)


@pytest.mark.parametrize("baseline", ["mean", "optimal"])
def test_no_use_is_judged_by_a_baseline_that_knows_its_loss(baseline):
    torch.manual_seed(0)
    neuron = UnbiasedBernoulli(2, baseline=baseline, decay=0.5, uses=2)
    for _ in range(2):
        first, second = (torch.randn(3, 2).requires_grad_() for _ in range(2))
        h, losses = (neuron(first), neuron(second)), 5 + torch.rand(3)
        n = int(neuron.n_updates)
        of_before = {"mean": neuron.mean_loss / (1 - 0.5**n or 1), "optimal": neuron.numerator / neuron.denominator}
        b = of_before[baseline].clone() if n else torch.zeros(2)
        score_function_loss(losses, neuron).backward()
        for a, one in zip((first, second), h, strict=True):
            torch.testing.assert_close(a.grad, (one - a.detach().sigmoid()) * (losses[:, None] - b) / 3)
    assert n == 2


def test_the_rest_can_be_trained_where_what_is_before_the_units_is_frozen():
    model = nn.Sequential(nn.Linear(2, 3), UnbiasedBernoulli(3), nn.Linear(3, 1))
    model[0].requires_grad_(requires_grad=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(torch.randn(4, 2))
        stochastic_backward(model(torch.randn(4, 2))[:, 0].square(), model)
    assert model[2].weight.grad is not None
    assert model[0].weight.grad is None


def test_statistics_are_those_of_the_code_that_trains():
    f, a = problem("mlp", n=3)
    neuron = UnbiasedBernoulli(3, generator=torch.Generator().manual_seed(5)).double()
    b = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    neuron.numerator.copy_(b)
    neuron.denominator.fill_(1)
    neuron.n_updates.fill_(1)
    found = gradient_samples(f, a, neuron, 50)
    again = torch.rand(50, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    h = (again < a.sigmoid()).double()
    torch.testing.assert_close(found, (h - a.sigmoid()) * (f(h)[:, None] - b))


def test_the_learned_baseline_is_trained_before_it_is_measured():
    f, a = problem("mlp", offset=50.0)
    variance = estimator_statistics(f, a, "sbn-learned", 20_000).variance
    mean = exact_moments(f, a, "sbn", baseline=exact_expectation(f, a).expand(5)).variance
    torch.testing.assert_close(variance, mean, rtol=0.1, atol=1e-3)


@pytest.mark.parametrize("sigma", [0.05, 1.0])
def test_noise_that_is_narrow_is_not_taken_for_bias(sigma):
    a = torch.tensor([0.02, -0.01, 0.03])
    found = estimator_statistics(lambda h: (h.sum(1) - 1) ** 2, a, "noisy-relu", 100_000, sigma=sigma)
    assert found.z.abs().max() < 4


def test_many_units_are_interpolated_without_all_states_of_each_sample():
    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            largest = max(largest, out.numel() if isinstance(out, torch.Tensor) else 0)
            return out

    f, a = problem("multilinear", n=12)
    with Watch():
        f(torch.bernoulli(a.sigmoid().expand(1000, -1)))
    assert largest < 1000 * 2**8
    # Linear in a unit while the others stay.
    h = torch.rand(20, 12, dtype=torch.float64)
    low, middle, high = (f(torch.cat([h[:, :5], torch.full((20, 1), v), h[:, 6:]], 1)) for v in (0.0, 0.3, 1.0))
    torch.testing.assert_close(middle, 0.7 * low + 0.3 * high)


def test_forgetting_the_loss_is_told_once_and_evaluation_is_none_of_it():
    neuron = UnbiasedBernoulli(2)
    a = torch.randn(3, 2).requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            neuron.eval()(a)
        neuron.train()
        with torch.no_grad():
            neuron(a)
            neuron(a)
        neuron(a)
    with pytest.warns(UserWarning, match="called again before its loss was known"):
        neuron(a)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        neuron(a)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("losses", "message"),
    [
        (torch.tensor(1.0), r"of shape \(N,\), not of shape \(\)"),
        (torch.rand(4), "losses of 4 examples, but neurons drew for 3"),
    ],
)
def test_losses_that_are_not_of_each_example_are_refused(losses, message):
    neuron = UnbiasedBernoulli(2)
    neuron(torch.randn(3, 2).requires_grad_())
    with pytest.raises(ValueError, match=message):
        stochastic_backward(losses, neuron)


@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="drawn nothing yet"):
        score_function_loss(torch.rand(3), UnbiasedBernoulli(2))
    with pytest.raises(ValueError, match=r"shape \(2,\), but got inputs of shape \(3, 4\)"):
        UnbiasedBernoulli(2)(torch.randn(3, 4))
    with pytest.raises(ValueError, match="from 1 to 16 are possible"):
        exact_gradient(lambda h: h.sum(1), torch.zeros(17))
    with pytest.raises(ValueError, match="one number for each row"):
        exact_gradient(lambda h: h, torch.zeros(3))
    single = nn.Linear(3, 1)
    with pytest.raises(ValueError, match=r"failed on a tensor of shape \(8, 3\) in double precision \(h.float\(\)"):
        exact_gradient(lambda h: single(h)[:, 0], torch.zeros(3))
    exact_gradient(lambda h: single(h.float())[:, 0], torch.zeros(3))
    with pytest.raises(ValueError, match="neither draw noise nor average over rows"):
        exact_gradient(lambda h: h.sum(1) - h.mean(), torch.zeros(3))
    with pytest.raises(ValueError, match="not finite everywhere"):
        exact_gradient(lambda h: h.sum(1).log(), torch.zeros(3))
    with pytest.raises(ValueError, match="finite numbers"):
        exact_gradient(lambda h: h.sum(1), torch.tensor([0.0, float("nan")]))
    with pytest.raises(ValueError, match="no gradient, which this estimator copies"):
        exact_moments(lambda h: (h > 0.5).double().sum(1), torch.zeros(3), "st")
    with pytest.raises(ValueError, match="at least 2 samples"):
        estimator_statistics(lambda h: h.sum(1), torch.zeros(3), "st", 1)
    with pytest.raises(ValueError, match="baseline must be"):
        estimator_statistics(lambda h: h.sum(1), torch.zeros(3), "sbn-median")
