"""Optimised bounds: alpha-CROWN (planes), beta-CROWN (multipliers of splits), GCP-CROWN (multipliers of cuts)."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bab_verify.configs import OptimizationConfig
from bab_verify.intervals import FEW, Interval, ordered
from bab_verify.operators.relaxation import Nonlinear, Relaxation
from bab_verify.operators.relu import Relu

from .adam import Adam
from .cuts import CutMatrix, cut_backward, cut_error
from .errors import Errors, Planes
from .linear_bound import LinearBound
from .propagation import Bounds, Propagator, Recording, Replacement
from .rounding import margin_slack, outward
from .splits import Splits

TOGETHER = 8
"""Times as many elements are optimised at once as are bounded at once: a step takes time however few they are."""
Parameters = dict[int, Tensor]
"""For each nonlinear node, the numbers in [0, 1] that choose its planes, (parameters, batch, rows, *shape)."""


@dataclass
class Optimized:
    """Bounds, and what gave them.

    Args:
        margins: Lower bounds of C f(x) - d, (batch, rows), the best of all steps, less what rounding may have added.
        slack: What that was at the last step, (batch, rows).
        parameters: The planes' parameters at the best step, row by row.
        beta: Multipliers of splits at the step where the best row was best, (batch, splits).
        cut_beta: Multipliers of cuts there, (batch, cuts).
        linear: The linear bound that they give.
        recording: Its coefficients.
    """

    margins: Tensor
    slack: Tensor
    parameters: Parameters
    beta: Tensor | None
    cut_beta: Tensor | None
    linear: LinearBound
    recording: Recording


def optimize(  # noqa: PLR0913 - each is a thing of its own
    propagator: Propagator,
    box: Interval,
    bounds: Bounds,
    c: Tensor,
    d: Tensor,
    config: OptimizationConfig,
    *,
    parameters: Mapping[int, Tensor] | None = None,
    splits: Splits | None = None,
    cuts: CutMatrix | None = None,
    cut_beta: Tensor | None = None,
    errors: Errors | None = None,
    start: int | None = None,
    deadline: float = float("inf"),
    target: float = 0.0,
    rough: bool = False,
) -> Optimized:
    """The best lower bounds of C f(x) - d over boxes, by choosing planes and multipliers; bounds of nodes are fixed.

    Where it starts from nothing, they are never below CROWN's, to the last digit.

    Args:
        propagator: Of the network.
        box: (batch, inputs).
        bounds: Of the nodes that relaxations need, (batch, *shape).
        c: C, (batch, rows, outputs).
        d: (batch, rows).
        config: How.
        parameters: To start from.
        splits: What is known of nodes by the branch, with multipliers to start from.
        cuts: Cutting planes.
        cut_beta: Their multipliers to start from, (batch, cuts).
        errors: What rounding may add at the nodes, for these bounds or wider ones, if that is known already.
        start: The node that C is of, by default the output.
        deadline: On `time.monotonic`, after which no step begins.
        target: Margins beyond it are good enough.
        rough: Whether the parameters alone matter, with which bounds are computed again in higher precision: then
            rounding does not count in the choice of the best step, nor against the target.
    """
    start = len(propagator.graph.nodes) - 1 if start is None else start
    on_the_way = [i for i in propagator.ancestors(start) if i in propagator.nonlinear]
    if errors is None:
        shape = propagator.graph.input_shape
        errors = propagator.errors({0: Interval(*(end.reshape(-1, *shape) for end in box)), **bounds})
    bound = _Bound(
        propagator,
        box,
        bounds,
        c.reshape(*c.shape[:2], *propagator.graph.nodes[start].shape),
        d,
        start,
        states={i: propagator.operator(i).prepare(propagator.inputs_of(i, bounds)) for i in on_the_way},
        chosen=_initial(propagator, on_the_way, bounds, parameters, c.shape[1]),
        splits=splits,
        beta=splits.beta.clone() if splits is not None and splits.depth else None,
        cuts=cuts,
        gamma=None if cuts is None else c.new_zeros(len(c), len(cuts)) if cut_beta is None else cut_beta.clone(),
        errors=errors,
    )
    best = bound.climb(config, deadline, target, rough)
    recording = Recording()
    with torch.no_grad():
        if parameters is None and splits is None and cuts is None:
            best = torch.maximum(best, bound.sound(*replace(bound, chosen={}).evaluate()))
        linear, margins = bound.evaluate(recording)
        best = torch.maximum(best, bound.sound(linear, margins))
        slack = margin_slack(linear, box, d)
    return Optimized(best, slack, bound.chosen, bound.beta, bound.gamma, linear, recording)


@dataclass
class _Bound:
    """A bound as a function of its variables: planes' parameters, and multipliers of splits and of cuts."""

    propagator: Propagator
    box: Interval
    bounds: Bounds
    coefficients: Tensor
    d: Tensor
    start: int
    states: dict[int, Any]
    chosen: Parameters
    splits: Splits | None
    beta: Tensor | None
    cuts: CutMatrix | None
    gamma: Tensor | None
    errors: Errors

    def __post_init__(self) -> None:
        graph = self.propagator.graph
        self.n_constants = len(graph.nodes) + self.propagator.rounding.n_parts + FEW
        self.inputs = {i: self.propagator.inputs_of(i, self.bounds) for i in self.states}
        self.fixed = {i: self._relaxed(i).error for i in self.states if isinstance(self._operator(i), Relu)}
        """What rounding may add at ReLUs, which does not depend on their planes."""
        self.split_errors = self.cut_errors = self.d.new_zeros(1, 1)
        if self.splits is not None and self.beta is not None:
            self.split_errors = self.splits.rounding(self.bounds, self.errors, self.n_constants)
        if self.cuts is not None:
            self.cut_errors = self.cuts.rounding(self.n_constants)

    def _operator(self, index: int) -> Nonlinear:
        return self.propagator.operator(index)

    def _relaxed(self, index: int) -> Relaxation:
        planes = self._operator(index).planes(self.states[index], self.chosen.get(index))
        return self.propagator.rounding.of_planes(index, planes, self.inputs[index], self.errors)

    @property
    def multipliers(self) -> list[Tensor]:
        """Those that there are."""
        return [x for x in (self.beta, self.gamma) if x is not None]

    def variables(self, config: OptimizationConfig) -> list[tuple[Tensor, float]]:
        """The variables, each with its learning rate."""
        multipliers = ((self.beta, config.beta_lr), (self.gamma, config.cut_lr))
        planes = [(tensor, config.alpha_lr) for tensor in self.chosen.values()]
        return planes + [(tensor, lr) for tensor, lr in multipliers if tensor is not None]

    def evaluate(self, recording: Recording | None = None, rough: bool = False) -> tuple[LinearBound, Tensor]:
        """The linear bound, and the margins (batch, rows); if rough, without what rounding may add."""
        graph = self.propagator.graph
        planes = {
            i: self._operator(i).planes(state, self.chosen.get(i))._replace(error=None if rough else self.fixed[i])
            if rough or i in self.fixed
            else self._relaxed(i)
            for i, state in self.states.items()
        }
        added, replaced, extra, error = None, None, self.d.new_zeros(1, 1), self.d.new_zeros(1, 1)
        if self.splits is not None and self.beta is not None:
            added, extra = self.splits.multipliers(graph, self.beta)
            error = (self.beta.detach() * self.split_errors).sum(1, keepdim=True)
        if self.cuts is not None and self.gamma is not None:
            q = self.cuts.pull(graph, self.gamma)
            extra = extra - (self.gamma * self.cuts.limits).sum(1, keepdim=True)
            error = error + (self.gamma.detach() @ self.cut_errors).unsqueeze(1)
            replaced = {i: self._with_cut(i, planes[i].lower_slopes[0], q[i]) for i in q}
        linear = self.propagator.backward(
            self.start,
            self.coefficients,
            Planes(planes, Errors() if rough else self.errors),
            added=added,
            replaced=replaced,
            recording=recording,
        )
        linear.offset = linear.offset + extra
        linear.error = linear.error + error
        return linear, linear.minimum(self.box) - self.d

    def _with_cut(self, index: int, slope: Tensor, q: Tensor) -> Replacement:
        (x,), source = self.inputs[index], self.propagator.graph.nodes[index].inputs[0]
        error = cut_error(x, self.errors.nodes[source].unsqueeze(1), self.propagator.rounding.n_parts)
        return lambda a: cut_backward(a, x, slope, q.unsqueeze(1), error, self.n_constants)

    def sound(self, linear: LinearBound, margins: Tensor) -> Tensor:
        """Margins less what rounding may have added; minus infinity where they are no numbers."""
        safe = margins - margin_slack(linear, self.box, self.d)
        return safe.nan_to_num(nan=-torch.inf, posinf=-torch.inf, neginf=-torch.inf)

    def climb(self, config: OptimizationConfig, deadline: float, target: float, rough: bool) -> Tensor:
        """Optimise; the best margins (batch, rows), with the variables as they were there; none if they are rough."""
        rates = self.variables(config)
        variables = [tensor for tensor, _ in rates]
        best = self.d.new_full((len(self.box.lower), self.d.shape[1]), float("-inf"))
        if not variables or not config.steps or not best.numel():
            return best
        kept = [tensor.clone() for tensor in variables]
        adam = Adam(rates)
        stale = 0
        for step in range(config.steps):
            is_last = step == config.steps - 1
            for tensor in variables:
                tensor.requires_grad_(not is_last)
            with torch.set_grad_enabled(not is_last):
                linear, margins = self.evaluate(rough=rough)
                loss = -margins.sum()
            with torch.no_grad():
                now = margins.nan_to_num(nan=-torch.inf) if rough else self.sound(linear, margins)
                masks = self._masks(now > best, now.amax(1) > best.amax(1))
                kept = [torch.where(m, x.detach(), old) for m, x, old in zip(masks, variables, kept, strict=True)]
                gained = (now - best > 1e-4 * best.abs().clamp(min=1e-6)) & (best <= target)
                stale = 0 if bool(gained.any()) else stale + 1
                best = torch.maximum(best, now)
            if is_last or stale > config.patience or bool((best > target).all()) or time.monotonic() > deadline:
                break
            adam.step(torch.autograd.grad(loss, variables, allow_unused=True), config.decay**step)
            self._project()
        for tensor, last in zip(variables, kept, strict=True):
            tensor.requires_grad = False
            tensor.copy_(last)
        return torch.full_like(best, -torch.inf) if rough else best

    def _masks(self, gained: Tensor, better: Tensor) -> list[Tensor]:
        """For each variable, where it gave the best so far; multipliers follow the best row of a branch."""
        planes = [gained.reshape(1, *gained.shape, *[1] * (tensor.ndim - 3)) for tensor in self.chosen.values()]
        return planes + [better.unsqueeze(1) for _ in self.multipliers]

    @torch.no_grad()
    def _project(self) -> None:
        for tensor in self.chosen.values():
            tensor.clamp_(0, 1)
        for multiplier in self.multipliers:
            multiplier.clamp_(min=0)


