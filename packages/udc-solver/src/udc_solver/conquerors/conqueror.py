"""What every network for sub-problems does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from udc_solver.instances import Batch


@dataclass(frozen=True)
class SubProblems(Batch):
    """Sub-problems of one kind and size, with the answers that the solution holds now.

    Args:
        current: Its part of the solution, in the form of the network's answers.
        cost: Of that part, in the units of the network's costs.
    """

    current: Tensor
    cost: Float[Tensor, " subs"]


@dataclass(frozen=True)
class Rollout(Batch):
    """Answers of a network, several to each sub-problem.

    Args:
        answers: In the form of `SubProblems.current`.
        costs: Of each answer; infinite where it is not feasible.
    """

    answers: Tensor
    costs: Float[Tensor, "subs starts"]

    def best(self) -> tuple[Tensor, Float[Tensor, " subs"]]:
        """The cheapest answer to each sub-problem, and its cost."""
        costs, which = self.costs.min(1)
        return self.answers[torch.arange(len(which), device=which.device), which], costs


@runtime_checkable
class Conqueror(Protocol):
    """A network for sub-problems. It is an `nn.Module`, too."""

    default_starts: int
    """Answers to each sub-problem where they are greedy."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """As of every `nn.Module`."""
        ...

    def train(self, mode: bool = True) -> Any:  # noqa: ANN401 - as of every `nn.Module`
        """As of every `nn.Module`."""
        ...

    def rollout(
        self, sub: SubProblems, n_starts: int, generator: torch.Generator | None = None, *, record: bool = False
    ) -> Rollout:
        """Answers, without gradients.

        Args:
            sub: Sub-problems.
            n_starts: Answers to each.
            generator: Draws answers from the policy; greedy if there is none.
            record: Keep in the rollout what `log_probs` needs.
        """
        ...

    def log_probs(self, sub: SubProblems, rollout: Rollout) -> Float[Tensor, "subs starts"]:
        """The logarithm of the probability of each recorded answer, with gradients."""
        ...

    def n_elements(self, sub: SubProblems, n_starts: int) -> int:
        """Roughly the numbers that one sub-problem needs at once in `log_probs`; batches are cut by it."""
        ...
