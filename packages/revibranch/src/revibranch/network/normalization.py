"""Normalization of features by statistics that are measured once and then frozen."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class FeatureNorm(nn.Module):
    """Shifts and scales each feature to mean 0 and standard deviation 1 on the data that it was fitted to.

    The "prenorm" of Gasse et al. (2019): unlike batch normalization its statistics do not move while the network
    learns, and one graph alone is treated as it is in a batch. Before it is fitted it changes nothing. A feature that
    is constant on the data is shifted, not scaled.

    Args:
        n_features: Number of features.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("std", torch.ones(n_features))
        self.is_fitting = False

    @torch.no_grad()
    def fit(self, x: Float[Tensor, "n features"]) -> None:
        """Measure mean and standard deviation.

        Raises:
            ValueError: if there are no samples.
        """
        if not len(x):
            raise ValueError("the statistics of features need at least one sample")
        std = x.double().std(0, correction=0).float()
        self.mean.copy_(x.double().mean(0).float())
        self.std.copy_(torch.where(std > 1e-4, std, 1.0))

    def forward(self, x: Float[Tensor, "n features"]) -> Float[Tensor, "n features"]:
        """The normalized features; with `is_fitting`, fitted to these first."""
        if self.is_fitting:
            self.fit(x)
        return (x - self.mean) / self.std
