"""Stages of grokking, from the history of any training."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STAGES = {
    1: "I: memorization",
    2: "II: fast generalization",
    3: "III: slow clean-up",
}
"""Stages by number: memorization ends when the training accuracy reaches the threshold, fast generalization when the
test accuracy does."""
THRESHOLD = 0.95
FALLBACK_LOSS = 0.1


@dataclass(frozen=True)
class GrokkingStages:
    """When the stages of a training end, in its own steps or epochs.

    Attributes:
        stage1_end: First step with a training accuracy of at least 0.95; None if there is none.
        stage2_end: First step from there on with a test accuracy of at least 0.95, or else with a test loss below 0.1;
            None if there is none.
        test_when_memorized: Test accuracy at the first step where every training pair is right, or else at
            `stage1_end`; None if that is not reached.
        last: The last step.
    """

    stage1_end: float | None
    stage2_end: float | None
    test_when_memorized: float | None
    last: float

    @property
    def current(self) -> str:
        """The stage that the training is in at its end."""
        if self.stage1_end is None:
            return STAGES[1]
        return STAGES[2] if self.stage2_end is None else STAGES[3]

    def to_json(self) -> dict[str, Any]:
        """What JSON can hold of it."""
        return {
            "stage1_end": self.stage1_end,
            "stage2_end": self.stage2_end,
            "test_accuracy_when_memorized": self.test_when_memorized,
            "last_step": self.last,
            "current_stage": self.current,
        }

    def __str__(self) -> str:
        lines = [f"now in stage {self.current}, at step {self.last:,.0f}"]
        if self.stage1_end is not None:
            lines.append(
                f"memorization ends at step {self.stage1_end:,.0f}; test accuracy {self.test_when_memorized:.3f} once "
                "memorized"
            )
        if self.stage2_end is not None:
            lines.append(f"fast generalization ends at step {self.stage2_end:,.0f}")
        return "\n".join(lines)


def detect_grokking_stages(
    train_accuracy: Sequence[float],
    test_accuracy: Sequence[float],
    steps: Sequence[float] | None = None,
    test_loss: Sequence[float] | None = None,
) -> GrokkingStages:
    """Find the stages of a training of any network on any task.

    Args:
        train_accuracy: Accuracies on the training data, from 0 to 1, as training goes on.
        test_accuracy: Accuracies on the test data, at the same times.
        steps: These times; by default 0, 1, 2, ...
        test_loss: Losses on the test data, for trainings whose test accuracy stays below 0.95.

    Raises:
        ValueError: if there is none, their numbers differ, steps do not rise, or an accuracy is not in [0, 1].
    """
    times = list(range(len(train_accuracy))) if steps is None else list(steps)
    lengths = {len(train_accuracy), len(test_accuracy), len(times), *([] if test_loss is None else [len(test_loss)])}
    if lengths == {0} or len(lengths) > 1:
        raise ValueError("a history needs one row or more, and as many numbers of each kind")
    if any(after <= before for before, after in itertools.pairwise(times)):
        raise ValueError("the steps of a history must rise")
    for name, values in (("training", train_accuracy), ("test", test_accuracy)):
        if wrong := [one for one in values if not 0 <= one <= 1]:
            raise ValueError(f"{name} accuracies must be in [0, 1], not {wrong[0]:g}")
    first = _first(range(len(times)), lambda i: train_accuracy[i] >= THRESHOLD)
    if first is None:
        return GrokkingStages(None, None, None, times[-1])
    rest = range(first, len(times))
    memorized = _first(rest, lambda i: train_accuracy[i] >= 1)
    second = _first(rest, lambda i: test_accuracy[i] >= THRESHOLD)
    if second is None and test_loss is not None:
        second = _first(rest, lambda i: test_loss[i] < FALLBACK_LOSS)
    return GrokkingStages(
        times[first],
        None if second is None else times[second],
        test_accuracy[first if memorized is None else memorized],
        times[-1],
    )


def _first(places: Iterable[int], is_there: Any) -> int | None:  # noqa: ANN401 - a function of a place
    return next((i for i in places if is_there(i)), None)


def stages_of_rows(rows: Sequence[Mapping[str, float]]) -> GrokkingStages:
    """The stages of a history with the columns step or epoch, train_accuracy and test_accuracy.

    Rows without accuracies are passed over; test_loss counts if it is there.

    Raises:
        ValueError: if a column is missing, or the numbers are no history.
    """
    time = next((name for name in ("step", "epoch") if rows and name in rows[0]), None)
    if time is None or not {"train_accuracy", "test_accuracy"} <= rows[0].keys():
        found = ", ".join(rows[0]) if rows else "no rows"
        raise ValueError(
            f"a history has the columns step (or epoch), train_accuracy and test_accuracy, but this one has {found}"
        )
    kept = [row for row in rows if not math.isnan(row["train_accuracy"] + row["test_accuracy"])]
    if not kept:
        raise ValueError("the history has no row with both accuracies; was there any test data?")
    losses = [row["test_loss"] for row in kept] if "test_loss" in rows[0] else None
    return detect_grokking_stages(
        [row["train_accuracy"] for row in kept],
        [row["test_accuracy"] for row in kept],
        [row[time] for row in kept],
        losses,
    )
