"""Solving one problem with SCIP, whoever branches."""

import ctypes
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revibranch.configs import ScipConfig
from revibranch.scip import models
from separata import files
from separata.output import finite

from . import policies

if TYPE_CHECKING:
    from pyscipopt import Model

    from .branching import BranchingPlugin

SOLVED = ("optimal", "infeasible")
"""What SCIP says of a problem that it has solved to the end."""
UNBOUNDED = ("unbounded", "inforunbd")
"""What SCIP says of a problem that has no best solution, even if it has solutions."""
IN_WORDS = {
    "inforunbd": "infeasible or unbounded",
    "timelimit": "time limit reached",
    "nodelimit": "node limit reached",
    "memlimit": "memory limit reached",
    "userinterrupt": "interrupted",
}
DEFAULT = ScipConfig()


@dataclass(frozen=True)
class SolveResult:
    """How a problem was solved.

    Args:
        status: What SCIP says: optimal, infeasible, timelimit, ...
        objective: Value of the best solution; None without one, as of an unbounded problem.
        dual_bound: Bound on the optimum; infinite where none is known, None of an unbounded problem.
        gap: SCIP's relative gap of the two; infinite where none is known, None of an unbounded problem.
        n_nodes: Nodes of the search tree.
        n_lp_iterations: Iterations of all linear programs.
        n_branchings: How often the rule branched; None where SCIP's own did.
        seconds: Seconds of SCIP, of presolving, too.
        seconds_in_rule: Those in which the rule chose, its observations included; 0 where SCIP's own did.
        solution: Values of the variables in the best solution; None without one.
    """

    status: str
    objective: float | None
    dual_bound: float | None
    gap: float | None
    n_nodes: int
    n_lp_iterations: int
    n_branchings: int | None
    seconds: float
    seconds_in_rule: float
    solution: dict[str, float] | None = field(repr=False, default=None)

    @property
    def solved(self) -> bool:
        """Whether SCIP found the optimum, or that there is no solution."""
        return self.status in SOLVED

    def to_json(self) -> dict[str, Any]:
        """For JSON; what is infinite is null."""
        return {**asdict(self), **finite_bounds(self.dual_bound, self.gap), "solved": self.solved}

    def summary(self) -> str:
        """For people."""
        missing = "no best solution" if self.status in UNBOUNDED else "no solution"
        found = missing if self.objective is None else f"objective {self.objective:.9g}"
        if not self.solved and self.objective is not None:
            has_gap = self.gap is not None and self.gap < float("inf")
            found += f" (gap {self.gap:.2%})" if has_gap else " (no bound yet)"
        branched = "" if self.n_branchings is None else f"; {self.n_branchings:,} branchings"
        within = f", {self.seconds_in_rule:.2f} s in the rule" if self.n_branchings is not None else ""
        return (
            f"{IN_WORDS.get(self.status, self.status)}: {found}\n{self.n_nodes:,} nodes, {self.n_lp_iterations:,} LP "
            f"iterations{branched}; {self.seconds:.2f} s{within}"
        )

    def write_solution(self, path: Path) -> None:
        """Write the best solution as .sol, as SCIP reads it: variables that are not 0, by name.

        Raises:
            ValueError: if there is none.
            OSError: if the file cannot be written.
        """
        if self.solution is None or self.objective is None:
            raise ValueError(f"there is no solution to write to {path}: {IN_WORDS.get(self.status, self.status)}")
        lines = [f"{name} {value!r}" for name, value in self.solution.items() if value]
        head = [f"solution status: {self.status}", f"objective value: {self.objective!r}"]
        files.write_text(path, "\n".join([*head, *lines]) + "\n")


def finite_bounds(dual_bound: float | None, gap: float | None) -> dict[str, float | None]:
    """A bound and a gap for JSON: None where they are infinite."""
    return {
        "dual_bound": None if dual_bound is None else finite(dual_bound),
        "gap": None if gap is None else finite(gap),
    }


class SolveInterrupted(KeyboardInterrupt):
    """Ctrl-C while SCIP was solving.

    Args:
        result: What was found until then.
    """

    def __init__(self, result: SolveResult) -> None:
        super().__init__("interrupted while SCIP was solving")
        self.result = result


def solve(instance: Any, rule: Any = "scip", config: ScipConfig = DEFAULT) -> SolveResult:  # noqa: ANN401
    """Solve a problem with SCIP, a rule choosing the variables to branch on.

    Args:
        instance: Path of a problem, or a problem with a method `to_scip()`.
        rule: Name of a rule, path of a policy (see `policies.make_rule`), or a rule.
        config: How SCIP solves, whoever branches.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read or has nothing to branch on, or there is no such policy.
        SolveInterrupted: after Ctrl-C, with what was found.
        Exception: what the rule raises.
    """
    chooser = policies.make_rule(str(rule), config.seed) if isinstance(rule, str | Path) else rule
    model = models.make_scip_model(instance, config)
    try:
        plugin = _install(model, rule if chooser is None else chooser)
        with _talk_on_stderr():
            model.optimize()
        if plugin is not None:
            plugin.check()
        result = _result(model, plugin)
    finally:
        # The plugin and the model refer to each other.
        model.free()
    if result.status == "userinterrupt":
        raise SolveInterrupted(result)
    return result


def _install(model: "Model", rule: Any) -> "BranchingPlugin | None":  # noqa: ANN401 - a rule, or the name of SCIP's
    """Let a rule branch; nothing is imported for SCIP by itself, since PyTorch takes seconds to load."""
    if rule == "scip":
        return None
    if isinstance(rule, str):
        from revibranch.scip.rules import set_built_in

        set_built_in(model, rule)
        return None
    from .branching import install_rule

    return install_rule(model, rule)


def _result(model: "Model", plugin: "BranchingPlugin | None") -> SolveResult:
    status = model.getStatus()
    # Of an unbounded problem, SCIP has a solution and an infinite objective that do not belong together.
    is_unbounded = status in UNBOUNDED
    best = model.getBestSol() if model.getNSols() and not is_unbounded else None
    return SolveResult(
        status=status,
        objective=None if best is None else model.getSolObjVal(best),
        dual_bound=None if is_unbounded else _or_infinite(model, model.getDualbound()),
        gap=None if is_unbounded else _or_infinite(model, model.getGap()),
        n_nodes=model.getNTotalNodes(),
        n_lp_iterations=model.getNLPIterations(),
        n_branchings=None if plugin is None else len(plugin.branchings),
        seconds=model.getSolvingTime(),
        seconds_in_rule=0.0 if plugin is None else plugin.seconds,
        solution=None if best is None else {one.name: float(best[one]) for one in model.getVars()},
    )


def _or_infinite(model: "Model", value: float) -> float:
    """A number of SCIP's, for which some large number is infinity."""
    return float(value) if abs(value) < model.infinity() else math.copysign(math.inf, value)


@contextmanager
def _talk_on_stderr() -> Iterator[None]:
    """What SCIP's library prints by itself, such as after Ctrl-C, does not get among a command's results."""
    library = ctypes.CDLL(None)
    library.fflush(None)
    saved = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        library.fflush(None)
        os.dup2(saved, 1)
        os.close(saved)
