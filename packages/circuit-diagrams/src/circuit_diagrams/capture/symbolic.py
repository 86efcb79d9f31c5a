"""Sizes as polynomials: a module is traced at several sizes of its named axes, and what changes is fitted exactly."""

import functools
import itertools
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from circuit_diagrams.elements import Array
from circuit_diagrams.ir import Diagram
from circuit_diagrams.sizes import Polynomial, interpolated
from circuit_diagrams.symbols import Path, Symbols

STEPS = (1, 2, 4, 8, 16, 32, 3, 6, 12, 24, 48, 5, 10, 7, 14, 28, 64)
"""What a size may have to be a multiple of, as where an image is halved several times."""
FAR = (61, 17)
"""Steps at which a fit is tested."""
MOST_TRACES = 90
Trace = Callable[[list[Tensor]], Diagram]


@dataclass(frozen=True)
class _Symbol:
    """A named axis: where it stands in the inputs, and how sizes depend on it."""

    name: str
    size: int
    places: tuple[tuple[int, int], ...]
    step: int = 1
    degree: int = 0


def with_symbols(
    base: Diagram, axes: Mapping[str, str], inputs: list[Tensor], trace: Trace, run: Callable[..., Any]
) -> Diagram:
    """The diagram of a module with its sizes as polynomials.

    Args:
        base: Its diagram for the inputs.
        axes: Names of the axes of inputs.
        inputs: Its inputs, in the order of the diagram's.
        trace: Gives its diagram for other inputs.
        run: Runs the module on other inputs.

    Raises:
        ValueError: if no axis is named or none can vary, or a size is no polynomial in them.
    """
    if not axes:
        raise ValueError('symbols are the names of axes; give them, such as axes={"x": "b c h w"}')
    with _quiet():
        found = [_explored(symbol, inputs, run) for symbol in _named(base, axes)]
    free = [symbol for symbol in found if symbol.degree]
    if not free:
        raise ValueError(f"{base.name} does not let {', '.join(s.name for s in found)} vary")
    grid = {s.name: [s.size + s.step * k for k in range(s.degree + 1)] for s in free}
    n = torch.Size([len(points) for points in grid.values()]).numel()
    if n > MOST_TRACES:
        raise ValueError(f"{n} traces would be needed for symbols {', '.join(grid)}; name fewer axes")

    def traced(sizes: Sequence[int]) -> Diagram:
        changed = _inputs(inputs, [(s, size) for s, size in zip(free, sizes, strict=True)])
        with warnings.catch_warnings(action="ignore"):
            return trace(changed)

    diagrams = {at: traced(at) for at in itertools.product(*grid.values())}
    apart = _apart(free, base)
    return _fitted(base, found, grid, diagrams, apart, traced(apart))


def _named(base: Diagram, axes: Mapping[str, str]) -> list[_Symbol]:
    places: dict[str, list[tuple[int, int]]] = {}
    sizes = {}
    for i, array in enumerate(base.inputs):
        for place, label in enumerate(axes.get(array.name, "").split()):
            if label.isdigit():
                continue
            places.setdefault(label, []).append((i, place))
            sizes[label] = array.axes[place].size
    return [_Symbol(name, sizes[name], tuple(found)) for name, found in places.items()]


