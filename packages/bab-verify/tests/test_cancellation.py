"""Networks whose terms cancel: no verdict rests on digits that rounding took, judged in exact arithmetic.

Units whose weights are 1 to 4 units in the last place of float32 apart are multiplied by up to 10^8 and subtracted, and
the threshold lies closer to the least output than a rounding error of what is subtracted.
"""

from dataclasses import dataclass

import mpmath
import numpy as np
import pytest
import torch
from exact_arithmetic import Dyadic, applied, at_most, exact, exact_values
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from bab_verify import Clause, Query, Specification, Verifier, VerifyConfig
from bab_verify.graph import Graph, Node
from bab_verify.operators.affine import Dense
from bab_verify.operators.product import Product
from bab_verify.operators.relu import Relu
from bab_verify.operators.s_shaped import Sigmoid

NIGHTLY = settings().max_examples > 100
FRONTS = ("none", "none", "relu", "product", "sigmoid")
TYPES = {"single": torch.float32, "stored": torch.float64, "double": torch.float64}
ULP = {torch.float32: 2.0**-24, torch.float64: 2.0**-53}


@dataclass
class Cancelling:
    """Networks of one box, each of them an output of one graph, and thresholds.

    Args:
        graph: The networks.
        lower: (inputs,).
        upper: (inputs,).
        witness: Inputs (networks, inputs) at which an output is as small as was found.
        least: What an output is there, or more by less than 2^-60 of it, (networks,).
        terms: The absolute values of the terms that it is the sum of, (networks,).
        linear: Which are linear over the box.
    """

    graph: Graph
    lower: torch.Tensor
    upper: torch.Tensor
    witness: np.ndarray
    least: np.ndarray
    terms: np.ndarray
    linear: np.ndarray

    def clauses(self, d):
        return tuple(Clause(row[None], one[None]) for row, one in zip(torch.eye(len(d)).double(), d))

    def query(self, d):
        return Query(self.lower, self.upper, self.clauses(d))

    def alone(self, k):
        """The network of one output."""
        nodes = list(self.graph.nodes)
        last = nodes[-1].operator
        bias = None if last.bias is None else last.bias[k : k + 1]
        used = (last.weight[k] != 0).nonzero().squeeze(1)
        before = nodes[-3].operator
        inner = Dense(before.weight[used], None if before.bias is None else before.bias[used], before.input_shapes[0])
        nodes[-3] = Node(inner, nodes[-3].inputs, (len(used),))
        nodes[-2] = Node(nodes[-2].operator, nodes[-2].inputs, (len(used),))
        nodes[-1] = Node(Dense(last.weight[k : k + 1, used], bias, (len(used),)), nodes[-1].inputs, (1,))
        return Graph(nodes)


def single(x):
    return np.float32(x).astype(float)


def loguniform(rng, low, high, *shape):
    return np.exp(rng.uniform(np.log(low), np.log(high), shape))


def cancelling(rng, n_networks, front=None, storage=None):
    """Networks of one kind."""
    front = front or FRONTS[rng.integers(len(FRONTS))]
    storage = storage or ("single", "stored", "stored", "double")[rng.integers(4)]
    kept = single if storage != "double" else np.asarray
    n, m = int(rng.integers(1, 7)), int(rng.integers(1, 5))
    nodes = [Node(None, (), (n,))]

    def put(operator, *inputs, size):
        nodes.append(Node(operator, inputs, (size,)))
        return len(nodes) - 1

    def dense(weight, bias, at):
        weight, bias = (torch.tensor(kept(x)) for x in (weight, bias))
        return put(Dense(weight, bias, (weight.shape[1],)), at, size=len(weight))

    at, width = 0, n
    if front != "none":
        at = dense(rng.uniform(-1, 1, (m, n)), rng.uniform(-1, 3, m), 0)
        if front == "product":
            other = dense(rng.uniform(-1, 1, (m, n)), rng.uniform(-1, 3, m), 0)
            at = put(Product(), at, other, size=m)
        else:
            at = put(Relu() if front == "relu" else Sigmoid(), at, size=m)
        width = m
    pairs = int(rng.integers(1, 4))
    size = n_networks * pairs
    a = kept(rng.uniform(-2, 2, (size, width)) if rng.random() < 0.5 else rng.uniform(0.5, 2, (size, width)))
    steps = rng.integers(1, 5, a.shape) * rng.choice([-1, 1], a.shape) * (rng.random(a.shape) < 0.7)
    b = a + steps * np.spacing(np.abs(a).astype(np.float32)).astype(float)
    c = rng.uniform(-1, 4, size) * (rng.random() < 0.6)
    k = kept(loguniform(rng, 1e3, 1e8, size) * rng.choice([-1, 1], size))
    at = put(Relu(), dense(np.concatenate([a, b]), np.concatenate([c, c]), at), size=2 * size)
    row = np.kron(np.eye(n_networks), np.ones((1, pairs)))
    subtracted = np.concatenate([row * k, row * -k], 1)
    if rng.random() < 0.7:
        dense(subtracted, rng.uniform(-1, 1, n_networks), at)
    else:
        # Once more: each network is a sum of what is left of two cancellations.
        twice = np.concatenate([subtracted, -subtracted])
        at = put(Relu(), dense(twice, np.full(2 * n_networks, rng.uniform(0, 100)), at), size=2 * n_networks)
        dense(np.concatenate([np.eye(n_networks)] * 2, 1) * rng.choice([-1, 1]), rng.uniform(-1, 1, n_networks), at)
    graph = Graph(nodes).to(TYPES[storage])
    center = rng.uniform(0.5, 2, n) * rng.choice([-1, 1], n, p=[0.2, 0.8])
    radius = loguniform(rng, 1e-7, 1, n) * (rng.random(n) < 0.9)
    lower, upper = ((single(x) if rng.random() < 0.5 else x) for x in (center - radius, center + radius))
    return judged(graph, torch.tensor(np.minimum(lower, upper)), torch.tensor(np.maximum(lower, upper)), rng, front)


