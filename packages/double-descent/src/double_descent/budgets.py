"""Numbers of steps chosen on validation data, as early stopping does."""

import numpy as np
from jaxtyping import Float

from .sweep import Row, SweepResult


def chosen_budgets(result: SweepResult, setting: str) -> list[Row]:
    """For each width and seed of a setting, the row whose number of steps has the lowest validation error.

    Args:
        result: A sweep over several numbers of steps, of samples with a validation part.
        setting: The optimizer, by its name in the sweep.

    Raises:
        ValueError: if there is no such setting, or no validation error.
    """
    rows = [row for row in result.rows if row["setting"] == setting]
    if not rows or "validation_mse" not in rows[0]:
        raise ValueError(f"the sweep has no validation errors of {setting}; draw samples with a validation part")
    best: dict[tuple[float, int], Row] = {}
    for row in rows:
        key = (row[result.x], row["seed"])
        if key not in best or row["validation_mse"] < best[key]["validation_mse"]:
            best[key] = row
    return [best[key] for key in sorted(best)]


def chosen_curve(result: SweepResult, setting: str, metric: str = "test_mse") -> Float[np.ndarray, "seeds widths"]:
    """A metric of each seed at each width, with the number of steps chosen on validation data."""
    rows = chosen_budgets(result, setting)
    seeds = sorted({row["seed"] for row in rows})
    found = {(row["seed"], row[result.x]): row[metric] for row in rows}
    return np.array([[found[seed, width] for width in result.widths] for seed in seeds], dtype=float)
