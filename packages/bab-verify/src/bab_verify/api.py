"""Bounds and robustness of one's own network in one call."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, overload

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .bounds.linear_bound import LinearBound
from .bounds.optimization import optimize, refine
from .bounds.propagation import Propagator
from .bounds.rounding import interval_product, lowered, outward, sound_minimum, standard_arithmetic
from .configs import OptimizationConfig, VerifyConfig
from .frontends.loading import load_network
from .frontends.onnx_registry import NetworkError
from .graph import Graph
from .intervals import Interval
from .properties.counterexamples import Oracle
from .properties.specification import make_robustness
from .search.results import Result
from .search.verifier import Verifier

METHODS = ("ibp", "crown", "alpha-crown")
OPTIMIZATION = OptimizationConfig(steps=30, alpha_lr=0.3)


class LinearBounds(NamedTuple):
    """Bounds of C f(x) that are linear in the flattened x, valid over the box that they were found for.

    Args:
        below: `coefficients @ x + offset` is at most C f(x), in real arithmetic.
        above: And here at least.
    """

    below: LinearBound
    above: LinearBound


@overload
def compute_bounds(
    network: Graph | nn.Module | str | Path,
    x_lo: Float[Tensor, "batch ..."],
    x_hi: Float[Tensor, "batch ..."],
    C: Float[Tensor, "*n rows outputs"] | None = None,
    method: str = "alpha-crown",
    return_linear: Literal[False] = False,
    *,
    config: OptimizationConfig = OPTIMIZATION,
    input_shape: tuple[int, ...] | None = None,
) -> Interval: ...


@overload
def compute_bounds(
    network: Graph | nn.Module | str | Path,
    x_lo: Float[Tensor, "batch ..."],
    x_hi: Float[Tensor, "batch ..."],
    C: Float[Tensor, "*n rows outputs"] | None = None,
    method: str = "alpha-crown",
    *,
    return_linear: Literal[True],
    config: OptimizationConfig = OPTIMIZATION,
    input_shape: tuple[int, ...] | None = None,
) -> tuple[Interval, LinearBounds]: ...


@standard_arithmetic()
def compute_bounds(
    network: Graph | nn.Module | str | Path,
    x_lo: Float[Tensor, "batch ..."],
    x_hi: Float[Tensor, "batch ..."],
    C: Float[Tensor, "*n rows outputs"] | None = None,
    method: str = "alpha-crown",
    return_linear: bool = False,
    *,
    config: OptimizationConfig = OPTIMIZATION,
    input_shape: tuple[int, ...] | None = None,
) -> Interval | tuple[Interval, LinearBounds]:
    """Bounds of C f(x) over boxes of inputs.

    They hold in real arithmetic for the network's constants as they are stored: what rounding may have added to them is
    taken off, and they are rounded outward to the type of `x_lo`. They say nothing of what a network of lower precision
    adds by its own rounding.

    Args:
        network: A graph, a PyTorch module of one input (taken in evaluation mode), or an ONNX file.
        x_lo: Smallest inputs, a batch of boxes, each in the shape of the network's input or flattened.
        x_hi: Largest inputs.
        C: What to bound, (rows, outputs) or (batch, rows, outputs); each output if not given.
        method: `ibp` (interval arithmetic), `crown` (linear bounds by a backward pass), or `alpha-crown` (the same with
            optimised relaxations).
        return_linear: Also give bounds that are linear in the input; not for `ibp`.
        config: How `alpha-crown` optimises.
        input_shape: Shape of one input, without the batch, such as (1, 28, 28). A module that does not take flattened
            inputs needs it where the boxes are flattened.

    Returns:
        Lower and upper bounds, (batch, rows), on the device of `x_lo`; and the linear bounds where they are asked for.
        The bounds are at least as tight as those of interval arithmetic, which the linear ones need not be.

    Raises:
        ValueError: if boxes or C do not fit the network, a bound is not finite or above the other, or there is no such
            method.
        DomainError: if an operation is not defined on all of its inputs, such as a division by what may be zero.
    """
    if method not in METHODS:
        raise ValueError(f"the method is one of {', '.join(METHODS)}, not {method}")
    if return_linear and method == "ibp":
        raise ValueError("interval arithmetic gives no linear bounds; take crown or alpha-crown")
    if x_lo.shape != x_hi.shape:
        raise ValueError(f"the bounds of the input have the shapes {list(x_lo.shape)} and {list(x_hi.shape)}")
    if not x_lo.ndim or not len(x_lo):
        raise ValueError(f"the bounds of the input must be a batch of boxes, but their shape is {list(x_lo.shape)}")
    graph = load_network(network, x_lo[:1], input_shape=input_shape).graph.to(x_lo.device)
    box = _boxes(graph, x_lo, x_hi)
    rows = _rows(graph, C, len(box.lower)).to(box.lower)
    propagator = Propagator(graph)
    with torch.no_grad():
        everywhere = propagator.intervals(box)
        found = interval_product(rows, Interval(*(x.flatten(1) for x in everywhere[len(graph.nodes) - 1])))
    if method == "ibp":
        return outward(found, _floating(x_lo.dtype))
    both, most = torch.cat([rows, -rows], 1), torch.cat([found.upper, -found.lower], 1)
    linear, least = _linear(propagator, box, both, most, config if method == "alpha-crown" else None)
    n = rows.shape[1]
    bounds = outward(found.intersect(Interval(least[:, :n], -least[:, n:])), _floating(x_lo.dtype))
    if not return_linear:
        return bounds
    a, b, none = linear.coefficients, linear.offset, linear.error
    below, above = LinearBound(a[:, :n], b[:, :n], none[:, :n]), LinearBound(-a[:, n:], -b[:, n:], none[:, n:])
    return bounds, LinearBounds(below, above)


def _linear(
    propagator: Propagator, box: Interval, rows: Tensor, most: Tensor, config: OptimizationConfig | None
) -> tuple[LinearBound, Tensor]:
    """A linear lower bound of rows of the output, without an error, and the best lower bound, (batch, rows).

    Args:
        propagator: Of the network.
        box: (batch, inputs).
        rows: (batch, rows, outputs).
        most: What the rows cannot exceed, so that every margin is worth improving, (batch, rows).
        config: Of the optimisation, if any: first of the layers, one after the other, then of the rows.
    """
    graph = propagator.graph
    with torch.no_grad():
        bounds, planes = propagator.crown(box)
        if config is None or not any(propagator.operator(i).n_parameters for i in propagator.nonlinear):
            start = rows.reshape(*rows.shape[:2], *graph.output_shape)
            linear = lowered(propagator.backward(len(graph.nodes) - 1, start, planes), box)
            return linear, sound_minimum(linear, box)
        finer = refine(propagator, box, bounds, config)
    most = most.nan_to_num(nan=0.0, posinf=0.0)
    optimized = optimize(propagator, box, finer, rows, most, config)
    return lowered(optimized.linear, box), optimized.margins + most


def _boxes(graph: Graph, x_lo: Tensor, x_hi: Tensor) -> Interval:
    """The boxes, flattened and in double precision."""
    if x_lo[0].numel() != graph.n_inputs:
        raise ValueError(
            f"the bounds of the input must be a batch of {list(graph.input_shape)}, but their shape is "
            f"{list(x_lo.shape)}"
        )
    lower, upper = (x.detach().flatten(1).double() for x in (x_lo, x_hi))
    if not bool(lower.isfinite().all() and upper.isfinite().all()):
        raise ValueError("a bound of the input is NaN or infinite")
    if bool((lower > upper).any()):
        raise ValueError("a lower bound of the input is above its upper bound")
    return Interval(lower, upper)


def _rows(graph: Graph, C: Tensor | None, batch: int) -> Tensor:
    """What to bound, (batch, rows, outputs)."""
    n = graph.n_outputs
    C = torch.eye(n, dtype=torch.float64) if C is None else C.detach()
    if C.ndim not in {2, 3} or C.shape[-1] != n or (C.ndim == 3 and len(C) != batch):
        raise ValueError(f"C must be (rows, {n}) or ({batch}, rows, {n}), but its shape is {list(C.shape)}")
    if not bool(C.isfinite().all()):
        raise ValueError("C holds NaN or infinity")
    return C.expand(batch, *C.shape[-2:])


def _floating(dtype: torch.dtype) -> torch.dtype:
    return dtype if dtype.is_floating_point else torch.get_default_dtype()


def verify_robustness(
    network: Graph | nn.Module | str | Path,
    image: Float[Tensor, "..."],
    label: int,
    eps: float,
    config: VerifyConfig | None = None,
    *,
    clip: tuple[float, float] | None = (0.0, 1.0),
    progress: Callable[[float, int, int, float], None] | None = None,
) -> Result:
    """Whether every input within eps of an image, in the maximum norm, keeps its label.

    Args:
        network: A graph, a PyTorch module of one input (taken in evaluation mode), or an ONNX file.
        image: One input, in the shape that the network takes, without its batch.
        label: The class that it is to keep.
        eps: The radius, in units of the input.
        config: How to verify.
        clip: Smallest and largest value of an input, or `None` for no limits.
        progress: Told seconds, branches visited, branches open, and the least margin.

    Returns:
        `unsat` if it is robust; `sat` with a counterexample if not.

    Raises:
        NetworkError: if the network cannot be read, or does not fit the image.
        SpecificationError: if the label is no output, or eps is negative.
    """
    verifier, n_classes = _verifier(network, image, config or VerifyConfig())
    return verifier.verify(make_robustness(image, label, eps, n_classes, clip), progress)


def certified_radius(
    network: Graph | nn.Module | str | Path,
    image: Float[Tensor, "..."],
    label: int,
    max_eps: float,
    steps: int = 8,
    config: VerifyConfig | None = None,
    *,
    clip: tuple[float, float] | None = (0.0, 1.0),
) -> float:
    """The largest radius within which an image is proven to keep its label, by bisection with `verify_robustness`.

    Args:
        network: A graph, a PyTorch module of one input (taken in evaluation mode), or an ONNX file.
        image: One input, in the shape that the network takes, without its batch.
        label: The class that it is to keep.
        max_eps: The largest radius of interest.
        steps: Verifications after that of `max_eps`; each halves what is left.
        config: How to verify each.
        clip: Smallest and largest value of an input, or `None` for no limits.

    Returns:
        The radius; `max_eps` if that is proven, and 0 if none is, as where the image has another label.

    Raises:
        ValueError: if `max_eps` is not more than 0, or `steps` is negative.
    """
    if not 0 < max_eps < float("inf"):
        raise ValueError(f"the largest radius must be more than 0, not {max_eps}")
    if steps < 0:
        raise ValueError(f"the number of steps must not be negative, but it is {steps}")
    verifier, n_classes = _verifier(network, image, config or VerifyConfig())

    def proven(eps: float) -> bool:
        return verifier.verify(make_robustness(image, label, eps, n_classes, clip)).status == "unsat"

    if proven(max_eps):
        return max_eps
    low, high = 0.0, max_eps
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if proven(middle) else (low, middle)
    return low


def _verifier(network: Graph | nn.Module | str | Path, image: Tensor, config: VerifyConfig) -> tuple[Verifier, int]:
    """A verifier, and how many outputs the network has."""
    if not bool(image.isfinite().all()):
        raise ValueError("the image holds NaN or infinity")
    graph, given, name = load_network(network, image.unsqueeze(0))
    if image.numel() != graph.n_inputs:
        raise NetworkError(
            f"the image has {image.numel()} numbers, but the network takes {graph.n_inputs}, {list(graph.input_shape)}"
        )
    if graph.n_outputs < 2:
        raise NetworkError("a network that gives labels has at least 2 outputs, but this one has 1")
    return Verifier(graph, config, Oracle(given, name, graph)), graph.n_outputs
