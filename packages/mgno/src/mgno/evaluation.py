"""Errors of a network on functions that it has not seen."""

from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from separata.pde import RelativeH1, relative_l2

from .grids import GridDataset, TrajectoryDataset, as_pairs, evaluating, predict, type_and_device
from .rollout import rollout


@dataclass(frozen=True)
class EvaluationReport:
    """Mean errors over samples.

    Attributes:
        relative_l2: `‖pred - true‖ / ‖true‖`.
        relative_h1: The same in the norm of `RelativeH1`.
        mse: Mean squared error.
        n_samples: Samples.
        height: Rows of the grid.
        width: Columns of the grid.
        rollout_l2: Of trajectories: the relative L2 error of all later times together, each predicted from the
            prediction before.
        n_steps: Of trajectories: how many times are predicted.
    """

    relative_l2: float
    relative_h1: float
    mse: float
    n_samples: int
    height: int
    width: int
    rollout_l2: float | None = None
    n_steps: int | None = None

    def to_json(self) -> dict[str, float | int | None]:
        """For JSON."""
        return asdict(self)


def evaluate(model: nn.Module, data: GridDataset | TrajectoryDataset) -> EvaluationReport:
    """Compare a network's predictions with data; of trajectories, one step and all steps.

    Args:
        model: As `Trainer` takes it; it is left as it is.
        data: Moved to the model's device, in the type of its weights.

    Raises:
        ValueError: if one of the true functions is zero everywhere.
    """
    moved = data.to(*type_and_device(model))
    pairs = as_pairs(moved)
    pairs.check_nonzero()
    with evaluating(model):
        report = compare(predict(model, pairs.x), pairs.y)
    if isinstance(moved, TrajectoryDataset):
        later = moved.frames[:, 1:].double()
        found = rollout(model, moved.frames[:, :1], later.shape[1])[:, :, 0].double()
        report = EvaluationReport(
            **{**report.to_json(), "rollout_l2": float(relative_l2(found, later).mean()), "n_steps": later.shape[1]}  # type: ignore[arg-type] # its own fields
        )
    return report


@torch.no_grad()
def compare(pred: Float[Tensor, "n c h w"], true: Float[Tensor, "n c h w"]) -> EvaluationReport:
    """The errors of predictions.

    Args:
        pred: Predicted functions.
        true: The true ones.

    Raises:
        ValueError: if one of the true functions is zero everywhere.
    """
    pred, true = pred.double(), true.double()
    return EvaluationReport(
        relative_l2=float(relative_l2(pred, true).mean()),
        relative_h1=float(RelativeH1()(pred, true).mean()),
        mse=float((pred - true).square().mean()),
        n_samples=len(true),
        height=true.shape[-2],
        width=true.shape[-1],
    )
