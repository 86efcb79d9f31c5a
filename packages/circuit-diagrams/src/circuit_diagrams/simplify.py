"""Linear parts, simplified: transposing, products and sums over shared axes become one Einstein sum."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from .contraction import best_path, flat, sizes_of
from .cost import product_macs
from .elements import Array, Link, Op, operands
from .ir import Diagram
from .signatures.notation import signature_of

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
MERGED = {"einsum", "matmul", "mm", "bmm", "permute", "transpose", "t", "linear", "dot", "outer", "mv"}
Form = tuple[list[tuple[Array, str]], str]
"""An Einstein sum: its arrays, each with its letters, and the letters of the result."""


def simplify(diagram: Diagram) -> Diagram:
    """A diagram of fewer operations that computes the same.

    Products of arrays that are read only by another product are merged with it, transposing goes into their formulas,
    and a product with a unit matrix, whose wire only bends (the snake identity), becomes a wire. A product of three
    arrays or more is computed in the order with the fewest multiply-adds; where no order has as few as before, nothing
    is merged.
    """
    ops = list(diagram.ops)
    kept = {a.id for a in diagram.outputs}
    while (merged := _merge_one(ops, kept)) is not None:
        ops = merged
    ops, swapped = _straightened(diagram, ops)
    outputs = tuple(swapped.get(a.id, a) for a in diagram.outputs)
    read = {a.id for op in ops for a in op.parameters}
    values = {i: value for i, value in diagram.values.items() if i in read or i in {a.id for a in outputs}}
    numbered = tuple(replace(op, id=i) for i, op in enumerate(ops))
    return replace(diagram, ops=numbered, outputs=outputs, values=values, symbols=None)


def _form(op: Op) -> Form | None:
    """An operation as an Einstein sum, if it is one."""
    if op.name not in MERGED or len(op.outputs) != 1:
        return None
    arrays = operands(op)
    if op.einsum is not None:
        left, _, right = op.einsum.partition("->")
        words = left.split(",")
        if len(words) != len(arrays) or "." in op.einsum:
            return None
        sizes: dict[str, int] = {}
        for word, array in zip(words, arrays, strict=True):
            for letter, size in zip(word, array.shape, strict=True):
                if sizes.setdefault(letter, size) != size:
                    return None
        return list(zip(arrays, words, strict=True)), right
    if op.kind != "rearrange" or len(arrays) != 1:
        return None
    letters = {axis.id: LETTERS[i] for i, axis in enumerate(arrays[0].axes)}
    if any(axis.id not in letters for axis in op.outputs[0].axes):
        return None
    return [(arrays[0], "".join(letters.values()))], "".join(letters[axis.id] for axis in op.outputs[0].axes)


def _merge_one(ops: Sequence[Op], kept: set[int]) -> list[Op] | None:
    """Operations after one merge; none if there is nothing to merge."""
    maker = {a.id: op for op in ops for a in op.outputs}
    n_readers: dict[int, int] = {}
    for op in ops:
        for a in operands(op):
            n_readers[a.id] = n_readers.get(a.id, 0) + 1
    for op in ops:
        outer = _form(op)
        if outer is None:
            continue
        for array, _ in outer[0]:
            inner_op = maker.get(array.id)
            if inner_op is None or n_readers[array.id] != 1 or array.id in kept:
                continue
            inner = _form(inner_op)
            if inner is None:
                continue
            found = _composed(outer, array, inner)
            if found is None:
                continue
            new = _op(found, op)
            if product_macs(new) > product_macs(op) + product_macs(inner_op):
                continue
            return [new if one is op else one for one in ops if one is not inner_op]
    return None


def _composed(outer: Form, array: Array, inner: Form) -> Form | None:
    """The sum with one of its arrays written out."""
    used = {c for _, word in outer[0] for c in word}
    at = next(word for one, word in outer[0] if one.id == array.id)
    names = dict(zip(inner[1], at, strict=True))
    if len(set(inner[1])) != len(inner[1]):
        return None
    free: Iterator[str] = iter(c for c in LETTERS if c not in used)
    for _, word in inner[0]:
        for letter in word:
            if letter not in names:
                fresh = next(free, None)
                if fresh is None:
                    return None
                names[letter] = fresh
    parts: list[tuple[Array, str]] = []
    for one, word in outer[0]:
        if one.id == array.id:
            parts += [(a, "".join(names[c] for c in w)) for a, w in inner[0]]
        else:
            parts.append((one, word))
    return parts, outer[1]


def _op(form: Form, op: Op) -> Op:
    """The operation of an Einstein sum in the place of another one."""
    parts, right = form
    equation = f"{','.join(word for _, word in parts)}->{right}"
    arrays = list({a.id: a for a, _ in parts}.values())
    data = tuple(a for a in arrays if a.role == "data")
    own = tuple(a for a in arrays if a.role != "data")
    output = op.outputs[0]
    links = []
    for place, letter in enumerate(right):
        axis = output.axes[place]
        ins = [i for i, a in enumerate((*data, *own)) for b, word in parts if b.id == a.id and letter in word
               and a.axes[word.index(letter)] == axis]  # fmt: skip
        links.append(Link(axis, tuple(dict.fromkeys(ins)), (0,)))
    arguments: dict[str, Any] = {"equation": equation, "tensors": [{"array": a.id} for a, _ in parts]}
    if len(parts) > 2:
        words = [word for _, word in parts]
        arguments["path"] = flat(best_path(words, right, sizes_of(words, [a.shape for a, _ in parts])))
    attributes = {key: value for key, value in arguments.items() if key != "tensors"}
    new = replace(
        op, name="einsum", kind="linear", inputs=data, parameters=own, broadcast=tuple(x for x in links if x.inputs),
        einsum=equation, attributes=attributes, target="aten.einsum.default", arguments=arguments,
    )  # fmt: skip
    return replace(new, signature=signature_of(new))


def _straightened(diagram: Diagram, ops: Sequence[Op]) -> tuple[list[Op], dict[int, Array]]:
    """Operations without unit matrices, and without those that are left as a wire."""
    units = {i for i, value in diagram.values.items() if _is_unit(value)}
    result: list[Op] = []
    swapped: dict[int, Array] = {}
    for one in ops:
        op = _rewired(one, swapped)
        form = _form(op)
        if form is None:
            result.append(op)
            continue
        parts, right = list(form[0]), form[1]
        for array, word in list(parts):
            if array.id in units and len(parts) > 1 and word[0] != word[1]:
                a, b = word[0], word[1]
                parts.remove((array, word))
                shared = {c for _, w in parts for c in w}
                # The wire that bends: its two ends become one, whichever of them another array holds.
                old, new = (a, b) if a in shared or b in right else (b, a)
                if (a in right and b in right) or not shared & {a, b}:
                    parts.append((array, word))
                    continue
                if old in right:
                    old, new = new, old
                parts = [(one, w.replace(old, new)) for one, w in parts]
        if len(parts) == 1 and parts[0][1] == right and len(set(right)) == len(right):
            swapped[op.outputs[0].id] = parts[0][0]
        elif parts != form[0]:
            result.append(_op((parts, right), op))
        else:
            result.append(op)
    return result, swapped


def _rewired(op: Op, swapped: dict[int, Array]) -> Op:
    """An operation that takes what is left of those that were removed."""
    if not any(a.id in swapped for a in op.inputs):
        return op

    def walk(value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, list):
            return [walk(one) for one in value]
        if isinstance(value, dict) and "array" in value:
            return {"array": swapped[value["array"]].id} if value["array"] in swapped else value
        return value

    inputs = tuple(swapped.get(a.id, a) for a in op.inputs)
    return replace(op, inputs=inputs, arguments={key: walk(value) for key, value in op.arguments.items()})


def _is_unit(value: torch.Tensor) -> bool:
    if value.ndim != 2 or value.shape[0] != value.shape[1] or value.shape[0] < 2:
        return False
    return bool(torch.equal(value, torch.eye(len(value), dtype=value.dtype, device=value.device)))
