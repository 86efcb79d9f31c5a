"""Signatures in letters."""

from collections.abc import Sequence

from circuit_diagrams.elements import Array, Op

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def signature_of(op: Op) -> str:
    """The axes of an operation: `*` for those that it passes over in front, capitals for learned ones.

    `* i, O I -> * O` is a linear map of the last axis, whose output axis comes from its weights.
    """
    front = _front(op)
    names: dict[int, str] = {}
    learned = {axis.id for a in op.parameters for axis in a.axes}
    free = iter(c for c in LETTERS + LETTERS.upper())

    def word(array: Array, *, is_own: bool, skip: int) -> str:
        letters = []
        for axis in array.axes[skip:]:
            if axis.id not in names:
                label = axis.label if axis.label.isidentifier() else ""
                names[axis.id] = label if label and label not in names.values() else _fresh(free, names.values())
            name = names[axis.id]
            letters.append(name.upper() if is_own and axis.id in learned else name)
        return " ".join((["*"] if skip else []) + letters)

    ins = [word(a, is_own=False, skip=front) for a in op.inputs]
    ins += [word(a, is_own=True, skip=0) for a in op.parameters]
    outs = [word(a, is_own=False, skip=front) for a in op.outputs]
    return f"{', '.join(ins)} -> {', '.join(outs)}"


def _fresh(free: Sequence[str] | object, taken: object) -> str:
    found = next(free, None)  # type: ignore[call-overload]
    while found is not None and found in taken:  # type: ignore[operator]
        found = next(free, None)  # type: ignore[call-overload]
    return found or "z"


def _front(op: Op) -> int:
    """Axes in front of all inputs and outputs over which the operation is broadcast."""
    arrays = (*op.inputs, *op.outputs)
    if not op.inputs or op.kind == "rearrange":
        return 0
    free = {
        link.axis.id for link in op.broadcast if len([k for k in link.inputs if k < len(op.inputs)]) == len(op.inputs)
    }
    n = 0
    while (
        all(len(a.axes) > n and a.axes[n].id == arrays[0].axes[n].id for a in arrays) and arrays[0].axes[n].id in free
    ):
        n += 1
    return n
