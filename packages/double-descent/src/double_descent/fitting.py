"""Linear weights on features under any optimizer: closed forms where they exist, loops elsewhere."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from .configs import CLOSED_FORM, FitConfig, OptimizerName, check_budgets, check_not_negative, largest_rate
from .filters import factors, filter_factors
from .least_squares import LeastSquares, initial_weights, stacked
from .loops import loop
from .matrices import Array, as_matrix, as_targets, is_single
from .spectra import FLAGGED, warn_of

Weights = Float64[Tensor, "seeds p c"]
N_LOGGED = 30
"""Points of the history of a fit."""


def path(
    problem: LeastSquares, config: FitConfig, budgets: Sequence[float], seeds: Sequence[int], tol: float = 0.0
) -> Iterator[tuple[float, Weights]]:
    """The weights after each number of steps, of several seeds at once.

    Args:
        problem: What is solved.
        config: The optimizer and its settings; the learning rate is in units of 1 / h_max, except for Adam's.
        budgets: Numbers of steps, infinite for closed forms alone; ridge and exact have the same for all.
        seeds: A seed for each problem: of the initial weights and the batches.
        tol: As for `fit`.

    Raises:
        ValueError: if a setting is not possible or training diverges.
    """
    budgets = check_budgets(budgets)
    init = initial_weights(problem.n_features, problem.n_outputs, config.init_std, list(seeds))
    init = init if init is None else init.to(problem.features)
    if config.optimizer not in CLOSED_FORM:
        yield from loop(problem, config, budgets, seeds, init, tol)
        return
    for steps in budgets:
        f = factors(problem.spectrum.h, steps, config)[..., None]
        yield steps, _filtered(problem, f, init)


def _filtered(problem: LeastSquares, f: Float64[Tensor, "seeds r 1"], init: Weights | None) -> Weights:
    """W = V f S⁻¹ Uᵀ Y + V (1 − f) Vᵀ W(0) + (I − V Vᵀ) W(0)."""
    learned = f * problem.solution
    if init is None:
        return problem.weights(learned)
    return problem.weights(learned + (1 - f) * problem.coordinates(init), init)


def gd_path(
    features: Array, targets: Array, steps: Sequence[float], lr: float | None = None, init: Array | None = None
) -> Float64[Tensor, "budgets p c"]:
    """The weights of gradient descent after each number of steps, in closed form: no step is made.

    Args:
        features: Z, (N, P).
        targets: Labels (N,), or numbers (N,) or (N, C).
        steps: Whole numbers or infinite, in any order.
        lr: η; by default 1 / h_max, with h_max the largest eigenvalue of ZᵀZ / N.
        init: W(0), (P, C); zero by default. In directions without features it stays.

    Returns:
        W(t) for each of `steps`, (len(steps), P, C), in the order given.

    Raises:
        ValueError: if an input is wrong, or η is not below 2 / h_max.
    """
    problem = as_problem(features, targets)
    rate = 1 / float(problem.spectrum.h_max) if lr is None else lr
    start = None
    if init is not None:
        start = as_matrix(init, "initial weights")[None].to(problem.features)
        expected = (1, problem.n_features, problem.n_outputs)
        if start.shape != expected:
            raise ValueError(f"the initial weights must be {expected[1:]}, not {tuple(start.shape[1:])}")
    check_budgets(steps)
    weights = [_filtered(problem, filter_factors(problem.spectrum.h, t, rate)[..., None], start)[0] for t in steps]
    return torch.stack(weights)


@dataclass(frozen=True, eq=False)
class FitResult:
    """Trained weights.

    Attributes:
        weights: W, (P, C).
        train_loss: L(W) = ||ZW − Y||² / 2N.
        history: The training loss by the number of steps.
        condition_number: κ of the features, over the singular values that are not zero.
    """

    weights: Float64[Tensor, "p c"]
    train_loss: float
    history: dict[float, float]
    condition_number: float

    def predict(self, features: Array) -> Float64[Tensor, "n c"]:
        """ZW for other features (n, P)."""
        return as_matrix(features).to(self.weights) @ self.weights


def fit(
    features: Array,
    targets: Array,
    optimizer: OptimizerName | Literal["newton"] = "gd",
    steps: float = 1000,
    lr: float | None = None,
    *,
    batch_size: int | None = None,
    momentum: float = 0.9,
    init_std: float = 0.0,
    alpha: float = 1e-8,
    seed: int = 0,
    tol: float = 0.0,
) -> FitResult:
    """Train linear weights on features of your own.

    Args:
        features: Z, (N, P).
        targets: Labels (N,), or numbers (N,) or (N, C).
        optimizer: gd, momentum, nesterov, sgd, adam, lbfgs, cg, ridge, or exact (newton is the same: a step of Newton's
            method solves least squares).
        steps: Any number of steps, infinite included, for gd, momentum and nesterov, at the same cost; for the others
            as many as can be made.
        lr: Learning rate; by default 1 / h_max, for sgd 0.1 / h_max, for adam 0.01.
        batch_size: Of sgd; by default 32, or all samples if these are fewer.
        momentum: Of momentum and nesterov.
        init_std: Standard deviation of the initial weights.
        alpha: Of ridge.
        seed: Draws initial weights and batches.
        tol: End a loop when the gradient's norm is below this share of the first.

    Raises:
        ValueError: if an input or a setting is wrong, or training diverges.
    """
    name: OptimizerName = "exact" if optimizer == "newton" else optimizer
    problem = as_problem(features, targets)
    if batch_size is not None and batch_size > problem.n_samples:
        raise ValueError(f"a batch of {batch_size} is larger than the {problem.n_samples} samples")
    config = FitConfig(
        name,
        momentum=momentum,
        batch_size=batch_size or min(32, problem.n_samples),
        init_std=init_std,
        ridge=alpha,
    )
    if lr is not None:
        h_max = float(problem.spectrum.h_max)
        try:
            config = replace(config, lr=lr if name == "adam" else lr * h_max)
        except ValueError as error:
            limit = largest_rate(config.optimizer, config.momentum) / h_max
            raise ValueError(f"{error}: max stable lr = {limit:.6g}") from None
    check_not_negative(tol=tol)
    (end,) = check_budgets([steps])
    history: dict[float, float] = {}
    weights = None
    for t, weights in path(problem, config, _logged(end), [seed], tol):
        history[t] = float(problem.loss(weights))
    if weights is None:
        raise ValueError("there is nothing to train")
    kappa = float(problem.spectrum.condition_number)
    return FitResult(weights[0], history[end], history, kappa)


def _logged(end: float) -> tuple[float, ...]:
    """Numbers of steps up to the last, evenly spaced in their logarithm."""
    last = 1e6 if math.isinf(end) else end
    if last <= 0:
        return (0.0,)
    inner = {0.0, *(float(round(last ** (i / N_LOGGED))) for i in range(N_LOGGED + 1))}
    return tuple(sorted(inner | {end}))


def as_problem(features: Array, targets: Array) -> LeastSquares:
    """The problem of features and targets of a user's own; a warning says where single precision makes it meaningless.

    Raises:
        ValueError: if one is wrong.
    """
    matrix = as_matrix(features)
    problem = stacked(matrix, as_targets(targets, len(matrix)).to(matrix))
    kappa = float(problem.spectrum.condition_number)
    if is_single(features) and kappa > FLAGGED:
        warn_of(matrix, kappa, is_rounded=True)
    return problem
