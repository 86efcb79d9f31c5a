"""What is true of every network and data set."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deeponet import DeepONet, TripleDataset, group_rows
from separata.training import seeded

COUNTS = st.integers(1, 4)


@settings(max_examples=25, deadline=None)
@given(
    COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
    st.sampled_from(("independent", "split_both", "split_branch", "split_trunk")),
    st.booleans(),
    st.booleans(),
    st.integers(0, 1000),
)
def test_rows_points_and_grid_agree(batch, n_points, m, d, n, strategy, stacked, bias, seed):
    p = 3
    last = {"independent": (p, p), "split_both": (n * p, n * p), "split_branch": (n * p, p), "split_trunk": (p, n * p)}
    with seeded(seed):
        branch, trunk = last[strategy]
        network = DeepONet(
            [m, 2, branch], [d, 2, trunk], n_outputs=n, strategy=strategy, stacked=stacked, bias=bias, activation="tanh"
        ).double()
        u, y = torch.randn(batch, m).double(), torch.randn(n_points, d).double()
    grid = network.grid(u, y).reshape(batch, n_points, n)
    own = network(u, y.expand(batch, -1, -1)).reshape(batch, n_points, n)
    rows = network(u.repeat_interleave(n_points, 0), y.repeat(batch, 1)).reshape(batch, n_points, n)
    torch.testing.assert_close(own, grid)
    torch.testing.assert_close(rows, grid)
    order = torch.randperm(n_points)
    torch.testing.assert_close(network.grid(u, y[order]).reshape(grid.shape), grid[:, order])


@settings(max_examples=25, deadline=None)
@given(COUNTS, COUNTS, COUNTS, COUNTS, st.integers(0, 1000))
def test_rows_of_grouped_rows_are_the_rows(batch, n_points, m, d, seed):
    with seeded(seed):
        data = TripleDataset(torch.randn(batch, m), torch.randn(batch, n_points, d), torch.randn(batch, n_points, 2))
    rows = data.rows()
    again = group_rows(*rows).rows()
    assert all(torch.equal(a, b) for a, b in zip(rows, again, strict=True))
