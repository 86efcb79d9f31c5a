"""The verifier: what it answers, why, and what it refuses."""

import copy

import pytest
import torch
from torch import nn

from bab_verify import Clause, Query, Specification, SpecificationError, Verifier, VerifyConfig
from bab_verify.bounds.propagation import Propagator
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Dense
from bab_verify.operators.convex import Exp
from bab_verify.operators.product import Product
from bab_verify.operators.relu import Relu
from bab_verify.operators.s_shaped import Tanh

DOUBLE = torch.float64
CONFIG = {"attack_restarts": 0, "timeout": 300.0, "device": "cpu"}


def toy():
    """relu(x1 - x2) - relu(2 x1 - x2): from -2 to 1 over the box, from -3 by CROWN, from -6 by intervals."""
    return Graph([
        Node(None, (), (2,)),
        Node(Dense(torch.tensor([[1.0, -1.0], [2.0, -1.0]]), None, (2,)), (0,), (2,)),
        Node(Relu(), (1,), (2,)),
        Node(Dense(torch.tensor([[1.0, -1.0]]), None, (2,)), (2,), (1,)),
    ])  # fmt: skip


LOWER, UPPER = torch.tensor([-1.0, -2.0]), torch.tensor([2.0, 1.0])


def at_most(*limits, row=(1.0,)):
    clauses = tuple(Clause(torch.tensor([row], dtype=DOUBLE), torch.tensor([d], dtype=DOUBLE)) for d in limits)
    return Specification((Query(LOWER, UPPER, clauses),))


def verify(specification, network=None, **options):
    return Verifier(network or toy(), VerifyConfig(**{**CONFIG, **options})).verify(specification)


@pytest.mark.parametrize("branching", ["input", "bbps"])
@pytest.mark.parametrize("dtype", ["auto", "float32", "float64"])
def test_branching_decides_what_bounds_leave_open(branching, dtype):
    options = {"branching": branching, "dtype": dtype, "cuts": "none"}
    held = verify(at_most(-2.02), **options)
    assert (held.status, held.counterexample) == ("unsat", None)
    broken = verify(at_most(-1.98), **options)
    assert broken.status == "sat"
    x, y = broken.counterexample.x, broken.counterexample.y
    assert (x >= LOWER).all()
    assert (x <= UPPER).all()
    assert y.item() <= -1.98
    assert toy().double()(x.double()[None]).item() == pytest.approx(y.item())


@pytest.mark.gpu
@pytest.mark.parametrize(("branching", "cuts"), [("input", "none"), ("bbps", "none"), ("bbps", "biccos")])
@pytest.mark.parametrize("limit", [-2.02, -1.98])
def test_verdicts_on_a_gpu_are_those_on_the_cpu(branching, cuts, limit):
    one, other = (
        verify(at_most(limit), device=device, branching=branching, cuts=cuts).status for device in ("cpu", "cuda")
    )
    assert one == other == ("unsat" if limit < -2 else "sat")


@pytest.mark.parametrize(
    ("bounds", "proven", "open_"), [("ibp", -6.01, -5.9), ("crown", -3.01, -2.9), ("alpha-crown", -3.0, -1.9)]
)
def test_bounds_without_branching(bounds, proven, open_):
    held = verify(at_most(proven - 1e-3), bounds=bounds, branching="none")
    assert (held.status, held.reason, held.visited) == ("unsat", "bounds", 0)
    left = verify(at_most(open_), bounds=bounds, branching="none")
    assert (left.status, left.reason) == ("unknown", "no branching")
    assert left.lower_bounds[0][0] <= 0


def test_the_attack_comes_first():
    found = verify(at_most(-1.9), attack_restarts=5)
    assert (found.status, found.reason, found.visited) == ("sat", "attack", 0)


