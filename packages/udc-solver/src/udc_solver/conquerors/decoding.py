"""Answers built node by node, all sub-problems and all their starts at once."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from udc_solver.sampling import choose

from .conqueror import Rollout, SubProblems

Inputs = Mapping[str, Tensor]
"""What a decoder sees of partial answers, by name: tensors of shape (subs, starts, ...)."""


@runtime_checkable
class Episode(Protocol):
    """Partial answers of all sub-problems while they are built."""

    def is_over(self) -> bool:
        """Whether all answers are complete."""
        ...

    def inputs(self) -> Inputs:
        """What the decoder sees now."""
        ...

    def allowed(self) -> Bool[Tensor, "subs starts nodes"]:
        """What may be chosen now: at least one node in each answer."""
        ...

    def advance(self, chosen: Int[Tensor, "subs starts"]) -> None:
        """Add the chosen nodes."""
        ...

    def finish(self) -> tuple[Tensor, Float[Tensor, "subs starts"]]:
        """The answers and their costs."""
        ...


@dataclass(frozen=True)
class DecodedRollout(Rollout):
    """Answers with the choices that made them: steps come second in each shape.

    Args:
        inputs: What the decoder saw at each step.
        allowed: What it could choose.
        chosen: What it chose.
    """

    inputs: dict[str, Tensor] = field(default_factory=dict)
    allowed: Bool[Tensor, "subs steps starts nodes"] | None = None
    chosen: Int[Tensor, "subs steps starts"] | None = None

    def _map(self, function: Callable[[Tensor], Tensor]) -> "DecodedRollout":
        inputs = {name: function(value) for name, value in self.inputs.items()}
        allowed, chosen = (None if one is None else function(one) for one in (self.allowed, self.chosen))
        return DecodedRollout(function(self.answers), function(self.costs), inputs, allowed, chosen)


class DecodingConqueror(nn.Module):
    """A conqueror that encodes sub-problems once, and then chooses one node after another."""

    default_starts = 2

    @abstractmethod
    def encode(self, sub: Any) -> Any:  # noqa: ANN401 - each has its own kind of sub-problems
        """What the decoder needs of the sub-problems at every step."""

    @abstractmethod
    def episode(self, sub: Any, n_starts: int) -> Episode:  # noqa: ANN401 - as above
        """Empty answers, `n_starts` to each sub-problem."""

    @abstractmethod
    def logits(
        self,
        encoded: Any,  # noqa: ANN401 - as above
        inputs: Inputs,
        allowed: Bool[Tensor, "subs some nodes"],
    ) -> Float[Tensor, "subs some nodes"]:
        """Logits of all nodes for some partial answers of each sub-problem; those that are not allowed do not count."""

    def rollout(
        self, sub: SubProblems, n_starts: int, generator: torch.Generator | None = None, *, record: bool = False
    ) -> Rollout:
        """Answers, without gradients; greedy if there is no generator. See `Conqueror`."""
        steps: list[tuple[Inputs, Tensor, Tensor]] = []
        with torch.no_grad():
            encoded = self.encode(sub)
            episode = self.episode(sub, n_starts)
            while not episode.is_over():
                inputs, allowed = episode.inputs(), episode.allowed()
                logits = self.logits(encoded, inputs, allowed).masked_fill(~allowed, -torch.inf)
                chosen = choose(logits, generator)
                if record:
                    steps.append((inputs, allowed, chosen))
                episode.advance(chosen)
            answers, costs = episode.finish()
        if not record:
            return DecodedRollout(answers, costs)
        if not steps:
            none = costs.new_zeros(len(costs), 0, costs.shape[1], dtype=torch.long)
            return DecodedRollout(answers, costs, {}, none[..., None].bool(), none)
        inputs = {name: torch.stack([one[0][name] for one in steps], 1) for name in steps[0][0]}
        allowed = torch.stack([one[1] for one in steps], 1)
        chosen = torch.stack([one[2] for one in steps], 1)
        return DecodedRollout(answers, costs, inputs, allowed, chosen)

    def log_probs(self, sub: SubProblems, rollout: Rollout) -> Float[Tensor, "subs starts"]:
        """The logarithm of the probability of each recorded answer: all steps at once, with gradients.

        Raises:
            ValueError: if the rollout was not recorded.
        """
        if not isinstance(rollout, DecodedRollout) or rollout.allowed is None or rollout.chosen is None:
            raise ValueError("the rollout was not recorded; give record=True")
        if not rollout.chosen.shape[1]:
            return torch.zeros_like(rollout.costs)
        inputs = {name: value.flatten(1, 2) for name, value in rollout.inputs.items()}
        allowed = rollout.allowed.flatten(1, 2)
        logits = self.logits(self.encode(sub), inputs, allowed).masked_fill(~allowed, -torch.inf)
        picked = logits.log_softmax(-1).gather(-1, rollout.chosen.flatten(1, 2)[..., None])
        return picked.view(rollout.chosen.shape).sum(1)

    def n_elements(self, sub: SubProblems, n_starts: int) -> int:
        """Answers times steps times nodes. See `Conqueror`."""
        n_nodes = sub.current.shape[-1]
        return n_starts * n_nodes * n_nodes
