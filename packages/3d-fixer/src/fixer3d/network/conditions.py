"""What a completion is conditioned on, for a batch of objects."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Conditions:
    """What is known of each object of a batch.

    Args:
        masked_crop: Tokens of the crop around the object, masked to it; for the trunk.
        instance: Tokens of the crop, then of its mask.
        scene: Tokens of the whole image from the scene's encoder, then of the object's mask in it.
        partial: Latents of the visible points' voxels.
        confidence: Mean confidence of the points in each voxel, rearranged from space to channels.
        depth_ratio: How much of the depth is estimated, 0 (measured) to 1.
    """

    masked_crop: Float[Tensor, "batch n c"]
    instance: Float[Tensor, "batch two_n c"]
    scene: Float[Tensor, "batch m c"]
    partial: Float[Tensor, "batch channels r r r"]
    confidence: Float[Tensor, "batch block_voxels r r r"]
    depth_ratio: Float[Tensor, "batch"]

    def __len__(self) -> int:
        return len(self.depth_ratio)

    def __getitem__(self, index: slice | Int[Tensor, "n"] | Bool[Tensor, "batch"]) -> "Conditions":
        """Those of some objects."""
        return self._map(lambda part: part[index])

    def zeroed(self, drop: Bool[Tensor, "batch"] | None = None) -> "Conditions":
        """The unconditional ones: zeros for everything but the depth ratio.

        Args:
            drop: True for the objects for which everything is dropped; all of them without it.
        """
        keep = torch.zeros_like(self.depth_ratio) if drop is None else (~drop).to(self.depth_ratio)

        def masked(part: Tensor) -> Tensor:
            return torch.where(keep.reshape(-1, *[1] * (part.ndim - 1)) > 0, part, 0)

        dropped = self._map(masked)
        return Conditions(**{**vars(dropped), "depth_ratio": self.depth_ratio})

    def repeat(self, n: int) -> "Conditions":
        """The same for several samples of each object, which follow one another."""
        return self._map(lambda part: part.repeat_interleave(n, dim=0))

    def to(self, target: torch.device | str | torch.dtype) -> "Conditions":
        """The same on a device, or in another precision."""
        return self._map(lambda part: part.to(target))

    @staticmethod
    def cat(parts: "Sequence[Conditions]") -> "Conditions":
        """Those of several batches as one."""
        return Conditions(
            **{one.name: torch.cat([getattr(part, one.name) for part in parts]) for one in fields(Conditions)}
        )

    def _map(self, function: Callable[[Tensor], Tensor]) -> "Conditions":
        return Conditions(**{name: function(part) for name, part in vars(self).items()})
