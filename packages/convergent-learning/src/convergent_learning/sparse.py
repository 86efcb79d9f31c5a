"""Sparse prediction of one network's units from another's: few-to-one mappings (section 4 of the paper)."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .statistics import DEAD, ActivationStats, LayerStats

TOLERANCE = 1e-9
"""Default of the largest duality gap per target of variance 1."""
THRESHOLD = 1e-3
"""Absolute weight above which a unit counts as used."""


@dataclass(frozen=True, eq=False)
class SparsePath:
    """Mappings from the units of one layer to those of another, at several penalties.

    All units are standardized, so that a weight is what a target changes, in its standard deviations, with one of the
    source's.

    Attributes:
        lambdas: Penalties, largest first.
        weights: Of each target (row) on each source unit (column).
        r2: Share of the variance of each target that is predicted; 0 for dead targets.
        support: Units with an absolute weight above 0.001.
        gap: Duality gap of each solution: an upper bound on how far its objective is from the optimum.
        dense_r2: R² of least squares on all units, the upper bound.
        single_r2: R² of the best single unit, the bound for one-to-one mappings.
    """

    lambdas: Float[Tensor, " path"]
    weights: Float[Tensor, "path q p"]
    r2: Float[Tensor, "path q"]
    support: Int[Tensor, "path q"]
    gap: Float[Tensor, "path q"]
    dense_r2: Float[Tensor, " q"]
    single_r2: Float[Tensor, " q"]
    _source: tuple[Tensor, Tensor]
    _target: tuple[Tensor, Tensor]

    def affine(self, at: int) -> tuple[Float[Tensor, "q p"], Float[Tensor, " q"]]:
        """Weight and bias of the 1 x 1 convolution that maps raw activations, at one penalty of the path."""
        (source_mean, source_std), (target_mean, target_std) = self._source, self._target
        weight = self.weights[at] * target_std[:, None] / source_std.masked_fill(source_std < DEAD, 1)
        return weight, target_mean - weight @ source_mean


def soft_threshold(x: Tensor, by: Tensor | float) -> Tensor:
    """Shrink toward zero: sign(x) max(|x| - by, 0), the proximal map of the L1 norm."""
    return x.sign() * (x.abs() - by).clamp(min=0)


def sparse_mapping(
    stats: ActivationStats,
    layer: str,
    src: int = 0,
    dst: int = 1,
    lambdas: Sequence[float] = (0.1, 0.03, 0.01, 0.003, 0.001),
    *,
    tolerance: float = TOLERANCE,
    max_steps: int = 20_000,
) -> SparsePath:
    """Predict every unit of a layer from few units of the same layer of another network.

    Minimizes E (b - w a)² / 2 + lambda |w|_1 over standardized units for all targets at once, by FISTA with restarts on
    the correlation matrices, from the largest penalty down. The penalty is scikit-learn's `alpha` of `Lasso` on
    standardized samples. A penalty of 0 is least squares.

    Args:
        stats: Statistics of both networks.
        layer: The layer.
        src: The network that predicts.
        dst: The network that is predicted.
        lambdas: Penalties, in any order.
        tolerance: Duality gap of each target, of variance 1, at which it is solved.
        max_steps: Steps of FISTA for each penalty; a warning says where they left a gap of 100 times the tolerance.

    Raises:
        ValueError: if there is no penalty, one is negative or not finite, there is no such layer or network, or all
            units of the source are dead.
    """
    penalties = torch.tensor(sorted(map(float, lambdas), reverse=True), dtype=torch.float64)
    if not len(penalties) or not bool(penalties.isfinite().all()) or penalties[-1] < 0:
        raise ValueError(f"the penalties must be one or more finite numbers of at least 0, not {list(lambdas)}")
    one = stats[layer]
    gram, cross = one.correlation(src, src).cpu(), one.correlation(src, dst).cpu()
    variance = (~one.dead(dst)).double().cpu()
    dense = least_squares(gram, cross)
    if not bool(gram.any()):
        raise ValueError(f"all units of layer {layer} of network {src} are dead: they predict nothing")
    step = 1 / torch.linalg.eigvalsh(gram)[-1]
    weights, found, gaps = torch.zeros_like(cross), [], []
    for penalty in penalties.tolist():
        weights = (
            dense
            if penalty == 0
            else _fista(gram, cross, variance, penalty, weights, float(step), (tolerance, max_steps))
        )
        found.append(weights)
        gaps.append(duality_gap(gram, cross, variance, penalty, weights))
    path = torch.stack(found)
    gap = torch.stack(gaps)
    if bool((gap[penalties > 0] > 100 * tolerance).any()):
        warnings.warn(f"FISTA stopped after {max_steps} steps with a duality gap of {gap.max():.1e}", stacklevel=2)
    return SparsePath(
        penalties,
        path.mT,
        torch.stack([explained(gram, cross, one) for one in path]),
        (path.abs() > THRESHOLD).sum(1),
        gap,
        explained(gram, cross, dense),
        cross.square().amax(0),
        _scale(one, src),
        _scale(one, dst),
    )


def _scale(stats: LayerStats, net: int) -> tuple[Tensor, Tensor]:
    return stats.mean[stats.of(net)].cpu(), stats.std(net).cpu()


def least_squares(gram: Float[Tensor, "p p"], cross: Float[Tensor, "p q"]) -> Float[Tensor, "p q"]:
    """The least-squares weights of the smallest norm; directions without variance (1e-10 of the largest) get none."""
    values, vectors = torch.linalg.eigh(gram)
    inverse = torch.where(values > 1e-10 * values[-1], 1 / values.clamp(min=1e-300), 0)
    return vectors @ (inverse[:, None] * (vectors.T @ cross))


def explained(
    gram: Float[Tensor, "p p"], cross: Float[Tensor, "p q"], weights: Float[Tensor, "p q"]
) -> Float[Tensor, " q"]:
    """R² of weights on standardized units: 2 w·r - w'Gw."""
    return 2 * (weights * cross).sum(0) - (weights * (gram @ weights)).sum(0)


