import os
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from pyscipopt import Model
from scipy import optimize

from revibranch import (
    FAMILIES,
    AuctionConfig,
    FacilityLocationConfig,
    IndependentSetConfig,
    KnapsackConfig,
    SetCoverConfig,
    family_config,
    make_instance,
    make_instances,
)
from revibranch.instances.independent_set import barabasi_albert, clique_cover

PUBLIC = Path(os.environ.get("SEPARATA_DATA", "data")) / "milp"
FOLDERS = {
    "setcover": "set_covering_n_rows_400_n_cols_750",
    "auction": "combinatorial_auction_n_items_100_n_bids_500",
    "indset": "maximum_independent_set_n_nodes_500",
    "knapsack": "knapsack_number_of_items_100_number_of_knapsacks_6",
}


def optimum(problem):
    model = problem.to_scip()
    model.optimize()
    assert model.getStatus() == "optimal"
    return model.getObjVal()


# ---- optima by brute force


@pytest.mark.parametrize("seed", range(4))
def test_set_cover_optimum_is_that_of_all_subsets(seed):
    problem = make_instance(SetCoverConfig(6, 10, 0.35), seed)
    dense = problem.matrix.toarray()
    chosen = np.array(list(product((0, 1), repeat=10)))
    covers = (chosen @ dense.T >= 1).all(axis=1)
    assert optimum(problem) == pytest.approx((chosen @ problem.objective)[covers].min())


@pytest.mark.parametrize("seed", range(4))
def test_auction_optimum_is_that_of_all_sets_of_bids(seed):
    problem = make_instance(AuctionConfig(8, 11), seed)
    accepted = np.array(list(product((0, 1), repeat=11)))
    allowed = (accepted @ problem.matrix.toarray().T <= 1).all(axis=1)
    assert optimum(problem) == pytest.approx((accepted @ problem.objective)[allowed].max())


@pytest.mark.parametrize("seed", range(4))
def test_independent_set_optimum_is_that_of_the_graph(seed):
    problem = make_instance(IndependentSetConfig(12, 3), seed)
    edges = barabasi_albert(12, 3, np.random.default_rng([seed, 0]))
    independent = [
        sum(nodes)
        for nodes in product((0, 1), repeat=12)
        if not any(nodes[one] and nodes[other] for one, other in edges)
    ]
    assert optimum(problem) == max(independent)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scheme", ["uncorrelated", "weakly correlated", "strongly correlated", "subset-sum"])
def test_knapsack_optimum_is_that_of_all_packings(scheme, seed):
    problem = make_instance(KnapsackConfig(7, 2, scheme=scheme), seed)
    profits, weights = problem.objective[:7], problem.matrix.toarray()[0, :7]
    best = 0.0
    # Knapsack 2 is none.
    for where in product(range(3), repeat=7):
        places = np.array(where)
        loads = [weights[places == knapsack].sum() for knapsack in range(2)]
        if all(load <= capacity for load, capacity in zip(loads, problem.rhs)):
            best = max(best, profits[places < 2].sum())
    assert optimum(problem) == pytest.approx(best)


def parts(problem, n, m):
    """Costs of serving and of opening, demands and capacities, read from the rows."""
    dense = problem.matrix.toarray()
    capacity_rows = dense[n : n + m]
    demands = capacity_rows[0, : n * m].reshape(n, m)[:, 0]
    return (
        problem.objective[: n * m].reshape(n, m),
        problem.objective[n * m :],
        demands,
        -np.diag(capacity_rows[:, n * m :]),
    )


def cheapest_service(costs, demands, capacities):
    """The transportation problem of a choice of open facilities, by HiGHS; infinity where they cannot serve all."""
    n, m = costs.shape
    served = np.kron(np.eye(n), np.ones((1, m)))
    load = np.kron(demands[None], np.eye(m))
    found = optimize.linprog(costs.ravel(), load, capacities, served, np.ones(n), bounds=(0, 1))
    return found.fun if found.success else np.inf


@pytest.mark.parametrize("seed", range(2))
def test_facility_optimum_is_that_of_all_choices_of_facilities(seed):
    problem = make_instance(FacilityLocationConfig(5, 4, 1.5), seed)
    costs, opening, demands, capacities = parts(problem, 5, 4)
    best = min(
        opening @ chosen + cheapest_service(costs, demands, capacities * chosen)
        for chosen in map(np.array, product((0, 1), repeat=4))
        if any(chosen)
    )
    assert optimum(problem) == pytest.approx(best)


def test_customers_that_are_not_split_have_one_facility_each():
    problem = make_instance(FacilityLocationConfig(4, 3, 2.0, unsplittable=True), 0)
    costs, opening, demands, capacities = parts(problem, 4, 3)
    best = np.inf
    for where in product(range(3), repeat=4):
        places = np.array(where)
        loads = np.bincount(places, demands, minlength=3)
        if (loads <= capacities).all():
            best = min(best, costs[range(4), places].sum() + opening[np.unique(places)].sum())
    assert optimum(problem) == pytest.approx(best)
    assert set(problem.types) == {"B"}
    split = make_instance(FacilityLocationConfig(4, 3, 2.0), 0)
    assert optimum(split) <= best + 1e-6


