"""Which frequency will win in each neuron, told from its initial weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from separata.loop import Track

from .configs import TrainConfig, check_odd
from .diagnosis import FourierReport
from .flow import crossing_time
from .fourier import wrap
from .groups import PairData
from .network import ModularAdditionNet
from .training import Trainer

Predictor = Literal["flow", "product", "magnitude", "phase"]
THRESHOLD = 3.0
"""A frequency has won when its magnitude is so many times the largest initial one of all."""


@dataclass(frozen=True)
class LotteryTickets:
    """The initial state of each neuron and frequency, and when its magnitude would reach the common threshold.

    Attributes:
        alpha: Input magnitudes.
        beta: Output magnitudes.
        misalignment: D = 2φ - ψ.
        time: First time, learning rate times steps, at which the flow brings α to the threshold.
    """

    alpha: Float[Tensor, "width frequencies"]
    beta: Float[Tensor, "width frequencies"]
    misalignment: Float[Tensor, "width frequencies"]
    time: Float[Tensor, "width frequencies"]

    def winner(self, predictor: Predictor = "flow") -> Int[Tensor, "width"]:
        """The frequency, from 1, that should win in each neuron.

        Args:
            predictor: By the smallest crossing time of the flow (flow); the largest α β cos D (product); the largest α
                (magnitude); or the smallest |D| (phase), which is right where all magnitudes are equal.

        Raises:
            ValueError: if there is no such predictor.
        """
        scores = {
            "flow": -self.time,
            "product": self.alpha * self.beta * self.misalignment.cos(),
            "magnitude": self.alpha,
            "phase": -self.misalignment.abs(),
        }
        if predictor not in scores:
            raise ValueError(f"the predictor must be one of {', '.join(scores)}, not '{predictor}'")
        return scores[predictor].argmax(1) + 1


def lottery_tickets(w_in: Float[Tensor, "width p"], w_out: Float[Tensor, "p width"]) -> LotteryTickets:
    """The tickets of initial weights.

    The theory is of squares as activation, small weights and plain gradient descent; with Adam, or with weights that
    have been trained already, times mean little.

    Raises:
        ValueError: if p is even, the shapes are not (M, p) and (p, M), a weight is not finite, a magnitude is zero, or
            a neuron is too far from what a network starts with for any frequency to grow.
    """
    report = FourierReport.of_shared_weights(w_in, w_out)
    check_odd(report.p)
    alpha, beta = report.inputs.magnitude, report.outputs.magnitude
    if not ((alpha > 0).all() and (beta > 0).all()):
        raise ValueError("some magnitudes are zero, so that their frequencies cannot grow")
    angle = wrap(2 * report.inputs.phase - report.outputs.phase)
    time = crossing_time(alpha, beta, angle, report.p, THRESHOLD * float(alpha.max()))
    if not time.isfinite().any(1).all():
        raise ValueError("in some neurons no frequency would grow to the threshold; are these weights of a network?")
    return LotteryTickets(alpha, beta, angle, time)


def predict_winner(
    w_in: Float[Tensor, "width p"], w_out: Float[Tensor, "p width"], predictor: Predictor = "flow"
) -> Int[Tensor, "width"]:
    """The frequency, from 1, that each neuron will learn, from its initial weights.

    Raises:
        ValueError: as `lottery_tickets`, or if there is no such predictor.
    """
    return lottery_tickets(w_in, w_out).winner(predictor)


@dataclass(frozen=True)
class LotteryReport:
    """How often predictions were right.

    Attributes:
        accuracy: Share of neurons whose frequency was predicted, for each predictor.
        large_accuracy: The same among the half of neurons with the larger trained magnitude.
        chance: Of a random guess.
        steps: Steps of the training; -1 if it is not known.
        frequency: The frequency that each neuron has learned.
    """

    accuracy: dict[str, float]
    large_accuracy: dict[str, float]
    chance: float
    steps: int
    frequency: Int[Tensor, "width"]


def judge(tickets: LotteryTickets, trained: FourierReport, steps: int = -1) -> LotteryReport:
    """Compare the predictions with the weights after training.

    Raises:
        ValueError: if they are of networks of another shape, or the two numbers have weights of their own.
    """
    if trained.second is not None:
        raise ValueError("the two numbers of the trained network must share their weights, (M, p) in and (p, M) out")
    if tickets.alpha.shape != trained.inputs.magnitude.shape:
        raise ValueError(
            f"initial and trained weights are of different networks: {tuple(tickets.alpha.shape)} and "
            f"{tuple(trained.inputs.magnitude.shape)} neurons and frequencies"
        )
    is_large = trained.alpha >= trained.alpha.median()
    right = {name: tickets.winner(name) == trained.frequency for name in get_args(Predictor)}
    return LotteryReport(
        {name: float(one.double().mean()) for name, one in right.items()},
        {name: float(one[is_large].double().mean()) for name, one in right.items()},
        1 / trained.n_frequencies,
        steps,
        trained.frequency,
    )


@dataclass(frozen=True)
class LotteryRun:
    """Trainings up to the point where frequencies have won.

    Attributes:
        reports: How right the predictions were, for each network.
        tickets: The tickets of each.
        steps: Steps at which the first network was watched.
        alpha: Its input magnitudes then.
        misalignment: Its misalignments then.
    """

    reports: list[LotteryReport]
    tickets: list[LotteryTickets]
    steps: list[int]
    alpha: Float[Tensor, "times width frequencies"]
    misalignment: Float[Tensor, "times width frequencies"]


def play(
    nets: ModularAdditionNet | Sequence[ModularAdditionNet],
    config: TrainConfig,
    *,
    stop_at: float = 0.3,
    track: Track | None = None,
) -> LotteryRun:
    """Predict, train on addition until the loss is below `stop_at` times that of guessing, and compare.

    Networks that are there stay as they are while others go on.

    Args:
        nets: Networks with their initial weights; trained in place.
        config: How they are trained; SGD, if the theory is to hold.
        stop_at: Share of log p.
        track: Shows progress over steps.

    Raises:
        ValueError: if a network does not get there within `config.steps`.
        FloatingPointError: if a loss is not finite.
    """
    some = [nets] if isinstance(nets, ModularAdditionNet) else list(nets)
    p = some[0].p
    tickets = [lottery_tickets(net.theta.detach(), net.w_out.detach()) for net in some]
    trainer = Trainer(some, PairData.make(p), config)
    least = stop_at * torch.log(torch.tensor(float(p)))
    ends = torch.full((len(some),), -1)
    steps, alphas, angles = [], [], []
    for step in track(range(config.steps + 1), "steps") if track else range(config.steps + 1):
        trainer.gradients(step)
        losses = trainer.member_losses.cpu()
        if not losses.isfinite().all():
            raise FloatingPointError(
                f"training diverged: the loss is not finite at step {step}; lower the learning rate"
            )
        ends[(losses < least) & (ends < 0)] = step
        trainer.is_stopped = ends >= 0
        report = FourierReport.from_weights(trainer.theta[0], trainer.w_out[0])
        steps.append(step)
        alphas.append(report.inputs.magnitude)
        angles.append(wrap(2 * report.inputs.phase - report.outputs.phase))
        if trainer.is_stopped.all():
            break
        trainer.update()
    if (ends < 0).any():
        raise ValueError(
            f"the loss is still {float(losses.max()):.2f} after {config.steps} steps, not below {float(least):.2f}; "
            "train longer, or raise the learning rate"
        )
    trainer.write_back()
    reports = [
        judge(one, FourierReport.from_weights(net.theta, net.w_out), int(end))
        for one, net, end in zip(tickets, some, ends, strict=True)
    ]
    return LotteryRun(reports, tickets, steps, torch.stack(alphas), torch.stack(angles))
