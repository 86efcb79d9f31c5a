"""How well a network classifies, or reconstructs."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from separata.labeled import LabeledDataset
from separata.output import finite

from .labels import checked_labels
from .networks.dual import CounterCurrentNetwork
from .rules.base import task_loss

BATCH = 1024
"""Samples of a forward pass."""


@dataclass(frozen=True)
class EvaluationReport:
    """What a network does on samples.

    Attributes:
        n_samples: Number of samples.
        loss: Cross entropy of a classifier, mean squared error of an autoencoder.
        accuracy: Fraction of samples that are classified correctly; None of an autoencoder.
    """

    n_samples: int
    loss: float
    accuracy: float | None

    def to_json(self) -> dict[str, float | None]:
        """The numbers as JSON has them."""
        return {"n_samples": self.n_samples, "loss": finite(self.loss), "accuracy": self.accuracy}


def check_inputs(network: CounterCurrentNetwork, x: Shaped[Tensor, "n *sample"]) -> None:
    """See that samples are those of a network.

    Raises:
        ValueError: if there are none, a number is NaN or infinite, or the shapes do not fit.
    """
    if len(x) == 0:
        raise ValueError("there are no samples")
    if tuple(x.shape[1:]) != network.sample_shape:
        raise ValueError(f"the network takes samples of shape {network.sample_shape}, not {tuple(x.shape[1:])}")
    if not bool(torch.isfinite(x).all()):
        raise ValueError("a sample has a number that is NaN or infinite")


def check_samples(
    network: CounterCurrentNetwork, x: Shaped[Tensor, "n *sample"], labels: Shaped[Tensor, "n"] | None
) -> None:
    """See that samples and labels are those of a network.

    Raises:
        ValueError: if there are none, a number is NaN or infinite, a label is no class, or the shapes do not fit.
    """
    check_inputs(network, x)
    if network.n_classes is None:
        return
    if labels is None or len(labels) != len(x):
        raise ValueError(f"a classifier needs one label for each of {len(x)} samples")
    checked_labels(labels, network.n_classes)


@torch.no_grad()
def predict(network: nn.Module, x: Shaped[Tensor, "n *sample"], batch_size: int = BATCH) -> Float[Tensor, "n *output"]:
    """The outputs for samples, in evaluation mode and without gradients; the network's mode stays as it is.

    Args:
        network: Any module.
        x: Samples, on its device.
        batch_size: Samples of a forward pass.
    """
    was_training = network.training
    network.eval()
    try:
        return torch.cat([network(batch) for batch in x.split(batch_size)])
    finally:
        network.train(was_training)


def evaluate(network: CounterCurrentNetwork, data: LabeledDataset) -> EvaluationReport:
    """The accuracy and the loss of a classifier, or the mean squared error of an autoencoder.

    Args:
        network: The network.
        data: Samples on its device.

    Raises:
        ValueError: if the samples or labels are not those of such a network.
    """
    check_samples(network, data.x, data.y)
    output = predict(network, data.x)
    if network.n_classes is None:
        return EvaluationReport(len(data), task_loss(output, data.x).item(), None)
    return EvaluationReport(len(data), task_loss(output, data.y).item(), correct_share(output, data.y))


def correct_share(logits: Float[Tensor, "n classes"], labels: Int[Tensor, "n"]) -> float:
    """Fraction of the rows whose largest logit is that of the label; NaN of a network that has diverged."""
    if not bool(torch.isfinite(logits).all()):
        return math.nan
    return (logits.argmax(1) == labels).float().mean().item()
