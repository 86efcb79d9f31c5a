"""The three models: their losses against their definitions, and that blocks know nothing of each other."""

import math

import pytest
import torch
from noprop_own import bars, blobs
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import cross_entropy

from noprop import (
    ClassEmbedding,
    CosineSchedule,
    LearnedSchedule,
    ModelConfig,
    NoPropCT,
    NoPropDT,
    NoPropFM,
    SamplerConfig,
    SampleShape,
    make_model,
)
from noprop.continuous import spread_times
from noprop.model import prior_kl, repeated

SHAPE = SampleShape((6,), ("a", "b", "c"))
IMAGES = SampleShape((1, 8, 8), ("a", "b", "c"))


class Mixing(nn.Module):
    """A small block of one's own, with or without a time."""

    def __init__(self, dim, n_outputs):
        super().__init__()
        self.x, self.z = nn.Linear(6, n_outputs), nn.Linear(dim, n_outputs)

    def forward(self, x, z, t=None):
        return torch.tanh(self.x(x)) + self.z(z) + (0 if t is None else t[:, None])


def model_of(variant="dt", **settings):
    torch.manual_seed(0)
    settings = {"n_steps": 3, "channels": "3,4", "width": 8} | settings
    data = bars() if settings.get("embedding") == "prototype" else blobs()
    shape = IMAGES if settings.get("embedding") == "prototype" else SHAPE
    return make_model(ModelConfig(variant, **settings), shape, prototypes=(data.x, data.y)), data


def test_the_prior_term_is_the_divergence():
    u, abar = torch.randn(7, 5).double(), 0.3
    q = Normal(math.sqrt(abar) * u, math.sqrt(1 - abar))
    expected = kl_divergence(q, Normal(torch.zeros_like(u), 1)).sum(1).mean()
    torch.testing.assert_close(prior_kl(u, abar), expected, rtol=1e-12, atol=1e-12)


def test_a_block_s_loss_is_its_definition():
    model = NoPropDT(3, Mixing, schedule=CosineSchedule(4), eta=0.7)
    data, generator = blobs(20), torch.Generator().manual_seed(5)
    t, T = 3, 4
    found = model.block_loss(t, data.x, data.y, generator)
    noise = torch.randn(20, 3, generator=torch.Generator().manual_seed(5))
    abar = model.schedule.abar
    u = torch.eye(3)[data.y]
    z = abar[t - 1].sqrt().float() * u + (1 - abar[t - 1]).sqrt().float() * noise  # block t reads z_{t-1}
    error = (model.blocks[t - 1](data.x, z).softmax(1) - u).square().sum(1).mean()
    snr = abar / (1 - abar)
    torch.testing.assert_close(found, T / 2 * 0.7 * (snr[t] - snr[t - 1]).float() * error)


def test_the_head_s_loss_is_its_definition():
    model = NoPropDT(3, Mixing, embedding=ClassEmbedding(3, "learned", 5))
    y = torch.arange(9) % 3
    found = model.head_loss(y, torch.Generator().manual_seed(5))
    noise = torch.randn(9, 5, generator=torch.Generator().manual_seed(5))
    u, abar = model.embedding.weight[y], model.schedule.abar.float()
    z = abar[-1].sqrt() * u + (1 - abar[-1]).sqrt() * noise
    kl = 0.5 * (abar[0] * u.square().sum(1).mean() - 5 * abar[0] - 5 * torch.log(1 - abar[0]))
    torch.testing.assert_close(found, cross_entropy(model.head.f_out(z), y) + kl)


