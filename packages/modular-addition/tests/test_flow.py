"""The flow against known numbers, SciPy, its invariants, and a step of training."""

import math

import pytest
import torch

from modular_addition import (
    Batch,
    FourierReport,
    PairData,
    crossing_time,
    decoupled_flow,
    flow_rates,
    invariants,
    loss_and_gradients,
    make_config,
    make_net,
    scipy_flow,
    train,
    wrap,
)


@pytest.mark.parametrize(
    ("phi", "psi", "time", "angle", "alpha", "beta", "second"),
    [
        (1.5, 0.18, 1400.0, 0.0293, 0.04831, 0.03697, 2.5286e-6),
        (-0.72, -2.91, 700.0, 0.00781, 0.11238, 0.08071, 7.9594e-6),
    ],
)
def test_known_states(phi, psi, time, angle, alpha, beta, second):
    path = decoupled_flow(0.02, 0.02, phi, psi, 23, time)
    assert float(path.misalignment) == pytest.approx(angle, abs=6e-5)
    assert float(path.alpha) == pytest.approx(alpha, abs=6e-6)
    assert float(path.beta) == pytest.approx(beta, abs=6e-6)
    first, kept = path.invariants
    assert float(first) == pytest.approx(-4e-4, rel=1e-7)
    assert float(kept) == pytest.approx(second, rel=1e-4)


def test_runge_kutta_and_scipy_agree_and_keep_the_invariants():
    time = torch.linspace(0, 400, 10)
    ours, theirs = decoupled_flow(0.02, 0.03, 1.0, 0.3, 23, time), scipy_flow(0.02, 0.03, 1.0, 0.3, 23, time)
    for name in ("alpha", "beta", "phi", "psi"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), rtol=1e-8, atol=1e-10)
    for kept, begun in zip(
        ours.invariants, invariants(ours.alpha[:1], ours.beta[:1], ours.misalignment[:1]), strict=True
    ):
        assert float((kept / begun - 1).abs().max()) < 1e-6


def test_alignment_attracts_and_its_opposite_repels():
    angle = torch.tensor([0.1, 1.5, 3.0, -2.0], dtype=torch.double)
    rates = flow_rates(torch.stack([torch.full((4,), 0.02), torch.full((4,), 0.02), angle / 2, 0 * angle]), 23)
    change = 2 * rates[2] - rates[3]
    assert torch.equal(change.sign(), -angle.sign())
    near_opposite = decoupled_flow(0.02, 0.02, 1.55, 0.0, 23, torch.tensor([0.0, 300.0]))
    assert float(near_opposite.misalignment[1]) < float(near_opposite.misalignment[0])


def test_times_to_a_threshold_are_those_of_scipy():
    from scipy.integrate import solve_ivp

    alpha = torch.tensor([0.02, 0.05, 0.01, 0.03, 0.07])
    beta = torch.tensor([0.02, 0.01, 0.04, 0.03, 0.02])
    angle = torch.tensor([1.0, -2.5, 2.0, 0.0, 0.5])
    found = crossing_time(alpha, beta, angle, 11, 0.06)
    assert found[4] == 0
    for i in range(4):

        def rates(_, s):
            a, b, d = s
            return [2 * a * b * math.cos(d) / 11, a * a * math.cos(d) / 11, -(4 * b + a * a / b) * math.sin(d) / 11]

        def reached(_, s):
            return s[0] - 0.06

        reached.terminal, reached.direction = True, 1
        start = [float(alpha[i]), float(beta[i]), float(angle[i])]
        solved = solve_ivp(rates, (0, 1e5), start, "DOP853", events=reached, rtol=1e-10, atol=1e-14)
        assert float(found[i]) == pytest.approx(solved.t_events[0][0], rel=1e-3)


