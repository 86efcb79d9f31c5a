"""A node of the published set covers of 400 rows and 750 columns: its observation, beside SCIP's call, and decision.

What a replay of many such nodes takes is measured, too.
"""

import time
from functools import cache

import pytest
import torch

from parallel import measures
from revibranch import configs
from revibranch.instances import IndependentSetConfig, SetCoverConfig, make_instance
from revibranch.learning.replay import ReplayForest
from revibranch.network.policy import ReviBranchPolicy
from revibranch.scip import models
from revibranch.scip.rules import RandomRule
from revibranch.search.branching import install_rule
from revibranch.search.environment import solve_episode

DECISION_SECONDS = 0.025
"""The most that observing and deciding a node may take of one core."""
REPLAY_BYTES = 600e6
"""The most that 2,000 decisions may take in a replay."""


class Measuring:
    """Measures something at one of the nodes, then has SCIP stop."""

    name = "measuring"

    def __init__(self, measure, node):
        self.measure, self.node, self.n = measure, node, 0

    def choose(self, focus):
        self.n += 1
        if self.n == self.node:
            self.result = self.measure(focus)
            focus.model.interruptSolve()
        return 0


def at_a_node(request, measure):
    """Whatever `measure` gives at the fifth node; at the first of a small problem where nothing is measured."""
    if measures(request.config):
        return solve_with(make_instance(SetCoverConfig(), 1), measure, 5)
    return solve_with(make_instance(IndependentSetConfig(60, 8), 3, 1), measure, 1)


def solve_with(instance, measure, node):
    """Whatever `measure` gives at a node of an instance."""
    model = models.make_scip_model(instance, configs.ScipConfig())
    plugin = install_rule(model, Measuring(measure, node))
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


def make_decide(focus):
    """What a policy does at a node, on a path as long as it remembers."""
    torch.manual_seed(0)
    policy = ReviBranchPolicy().eval()
    memory = torch.randn(policy.config.memory_length, policy.config.embedding_size)
    return lambda: policy.decide(focus.extractor.extract(focus.model), memory)[0]


@pytest.mark.benchmark(group="a node: observation and decision of the network")
def test_decision_at_a_node(benchmark, request):
    values, n_candidates = at_a_node(request, lambda focus: (benchmark(make_decide(focus)), len(focus.candidates)))
    assert values.shape == (n_candidates,)


@pytest.mark.slow
@pytest.mark.timed
def test_a_node_takes_at_most_25_milliseconds_of_a_core(record_property):
    def measure(focus):
        decide = make_decide(focus)
        seconds = []
        for _ in range(20):
            start = time.process_time()
            decide()
            seconds.append(time.process_time() - start)
        return min(seconds)

    seconds = solve_with(make_instance(SetCoverConfig(), 0), measure, 5)
    record_property("seconds", seconds)
    assert seconds <= DECISION_SECONDS


@pytest.mark.benchmark(group="32 decisions drawn from a replay; its megabytes for 2,000 decisions are beside")
def test_replay(benchmark, request):
    is_measured = measures(request.config)
    replay = ReplayForest(10_000)
    config = configs.ScipConfig(node_limit=200, depth_first=True)
    seed = 0
    while len(replay) < (2000 if is_measured else 20):
        instance = make_instance(SetCoverConfig(), seed) if is_measured else Small()
        replay.add(solve_episode(RandomRule(seed), instance, config))
        seed += 1
    generator = torch.Generator().manual_seed(0)
    batch = benchmark(replay.sample_paths, 32, generator)
    assert len(batch.steps) == 32
    size = replay.nbytes / len(replay) * 2000
    benchmark.extra_info["megabytes"] = size / 1e6
    assert size < REPLAY_BYTES
