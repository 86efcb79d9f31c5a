"""Samplers with exact denoisers have the law that the method says."""

import math

import pytest
import torch

from noprop import (
    ClassEmbedding,
    CosineSchedule,
    LearnedSchedule,
    NoPropDT,
    NoPropFM,
    ancestral,
    integrate,
    probability_flow,
)
from noprop.samplers import make_noise, no_noise


class Line:
    """A schedule in closed form: log-odds that rise evenly, from -g to g if no other end is given."""

    def __init__(self, g, end=None):
        self.begin, self.span = -g, g + (g if end is None else end)

    def abar(self, t):
        return torch.sigmoid(self.begin + self.span * t)

    def rate(self, t):
        return torch.full_like(t, self.span)


class Exact(torch.nn.Module):
    """A block that knows the class: the first feature of the sample."""

    def __init__(self, dim, n_outputs):
        super().__init__()
        self.n_outputs = n_outputs

    def forward(self, x, z):
        return 1e4 * torch.nn.functional.one_hot(x[:, 0].long(), self.n_outputs).to(z.dtype)


def assert_law(z, u, abar):
    """Mean sqrt(abar) u and variance 1 - abar, within three standard errors and a bit for the number of tests."""
    n = len(z)
    error = 4 * math.sqrt((1 - abar) / n)
    torch.testing.assert_close(z.mean(0), math.sqrt(abar) * u, atol=error, rtol=0)
    torch.testing.assert_close(z.var(0), torch.full_like(u, 1 - abar), atol=4 * (1 - abar) * math.sqrt(2 / n), rtol=0)


def test_blocks_that_know_the_class_give_the_law_of_the_last_state():
    schedule = CosineSchedule(6, begin=0.02)
    model = NoPropDT(3, Exact, schedule=schedule)
    y = torch.full((100_000, 1), 2.0)
    z = model.sample(y, torch.Generator().manual_seed(0))
    assert_law(z, model.embedding.weight[2], schedule.abar[-1].item())


def test_ancestral_sampling_in_continuous_time_has_the_law():
    schedule, u = Line(8.0), torch.tensor([1.0, -0.5])
    z = torch.randn(100_000, 2, generator=torch.Generator().manual_seed(0))
    *_, last = ancestral(lambda z, t: u.expand_as(z), schedule, z, 7, make_noise(torch.Generator().manual_seed(1)))
    assert_law(last, u, schedule.abar(torch.tensor(1.0)).item())


def exact_flow(schedule, u, z):
    """The solution of the probability-flow ODE with û = u: the distance to sqrt(abar) u scales as sqrt(1 - abar)."""
    first, last = schedule.abar(torch.tensor(0.0).double()), schedule.abar(torch.tensor(1.0).double())
    return last.sqrt() * u + ((1 - last) / (1 - first)).sqrt() * (z - first.sqrt() * u)


@pytest.mark.parametrize(("heun", "order"), [(False, 1), (True, 2)])
def test_the_ode_s_error_falls_as_its_order_says(heun, order):
    schedule, u = Line(3.0), torch.tensor([1.0, -0.5]).double()
    z = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)).double()
    expected = exact_flow(schedule, u, z)
    errors = []
    for n in (80, 160, 320):
        *_, last = probability_flow(lambda z, t: u.expand_as(z), schedule, z, n, heun=heun)
        errors.append((last - expected).abs().max().item())
    for larger, smaller in zip(errors, errors[1:]):
        assert math.log2(larger / smaller) == pytest.approx(order, abs=0.15)


def test_the_ode_carries_noise_to_the_law_of_the_last_state():
    schedule, u = Line(14.0, 4.0), torch.tensor([1.0, 0.0, 2.0])
    z = torch.randn(100_000, 3, generator=torch.Generator().manual_seed(0))
    *_, last = probability_flow(lambda z, t: u.expand_as(z), schedule, z, 300, heun=True)
    assert_law(last, u, schedule.abar(torch.tensor(1.0)).item())


def test_the_sde_s_drift_alone_is_not_the_flow():
    """What would be wrong: following lambda (sqrt(abar) û - (1 + abar) / 2 z) without noise loses the variance."""
    schedule, u = Line(7.0), torch.tensor([1.0, 0.0])
    z = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0))

    def drift(z, t):
        abar = schedule.abar(t)
        return schedule.rate(t) * (abar.sqrt() * u - (1 + abar) / 2 * z)

    *_, last = integrate(drift, z, 2000, heun=True)
    assert last.var(0).max() < 0.1 * (1 - schedule.abar(torch.tensor(1.0)))


def test_a_learned_schedule_is_sampled_like_any():
    torch.manual_seed(0)
    schedule, u = LearnedSchedule(), torch.tensor([1.0, -0.5])
    z = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        *_, last = ancestral(lambda z, t: u.expand_as(z), schedule, z, 10, make_noise(torch.Generator().manual_seed(1)))
        assert_law(last, u, schedule.abar(torch.tensor(1.0)).item())


class Straight(torch.nn.Module):
    """The exact field of flow matching to one point: v = (u - z) / (1 - t)."""

    def __init__(self, dim, n_outputs, u):
        super().__init__()
        self.u = u

    def forward(self, x, z, t):
        return (self.u - z) / (1 - t[:, None])


@pytest.mark.parametrize("steps", [1, 5])
def test_an_exact_flow_ends_at_the_embedding(steps):
    embedding = ClassEmbedding(2)
    model = NoPropFM(2, lambda dim, n: Straight(dim, n, embedding.weight[1].detach()), embedding=embedding)
    model.sampler = model.with_sampler(sampler="ode-euler", steps=steps)
    z = model.sample(torch.zeros(40, 1), torch.Generator().manual_seed(0))
    torch.testing.assert_close(z, embedding.weight[1].detach().expand(40, 2), atol=1e-5, rtol=0)


def test_noise_is_the_generator_s_or_none():
    z = torch.zeros(5, 2)
    draw = make_noise(torch.Generator().manual_seed(3))
    assert torch.equal(draw(z), torch.randn(5, 2, generator=torch.Generator().manual_seed(3)))
    assert torch.equal(no_noise(z + 1), z)
    with pytest.raises(ValueError, match="at least 1 step"):
        list(integrate(lambda z, t: z, z, 0, heun=False))
