import time

import pytest
import torch

from bab_verify import Clause, Graph, Query, pgd_attack
from bab_verify.graph import Node
from bab_verify.operators.affine import Dense
from bab_verify.operators.relu import Relu

SIZES = (2, 20, 20, 3)


def mlp(sizes, seed=0, dtype=torch.float64):
    """A random ReLU network."""
    generator = torch.Generator().manual_seed(seed)
    nodes = [Node(None, (), (sizes[0],))]
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        if i:
            nodes.append(Node(Relu(), (len(nodes) - 1,), (n,)))
        weight = torch.randn(m, n, generator=generator) * (2 / n) ** 0.5
        bias = torch.randn(m, generator=generator) / 2
        nodes.append(Node(Dense(weight.to(dtype), bias.to(dtype), (n,)), (len(nodes) - 1,), (m,)))
    return Graph(nodes)


def box(*clauses, n=2, low=-1.0, high=1.0):
    return Query(torch.full((n,), low), torch.full((n,), high), tuple(clauses))


def grid(n=201):
    axis = torch.linspace(-1, 1, n, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis)


def below(row, d):
    return Clause(torch.tensor([row]), torch.tensor([d]))


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in (3, 4))])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_finds_what_a_grid_finds_and_nothing_where_there_is_nothing(seed, dtype):
    graph = mlp(SIZES, seed, dtype)
    y = graph(grid().to(dtype))[:, 0].double()
    least, spread = y.min().item(), (y.max() - y.min()).item()
    found = pgd_attack(graph, box(below([1.0, 0, 0], least + 1e-3 * spread)))
    assert found is not None
    assert (graph(found.to(dtype))[:, 0].double() <= least + 1e-3 * spread + 1e-6).all()
    assert pgd_attack(graph, box(below([1.0, 0, 0], least - 0.2 * spread)), restarts=5) is None


def test_every_row_of_a_clause_must_hold():
    graph = mlp(SIZES)
    y = graph(grid())
    rows = torch.eye(3, dtype=torch.float64)[:2]
    d = y[:, :2].quantile(0.2, dim=0)
    both = ((y[:, :2] - d).amax(1) <= 0).any()
    found = pgd_attack(graph, box(Clause(rows, d)))
    assert (found is not None) == bool(both)
    if found is not None:
        assert ((graph(found)[:, :2] - d).amax(1) <= 0).all()


def test_candidates_are_inside_the_box_in_double_precision_and_fixed_inputs_stay():
    graph = mlp((4, 10, 2), dtype=torch.float32)
    lower = torch.tensor([0.1, 0.1, -0.3, 0.7], dtype=torch.float64)
    upper = torch.tensor([0.1, 0.2, 0.3, 0.7], dtype=torch.float64)
    found = pgd_attack(graph, Query(lower, upper, (below([1.0, 0.0], 100.0),)))
    assert found.dtype == torch.float64
    assert ((found >= lower) & (found <= upper)).all()
    assert (found[:, 0] == 0.1).all()


def test_a_clause_of_fewer_rows_and_one_without_rows():
    graph = mlp(SIZES)
    never = Clause(torch.eye(3), torch.full((3,), -1e6))
    assert pgd_attack(graph, box(never, below([0, 1.0, 0], 1e6)), restarts=1) is not None
    assert pgd_attack(graph, box(never, Clause(torch.zeros(0, 3), torch.zeros(0))), restarts=1) is not None


def test_only_open_clauses_are_attacked():
    graph = mlp(SIZES)
    query = box(below([1.0, 0, 0], 1e6), below([1.0, 0, 0], -1e6))
    assert pgd_attack(graph, query, clauses=torch.tensor([False, True]), restarts=2) is None
    assert pgd_attack(graph, query, clauses=torch.tensor([False, False])) is None
    assert pgd_attack(graph, query, clauses=torch.tensor([True, False])) is not None


def test_refused_candidates_make_it_look_for_more_violating_ones():
    graph = mlp(SIZES, 1)
    y = graph(grid())[:, 0]
    d, wanted = y.quantile(0.3).item(), y.quantile(0.02).item()
    asked = []

    def confirm(x):
        asked.append(float(graph(x[None])[0, 0]))
        return asked[-1] <= wanted

    found = pgd_attack(graph, box(below([1.0, 0, 0], d)), confirm=confirm)
    assert found.shape == (1, 2)
    assert graph(found)[0, 0] <= wanted
    assert asked == sorted(asked, reverse=True)
    assert pgd_attack(graph, box(below([1.0, 0, 0], d)), confirm=lambda x: False, restarts=2) is None


def test_a_near_miss_may_be_confirmed():
    graph = mlp(SIZES, 1)
    least = graph(torch.zeros(1, 2, dtype=torch.float64))[0, 0].item()
    point = Query(torch.zeros(2), torch.zeros(2), (below([1.0, 0, 0], least - 1e-9),))
    assert pgd_attack(graph, point) is None
    assert pgd_attack(graph, point, confirm=lambda x: True) is not None


def test_it_ends_in_time():
    graph = mlp((50, 200, 200, 200, 10))
    query = box(*(below(torch.eye(10)[i].tolist(), -1e6) for i in range(10)), n=50)
    start = time.monotonic()
    assert pgd_attack(graph, query, restarts=10_000, steps=10_000, budget=0.1) is None
    assert pgd_attack(graph, query, restarts=10_000, steps=10_000, deadline=time.monotonic() + 0.1) is None
    assert time.monotonic() - start < 2


def test_one_seed_one_result():
    graph = mlp(SIZES, 3)
    least = graph(grid())[:, 0].min().item()
    query = box(below([1.0, 0, 0], least + 0.01))
    one, other = (pgd_attack(graph, query, generator=torch.Generator().manual_seed(5), budget=60) for _ in range(2))
    assert torch.equal(one, other)


def test_it_works_under_no_grad_and_leaves_the_graph_as_it_was():
    graph = mlp(SIZES, 2, torch.float32)
    before = {name: x.clone() for name, x in graph.state_dict().items()}
    with torch.no_grad():
        pgd_attack(graph, box(below([1.0, 0, 0], -1e6)), restarts=6, steps=5)
    assert all(torch.equal(x, before[name]) for name, x in graph.state_dict().items())


def test_flat_regions_are_left():
    # All gradients are zero but in a corner: y = relu(x_1 - 0.9) + ...
    weight, bias = torch.tensor([[1.0, 0.0]]), torch.tensor([-0.95])
    nodes = [
        Node(None, (), (2,)),
        Node(Dense(weight, bias, (2,)), (0,), (1,)),
        Node(Relu(), (1,), (1,)),
        Node(Dense(torch.tensor([[-1.0]]), None, (1,)), (2,), (1,)),
    ]
    assert pgd_attack(Graph(nodes), box(below([1.0], -0.049))) is not None


def test_no_attack_and_a_query_about_something_else():
    graph = mlp(SIZES)
    assert pgd_attack(graph, box(below([1.0, 0, 0], 1e6)), restarts=0) is None
    with pytest.raises(ValueError, match=r"3 inputs and 3 outputs, but the network has 2 and 3"):
        pgd_attack(graph, box(below([1.0, 0, 0], 1e6), n=3))


@pytest.mark.gpu
def test_on_a_gpu():
    graph = mlp(SIZES, dtype=torch.float32).cuda()
    found = pgd_attack(graph, box(below([1.0, 0, 0], 1e6), below([1.0, 0, 0], -1e6)))
    assert found.device.type == "cpu"
