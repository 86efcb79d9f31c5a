"""Set covering problems with random sets."""

import numpy as np
from scipy import sparse

from .checks import check
from .configs import SetCoverConfig
from .milp import MILP


def make_set_cover(config: SetCoverConfig, generator: np.random.Generator) -> MILP:
    """Choose sets of least cost that cover all elements (Balas and Ho 1980).

    The matrix has `n_rows * n_cols * density` ones: at least two in each column, the others in columns drawn uniformly,
    in rows drawn uniformly without replacement, such that each row has at least one. Costs are uniform integers.

    Raises:
        ValueError: if the density leaves no two ones for a column or not one for a row.
    """
    m, n = config.n_rows, config.n_cols
    n_ones = int(m * n * config.density)
    check(m >= 2 and n >= 1, f"a set cover needs at least 2 rows and 1 column, not {m} and {n}")
    check(0 < config.density <= 1, f"the density must be above 0 and at most 1, not {config.density}")
    check(config.max_cost >= 1, f"the largest cost must be at least 1, not {config.max_cost}")
    check(
        n_ones >= max(m, 2 * n),
        f"a density of {config.density} leaves {n_ones} ones for {m} rows and {n} columns, but each row needs one and "
        f"each column two; choose at least {max(m, 2 * n) / (m * n):.3g}",
    )
    counts = 2 + np.bincount(generator.integers(n, size=n_ones - 2 * n), minlength=n)
    # No column has more ones than rows; this happens only where they are few or dense.
    counts = np.minimum(counts, m)
    keys = generator.random((n, m))
    # The first m ones go to different rows, so that none is empty.
    keys[np.repeat(np.arange(n), counts)[:m], generator.permutation(m)] = -1
    rows = keys.argsort(axis=1)[np.arange(m) < counts[:, None]]
    matrix = sparse.csc_array((np.ones(len(rows)), rows, np.r_[0, counts.cumsum()]), shape=(m, n)).tocsr()
    return MILP(
        objective=generator.integers(1, config.max_cost + 1, n).astype(float),
        matrix=matrix,
        lhs=np.ones(m),
        rhs=np.full(m, np.inf),
        lower=np.zeros(n),
        upper=np.ones(n),
        types=np.full(n, "B"),
        name="setcover",
    )
