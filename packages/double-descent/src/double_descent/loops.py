"""Optimizers without a closed form, step by step on precomputed matrices, all seeds at once."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from .configs import FitConfig
from .least_squares import LeastSquares

Step = Callable[[Tensor], Tensor]
BETAS, EPS = (0.9, 0.999), 1e-8
"""Of Adam."""
MEMORY = 10
"""Pairs that L-BFGS keeps."""
CHECKED_EVERY = 50
"""Steps between two looks at the gradient, where training may end early."""


def loop(
    problem: LeastSquares,
    config: FitConfig,
    budgets: Sequence[float],
    seeds: Sequence[int],
    init: Float64[Tensor, "seeds p c"] | None,
    tol: float = 0.0,
) -> Iterator[tuple[float, Float64[Tensor, "seeds p c"]]]:
    """The weights after each budget, in increasing order of budgets.

    Args:
        problem: What is solved.
        config: The optimizer: sgd, adam, lbfgs or cg.
        budgets: Numbers of steps in increasing order, finite.
        seeds: Of the batches of SGD, one for each problem.
        init: W(0); zero by default.
        tol: End when no seed's gradient has a norm above this share of the first; the weights then stay.

    Raises:
        ValueError: if a budget is infinite, a batch is larger than N, or training diverges.
    """
    if math.isinf(budgets[-1]):
        raise ValueError(f"{config.optimizer} has no closed form, so that its number of steps must be finite")
    if config.optimizer == "sgd" and config.batch_size > problem.n_samples:
        raise ValueError(f"a batch of {config.batch_size} is larger than the {problem.n_samples} samples")
    in_basis = config.optimizer != "adam"
    zero = torch.zeros(problem.n_seeds, problem.n_features, problem.n_outputs).to(problem.features)
    start = zero if init is None else init
    state = problem.coordinates(start) if in_basis else start.clone()
    step = _STEPS[config.optimizer](problem, config, seeds)
    gradient = _gradient_in_basis(problem) if in_basis else _gradient(problem)
    first = float(gradient(state).square().sum((1, 2)).amax().sqrt())
    done, has_ended = 0, False
    for budget in budgets:
        while done < budget and not has_ended:
            state = step(state)
            done += 1
            if tol > 0 and done % CHECKED_EVERY == 0:
                has_ended = float(gradient(state).square().sum((1, 2)).amax().sqrt()) <= tol * first
        if not bool(state.isfinite().all()):
            raise ValueError(f"{config.optimizer} with a learning rate of {config.rate:g} diverges; lower it")
        yield budget, problem.weights(state, start) if in_basis else state.clone()


def _gradient_in_basis(problem: LeastSquares) -> Step:
    h = problem.spectrum.h[..., None]
    target = h * problem.solution
    return lambda c: h * c - target


def _gradient(problem: LeastSquares) -> Step:
    """Of all weights: by the Gram matrix, or by the features where these have fewer numbers."""
    n, z, y = problem.n_samples, problem.features, problem.targets
    b = z.mT @ y / n
    if problem.n_features <= 2 * n:
        gram = z.mT @ z / n
        return lambda w: torch.baddbmm(b, gram, w, beta=-1)
    transposed = z.mT.contiguous() / n
    return lambda w: torch.baddbmm(b, transposed, z @ w, beta=-1)


def _adam(problem: LeastSquares, config: FitConfig, seeds: Sequence[int]) -> Step:  # noqa: ARG001 - as all steps
    """Adam (Kingma and Ba 2015) on all samples at once, with PyTorch's defaults."""
    gradient = _gradient(problem)
    shape = (problem.n_seeds, problem.n_features, problem.n_outputs)
    mean, square = torch.zeros(shape).to(problem.features), torch.zeros(shape).to(problem.features)
    n_steps = 0

    def step(w: Tensor) -> Tensor:
        nonlocal n_steps
        n_steps += 1
        g = gradient(w)
        mean.lerp_(g, 1 - BETAS[0])
        square.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
        size = config.rate / (1 - BETAS[0] ** n_steps)
        below = square.sqrt().div_(math.sqrt(1 - BETAS[1] ** n_steps)).add_(EPS)
        return w.addcdiv_(mean, below, value=-size)

    return step