def test_the_whole_loss_is_the_mean_over_blocks():
    """As `block_loss` has the factor T, a random block's is an unbiased estimate of the sum in the objective."""
    model, data = NoPropDT(3, Mixing, schedule=CosineSchedule(2)), blobs(30)
    found = model.loss(data.x, data.y, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    parts = [model.block_loss(t, data.x, data.y, generator) for t in (1, 2)]
    torch.testing.assert_close(found, model.head_loss(data.y, generator) + torch.stack(parts).mean())


@pytest.mark.parametrize("settings", [{}, {"embedding": "prototype"}, {"embedding": "learned", "dim": 5}])
def test_nothing_of_another_block_is_touched(settings):
    """A thousand losses of a block beside blocks of NaN, and no gradient in any of them."""
    model, data = model_of(**settings)
    x, y = data.x[:4], data.y[:4]
    for number, block in enumerate(model.blocks, 1):
        if number != 2:
            for parameter in block.parameters():
                parameter.data.fill_(math.nan)
    n = 1000 if not settings else 20
    total = sum(model.block_loss(2, x, y) for _ in range(n))
    assert total.isfinite()
    model.block_loss(2, x, y).backward()
    for number, block in enumerate(model.blocks, 1):
        has_gradient = [parameter.grad is not None for parameter in block.parameters()]
        assert all(has_gradient) if number == 2 else not any(has_gradient)
        assert number != 2 or all(parameter.grad.isfinite().all() for parameter in block.parameters())


def test_a_chain_is_its_formula():
    model, data = model_of()
    model.eval()
    z = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    expected, x = z, data.x[:5]
    for t in (1, 2, 3):
        a, b, _ = model.schedule.posterior_coefficients(t)
        expected = a * model.blocks[t - 1](x, expected).softmax(1) + b * expected
    torch.testing.assert_close(model(x, z), model.head.f_out(expected))
    path = model.sample(x, torch.Generator().manual_seed(0), return_path=True)
    assert path.shape == (4, 5, 3)
    torch.testing.assert_close(path[0], z)
    assert torch.equal(model.sample(x, torch.Generator().manual_seed(0)), path[-1])


@pytest.mark.parametrize("variant", ["dt", "ct", "fm"])
def test_inference(variant):
    model, data = model_of(variant)
    x = data.x[:7]
    model.train()
    sampler = SamplerConfig(steps=4, n_runs=3, seed=1)
    model.sampler = model.with_sampler(steps=4)
    found = model.predict_proba(x, sampler)
    assert model.training
    torch.testing.assert_close(found.sum(1), torch.ones(7))
    assert torch.equal(found, model.predict_proba(x, sampler))
    assert not torch.equal(found, model.predict_proba(x, SamplerConfig(steps=4, n_runs=3, seed=2)))
    model.eval()
    fixed = model.predict_proba(x, SamplerConfig(steps=4, deterministic=True))
    torch.testing.assert_close(fixed, model(x).softmax(1))
    # In evaluation mode, no sample depends on the others in its batch.
    torch.testing.assert_close(model(x)[:2], model(x[:2]), atol=1e-5, rtol=1e-5)
    assert model.double()(x.double()).dtype == torch.float64


@pytest.mark.parametrize("sampler", ["ancestral", "ode-euler", "ode-heun"])
def test_what_depends_on_the_sample_alone_is_computed_once(sampler):
    model, data = model_of("ct")
    calls = []
    model.block.encoder.register_forward_hook(lambda *_: calls.append(1))
    found = model.predict_proba(data.x[:5], SamplerConfig(sampler, steps=6, n_runs=4))
    assert len(calls) == 1

    # The same through a block that has no such part.
    class Whole(nn.Module):
        def __init__(self, block):
            super().__init__()
            self.block = block

        def forward(self, x, z, t):
            return self.block(x, z, t)

    model.block = Whole(model.block)
    torch.testing.assert_close(model.predict_proba(data.x[:5], SamplerConfig(sampler, steps=6, n_runs=4)), found)


def test_the_continuous_loss_is_its_integral():
    """With many samples, the mean over random times is the integral over t, here by the trapezoid rule."""
    torch.manual_seed(0)
    model = NoPropCT(3, Mixing, schedule=LearnedSchedule(-3.0, 3.0), eta=0.8).double()
    n = 200_000
    x, y = torch.zeros(n, 6).double(), torch.zeros(n, dtype=torch.long)
    with torch.no_grad():
        found = model.loss(x, y, torch.Generator().manual_seed(0))
        u, terms = torch.eye(3)[0].double(), []
        grid = torch.linspace(0, 1, 41).double()
        noise = torch.randn(4000, 3).double()
        for t in grid:
            abar = model.schedule.abar(t)
            z = abar.sqrt() * u + (1 - abar).sqrt() * noise
            error = (model.block(x[:4000], z, t.expand(4000)).softmax(1) - u).square().sum(1).mean()
            terms.append(model.schedule.snr_rate(t) * error)
        end = model.schedule.abar(torch.tensor(1.0).double())
        z = end.sqrt() * u + (1 - end).sqrt() * noise
        head = cross_entropy(model.head.f_out(z), y[:4000])
        expected = head + prior_kl(u[None], model.schedule.abar(torch.tensor(0.0).double()))
        expected = expected + 0.4 * torch.trapezoid(torch.stack(terms), grid)
    torch.testing.assert_close(found, expected, rtol=0.03, atol=0)


def test_the_schedule_learns_with_the_model():
    model, data = model_of("ct")
    model.loss(data.x, data.y).backward()
    for parameter in model.schedule.parameters():
        assert parameter.grad.isfinite().all()
    assert model.schedule.gamma_0.grad != 0


def test_flow_matching_s_loss_is_its_definition():
    torch.manual_seed(0)
    model = NoPropFM(3, Mixing)
    data, generator = blobs(20), torch.Generator().manual_seed(5)
    found = model.loss(data.x, data.y, generator)
    again = torch.Generator().manual_seed(5)
    t = spread_times(20, again)
    z_0, u = torch.randn(20, 3, generator=again), torch.eye(3)[data.y]
    z = t[:, None] * u + (1 - t[:, None]) * z_0
    v = model.block(data.x, z, t)
    expected = (v - (u - z_0)).square().sum(1).mean()
    head = cross_entropy(model.head.f_out(z + (1 - t[:, None]) * v), data.y)
    torch.testing.assert_close(found, expected + head)
    # With a fixed embedding the network learns from the first term alone.
    found.backward()
    (expected_gradient,) = torch.autograd.grad(expected, [model.block.z.weight])
    torch.testing.assert_close(model.block.z.weight.grad, expected_gradient)


def test_a_learned_embedding_of_flow_matching_is_anchored():
    """Without the anchor, equal embeddings would have no loss; the anchor pulls at them."""
    model, data = model_of("fm", embedding="learned", dim=4)
    model.loss(data.x, data.y).backward()
    assert model.embedding.weight.grad.abs().max() > 0
    assert model.block.joint[-1].weight.grad.abs().max() > 0


def test_times_are_spread_evenly():
    times = spread_times(1000, torch.Generator().manual_seed(0))
    assert torch.equal((times.sort().values * 1000).long(), torch.arange(1000))
    assert not torch.equal(times, times.sort().values)


def test_models_move_and_take_their_weights_back():
    for variant in ("dt", "ct", "fm"):
        model, data = model_of(variant)
        other, _ = model_of(variant)
        for parameter in other.parameters():
            parameter.data.add_(0.1)
        other.load_state_dict(model.state_dict())
        for one in (model, other):
            one.sampler = one.with_sampler(steps=3)
        assert torch.equal(model.eval()(data.x[:3]), other.eval()(data.x[:3]))
        with torch.autocast("cpu", torch.bfloat16):
            assert model(data.x[:3]).isfinite().all()


def test_inference_leaves_each_module_in_its_mode():
    model, data = model_of()
    model.train()
    model.blocks[1].eval()  # such as a backbone whose statistics are kept
    model.predict_proba(data.x[:5])
    assert [block.training for block in model.blocks] == [True, False, True]


def test_no_samples_have_no_predictions(unchecked):
    for variant in ("dt", "ct", "fm"):
        model, data = model_of(variant)
        found = model.predict_proba(data.x[:0], SamplerConfig(steps=2))
        assert found.shape == (0, 3)
        with pytest.raises(ValueError, match="at least one sample"):
            model.accuracy(data.x[:0], data.y[:0])
        with pytest.raises(ValueError, match="one label for each sample"):
            model.accuracy(data.x[:3], data.y[:1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gamma": 11.0}, "gamma must be at most 10"),
        ({"eta": math.inf}, "eta must be positive"),
        ({"flow_noise": math.inf}, "flow_noise must be at least 0 and finite"),
    ],
)
def test_settings_that_no_training_survives_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig("ct", **settings)


def test_the_widest_noise_range_is_trained_in_single_precision():
    model, data = model_of("ct", gamma=10.0)
    model.loss(data.x, data.y).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.schedule.parameters())
    assert model.predict_proba(data.x[:4], SamplerConfig(steps=40)).isfinite().all()