# ---- the published definitions


def test_set_covers_are_as_balas_and_ho_define_them():
    for problem in make_instances(SetCoverConfig(80, 150), 5):
        dense = problem.matrix.toarray()
        assert set(np.unique(dense)) == {0, 1}
        assert dense.sum() == 80 * 150 * 0.05
        assert dense.sum(axis=0).min() >= 2
        assert dense.sum(axis=1).min() >= 1
        assert problem.objective.min() >= 1
        assert problem.objective.max() <= 100
        assert (problem.objective % 1 == 0).all()
    # So dense that some column is full.
    dense = make_instance(SetCoverConfig(5, 8, 0.9), 0).matrix.toarray()
    assert dense.sum(axis=0).max() == 5
    assert dense.sum(axis=1).min() >= 1


def test_rows_of_set_covers_are_uniform():
    total = sum(problem.matrix.toarray().sum(axis=1) for problem in make_instances(SetCoverConfig(20, 100, 0.2), 200))
    # 20 ones a row and problem on average; a row of a mean of 200 problems is within five standard errors.
    np.testing.assert_allclose(total / 200, 20, atol=5 * np.sqrt(20 * 0.8 / 200))


def test_bids_share_goods_within_bidders_only_by_rows_of_three_or_more():
    problem = make_instance(AuctionConfig(30, 120), 3)
    dense = problem.matrix.toarray()
    goods = [row for row in dense if (np.diff(np.flatnonzero(row)) != 1).any()]
    bidders = dense[
        len(dense) - next(i for i, row in enumerate(dense[::-1]) if (np.diff(np.flatnonzero(row)) != 1).any()) :
    ]
    assert len(goods) <= 30
    assert ((bidders.sum(axis=1) >= 3) & (bidders.sum(axis=1) <= 6)).all()
    assert bidders.sum(axis=0).max() == 1
    # The bids of a bidder are on bundles of one size, all different.
    items = dense[: len(dense) - len(bidders)]
    for row in bidders:
        bundles = items[:, row == 1].T
        assert len(set(bundles.sum(axis=1))) == 1
        assert len(np.unique(bundles, axis=0)) == len(bundles)


def test_additive_auctions_price_bundles_by_their_goods():
    # With one common value and no private one, a bundle of k goods is worth k values and k to the power of 1.2.
    problem = make_instance(AuctionConfig(20, 60, min_value=100.0, value_deviation=0.0), 1)
    dense = problem.matrix.toarray()
    n_bidders = sum((np.diff(np.flatnonzero(row)) == 1).all() and row.sum() >= 3 for row in dense)
    sizes = dense[: len(dense) - n_bidders].sum(axis=0)
    np.testing.assert_allclose(problem.objective, 100 * sizes + sizes**1.2)


def test_graphs_are_as_barabasi_and_albert_define_them():
    edges = barabasi_albert(200, 4, np.random.default_rng(0))
    assert len(edges) == len({tuple(sorted(edge)) for edge in edges.tolist()}) == 4 * 196
    assert (edges[:, 0] < edges[:, 1]).all()
    # Few nodes have most neighbors: the power law's exponent is 3, so that the largest degree grows like sqrt(n).
    largest = [np.bincount(barabasi_albert(200, 4, np.random.default_rng(i)).ravel()).max() for i in range(10)]
    uniform = [np.random.default_rng(i).binomial(199, 8 / 200, 200).max() for i in range(10)]
    assert np.mean(largest) > 1.8 * np.mean(uniform)
    # The first attachment by degree: after the star, its center (degree 2) is drawn twice as often as a leaf.
    drawn, generator = np.zeros(3), np.random.default_rng(0)
    for _ in range(3000):
        drawn[barabasi_albert(4, 2, generator)[2:, 0]] += 1
    # Weights 1, 1, 2, two drawn without replacement: the center is missing with probability 2 * 1/4 * 1/3.
    np.testing.assert_allclose(drawn / 3000, [7 / 12, 7 / 12, 5 / 6], atol=0.04)


def test_cliques_cover_each_edge_once():
    edges = barabasi_albert(60, 4, np.random.default_rng(1))
    cliques = clique_cover(edges, 60)
    covered = [pair for clique in cliques for pair in combinations(clique, 2)]
    assert len(covered) == len(set(covered))
    assert set(covered) == {tuple(sorted(edge)) for edge in edges.tolist()}
    complete = np.array(list(combinations(range(5), 2)))
    assert clique_cover(complete, 5) == [[0, 1, 2, 3, 4]]


