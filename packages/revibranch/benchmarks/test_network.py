"""The network: one decision at 400 rows and 750 columns, and one step of learning."""

import copy
import time

import pytest
import torch
from torch import nn
from torch_geometric.nn import MessagePassing

from revibranch.configs import PolicyConfig, TrainConfig
from revibranch.learning.losses import loss
from revibranch.learning.replay import ReplayForest
from revibranch.network.encoder import HalfConvolution
from revibranch.network.policy import ReviBranchPolicy
from revibranch.scip.observation import Observation
from revibranch.search.trees import Decision, Episode


def node(n=750, m=400, n_edges=15_000, n_candidates=60, edges=None):
    if edges is None:
        edges = torch.stack((torch.randint(n, (n_edges,)), torch.randint(m, (n_edges,)).sort().values))
    candidates = torch.randperm(n)[:n_candidates]
    return Observation(torch.randn(n, 19), torch.randn(m, 14), edges, ONES[: edges.shape[1]], candidates)


ONES = torch.ones(15_000, 1)


class PyGHalfConvolution(MessagePassing):
    """The convolution as it is usually written: a linear map for each edge."""

    def __init__(self, size):
        super().__init__(aggr="add")
        self.left, self.right = nn.Linear(size, size), nn.Linear(size, size, bias=False)
        self.edge, self.final = nn.Linear(1, size, bias=False), nn.Linear(size, size)

    def forward(self, source, target, edge_attr, i, j):
        x, size = (source, target), (len(source), len(target))
        return self.propagate(torch.stack((i, j)), x=x, edge_attr=edge_attr, size=size)

    def message(self, x_i, x_j, edge_attr):
        return self.final((self.left(x_i) + self.edge(edge_attr) + self.right(x_j)).relu())


@pytest.mark.parametrize("name", ["revibranch", "PyTorch Geometric"])
@pytest.mark.benchmark(group="a half convolution of 750 variables, 400 rows and 15,000 edges, and its gradients")
def test_half_convolution(benchmark, name):
    torch.manual_seed(0)
    one = node()
    layer = HalfConvolution(64) if name == "revibranch" else PyGHalfConvolution(64)
    source, target = torch.randn(750, 64, requires_grad=True), torch.randn(400, 64, requires_grad=True)

    def run():
        layer(source, target, one.edge_attr, *one.edge_index).sum().backward()

    benchmark(run)
    assert source.grad.shape == (750, 64)


@pytest.mark.parametrize("length", [0, 16])
@pytest.mark.benchmark(group="one decision, by the length of its path")
def test_decision(benchmark, length):
    torch.manual_seed(0)
    policy, one = ReviBranchPolicy().eval(), node()
    memory = torch.randn(length, 64) if length else None
    values, _ = benchmark(policy.decide, one, memory)
    assert values.shape == (60,)


@pytest.mark.slow
@pytest.mark.timed
def test_a_decision_takes_less_than_10_milliseconds_of_a_core(record_property):
    torch.manual_seed(0)
    policy, one, memory = ReviBranchPolicy().eval(), node(), torch.randn(16, 64)
    seconds = []
    for _ in range(20):
        start = time.process_time()
        policy.decide(one, memory)
        seconds.append(time.process_time() - start)
    record_property("seconds", min(seconds))
    assert min(seconds) < 0.010


@pytest.mark.benchmark(group="one step of learning: 32 decisions of 400 columns, 200 rows and 8,000 edges")
def test_update(benchmark):
    torch.manual_seed(0)
    n = 31
    first = node(400, 200, 8000, 40)
    nodes = [node(400, 200, 8000, 40, first.edge_index) for _ in range(n)]
    parents = [None, *((i - 1) // 2 for i in range(1, n))]
    decisions = [
        Decision(i, i, parents[i], (i + 1).bit_length() - 1, nodes[i], 0, float(i), (None, None)) for i in range(n)
    ]
    replay = ReplayForest(1000)
    replay.add(Episode(tuple(decisions), 2 * n + 1, 1, "optimal", 0.0, 0.0, 0.1))
    policy = ReviBranchPolicy(PolicyConfig(32, feedforward_size=64))
    target = copy.deepcopy(policy).eval()
    generator = torch.Generator().manual_seed(0)

    def step():
        value = loss(policy, target, replay.sample_paths(32, generator), TrainConfig())
        value.backward()
        return value

    assert torch.isfinite(benchmark(step))
