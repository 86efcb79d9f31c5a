"""How well a network classifies, and how quadratic it is."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from separata.labeled import LabeledDataset
from separata.models import count_parameters
from separata.output import finite

from .expressivity import quadratic_energy
from .layer import quadratic_layers

BATCH = 1024


@dataclass(frozen=True)
class EvaluationReport:
    """A classifier on labeled samples.

    Attributes:
        n: Samples.
        accuracy: Share of them that are classified correctly.
        cross_entropy: Mean cross-entropy in nats.
        n_parameters: Trainable numbers.
        energy: How far each quadratic layer is from a conventional one, as `quadratic_energy` tells.
    """

    n: int
    accuracy: float
    cross_entropy: float
    n_parameters: int
    energy: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "cross_entropy": finite(self.cross_entropy)}

    def __str__(self) -> str:
        lines = [
            f"accuracy {100 * self.accuracy:.2f} % of {self.n:,} samples, cross-entropy {self.cross_entropy:.4f}",
            f"{self.n_parameters:,} parameters",
        ]
        if self.energy:
            told = ", ".join(f"{name} {value:.3g}" for name, value in self.energy.items())
            lines.append(f"quadratic terms relative to the regular weights: {told}")
        return "\n".join(lines)


@torch.no_grad()
def evaluate(model: nn.Module, data: LabeledDataset) -> EvaluationReport:
    """Measure a classifier in evaluation mode.

    Args:
        model: Maps samples to logits; it is left in evaluation mode.
        data: Samples, which are moved to its device.
    """
    device = next(model.parameters()).device
    model.eval()
    right, loss = 0, 0.0
    for x, y in zip(data.x.split(BATCH), data.y.split(BATCH), strict=True):
        logits, target = model(x.to(device)), y.to(device)
        right += int((logits.argmax(1) == target).sum())
        loss += float(cross_entropy(logits, target, reduction="sum"))
    energy = quadratic_energy(model) if quadratic_layers(model) else {}
    return EvaluationReport(len(data), right / len(data), loss / len(data), count_parameters(model), energy)
