"""Problems into SCIP, and the settings with which it solves them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pyscipopt import SCIP_PARAMSETTING, Model

from revibranch.configs import ScipConfig

from .completeness import ENDINGS, check_complete

if TYPE_CHECKING:
    from .observation import BipartiteObservation, Observation

LINEAR = frozenset({"linear", "setppc", "logicor", "knapsack", "varbound"})
"""SCIP's constraint handlers of linear constraints."""


@runtime_checkable
class Problem(Protocol):
    """Anything that becomes a model of SCIP."""

    def to_scip(self) -> Model:
        """A new model of the problem."""
        ...


@dataclass(frozen=True)
class Focus:
    """The node that is to be branched on, and what it can be branched on.

    Attributes:
        model: The model that is being solved.
        candidates: Integer variables that are fractional in the solution of the LP, those of the highest priority.
        values: Their values in the LP's solution.
        fractions: The fractional parts of these values.
        number: SCIP's number of the node.
        depth: Its depth; 0 for the root.
        parent: Number of its nearest ancestor that the same rule branched on, or None.
        extractor: Makes the observation.
    """

    model: Model
    candidates: list[Any]
    values: list[float]
    fractions: list[float]
    number: int
    depth: int
    parent: int | None
    extractor: "BipartiteObservation"

    @cached_property
    def observation(self) -> "Observation":
        """The bipartite graph of the node; extracted when it is first asked for."""
        return self.extractor.extract(self.model)


def apply(model: Model, config: ScipConfig) -> None:
    """Set how SCIP solves.

    Presolving and the search are never restarted, so that each node has one number, and time is that of the wall.
    Cuts are separated at the root as SCIP does by default, whatever `separating_rounds` says of the nodes below.
    """
    model.setParams(
        {
            "timing/clocktype": 2,
            "limits/time": config.time_limit,
            "limits/nodes": config.node_limit,
            "randomization/randomseedshift": config.seed,
            "randomization/permutationseed": config.seed,
            "randomization/lpseed": config.seed,
            "presolving/maxrestarts": 0,
            "estimation/restarts/restartpolicy": "n",
            "separating/maxrounds": config.separating_rounds,
        }
    )
    if config.depth_first:
        model.setParams({"nodeselection/dfs/stdpriority": 666_666, "nodeselection/dfs/memsavepriority": 666_666})
    if not config.heuristics:
        model.setHeuristics(SCIP_PARAMSETTING.OFF)


def read_model(path: Path | str) -> Model:
    """Read a mixed-integer linear problem; the model is quiet.

    Args:
        path: File in one of the formats `.lp`, `.mps` and `.cip`, or compressed (`.lp.gz`, ...).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is cut off or damaged, SCIP cannot read it, it is not linear, or it has no integer variables.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if Path(path.name.removesuffix(".gz")).suffix.lower() not in ENDINGS:
        raise ValueError(f"{path} must end in {', '.join(ENDINGS)}, or one of these and .gz")
    check_complete(path)
    model = Model()
    model.hideOutput()
    try:
        with _silent_errors():
            model.readProblem(str(path))
    except OSError as error:
        raise ValueError(f"SCIP cannot read {path}: it is damaged, or not in the format of its ending") from error
    if model.getNVars() == 0:
        raise ValueError(f"SCIP finds no variables in {path}: it is empty, damaged, or not in the format of its ending")
    check_problem(model, str(path))
    return model


def check_problem(model: Model, name: str) -> None:
    """Refuse what has no linear relaxation to branch on.

    Args:
        model: The problem, not presolved yet.
        name: What to call it in the error.

    Raises:
        ValueError: if a constraint is not linear, or no variable is integer.
    """
    others = {constraint.getConshdlrName() for constraint in model.getConss(transformed=False)} - LINEAR
    if others:
        raise ValueError(f"{name} has constraints of type {', '.join(sorted(others))}; only linear ones are supported")
    if model.getNIntVars() + model.getNBinVars() == 0:
        raise ValueError(f"{name} has no integer variables: there is nothing to branch on")


def make_scip_model(instance: Any, config: ScipConfig) -> Model:  # noqa: ANN401
    """A new quiet model of an instance with its settings.

    Args:
        instance: A path, or a problem with a method `to_scip()`.
        config: How SCIP solves.

    Raises:
        FileNotFoundError: if the path leads to no file.
        ValueError: if the file is no mixed-integer linear problem.
        TypeError: if the instance is neither.
    """
    if isinstance(instance, str | Path):
        model = read_model(instance)
    elif hasattr(instance, "to_scip"):
        model = instance.to_scip()
        model.hideOutput()
    else:
        raise TypeError(f"an instance is a path or has a method to_scip(), unlike {type(instance).__name__}")
    apply(model, config)
    return model


@contextmanager
def _silent_errors() -> Iterator[None]:
    """Drop what SCIP's readers write to the standard error of the process: the caller raises one sentence instead."""
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
