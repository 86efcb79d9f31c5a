"""Bounds at the root: plain (IBP, CROWN), and with optimised planes (alpha-CROWN) of the output and of all layers."""

import time
from dataclasses import replace

import torch
from torch import Tensor

from bab_verify.configs import OptimizationConfig, VerifyConfig
from bab_verify.intervals import Interval

from .optimization import Optimized, Parameters, optimize, refine
from .problem import Problem
from .proof import Proof
from .propagation import Bounds, Propagator
from .rounding import interval_margins, margin_slack, outward, slack_in

CHEAP = 0.02
"""Of the time for a property, what a pass of refinement may have taken for a longer one to follow."""
UNLIKELY = 10
"""How many times a margin bounds on rounding may be, where rounding itself is still taken to be smaller than that."""
SHARE = 0.6
"""Of the time for a property, after which refinement ends."""


class Root:
    """What is known of a problem, and which of its clauses are open.

    Args:
        problem: In double precision.
        config: How.
        deadline: On `time.monotonic`.
    """

    def __init__(self, problem: Problem, config: VerifyConfig, deadline: float = float("inf")) -> None:
        self.problem, self.config, self.deadline = problem, config, deadline
        self.bounds, self.margins, slack = plain_bounds(problem, config.bounds)
        """Bounds of nodes, (1, *shape), and the lower bounds of all clauses that there were, (all clauses,)."""
        self.proof = Proof()
        self.clauses = torch.arange(len(self.margins), device=self.margins.device)
        """Which of them the problem still has."""
        self._drop(slack)

    def __len__(self) -> int:
        return len(self.clauses)

    def focus(self) -> None:
        """Leave what the open clauses do not depend on; bounds are plain ones again if there is such a part."""
        if not len(self):
            return
        pruned = self.problem.pruned()
        if pruned is not self.problem:
            self.problem = pruned
            self.bounds, margins, slack = plain_bounds(pruned, self.config.bounds)
            self._improve(margins, slack)

    def optimize(self) -> None:
        """alpha-CROWN: first with given bounds of layers, then with layers optimised in turn, then for longer."""
        self._optimize_clauses()
        started = self.deadline - self.config.timeout
        for steps in (max(1, self.config.root.steps // 3), 2 * self.config.root.steps):
            begun = time.monotonic()
            self.focus()
            if not len(self) or begun > started + SHARE * self.config.timeout:
                return
            dtype = self.dtype()
            config = replace(self.config.root, steps=steps)
            share = started + SHARE * self.config.timeout
            if self.config.dtype == "float32":
                problem, bounds = self.rounded(dtype)
                bounds = refine(Propagator(problem.graph), problem.box, bounds, config, share)
                self.bounds = {i: outward(x, self.problem.c.dtype) for i, x in bounds.items()}
            else:
                rough = None if dtype == self.problem.c.dtype else Propagator(self.problem.to(dtype).graph)
                exact = Propagator(self.problem.graph)
                self.bounds = refine(exact, self.problem.box, self.bounds, config, share, rough)
            self._optimize_clauses()
            if time.monotonic() - begun > CHEAP * self.config.timeout:
                return

    def dtype(self) -> torch.dtype:
        """In what branches are bounded: single precision, unless its rounding would matter for the open clauses.

        What single precision leaves open is bounded in double precision, so this decides about time alone; and rounding
        adds far less than it may.
        """
        if self.config.dtype != "auto":
            return getattr(torch, self.config.dtype)
        propagator = Propagator(self.problem.graph)
        planes = propagator.planes(self.bounds)
        c = self.problem.c.reshape(1, -1, *self.problem.graph.output_shape)
        linear = propagator.backward(len(self.problem.graph.nodes) - 1, c, planes)
        d = self.problem.d.reshape(1, -1)
        coarse = slack_in(torch.float32, linear, self.problem.box, d)
        margins = self.margins[self.clauses].abs().repeat_interleave(self.problem.d.shape[1])
        return torch.float64 if bool((coarse > UNLIKELY * margins).any()) else torch.float32

    def rounded(self, dtype: torch.dtype) -> tuple[Problem, Bounds]:
        """The problem of the open clauses and its bounds in other numbers, rounded outward."""
        return self.problem.to(dtype), {i: outward(x, dtype) for i, x in self.bounds.items()}

    def _optimize_clauses(self) -> None:
        dtype = self.dtype()
        mixed = self.config.dtype == "auto" and dtype != self.problem.c.dtype
        problem, bounds = self.rounded(dtype)
        found = self._optimized(problem, bounds, self.config.root, rough=mixed)
        if mixed:
            planes = {i: x.to(self.problem.c.dtype) for i, x in found.parameters.items()}
            found = self._optimized(self.problem, self.bounds, replace(self.config.root, steps=0), planes)
        self._improve(*_of_clauses(found.margins, found.slack, problem.d))

    def _optimized(
        self,
        problem: Problem,
        bounds: Bounds,
        config: OptimizationConfig,
        parameters: Parameters | None = None,
        rough: bool = False,
    ) -> Optimized:
        return optimize(
            Propagator(problem.graph),
            problem.box,
            bounds,
            problem.c.reshape(1, -1, problem.c.shape[-1]),
            problem.d.reshape(1, -1),
            config,
            parameters=parameters,
            deadline=self.deadline,
            rough=rough,
        )

    def _improve(self, margins: Tensor, slack: Tensor) -> None:
        """Take in lower bounds of the open clauses, and what was taken off them for rounding."""
        self.margins[self.clauses] = torch.maximum(self.margins[self.clauses], margins.to(self.margins))
        self._drop(slack)

    def _drop(self, slack: Tensor) -> None:
        is_open = ~(self.margins[self.clauses] > 0)
        self.proof.add(self.margins[self.clauses][~is_open], slack[~is_open])
        still = is_open.nonzero().squeeze(1)
        self.clauses, self.problem = self.clauses[still], self.problem.only(still)


def plain_bounds(problem: Problem, kind: str) -> tuple[Bounds, Tensor, Tensor]:
    """Bounds of all nodes, and lower bounds of the clauses (clauses,), without optimisation.

    The last is what was taken off these for rounding; interval arithmetic is rounded outward at every step instead.

    Args:
        problem: What is to be bounded.
        kind: `ibp` for interval arithmetic alone, else CROWN.
    """
    propagator = Propagator(problem.graph)
    if kind == "ibp":
        bounds = propagator.intervals(problem.box)
        output = bounds[len(problem.graph.nodes) - 1]
        y = Interval(*(x.flatten(1) for x in output))
        margins = interval_margins(problem.c.flatten(0, 1)[None], y, problem.d.flatten())
        return bounds, *_of_clauses(margins, torch.zeros_like(margins), problem.d)
    bounds, planes = propagator.crown(problem.box)
    c = problem.c.reshape(1, -1, *problem.graph.output_shape)
    linear = propagator.backward(len(problem.graph.nodes) - 1, c, planes)
    d = problem.d.reshape(1, -1)
    slack = margin_slack(linear, problem.box, d)
    return bounds, *_of_clauses(linear.minimum(problem.box) - d - slack, slack, problem.d)


def _of_clauses(margins: Tensor, slack: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """Margins of clauses, of the best row of each, and what was taken off, from those of all rows, (1, rows)."""
    best = margins.reshape(d.shape).max(1)
    return best.values, slack.reshape(d.shape).gather(1, best.indices.unsqueeze(1)).squeeze(1)
