"""Phases of a training: the valley, sharpening, the edge of stability, the spike and the recovery."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Phases:
    """Steps at which the phases begin; None where there is none.

    Attributes:
        valley: The sharpness has fallen for the last time before it rises: the training is in the valley that balances
            the groups.
        edge: From there on the sharpness is above 2 / learning rate for the first time.
        spike: The mean loss rises most, after the edge.
        recovery: The loss is below its value before the spike, and the sharpness below 2 / learning rate.
    """

    valley: int | None
    edge: int | None
    spike: int | None
    recovery: int | None

    def to_json(self) -> dict[str, int | None]:
        """The steps by name."""
        return asdict(self)


def find_phases(steps: Sequence[int], loss: Sequence[float], sharpness: Mapping[int, float], lr: float) -> Phases:
    """The phases of a training by gradient descent.

    Args:
        steps: Steps at which the loss is known.
        loss: Mean loss at these.
        sharpness: Sharpness by step, where it was measured.
        lr: Learning rate.

    Raises:
        ValueError: if there is not one loss for each step.
    """
    if len(steps) != len(loss):
        raise ValueError(f"expected a loss for each of {len(steps)} steps, not {len(loss)}")
    measured = sorted(sharpness.items())
    falls = [after < before for (_, before), (_, after) in pairwise(measured)]
    first = falls.index(False) if False in falls else len(measured) - 1
    valley = measured[first][0] if measured else None
    edge = next((step for step, value in measured[max(first, 0) :] if value > 2 / lr), None)
    spike = recovery = None
    rises = [(loss[i + 1] - loss[i], i) for i in range(len(loss) - 1) if edge is None or steps[i] >= edge]
    if rises and max(rises)[0] > 0:
        row = max(rises)[1]
        spike = steps[row]
        recovery = next(
            (step for i, step in enumerate(steps) if i > row and _has_recovered(i, row, steps, loss, measured, lr)),
            None,
        )
    return Phases(valley, edge, spike, recovery)


def _has_recovered(
    i: int, row: int, steps: Sequence[int], loss: Sequence[float], measured: Sequence[tuple[int, float]], lr: float
) -> bool:
    known = [value for step, value in measured if steps[row] < step <= steps[i]]
    is_flat = not measured or (bool(known) and known[-1] < 2 / lr)
    return is_flat and loss[i] < loss[row]
