"""Numerical tests of what a diagram says: broadcasts by Definition 2.14, linearity, equality with a module."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .elements import Array, Axis, Op
from .execution import compute, run
from .ir import Diagram

TOLERANCE = 1e-9
"""Of two results in float64, relative to the larger one."""


@dataclass(frozen=True)
class BroadcastReport:
    """Whether the broadcasts of a diagram are as it says.

    Args:
        confirmed: Axes over which operations are said, and found, to be broadcast.
        wrong: Those that are said to be but are not: number of the operation, label of the axis.
        refuted: Axes that pass through an operation which acts on them, and is found to.
        missed: Those on which it is said to act but does not.
    """

    confirmed: int
    wrong: tuple[tuple[int, str], ...]
    refuted: int
    missed: tuple[tuple[int, str], ...]


def check(diagram: Diagram, module: Callable[..., Any], *args: Tensor) -> float:
    """The largest absolute difference between what a diagram and a module compute.

    Raises:
        ValueError: if the inputs do not fit, or the module returns another number of tensors.
    """
    mode = module.training if isinstance(module, nn.Module) else False
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            if isinstance(module, nn.Module):
                module.eval()
            wanted = [t for t in torch.utils._pytree.tree_leaves(module(*args)) if isinstance(t, Tensor)]
            known = run(diagram, *args)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        if isinstance(module, nn.Module):
            module.train(mode)
    found = [known[a.id] for a in diagram.outputs]
    if [tuple(t.shape) for t in wanted] != [tuple(t.shape) for t in found]:
        raise ValueError(f"{diagram.name} gives {len(found)} tensors of other shapes than the module's {len(wanted)}")
    return max(
        (float((a.double() - b.double()).abs().max()) for a, b in zip(wanted, found, strict=True) if a.numel()),
        default=0.0,
    )


def is_broadcast(op: Op, axis: Axis, known: Mapping[int, Tensor], generator: torch.Generator) -> bool:
    """Whether an operation is broadcast over an axis (Definition 2.14), as far as its link says where it stands.

    (G c)(X)[:, j] = G(X[:, j]) for all j, with one G for all, holds if and only if each slice of the output depends on
    the same slice of the inputs alone, and permuting the slices of the inputs permutes those of the output.

    Args:
        op: The operation.
        axis: The axis; it need not be one of its links.
        known: Values of its inputs and parameters.
        generator: Chooses the permutation, and the slice that is changed.
    """
    link = next((one for one in op.broadcast if one.axis == axis), None)
    arrays = (*op.inputs, *op.parameters)
    n = len(op.inputs)
    ins = [i for i, a in enumerate(arrays) if axis in a.axes and (i < n) and (link is None or i in link.inputs)]
    ins += [i for i in link.inputs if i >= n] if link else []
    outs = [k for k, a in enumerate(op.outputs) if axis in a.axes and (link is None or k in link.outputs)]
    before = compute(op, dict(known))
    at = int(torch.randint(axis.size, (), generator=generator))
    others = torch.tensor([j for j in range(axis.size) if j != at], dtype=torch.long)
    for i in ins:
        changed = dict(known)
        place = arrays[i].axes.index(axis)
        changed[arrays[i].id] = _changed(known[arrays[i].id], place, at, generator)
        after = compute(op, changed)
        for k in outs:
            own = op.outputs[k].axes.index(axis)
            if not _equal(before[k].index_select(own, others), after[k].index_select(own, others)):
                return False
    order = torch.arange(axis.size).roll(1 + at % max(axis.size - 1, 1))
    moved = dict(known)
    for i in ins:
        moved[arrays[i].id] = known[arrays[i].id].index_select(arrays[i].axes.index(axis), order)
    after = compute(op, moved)
    return all(_equal(before[k].index_select(op.outputs[k].axes.index(axis), order), after[k]) for k in outs)


def _changed(value: Tensor, place: int, at: int, generator: torch.Generator) -> Tensor:
    """The tensor with other numbers in one slice."""
    other = value.clone()
    piece = other.select(place, at)
    if value.dtype.is_floating_point:
        piece.add_(torch.rand(piece.shape, generator=generator, dtype=value.dtype) + 0.5)
    else:
        piece.copy_(value.flatten()[torch.randint(value.numel(), piece.shape, generator=generator)])
    return other


def _equal(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a.double(), b.double(), rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)


def check_broadcasts(diagram: Diagram, *inputs: Tensor, generator: torch.Generator | None = None) -> BroadcastReport:
    """Test every axis that passes through every operation, at the values that the diagram computes.

    An axis on which an operation acts is counted as refuted where it stands in an input and in an output; axes of
    length 1 say nothing and are left out. Use float64.

    Raises:
        ValueError: if the inputs do not fit or values are missing.
    """
    generator = generator or torch.Generator().manual_seed(0)
    known = run(diagram, *inputs, keeps_all=True)
    confirmed = refuted = 0
    wrong: list[tuple[int, str]] = []
    missed: list[tuple[int, str]] = []
    for op in diagram.ops:
        own = {a.id: known[a.id] for a in (*op.inputs, *op.parameters)}
        said = {link.axis for link in op.broadcast}
        for axis in _through(op):
            holds = is_broadcast(op, axis, own, generator)
            confirmed += holds and axis in said
            refuted += not holds and axis not in said
            if axis in said and not holds:
                wrong.append((op.id, axis.label))
            if axis not in said and holds:
                missed.append((op.id, axis.label))
    return BroadcastReport(confirmed, tuple(wrong), refuted, tuple(missed))


def _through(op: Op) -> list[Axis]:
    """Axes that stand in an input, or are linked from a parameter, and in an output."""
    ins = {axis for a in op.inputs for axis in a.axes}
    outs = {axis: None for a in op.outputs for axis in a.axes if axis.size > 1}
    return [axis for axis in outs if axis in ins]


def is_linear(op: Op, known: Mapping[int, Tensor], generator: torch.Generator) -> bool:
    """Whether an operation is linear in each of its inputs, up to a constant such as a bias.

    Args:
        op: The operation.
        known: Values of its inputs and parameters, in float64.
        generator: Chooses the inputs that are tried.
    """
    arrays: tuple[Array, ...] = op.inputs
    for i, array in enumerate(arrays):
        if not known[array.id].dtype.is_floating_point:
            continue
        # What is cut from one tensor counts once; with the other inputs fixed, the map must be affine.
        x, y = (torch.randn(array.shape, generator=generator, dtype=torch.float64) for _ in range(2))
        at = [_at(op, known, i, value) for value in (torch.zeros_like(x), x, y, 2 * x - 3 * y)]
        for zero, first, second, both in zip(*at, strict=True):
            if not _equal(both - zero, 2 * (first - zero) - 3 * (second - zero)):
                return False
    return True


def _at(op: Op, known: Mapping[int, Tensor], place: int, value: Tensor) -> tuple[Tensor, ...]:
    changed = dict(known)
    changed[op.inputs[place].id] = value.to(known[op.inputs[place].id].dtype)
    return compute(op, changed)


def infer_signature(function: Callable[[Tensor], Tensor], x: Tensor) -> list[tuple[int, int]]:
    """Pairs of axes, one of the input and one of the output, over which a function of a tensor is broadcast.

    Found numerically, by Definition 2.14, at one input.

    Args:
        function: Of one tensor; nothing need be known of it.
        x: An input of float64.
    """
    generator = torch.Generator().manual_seed(0)
    y = function(x)
    found = []
    for i in range(x.ndim):
        for j in range(y.ndim):
            if x.shape[i] != y.shape[j] or x.shape[i] < 2:
                continue
            at = int(torch.randint(x.shape[i], (), generator=generator))
            others = torch.tensor([k for k in range(x.shape[i]) if k != at])
            changed = function(_changed(x, i, at, generator))
            order = torch.arange(x.shape[i]).roll(1)
            if (
                _equal(changed.index_select(j, others), y.index_select(j, others))
                and not _equal(changed, y)
                and _equal(function(x.index_select(i, order)), y.index_select(j, order))
            ):
                found.append((i, j))
    return found
