"""What a longer run will do to the test error, told from a feature matrix."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from separata.output import finite

from .configs import FitConfig, check_budgets, told_steps
from .filters import factors
from .fitting import as_problem
from .matrices import Array, as_matrix, as_targets

DEFAULT_BUDGETS = (1e2, 1e3, 1e4, 1e5, 1e6, math.inf)
NEAR = 2.0
"""Within this factor of N the number of features is near the threshold."""
WORSE = 1.1
"""From this ratio of errors on a longer run makes it worse."""

Verdict = Literal["worse", "no worse"]


@dataclass(frozen=True)
class BudgetRow:
    """What a number of steps leads to.

    Attributes:
        steps: The number, or infinity.
        train_mse: Training error, mean over samples and outputs.
        test_mse: Test error.
        test_error: Share of test samples whose largest output is wrong; None where the targets are no labels.
        noise_gain: Variance of a prediction in units of the variance of the noise in the training targets, mean over
            test samples, mean_z Σ_i (f_i z·v_i / s_i)²: known from the features alone.
    """

    steps: float
    train_mse: float
    test_mse: float
    test_error: float | None
    noise_gain: float


@dataclass(frozen=True)
class PeakReport:
    """Where a feature matrix stands, and what it does to a longer run.

    Attributes:
        n_samples: N.
        n_features: P.
        rank: Singular values that are not zero.
        condition_number: Largest over smallest of these.
        steps_needed: Steps after which gradient descent has learned 63 % of the last direction, κ² at η = 1 / h_max.
        rows: What each number of steps leads to.
    """

    n_samples: int
    n_features: int
    rank: int
    condition_number: float
    steps_needed: float
    rows: tuple[BudgetRow, ...]

    @property
    def best(self) -> BudgetRow:
        """The number of steps with the lowest test error."""
        return min(self.rows, key=lambda row: row.test_mse)

    @property
    def verdict(self) -> Verdict:
        """Whether the longest run is worse than the best."""
        return "worse" if self.rows[-1].test_mse > WORSE * self.best.test_mse else "no worse"

    @property
    def is_near_threshold(self) -> bool:
        """Whether P / N is between 1/2 and 2, where double descent has its peak."""
        return 1 / NEAR <= self.n_features / self.n_samples <= NEAR

    def __str__(self) -> str:
        """The report in words, and its table."""
        last, best = self.rows[-1], self.best
        place = "near" if self.is_near_threshold else "below" if self.n_features < self.n_samples else "above"
        ratio = self.n_features / self.n_samples
        lines = [
            f"{self.n_features:,} features of {self.n_samples:,} samples: P / N = {ratio:.2f}, {place} the threshold",
            f"condition number {self.condition_number:.3g}: about {self.steps_needed:.2g} steps for the last direction",
        ]
        if self.verdict == "worse":
            lines.append(
                f"a longer run will make it worse: test MSE {best.test_mse:.4g} after {told_steps(best.steps)} steps, "
                f"{last.test_mse:.4g} after {told_steps(last.steps)}"
            )
            fix = "stop early, or move away from P = N" if self.is_near_threshold else "stop early"
            lines.append(f"{self._reason()}; {fix}")
        else:
            lines.append(f"a longer run will not make it worse: test MSE {last.test_mse:.4g} at the end")
        has_error = last.test_error is not None
        head = f"{'steps':>9}  {'train MSE':>10}  {'test MSE':>10}  {'noise gain':>10}" + "  test error" * has_error
        lines += ["", head]
        for row in self.rows:
            error = f"  {row.test_error:>10.3f}" if row.test_error is not None else ""
            lines.append(
                f"{told_steps(row.steps):>9}  {row.train_mse:>10.3g}  {row.test_mse:>10.4g}  {row.noise_gain:>10.3g}"
                + error
            )
        return "\n".join(lines)

    def _reason(self) -> str:
        kind = "double descent" if self.is_near_threshold else "overfitting away from the threshold"
        return f"{kind}: noise in the targets is multiplied by {self.rows[-1].noise_gain:.3g} in the predictions"

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it; what is infinite is null."""
        rows = [
            {
                "steps": finite(row.steps),
                "train_mse": row.train_mse,
                "test_mse": row.test_mse,
                "test_error": row.test_error,
                "noise_gain": row.noise_gain,
            }
            for row in self.rows
        ]
        return {
            "n_samples": self.n_samples,
            "n_features": self.n_features,
            "rank": self.rank,
            "condition_number": self.condition_number,
            "steps_needed": self.steps_needed,
            "is_near_threshold": self.is_near_threshold,
            "verdict": self.verdict,
            "best_steps": finite(self.best.steps),
            "rows": rows,
        }