def test_the_worse_aligned_the_later_up_to_the_opposite_state():
    angle = torch.tensor([0.0, 0.5, 1.5, 2.5, 3.1, torch.pi], dtype=torch.double)
    found = crossing_time(torch.tensor(0.02), torch.tensor(0.02), angle, 11, 0.06)
    assert (found.diff() > 0).all()
    assert found[-1] > 10 * found[0]
    mirrored = crossing_time(torch.tensor(0.02), torch.tensor(0.02), -angle, 11, 0.06)
    torch.testing.assert_close(mirrored[:-1], found[:-1])


@pytest.mark.parametrize("scale", [1e-150, 1e-6, 1e200])
def test_times_scale_inversely_with_magnitudes(scale):
    states = torch.tensor([[0.02, 0.03, 0.01], [0.01, 0.05, 0.02]], dtype=torch.double)
    angle = torch.tensor([0.3, -2.0, 1.2], dtype=torch.double)
    found = crossing_time(*(scale * states), angle, 11, 0.06 * scale)
    torch.testing.assert_close(found * scale, crossing_time(*states, angle, 11, 0.06), rtol=1e-9, atol=0)


def test_what_has_no_flow_is_refused():
    with pytest.raises(ValueError, match="odd"):
        crossing_time(torch.tensor(0.02), torch.tensor(0.02), torch.tensor(1.0), 12, 0.06)
    with pytest.raises(ValueError, match="positive"):
        decoupled_flow(0.0, 0.02, 1.0, 1.0, 11, 1.0)


def test_a_whole_training_from_single_frequencies_is_the_flow():
    """The paper's run quad_single_freq, with a smaller group and larger steps, up to where it would blow up."""
    config = make_config("quad_single_freq", p=7, width=24, lr=0.5, steps=220, log_every=50)
    net = make_net(config)
    before = FourierReport.from_weights(net.w_in, net.w_out)
    trainer = train(net, PairData.make(7), config.train)
    after = FourierReport.from_weights(net.w_in, net.w_out)
    assert after.frequency.equal(before.frequency)
    assert after.ipr > 0.99
    assert float(trainer.records["train_loss"][-1, 0]) == pytest.approx(math.log(7), abs=0.01)
    # The first ten steps rise to the rate: 0, 0.1, .. 0.9 of it.
    time = config.train.lr * (config.train.steps - 10 + 4.5)
    told = decoupled_flow(before.alpha, before.beta, before.phi, before.psi, 7, time)
    assert float((told.alpha[0] / before.alpha - 1).abs().max()) > 0.5, "there is something to predict"
    torch.testing.assert_close(after.alpha, told.alpha[0], rtol=0.03, atol=0)
    torch.testing.assert_close(after.beta, told.beta[0], rtol=0.03, atol=0)
    off = wrap(after.misalignment - told.misalignment[0])
    assert float(off.abs().max()) < 0.1
    assert float(wrap(after.phi - told.phi[0]).abs().max()) < 0.1


def test_a_step_of_training_at_small_weights_is_the_flow():
    g = torch.Generator().manual_seed(0)
    p, j = 11, torch.arange(11, dtype=torch.double)
    k = torch.tensor([1, 2, 3, 4, 5, 1], dtype=torch.double)[:, None]
    for scale, bound in ((1e-2, 3e-5), (1e-3, 3e-8)):
        phi, psi = (2 * torch.pi * torch.rand(6, 1, generator=g, dtype=torch.double) for _ in range(2))
        w = 2 * torch.pi * k * j / p
        w_in, w_out = scale * torch.cos(w + phi), (scale * torch.cos(w + psi)).T
        _, of_in, of_out = loss_and_gradients(
            w_in[None], w_out[None].contiguous(), Batch.stack([PairData.make(p)]), "quad"
        )
        theta = 2 / p * scale**2 * torch.cos(w + psi - phi)
        xi = 1 / p * scale**2 * torch.cos(w + 2 * phi)
        for ours, theirs in ((-of_in[0], theta), (-of_out[0].T, xi)):
            assert float((ours - theirs).norm() / theirs.norm()) < bound
