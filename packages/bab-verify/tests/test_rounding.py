"""Single precision: no margin is above the truth by more than what is taken off for rounding."""

import copy

import pytest
import torch

from bab_verify.bounds.propagation import Propagator
from bab_verify.bounds.rounding import margin_slack
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Dense
from bab_verify.operators.relu import Relu
from bab_verify.operators.s_shaped import Tanh


def deep(kind, depth, width, gain, seed):
    generator = torch.Generator().manual_seed(seed)
    nodes = [Node(None, (), (width,))]
    for _ in range(depth):
        weight = torch.randn(width, width, generator=generator) * gain * (2 / width) ** 0.5
        nodes.append(
            Node(Dense(weight, torch.randn(width, generator=generator), (width,)), (len(nodes) - 1,), (width,))
        )
        nodes.append(Node(kind(), (len(nodes) - 1,), (width,)))
    weight = torch.randn(5, width, generator=generator) * (2 / width) ** 0.5
    nodes.append(Node(Dense(weight, None, (width,)), (len(nodes) - 1,), (5,)))
    return Graph(nodes).float()


def margins(graph, box):
    _, planes = Propagator(graph).crown(box)
    c = torch.cat([torch.eye(5), -torch.eye(5)])[None].to(box.lower)
    linear = Propagator(graph).backward(len(graph.nodes) - 1, c, planes)
    return linear.minimum(box), margin_slack(linear, box, torch.zeros(10, dtype=box.lower.dtype))


@pytest.mark.parametrize("kind", [Relu, Tanh])
@pytest.mark.parametrize(("depth", "width", "gain"), [(2, 10, 1), (20, 10, 1), (20, 60, 0.5), (10, 10, 2)])
@pytest.mark.parametrize("radius", [1e-6, *(pytest.param(radius, marks=pytest.mark.slow) for radius in (1e-4, 1e-2))])
def test_deep_networks(kind, depth, width, gain, radius):
    graph = deep(kind, depth, width, gain, seed=depth)
    exact = copy.deepcopy(graph).double()
    x = torch.randn(8, width, generator=torch.Generator().manual_seed(1))
    box = Interval(x - radius, x + radius)
    wide = Interval(box.lower.double(), box.upper.double())
    found, slack = margins(graph, box)
    expected, _ = margins(exact, wide)
    assert (found.double() - slack.double() <= expected).all()
    assert (slack < 1e-3 * (1 + expected.abs())).all()
    y = exact(
        torch.lerp(wide.lower, wide.upper, torch.rand(8, width, generator=torch.Generator().manual_seed(2)).double())
    )
    assert (found.double() - slack.double() <= torch.cat([y, -y], 1)).all()
