import math

import pytest
import torch

from fixer3d.network.embeddings import grid_positions, position_embedding, timestep_embedding


def test_a_timestep_has_128_cosines_then_128_sines_of_frequencies_that_fall_geometrically():
    embedding = timestep_embedding(torch.tensor([0.0, 333.5]))
    for row, t in zip(embedding, (0.0, 333.5)):
        angles = [t * 10_000 ** (-i / 128) for i in range(128)]
        expected = [math.cos(angle) for angle in angles] + [math.sin(angle) for angle in angles]
        torch.testing.assert_close(row, torch.tensor(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize("width", [24, 26, 128])
def test_a_position_has_sines_then_cosines_of_each_index_and_zeros_up_to_the_width(width):
    n = width // 3 // 2
    (embedding,) = position_embedding(torch.tensor([[3, 0, 7]]), width)
    expected = []
    for index in (3, 0, 7):
        angles = [index / 10_000 ** (i / n) for i in range(n)]
        expected += [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]
    torch.testing.assert_close(embedding, torch.tensor(expected + [0.0] * (width - 6 * n)), atol=1e-5, rtol=0)


def test_the_positions_of_a_grid_run_over_z_fastest():
    assert grid_positions(3).reshape(3, 3, 3, 3)[1, 0, 2].tolist() == [1, 0, 2]
