import numpy as np
import pytest
import torch
from small_problems import Cover, Mixed

from revibranch.configs import ScipConfig
from revibranch.scip.models import make_scip_model
from revibranch.scip.observation import ROW_FEATURES, VARIABLE_FEATURES, BipartiteObservation
from revibranch.scip.rules import RandomRule
from revibranch.search.branching import install_rule

SMALL = Cover(4, 22, 44)
WITH_CUTS = Cover(1, 40, 80)
"""Cuts exchange rows of its LP from node to node, if they are allowed."""


class Watching(RandomRule):
    """Branches at random, and looks at each node with what the test wants to know."""

    def __init__(self, look):
        super().__init__(0)
        self.look = look
        self.seen = []

    def choose(self, focus):
        self.seen.append((focus.observation, self.look(focus)))
        return super().choose(focus)


def watch(problem, look, **settings):
    model = make_scip_model(problem, ScipConfig(node_limit=25, **settings))
    plugin = install_rule(model, Watching(look))
    model.optimize()
    plugin.check()
    model.freeProb()
    return plugin.rule.seen


def afresh(focus):
    """SCIP's own graph, normalized by its definition: the oracle."""
    model = focus.model
    columns, edges, rows, _ = model.getBipartiteGraphRepresentation()
    columns = np.array([[0 if value is None else value for value in column] for column in columns], float)
    rows, edges = np.array(rows, float), np.array(edges, float)
    sides = [
        (row.getRhs() if not model.isInfinity(row.getRhs()) else row.getLhs()) - row.getConstant()
        for row in model.getLPRowsData()
    ]
    cost, norms = np.linalg.norm(columns[:, 4]), rows[:, 5].copy()
    columns[:, [4, 11]] /= cost
    columns[:, 18] /= model.getNLPs() + 5
    rows[:, 2] /= len(columns)
    rows[:, 4] = np.array(sides) / norms
    rows[:, 5] /= norms.max()
    rows[:, 8] *= norms / cost
    rows[:, 9] /= model.getNLPs() + 5
    coefficients = edges[:, 2] / norms[edges[:, 1].astype(int)]
    return columns.clip(-1e3, 1e3), edges[:, :2].T, coefficients[:, None], rows.clip(-1e3, 1e3)


@pytest.mark.parametrize(
    ("problem", "rounds", "heuristics"),
    [
        (SMALL, 0, True),
        (WITH_CUTS, -1, True),
        (SMALL, -1, False),
        *((Mixed(0), rounds, heuristics) for rounds, heuristics in ((0, True), (-1, True), (-1, False))),
    ],
    ids=str,
)
def test_equals_the_graph_that_scip_makes_afresh_at_every_node(problem, rounds, heuristics):
    seen = watch(problem, afresh, separating_rounds=rounds, heuristics=heuristics)
    assert seen
    for observation, (columns, edges, coefficients, rows) in seen:
        np.testing.assert_allclose(observation.variables, columns, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(observation.rows, rows, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(observation.edge_index, edges)
        np.testing.assert_allclose(observation.edge_attr, coefficients, rtol=1e-5)


def test_cuts_at_every_node_do_exchange_rows_of_the_same_number():
    """What the test before this needs, to mean something: programs that only the rows' identities tell apart."""
    rows = lambda focus: tuple(row.name for row in focus.model.getLPRowsData())  # noqa: E731
    seen = [pair for problem in (WITH_CUTS, Mixed(0)) for pair in watch(problem, rows, separating_rounds=-1)]
    by_size = {}
    for observation, names in seen:
        by_size.setdefault((len(observation.variables), len(names)), set()).add(names)
    assert any(len(programs) > 1 for programs in by_size.values())


def test_nodes_of_one_program_share_its_edges():
    seen = watch(SMALL, lambda focus: tuple(map(hash, focus.model.getLPRowsData())))
    assert len(seen) > 5
    edges = {}
    for observation, rows in seen:
        edges.setdefault(rows, observation)
        assert observation.edge_index is edges[rows].edge_index
        assert observation.edge_attr is edges[rows].edge_attr


@pytest.mark.parametrize("problem", [SMALL, Mixed(0)], ids=str)
def test_invariants(problem):
    def solution(focus):
        return (
            [variable.name for variable in focus.candidates],
            focus.fractions,
            [column.getVar().name for column in focus.model.getLPColsData()],
        )

    for observation, (names, fractions, columns) in watch(problem, solution):
        variables, rows = observation.variables, observation.rows
        assert (variables.shape[1], rows.shape[1]) == (len(VARIABLE_FEATURES), len(ROW_FEATURES)) == (19, 14)
        assert (variables[:, :4].sum(1) == 1).all()
        assert (variables[:, 12:16].sum(1) == 1).all()
        assert (rows[:, 10:].sum(1) == 1).all()
        assert [columns[j] for j in observation.candidates] == names
        torch.testing.assert_close(variables[observation.candidates, 10], torch.tensor(fractions))
        assert ((variables[observation.candidates, 10] > 1e-6) & (variables[observation.candidates, 10] < 1)).all()
        assert all(tensor.isfinite().all() for tensor in (variables, rows, observation.edge_attr))


def test_activities_from_the_graph_are_at_the_sides_that_it_names():
    """A x, from edges and values, is the side where a row is tight; both in units of the row's norm."""
    for observation, _ in watch(Cover(4, 22, 44, presolved=False), lambda focus: None):
        x, rows, (columns, at) = observation.variables[:, 9], observation.rows, observation.edge_index
        activity = torch.zeros(len(rows)).index_add_(0, at, observation.edge_attr[:, 0] * x[columns])
        tight = rows[:, 6] == 1
        assert tight.any()
        torch.testing.assert_close(activity[tight], rows[tight, 4], atol=1e-5, rtol=1e-5)
        assert (activity[~tight] > rows[~tight, 4] + 1e-7).all()


def test_permuted_columns_permute_the_observation():
    def names(focus):
        return [column.getVar().name for column in focus.model.getLPColsData()]

    order = tuple(np.random.default_rng(5).permutation(50).tolist())
    ours, n = watch(Cover(1, presolved=False), names)[0]
    theirs, m = watch(Cover(1, presolved=False, order=order), names)[0]
    assert n != m
    where = [m.index(name) for name in n]
    torch.testing.assert_close(theirs.variables[where][:, :7], ours.variables[:, :7])

    def dense(observation):
        matrix = torch.zeros(len(observation.variables), len(observation.rows))
        matrix[tuple(observation.edge_index)] = observation.edge_attr[:, 0]
        return matrix

    torch.testing.assert_close(dense(theirs)[where], dense(ours))
    torch.testing.assert_close(theirs.rows[:, :6], ours.rows[:, :6])


def test_as_a_graph_of_pytorch_geometric():
    observation, _ = watch(SMALL, lambda focus: None)[0]
    graph = observation.to_pyg()
    graph.validate()
    assert graph.num_nodes == len(observation.variables) + len(observation.rows)
    assert torch.equal(graph["row", "has", "variable"].edge_index[0], observation.edge_index[1])
    assert observation.to("cpu") is observation


def test_an_extractor_keeps_few_programs():
    extractor = BipartiteObservation()
    watch(WITH_CUTS, lambda focus: extractor.extract(focus.model), separating_rounds=-1)
    assert 0 < len(extractor._structures) <= 16
