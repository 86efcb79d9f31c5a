"""Single precision: no margin is above the truth by more than what is taken off for rounding."""

import copy

import pytest
import torch

from bab_verify.bounds.propagation import Propagator
from bab_verify.bounds.rounding import interval_margins, margin_slack, outward, slack_in
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


def test_bounds_in_other_numbers_enclose_and_no_more():
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[:3] = torch.tensor([0.0, 0.5, -3.0])
    lower, upper = outward(Interval(x, x), torch.float32)
    assert (lower.double() <= x).all()
    assert (upper.double() >= x).all()
    assert (lower.nextafter(torch.tensor(torch.inf)).double() >= x).all()
    assert (upper.nextafter(torch.tensor(-torch.inf)).double() <= x).all()
    assert (lower[:3] == upper[:3]).all(), "what needs no rounding stays"


def test_the_slack_in_other_numbers_is_what_it_is_there():
    graph = deep(Relu, 5, 10, 1, seed=0)
    x = torch.randn(8, 10, generator=torch.Generator().manual_seed(1))
    box, zero = Interval(x - 0.01, x + 0.01), torch.zeros(10)
    _, planes = Propagator(graph).crown(box)
    linear = Propagator(graph).backward(len(graph.nodes) - 1, torch.cat([torch.eye(5), -torch.eye(5)])[None], planes)
    torch.testing.assert_close(slack_in(torch.float32, linear, box, zero), margin_slack(linear, box, zero))
    fine = slack_in(torch.float64, linear, box, zero)
    torch.testing.assert_close(fine * 2.0**29, margin_slack(linear, box, zero), rtol=1e-3, atol=0)


@pytest.mark.parametrize("n", [10, 1000])
def test_margins_by_interval_arithmetic_are_below_the_exact_ones(n):
    draw = torch.Generator().manual_seed(n)
    c, middle = (100 * torch.randn(1, 20, n, generator=draw), torch.randn(8, n, generator=draw))
    d = torch.randn(20, generator=draw)
    y = Interval(middle - 1e-3, middle + 1e-3)
    found = interval_margins(c, y, d)
    low, high = (end.double().unsqueeze(2) for end in y)
    exact = (c.double().clamp(min=0) @ low + c.double().clamp(max=0) @ high).squeeze(2) - d.double()
    assert (found.double() <= exact).all()
    assert (exact - found.double() < 1e-2 * n).all()