def hard(seed=0):
    """A network of many inputs whose bounds are loose."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 30), nn.ReLU(), nn.Linear(30, 30), nn.ReLU(), nn.Linear(30, 1))


def out_of_reach(network, gap=0.3):
    x = torch.rand(50000, 8) * 2 - 1
    with torch.no_grad():
        least = network(x).min().item()
    clause = Clause(torch.ones(1, 1), torch.tensor([least - gap]))
    return Specification((Query(-torch.ones(8), torch.ones(8), (clause,)),))


def test_it_gives_up_at_the_limit_of_branches_or_of_time():
    network = hard()
    specification = out_of_reach(network)
    few = Verifier(network, VerifyConfig(**CONFIG, branching="input", max_domains=5), example=torch.zeros(1, 8))
    found = few.verify(specification)
    assert (found.status, found.reason) == ("unknown", "domain limit")
    assert found.visited >= 5
    assert found.lower_bounds[0][0] <= 0
    late = VerifyConfig(**{**CONFIG, "timeout": 1e-3}, branching="input")
    found = Verifier(network, late, example=torch.zeros(1, 8)).verify(specification)
    assert (found.status, found.reason) == ("unknown", "timeout")
    assert found.seconds < 5


@pytest.mark.parametrize(("n_inputs", "n_outputs"), [(3, 1), (2, 2)])
def test_a_specification_of_another_size_is_refused(n_inputs, n_outputs):
    clause = Clause(torch.ones(1, n_outputs), torch.zeros(1))
    specification = Specification((Query(torch.zeros(n_inputs), torch.ones(n_inputs), (clause,)),))
    with pytest.raises(SpecificationError, match="inputs"):
        verify(specification)


@pytest.mark.parametrize(
    "options",
    [{"seed": -1}, {"attack_restarts": -1}, {"attack_steps": 0}, {"input_dimensions": -1}, {"batch_size": -1}],
)
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError, match="at least"):
        VerifyConfig(**options)


def test_every_box_and_every_clause_counts():
    safe, unsafe = at_most(-2.5).queries[0], at_most(-2.5, -1.9).queries[0]
    small = Query(torch.zeros(2), torch.full((2,), 0.1), at_most(-1.9).queries[0].clauses)
    assert verify(Specification((safe, small))).status == "unsat"
    found = verify(Specification((small, unsafe)))
    assert found.status == "sat"
    assert len(verify(Specification((safe, small))).lower_bounds) == 2


def test_fixed_inputs_are_left_alone():
    lower = torch.tensor([0.5, -2.0])
    query = Query(lower, torch.tensor([0.5, 1.0]), at_most(-0.49).queries[0].clauses)
    found = verify(Specification((query,)))
    assert found.status == "sat"
    assert found.counterexample.x[0] == 0.5
    assert verify(Specification((Query(lower, lower, at_most(-0.51).queries[0].clauses),))).status == "unsat"


def test_a_module_and_its_graph_get_the_same_verdict():
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1))
    verifier = Verifier(module, VerifyConfig(**CONFIG), example=torch.zeros(1, 2))
    for limit, status in ((-10.0, "unsat"), (10.0, "sat")):
        assert verifier.verify(at_most(limit)).status == status


def test_the_given_graph_stays_as_it_is():
    graph = toy()
    before = copy.deepcopy(graph.state_dict())
    nodes = graph.nodes
    assert verify(at_most(-2.02), graph, dtype="float64").status == "unsat"
    assert graph.nodes is nodes
    assert all(torch.equal(x, before[k]) and x.dtype == before[k].dtype for k, x in graph.state_dict().items())


def test_progress_is_told_and_kept():
    told = []
    found = Verifier(toy(), VerifyConfig(**CONFIG, branching="input")).verify(at_most(-2.02), lambda *x: told.append(x))
    assert tuple(told) == found.history
    assert all(len(entry) == 4 for entry in told)


@pytest.mark.parametrize("bounds", ["ibp", "crown", "alpha-crown", "beta-crown"])
def test_what_overflows_is_never_proven(bounds):
    """The first output, exp(1000 x) exp(-1000 x) = 1, is below 2, whatever the second one overflows to."""
    nodes = [
        Node(None, (), (1,)),
        Node(Dense(torch.tensor([[1e3], [-1e3]]), None, (1,)), (0,), (2,)),
        Node(Exp(), (1,), (2,)),
        Node(Dense(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), None, (2,)), (2,), (2,)),
        Node(Product(), (2, 3), (2,)),
    ]
    clause = Clause(torch.tensor([[1.0, 0.0]]), torch.tensor([2.0]))
    specification = Specification((Query(-torch.ones(1), torch.ones(1), (clause,)),))
    config = VerifyConfig(**{**CONFIG, "timeout": 2.0}, bounds=bounds, branching="input", max_domains=50)
    assert Verifier(Graph(nodes), config).verify(specification).status != "unsat"


def test_a_smooth_network_without_constants():
    graph = Graph([Node(None, (), (2,)), Node(Tanh(), (0,), (2,)), Node(Product(), (1, 0), (2,))])
    clause = Clause(torch.eye(2), torch.full((2,), -0.01))
    specification = Specification((Query(-torch.ones(2), torch.ones(2), (clause,)),))
    assert Verifier(graph, VerifyConfig(**CONFIG, branching="input")).verify(specification).status == "unsat"


def test_where_nothing_is_wide_enough_to_split_the_input_is_split():
    nodes, sizes = [Node(None, (), (24,))], (24, 8, 8, 1)
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        weight = torch.randn(m, n, generator=torch.Generator().manual_seed(i), dtype=torch.float64) / n**0.5
        nodes.append(Node(Dense(weight, None, (n,)), (len(nodes) - 1,), (m,)))
        if m > 1:
            nodes.append(Node(Tanh(), (len(nodes) - 1,), (m,)))
    graph, end = Graph(nodes), 5e-4 * torch.ones(24, dtype=torch.float64)
    x = torch.zeros(1, 24, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(graph(x).sum(), x)
    least = graph(-end * slope.sign()).item()
    box, planes = Interval(-end[None], end[None]), Propagator(graph).crown(Interval(-end[None], end[None]))[1]
    bound = Propagator(graph).backward(5, torch.ones(1, 1, 1, dtype=torch.float64), planes).minimum(box).item()
    threshold = torch.tensor([0.5 * (least + bound)], dtype=torch.float64)
    specification = Specification((Query(-end, end, (Clause(torch.ones(1, 1, dtype=torch.float64), threshold),)),))
    found = {
        name: Verifier(graph, VerifyConfig(**CONFIG, branching=name)).verify(specification) for name in ("bbps", "auto")
    }
    assert (found["bbps"].status, found["bbps"].reason) == ("unknown", "branches that cannot be split")
    assert found["auto"].status == "unsat"
