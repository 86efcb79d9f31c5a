import pytest
import torch
from torch_geometric.data import Batch

from revibranch.network.graphs import collate
from revibranch.scip.observation import Observation


def random_observation(seed):
    generator = torch.Generator().manual_seed(seed)
    n, m = (int(torch.randint(2, 9, (), generator=generator)) for _ in range(2))
    mask = torch.rand(n, m, generator=generator) < 0.5
    index = mask.nonzero().T.contiguous()
    return Observation(
        torch.randn(n, 19, generator=generator),
        torch.randn(m, 14, generator=generator),
        index,
        torch.randn(index.shape[1], 1, generator=generator),
        torch.randperm(n, generator=generator)[: int(torch.randint(1, n, (), generator=generator))],
    )


def dense(graph):
    matrix = torch.zeros(len(graph.variables), len(graph.rows))
    matrix[tuple(graph.edge_index)] = graph.edge_attr[:, 0]
    return matrix


def test_matrix_of_a_batch_is_block_diagonal():
    observations = [random_observation(seed) for seed in range(6)]
    batch = collate(observations)
    assert batch.n_graphs == 6
    assert torch.equal(dense(batch), torch.block_diag(*map(dense, observations)))


def test_candidates_are_the_same_variables():
    observations = [random_observation(seed) for seed in range(6)]
    batch = collate(observations)
    chosen = torch.cat([one.variables[one.candidates] for one in observations])
    assert torch.equal(batch.variables[batch.candidates], chosen)
    assert torch.equal(batch.variable_batch[batch.candidates], batch.candidate_batch)


def test_agrees_with_pytorch_geometric():
    observations = [random_observation(seed) for seed in range(5)]
    batch, theirs = collate(observations), Batch.from_data_list([one.to_pyg() for one in observations])
    assert torch.equal(batch.edge_index, theirs["variable", "in", "row"].edge_index)
    assert torch.equal(batch.variable_batch, theirs["variable"].batch)
    assert torch.equal(batch.row_batch, theirs["row"].batch)
    assert batch.to("cpu") is batch


def test_nothing_makes_no_batch():
    with pytest.raises(ValueError, match="at least one"):
        collate([])
