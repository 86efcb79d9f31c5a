"""Errors of a model on functions that it has not seen."""

from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from separata import pde

from .triples import TripleDataset, predict_all

OUTLIERS = 1e-3
"""Share of the largest squared errors that are left out of one of the errors."""


@dataclass(frozen=True)
class EvaluationReport:
    """Errors over all points of all functions.

    Attributes:
        mse: Mean squared error.
        mse_without_outliers: The same without the largest 0.1 % of the squared errors.
        relative_l2: Of functions with several points, the mean of |G(u) - s| / |s| over functions; of functions with
            one, the same of all points together.
        n_functions: Functions.
        n_rows: Functions times points.
        train_mse: Mean squared error on the training data, if it is known.
        generalization_gap: `mse - train_mse`.
    """

    mse: float
    mse_without_outliers: float
    relative_l2: float
    n_functions: int
    n_rows: int
    train_mse: float | None = None
    generalization_gap: float | None = None

    def to_json(self) -> dict[str, float | int | None]:
        """For JSON."""
        return asdict(self)


def evaluate(model: nn.Module, data: TripleDataset, *, train_mse: float | None = None) -> EvaluationReport:
    """Compare a model's predictions with the values of a data set.

    Args:
        model: As `Trainer` takes it; it is left as it is.
        data: Functions, points and values; moved to the model's device, in the type of its weights.
        train_mse: Error on the training data, for the generalization gap.
    """
    weight = next(model.parameters())
    data = data.to(weight.device, weight.dtype)
    was_training = model.training
    model.eval()
    report = compare(predict_all(model, data), data.s, train_mse=train_mse)
    model.train(was_training)
    return report


def compare(
    predicted: Float[Tensor, "functions points outputs"],
    true: Float[Tensor, "functions points outputs"],
    *,
    train_mse: float | None = None,
) -> EvaluationReport:
    """The errors of predictions.

    Args:
        predicted: G(u)(y).
        true: The values.
        train_mse: Error on the training data, for the generalization gap.
    """
    predicted, true = predicted.double(), true.double()
    mse = float((predicted - true).square().mean())
    return EvaluationReport(
        mse=mse,
        mse_without_outliers=mse_without_outliers(predicted, true),
        relative_l2=_relative_l2(predicted, true),
        n_functions=len(true),
        n_rows=true.shape[0] * true.shape[1],
        train_mse=train_mse,
        generalization_gap=None if train_mse is None else mse - train_mse,
    )


def mse_without_outliers(
    predicted: Float[Tensor, "*shape"], true: Float[Tensor, "*shape"], fraction: float = OUTLIERS
) -> float:
    """The mean squared error without the largest squared errors; with all of them where there is only one.

    Args:
        predicted: Predictions.
        true: The values.
        fraction: Share that is left out, rounded up to a whole number.

    Raises:
        ValueError: if the fraction is not in [0, 1).
    """
    if true.numel() == 1:
        return float((predicted - true).square().mean())
    return float(pde.mse_without_outliers(predicted, true, fraction))


def _relative_l2(predicted: Tensor, true: Tensor) -> float:
    if true.shape[1] == 1:
        predicted, true = predicted.transpose(0, 1), true.transpose(0, 1)
    norms = true.flatten(1).norm(dim=1)
    # A function that is zero everywhere has no relative error.
    kept = norms > 0
    if not bool(kept.any()):
        return float("nan")
    return float(pde.relative_l2(predicted[kept], true[kept]).mean())


@torch.no_grad()
def mean_error(train: TripleDataset, test: TripleDataset) -> float:
    """Mean squared error of predicting the mean of the training values everywhere: what needs no network."""
    mean = train.s.double().mean((0, 1))
    return float((test.s.double() - mean).square().mean())