def _inputs(inputs: Sequence[Tensor], changes: Sequence[tuple[_Symbol, int]]) -> list[Tensor]:
    """Inputs of other sizes; their elements say nothing."""
    shapes = [list(x.shape) for x in inputs]
    for symbol, size in changes:
        for i, place in symbol.places:
            shapes[i][place] = size
    return [torch.zeros(shape, dtype=x.dtype, device=x.device) for shape, x in zip(shapes, inputs, strict=True)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what PyTorch logs of sizes that a module does not take."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Shapes(TorchDispatchMode):
    """Notes the shapes of all that is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        result = func(*args, **(kwargs or {}))
        for one in torch.utils._pytree.tree_leaves(result):
            if isinstance(one, Tensor):
                self.found += [len(one.shape), *one.shape]
        return result


def _explored(symbol: _Symbol, inputs: Sequence[Tensor], run: Callable[..., Any]) -> _Symbol:
    """The symbol with the step and the degree at which all sizes are polynomials in it; degree 0 if it is fixed."""

    @functools.cache
    def shapes(size: int) -> list[int] | None:
        if size < 1:
            return None
        try:
            with (
                warnings.catch_warnings(action="ignore"),
                FakeTensorMode(allow_non_fake_inputs=True),
                _Shapes() as mode,
            ):
                run(*_inputs(inputs, [(symbol, size)]))
        except Exception:  # noqa: BLE001 - whatever a module raises that does not take this size
            return None
        return mode.found

    works = False
    for step in STEPS:
        rows = [row for k in range(3) if (row := shapes(symbol.size + step * k)) is not None]
        far = next((k for k in FAR if shapes(symbol.size + step * k) is not None), None)
        if len(rows) < 3 or far is None:
            continue
        works = True
        if len({len(row) for row in rows}) > 1:
            continue
        first = [b - a for a, b in zip(rows[0], rows[1], strict=True)]
        second = [c - 2 * b + a for a, b, c in zip(*rows, strict=True)]

        def fits(k: int, rows: Any = (rows[0], first, second), step: int = step) -> bool:  # noqa: ANN401
            found = shapes(symbol.size + step * k)
            return found is None or found == [a + k * d + k * (k - 1) // 2 * e for a, d, e in zip(*rows, strict=True)]

        # A size of 1 may save PyTorch copies, which are operators too.
        if all(fits(k) for k in (far, 3, -1) if symbol.size + step * k > 1):
            return replace(symbol, step=step, degree=2 if any(second) else 1)
    if works:
        raise ValueError(f"sizes are no polynomials in {symbol.name}, whatever it is a multiple of")
    return symbol


def _apart(free: Sequence[_Symbol], base: Diagram) -> tuple[int, ...]:
    """Sizes that differ from each other and from all that there are, so that no two axes agree by chance."""
    taken = {axis.size for a in base.arrays.values() for axis in a.axes}
    found: list[int] = []
    for symbol in free:
        size = next(n for k in itertools.count(3) if (n := symbol.size + symbol.step * k) not in taken)
        taken.add(size)
        found.append(size)
    return tuple(found)


def _fitted(
    base: Diagram,
    symbols: Sequence[_Symbol],
    grid: Mapping[str, Sequence[int]],
    diagrams: Mapping[tuple[int, ...], Diagram],
    apart: tuple[int, ...],
    structure: Diagram,
) -> Diagram:
    """The diagram whose axes are those at sizes that are all different, with sizes as polynomials."""
    names = tuple(grid)
    numbers = {at: dict(_numbers(diagram)) for at, diagram in diagrams.items()}
    own = dict(_numbers(structure))
    for at, diagram in diagrams.items():
        if _form(diagram) != _form(structure) or numbers[at].keys() != own.keys():
            told = ", ".join(f"{n}={s}" for n, s in zip(names, at, strict=True))
            raise ValueError(f"{base.name} does something else at {told} than at other sizes, so it has no symbols")
    known: dict[tuple[Any, ...], Polynomial] = {}
    fits: dict[Path, Polynomial] = {}
    is_exact = True
    for path, value in own.items():
        row = tuple(numbers[at][path] for at in diagrams)
        if len({*row, value}) == 1:
            continue
        if any(isinstance(n, float) for n in row):
            is_exact = False
            continue
        if row not in known:
            known[row] = interpolated(names, grid, dict(zip(diagrams, map(Fraction, row), strict=True)))
        if known[row](**dict(zip(names, apart, strict=True))) != value:
            raise ValueError(f"{base.name} has a size that is no polynomial in {', '.join(names)}")
        fits[path] = known[row]
    axes = {
        axis.id: fits["array", a.id, place]
        for a in structure.arrays.values()
        for place, axis in enumerate(a.axes)
        if ("array", a.id, place) in fits
    }
    steps = {s.name: s.step for s in symbols if s.degree}
    fixed = tuple(s.name for s in symbols if not s.degree)
    arguments = {path: found for path, found in fits.items() if path[0] != "array"}
    whole = Symbols(dict(zip(names, apart, strict=True)), steps, axes, arguments, fixed, is_exact)
    start = dict(zip(names, next(iter(diagrams)), strict=True))
    found = replace(structure, symbols=whole).at(**start)
    return _with_floats(replace(found, values=base.values, is_complete=True), base)


def _with_floats(diagram: Diagram, base: Diagram) -> Diagram:
    """The diagram with the arguments that the module had at its own sizes."""
    ops = tuple(
        replace(op, arguments=own.arguments, attributes=own.attributes)
        for op, own in zip(diagram.ops, base.ops, strict=True)
    )
    return replace(diagram, ops=ops)


def _form(diagram: Diagram) -> list[Any]:
    """What must be the same at all sizes: operators, and which arrays they take and give."""

    def ids(arrays: Sequence[Array]) -> list[int]:
        return [a.id for a in arrays]

    ops = [(op.target, op.region, ids(op.inputs), ids(op.parameters), ids(op.outputs)) for op in diagram.ops]
    return [ops, ids(diagram.inputs), ids(diagram.outputs)]


def _numbers(diagram: Diagram) -> Iterator[tuple[Path, Any]]:
    """All sizes, and all numbers among the arguments, with their places."""
    for a in diagram.arrays.values():
        for place, axis in enumerate(a.axes):
            yield ("array", a.id, place), axis.size
    for op in diagram.ops:
        for key, value in op.arguments.items():
            yield from _inside((op.id, key), value)


def _inside(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        for i, one in enumerate(value):
            yield from _inside((*path, i), one)
    elif isinstance(value, int | float | str) or value is None:
        yield path, value
    elif isinstance(value, dict):
        yield path, repr(value)
