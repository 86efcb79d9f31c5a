"""One training of the experiments, as a function of its settings alone."""

from dataclasses import dataclass, field
from typing import Any

import torch

from separata.labeled import load_splits
from separata.training import seeded

from .configs import ModelConfig, TrainConfig
from .evaluation import evaluate, gates_of
from .networks import make_network
from .sparsity import distinct_patterns
from .training import Trainer


@dataclass(frozen=True)
class Trial:
    """A conditional network on labeled images.

    Args:
        model: The network.
        train: Its training; the seed also draws the initial weights.
        data: Name of a data set.
        size: Height and width of the images.
        n_train: Samples for training; all if None.
        is_frozen: The gater stays as it was drawn.
        is_held_out: Only the validation data is looked at.
        n_draws: Samples of the gates that are averaged for the second error.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    data: str = "mnist5k"
    size: int | None = None
    n_train: int | None = None
    is_frozen: bool = False
    is_held_out: bool = False
    n_draws: int = 10


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """Train, and test by drawing gates once, by averaging over several draws, and without noise.

    Returns:
        Errors and activities; `diverged` alone where the loss was not finite.
    """
    data = load_splits(trial.data, size=trial.size, n_train=trial.n_train).to(device)
    with seeded(trial.train.seed):
        model = make_network(trial.model, data.train.sample_shape, data.train.n_classes).to(device)
    if trial.is_frozen:
        model.conditional.gater.requires_grad_(requires_grad=False)
    try:
        Trainer(model, data.train, trial.train, validation=data.validation).fit()
    except (FloatingPointError, ValueError) as error:
        if isinstance(error, ValueError) and "not finite" not in str(error):
            raise
        return {"diverged": True}
    held_out = evaluate(model, data.validation)
    found: dict[str, Any] = {
        "diverged": False,
        "validation_error": held_out.error,
        "validation_activity": held_out.activity,
    }
    if trial.is_held_out:
        return found
    sample = evaluate(model, data.test)
    mean = evaluate(model, data.test, n_draws=trial.n_draws)
    threshold = evaluate(model, data.test, inference="threshold")
    with torch.no_grad():
        patterns = distinct_patterns(gates_of(model, data.test.x)) / len(data.test)
    return found | {
        "error": sample.error,
        "loss": sample.loss,
        "activity": sample.activity,
        "averaged_error": mean.error,
        "threshold_error": threshold.error,
        "train_error": evaluate(model, data.train).error,
        "patterns": patterns,
    }
