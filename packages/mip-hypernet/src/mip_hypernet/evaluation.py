"""What a trained network reaches at each γ."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import nn

from separata.output import Output, table

from .model import HyperModel
from .tasks import Part, Task


@dataclass(frozen=True)
class EvaluationReport:
    """Metrics over γ.

    Attributes:
        gammas: The values of γ; in several dimensions, that of each.
        rows: Metrics at each of them, `loss` among them.
    """

    gammas: tuple[float, ...]
    rows: tuple[dict[str, float], ...]

    def mean(self, metric: str = "loss") -> float:
        """Mean of a metric over γ."""
        return fmean(row[metric] for row in self.rows)

    def output(self) -> Output:
        """A table of γ and metrics, and their means."""
        rows = [{"gamma": gamma, **row} for gamma, row in zip(self.gammas, self.rows, strict=True)]
        return table(rows, {f"mean_{metric}": self.mean(metric) for metric in self.rows[0]})


def evaluate(model: nn.Module, task: Task, gammas: Sequence[float], part: Part = "test") -> EvaluationReport:
    """Metrics of a task at each γ, of the plain network that `instantiate` gives.

    Args:
        model: The network with its hypernetwork; or a plain network, which is the same for all γ.
        task: The task, on the model's device.
        gammas: Values of γ in [0, 1]; in several dimensions, the same in each.
        part: Which samples.

    Raises:
        ValueError: if there is no γ, or one is outside [0, 1].
    """
    if not gammas:
        raise ValueError("an evaluation needs one γ or more")
    device = next(model.parameters()).device
    rows = []
    for value in gammas:
        gamma = torch.full((task.dim,), float(value), device=device)
        network = model.instantiate(gamma=gamma) if isinstance(model, HyperModel) else model
        rows.append(task.metrics(task.bind(network.eval(), gamma), part, gamma))
    return EvaluationReport(tuple(map(float, gammas)), tuple(rows))