def test_facilities_are_as_cornuejols_defines_them():
    config = FacilityLocationConfig(12, 9)
    for problem in make_instances(config, 5):
        costs, opening, demands, capacities = parts(problem, 12, 9)
        assert ((demands >= 5) & (demands <= 35)).all()
        assert 5 * demands.sum() - 9 <= capacities.sum() <= 5 * demands.sum()
        assert (costs <= 10 * np.sqrt(2) * demands[:, None]).all()
        assert ((opening >= np.floor(100 * np.sqrt(10))) & (opening <= 110 * np.sqrt(160) + 90)).all()
        assert problem.n_rows == 12 + 9 + 1 + 12 * 9


def test_half_the_weight_fits_in_knapsacks():
    for problem in make_instances(KnapsackConfig(40, 4), 5):
        weights = problem.matrix.toarray()[0, :40]
        assert ((weights >= 10) & (weights < 20)).all()
        assert problem.rhs[:4].sum() == np.floor(0.5 * weights.sum())
        assert (problem.rhs[:3] >= np.floor(0.1 * weights.sum())).all()
        assert (problem.rhs[:3] <= 0.15 * weights.sum()).all()
        np.testing.assert_array_equal(problem.objective[:40], weights)


# ---- the public files


def public(kind, index):
    path = PUBLIC / FOLDERS[kind] / f"instance_{index}.lp.gz"
    if not path.is_file():
        pytest.skip("the public instances are not here")
    model = Model()
    model.hideOutput()
    model.readProblem(str(path))
    costs = np.array([one.getObj() for one in sorted(model.getVars(), key=lambda one: int(one.name[1:]))])
    lengths = np.array([len(model.getValsLinear(one)) for one in model.getConss()])
    return model, costs, lengths


def statistics(costs, lengths):
    return np.array([len(costs), len(lengths), lengths.sum(), costs.mean(), costs.std(), (lengths > 2).sum()])


@pytest.mark.parametrize("kind", FOLDERS)
def test_problems_are_like_the_public_ones(kind):
    theirs, ours = [], []
    for index in range(1, 6):
        model, costs, lengths = public(kind, index)
        problem = make_instance(FAMILIES[kind].sizes["train"], 7, index)
        assert model.getObjectiveSense() == problem.sense
        assert len(costs) == problem.n_variables
        theirs.append(statistics(costs, lengths))
        ours.append(statistics(problem.objective, np.diff(problem.matrix.indptr)))
    spread = np.sqrt(np.var(theirs, axis=0, ddof=1) / 5 + np.var(ours, axis=0, ddof=1) / 5)
    np.testing.assert_array_less(np.abs(np.mean(theirs, axis=0) - np.mean(ours, axis=0)), 5 * spread + 1e-9)


# ---- seeds, sizes, and what is refused


@pytest.mark.parametrize("kind", FAMILIES)
def test_problems_depend_on_seed_and_number_alone(kind):
    config = family_config(kind, "small")
    first, second = make_instances(config, 2, seed=5)
    assert make_instance(config, 5, 1).to_lp() == second.to_lp()
    assert len({first.to_lp(), second.to_lp(), make_instance(config, 6, 0).to_lp()}) == 3
    assert first.name == f"{kind}_5_0"


@pytest.mark.parametrize("kind", FAMILIES)
def test_large_problems_are_larger(kind):
    small, train, large = (make_instance(family_config(kind, size), 0) for size in ("small", "train", "large"))
    assert small.matrix.nnz < train.matrix.nnz < large.matrix.nnz


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (SetCoverConfig(400, 750, 0.002), "choose at least 0.005"),
        (SetCoverConfig(1, 5), "at least 2 rows"),
        (SetCoverConfig(density=1.5), "density must be above 0 and at most 1, not 1.5"),
        (SetCoverConfig(max_cost=0), "at least 1, not 0"),
        (AuctionConfig(1, 5), "at least 2 items"),
        (AuctionConfig(add_item_prob=1.0), "below 1, not 1.0"),
        (AuctionConfig(min_value=200.0), "200.0 to 100.0"),
        (IndependentSetConfig(4, 4), "below the number of nodes, 4, not 4"),
        (FacilityLocationConfig(0, 3), "at least 1 customer"),
        (FacilityLocationConfig(ratio=0.5), "at least 1, not 0.5"),
        (FacilityLocationConfig(ratio=1.0), "choose a larger one"),
        (KnapsackConfig(0), "at least 1 item"),
        (KnapsackConfig(min_weight=20), "from 20 to 20"),
    ],
)
def test_settings_that_make_no_problem_are_refused(config, told):
    with pytest.raises(ValueError, match=told):
        make_instance(config, 0)


def test_unknown_families_sizes_and_settings_are_named(unchecked):
    with pytest.raises(ValueError, match="no family 'sets' of problems; there are setcover, auction"):
        family_config("sets")
    with pytest.raises(ValueError, match="no size 'huge'; there are small, train, large"):
        family_config("setcover", "huge")
    with pytest.raises(ValueError, match="indset has no setting n_rows; it has n_nodes, affinity"):
        family_config("indset", n_rows=3)
    assert family_config("indset", "large", affinity=3) == replace(IndependentSetConfig(1000), affinity=3)
    with pytest.raises(TypeError, match="int is no configuration"):
        make_instance(3, 0)
