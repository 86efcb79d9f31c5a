"""Errors of a surrogate on samples that it has not seen: of all together, and of each task."""

from dataclasses import asdict, dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .data import MultiTaskData
from .losses import masked_relative_l2
from .surrogate import Surrogate


@dataclass(frozen=True)
class EvaluationReport:
    """Errors inside the domains.

    Attributes:
        relative_l2: Mean over samples of |m (G(u) - s)| / |m s|.
        frobenius: Relative L2 error of the whole test set together.
        max_error: Largest absolute error.
        n_samples: Samples.
        tasks: Relative L2 error of each task, as `relative_l2`.
        frobenius_of: Relative L2 error of each task's samples together.
    """

    relative_l2: float
    frobenius: float
    max_error: float
    n_samples: int
    tasks: dict[str, float] = field(default_factory=dict)
    frobenius_of: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def evaluate(model: Surrogate, data: MultiTaskData) -> EvaluationReport:
    """Compare a surrogate's predictions with the solutions of a data set.

    Args:
        model: It is left as it is.
        data: Samples that it was not trained on.

    Raises:
        ValueError: if the data does not fit the model, or a solution is zero everywhere.
    """
    return compare(model.predict(data), data)


def compare(pred: Float[Tensor, "n points"], data: MultiTaskData) -> EvaluationReport:
    """The errors of predictions.

    Args:
        pred: Predictions for the samples of `data`; what they are outside the masks does not count.
        data: The solutions.

    Raises:
        ValueError: if a solution is zero everywhere.
    """
    pred, true, mask = pred.double().cpu(), data.values.double().cpu(), data.domain.cpu()
    errors = masked_relative_l2(pred, true, mask)
    task: Tensor = data.task.cpu()  # type: ignore[union-attr] # set at first
    present = {name: task == number for number, name in enumerate(data.names) if bool((task == number).any())}
    return EvaluationReport(
        relative_l2=float(errors.mean()),
        frobenius=_together(pred, true, mask),
        max_error=float((pred - true).masked_fill(~mask, 0).abs().max()),
        n_samples=len(true),
        tasks={name: float(errors[rows].mean()) for name, rows in present.items()},
        frobenius_of={name: _together(pred[rows], true[rows], mask[rows]) for name, rows in present.items()},
    )


def _together(pred: Tensor, true: Tensor, mask: Bool[Tensor, "n points"]) -> float:
    return float((pred - true)[mask].norm() / true[mask].norm())


def nearest_design(train: MultiTaskData, test: MultiTaskData) -> Float[Tensor, "n points"]:
    """A baseline without a network: the solution of the nearest training sample.

    The distance is that of the functions, each of whose numbers is scaled to [0, 1] over the training. Where the
    neighbor has a hole, its solution is continued by that at its nearest point.

    Args:
        train: Samples to look up in.
        test: Samples to predict.
    """
    functions = train.functions.flatten(1).double()
    low, high = functions.amin(0), functions.amax(0)
    scaled = [(part - low) / (high - low).clamp(min=1e-12) for part in (functions, test.functions.flatten(1).double())]
    nearest = torch.cdist(scaled[1], scaled[0]).argmin(1)
    filled = [continued(train.values[i], train.domain[i], train.points) for i in nearest.tolist()]
    return torch.stack(filled)


def continued(
    values: Float[Tensor, "points"], mask: Bool[Tensor, "points"], points: Float[Tensor, "points d"]
) -> Float[Tensor, "points"]:
    """A solution with the value at the nearest point inside wherever it is outside."""
    outside = (~mask).nonzero()[:, 0]
    if not len(outside):
        return values
    inside = mask.nonzero()[:, 0]
    at = torch.cdist(points[outside].double(), points[inside].double()).argmin(1)
    result = values.clone()
    result[outside] = values[inside[at]]
    return result
