"""Normalizations of functions that travel inside a model."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from . import checks


class _Normalizer(nn.Module):
    """An affine map `(x - shift) / scale`, whose two buffers broadcast against the last axes of a sample."""

    shift: Tensor
    scale: Tensor

    def __init__(self, shape: tuple[int, ...] = (), *, eps: float = 1e-5) -> None:
        super().__init__()
        checks.not_negative("eps", eps)
        self.shape = tuple(shape)
        self.eps = eps
        self.register_buffer("shift", torch.zeros(self.shape))
        self.register_buffer("scale", torch.ones(self.shape))

    def encode(self, x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """Normalize.

        Raises:
            ValueError: if the functions have another resolution than those that this was fitted on.
        """
        self._check(x)
        return (x - self.shift) / self.scale

    def decode(self, x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """Undo `encode`.

        Raises:
            ValueError: if the functions have another resolution than those that this was fitted on.
        """
        self._check(x)
        return x * self.scale + self.shift

    def forward(self, x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """The same as `encode`."""
        return self.encode(x)

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"{self.shape}, eps={self.eps:g}"

    def _check(self, x: Tensor) -> None:
        last = tuple(x.shape[x.ndim - len(self.shape) :]) if x.ndim >= len(self.shape) else tuple(x.shape)
        fits = len(last) == len(self.shape) and all(s in {1, g} for s, g in zip(self.shape, last, strict=True))
        if not fits:
            raise ValueError(f"this normalizer is for values of shape {self.shape}, not {last}")

    def _reduced(self, samples: Tensor) -> list[int]:
        """Check the samples; the axes over which statistics are taken."""
        self._check(samples)
        if not samples.numel():
            raise ValueError("there are no samples to fit a normalizer to")
        checks.finite("samples", samples)
        before = samples.ndim - len(self.shape)
        return [*range(before), *(before + i for i, size in enumerate(self.shape) if size == 1)]

    def _set(self, shift: Tensor, scale: Tensor) -> None:
        self.shift, self.scale = shift.reshape(self.shape).clone(), scale.reshape(self.shape).clone()


class GaussianNormalizer(_Normalizer):
    """Zero mean and unit standard deviation: `(x - mean) / (std + eps)`.

    Args:
        shape: Of the statistics, which broadcasts against the last axes of a sample: `()` for one mean and deviation of
            all values, `(channels, 1, 1)` for one a channel, `(h, w)` or `(channels, h, w)` for one at each point.
            Where it is not 1 it fixes the resolution.
        eps: Added to the standard deviation.
    """

    def fit(self, samples: Float[Tensor, "n *shape"]) -> "GaussianNormalizer":
        """Take mean and (unbiased) standard deviation from samples, in their type and on their device; returns itself.

        Raises:
            ValueError: if shapes do not fit, values are not finite, or there are fewer than two to a statistic.
        """
        axes = self._reduced(samples)
        checks.count("the number of values to each standard deviation", samples.numel() // self.shift.numel(), 2)
        std, mean = torch.std_mean(samples, dim=axes)
        self._set(mean, std + self.eps)
        return self


class MinMaxNormalizer(_Normalizer):
    """The smallest value to 0 and the largest to 1: `(x - min) / (max - min + eps)`.

    Args:
        shape: Of the statistics, as for `GaussianNormalizer`.
        eps: Added to the range.
    """

    def __init__(self, shape: tuple[int, ...] = (), *, eps: float = 0.0) -> None:
        super().__init__(shape, eps=eps)

    def fit(self, samples: Float[Tensor, "n *shape"]) -> "MinMaxNormalizer":
        """Take the extremes from samples, in their type and on their device; returns itself.

        Raises:
            ValueError: if shapes do not fit, values are not finite, or all values to a statistic are equal and eps is
                0.
        """
        axes = self._reduced(samples)
        low, high = samples.amin(axes), samples.amax(axes)
        scale = high - low + self.eps
        if not bool((scale > 0).all()):
            raise ValueError("values that are all equal have no range: give eps, or normalize over more of them")
        self._set(low, scale)
        return self
