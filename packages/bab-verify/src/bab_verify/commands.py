"""What the commands do: verify, attack, bound, and describe."""

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from separata import files
from separata.progress import SECONDS_BETWEEN_LINES, Reporter

from . import convex, gelu, periodic, product, s_shaped
from .api import compute_bounds
from .attack import pgd_attack
from .branching_points import branching_table
from .counterexamples import Counterexample, Oracle, write_counterexample
from .graph import Graph, Interval
from .onnx_front_end import graph_from_model, load_onnx, read_model
from .propagation import Propagator
from .property_files import load_vnnlib
from .relaxation import Nonlinear
from .results import Result
from .settings import VerifyConfig
from .specification import Query, Specification
from .verifier import Verifier

EXIT_CODES = {"unsat": 0, "sat": 10, "unknown": 20}
OPERATIONS: dict[str, Callable[[], Nonlinear]] = {
    "sigmoid": s_shaped.Sigmoid,
    "tanh": s_shaped.Tanh,
    "erf": s_shaped.Erf,
    "sin": periodic.Sin,
    "gelu": gelu.Gelu,
    "gelu-tanh": gelu.TanhGelu,
    "exp": convex.Exp,
    "square": convex.Square,
    "reciprocal": convex.Reciprocal,
    "log": convex.Log,
    "sqrt": convex.Sqrt,
    "mul": product.Product,
}
"""Operations that a table may be built for."""


@dataclass(frozen=True)
class Shown:
    """Something to show to a person, as text, or to a program, as JSON.

    Args:
        value: What JSON can hold.
        text: The same as text.
        code: Exit code of the command.
    """

    value: dict[str, Any]
    text: str
    code: int = 0

    def show(self, *, as_json: bool) -> None:
        """Print it, and leave with the exit code if it is not 0."""
        print(json.dumps(self.value, indent=2, allow_nan=False) if as_json else self.text, flush=True)  # noqa: T201
        if self.code:
            raise SystemExit(self.code)


Progress = Callable[[float, int, int, float], None]


@contextmanager
def watching(reporter: Reporter) -> Iterator[Progress]:
    """What tells on standard error how a verification goes: a line that changes on a terminal, some lines elsewhere."""
    if not reporter.console.is_terminal:
        yield telling(reporter)
        return
    with reporter.console.status("") as status:
        yield lambda *state: status.update(_state(*state))


def telling(reporter: Reporter) -> Progress:
    """What prints a line now and then."""
    last = 0.0

    def tell(seconds: float, visited: int, open_branches: int, margin: float) -> None:
        nonlocal last
        if seconds - last >= SECONDS_BETWEEN_LINES:
            last = seconds
            reporter.say(_state(seconds, visited, open_branches, margin))

    return tell


def _state(seconds: float, visited: int, open_branches: int, margin: float) -> str:
    return f"{seconds:.0f} s: {visited} branches, {open_branches} open, least margin {margin:.4g}"


