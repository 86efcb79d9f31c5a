"""One training, and what is measured of it: what comparisons repeat over networks, learning rates and seeds."""

import time
from dataclasses import dataclass

import torch

from separata.training import seeded

from .configs import DataShape, ModelConfig, TrainConfig
from .evaluation import EvaluationReport, evaluate
from .networks.counting import count_flops, count_parameters
from .networks.factory import make_network
from .networks.scaled import ScaledNetwork
from .runs import make_scaled
from .samples import DataSplits
from .training import Trainer


@dataclass(frozen=True)
class Measurement:
    """A trained network and its numbers.

    Attributes:
        network: The network, in evaluation mode.
        validation: What it does on the validation data; None if the training diverged.
        test: What it does on the test data; None if the training diverged.
        seconds_per_epoch: Time of a pass over the training data, with the evaluation on the validation data.
        n_parameters: Trainable numbers that take part in the output.
        flops: Floating-point operations of a forward pass for each sample.
    """

    network: ScaledNetwork
    validation: EvaluationReport | None
    test: EvaluationReport | None
    seconds_per_epoch: float
    n_parameters: int
    flops: float


def measure(
    data: DataSplits, model: ModelConfig, train: TrainConfig, device: str | torch.device = "cpu"
) -> Measurement:
    """Train a network and test it.

    Args:
        data: Training, validation and test data.
        model: The network.
        train: How it is trained; its seed draws the weights, too.
        device: Where to train.

    Raises:
        ValueError: if a setting does not fit the data.
    """
    with seeded(train.seed):
        network = make_scaled(model, data.shape)
    data = data.to(device)
    trainer = Trainer(network.to(device), data.train, train, validation=data.validation)
    begun = time.perf_counter()
    try:
        trainer.fit()
    except FloatingPointError:
        found: tuple[EvaluationReport | None, EvaluationReport | None] = None, None
    else:
        found = evaluate(network, data.validation), evaluate(network, data.test)
    seconds = (time.perf_counter() - begun) / train.epochs
    return Measurement(network.eval(), *found, seconds, *cost(model, data.shape))


def cost(model: ModelConfig, shape: DataShape) -> tuple[int, float]:
    """Parameters that take part in the output, and floating-point operations for each sample.

    Raises:
        ValueError: if a setting does not fit the data.
    """
    with seeded(0):
        network = make_network(model, shape.n_inputs, shape.n_outputs)
    return count_parameters(network), float(count_flops(network, torch.zeros(1, shape.n_inputs)))
