"""Cuts from refuted branches: no violation breaks one, and they are no longer than they need be."""

import itertools
import random

import pytest
import torch

from bab_verify import VerifyConfig
from bab_verify.bounds.cuts import CutMatrix
from bab_verify.bounds.propagation import Propagator
from bab_verify.bounds.splits import Splits
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Dense
from bab_verify.operators.relu import Relu
from bab_verify.search.activation_splitting import ActivationSplitter
from bab_verify.search.bounder import BranchBounder
from bab_verify.search.cut_inference import CutInference, merge

DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def _every_property_is_hard(monkeypatch):
    """Multi-tree search begins at once."""
    monkeypatch.setattr("bab_verify.search.activation_splitting.HARD", 0)


def uniform(low, high, *shape, seed=0):
    return low + (high - low) * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def network(seed, sizes=(3, 6, 6, 1)):
    nodes = [Node(None, (), (sizes[0],))]
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        if i:
            nodes.append(Node(Relu(), (len(nodes) - 1,), (n,)))
        weight, bias = uniform(-1, 1, m, n, seed=10 * seed + i), uniform(-0.5, 0.5, m, seed=10 * seed + 5 + i)
        nodes.append(Node(Dense(weight, bias, (n,)), (len(nodes) - 1,), (m,)))
    return Graph(nodes).double()


def search(graph, c, d, cuts, **options):
    box = Interval(*(x * torch.ones(1, graph.n_inputs, dtype=DOUBLE) for x in (-1.0, 1.0)))
    fast = {"root_steps": 8, "root_lr": 0.1, "branch_steps": 8, "branch_lr": 0.1}
    bounds, _ = Propagator(graph).crown(box)
    config = VerifyConfig(**{"device": "cpu", "cuts": cuts, **fast, "batch_size": 8, **options})
    clauses = (torch.as_tensor(c, dtype=DOUBLE), torch.as_tensor(d, dtype=DOUBLE))
    return ActivationSplitter(BranchBounder(graph, box, bounds, clauses, config, violated=lambda x: None))


def holds(cut, values):
    """Whether points have not all of the states of a cut."""
    states = [(sign * values[node][:, element] > 0) for node, element, sign in cut]
    return ~torch.stack(states).all(0)


@pytest.fixture
def pools(monkeypatch):
    """The cuts of each clause after each inference."""
    seen, infer = [], CutInference.infer

    def recorded(self, *args, **options):
        proven = infer(self, *args, **options)
        seen.append((self.clause, list(self.cuts), proven))
        return proven

    monkeypatch.setattr(CutInference, "infer", recorded)
    return seen


@pytest.mark.parametrize(
    ("seed", "cuts"),
    [
        (0, "base"),
        (0, "biccos"),
        *(pytest.param(0, cuts, marks=pytest.mark.slow) for cuts in ("base-unstrengthened", "mts")),
        *(pytest.param(1, cuts, marks=pytest.mark.slow) for cuts in ("base", "base-unstrengthened", "mts", "biccos")),
    ],
)
def test_no_violation_breaks_a_cut(seed, cuts, pools):
    graph = network(seed)
    values = graph.values(uniform(-1, 1, 100_000, 3))
    y = values[-1][:, 0]
    limit = y.quantile(0.01).item()
    searching = search(graph, [[[1.0]]], [[limit]], cuts, max_domains=40)
    with torch.no_grad():
        assert not searching.run()[0]
    worst = (
        {i: v[y <= limit] for i, v in values.items()} if isinstance(values, dict) else [v[y <= limit] for v in values]
    )
    every = {cut for _, pool, _ in pools for cut in pool}
    assert len(every) > 3
    assert len(searching.cut_lengths) > 0
    assert not any(proven for _, _, proven in pools)
    for cut in every:
        assert holds(cut, worst).all()
    # They do say something of other points.
    assert any(not holds(cut, values).all() for cut in every)


