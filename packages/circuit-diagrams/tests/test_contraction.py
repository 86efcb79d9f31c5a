"""Orders of Einstein sums, against NumPy's optimal path and PyTorch's counter."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from circuit_diagrams import cost, simplify, trace
from circuit_diagrams.contraction import as_written, best_path, flat, paired, path_macs, sizes_of


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sets(st.sampled_from("abcdef"), min_size=1, max_size=3), min_size=2, max_size=5), st.randoms())
def test_no_order_is_cheaper(letters, random):
    words = ["".join(sorted(word)) for word in letters]
    every = sorted(set("".join(words)))
    output = "".join(c for c in every if random.random() < 0.4)
    sizes = {c: random.choice([2, 3, 5, 7]) for c in every}
    found = path_macs(words, output, sizes, best_path(words, output, sizes))

    def brute(left):
        """All orders, one after another."""
        if len(left) == 1:
            return 0
        totals = []
        for i in range(len(left)):
            for j in range(i):
                rest = [w for k, w in enumerate(left) if k not in (i, j)]
                wanted = set(output).union(*rest)
                both = set(left[i]) | set(left[j])
                macs = np.prod([sizes[c] for c in both if c in wanted or (c in left[i] and c in left[j])])
                totals.append(int(macs) + brute([*rest, both & wanted]))
        return min(totals)

    assert found == brute([set(word) for word in words])


def test_a_chain_of_matrices_is_multiplied_as_numpy_does():
    shapes = [(30, 35), (35, 15), (15, 5), (5, 10), (10, 20), (20, 25)]
    words, output = ["ab", "bc", "cd", "de", "ef", "fg"], "ag"
    sizes = sizes_of(words, shapes)
    # The matrix chain of the textbook of Cormen and others: 15,125 multiplications.
    assert path_macs(words, output, sizes, best_path(words, output, sizes)) == 15_125
    arrays = [np.empty(shape) for shape in shapes]
    path = np.einsum_path("ab,bc,cd,de,ef,fg->ag", *arrays, optimize="optimal")[0][1:]
    assert path_macs(words, output, sizes, paired([n for pair in path for n in pair])) == 15_125
    assert path_macs(words, output, sizes, as_written(6)) == 30 * (35 * 15 + 15 * 5 + 5 * 10 + 10 * 20 + 20 * 25)


@pytest.mark.parametrize("formula", ["ij,jk,kl->il", "bij,bjk,k->bi", "i,ij,j->", "ija,jk,lk->il"])
def test_a_sum_of_three_costs_what_pytorch_counts_and_merging_never_costs_more(formula):
    sizes = {"i": 3, "j": 50, "k": 4, "l": 60, "b": 2, "a": 3}
    words = formula.split("->")[0].split(",")
    arrays = [torch.randn([sizes[c] for c in word], dtype=torch.float64) for word in words]
    diagram = trace(lambda *xs: torch.einsum(formula, *xs), *arrays)
    with FlopCounterMode(display=False) as counter:
        diagram(*arrays)
    assert cost(diagram).flops == counter.get_total_flops()

    def chained(a, b, c):
        if len(words[0]) == 2 and len(words[2]) == 2:
            return (a @ b) @ c
        return torch.einsum(formula, a, b, c)

    before = trace(chained, *arrays)
    after = simplify(before)
    assert cost(after).macs <= cost(before).macs
    torch.testing.assert_close(after(*arrays), before(*arrays))
    with FlopCounterMode(display=False) as counter:
        after(*arrays)
    assert cost(after).flops == counter.get_total_flops()


def test_what_would_cost_more_is_not_merged_and_what_costs_less_is_reordered():
    a, b, c = (torch.randn(shape, dtype=torch.float64) for shape in [(2, 50), (50, 40), (40, 3)])
    left = trace(lambda a, b, c: a @ (b @ c), a, b, c)
    merged = simplify(left)
    # (a b) c takes 2*50*40 + 2*40*3, a (b c) takes 50*40*3 + 2*50*3.
    assert [row.macs for row in cost(left).rows] == [6000, 300]
    assert [row.macs for row in cost(merged).rows] == [4240]
    assert merged.ops[0].arguments["path"] == flat(((0, 1), (0, 1)))
    torch.testing.assert_close(merged(a, b, c), a @ (b @ c))
    # A product that is first made smaller by a sum over what only it holds.
    pooled = trace(lambda a, b: torch.einsum("ij->i", torch.einsum("ik,kj->ij", a, b)), a, b)
    assert cost(simplify(pooled)).macs <= cost(pooled).macs