def check_device(name: str) -> torch.device:
    """The device of a name: `auto` is a GPU if there is one.

    Raises:
        ValueError: if there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"the device must be auto, cpu or cuda, not '{name}'") from None
    if device.type not in {"cpu", "cuda"}:
        raise ValueError(f"the device must be auto, cpu or cuda, not '{name}'")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"the device {name} was asked for, but PyTorch finds no such GPU here; use --device cpu")
    return device


def check_file(path: Path | None) -> None:
    """Raise if a file could not be written."""
    if path is None:
        return
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file to write")
    files.make_writable(path.parent)


def load_network(path: Path, config: VerifyConfig) -> Verifier:
    """A verifier of an ONNX file."""
    check_device(config.device)
    return Verifier(path, config)


def verify(network: Path, prop: Path, config: VerifyConfig, save: Path | None) -> Shown:
    """Prove or refute a property, and keep the counterexample if that is asked for."""
    verifier = load_network(network, config)
    specification = load_vnnlib(prop, verifier.graph.n_inputs, verifier.graph.n_outputs)
    check_file(save)
    reporter = Reporter()
    with watching(reporter) as tell:
        result = verifier.verify(specification, tell)
    return _verdict(result, save, reporter)


def _verdict(result: Result, save: Path | None, reporter: Reporter) -> Shown:
    """A result, as it is shown; its counterexample goes to a file if there is one."""
    text = result.status
    if result.counterexample is not None:
        text += "\n" + write_counterexample(result.counterexample.x, result.counterexample.y, save)
    value = {
        "status": result.status,
        "reason": result.reason,
        "seconds": result.seconds,
        "visited": result.visited,
        "cuts": result.cuts,
        "lower_bounds": [[finite(bound) for bound in bounds] for bounds in result.lower_bounds],
        "counterexample": shown_counterexample(result.counterexample),
    }
    reporter.say(
        f"{result.status} by {result.reason or 'bounds'} after {result.seconds:.1f} s: {result.visited} branches, "
        f"{result.cuts} cuts"
        if result.status != "unknown"
        else f"unknown ({result.reason}) after {result.seconds:.1f} s: {result.visited} branches, {result.cuts} cuts"
    )
    return Shown(value, text, EXIT_CODES[result.status])


def finite(value: float) -> float | None:
    """A number that JSON can hold."""
    return value if math.isfinite(value) else None


def shown_counterexample(found: Counterexample | None) -> dict[str, Any] | None:
    """A counterexample as JSON."""
    if found is None:
        return None
    return {"x": found.x.tolist(), "y": found.y.tolist(), "violation": finite(found.violation)}


@dataclass(frozen=True)
class Attack:
    """How long and from where to attack.

    Args:
        restarts: Random starts.
        steps: Gradient steps from each.
        timeout: Seconds.
        seed: Of the starts.
    """

    restarts: int
    steps: int
    timeout: float
    seed: int

    def __post_init__(self) -> None:
        if self.restarts < 1 or self.steps < 1:
            raise ValueError(f"restarts and steps must be at least 1, not {self.restarts} and {self.steps}")
        if self.seed < 0:
            raise ValueError(f"the seed must not be negative, but it is {self.seed}")
        if not self.timeout > 0:
            raise ValueError(f"the timeout must be more than 0 seconds, not {self.timeout}")


def attack(network: Path, prop: Path, settings: Attack, device: str, save: Path | None) -> Shown:
    """Look for a counterexample, and keep it if that is asked for."""
    started = time.monotonic()
    place = check_device(device)
    graph = load_onnx(network).to(place)
    oracle = Oracle(network)
    specification = load_vnnlib(prop, graph.n_inputs, graph.n_outputs)
    check_file(save)
    generator = torch.Generator().manual_seed(settings.seed)
    found: list[Counterexample] = []

    def confirm(x: Tensor) -> bool:
        confirmed = oracle.confirm(specification, x)
        found.extend([confirmed] if confirmed is not None else [])
        return bool(found)

    for number, query in enumerate(specification.queries):
        left = settings.timeout - (time.monotonic() - started)
        share = left / (len(specification.queries) - number)
        pgd_attack(graph, query, settings.restarts, settings.steps, generator, confirm=confirm, budget=share)
        if found:
            break
    status, reason = ("sat", "attack") if found else ("unknown", "no counterexample found")
    seconds = time.monotonic() - started
    return _verdict(Result(status, reason, found[0] if found else None, seconds=seconds), save, Reporter())


@dataclass(frozen=True)
class Region:
    """A box around a point, or between two corners.

    Args:
        center: File of the point, .npy.
        eps: Largest distance from it in each input.
        lower: File of smallest inputs.
        upper: File of largest inputs.
    """

    center: Path | None
    eps: float | None
    lower: Path | None
    upper: Path | None

    def box(self, graph: Graph) -> Interval:
        """The box, (1, inputs)."""
        given = tuple(x is not None for x in (self.center, self.eps, self.lower, self.upper))
        if given == (True, True, False, False):
            assert self.center is not None and self.eps is not None  # noqa: S101, PT018 - for the type checker
            if not 0 <= self.eps < math.inf:
                raise ValueError(f"eps must be a number that is not negative, not {self.eps}")
            centre = read_array(self.center, graph)
            return Interval(centre - self.eps, centre + self.eps)
        if given != (False, False, True, True):
            raise ValueError("give a box, with --center and --eps, or with --lower and --upper")
        assert self.lower is not None and self.upper is not None  # noqa: S101, PT018 - for the type checker
        return Interval(read_array(self.lower, graph), read_array(self.upper, graph))


def read_array(path: Path, graph: Graph) -> Tensor:
    """An input of a network from an .npy file, (1, inputs), in float64.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is something else, or does not fit the network.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError):
        raise ValueError(f"{path}: not an .npy file of numbers") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise ValueError(f"{path}: not an .npy file of numbers")
    wanted = graph.input_shape
    fits = array.ndim == 1 or [n for n in array.shape if n != 1] == [n for n in wanted if n != 1]
    if array.size != graph.n_inputs or not fits:
        raise ValueError(f"{path}: its shape is {list(array.shape)}, but the network takes {list(wanted)}")
    values = torch.from_numpy(array.reshape(1, -1).astype(np.float64))
    if not bool(values.isfinite().all()):
        raise ValueError(f"{path}: it holds NaN or infinity")
    return values


