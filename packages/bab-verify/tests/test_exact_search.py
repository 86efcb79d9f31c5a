"""What searches and rewriting add to bounds, in exact arithmetic: splits, cuts, leaves, clips, fusion and folding."""

import numpy as np
import pytest
import torch
from exact_arithmetic import at_most, exact, exact_values
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from bab_verify import Clause, Query, Specification, Verifier, VerifyConfig, compute_bounds
from bab_verify.bounds.cuts import CutMatrix
from bab_verify.bounds.optimization import optimize
from bab_verify.bounds.propagation import Propagator
from bab_verify.bounds.rounding import outward
from bab_verify.bounds.splits import Splits
from bab_verify.configs import OptimizationConfig
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Dense, Scale, Shift
from bab_verify.operators.relu import Relu
from bab_verify.rewriting.folding import folded
from bab_verify.rewriting.fusion import fuse
from bab_verify.search.bounder import BranchBounder
from bab_verify.search.input_splitting import InputSplitter, InputSplittingConfig
from bab_verify.search.leaves import refute_leaf

SINGLE, DOUBLE = torch.float32, torch.float64
NIGHTLY = settings().max_examples > 100
QUICK = {"attack_restarts": 0, "timeout": 20.0, "device": "cpu", "max_domains": 12, "root_steps": 1, "branch_steps": 1}
cases = given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from([SINGLE, DOUBLE]))
few = settings(
    max_examples=800 if NIGHTLY else 16,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def kept(x, dtype):
    """Numbers as a type has them, in double precision."""
    return torch.tensor(np.asarray(x)).to(dtype).double()


def loguniform(rng, low, high, *shape):
    return np.exp(rng.uniform(np.log(low), np.log(high), shape))


def close(rng, a, dtype):
    """1 to 4 units in the last place of float32 from a."""
    return a + torch.tensor(np.spacing(np.float32(a.abs())).astype(float) * rng.integers(1, 5, a.shape))


def chain(*layers, unit=Relu):
    """Layers of (weight, bias), with units between them, if any."""
    nodes = [Node(None, (), (layers[0][0].shape[1],))]
    for i, (weight, bias) in enumerate(layers):
        if i and unit is not None:
            nodes.append(Node(unit(), (len(nodes) - 1,), nodes[-1].shape))
        nodes.append(Node(Dense(weight, bias, (weight.shape[1],)), (len(nodes) - 1,), (len(weight),)))
    return Graph(nodes)


def differences(rng, dtype, n=2, pairs=2, active=True):
    """sum of K (relu(a x + c) - relu(b x + c)), numbers of a type; and a box."""
    a = kept(rng.uniform(0.5, 2, (pairs, n)), dtype)
    c = kept(
        rng.uniform(0, 3, pairs) * (rng.random() < 0.5) if active else rng.uniform(-2.5 * n, -0.5 * n, pairs), dtype
    )
    k = kept(loguniform(rng, 1e3, 1e8, 1, pairs) * rng.choice([-1, 1], (1, pairs)), dtype)
    graph = chain((torch.cat([a, close(rng, a, dtype)]), torch.cat([c, c])), (torch.cat([k, -k], 1), None))
    center = rng.uniform(1, 2, n)
    radius = loguniform(rng, 1e-6, 0.5, n)
    return graph.to(dtype), outward(
        Interval(*(torch.tensor(x[None]) for x in (center - radius, center + radius))), dtype
    )


def points(rng, box):
    """Corners and inner points (n, inputs) of one box."""
    low, high = (x[0].double().numpy() for x in box)
    weight = np.concatenate([rng.integers(0, 2, (6, len(low))), rng.random((4, len(low)))])
    return np.minimum(np.maximum(low + weight * (high - low), low), high)


def least(graph, x):
    """The least output of a network of one, and where: an exact value."""
    y = exact_values(graph, exact(x))[-1]
    k = int(y.ints[:, 0].argmin())
    return y[k : k + 1], x[k]


def threshold(value, dtype):
    """The least number of a type that is not below an exact value."""
    d = torch.tensor(value.floats()).to(dtype).reshape(())
    while not at_most(-d.reshape(1, 1), -value).all():
        d = d.nextafter(d.new_tensor(torch.inf))
    return d.double()


def verdict(graph, lower, upper, row, d, **options):
    query = Query(lower, upper, (Clause(torch.as_tensor(row)[None], torch.as_tensor(d).reshape(1)),))
    return Verifier(graph, VerifyConfig(**QUICK | options)).verify(Specification((query,))).status


def margins(graph, box, splits=None, cuts=None, cut_beta=None):
    """Lower bounds of the output, with multipliers as they are."""
    propagator = Propagator(graph)
    with torch.no_grad():
        bounds, _ = propagator.crown(box)
        if splits is not None:
            bounds = splits.apply(bounds, graph)
        c = box.lower.new_ones(1, 1, 1)
        config = OptimizationConfig(steps=0)
        options = {"splits": splits, "cuts": cuts, "cut_beta": cut_beta}
        return optimize(propagator, box, bounds, c, c[:, 0] * 0, config, **options).margins


@few
@cases
def test_multipliers_of_splits_that_cancel(seed, dtype):
    """Both units of a pair, split to opposite sides of nearly one point, with nearly equal multipliers."""
    rng = np.random.default_rng(seed)
    graph, box = differences(rng, dtype, pairs=1)
    x = points(rng, box)
    values = exact_values(graph, exact(x))
    h = values[1]
    splits = Splits.none(1, box.lower)
    for element, sign in ((0, 1.0), (1, -1.0)):
        # As near to the value at one point as a number can be.
        value = h[-1:, element : element + 1] if sign < 0 else -h[-1:, element : element + 1]
        point = (-sign * threshold(value, dtype)).to(dtype).reshape(1)
        splits = splits.extended(*(torch.tensor([i]) for i in (1, element)), point.new_tensor([sign]), point)
    splits.beta = box.lower.new_tensor(loguniform(rng, 1, 1e9, 1, 1)).expand(1, 2).clone()
    p = exact(splits.point)
    held = ((p[:, :1] <= h[:, :1]) & (h[:, 1:] <= p[:, 1:])).ravel()
    assert held.any()
    found = margins(graph, box, splits)
    assert bool(at_most(found, values[-1][held.nonzero()[0]]).all())


@few
@cases
def test_multipliers_of_cuts(seed, dtype):
    """A cut says that not all of some units are in given states: bounds hold wherever that is so."""
    rng = np.random.default_rng(seed)
    graph, box = differences(rng, dtype, pairs=3, active=False)
    with torch.no_grad():
        bound = Propagator(graph).crown(box)[0][1]
    unstable = ((bound.lower < 0) & (bound.upper > 0))[0].nonzero().squeeze(1).tolist()
    assume(unstable)
    x = points(rng, box)
    values = exact_values(graph, exact(x))
    z = values[1].ints > 0
    cuts = [frozenset((1, e, int(rng.choice([-1, 1]))) for e in unstable if rng.random() < 0.8) for _ in range(2)]
    cuts = [cut for cut in cuts if cut]
    assume(cuts)
    held = ~np.any([np.all([z[:, e] == (s > 0) for _, e, s in cut], 0) for cut in cuts], 0)
    assume(held.any())
    beta = box.lower.new_tensor(loguniform(rng, 1e-3, 1e8, 1, len(cuts)))
    found = margins(graph, box, cuts=CutMatrix.of(cuts, box.lower), cut_beta=beta)
    assert bool(at_most(found, values[-1][held.nonzero()[0]]).all())


@few
@cases
def test_leaves_are_refuted_only_where_nothing_violates(seed, dtype):
    """All units are active in the box, so that it is a leaf without a split."""
    rng = np.random.default_rng(seed)
    graph, box = differences(rng, dtype)
    value, _ = least(graph, points(rng, box))
    d = threshold(value, dtype).to(dtype).reshape(1, 1)
    with torch.no_grad():
        bounds, _ = Propagator(graph).crown(box)
        one = box.lower.new_ones(1, 1, 1)
        bounder = BranchBounder(graph, box, bounds, (one, d), VerifyConfig(device="cpu"), violated=lambda x: None)
        assert refute_leaf(bounder, Splits.none(1, one), 0) is not True


@few
@cases
def test_clipping_leaves_what_violates(seed, dtype):
    rng = np.random.default_rng(seed)
    graph, box = differences(rng, dtype)
    value, x = least(graph, points(rng, box))
    d = threshold(value, dtype).to(dtype)
    splitter = InputSplitter(graph, (d.new_ones(1, 1, 1), d.reshape(1, 1)), InputSplittingConfig())
    with torch.no_grad():
        found, _ = splitter.bound(*box)
    assert found.margin.item() <= 0
    assert bool(at_most(found.lower, exact(x[None])).all()), "the violation is below what is left"
    assert bool(at_most(-found.upper, -exact(x[None])).all()), "the violation is above what is left"


def linear_layers(rng):
    """K (a x + c) - K (b x + c) in numbers of 53 bits, and without anything between the layers."""
    n, m = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    a, c = torch.tensor(rng.uniform(-2, 2, (m, n))), torch.tensor(rng.uniform(-3, 3, m))
    k = torch.tensor(loguniform(rng, 1e3, 1e8, 1, m))
    graph = chain((torch.cat([a, close(rng, a, DOUBLE)]), torch.cat([c, c])), (torch.cat([k, -k], 1), None), unit=None)
    center = torch.tensor(rng.uniform(1, 2, n))
    radius = torch.tensor(loguniform(rng, 1e-6, 0.5, n) * (rng.random(n) < 0.8))
    return graph, center - radius, center + radius


@few
@cases
def test_bounds_of_a_fused_network_hold_for_the_one_that_was_fused(seed, dtype):
    """A product of matrices is rounded; the verdict is about the network as it was given."""
    rng = np.random.default_rng(seed)
    graph, lower, upper = linear_layers(rng)
    value, _ = least(graph, points(rng, Interval(lower[None], upper[None])))
    d = threshold(value, DOUBLE)
    name = str(dtype).removeprefix("torch.")
    options = {"dtype": name, "bounds": ("ibp", "crown", "alpha-crown", "beta-crown")[seed % 4], "branching": "input"}
    assert verdict(graph, lower, upper, torch.ones(1).double(), d, **options) != "unsat", options


@few
@given(seed=st.integers(0, 2**32 - 1))
def test_fused_matrices_say_how_far_they_are_off(seed):
    rng = np.random.default_rng(seed)
    graph, lower, upper = linear_layers(rng)
    box = Interval(lower[None], upper[None])
    y = exact_values(graph, exact(points(rng, box)))[-1]
    found = Propagator(fuse(graph)).intervals(box)[1]
    assert bool(at_most(found.lower, y).all())
    assert bool(at_most(-found.upper, -y).all())


@few
@given(seed=st.integers(0, 2**32 - 1))
def test_bounds_with_folded_scalings_hold_for_the_network_as_it_was(seed):
    """Two layers of normalisation whose difference is amplified, in numbers of 53 bits."""
    rng = np.random.default_rng(seed)
    a, is_shifted = torch.tensor(rng.uniform(0.5, 2, (1, 2))), bool(rng.random() < 0.5)
    s = torch.tensor(rng.uniform(0.5, 2, 1)).expand(2)
    t = torch.tensor(rng.uniform(0, 2, 1) * is_shifted).expand(2)
    k = torch.tensor(loguniform(rng, 1e3, 1e8, 1, 1))
    nodes = [
        Node(None, (), (2,)),
        Node(Dense(torch.cat([a, close(rng, a, DOUBLE)]), torch.ones(2).double() / 3 * is_shifted, (2,)), (0,), (2,)),
        Node(Scale(s, (2,)), (1,), (2,)),
        Node(Shift(t, (2,)), (2,), (2,)),
        Node(Relu(), (3,), (2,)),
        Node(Dense(torch.cat([k, -k], 1), None, (2,)), (4,), (1,)),
    ]
    lower = torch.tensor(rng.uniform(1, 2, (1, 2)))
    box = Interval(lower, lower + float(loguniform(rng, 1e-9, 1e-3)))
    y = exact_values(Graph(nodes), exact(points(rng, box)))[-1]
    found = compute_bounds(Graph(folded(nodes)), *box, method="crown")
    assert bool(at_most(found.lower, y).all())
    assert bool(at_most(-found.upper, -y).all())


BRANCHED = [("crown", "none"), ("alpha-crown", "none"), ("beta-crown", "input"), ("beta-crown", "bbps")]
one = torch.ones(1, dtype=DOUBLE)
everywhere = pytest.mark.parametrize(
    "options",
    [
        {"bounds": bounds, "branching": branching, "dtype": dtype}
        for bounds, branching in BRANCHED
        for dtype in ("auto", "float32", "float64")
    ],
    ids=lambda options: "-".join(options.values()),
)


@everywhere
def test_boxes_and_thresholds_that_float32_does_not_have(options):
    graph = chain((one[:, None], None), (2.0**20 * one[:, None], None))
    for k in (1, 2, 5):
        lower = one + k * 2.0**-30
        assert verdict(graph, lower, lower + 0.5, one, 2.0**20 * lower, **options) != "unsat"


@everywhere
def test_rows_that_float32_does_not_have(options):
    """The output is -2^-10 x, and 0 where the row is rounded."""
    graph = chain((one[:, None], None), (torch.full((2, 1), 2.0**20, dtype=DOUBLE), None))
    row = torch.tensor([1.0, -1 - 2.0**-30], dtype=DOUBLE)
    assert verdict(graph, one, 2 * one, row, torch.tensor(-(2.0**-11)), **options) != "unsat"


@everywhere
def test_weights_that_float32_does_not_have(options):
    """The output is -2^-10 x, and 0 where weights are rounded."""
    weight = torch.tensor([[1.0], [1 + 2.0**-30]], dtype=DOUBLE)
    graph = chain((weight, None), (torch.tensor([[2.0**20, -(2.0**20)]], dtype=DOUBLE), None))
    assert verdict(graph, one, 2 * one, one, torch.tensor(-(2.0**-11)), **options) != "unsat"


def many_terms(dtype, large):
    """4096 weights: `large` of them 1, and then as many as fit of half a unit in the last place of 1, negative."""
    weight = torch.full((1, 4096), -torch.finfo(dtype).eps / 2, dtype=dtype)
    weight[0, :large] = 1
    return weight


long_sums = pytest.mark.parametrize(("dtype", "large"), [(t, n) for t in (SINGLE, DOUBLE) for n in (1, 8, 32, 64)])


def at_ones(weight):
    """The exact sum of weights."""
    return exact_values(chain((weight, None)), exact(np.ones((1, 4096))))[-1]


@long_sums
def test_backward_passes_lose_no_small_terms_of_a_long_sum(dtype, large):
    weight = many_terms(dtype, large)
    graph = chain((torch.ones(4096, 1, dtype=dtype), None), (weight, None))
    box = Interval(*(torch.full((1, 1), x, dtype=dtype) for x in (1.0, 1.5)))
    assert bool(at_most(margins(graph, box), at_ones(weight)).all())
    options = {"dtype": str(dtype).removeprefix("torch."), "branching": "none"}
    d = threshold(at_ones(weight), DOUBLE)
    assert verdict(graph, box.lower[0], box.upper[0], torch.ones(1), d, **options) != "unsat"


@long_sums
def test_intervals_lose_no_small_terms_of_a_long_sum(dtype, large):
    """All of one sign, so that they meet in one product."""
    weight = many_terms(dtype, large).abs()
    box = Interval(*(torch.ones(1, 4096, dtype=dtype) for _ in range(2)))
    upper = Propagator(chain((weight, None))).intervals(box)[1].upper
    assert bool(at_most(-upper, -at_ones(weight)).all())


@long_sums
def test_the_least_over_a_box_loses_no_small_terms_of_a_long_sum(dtype, large):
    weight = many_terms(dtype, large)
    box = Interval(*(torch.ones(1, 4096, dtype=dtype) for _ in range(2)))
    assert bool(at_most(margins(chain((weight, None)), box), at_ones(weight)).all())


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_long_sums_of_terms_of_either_sign(dtype):
    """Alternating values up to 2^20 that cancel but for their last digits, in an order that no summation helps."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        values = kept(loguniform(rng, 1, 2.0**20, 2048), dtype)
        nearly = values * (1 + torch.tensor(rng.integers(-4, 5, 2048)) * 2.0**-22)
        weight = torch.stack([values, -kept(nearly, dtype)], 1).reshape(1, -1)
        graph = chain((torch.ones(4096, 1).double(), None), (weight, None)).to(dtype)
        low = kept(rng.uniform(1, 2, (1, 1)), dtype)
        box = Interval(low.to(dtype), (low + 1e-3).to(dtype))
        y = exact_values(graph, exact(torch.cat([box.lower, box.upper])))[-1]
        bounds = Propagator(graph).intervals(box)[3]
        for name, lower in (("intervals", bounds.lower), ("backward", margins(graph, box))):
            assert bool(at_most(lower, y).all()), name
