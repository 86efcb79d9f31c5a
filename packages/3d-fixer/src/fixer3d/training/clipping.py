"""Clipping of gradients at a norm that follows those of the last steps."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

PERCENTILE = 95.0
N_NORMS = 1_000


class AdaptiveGradClip:
    """Clips at the least of a largest norm and the 95th percentile of the last 1,000 norms.

    Until there are as many, at the largest norm alone. Norms that are not finite are not counted.

    Args:
        max_norm: Largest norm.
        percentile: Percentile of the last norms.
        n_norms: How many are remembered.
    """

    def __init__(self, max_norm: float = 1.0, percentile: float = PERCENTILE, n_norms: int = N_NORMS) -> None:
        self.max_norm, self.percentile = max_norm, percentile
        self.norms = torch.zeros(n_norms)
        self.n_seen = 0

    @property
    def threshold(self) -> float:
        """The norm at which gradients are clipped next."""
        if self.n_seen < len(self.norms):
            return self.max_norm
        return min(self.max_norm, float(torch.quantile(self.norms, self.percentile / 100)))

    def __call__(self, parameters: Iterable[Tensor]) -> float:
        """Clip the gradients.

        Returns:
            Their norm before.
        """
        norm = clip_grad_norm_(parameters, self.threshold)
        if torch.isfinite(norm):
            self.norms[self.n_seen % len(self.norms)] = norm.cpu()
            self.n_seen += 1
        return float(norm)

    def state_dict(self) -> dict[str, Tensor]:
        """What a training goes on from."""
        return {"norms": self.norms.clone(), "n_seen": torch.tensor(self.n_seen)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""
        self.norms.copy_(state["norms"])
        self.n_seen = int(state["n_seen"])
