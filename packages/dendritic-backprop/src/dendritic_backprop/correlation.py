"""The objective of a dendrite: the covariance of its output with the remaining error of its neuron.

A *pattern* p is one sample, or one position in one sample (convolutions, sequences). E_p,j is the derivative of the
sample's loss by the pre-activation of neuron j, V_p,j the output of its dendrite.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .configs import Score, check_choice

TINY = 1e-12
"""Standard deviations below this count as zero: the neuron has no error left, or the dendrite is constant."""


def patterns(tensor: Tensor, node_axis: int) -> Float[Tensor, "patterns nodes"]:
    """A layer's output with its neurons along the last axis and everything else along the first."""
    moved = tensor.movedim(node_axis, -1)
    return moved.reshape(-1, moved.shape[-1])


def covariance_score(
    v: Float[Tensor, "*shape"], error: Float[Tensor, "*shape"], node_axis: int = -1
) -> Float[Tensor, "nodes"]:
    """S_j = |Σ_p (V_p,j - mean V_j)(E_p,j - mean E_j)| of each neuron (Fahlman and Lebiere 1990, for its own error).

    Args:
        v: Outputs of one dendrite for each neuron.
        error: Remaining errors of the neurons.
        node_axis: The axis of the neurons.
    """
    a, b = patterns(v, node_axis), patterns(error, node_axis)
    return ((a - a.mean(0)) * (b - b.mean(0))).sum(0).abs()


def covariance_grad_target(
    error: Float[Tensor, "*shape"], sign: Float[Tensor, "nodes"], node_axis: int = -1
) -> Float[Tensor, "*shape"]:
    """dS/dV_p,j = sign_j (E_p,j - mean E_j).

    The derivative through the mean of V vanishes, because Σ_p (E_p,j - mean E_j) = 0. By the chain rule,
    dS/dθ = Σ_p of this times f'(z_p,j) dz_p,j/dθ.

    Args:
        error: Remaining errors of the neurons.
        sign: Sign of the covariance of each neuron, from another estimate than that of the batch.
        node_axis: The axis of the neurons.
    """
    moved = error.movedim(node_axis, -1)
    centered = moved - moved.flatten(0, -2).mean(0)
    return (sign * centered).movedim(-1, node_axis)


@dataclass
class Moments:
    """Running sums over patterns of k candidates' outputs V and their neurons' errors E, in double precision.

    Attributes:
        n: Patterns so far.
        v, vv, ve: Sums of V, V², VE, each of shape (k, nodes).
        e, ee: Sums of E, E², of shape (nodes,).
    """

    n: int
    v: Float[Tensor, "k nodes"]
    vv: Float[Tensor, "k nodes"]
    ve: Float[Tensor, "k nodes"]
    e: Float[Tensor, "nodes"]
    ee: Float[Tensor, "nodes"]

    @classmethod
    def of(cls, values: Float[Tensor, "k patterns nodes"], error: Float[Tensor, "patterns nodes"]) -> "Moments":
        """Those of some patterns."""
        a, b = values.detach().double(), error.detach().double()
        return cls(b.shape[0], a.sum(1), a.square().sum(1), (a * b).sum(1), b.sum(0), b.square().sum(0))

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.n + other.n,
            self.v + other.v,
            self.vv + other.vv,
            self.ve + other.ve,
            self.e + other.e,
            self.ee + other.ee,
        )

    @property
    def covariance(self) -> Float[Tensor, "k nodes"]:
        """Σ_p (V - mean V)(E - mean E) / n."""
        return self.ve / self.n - self.v / self.n * (self.e / self.n)

    @property
    def mean_error(self) -> Float[Tensor, "nodes"]:
        """The mean error of each neuron."""
        return self.e / self.n

    @property
    def error_deviation(self) -> Float[Tensor, "nodes"]:
        """The standard deviation of the error of each neuron."""
        return (self.ee / self.n - (self.e / self.n).square()).clamp(min=0).sqrt()

    @property
    def deviation(self) -> Float[Tensor, "k nodes"]:
        """The standard deviation of each candidate's output."""
        return (self.vv / self.n - (self.v / self.n).square()).clamp(min=0).sqrt()

    @property
    def pearson(self) -> Float[Tensor, "k nodes"]:
        """The Pearson correlation of V and E; 0 where one of them is constant."""
        return _ratio(_ratio(self.covariance, self.deviation), self.error_deviation)

    def score(self, kind: Score) -> Float[Tensor, "k nodes"]:
        """What a candidate maximizes, per pattern: |cov|, |cov| / sd(E), or |Pearson correlation|.

        Raises:
            ValueError: if there is no such score.
        """
        check_choice("score", kind, Score)
        if kind == "covariance":
            return self.covariance.abs()
        return _ratio(self.covariance, self.error_deviation).abs() if kind == "normalized" else self.pearson.abs()

    def regression(self) -> Float[Tensor, "k nodes"]:
        """-cov(V, E) / var(V): the gain that removes most of the error, if each sample's loss is half its square."""
        return -_ratio(self.covariance, self.deviation.square())


def batch_objective(
    values: Float[Tensor, "k patterns nodes"],
    error: Float[Tensor, "patterns nodes"],
    sign: Float[Tensor, "k nodes"],
    moments: Moments,
    kind: Score,
) -> Float[Tensor, ""]:
    """What a step raises: Σ over candidates and neurons of sign times covariance, per pattern, scaled by the score.

    The mean and the standard deviation of the error are those of the whole data, since the network is frozen; so a
    batch's expected gradient is that of the whole data, which the sign of the batch's own covariance would not give.

    Args:
        values: Candidates' outputs in the batch, with gradients.
        error: Errors of the batch.
        sign: Sign of each covariance on the whole data, or a running estimate.
        moments: Of the whole data.
        kind: The score.
    """
    # In single precision at least: squares and small deviations of half precision are zero.
    wide = torch.promote_types(values.dtype, torch.float32)
    values, error = values.to(wide), error.to(wide)
    products = batch_covariance(values, error, moments.mean_error) * sign.to(error)
    if kind == "covariance":
        return products.sum()
    scale = moments.error_deviation.to(error)
    products = torch.where(scale > TINY, products / scale.clamp(min=TINY), 0.0)
    if kind == "pearson":
        products = products / values.var(1, correction=0).add(TINY).sqrt()
    return products.sum()


def batch_covariance(
    values: Float[Tensor, "k patterns nodes"],
    error: Float[Tensor, "patterns nodes"],
    mean_error: Float[Tensor, "nodes"],
) -> Float[Tensor, "k nodes"]:
    """Σ_p (V - mean V)(E - mean E) / n of a batch, with the mean of V in the batch and that of E on the whole data.

    The mean of V, one half for small weights of a sigmoid, would otherwise multiply the batch's mean error, which is
    far larger than the covariance of an untrained dendrite. It counts as a constant, which changes no gradient.
    """
    centered = error - mean_error.to(error)
    return ((values - values.detach().mean(1, keepdim=True)) * centered).mean(1)


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """The quotient; 0 where the divisor is next to nothing."""
    return torch.where(below > TINY, above / below.clamp(min=TINY), 0.0)
