"""Majority voting: how many neurons of a frequency it takes, and what their phases do."""

import torch
from jaxtyping import Float
from torch import Tensor

from .configs import Activation, check_odd
from .diagnosis import FourierReport
from .groups import PairData
from .network import pair_logits


def addition_accuracy(
    w_in: Float[Tensor, "width p"], w_out: Float[Tensor, "p width"], activation: Activation = "relu"
) -> float:
    """Share of all ordered pairs whose largest logit is that of their sum.

    Raises:
        ValueError: if the shapes are not (M, p) and (p, M).
    """
    if w_in.mT.shape != w_out.shape:
        raise ValueError(f"the weights must be (M, p) and (p, M), not {tuple(w_in.shape)} and {tuple(w_out.shape)}")
    data = PairData.make(w_in.shape[1])
    logits = pair_logits(w_in.detach(), w_out.detach(), data.x, data.y, activation)
    is_right = (logits.argmax(-1, keepdim=True) == data.labels).double()
    return float((is_right * data.train).sum() / data.train.sum())


def vote_accuracy(
    w_in: Float[Tensor, "width p"],
    w_out: Float[Tensor, "p width"],
    n: int,
    activation: Activation = "relu",
    *,
    n_draws: int = 8,
    generator: torch.Generator | None = None,
) -> float:
    """Accuracy of addition with n random neurons of each frequency, or all where a frequency has fewer.

    Args:
        w_in: Input weights.
        w_out: Output weights.
        n: Neurons of each frequency.
        activation: σ.
        n_draws: Random choices; the mean counts.
        generator: Draws the neurons.

    Raises:
        ValueError: if n is not positive, or the weights are of no two-layer network.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1 neuron of each frequency, not {n}")
    report = FourierReport.of_shared_weights(w_in, w_out)
    found = []
    for _ in range(n_draws):
        order = torch.randperm(report.width, generator=generator)
        # Place of each neuron among those of its frequency, in a random order.
        groups = torch.nn.functional.one_hot(report.frequency[order] - 1, report.n_frequencies)
        place = (groups.cumsum(0) * groups).sum(1)
        chosen = order[place <= n]
        found.append(addition_accuracy(w_in[chosen], w_out[:, chosen], activation))
    return sum(found) / n_draws


def pure_weights(
    w_in: Float[Tensor, "width p"], w_out: Float[Tensor, "p width"], phases: str = "own"
) -> tuple[Float[Tensor, "width p"], Float[Tensor, "p width"]]:
    """The weights with only the cosine of each neuron's frequency left, in both layers.

    Args:
        w_in: Input weights.
        w_out: Output weights.
        phases: Keep them (`own`); or turn the neurons of each frequency to the same phase φ = 0, each keeping its
            misalignment (`equal`): an ablation of phase symmetry alone.

    Raises:
        ValueError: if there is no such choice of phases, p is even, or the weights are of no two-layer network.
    """
    if phases not in {"own", "equal"}:
        raise ValueError(f"phases must be own or equal, not {phases}")
    report = FourierReport.of_shared_weights(w_in, w_out)
    check_odd(report.p)
    phi = report.phi if phases == "own" else torch.zeros_like(report.phi)
    psi = 2 * phi - report.misalignment
    turns = (report.frequency[:, None] * torch.arange(report.p)) % report.p
    angle = 2 * torch.pi * turns.double() / report.p
    first = report.alpha[:, None] * torch.cos(angle + phi[:, None])
    second = report.beta[:, None] * torch.cos(angle + psi[:, None])
    return first.to(w_in.dtype), second.T.contiguous().to(w_out.dtype)
