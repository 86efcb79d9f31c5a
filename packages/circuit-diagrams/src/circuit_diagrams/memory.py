"""Memory: which arrays are alive when, and how many bytes they take."""

from itertools import groupby
from math import prod

from .elements import Array, Op
from .ir import Diagram

BYTES = {
    "float64": 8, "int64": 8, "complex64": 8, "complex128": 16, "float32": 4, "int32": 4, "float16": 2, "bfloat16": 2,
    "int16": 2, "int8": 1, "uint8": 1, "bool": 1, "float8_e4m3fn": 1, "float8_e5m2": 1,
}  # fmt: skip
"""Bytes of an element by its type."""
VIEWS = {
    "view", "reshape", "flatten", "unflatten", "permute", "transpose", "t", "squeeze", "unsqueeze", "expand", "select",
    "slice", "narrow", "split", "split_with_sizes", "chunk", "unbind", "swapaxes", "movedim", "numpy_T", "mT",
    "expand_as", "view_as", "reshape_as", "diagonal", "unfold",
}  # fmt: skip
"""Operators whose result is a view of their input wherever its strides allow."""
COPIES = {"einsum", "matmul", "linear"}
"""Products that may copy an operand so that it lies as the matrix product of two wants it."""


def n_bytes(array: Array) -> int:
    """Bytes of an array."""
    return prod(array.shape) * BYTES.get(array.dtype, 4)


def storages(diagram: Diagram) -> dict[int, int]:
    """For each array the one in whose memory it lies: itself, or what it is a view of.

    A reshape of what was transposed is counted as a copy if it binds axes that do not lie side by side.
    """
    return _layout(diagram)[0]


def _layout(diagram: Diagram) -> tuple[dict[int, int], dict[int, tuple[int, ...]]]:
    """The home of each array, and the strides with which it lies there."""
    home = {a.id: a.id for a in diagram.arrays.values()}
    strides = {a.id: _contiguous(a.shape) for a in diagram.arrays.values()}
    for op in diagram.ops:
        name = op.target.split(".")[1] if op.target.count(".") else op.name
        if name not in VIEWS or len(op.inputs) + len(op.parameters) != 1:
            continue
        source = (op.inputs or op.parameters)[0]
        for output in op.outputs:
            found = _strides(op, name, source.shape, strides[source.id], output.shape)
            if found is not None:
                home[output.id], strides[output.id] = home[source.id], found
    return home, strides


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def _strides(
    op: Op, name: str, shape: tuple[int, ...], strides: tuple[int, ...], target: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Strides of a view; none if its elements have to be copied."""
    import torch

    if name in {"view", "reshape", "flatten", "unflatten", "view_as", "reshape_as"}:
        # On the device `meta` only shapes and strides exist, and PyTorch itself says whether a view is possible.
        try:
            return torch.empty_strided(shape, strides, device="meta").view(target).stride()
        except RuntimeError:
            return None
    from .arguments import decode, resolve

    value = torch.empty_strided(shape, strides, device="meta")
    arguments = {key: decode(one, lambda _: value) for key, one in op.arguments.items()}
    try:
        found = resolve(op.target)(**arguments)
    except (RuntimeError, ValueError, NotImplementedError):
        return None
    one = found if isinstance(found, torch.Tensor) else next(t for t in found if tuple(t.shape) == target)
    return one.stride()


def peak_bytes(diagram: Diagram) -> int:
    """Most bytes of inputs and computed arrays at any time, as PyTorch computes them without gradients.

    An array is freed after its last use, but not before the module that was given it returns, since the caller holds
    it. Copies that a product makes of what does not lie side by side are counted; parameters are not.
    """
    home, strides = _layout(diagram)
    size = {a.id: n_bytes(a) for a in diagram.arrays.values()}
    own = {a.id for a in diagram.arrays.values() if a.role != "data"}
    last = _last_uses(diagram, home)
    alive = {home[a.id] for a in diagram.inputs}
    now = sum(size[i] for i in alive)
    most = now
    for i, op in enumerate(diagram.ops):
        for a in op.outputs:
            if home[a.id] not in alive and home[a.id] not in own:
                alive.add(home[a.id])
                now += size[home[a.id]]
        most = max(most, now + _copied(op, strides))
        for j in [j for j in alive if last.get(j, -1) <= i]:
            alive.remove(j)
            now -= size[j]
    return most


def _last_uses(diagram: Diagram, home: dict[int, int]) -> dict[int, int]:
    """The operation after which each array may be freed."""
    last: dict[int, int] = {}
    for i, op in enumerate(diagram.ops):
        for a in (*op.inputs, *op.outputs):
            last[home[a.id]] = i
    for depth in range(1, max((len(op.region) for op in diagram.ops), default=0) + 1):
        start = 0
        for _, run in groupby(diagram.ops, key=lambda op, depth=depth: op.region[:depth]):  # type: ignore[misc]
            ops = list(run)
            start += len(ops)
            if len(ops[0].region) >= depth:
                made = {a.id for op in ops for a in op.outputs}
                for a in (a for op in ops for a in op.inputs if a.id not in made):
                    last[home[a.id]] = max(last[home[a.id]], start - 1)
    for a in (*diagram.inputs, *diagram.outputs):
        last[home[a.id]] = len(diagram.ops)
    return last


def _copied(op: Op, strides: dict[int, tuple[int, ...]]) -> int:
    """Bytes that a product needs beside its operands and its result, while it is computed."""
    if op.name not in COPIES:
        return 0
    import torch

    from .arguments import DTYPES
    from .execution import compute
    from .measurement import PeakMemory

    tensors = {
        a.id: torch.empty_strided(a.shape, strides[a.id], dtype=DTYPES[a.dtype], device="meta")
        for a in (*op.inputs, *op.parameters)
    }
    with PeakMemory() as mode:
        mode.ignored = {t.untyped_storage()._cdata for t in tensors.values()}
        compute(op, tensors)
    return max(mode.peak - sum(map(n_bytes, op.outputs)), 0)


def saved_bytes(diagram: Diagram) -> int:
    """Bytes of the arrays that training keeps for the backward pass, parameters aside.

    Products keep their inputs; softmax, and rectifiers, keep what they give; normalizations and other functions of
    elements keep their inputs; sums and rearrangements keep nothing.
    """
    kept: set[int] = set()
    home = storages(diagram)
    for op in diagram.ops:
        if op.kind in ("rearrange", "join", "index") or op.name in {"add", "sub", "neg", "sum", "mean"}:
            continue
        arrays = op.outputs if op.name in {"relu", "softmax", "sigmoid", "tanh", "exp", "log_softmax"} else op.inputs
        if op.name == "attention":
            arrays = (*op.inputs, *op.outputs)
        kept |= {home[a.id] for a in arrays if a.dtype.startswith(("float", "bfloat", "complex"))}
    own = {a.id for a in diagram.parameters}
    return sum(n_bytes(a) for a in diagram.arrays.values() if a.id in kept - own)