def _sgd(problem: LeastSquares, config: FitConfig, seeds: Sequence[int]) -> Step:
    """Gradient descent on batches, which are drawn anew for each pass and seed."""
    a, y = problem.reduced, problem.targets
    rate = (config.rate / problem.spectrum.h_max)[:, None, None]
    batches = _batches(problem.n_samples, config.batch_size, seeds, a.device)
    seed_index = torch.arange(len(seeds), device=a.device)[:, None]

    def step(c: Tensor) -> Tensor:
        index = next(batches)
        rows = a[seed_index, index]
        wrong = torch.baddbmm(y[seed_index, index], rows, c, beta=-1)
        return c - (rate / index.shape[1]) * (rows.mT @ wrong)

    return step


def _batches(
    n_samples: int, size: int, seeds: Sequence[int], device: torch.device
) -> Iterator[Int[Tensor, "seeds batch"]]:
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    while True:
        orders = torch.stack([torch.randperm(n_samples, generator=one) for one in generators]).to(device)
        yield from orders.split(size, dim=1)


def _cg(problem: LeastSquares, config: FitConfig, seeds: Sequence[int]) -> Step:  # noqa: ARG001 - as all steps
    """Conjugate gradients (Hestenes and Stiefel 1952), for each seed and column of targets by itself."""
    h = problem.spectrum.h[..., None]
    gradient = _gradient_in_basis(problem)
    state: dict[str, Tensor] = {}

    def step(c: Tensor) -> Tensor:
        if not state:
            state["r"] = -gradient(c)
            state["p"] = state["r"]
            state["rr"] = state["r"].square().sum(1, keepdim=True)
        r, p, rr = state["r"], state["p"], state["rr"]
        curvature = (h * p * p).sum(1, keepdim=True)
        size = torch.where(curvature > 0, rr / curvature, 0.0)
        r = r - size * h * p
        new = r.square().sum(1, keepdim=True)
        state.update(r=r, rr=new, p=r + torch.where(rr > 0, new / rr, 0.0) * p)
        return c + size * p

    return step


def _lbfgs(problem: LeastSquares, config: FitConfig, seeds: Sequence[int]) -> Step:  # noqa: ARG001 - as all steps
    """L-BFGS (Nocedal 1980) with the exact line search that a quadratic has, all columns as one problem."""
    h = problem.spectrum.h[..., None]
    gradient = _gradient_in_basis(problem)
    pairs: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=MEMORY)

    def inner(x: Tensor, y: Tensor) -> Tensor:
        return (x * y).sum((1, 2), keepdim=True)

    def direction(g: Tensor) -> Tensor:
        q, sizes = g, []
        for s, y, rho in reversed(pairs):
            sizes.append(rho * inner(s, q))
            q = q - sizes[-1] * y
        if pairs:
            s, y, _ = pairs[-1]
            q = q * torch.where(inner(y, y) > 0, inner(s, y) / inner(y, y), 1.0)
        for (s, y, rho), size in zip(pairs, reversed(sizes), strict=True):
            q = q + (size - rho * inner(y, q)) * s
        return -q

    def step(c: Tensor) -> Tensor:
        g = gradient(c)
        d = direction(g)
        curvature = inner(d, h * d)
        size = torch.where(curvature > 0, -inner(g, d) / curvature, 0.0)
        s = size * d
        y = h * s
        product = inner(s, y)
        pairs.append((s, y, torch.where(product > 0, 1 / product, 0.0)))
        return c + s

    return step


_STEPS: dict[str, Callable[[LeastSquares, FitConfig, Sequence[int]], Step]] = {
    "adam": _adam,
    "sgd": _sgd,
    "cg": _cg,
    "lbfgs": _lbfgs,
}
