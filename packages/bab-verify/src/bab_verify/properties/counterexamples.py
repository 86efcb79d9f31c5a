"""Counterexamples: confirmed by the network itself, and their files."""

import copy
import os
import re
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from jaxtyping import Float
from torch import Tensor, nn

from bab_verify.frontends.onnx_files import read_model
from bab_verify.frontends.onnx_import import graph_from_model
from bab_verify.frontends.runners import graph_runner, model_runner, module_runner
from bab_verify.graph import Graph
from separata import files

from .specification import Query, Specification

_ASSIGNMENT = re.compile(r"\(\s*([XY])_(\d+)\s+([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*\)")


@dataclass(frozen=True, eq=False)
class Counterexample:
    """An input with an unsafe output.

    Args:
        x: The input, flattened.
        y: The output of the network, flattened.
        violation: `Specification.violation` there: not positive.
    """

    x: Float[Tensor, "inputs"]
    y: Float[Tensor, "outputs"]
    violation: float


class Oracle:
    """What confirms counterexamples: the network in its own arithmetic.

    An ONNX file is run by ONNX Runtime, on one thread of the CPU; one in float64 with operators that ONNX Runtime has
    no implementation for (convolutions, say) is run as its graph, in double precision. A module is run by itself, in
    evaluation mode, in the type and on the device of its parameters. A graph is run in double precision.

    Args:
        network: The file, the model or its bytes; or a module or graph.
        name: What messages call it; by default the file.
        graph: The network as a graph in float64, on any device. It must be given for a module; for ONNX it is made when
            it is needed.

    Raises:
        NetworkError: if ONNX Runtime cannot run it.
        ValueError: if a module comes without its graph.
    """

    def __init__(
        self, network: str | Path | bytes | onnx.ModelProto | nn.Module, name: str = "", graph: Graph | None = None
    ) -> None:
        self._graph = graph
        if isinstance(network, Graph):
            self._graph = copy.deepcopy(network).double() if graph is None else graph
            self._runner = graph_runner(self._graph, network.example().dtype)
        elif isinstance(network, nn.Module):
            if graph is None:
                raise ValueError("an oracle of a module needs the graph of the module, too")
            self._runner = module_runner(network, graph.input_shape)
        else:
            self._name = name or (str(network) if isinstance(network, str | Path) else "network")
            self._model = read_model(network) if isinstance(network, str | Path) else network
            self._runner = model_runner(self._model, self._name, self._in_double)

    def _in_double(self) -> Graph:
        """The network as a graph in float64."""
        if self._graph is None:
            self._graph = graph_from_model(self._model, self._name, torch.float64)
        return self._graph

    @property
    def dtype(self) -> torch.dtype:
        """Type of the network's input."""
        return self._runner.dtype

    def outputs(self, x: Float[Tensor, "inputs"]) -> Float[Tensor, "outputs"]:
        """The outputs at an input rounded to the type of the network, flattened, as float64."""
        return self._runner.run(x)

    def inside(self, query: Query, x: Float[Tensor, "inputs"]) -> Float[Tensor, "inputs"]:
        """A point of a box next to a given one, within its bounds exactly, as float64.

        Its coordinates are numbers of the network's type wherever one lies between the bounds. Where none does, as when
        both are the decimal number 0.1 and the type is float32, the coordinate is a float64 between them.
        """
        lower, upper = query.lower, query.upper
        within = torch.minimum(torch.maximum(x.detach().to("cpu", torch.float64), lower), upper)
        rounded = within.to(self.dtype)
        infinity = torch.full_like(rounded, torch.inf)
        point = within
        # If neither the nearest number nor those next to it are between the bounds, none is.
        for number in (rounded.nextafter(-infinity), rounded.nextafter(infinity), rounded):
            value = number.to(torch.float64)
            point = torch.where((lower <= value) & (value <= upper), value, point)
        return point

    def confirm(self, specification: Specification, x: Float[Tensor, "inputs"]) -> Counterexample | None:
        """Check a candidate: the output of the network must satisfy a clause, in exact arithmetic, without tolerance.

        Where a coordinate of the input is no number of the network's type (see `inside`), the network takes it rounded,
        and the graph must have an unsafe output at the exact input, too, in double precision.

        Args:
            specification: What is unsafe.
            x: The candidate; it is moved into each box.

        Returns:
            The counterexample, its input within the bounds of the box as doubles, or `None` if it is none.
        """
        for query in specification.queries:
            point = self.inside(query, x)
            y = self.outputs(point)
            violation = _violation(query, y)
            if violation is None:
                continue
            taken = point.to(self.dtype).to(torch.float64)
            if torch.equal(taken, point) or self._unsafe_in_double(query, point):
                return Counterexample(point, y, violation)
        return None

    def _unsafe_in_double(self, query: Query, x: Tensor) -> bool:
        y = graph_runner(self._in_double(), torch.float64).run(x)
        return _violation(query, y) is not None


def _violation(query: Query, y: Tensor) -> float | None:
    """The least violation among the clauses that an output satisfies in exact arithmetic; `None` if there are none."""
    if not y.isfinite().all():
        return None
    found = [clause.violation(y).item() for clause in query.clauses if clause.holds(y)]
    # What is zero or less may be rounded to a little more.
    return min(0.0, *found) if found else None


def write_counterexample(
    x: Float[Tensor, "inputs"], y: Float[Tensor, "outputs"], path: str | os.PathLike[str] | None = None
) -> str:
    """A counterexample in the format of the competition: `((X_0 0.5)`, ..., `(Y_0 1.25))`, a value a line.

    Args:
        x: The input.
        y: The output.
        path: A file to write it to, if any; it is there only once it is complete.

    Returns:
        The text.
    """
    pairs = [*((f"X_{i}", v) for i, v in enumerate(x.tolist())), *((f"Y_{j}", v) for j, v in enumerate(y.tolist()))]
    text = "(" + "\n ".join(f"({name} {value!r})" for name, value in pairs) + ")"
    if path is not None:
        with files.replacing(Path(path)) as part:
            part.write_text(text + "\n")
    return text


def read_counterexample(path: str | os.PathLike[str]) -> tuple[Float[Tensor, "inputs"], Float[Tensor, "outputs"]]:
    """Read a counterexample in the format of the competition.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    text = path.read_text(errors="replace")
    values: dict[str, dict[int, float]] = {"X": {}, "Y": {}}
    for kind, index, value in _ASSIGNMENT.findall(text):
        values[kind][int(index)] = float(value)
    rest = _ASSIGNMENT.sub("", text).removeprefix("sat").split()
    complete = all(part and sorted(part) == list(range(len(part))) for part in values.values())
    if "".join(rest) not in {"()", ""} or not complete:
        raise ValueError(f"{path}: not a counterexample, which is a list of (X_i value) and (Y_j value)")
    x, y = (torch.tensor([part[i] for i in range(len(part))], dtype=torch.float64) for part in values.values())
    return x, y