def bounds(network: Path, region: Region, method: str, device: str, out: Path | None) -> Shown:
    """Bounds of the outputs over a box."""
    place = check_device(device)
    graph = load_onnx(network, torch.float64)
    box = region.box(graph)
    check_file(out)
    found = compute_bounds(graph, box.lower.to(place), box.upper.to(place), method=method)
    lower, upper = (x[0].cpu() for x in found)
    if out is not None:
        with files.replacing(out) as part, part.open("wb") as stream:
            arrays = {"lower": lower, "upper": upper, "x_lower": box.lower[0], "x_upper": box.upper[0]}
            np.savez(stream, allow_pickle=False, **{name: x.numpy() for name, x in arrays.items()})
    pairs = list(zip(lower.tolist(), upper.tolist(), strict=True))
    rows = [f"{f'Y_{j}':<8}{low:>14.6g}{high:>14.6g}" for j, (low, high) in enumerate(pairs)]
    value = {
        "method": method,
        "lower": [finite(low) for low, _ in pairs],
        "upper": [finite(high) for _, high in pairs],
    }
    return Shown(value, "\n".join([f"{'output':<8}{'lower':>14}{'upper':>14}", *rows]))


def info(network: Path, prop: Path | None) -> Shown:
    """What a network is made of, and what a property asks of it."""
    model = read_model(network)
    graph = graph_from_model(model, str(network), torch.float64)
    operators = Counter(node.op_type for node in model.graph.node)
    neurons: Counter[str] = Counter()
    for node in graph.nodes:
        if isinstance(node.operator, Nonlinear):
            neurons[type(node.operator).__name__] += node.size
    numbers = [x.numel() for x in graph.state_dict().values() if x.is_floating_point()]
    value: dict[str, Any] = {
        "input_shape": list(graph.input_shape),
        "output_shape": list(graph.output_shape),
        "operators": dict(sorted(operators.items())),
        "parameters": sum(numbers),
        "nonlinear": dict(sorted(neurons.items())),
    }
    lines = [
        f"input       {list(graph.input_shape)}",
        f"output      {list(graph.output_shape)}",
        f"operators   {_counted(operators)}",
        f"parameters  {sum(numbers)}",
        f"nonlinear   {_counted(neurons)}",
    ]
    if prop is not None:
        described = describe(graph, load_vnnlib(prop, graph.n_inputs, graph.n_outputs))
        value["property"] = described
        lines += [
            f"boxes       {described['boxes']}",
            f"clauses     {described['clauses']}, of {described['rows']} rows",
            f"free inputs {described['free_inputs']} of {graph.n_inputs}",
            f"unstable    {_counted(described['unstable'])}",
        ]
    return Shown(value, "\n".join(lines))


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(counts.items())) or "none"


def describe(graph: Graph, specification: Specification) -> dict[str, Any]:
    """How large a property is; of several boxes, the one with the most free inputs and unstable neurons."""
    queries = specification.queries
    clauses = [clause for query in queries for clause in query.clauses]
    reporter = Reporter()
    found = [unstable(graph, query) for query in reporter.track(queries, "boxes")]
    return {
        "boxes": len(queries),
        "clauses": len(clauses),
        "rows": sum(len(clause.d) for clause in clauses),
        "free_inputs": max(int((query.upper > query.lower).sum()) for query in queries),
        "unstable": max(found, key=lambda counts: sum(counts.values())),
    }


def unstable(graph: Graph, query: Query) -> dict[str, int]:
    """How many elements of each kind of operation are worth splitting, under bounds by CROWN."""
    propagator = Propagator(graph)
    with torch.no_grad():
        known, _ = propagator.crown(Interval(query.lower[None], query.upper[None]))
    counts: Counter[str] = Counter()
    for index in propagator.nonlinear:
        operator, inputs = propagator.operator(index), propagator.inputs_of(index, known)
        masks = [operator.splittable(inputs, i) for i in range(operator.arity)]
        counts[type(operator).__name__] += int(torch.stack(masks).any(0).sum())
    return dict(sorted(counts.items()))


def tables(action: str, ops: str, step: float | None) -> Shown:
    """Build tables of branching points, each kept in the cache."""
    if action != "build":
        raise ValueError(f"tables can be built, not '{action}'")
    names = [name.strip() for name in ops.split(",")]
    for name in names:
        if name not in OPERATIONS:
            raise ValueError(f"there is no table for '{name}', but for {', '.join(OPERATIONS)}")
    if step is not None and not 0.01 <= step <= 1:
        raise ValueError(f"the step must be from 0.01 to 1, not {step}")
    rows, lines = [], []
    for name in Reporter().track(names, "tables"):
        operator = OPERATIONS[name]()
        for index in range(operator.arity):
            started = time.monotonic()
            table = branching_table([(operator, index)], step)
            seconds = time.monotonic() - started
            label = name if operator.arity == 1 else f"{name}, input {index}"
            size = list(table.fractions.shape)
            rows.append({"operation": name, "input": index, "size": size, "step": table.step, "seconds": seconds})
            lines.append(f"{label}: {' x '.join(map(str, size))} points, steps of {table.step:g}, {seconds:.1f} s")
    return Shown({"tables": rows}, "\n".join(lines))
