"""The network: a DeepONet without an output bias whose solution is zero outside the domain."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from deeponet import DeepONet
from separata.models import count_parameters as count_parameters  # noqa: PLC0414 - public here


class MaskedDeepONet(DeepONet):
    """`G(u)(y) = m(y) sum_k b_k(u) t_k(y)`, on points that all samples share.

    Hard parameter sharing: there is no number of the task and no head of its own; the branch sees the form of the
    source or the geometry in its input. It is `deeponet.DeepONet` without the bias, called as that one's `grid`, with a
    mask.

    Args:
        branch: From an input to p features; `MLPBranch`, `ConvBranch`, or your own.
        trunk: From points (P, d) to p features each; `Trunk`, `ResidualTrunk`, or your own.

    Raises:
        ValueError: if both say how many features they have, and differ.
    """

    def __init__(self, branch: nn.Module, trunk: nn.Module) -> None:
        of_branch, of_trunk = (getattr(part, "n_out", None) for part in (branch, trunk))
        if of_branch is not None and of_trunk is not None and of_branch != of_trunk:
            raise ValueError(f"branch and trunk must have equally many features, not {of_branch} and {of_trunk}")
        super().__init__(branch, trunk, bias=False)

    def forward(
        self,
        u: Float[Tensor, "batch *inputs"],
        y: Float[Tensor, "points coordinates"],
        mask: Bool[Tensor, "n_masks n_nodes"] | None = None,
    ) -> Float[Tensor, "batch points"]:
        """The solution of every sample at every point; the trunk is computed once for all.

        Args:
            u: What the branch takes.
            y: Points of the grid.
            mask: Each sample's domain; by default, everything is inside.

        Raises:
            ValueError: if the mask is not one of these samples and points.
        """
        values = self.grid(u, y)
        if mask is None:
            return values
        if mask.shape != values.shape:
            raise ValueError(f"the mask must have the shape {tuple(values.shape)}, not {tuple(mask.shape)}")
        return torch.where(mask, values, 0.0)
