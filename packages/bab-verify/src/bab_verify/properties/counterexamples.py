"""Counterexamples: confirmed by ONNX Runtime, and their files."""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from jaxtyping import Float
from torch import Tensor

from bab_verify.frontends.onnx_files import read_model
from bab_verify.frontends.onnx_registry import NetworkError
from bab_verify.frontends.onnx_runtime import RUNTIME_ERRORS, session

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
    """The network of an ONNX file as ONNX Runtime computes it, on one thread of the CPU.

    Args:
        network: The file, the model, or its bytes.
        name: What messages call it; by default the file.

    Raises:
        NetworkError: if ONNX Runtime cannot run it.
    """

    def __init__(self, network: str | Path | bytes | onnx.ModelProto, name: str = "") -> None:
        model: onnx.ModelProto | bytes = read_model(network) if isinstance(network, str | Path) else network
        data = model if isinstance(model, bytes) else model.SerializeToString()
        name = name or (str(network) if isinstance(network, str | Path) else "network")
        try:
            self._session = session(data)
        except RUNTIME_ERRORS as error:
            raise NetworkError(f"{name}: ONNX Runtime cannot run it ({str(error).splitlines()[0]})") from None
        (self._input,) = self._session.get_inputs()
        self._shape = [n if isinstance(n, int) and n > 0 else 1 for n in self._input.shape]
        self.dtype = np.dtype(np.float64 if "double" in self._input.type else np.float32)
        """Type of the network's input."""

    def outputs(self, x: Float[Tensor, "inputs"]) -> Float[Tensor, "outputs"]:
        """The outputs at an input rounded to the type of the network, flattened, as float64."""
        array = x.detach().cpu().numpy().astype(self.dtype).reshape(self._shape)
        (y,) = self._session.run(None, {self._input.name: array})
        return torch.from_numpy(np.asarray(y, np.float64).reshape(-1).copy())

    def inside(self, query: Query, x: Float[Tensor, "inputs"]) -> Float[Tensor, "inputs"]:
        """The nearest point in a box whose coordinates the network can take.

        Where no float32 lies between the bounds of a coordinate, as when both are one decimal number, the float32
        nearest to the interval counts as in it.
        """
        wanted = x.detach().to("cpu", torch.float64).numpy()
        lower, upper = query.lower.numpy(), query.upper.numpy()
        one: Any = self.dtype.type
        point = np.clip(wanted, lower, upper).astype(self.dtype)
        point = np.where(point.astype(np.float64) > upper, np.nextafter(point, one(-np.inf)), point)
        point = np.where(point.astype(np.float64) < lower, np.nextafter(point, one(np.inf)), point)
        between = (point.astype(np.float64) >= lower) & (point.astype(np.float64) <= upper)
        point = np.where(between, point, ((lower + upper) / 2).astype(self.dtype))
        return torch.from_numpy(point.astype(np.float64))

    def confirm(self, specification: Specification, x: Float[Tensor, "inputs"]) -> Counterexample | None:
        """Check a candidate: the output of ONNX Runtime must satisfy a clause, without tolerance.

        Args:
            specification: What is unsafe.
            x: The candidate; it is moved into each box.

        Returns:
            The counterexample, its input as the network takes it, or `None` if it is none.
        """
        for query in specification.queries:
            point = self.inside(query, x)
            y = self.outputs(point)
            violation = min(clause.violation(y).item() for clause in query.clauses)
            if violation <= 0 and y.isfinite().all():
                return Counterexample(point, y, violation)
        return None


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
        path = Path(path)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
            stream.write(text + "\n")
        temporary = Path(stream.name)
        temporary.chmod(0o644)
        temporary.replace(path)
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
