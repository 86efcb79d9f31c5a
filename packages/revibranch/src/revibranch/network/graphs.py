"""Observations side by side: one block-diagonal bipartite graph."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from revibranch.scip.observation import Observation


@dataclass(frozen=True)
class GraphBatch:
    """Several bipartite graphs as one whose parts are not connected.

    Attributes:
        variables: Features of all variables.
        rows: Features of all rows.
        edge_index: Variable and row of each edge, counted through all graphs.
        edge_attr: Normalized coefficients.
        variable_batch: Graph of each variable.
        row_batch: Graph of each row.
        candidates: Branching candidates, as positions among all variables.
        candidate_batch: Graph of each candidate.
        n_graphs: Number of graphs.
    """

    variables: Float[Tensor, "variables 19"]
    rows: Float[Tensor, "rows 14"]
    edge_index: Int64[Tensor, "2 edges"]
    edge_attr: Float[Tensor, "edges 1"]
    variable_batch: Int64[Tensor, "variables"]
    row_batch: Int64[Tensor, "rows"]
    candidates: Int64[Tensor, "candidates"]
    candidate_batch: Int64[Tensor, "candidates"]
    n_graphs: int

    def to(self, device: torch.device | str) -> "GraphBatch":
        """The same on a device; itself where it is there already."""
        if self.variables.device == torch.device(device):
            return self
        names = [name for name in self.__dataclass_fields__ if name != "n_graphs"]
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def collate(observations: Sequence[Observation]) -> GraphBatch:
    """One batch of observations, in their order and on their device.

    Raises:
        ValueError: if there is none.
    """
    if not observations:
        raise ValueError("a batch needs at least one observation")
    device = observations[0].variables.device
    sizes = torch.tensor(
        [[len(o.variables), len(o.rows), o.edge_index.shape[1], len(o.candidates)] for o in observations],
        device=device,
    )
    variable_offsets, row_offsets = (sizes.cumsum(0) - sizes)[:, :2].T
    graphs = torch.arange(len(observations), device=device)
    n_variables, n_rows, n_edges, n_candidates = sizes.T
    candidate_batch, edge_batch = graphs.repeat_interleave(n_candidates), graphs.repeat_interleave(n_edges)
    offsets = torch.stack([variable_offsets, row_offsets])
    return GraphBatch(
        torch.cat([o.variables for o in observations]),
        torch.cat([o.rows for o in observations]),
        torch.cat([o.edge_index for o in observations], 1) + offsets[:, edge_batch],
        torch.cat([o.edge_attr for o in observations]),
        graphs.repeat_interleave(n_variables),
        graphs.repeat_interleave(n_rows),
        torch.cat([o.candidates for o in observations]) + variable_offsets[candidate_batch],
        candidate_batch,
        len(observations),
    )
