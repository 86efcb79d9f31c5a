"""Occlusion-robust feature alignment (ORFA): tokens as those of the prior that sees the whole object."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from fixer3d.network.trunk import FlowTrunk

EPS = 1e-6
Hidden = Sequence[Float[Tensor, "batch n width"]]


def alignment_loss(hidden: Hidden, reference: Hidden) -> Float[Tensor, ""]:
    """The negative cosine similarity of tokens, as a mean over them and over all blocks: `(1/L) Σ_l mean(-cos)`.

    Args:
        hidden: Tokens of the controlled flow after each block of the trunk, control added.
        reference: Those of the trunk alone, conditioned on the object without occlusion; see `reference_hidden`.

    Returns:
        The loss, -1 (the same directions) to 1.

    Raises:
        ValueError: if the two are not of as many blocks, or there are none.
    """
    if len(hidden) != len(reference) or not len(hidden):
        raise ValueError(f"as many blocks are needed on both sides, not {len(hidden)} and {len(reference)}")
    similarities = [
        (F.normalize(h.float(), dim=-1, eps=EPS) * F.normalize(r.float(), dim=-1, eps=EPS)).sum(-1).mean()
        for h, r in zip(hidden, reference, strict=True)
    ]
    return -torch.stack(similarities).mean()


@torch.no_grad()
def reference_hidden(
    trunk: FlowTrunk,
    x: Float[Tensor, "batch c r r r"],
    t: Float[Tensor, "batch"],
    unoccluded: Float[Tensor, "batch m cond_width"],
) -> list[Float[Tensor, "batch n width"]]:
    """The trunk's tokens after each block, without control and without gradients.

    Args:
        trunk: The object prior.
        x: The same noisy latents as the controlled flow's.
        t: The same times, 0 to 1000.
        unoccluded: Image tokens of a clean render of the object alone.
    """
    return trunk(x, t, unoccluded, hidden=True)[1]
