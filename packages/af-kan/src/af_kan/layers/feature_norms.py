"""Scaling of the basis functions to [0, 1], over the whole batch, each sample by itself, or a range from training.

The published code first divides by the norm of the whole tensor. That changes nothing but rounding, since what follows
does not depend on the scale, and is left out.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from af_kan.configs import FeatureNorm, check_name


def scale_to_unit(
    features: Float[Tensor, "batch d n"], smallest: Float[Tensor, "*b"], largest: Float[Tensor, "*b"]
) -> Float[Tensor, "batch d n"]:
    """(F - smallest) / (largest - smallest).

    Raises:
        ValueError: if the two are equal.
    """
    width = largest - smallest
    # Of equal ones, rounding leaves differences that scaling would blow up.
    rounding = 8 * torch.finfo(width.dtype).eps * torch.maximum(smallest.abs(), largest.abs())
    if bool((width <= rounding).any()):
        raise ValueError(
            "basis functions that are all equal cannot be scaled to [0, 1]; choose the feature norm none or running"
        )
    return (features - smallest) / width


class BatchRange(nn.Module):
    """Scales by the range over the whole batch, as published: what a sample becomes depends on the others with it."""

    def forward(self, features: Float[Tensor, "batch d n"]) -> Float[Tensor, "batch d n"]:
        """The scaled functions.

        Raises:
            ValueError: if they are all equal.
        """
        return scale_to_unit(features, features.min(), features.max())


class SampleRange(nn.Module):
    """Scales by the range within each sample."""

    def forward(self, features: Float[Tensor, "batch d n"]) -> Float[Tensor, "batch d n"]:
        """The scaled functions.

        Raises:
            ValueError: if those of a sample are all equal.
        """
        return scale_to_unit(features, features.amin((1, 2), keepdim=True), features.amax((1, 2), keepdim=True))


class RunningRange(nn.Module):
    """Scales by the range over the batch in training, and by a moving average of it in evaluation.

    Args:
        momentum: Weight of a new batch in the average.
    """

    smallest: Tensor
    largest: Tensor
    n_batches: Tensor

    def __init__(self, momentum: float = 0.1) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("smallest", torch.tensor(0.0))
        self.register_buffer("largest", torch.tensor(1.0))
        self.register_buffer("n_batches", torch.tensor(0))

    def forward(self, features: Float[Tensor, "batch d n"]) -> Float[Tensor, "batch d n"]:
        """The scaled functions; in training, the averages move.

        Raises:
            ValueError: if they are all equal in training.
        """
        if not self.training:
            return (features - self.smallest) / (self.largest - self.smallest)
        smallest, largest = features.min(), features.max()
        scaled = scale_to_unit(features, smallest, largest)
        with torch.no_grad():
            share = torch.where(self.n_batches == 0, 1.0, self.momentum)
            self.smallest.lerp_(smallest.to(self.smallest), share.to(self.smallest))
            self.largest.lerp_(largest.to(self.largest), share.to(self.largest))
            self.n_batches += 1
        return scaled


FEATURE_NORMS: dict[FeatureNorm, type[nn.Module]] = {
    "none": nn.Identity,
    "batch": BatchRange,
    "sample": SampleRange,
    "running": RunningRange,
}


def make_feature_norm(name: FeatureNorm) -> nn.Module:
    """The scaling of that name.

    Raises:
        ValueError: if there is none.
    """
    check_name("feature norm", name, tuple(FEATURE_NORMS))
    return FEATURE_NORMS[name]()
