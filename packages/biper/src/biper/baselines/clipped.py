"""What the straight-through methods share: latent weights that are clipped to [-1, 1]."""

import torch

from biper.layers import BinaryLayer


class ClippedLayer(BinaryLayer):
    """A layer whose latent weights stay where their straight-through gradient is not zero."""

    def after_update(self) -> None:
        """Clip the latent weights to [-1, 1]."""
        with torch.no_grad():
            self.weight.clamp_(-1, 1)