@pytest.mark.parametrize("cuts", ["base", pytest.param("base-unstrengthened", marks=pytest.mark.slow)])
def test_pools_of_clauses_do_not_mix(cuts, pools):
    graph = network(3, (3, 5, 5, 2))
    values = graph.values(uniform(-1, 1, 100_000, 3))
    rows, y = torch.eye(2, dtype=DOUBLE), values[-1]
    limits = [y[:, 0].min().item() - 0.05, y[:, 1].quantile(0.01).item()]
    searching = search(graph, rows[:, None], [[limit] for limit in limits], cuts, max_domains=40)
    with torch.no_grad():
        assert not searching.run()[0]
    seconds = {cut for clause, pool, _ in pools for cut in pool if clause == 1}
    assert {clause for clause, _, _ in pools} == {0, 1}
    assert seconds
    worst = [v[y[:, 1] <= limits[1]] for v in values]
    assert all(holds(cut, worst).all() for cut in seconds)


def literals(cut):
    return frozenset(cut)


def test_cuts_are_merged():
    a, b, c = (1, 0, 1), (1, 1, 1), (3, 2, -1)
    opposite = lambda literal: (*literal[:2], -literal[2])  # noqa: E731
    pair = merge([literals({a, b}), literals({a, opposite(b)})])
    assert pair == {literals({a})}
    assert merge([literals({a, b}), literals({a}), literals({c, b})]) == {literals({a}), literals({c, b})}
    assert merge([literals({a, b}), literals({opposite(a), opposite(b)})]) == {
        literals({a, b}), literals({opposite(a), opposite(b)})
    }  # fmt: skip
    assert merge([literals({a}), literals({opposite(a)})]) == {frozenset()}
    quads = [literals({s, t}) for s, t in itertools.product((a, opposite(a)), (b, opposite(b)))]
    assert merge(quads) == {frozenset()}
    assert merge([]) == set()


@pytest.mark.parametrize("seed", range(30))
def test_merged_cuts_say_the_same(seed):
    numbers = random.Random(seed)
    n = 5
    cuts = [
        frozenset((1, e, numbers.choice((-1, 1))) for e in numbers.sample(range(n), numbers.randrange(1, n + 1)))
        for _ in range(numbers.randrange(1, 14))
    ]
    merged = merge(cuts)
    for states in itertools.product((-1, 1), repeat=n):
        allowed = [not all(states[e] == s for _, e, s in cut) for cut in cuts]
        assert all(allowed) == all(any(states[e] != s for _, e, s in cut) for cut in merged)
    assert not any(x < y for x in merged for y in merged)


def test_shortened_cuts_are_refuted_again():
    graph = network(1)
    values = graph.values(uniform(-1, 1, 50_000, 3))
    searching = search(graph, [[[1.0]]], [[values[-1].quantile(0.005).item()]], "base")
    cuts = CutInference(searching.bounder, 0, strengthen=True)
    shorter = 0
    with torch.no_grad():
        branches = searching.bounder.roots(torch.tensor([0]))
        for _ in range(6):
            open_, refuted = searching.bounder.bound(branches.children())
            if len(refuted):
                splits = cuts._strengthened(refuted)
                assert len(splits) == len(refuted)
                before = [set(cut) for cut in cuts._literals(refuted.splits)]
                for cut in cuts._literals(splits):
                    assert any(set(cut) <= whole for whole in before)
                    shorter += set(cut) not in before
                # Bounded anew, from nothing but the splits that are left.
                bounds, empty = searching.bounder.narrowed(splits)
                plain = search(graph, [[[1.0]]], [[searching.bounder.d.item()]], "base", branch_steps=60, branch_lr=0.1)
                order = torch.zeros(len(splits), dtype=torch.long)
                blank = refuted[order]
                blank.splits, blank.parameters = splits, {}
                found = plain.bounder.optimize(blank, plain.config.branch, bounds)
                assert ((found.margins.amax(1) > 0) | empty).all()
            branches = open_
    assert shorter > 0


def test_nothing_is_shortened_that_is_not_refuted_without():
    """If the second bound fails, the whole history stays."""
    graph = network(1)
    y = graph(uniform(-1, 1, 50_000, 3))
    searching = search(graph, [[[1.0]]], [[y.quantile(0.005).item()]], "base")
    cuts = CutInference(searching.bounder, 0, strengthen=True)
    with torch.no_grad():
        branches, refuted = searching.bounder.roots(torch.tensor([0])), []
        for _ in range(6):
            branches, done = searching.bounder.bound(branches.children())
            refuted.append(done)
        optimize = searching.bounder.optimize

        def failing(*args):
            found = optimize(*args)
            found.margins = torch.full_like(found.margins, -1.0)
            return found

        searching.bounder.optimize = failing
        for done in refuted:
            if len(done):
                whole = set(cuts._literals(done.splits))
                assert set(cuts._literals(cuts._strengthened(done))) == whole