def duality_gap(
    gram: Float[Tensor, "p p"],
    cross: Float[Tensor, "p q"],
    variance: Float[Tensor, " q"],
    penalty: float,
    weights: Float[Tensor, "p q"],
) -> Float[Tensor, " q"]:
    """Primal less dual objective of the lasso, from moments alone; at a penalty of 0 the largest gradient.

    The residual, scaled until its correlation with every unit is at most the penalty, is a feasible point of the dual.
    """
    product = gram @ weights
    gradient = (cross - product).abs().amax(0)
    if penalty == 0:
        return gradient
    fit = (weights * cross).sum(0)
    residual = variance - 2 * fit + (weights * product).sum(0)
    scale = (penalty / gradient.clamp(min=1e-300)).clamp(max=1)
    primal = residual / 2 + penalty * weights.abs().sum(0)
    return (primal - scale * (variance - fit) + scale.square() * residual / 2).clamp(min=0)


def _fista(
    gram: Tensor,
    cross: Tensor,
    variance: Tensor,
    penalty: float,
    start: Tensor,
    step: float,
    until: tuple[float, int],
) -> Float[Tensor, "p q"]:
    """Accelerated proximal gradient (Beck and Teboulle 2009), restarted where momentum points uphill (O'Donoghue)."""
    tolerance, max_steps = until
    weights, ahead = start, start
    momentum = torch.ones(cross.shape[1], dtype=cross.dtype)
    for i in range(max_steps):
        new = soft_threshold(ahead + step * (cross - gram @ ahead), step * penalty)
        is_uphill = ((ahead - new) * (new - weights)).sum(0) > 0
        momentum = torch.where(is_uphill, 1.0, momentum)
        grown = (1 + (1 + 4 * momentum.square()).sqrt()) / 2
        ahead = new + ((momentum - 1) / grown) * (new - weights)
        weights, momentum = new, grown
        if i % 20 == 0 and bool((duality_gap(gram, cross, variance, penalty, weights) < tolerance).all()):
            break
    return weights
