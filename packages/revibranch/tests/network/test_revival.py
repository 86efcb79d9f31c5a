import math

import pytest
import torch
from bipartite import observation

from revibranch.configs import PolicyConfig
from revibranch.network.graphs import collate
from revibranch.network.revival import ActionEmbedding, PathMemory, StepBuilder, segment_softmax, sinusoidal_encoding

CONFIG = PolicyConfig(embedding_size=8, n_heads=2, feedforward_size=16, dropout=0.0)


def test_depths_are_encoded_by_sines_and_cosines():
    found = sinusoidal_encoding(torch.tensor([0, 3]), 6)
    expected = [[f(depth / 10_000 ** (2 * k / 6)) for k in range(3) for f in (math.sin, math.cos)] for depth in (0, 3)]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_softmax_within_segments():
    scores, segments = torch.tensor([1.0, 200.0, 2.0, 201.0, -3.0]), torch.tensor([0, 1, 0, 1, 2])
    found = segment_softmax(scores, segments, 3)
    torch.testing.assert_close(found[[0, 2]], torch.tensor([1.0, 2.0]).softmax(0))
    torch.testing.assert_close(found[[1, 3]], torch.tensor([0.0, 1.0]).softmax(0))
    assert found[4] == 1


def test_a_decision_is_its_action_and_the_graph_as_the_action_attends_to_it():
    """Beside PyTorch's attention with one head, whose projections of values and outputs are the identity."""
    torch.manual_seed(0)
    builder, action = StepBuilder(8), ActionEmbedding(8)
    graphs = collate([observation(0), observation(1, 9, 4)])
    v = torch.randn(21, 8)
    chosen, depths = torch.tensor([3, 15]), torch.tensor([0, 4])
    actions = action(v[chosen], depths)
    found = builder(v, graphs, actions)
    for i, part in enumerate((v[:12], v[12:])):
        q, k = builder.query(actions[i])[None], builder.key(part)
        summary = torch.nn.functional.scaled_dot_product_attention(q[None], k[None], part[None])[0]
        expected = builder.norm(builder.mlp(torch.cat((summary, actions[i : i + 1]), 1)))
        torch.testing.assert_close(found[i : i + 1], expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(actions, action(v[chosen], depths + 1))


@pytest.fixture
def memory():
    torch.manual_seed(0)
    return PathMemory(CONFIG).eval()


def test_memory_is_causal(memory):
    steps, mask = torch.randn(2, 4, 8), torch.ones(2, 4, dtype=torch.bool)
    before, known = memory(steps, mask)
    assert known.all()
    assert before.shape == (2, 5, 8)
    later = steps.clone()
    later[:, 2, 0] += 3
    after, _ = memory(later, mask)
    torch.testing.assert_close(after[:, :3], before[:, :3])
    assert (after[:, 3:] - before[:, 3:]).abs().amax(2).min() > 1e-4


def test_padding_changes_nothing_wherever_it_stands(memory):
    steps = torch.randn(1, 3, 8)
    expected, _ = memory(steps, torch.ones(1, 3, dtype=torch.bool))
    for places in ((0, 1, 2), (2, 3, 4), (0, 2, 4)):
        padded, mask = 100 * torch.randn(1, 5, 8), torch.zeros(1, 5, dtype=torch.bool)
        padded[0, list(places)], mask[0, list(places)] = steps[0], True
        found, known = memory(padded, mask)
        assert known.sum() == 4
        torch.testing.assert_close(found[known][None], expected, rtol=1e-4, atol=1e-5)


def test_an_empty_memory_is_its_start(memory):
    found, known = memory(torch.randn(2, 3, 8), torch.zeros(2, 3, dtype=torch.bool))
    alone, _ = memory(torch.empty(2, 0, 8), torch.ones(2, 0, dtype=torch.bool))
    assert known.tolist() == [[True, False, False, False]] * 2
    torch.testing.assert_close(found[:, :1], alone)
    torch.testing.assert_close(alone[0], alone[1])
