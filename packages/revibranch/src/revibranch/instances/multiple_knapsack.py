"""Multiple knapsack problems."""

import numpy as np
from jaxtyping import Int, Real
from scipy import sparse

from .checks import check
from .configs import KnapsackConfig
from .milp import MILP


def make_multiple_knapsack(config: KnapsackConfig, generator: np.random.Generator) -> MILP:
    """Pack items of greatest profit into several knapsacks, each item into at most one (Fukunaga 2011, section 2.1).

    Weights are uniform integers. The capacities are 0.4 to 0.6 of a knapsack's share of the whole weight, but for the
    last one, which has what is left of half the weight. Variables are by knapsacks.

    Raises:
        ValueError: if there is no item or knapsack, or the range of weights is empty.
    """
    n, m = config.n_items, config.n_knapsacks
    check(n >= 1 and m >= 1, f"there must be at least 1 item and 1 knapsack, not {n} and {m}")
    check(
        1 <= config.min_weight < config.max_weight,
        f"weights must be at least 1 and their range not empty, not from {config.min_weight} to {config.max_weight}",
    )
    weights = generator.integers(config.min_weight, config.max_weight, n)
    profits = _profits(weights, config, generator)
    total = int(weights.sum())
    low = int(0.4 * total / m)
    capacities = generator.integers(low, max(int(0.6 * total / m), low + 1), m - 1)
    capacities = np.append(capacities, max(int(0.5 * total - capacities.sum()), 0))
    matrix = sparse.vstack(
        [sparse.kron(sparse.eye_array(m), weights[None]), sparse.kron(np.ones((1, m)), sparse.eye_array(n))],
        format="csr",
    )
    return MILP(
        objective=np.tile(profits, m).astype(float),
        matrix=sparse.csr_array(matrix, dtype=float),
        lhs=np.full(m + n, -np.inf),
        rhs=np.append(capacities, np.ones(n)).astype(float),
        lower=np.zeros(m * n),
        upper=np.ones(m * n),
        types=np.full(m * n, "B"),
        sense="maximize",
        name="knapsack",
    )


def _profits(
    weights: Int[np.ndarray, " n"], config: KnapsackConfig, generator: np.random.Generator
) -> Real[np.ndarray, " n"]:
    spread = config.max_weight - config.min_weight
    match config.scheme:
        case "uncorrelated":
            return generator.integers(config.min_weight, config.max_weight, len(weights))
        case "weakly correlated":
            return generator.integers(np.maximum(weights - spread, 1), weights + spread)
        case "strongly correlated":
            return weights + spread / 10
        case "subset-sum":
            return weights
        case other:
            raise ValueError(f"there is no scheme {other!r} of profits")
