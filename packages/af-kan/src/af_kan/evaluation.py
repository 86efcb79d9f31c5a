"""How well a network classifies, or predicts numbers."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from separata.output import finite

from .samples import Samples, check_samples

BATCH = 1024
"""Samples of a forward pass."""


@dataclass(frozen=True)
class EvaluationReport:
    """What a network does on samples.

    Attributes:
        n_samples: Number of samples.
        loss: Cross entropy of a classifier, mean squared error otherwise.
        accuracy: Fraction of samples that are classified correctly; None of regression.
        macro_f1: F1 score of each class that occurs, averaged; None of regression.
        rmse: Root of the mean squared error; None of a classifier.
        r2: Share of the variance that is explained; None of a classifier.
    """

    n_samples: int
    loss: float
    accuracy: float | None = None
    macro_f1: float | None = None
    rmse: float | None = None
    r2: float | None = None

    def to_json(self) -> dict[str, float | None]:
        """The numbers as JSON has them, without those that are not defined."""
        told = {name: value for name, value in vars(self).items() if value is not None}
        return {name: value if isinstance(value, int) else finite(value) for name, value in told.items()}

    @property
    def score(self) -> float:
        """The accuracy, or the share of the variance that is explained: the larger the better."""
        found = self.r2 if self.accuracy is None else self.accuracy
        assert found is not None  # noqa: S101 - one of the two is there
        return found


@torch.no_grad()
def predict(network: nn.Module, x: Shaped[Tensor, "n *sample"], batch_size: int = BATCH) -> Float[Tensor, "n outputs"]:
    """The outputs for samples, in evaluation mode and without gradients; the network's modes stay as they are.

    Args:
        network: Any module.
        x: Samples, on its device.
        batch_size: Samples of a forward pass.
    """
    modes = {one: one.training for one in network.modules()}
    network.eval()
    try:
        return torch.cat([network(batch) for batch in x.split(batch_size)])
    finally:
        for one, mode in modes.items():
            one.training = mode


def evaluate(network: nn.Module, data: Samples, *, unit: float = 1.0) -> EvaluationReport:
    """Accuracy and macro F1 of a classifier, or errors of predicted numbers.

    Args:
        network: From samples to logits (n, classes), or numbers (n, 1).
        data: Samples on its device.
        unit: What the loss of regression is measured in: the loss is the mean squared error over its square.

    Raises:
        ValueError: if the samples are not of one shape and finite.
    """
    check_samples(data.x, data.y, data.shape)
    output = predict(network, data.x)
    if data.shape.is_regression:
        error = (output[:, 0] - data.y).double()
        mse = error.square().mean().item()
        variance = data.y.double().var(correction=0).item()
        return EvaluationReport(
            len(data), mse / unit**2, rmse=mse**0.5, r2=1 - mse / variance if variance > 0 else float("nan")
        )
    loss = cross_entropy(output.double(), data.y).item()
    if not bool(output.isfinite().all()):
        return EvaluationReport(len(data), loss, float("nan"), float("nan"))
    guesses = output.argmax(1)
    accuracy = (guesses == data.y).double().mean().item()
    return EvaluationReport(len(data), loss, accuracy, macro_f1(guesses, data.y, len(data.shape.classes)))


def macro_f1(guesses: Int[Tensor, "n"], labels: Int[Tensor, "n"], n_classes: int) -> float:
    """The F1 score 2 TP / (2 TP + FP + FN) of each class that is guessed or occurs, averaged."""
    counts = torch.zeros(n_classes, n_classes, dtype=torch.double, device=labels.device)
    counts.view(-1).scatter_add_(0, labels * n_classes + guesses, torch.ones_like(labels, dtype=torch.double))
    both = counts.sum(0) + counts.sum(1)
    occurs = both > 0
    return (2 * counts.diagonal()[occurs] / both[occurs]).mean().item()
