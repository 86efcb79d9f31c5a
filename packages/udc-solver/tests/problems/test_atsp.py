import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from udc_solver import ConquerorConfig, DividerConfig, Matrix, SolverConfig, get_problem, make_solver
from udc_solver.conquering import conquer
from udc_solver.conquerors.matrix import MatrixConqueror, MixedAttention, attention
from udc_solver.generators import asymmetric_matrices

ATSP = get_problem("atsp")
SIZES = ConquerorConfig(dim=16, layers=1, hidden=16, heads=2, clip=1.0)
SMALL = SolverConfig("atsp", 8, DividerConfig(8, 1, 2, 6), SIZES)


def draw(n, batch=2, seed=0):
    return ATSP.generate(n, batch, torch.Generator().manual_seed(seed))


def tour_cost(costs, tour):
    return math.fsum(float(costs[a, b]) for a, b in itertools.pairwise([*tour, tour[0]]))


def test_matrices_obey_the_triangle_inequality_and_are_not_symmetric():
    costs = asymmetric_matrices(2, 12, torch.Generator().manual_seed(0))
    detours = costs[:, :, :, None] + costs[:, None]
    assert (costs <= detours.amin(2) + 1e-6).all()
    assert (costs - costs.mT).abs().max() > 0.1
    assert costs.diagonal(dim1=1, dim2=2).abs().max() == 0


def test_cost_is_that_of_the_tour_in_its_direction():
    instance = draw(9)
    tours = torch.stack([torch.randperm(9) for _ in range(4)])
    expected = [tour_cost(instance.costs[row // 2], tours[row].tolist()) for row in range(4)]
    assert ATSP.cost(instance, tours).tolist() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(ATSP.cost(instance, tours.roll(2, 1)), ATSP.cost(instance, tours))
    assert (ATSP.cost(instance, tours.flip(1)) - ATSP.cost(instance, tours)).abs().max() > 0.01


@settings(max_examples=10)
@given(n=st.integers(4, 30), seed=st.integers(0, 1000))
def test_tours_stay_tours_and_never_get_dearer(n, seed):
    solver, instance = make_solver(SMALL), draw(n, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    tours = torch.stack([torch.randperm(n, generator=generator) for _ in range(4)])
    cost = ATSP.cost(instance, tours)
    for roll in (4, 0, 3):
        division = ATSP.split(instance, tours, 8, roll, generator)
        assert torch.equal(ATSP.merge(instance, division, division.sub.current), tours)
        tours, new = conquer(ATSP, solver.conqueror, instance, tours, cost, window=8, roll=roll, generator=generator)
        ATSP.check(instance, tours)
        assert (new <= cost).all()
        cost = new


def test_no_tour_is_cheaper_than_the_optimum_and_small_ones_come_near():
    instance = draw(6, 1)
    best = min(tour_cost(instance.costs[0], [0, *rest]) for rest in itertools.permutations(range(1, 6)))
    found = make_solver(SMALL).solve(instance, samples=20, rounds=10).cost[0].item()
    assert best * (1 - 1e-5) <= found <= 1.1 * best


def test_probabilities_of_all_paths_add_up_to_one():
    torch.manual_seed(0)
    instance, network = draw(5, 1), MatrixConqueror(SIZES)
    sub = ATSP.split(instance, torch.arange(5)[None], 5, 0, torch.Generator().manual_seed(0)).sub
    found = network.rollout(sub, 300, torch.Generator().manual_seed(1), record=True)
    seen = dict(
        zip(map(tuple, found.answers[0].tolist()), network.log_probs(sub, found).exp()[0].tolist(), strict=True)
    )
    assert len(seen) == 6
    assert sum(seen.values()) == pytest.approx(1, abs=1e-5)
    for path, cost in zip(found.answers[0, :5].tolist(), found.costs[0, :5].tolist(), strict=True):
        expected = sum(float(sub.costs[0, a, b]) for a, b in itertools.pairwise(path))
        assert cost == pytest.approx(expected, rel=1e-5)


def test_mixed_attention_is_its_formula_written_with_loops():
    torch.manual_seed(0)
    block = MixedAttention(8, 12, 2, mixer=3)
    own, other, costs = torch.randn(1, 4, 8), torch.randn(1, 5, 8), torch.rand(1, 4, 5)
    gathered = torch.zeros(4, 8)
    for h in range(2):
        part = slice(4 * h, 4 * h + 4)
        q, k, v = (
            linear(x)[0, :, part] for linear, x in ((block.query, own), (block.key, other), (block.value, other))
        )
        for i in range(4):
            scores = []
            for j in range(5):
                pair = torch.stack([q[i] @ k[j] / 2, costs[0, i, j]])
                hidden = torch.relu(pair @ block.mix_in[h] + block.mix_bias[h, 0])
                scores.append(hidden @ block.mix_out[h, :, 0])
            gathered[i, part] = torch.stack(scores).softmax(0) @ v
    h = block.norms[0]((own + block.combine(gathered)).mT).mT
    expected = block.norms[1]((h + block.feedforward(h)).mT).mT
    torch.testing.assert_close(block(own, other, costs), expected)


def test_attention_leaves_out_what_is_not_allowed():
    query, key, value = (torch.randn(1, 2, n, 3) for n in (1, 4, 4))
    allowed = torch.tensor([[[True, False, True, False]]])
    expected = attention(query, key[:, :, ::2], value[:, :, ::2], torch.ones(1, 1, 2, dtype=torch.bool))
    torch.testing.assert_close(attention(query, key, value, allowed), expected)


def test_windows_must_not_have_more_nodes_than_embeddings_have_components():
    instance, network = draw(20, 1), MatrixConqueror(SIZES)
    sub = ATSP.split(instance, torch.arange(20)[None], 20, 0, torch.Generator()).sub
    with pytest.raises(ValueError, match="dim of at least 20, not 16"):
        network.rollout(sub, 1)


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (torch.rand(1, 3, 4), "square"),
        (-torch.rand(1, 4, 4), "negative"),
        (torch.full((1, 4, 4), torch.nan), "not finite"),
        (torch.rand(1, 2, 2), "at least 3"),
    ],
)
def test_matrices_that_make_no_sense_are_refused(costs, message):
    with pytest.raises(ValueError, match=message):
        Matrix(costs).check()
