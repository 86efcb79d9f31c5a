"""A wrapped module in a dendrite phase: what it recorded, and how well its candidates do so far."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .copies import State, restore, snapshot
from .correlation import Moments, batch_covariance, batch_objective
from .module import DendriticModule

RUNNING = 0.99
"""Share of the running covariance that a batch leaves, of which the sign is taken."""


@dataclass(frozen=True)
class Recording:
    """One use of a module: its arguments, the outputs of its older dendrites, and the errors of its neurons."""

    inputs: tuple[tuple[Any, ...], dict[str, Any]]
    older: Sequence[Tensor]
    error: Float[Tensor, "patterns nodes"]

    @property
    def n_bytes(self) -> int:
        """Memory that it takes."""
        tensors = [value for value in (*self.inputs[0], *self.inputs[1].values()) if isinstance(value, Tensor)]
        return sum(tensor.nbytes for tensor in (*tensors, *self.older, self.error))


@dataclass
class Layer:
    """A wrapped module in a dendrite phase.

    Attributes:
        total: Moments of the epoch so far.
        reference: Moments of the whole data, from the first pass.
        running: Covariances whose signs count: those of the last pass, moved on by each batch.
        best: Best score of each candidate and neuron so far; `kept` are the weights that had it.
        pearson, regression: Those of the kept weights.
    """

    name: str
    module: DendriticModule
    total: Moments | None = None
    reference: Moments | None = None
    running: Tensor | None = None
    best: Tensor | None = None
    pearson: Tensor | None = None
    regression: Tensor | None = None
    kept: State = field(default_factory=dict)
    kept_lateral: Tensor | None = None

    def add(self, values: Float[Tensor, "k patterns nodes"], error: Float[Tensor, "patterns nodes"]) -> None:
        """Count patterns toward the epoch's moments."""
        moments = Moments.of(values, error)
        self.total = moments if self.total is None else self.total + moments

    def objective(
        self, values: Float[Tensor, "k patterns nodes"], error: Float[Tensor, "patterns nodes"]
    ) -> Float[Tensor, ""]:
        """What the step on a batch raises; the batch then counts toward the running covariance."""
        assert self.reference is not None  # noqa: S101 - for the type checker
        assert self.running is not None  # noqa: S101 - for the type checker
        value = batch_objective(values, error, self.running.sign(), self.reference, self.module.config.score)
        with torch.no_grad():
            covariance = batch_covariance(values.double(), error.double(), self.reference.mean_error)
            self.running = RUNNING * self.running + (1 - RUNNING) * covariance
        return value

    def end_pass(self) -> float:
        """Compare the epoch's scores with the best so far, keep the weights where they are better; the mean score.

        Raises:
            FloatingPointError: if the errors, or the candidates' outputs, are not finite.
            ValueError: if the module was not used.
        """
        total, self.total = self.total, None
        if total is None:
            raise ValueError(unused(self.name))
        score = total.score(self.module.config.score)
        if not (score.isfinite().all() and total.error_deviation.isfinite().all()):
            raise FloatingPointError(f"the errors that reach {self.name}, or its dendrites, are not finite")
        self.running = total.covariance
        if self.reference is None:
            self.reference = total
        self._keep(score, total)
        return float(score.mean())

    def _keep(self, score: Float[Tensor, "k nodes"], total: Moments) -> None:
        candidates, lateral = self.module.candidates, self.module.candidate_lateral
        assert candidates is not None  # noqa: S101 - for the type checker
        assert lateral is not None  # noqa: S101 - for the type checker
        if self.best is None or self.pearson is None or self.regression is None or self.kept_lateral is None:
            self.best, self.pearson, self.regression = score, total.pearson, total.regression()
            self.kept, self.kept_lateral = snapshot(candidates), lateral.detach().clone()
            return
        better = candidates.better(score, self.best)
        self.best = torch.where(better, score, self.best)
        self.pearson = torch.where(better, total.pearson, self.pearson)
        self.regression = torch.where(better, total.regression(), self.regression)
        self.kept = candidates.keep(self.kept, better)
        self.kept_lateral = torch.where(better[:, None], lateral.detach(), self.kept_lateral)

    def choose(self) -> tuple[Int[Tensor, "nodes"], Float[Tensor, "nodes"], Float[Tensor, "nodes"]]:
        """Put the kept weights back; each neuron's best candidate, its correlation and its gain by regression."""
        candidates, lateral = self.module.candidates, self.module.candidate_lateral
        assert candidates is not None  # noqa: S101 - for the type checker
        assert lateral is not None  # noqa: S101 - for the type checker
        assert self.best is not None  # noqa: S101 - for the type checker
        assert self.pearson is not None  # noqa: S101 - for the type checker
        assert self.kept_lateral is not None  # noqa: S101 - for the type checker
        assert self.regression is not None  # noqa: S101 - for the type checker
        restore(candidates, self.kept)
        lateral.data.copy_(self.kept_lateral)
        choice = candidates.choose(self.best)
        at = (choice, torch.arange(len(choice), device=choice.device))
        return choice, self.pearson[at], self.regression[at]


def unused(name: str) -> str:
    """What is said of a module that no error reached."""
    return f"no error reached {name} in this phase: the network does not use it, or the loss does not depend on it"