def test_what_does_not_fit_is_refused(unchecked):
    with pytest.raises(ValueError, match="embedding has 4 classes, but the model 3"):
        NoPropDT(3, Mixing, embedding=ClassEmbedding(4))
    model = NoPropDT(3, lambda dim, n: Mixing(dim, n + 1))
    data = blobs(10)
    with pytest.raises(ValueError, match=r"logits of shape \(10, 3\).*not \(10, 4\)"):
        model.block_loss(1, data.x, data.y)
    with pytest.raises(ValueError, match="there is no step 11"):
        model.block_loss(11, data.x, data.y)
    timed = NoPropFM(3, lambda dim, n: Mixing(dim, n + 1))
    with pytest.raises(ValueError, match=r"output of shape \(10, 3\)"):
        timed.loss(data.x, data.y)
    with pytest.raises(ValueError, match="labels lie between 0 and 2, not 0 and 3"):
        model.check_labels(data.x, torch.tensor([3] + [0] * 9))
    with pytest.raises(ValueError, match="one label for each sample"):
        model.check_labels(data.x, data.y[:4])
    with pytest.raises(ValueError, match="7 states do not belong to 3 samples"):
        repeated(torch.zeros(3, 2), 7)
    embedding = ClassEmbedding(3, "learned", 4)
    embedding.weight.data[1] = embedding.weight.data[0]
    with pytest.raises(ValueError, match="classes 0 and 1"):
        NoPropDT(3, Mixing, embedding=embedding)
