"""Capacitated facility location."""

import numpy as np
from scipy import sparse

from .checks import check
from .configs import FacilityLocationConfig
from .milp import MILP


def make_facility_location(config: FacilityLocationConfig, generator: np.random.Generator) -> MILP:
    """Open facilities and serve customers from them at least cost (Cornuejols, Sridharan, and Thizy 1991).

    Places are uniform in the unit square. Demands are integers from 5 to 35; capacities are drawn from 10 to 160
    and scaled to `ratio` times the demand; a facility of capacity u before scaling costs U[100, 110] sqrt(u) + U[0,
    90], and to serve a customer 10 times its demand times the distance. Variables are the shares x_ij of customer
    i's demand that facility j serves, by customers, then whether facility j is open. Rows: each customer is served,
    capacities, enough capacity in all, and x_ij <= y_j; the last two tighten the relaxation.

    Raises:
        ValueError: if there is no customer or facility, or the capacities cannot serve them.
    """
    n, m, ratio = config.n_customers, config.n_facilities, config.ratio
    check(n >= 1 and m >= 1, f"there must be at least 1 customer and 1 facility, not {n} and {m}")
    check(ratio >= 1, f"the capacities must be at least the demand: the ratio must be at least 1, not {ratio}")
    customers, facilities = generator.random((n, 2)), generator.random((m, 2))
    demands = generator.integers(5, 36, n)
    sizes = generator.integers(10, 161, m)
    opening = np.floor(generator.integers(100, 111, m) * np.sqrt(sizes) + generator.integers(91, size=m))
    capacities = np.floor(sizes * ratio * demands.sum() / sizes.sum())
    check(
        bool(capacities.sum() >= demands.sum()),
        f"a ratio of {ratio} leaves a capacity of {capacities.sum():.0f} for a demand of {demands.sum()}, since "
        "capacities are rounded down; choose a larger one",
    )
    distances = np.linalg.norm(customers[:, None] - facilities[None], axis=2)
    identity, ones = sparse.eye_array, np.ones
    matrix = sparse.block_array(
        [
            [sparse.kron(identity(n), ones((1, m))), None],
            [sparse.kron(demands[None], identity(m)), sparse.diags_array(-capacities)],
            [None, sparse.csr_array(capacities[None])],
            [identity(n * m), -sparse.kron(ones((n, 1)), identity(m))],
        ],
        format="csr",
    )
    n_variables = (n + 1) * m
    types = np.full(n_variables, "B")
    if not config.unsplittable:
        types[: n * m] = "C"
    return MILP(
        objective=np.concatenate([(10 * demands[:, None] * distances).ravel(), opening]),
        matrix=sparse.csr_array(matrix),
        lhs=np.concatenate([ones(n), np.full(m, -np.inf), [float(demands.sum())], np.full(n * m, -np.inf)]),
        rhs=np.concatenate([np.full(n, np.inf), np.zeros(m), [np.inf], np.zeros(n * m)]),
        lower=np.zeros(n_variables),
        upper=ones(n_variables),
        types=types,
        name="facilities",
    )
