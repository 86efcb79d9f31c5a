"""Errors of a network on samples."""

from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from .samples import Samples

BATCH = 2048


@dataclass(frozen=True)
class EvaluationReport:
    """Errors over all samples.

    Attributes:
        n: Samples.
        rmse: Root of the mean squared error, in the units of the targets; None of a classifier.
        r2: Share of the targets' variance that is explained; None of a classifier, or where they do not vary.
        accuracy: Share of right classes; None of a regression.
        cross_entropy: Mean cross-entropy in nats; None of a regression.
    """

    n: int
    rmse: float | None = None
    r2: float | None = None
    accuracy: float | None = None
    cross_entropy: float | None = None

    def to_json(self) -> dict[str, float | int | None]:
        """For JSON."""
        return asdict(self)

    @property
    def score(self) -> float:
        """Higher is better: minus the error, or the accuracy."""
        if self.rmse is not None:
            return -self.rmse
        return self.accuracy if self.accuracy is not None else float("nan")


@torch.no_grad()
def predict(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The outputs of a network in evaluation mode, batch by batch, on the CPU.

    Args:
        model: Maps samples to rows of outputs.
        x: The samples.
    """
    device, was_training = next(model.parameters()).device, model.training
    model.eval()
    outputs = torch.cat([model(part.to(device)).cpu() for part in x.split(BATCH)])
    model.train(was_training)
    return outputs


def evaluate(model: nn.Module, data: Samples) -> EvaluationReport:
    """Compare a network's outputs with the targets of samples.

    Args:
        model: Maps samples to rows of outputs, or to logits.
        data: The samples.
    """
    outputs, y = predict(model, data.x).double(), data.y.cpu()
    if not data.is_regression:
        return EvaluationReport(
            len(data),
            accuracy=float((outputs.argmax(1) == y).double().mean()),
            cross_entropy=float(cross_entropy(outputs, y)),
        )
    squared = (outputs - y.double()).square().mean()
    variance = y.double().var(0, unbiased=False).mean()
    r2 = float(1 - squared / variance) if bool(variance > 0) else None
    return EvaluationReport(len(data), rmse=float(squared.sqrt()), r2=r2)
