"""How much of the time gates are 0, and penalties that see to it (section 5)."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Penalty = Literal["kl", "l2"]
PENALTIES: tuple[Penalty, ...] = ("kl", "l2")
TINY = 1e-6


def sparsity_penalty(p: Float[Tensor, "batch gates"], target: float, kind: Penalty = "kl") -> Float[Tensor, ""]:
    """How far the mean activity of each gate is from a target, summed over gates.

    With the mean over the batch p̄ and the target ρ: KL(ρ ‖ p̄) = ρ log(ρ/p̄) + (1 − ρ) log((1 − ρ)/(1 − p̄)), whose
    derivative is (p̄ − ρ) / (p̄ (1 − p̄)); or (p̄ − ρ)². A gate may well be active often for some inputs: only its mean
    is penalized. A gate that is on for no example, or for all of them, counts as if it differed for half an example:
    there the divergence is infinite, and without a gradient the gate would stay as it is.

    Args:
        p: Probability of being active, of each example and gate.
        target: ρ.
        kind: `"kl"` or `"l2"`.

    Raises:
        ValueError: if the target is not within 0 and 1, or there is no such penalty.
    """
    check_target(target)
    mean = p.mean(0)
    if kind == "l2":
        return (mean - target).square().sum()
    if kind != "kl":
        raise ValueError(f"the penalty must be {' or '.join(PENALTIES)}, not {kind!r}")
    low, high = (min(0.5 / len(p), share / 2) for share in (target, 1 - target))
    inner = torch.where(mean < TINY, low, torch.where(mean > 1 - TINY, 1 - high, mean)).detach()
    mean = mean + (inner - mean.detach())
    return (target * (target / mean).log() + (1 - target) * ((1 - target) / (1 - mean)).log()).sum()


def check_target(target: float) -> None:
    """See that a share of active gates can be one.

    Raises:
        ValueError: if it does not lie between 0 and 1.
    """
    if not 0 < target < 1:
        raise ValueError(f"the share of gates that are to be active must lie between 0 and 1, not {target}")


@dataclass(frozen=True)
class GateActivity:
    """How often gates are not 0.

    Attributes:
        of_gate: Share of the examples for which each gate is active.
        of_example: Share of the gates that are active for each example.
    """

    of_gate: Float[Tensor, "gates"]
    of_example: Float[Tensor, "examples"]

    @property
    def mean(self) -> float:
        """Share of all gates and examples."""
        return float(self.of_gate.mean())

    @property
    def n_dead(self) -> int:
        """Gates that are never active."""
        return int((self.of_gate == 0).sum())

    @property
    def n_always_on(self) -> int:
        """Gates that are always active."""
        return int((self.of_gate == 1).sum())


def gate_activity(gates: Float[Tensor, "examples gates"]) -> GateActivity:
    """How often gates are not 0, from their outputs.

    Raises:
        ValueError: if there are none.
    """
    if not gates.numel():
        raise ValueError("there are no gates whose activity could be counted")
    active = (gates != 0).double()
    return GateActivity(active.mean(0), active.mean(1))


def distinct_patterns(gates: Float[Tensor, "examples gates"]) -> int:
    """Number of different sets of active gates: gates turn parts of a network off in combinatorially many ways."""
    return len(torch.unique(gates != 0, dim=0))
