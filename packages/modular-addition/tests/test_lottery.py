"""Predictions of winners against trainings, and against winners that are known."""

import pytest
import torch

from modular_addition import (
    FourierReport,
    ModularAdditionNet,
    TrainConfig,
    judge,
    lottery_tickets,
    play,
    predict_winner,
)

CONFIG = TrainConfig("sgd", lr=2.0, steps=1000)


def quad(seed, p=11, width=128):
    return ModularAdditionNet(p, width, "quad", generator=torch.Generator().manual_seed(seed))


def neuron(states, p=11):
    """Weights of one neuron with a magnitude in, one out and a misalignment for each frequency."""
    w = 2 * torch.pi * torch.arange(1, (p + 1) // 2)[:, None] * torch.arange(p) / p
    alpha, beta, angle = (torch.tensor(one)[:, None] for one in zip(*states, strict=True))
    w_in = (alpha * torch.cos(w)).sum(0)[None]
    return w_in, (beta * torch.cos(w - angle)).sum(0)[:, None]


def test_with_equal_magnitudes_the_best_aligned_wins():
    weights = neuron([(0.02, 0.02, angle) for angle in (2.0, 1.0, -0.3, 3.0, -1.4)])
    assert predict_winner(*weights).item() == predict_winner(*weights, "phase").item() == 3
    found = lottery_tickets(*weights)
    assert found.misalignment[0].tolist() == pytest.approx([2.0, 1.0, -0.3, 3.0, -1.4], abs=1e-5)
    assert (found.time[0].argsort() + 1).tolist() == [3, 2, 5, 1, 4]


def test_with_equal_phases_the_largest_wins_and_both_count():
    weights = neuron([(a, 0.02, 0.7) for a in (0.02, 0.021, 0.04, 0.03, 0.01)])
    assert predict_winner(*weights).item() == predict_winner(*weights, "magnitude").item() == 3
    # Large but opposed, aligned but small, and neither.
    weights = neuron(
        [(0.03, 0.03, 3.1), (0.005, 0.005, 0.0), (0.025, 0.025, 0.6), (0.01, 0.01, 2.0), (0.01, 0.01, 1.5)]
    )
    winners = [predict_winner(*weights, name).item() for name in ("flow", "magnitude", "phase")]
    assert winners == [3, 1, 2]


def test_winners_of_training_are_predicted():
    played = play([quad(seed) for seed in range(3)], CONFIG)
    mean = {name: sum(one.accuracy[name] for one in played.reports) / 3 for name in played.reports[0].accuracy}
    assert mean["flow"] >= 0.85
    assert mean["flow"] >= mean["phase"] + 0.2
    assert mean["flow"] > max(mean["magnitude"], mean["product"])
    assert played.reports[0].chance == pytest.approx(0.2)
    assert all(80 < one.steps < 250 for one in played.reports)


def test_networks_that_play_together_end_as_each_alone():
    together, alone = [quad(0), quad(1)], quad(1)
    both, one = play(together, CONFIG), play(alone, CONFIG)
    assert both.reports[1].steps == one.reports[0].steps
    torch.testing.assert_close(together[1].w_in, alone.w_in, atol=2e-3, rtol=0)


def test_predictions_of_another_network_are_no_better_than_chance():
    trained = quad(0)
    play(trained, CONFIG)
    other = quad(5)
    report = judge(lottery_tickets(other.w_in, other.w_out), FourierReport.from_weights(trained.w_in, trained.w_out))
    assert report.accuracy["flow"] < 0.4
    with pytest.raises(ValueError, match="different networks"):
        judge(
            lottery_tickets(other.w_in[:5], other.w_out[:, :5]), FourierReport.from_weights(trained.w_in, trained.w_out)
        )


@pytest.mark.usefixtures("unchecked")
def test_what_has_no_winner_is_refused():
    with pytest.raises(ValueError, match="odd"):
        predict_winner(torch.randn(4, 12), torch.randn(12, 4))
    with pytest.raises(ValueError, match="zero"):
        predict_winner(torch.zeros(4, 7), torch.ones(7, 4))
    with pytest.raises(ValueError, match="train longer"):
        play(quad(0), TrainConfig("sgd", lr=0.5, steps=5))
    with pytest.raises(ValueError, match="luck"):
        predict_winner(torch.randn(4, 7), torch.randn(7, 4), "luck")
    with pytest.raises(ValueError, match=r"share their weights.*\(4, 14\)"):
        predict_winner(torch.randn(4, 14), torch.randn(7, 4))
    apart = FourierReport.from_weights(torch.randn(4, 14), torch.randn(7, 4))
    with pytest.raises(ValueError, match="share their weights"):
        judge(lottery_tickets(torch.randn(4, 7), torch.randn(7, 4)), apart)


@pytest.mark.gpu
def test_the_lottery_is_the_same_on_a_gpu():
    here, there = quad(0), quad(0).to("cuda")
    ours, theirs = play(here, CONFIG).reports[0], play(there, CONFIG).reports[0]
    assert abs(ours.steps - theirs.steps) <= 2
    assert (ours.frequency == theirs.frequency).double().mean() > 0.97
    torch.testing.assert_close(there.w_in.cpu(), here.w_in, atol=0.05, rtol=0)
