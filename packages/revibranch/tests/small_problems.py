"""Problems of a few nodes, rules and a policy that are nobody's but the tests'."""

import os
from dataclasses import dataclass

import numpy as np
import torch
from pyscipopt import SCIP_EVENTTYPE, Eventhdlr, Model, quicksum
from scipy import optimize
from torch import nn

from revibranch.configs import PolicyConfig


@dataclass(frozen=True)
class Cover:
    """Set cover with a weight on each set; `order` permutes the sets."""

    seed: int = 0
    n_rows: int = 25
    n_columns: int = 50
    order: tuple[int, ...] | None = None
    presolved: bool = True

    def data(self):
        generator = np.random.default_rng(self.seed)
        matrix = generator.random((self.n_rows, self.n_columns)) < 0.15
        matrix[np.arange(self.n_rows), generator.integers(self.n_columns, size=self.n_rows)] = True
        return matrix, generator.integers(10, 20, self.n_columns)

    def to_scip(self):
        matrix, costs = self.data()
        model = Model()
        model.hideOutput()
        order = range(self.n_columns) if self.order is None else self.order
        x = {j: model.addVar(f"x{j}", vtype="B", obj=float(costs[j])) for j in order}
        for i, row in enumerate(matrix):
            model.addCons(quicksum(x[j] for j in order if row[j]) >= 1, name=f"c{i}")
        if not self.presolved:
            bare(model)
        return model


@dataclass(frozen=True)
class Mixed:
    """Integers without bounds, continuous variables, an equation, a range and great numbers; maximized."""

    seed: int = 0

    def to_scip(self):
        generator = np.random.default_rng(self.seed)
        model = Model()
        model.hideOutput()
        x = [model.addVar(f"x{j}", vtype="I", lb=None if j < 3 else 0, ub=None) for j in range(8)]
        y = [model.addVar(f"y{j}", vtype="C", lb=0, ub=1e6) for j in range(4)]
        z = [model.addVar(f"z{j}", vtype="B") for j in range(6)]
        variables = [*x, *y, *z]
        for _ in range(5):
            weights = generator.integers(1, 30, len(variables))
            model.addCons(quicksum(int(w) * v for w, v in zip(weights, variables)) <= float(weights.sum() * 3) + 0.5)
        model.addCons(1e7 * x[0] + 1e5 * y[0] <= 7.3e7)
        low = quicksum(x[:3])
        model.addCons(low >= -4.5)
        model.addCons(x[0] - x[1] >= -3.3)
        model.addCons(x[1] - x[2] >= -3.7)
        model.addCons(y[0] + y[1] - z[0] == 0.5)
        profits = generator.integers(5, 35, len(variables))
        model.setObjective(quicksum(int(p) * v for p, v in zip(profits, variables)), "maximize")
        return model


def solved_by_highs(problem):
    """The optimum of a MILP by another solver, HiGHS; None where there is none."""
    sign = -1 if problem.sense == "maximize" else 1
    found = optimize.milp(
        sign * problem.objective,
        integrality=problem.types != "C",
        bounds=optimize.Bounds(problem.lower, problem.upper),
        constraints=optimize.LinearConstraint(problem.matrix, problem.lhs, problem.rhs),
    )
    return sign * found.fun if found.success else None


def bare(model):
    """Neither presolving nor cuts nor heuristics: the LP is that of the problem."""
    from pyscipopt import SCIP_PARAMSETTING

    model.setPresolve(SCIP_PARAMSETTING.OFF)
    model.setSeparating(SCIP_PARAMSETTING.OFF)
    model.setHeuristics(SCIP_PARAMSETTING.OFF)
    model.disablePropagation()


class Search(Eventhdlr):
    """What SCIP says of its nodes: the parent of each that it processes, and the branching that made it."""

    def __init__(self):
        self.parents, self.branchings, self.bounds = {}, {}, {}

    @classmethod
    def install(cls, model):
        search = cls()
        model.includeEventhdlr(search, "search", "for the tests")
        return search

    def eventinit(self):
        for kind in ("NODEFOCUSED", "NODEBRANCHED"):
            self.model.catchEvent(getattr(SCIP_EVENTTYPE, kind), self)

    def eventexec(self, event):
        node = event.getNode()
        if event.getType() == SCIP_EVENTTYPE.NODEBRANCHED:
            self.bounds[node.getNumber()] = node.getLowerbound()
            return
        if node.getParent() is not None:
            self.parents[node.getNumber()] = node.getParent().getNumber()
            variables, _, _ = node.getParentBranchings()
            self.branchings.setdefault(node.getParent().getNumber(), set()).update(v.name for v in variables)


class LinearPolicy(nn.Module):
    """The user's own policy: values are linear in features and in the sum of the memory."""

    def __init__(self, config=None):
        super().__init__()
        self.config = config or PolicyConfig(memory_length=3)
        self.weight = nn.Parameter(torch.randn(19, generator=torch.Generator().manual_seed(4)))
        self.memories = []

    def encode(self, graphs):
        return graphs.variables * self.weight

    def remember(self, embeddings, graphs, actions, depths):
        return embeddings[actions] + depths[:, None]

    def decide(self, observation, memory=None):
        from revibranch.network.graphs import collate

        self.memories.append(memory)
        embeddings = self.encode(collate([observation]))
        values = embeddings[observation.candidates].sum(1)
        return values if memory is None else values * torch.sin(memory.sum()), embeddings


class Dying:
    """Ends the process that asks it."""

    name = "dying"

    def choose(self, focus):
        os._exit(3)


class Failing:
    """Raises whatever it is given, at the third node."""

    name = "failing"

    def __init__(self, error):
        self.error, self.n = error, 0

    def choose(self, focus):
        self.n += 1
        if self.n == 3:
            raise self.error
        return 0