def judged(graph, lower, upper, rng, front):
    """With the least outputs over corners and some inner points, exactly."""
    n = len(lower)
    corners = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    if len(corners) > 16:
        corners = corners[rng.choice(len(corners), 16, replace=False)]
    weight = np.concatenate([corners, rng.random((3, n))])
    low, high = lower.numpy(), upper.numpy()
    x = np.clip(low + weight * (high - low), low, high)
    x = np.where(weight == 1, high, x)
    values = precise(graph, x) if front == "sigmoid" else exact_values(graph, exact(x))
    y = values[-1]
    best = y.ints.argmin(0)
    # Rounded up, with what mpmath may be wrong by: at most this at the witness.
    found = y[best, np.arange(len(best))]
    least = found.floats()
    spare = 2.0**-60 if front == "sigmoid" else 0
    least = least + spare * np.abs(least)
    while not (above := at_least(least, found)).all():
        least = np.where(above, least, np.nextafter(least, np.inf))
    whole = np.ones(len(best), bool)
    if front == "none":
        for index, node in enumerate(graph.nodes[1:], 1):
            if isinstance(node.operator, Relu):
                ints = values[index - 1].ints
                stable = ((ints > 0).all(0) | (ints < 0).all(0)).reshape(2, len(best), -1)
                whole &= stable.all((0, 2))
    else:
        whole[:] = False
    return Cancelling(
        graph, lower, upper, x[best], least, absolute_terms(graph, np.maximum(abs(low), abs(high))), whole
    )


def at_least(bound, value):
    return at_most(torch.tensor(-bound), -value)


def precise(graph, x):
    """Like `exact_values`, with sigmoids to 250 bits: the error is far below 2^-60 of anything."""
    values = [exact(x)]
    for node in graph.nodes[1:]:
        inputs = [values[source] for source in node.inputs]
        if not isinstance(node.operator, Sigmoid):
            values.append(applied(node.operator, inputs))
            continue
        with mpmath.workprec(300):
            scale = mpmath.mpf(2) ** -inputs[0].places
            at = [int(mpmath.nint(mpmath.ldexp(1 / (1 + mpmath.exp(-i * scale)), 250))) for i in inputs[0].ints.ravel()]
        out = np.empty(len(at), object)
        out[:] = at
        values.append(Dyadic(out.reshape(inputs[0].ints.shape), 250))
    return values


def absolute_terms(graph, x):
    """The absolute values of all that each output is a sum of, at inputs of a magnitude."""
    values = [x]
    for node in graph.nodes[1:]:
        inputs = [values[source] for source in node.inputs]
        operator = node.operator
        if isinstance(operator, Dense):
            weight = operator.weight.double().abs().numpy()
            bias = 0 if operator.bias is None else operator.bias.double().abs().numpy()
            values.append(weight @ inputs[0] + bias)
        elif isinstance(operator, Product):
            values.append(inputs[0] * inputs[1])
        else:
            values.append(np.minimum(inputs[0], 1) if isinstance(operator, Sigmoid) else inputs[0])
    return values[-1]


def thresholds(rng, group, unit):
    """On the violated side of the least output, by 1e-3 to 1 times a rounding error of its terms."""
    distance = loguniform(rng, 1e-3, 1, len(group.least)) * unit * group.terms
    return torch.tensor(np.maximum(group.least + distance, np.nextafter(group.least, np.inf)))


class Unconvinced(Verifier):
    """A verifier that no counterexample convinces: it goes on to search where it would have ended."""

    def confirm(self, specification, x):
        return None


FAST = {
    "attack_restarts": 0,
    "timeout": 20.0,
    "device": "cpu",
    "max_domains": 12,
    "batch_size": 4,
    "root_steps": 1,
    "branch_steps": 1,
}
DTYPES, BOUNDS, BRANCHINGS = ("auto", "float32", "float64"), ("ibp", "crown", "alpha-crown"), ("input", "bbps", "auto")
seeds = st.integers(0, 2**32 - 1)