def noise_gain(
    features: Array, features_test: Array, budgets: Sequence[float], config: FitConfig | None = None
) -> list[float]:
    """How much noise in the training targets shows in predictions, by the number of steps, without any targets.

    With targets Y + ε, var ε = σ², a prediction z W(t) has the variance σ² Σ_i (f_i(t) z·v_i / s_i)². Its mean over the
    test samples is what the peak is made of: near P = N it grows to large numbers, but only after κ² steps.

    Args:
        features: Z, (N, P).
        features_test: Of the test samples, (M, P).
        budgets: Numbers of steps, in increasing order.
        config: An optimizer with a closed form; gradient descent with η = 1 / h_max if not given.

    Raises:
        ValueError: if an input is wrong, or the optimizer has no closed form.
    """
    z = as_matrix(features)
    problem = as_problem(z, torch.zeros(len(z), 1, dtype=torch.float64))
    projected = _projected(problem.spectrum.vh[0], as_matrix(features_test, "test features"), z.shape[1])
    return [
        float((projected * _gains(problem.spectrum.h, problem.spectrum.inverse, t, config)).square().sum(1).mean())
        for t in check_budgets(budgets)
    ]


def _projected(vh: Float64[Tensor, "r p"], z_test: Float64[Tensor, "m q"], n_features: int) -> Float64[Tensor, "m r"]:
    if z_test.shape[1] != n_features:
        raise ValueError(f"there are {n_features} features for training, but {z_test.shape[1]} for testing")
    return z_test @ vh.mT


def _gains(h: Tensor, inverse: Tensor, steps: float, config: FitConfig | None) -> Float64[Tensor, " r"]:
    gains: Tensor = (factors(h, steps, config or FitConfig()) * inverse)[0]
    return gains


def peak_report(
    features: Array,
    targets: Array,
    features_test: Array,
    targets_test: Array,
    budgets: Sequence[float] = DEFAULT_BUDGETS,
    config: FitConfig | None = None,
) -> PeakReport:
    """Whether a longer run of linear weights on these features will make the test error worse, and by how much.

    Nothing is trained: the error after any number of steps follows from one singular value decomposition. The features
    may be a network's penultimate layer, with the training of its last layer in question.

    Args:
        features: Z, (N, P).
        targets: Labels (N,), or numbers (N,) or (N, C).
        features_test: Of the test samples, (M, P).
        targets_test: Their targets.
        budgets: Numbers of steps.
        config: An optimizer with a closed form; gradient descent with η = 1 / h_max if not given.

    Raises:
        ValueError: if an input is wrong, or the optimizer has no closed form.
    """
    z = as_matrix(features)
    y = as_targets(targets, len(z)).to(z)
    z_test = as_matrix(features_test, "test features").to(z)
    y_test = as_targets(targets_test, len(z_test), y.shape[1]).to(z)
    if y_test.shape[1] != y.shape[1]:
        raise ValueError(f"there are {y.shape[1]} targets for training, but {y_test.shape[1]} for testing")
    problem = as_problem(features, targets)
    found = problem.spectrum
    projected = _projected(found.vh[0], z_test, z.shape[1])
    is_labels = bool(((y == 0) | (y == 1)).all()) and bool((y.sum(1) == 1).all()) and y.shape[1] > 1
    rows = []
    for steps in check_budgets(budgets):
        learned = factors(found.h, steps, config or FitConfig())[0][:, None] * problem.solution[0]
        outputs = projected @ learned
        wrong = (outputs.argmax(1) != y_test.argmax(1)).double().mean()
        rows.append(
            BudgetRow(
                steps=steps,
                train_mse=float((problem.reduced[0] @ learned - y).square().mean()),
                test_mse=float((outputs - y_test).square().mean()),
                test_error=float(wrong) if is_labels else None,
                noise_gain=float((projected * _gains(found.h, found.inverse, steps, config)).square().sum(1).mean()),
            )
        )
    kappa = float(found.condition_number)
    return PeakReport(len(z), z.shape[1], int(found.rank), kappa, kappa**2, tuple(rows))