def _initial(
    propagator: Propagator, nodes: list[int], bounds: Bounds, parameters: Mapping[int, Tensor] | None, rows: int
) -> Parameters:
    chosen: Parameters = {}
    for index in nodes:
        operator = propagator.operator(index)
        if not operator.n_parameters:
            continue
        if parameters is not None and index in parameters:
            given = parameters[index]
        else:
            given = operator.initial_parameters(propagator.inputs_of(index, bounds))
        shape = (given.shape[0], given.shape[1], rows, *given.shape[3:])
        chosen[index] = given.detach().expand(shape).clone()
    return chosen


def refine(
    propagator: Propagator,
    box: Interval,
    bounds: Bounds,
    config: OptimizationConfig,
    deadline: float = float("inf"),
    rough: Propagator | None = None,
) -> Bounds:
    """Tighter bounds of the nodes that relaxations need, each optimised in turn (alpha-CROWN of intermediate layers).

    Every element has planes of its own on the way down. A node is bounded with what was found for those before it.

    Args:
        propagator: Of the network.
        box: (batch, inputs).
        bounds: Of all nodes, from CROWN.
        config: How each is optimised.
        deadline: On `time.monotonic`; what is not reached keeps its bounds.
        rough: Of the network in lower precision, in which to look for the planes that bounds are then computed with.
    """
    found, errors = dict(bounds), Errors()
    last = propagator.needed[-1] if propagator.needed else 0
    propagator.rounding.account(0, found, errors)
    for index in range(1, last + 1):
        known = propagator.interval(index, found)
        found[index] = known.intersect(found[index]) if index in found else known
        propagator.rounding.account(index, found, errors)
        if index not in propagator.optimized or time.monotonic() > deadline:
            continue
        lower, upper = (x.flatten(1).clone() for x in found[index])
        rows = propagator.undecided(index, lower, upper)
        if not rows.shape[1]:
            continue
        batch = len(lower)
        low = None if rough is None else _Low(rough, box, found, errors)
        for part in rows.split(TOGETHER * propagator.chunk(index, batch), 1):
            unit = lower.new_zeros(batch, part.shape[1], lower.shape[1]).scatter_(2, part.unsqueeze(2), 1)
            both = torch.cat([unit, -unit], 1)
            zero = lower.new_zeros(batch, both.shape[1])
            limits = partial(optimize, start=index, deadline=deadline, target=float("inf"))
            parameters, final = None, config
            if low is not None:
                parameters, final = low.parameters(limits, both, zero, config), replace(config, steps=0)
            best = limits(propagator, box, found, both, zero, final, errors=errors, parameters=parameters).margins
            below, above = best[:, : part.shape[1]], -best[:, part.shape[1] :]
            lower.scatter_(1, part, torch.maximum(lower.gather(1, part), below))
            upper.scatter_(1, part, torch.minimum(upper.gather(1, part), above))
        found[index] = ordered(lower, upper, propagator.graph.nodes[index].shape)
    return found


class _Low:
    """A problem in lower precision, in which planes are looked for.

    Args:
        propagator: Of the network, in lower precision.
        box: (batch, inputs).
        bounds: Of the nodes.
        errors: What rounding may add in higher precision; here it does not matter.
    """

    def __init__(self, propagator: Propagator, box: Interval, bounds: Bounds, errors: Errors) -> None:
        self.propagator, self.dtype = propagator, propagator.graph.example().dtype
        self.box = outward(box, self.dtype)
        self.bounds = {i: outward(x, self.dtype) for i, x in bounds.items() if i in propagator.needed}
        nodes = {i: x.to(self.dtype) for i, x in errors.nodes.items()}
        self.errors = Errors(nodes, errors.floor.to(self.dtype))

    def parameters(
        self, method: Callable[..., Optimized], c: Tensor, d: Tensor, config: OptimizationConfig
    ) -> Parameters:
        """The best planes by a method of optimisation, in the precision of C."""
        ends = (c.to(self.dtype), d.to(self.dtype))
        found = method(self.propagator, self.box, self.bounds, *ends, config, errors=self.errors, rough=True)
        return {i: x.to(c.dtype) for i, x in found.parameters.items()}