def test_multipliers_of_cuts_that_stay_are_kept():
    graph = network(0)
    searching = search(graph, [[[1.0]]], [[0.0]], "base")
    with torch.no_grad():
        roots = searching.bounder.roots(torch.tensor([0]))
    cuts = CutInference(searching.bounder, 0, strengthen=False)
    a, b, c, d = (frozenset({(1, e, 1), (3, e, 1)}) for e in range(4))
    cuts.cuts, searching.bounder.cuts = [a, b, c], CutMatrix.of([a, b, c], searching.bounder.c)
    with torch.no_grad():
        roots.cut_beta = torch.tensor([[1.0, 2.0, 3.0]], dtype=DOUBLE)
        refuted = roots[torch.tensor([0])]
        refuted.splits = history([(1, 0, 1.0)])
        assert not cuts.infer(refuted, 1)
        assert cuts.cuts == [frozenset({(1, 0, 1)}), b, c]
        assert cuts.renew(roots).cut_beta.tolist() == [[0, 2, 3]]
        refuted.splits = history([(1, 3, 1.0), (3, 3, 1.0)])
        cut_beta = cuts.renew(roots)
        assert not cuts.infer(refuted, 1)
        assert cuts.cuts == [frozenset({(1, 0, 1)}), b, c, d]
        assert cuts.renew(cut_beta).cut_beta.tolist() == [[0, 2, 3, 0]]
        assert not cuts.infer(refuted, 0)
        assert cuts.renew(cut_beta) is cut_beta
        refuted.splits = history([(1, 0, -1.0)])
        assert cuts.infer(refuted, 1)
        assert cuts.reset(roots).cut_beta.tolist() == [[0] * len(cuts.cuts)]


def history(entries):
    splits = Splits.none(1, torch.zeros(1, dtype=DOUBLE))
    for node, element, sign in entries:
        tensors = (
            torch.tensor([node]),
            torch.tensor([element]),
            torch.tensor([sign]).double(),
            torch.zeros(1).double(),
        )
        splits = splits.extended(*tensors)
    return splits


def test_splits_that_are_not_of_a_relu_at_zero_give_no_cut():
    searching = search(network(0), [[[1.0]]], [[0.0]], "base")
    cuts = CutInference(searching.bounder, 0, strengthen=False)
    one, other = history([(1, 0, 1.0), (3, 1, -1.0)]), history([(1, 0, 1.0), (3, 1, -1.0)])
    other.point[0, 1] = 0.5
    elsewhere = history([(5, 0, 1.0)])
    assert list(cuts._literals(Splits.cat([one, other, elsewhere]))) == [frozenset({(1, 0, 1), (3, 1, -1)}), None, None]


def test_the_shortest_cuts_are_kept():
    searching = search(network(0), [[[1.0]]], [[0.0]], "base", max_cuts=2)
    cuts = CutInference(searching.bounder, 0, strengthen=False)
    with torch.no_grad():
        refuted = searching.bounder.roots(torch.tensor([0]))[torch.tensor([0, 0, 0])]
        parts = ([(1, 0, 1.0), (1, 1, 1.0), (1, 2, 1.0)], [(1, 3, 1.0)], [(1, 4, 1.0), (1, 5, 1.0)])
        refuted.splits = Splits.cat([history(part) for part in parts])
        assert not cuts.infer(refuted, 1)
    assert [len(cut) for cut in cuts.cuts] == [1, 2]
    assert (cuts.n_found, sorted(cuts.lengths)) == (3, [1, 2, 3])
    assert len(searching.bounder.cuts) == 2


def test_a_branch_is_not_covered_by_splits_elsewhere():
    """h <= 0 and h <= -1 are one literal, and h >= -1 is none (a node that feeds a ReLU and a smooth operation)."""
    matrix = CutMatrix.of([frozenset({(1, 0, -1), (1, 1, 1)}), frozenset({(1, 2, 1)})], torch.zeros(1, dtype=DOUBLE))
    twice, above = history([(1, 0, -1.0), (1, 0, -1.0)]), history([(1, 2, 1.0)])
    twice.point[0, 1] = -1.0
    above.point[0, 0] = -1.0
    assert matrix.covers(Splits.cat([twice, above])).tolist() == [False, False]
