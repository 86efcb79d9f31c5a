"""Extracting observations, beside SCIP's own call, on the published set covers of 400 rows and 750 columns."""

import os
from functools import cache
from pathlib import Path

import pytest

from parallel import measures
from revibranch import configs, scip
from revibranch.branching import install_rule

FILE = Path("milp/set_covering_n_rows_400_n_cols_750/instance_1.lp.gz")


class Measuring:
    """Measures something at one node, then has SCIP stop."""

    name = "measuring"

    def __init__(self, measure):
        self.measure, self.n = measure, 0

    def choose(self, focus):
        self.n += 1
        if self.n == 5:
            self.result = self.measure(focus)
            focus.model.interruptSolve()
        return 0


def at_a_node(request, measure):
    """Whatever `measure` gives at the fifth node; on a small problem where nothing is measured."""
    folder = os.environ.get("SEPARATA_DATA")
    if measures(request.config) and (folder is None or not (Path(folder) / FILE).is_file()):
        pytest.skip(f"needs {FILE} in the folder SEPARATA_DATA")
    path = Path(folder) / FILE if measures(request.config) else None
    model = scip.make_scip_model(path or Small(), configs.ScipConfig())
    plugin = install_rule(model, Measuring(measure))
    model.optimize()
    plugin.check()
    model.freeProb()
    return plugin.rule.result


class Small:
    """A set cover that takes a moment."""

    @staticmethod
    @cache
    def data():
        import numpy as np

        generator = np.random.default_rng(1)
        return generator.random((40, 80)) < 0.15, generator.integers(10, 20, 80)

    def to_scip(self):
        from pyscipopt import Model, quicksum

        matrix, costs = self.data()
        model = Model()
        x = [model.addVar(vtype="B", obj=float(cost)) for cost in costs]
        for row in matrix:
            model.addCons(quicksum(variable for variable, is_in in zip(x, row) if is_in) >= 1)
        return model


@pytest.mark.benchmark(group="the bipartite graph of a node")
def test_ours(benchmark, request):
    at_a_node(request, lambda focus: benchmark(focus.extractor.extract, focus.model))


@pytest.mark.benchmark(group="the bipartite graph of a node")
def test_scip_afresh(benchmark, request):
    at_a_node(request, lambda focus: benchmark(focus.model.getBipartiteGraphRepresentation))
