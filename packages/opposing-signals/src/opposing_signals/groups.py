"""Opposing groups: the examples whose losses rise and fall most, and whether they take turns."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .configs import Method

LEAST_ANTICORRELATION = -0.5
"""Correlation of the groups' losses below which they are opposed."""


@dataclass(frozen=True, eq=False)
class OpposingGroups:
    """Two groups of examples, and their losses around a step.

    Attributes:
        step: The step t.
        up: Examples whose losses rise most from t to the next step, the most first.
        down: Examples whose losses fall most, likewise.
        scores: Of every example: its change of loss, or its component of the leading singular vector.
        window_steps: Steps around t.
        up_loss: Mean loss of the first group at these.
        down_loss: Mean loss of the second.
        correlation: Of `up_loss` and `down_loss`; NaN where one of them is constant.
        alternation: Correlation over all examples of their changes from t and from the next step; -1 if whatever rises
            falls again, NaN at the end of what is kept.
        flips: Share of consecutive steps of the window in which the difference of the groups' losses changes direction.
        swing: Smallest change of a group's mean loss from t to the next step and from there to the one after.
    """

    step: int
    up: Int[Tensor, "m"]
    down: Int[Tensor, "m"]
    scores: Float[Tensor, "n"]
    window_steps: tuple[int, ...]
    up_loss: Float[Tensor, "window"]
    down_loss: Float[Tensor, "window"]
    correlation: float
    alternation: float
    flips: float
    swing: float

    @property
    def members(self) -> Int[Tensor, "both"]:
        """Both groups."""
        return torch.cat([self.up, self.down])

    @property
    def is_opposing(self) -> bool:
        """Whether the groups take turns: losses correlated below -0.5, and directions that change in most steps."""
        return self.correlation < LEAST_ANTICORRELATION and self.flips > 0.5

    def histogram(self, labels: Int[Tensor, "n"], n_classes: int | None = None) -> tuple[list[int], list[int]]:
        """How many members of each group have which class.

        Args:
            labels: The class of every example.
            n_classes: Number of classes; the largest label and one by default.
        """
        n = n_classes or int(labels.max()) + 1
        up, down = (torch.bincount(labels.cpu()[group].long(), minlength=n).tolist() for group in (self.up, self.down))
        return up, down

    def share_of(self, indices: Int[Tensor, "k"]) -> float:
        """Share of the members of both groups that are among these examples."""
        return float(torch.isin(self.members, indices.cpu()).float().mean())


def spikes(mean_loss: Float[Tensor, "steps"], threshold: float = 0.0) -> list[int]:
    """Rows from which the mean loss rises to the next row by more than a threshold."""
    return torch.nonzero(mean_loss.diff() > threshold).flatten().tolist()


def largest_spike(losses: Float[Tensor, "steps n"], first: int = 0) -> int:
    """The row, from `first` on, from which the mean loss rises most; where it never rises, the one of least fall.

    The last row that has two successors is the last that counts, so that what follows is known.
    """
    rises = losses.double().mean(1).diff()[first : len(losses) - 2]
    return first + int(rises.argmax())


def leading_directions(
    losses: Float[Tensor, "steps n"],
) -> tuple[Float[Tensor, "changes"], float, Float[Tensor, "n"], float]:
    """The rank-1 part of the changes of losses: delta_i(t) is about strength x time_t x score_i.

    Returns:
        The left singular vector (over time), the singular value, the right one (over examples), and the share of the
        sum of squares that this part explains.
    """
    changes = losses.double().diff(dim=0)
    # Through the smaller of the two Gram matrices: there are few steps and many examples, or the other way round.
    is_wide = changes.shape[0] <= changes.shape[1]
    gram = changes @ changes.T if is_wide else changes.T @ changes
    values, vectors = torch.linalg.eigh(gram)
    strength, vector = values[-1].clamp(min=0).sqrt(), vectors[:, -1]
    other = torch.nn.functional.normalize((changes.T if is_wide else changes) @ vector, dim=0)
    time, score = (vector, other) if is_wide else (other, vector)
    explained = float(values[-1] / values.sum()) if values.sum() > 0 else 0.0
    return time.float(), float(strength), score.float(), explained


def find_groups(
    losses: Float[Tensor, "steps n"],
    row: int,
    *,
    m: int = 20,
    method: Method = "delta",
    first: int = 0,
    window: int = 10,
    steps: Sequence[int] | None = None,
) -> OpposingGroups:
    """The m examples whose losses rise most and the m whose losses fall most.

    Args:
        losses: Loss of every example, a row a step.
        row: The row t whose change to the next is looked at.
        m: Examples of a group.
        method: `delta`: ranked by l(t + 1) - l(t). `svd`: by the leading right singular vector of the changes from row
            `first` on, with the sign that it has at t.
        first: First row of the changes that `svd` decomposes.
        window: Rows before and after t over which the groups' losses are compared.
        steps: Number of the step of each row; counted from 0 by default.

    Raises:
        ValueError: if the row has no successor, m is less than 1 or more than half of the examples, or the method is
            unknown.
    """
    n_rows, n = losses.shape
    if not 0 <= row < n_rows - 1:
        raise ValueError(f"row {row} of {n_rows} has no successor to compare it with")
    if not 1 <= m <= n // 2:
        raise ValueError(f"a group has at least 1 and at most half of the {n} examples, not {m}")
    if method == "delta":
        scores = losses[row + 1] - losses[row]
    elif method == "svd":
        time, _, scores, _ = leading_directions(losses[first:])
        scores = scores * (1.0 if time[row - first] >= 0 else -1.0)
    else:
        raise ValueError(f"the method must be one of delta, svd, not '{method}'")
    order = scores.argsort(descending=True, stable=True)
    up, down = order[:m], order[-m:].flip(0)
    start, end = max(0, row - window), min(n_rows, row + window + 2)
    of_up, of_down = losses[start:end, up].double().mean(1), losses[start:end, down].double().mean(1)
    numbers = list(range(n_rows)) if steps is None else list(steps)
    return OpposingGroups(
        numbers[row],
        up,
        down,
        scores,
        tuple(numbers[start:end]),
        of_up.float(),
        of_down.float(),
        correlation(of_up, of_down),
        alternation(losses, row),
        _flips(of_up - of_down),
        _swing(losses, row, up, down),
    )


def alternation(losses: Float[Tensor, "steps n"], row: int) -> float:
    """Correlation over the examples of their changes from a row and from the next; NaN where there is none."""
    if row + 2 >= len(losses):
        return float("nan")
    changes = losses[row : row + 3].double().diff(dim=0)
    return correlation(changes[0], changes[1])


def _flips(difference: Float[Tensor, "window"]) -> float:
    signs = difference.diff().sign()
    return float((signs[1:] * signs[:-1] < 0).double().mean()) if len(signs) > 1 else 0.0


def _swing(losses: Tensor, row: int, up: Tensor, down: Tensor) -> float:
    some = losses[row : row + 3].double()
    return float(torch.stack([some[:, up].mean(1).diff().abs(), some[:, down].mean(1).diff().abs()]).min())


def correlation(a: Float[Tensor, "k"], b: Float[Tensor, "k"]) -> float:
    """Pearson's correlation; NaN where one of the two is constant."""
    a, b = a - a.mean(), b - b.mean()
    size = a.norm() * b.norm()
    return float(a @ b / size) if size > 0 else float("nan")