def networks(count):
    """A share of the networks: hypothesis draws nothing but seeds, which do not get simpler."""
    return settings(
        max_examples=count * (20 if NIGHTLY else 1),
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def told(group, k, d, config):
    return (
        f"{config}: f(x) <= {float(d[k])!r} is refuted, but at x = {group.witness[k].tolist()} f is {group.least[k]!r}"
    )


@networks(38)
@given(seed=seeds)
def test_no_bound_refutes_what_an_input_does(seed):
    """25 networks at once, each with a threshold of its own."""
    rng = np.random.default_rng(seed)
    group = cancelling(rng, 25)
    d = thresholds(rng, group, (*ULP.values(),)[rng.integers(2)])
    config = FAST | {"dtype": DTYPES[seed % 3], "bounds": BOUNDS[rng.integers(3)], "branching": "none"}
    found = Verifier(group.graph, VerifyConfig(**config)).verify(Specification((group.query(d),)))
    assert found.status != "unsat"
    for k, margin in enumerate(found.lower_bounds[0]):
        assert not margin > 0, told(group, k, d, config)


@networks(50)
@given(seed=seeds)
def test_no_search_refutes_what_an_input_does(seed):
    rng = np.random.default_rng(seed)
    group = cancelling(rng, 1)
    d = thresholds(rng, group, (*ULP.values(),)[rng.integers(2)])
    config = FAST | {"dtype": DTYPES[seed % 3], "branching": BRANCHINGS[rng.integers(3)]}
    kind = (Verifier, Unconvinced)[rng.integers(2)]
    found = kind(group.graph, VerifyConfig(**config)).verify(Specification((group.query(d),)))
    assert found.status != "unsat", told(group, 0, d, config)


@networks(20)
@given(seed=seeds)
def test_no_linear_program_refutes_what_an_input_does(seed):
    rng = np.random.default_rng(seed)
    group = cancelling(rng, 1, front=("none", "relu")[rng.integers(2)])
    d = thresholds(rng, group, (*ULP.values(),)[rng.integers(2)])
    config = FAST | {"dtype": DTYPES[seed % 3], "branching": "milp"}
    kind = (Verifier, Unconvinced)[rng.integers(2)]
    found = kind(group.graph, VerifyConfig(**config)).verify(Specification((group.query(d),)))
    assert found.status != "unsat", told(group, 0, d, config)


@networks(20)
@given(seed=seeds)
def test_what_double_precision_can_tell_apart_is_decided(seed):
    """Networks that are linear over the box, and the violated and the safe side of their least output."""
    rng = np.random.default_rng(seed)
    group = cancelling(rng, 3, front="none")
    keep = group.linear.nonzero()[0]
    assume(len(keep))
    k = int(keep[0])
    distance = 2.0**15 * ULP[torch.float64] * group.terms[k]
    for dtype in ("auto", "float64"):
        config = VerifyConfig(**FAST | {"dtype": dtype, "branching": "input"})
        verifier = Verifier(group.alone(k), config)
        for sign, status in ((-1, "unsat"), (1, "sat")):
            d = torch.tensor([group.least[k] + sign * distance])
            query = Query(group.lower, group.upper, (Clause(torch.ones(1, 1), d),))
            assert verifier.verify(Specification((query,))).status == status


def amplified(storage):
    """8407215 (relu(a x) - relu(b x)), where a and b are one unit in the last place of float32 apart."""
    a, b, k = float.fromhex("0x1.ffe91cp+0"), float.fromhex("0x1.ffe91ap+0"), 8407215.0
    return Graph([
        Node(None, (), (1,)),
        Node(Dense(torch.tensor([[a], [b]], dtype=storage), None, (1,)), (0,), (2,)),
        Node(Relu(), (1,), (2,)),
        Node(Dense(torch.tensor([[k, -k]], dtype=storage), None, (2,)), (2,), (1,)),
    ])  # fmt: skip


@pytest.mark.parametrize("storage", [torch.float32, torch.float64])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("branching", ["auto", "input", "bbps", "babsr", "kfsb", "random", "milp", "none"])
def test_an_output_that_is_a_difference_of_large_terms(storage, dtype, branching):
    """f(1) = 1.0022 <= 1.3, of terms of 2e7, which float32 knows to within 1."""
    query = Query(torch.ones(1), torch.full((1,), 2.0), (Clause(torch.ones(1, 1), torch.tensor([1.3]).double()),))
    for bounds in ("crown", "alpha-crown", "beta-crown"):
        config = VerifyConfig(
            dtype=dtype, branching=branching, bounds=bounds, attack_restarts=0, device="cpu", max_domains=100
        )
        found = Verifier(amplified(storage), config).verify(Specification((query,)))
        assert found.status != "unsat", bounds
        if bounds == "beta-crown" and branching != "none" and dtype != "float32":
            assert found.status == "sat"
