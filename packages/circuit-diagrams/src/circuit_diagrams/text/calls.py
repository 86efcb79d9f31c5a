"""Short calls of the text language: what stands for which operators."""

from typing import Any

from torch import fx

from .compiler import Compiler
from .lexer import TextError
from .syntax import Call

LETTERS = "abcdefghijklmnopqrstuvwxyz"
UNARY = {"relu", "gelu", "silu", "sigmoid", "tanh", "exp", "log", "sqrt", "rsqrt", "neg", "abs", "sin", "cos"}
BINARY = {
    "add": "Tensor",
    "sub": "Tensor",
    "mul": "Tensor",
    "div": "Tensor",
    "maximum": "default",
    "minimum": "default",
}
ALONG = {"softmax": "aten.softmax.int", "log_softmax": "aten.log_softmax.int", "cumsum": "aten.cumsum.default"}
OVER = {
    "sum": "aten.sum.dim_IntList",
    "mean": "aten.mean.dim",
    "amax": "aten.amax.default",
    "amin": "aten.amin.default",
}


def expand(compiler: Compiler, call: Call) -> fx.Node:
    """The node of a short call.

    `linear[m -> k h](x)` brings weights of its own, over any axes; `einsum("y k, x k -> y x", q, k)` names axes with
    words; `softmax[x](s)`, `sum[x](s)` and `layer_norm[m](x)` act on the axes in brackets; the rest acts on elements.

    Raises:
        TextError: if there is no such call or its arguments are wrong.
    """
    args, token = compiler.arguments(call), call.token
    name = call.name
    if name == "einsum":
        return _einsum(compiler, call, args)
    if not args or not isinstance(args[0], fx.Node):
        raise TextError(f"{name} takes an array first", token.line, token.column)
    if name in UNARY and len(args) == 1:
        return _labeled(compiler, compiler.operator(f"aten.{name}.default", args, call), args)
    if name in BINARY and len(args) == 2 and (isinstance(args[1], fx.Node) or BINARY[name] == "Tensor"):
        return _labeled(compiler, compiler.operator(f"aten.{name}.{BINARY[name]}", args, call), args)
    return _on_axes(compiler, call, args)


def _on_axes(compiler: Compiler, call: Call, args: tuple[Any, ...]) -> fx.Node:
    """Calls with axes in brackets."""
    name, token = call.name, call.token
    ins, outs = call.pattern or ((), ())
    if name in ALONG and len(ins) == 1:
        found = compiler.operator(ALONG[name], (args[0], compiler.place(args[0], ins[0], token)), call)
        return _labeled(compiler, found, args)
    if name in OVER and ins:
        found = compiler.operator(OVER[name], (args[0], [compiler.place(args[0], a, token) for a in ins]), call)
        compiler.axes[found] = [a for a in compiler.axes[args[0]] if a not in ins]
        return found
    if name == "linear" and call.pattern is not None:
        return _linear(compiler, call, args[0], ins, outs)
    if name == "layer_norm" and ins:
        return _labeled(compiler, _layer_norm(compiler, call, args[0], ins), args)
    return _wrong(call)


def _labeled(compiler: Compiler, found: fx.Node, args: tuple[Any, ...]) -> fx.Node:
    """The axes of what acts on elements are those of an array of the same shape."""
    shape = found.meta["val"].shape
    for one in args:
        if isinstance(one, fx.Node) and one.meta["val"].shape == shape and one in compiler.axes:
            compiler.axes[found] = compiler.axes[one]
            break
    return found


def _wrong(call: Call) -> fx.Node:
    known = ", ".join(sorted({*UNARY, *BINARY, *ALONG, *OVER, "einsum", "linear", "layer_norm"}))
    raise TextError(
        f"{call.name} is not called like this; there are {known}, and every operator as aten.name.overload",
        call.token.line,
        call.token.column,
    )


def _einsum(compiler: Compiler, call: Call, args: tuple[Any, ...]) -> fx.Node:
    token = call.token
    if not args or not isinstance(args[0], str) or "->" not in args[0]:
        raise TextError('einsum takes a formula such as "y k, x k -> y x" first', token.line, token.column)
    left, _, right = args[0].partition("->")
    words = [word.split() for word in left.split(",")]
    if len(words) != len(args) - 1:
        raise TextError(f"the formula has {len(words)} arrays, but {len(args) - 1} are given", token.line, token.column)
    names = list(dict.fromkeys(axis for word in [*words, right.split()] for axis in word))
    if len(names) > len(LETTERS):
        raise TextError("the formula has too many axes", token.line, token.column)
    letter = dict(zip(names, LETTERS, strict=False))
    sizes: dict[str, int] = {}
    for place, (word, node) in enumerate(zip(words, args[1:], strict=True), 1):
        shape = node.meta["val"].shape if isinstance(node, fx.Node) else ()
        if len(shape) != len(word):
            raise TextError(
                f"array {place} of the formula has {len(word)} axes, but {len(shape)} are given",
                token.line,
                token.column,
            )
        for axis, size in zip(word, shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                raise TextError(f"{axis}={sizes[axis]} meets {axis}={size} in array {place}", token.line, token.column)
    if unknown := [axis for axis in right.split() if axis not in sizes]:
        raise TextError(f"{unknown[0]} stands in no array of the formula", token.line, token.column)
    equation = ",".join("".join(letter[a] for a in word) for word in words)
    equation += "->" + "".join(letter[a] for a in right.split())
    found = compiler.operator("aten.einsum.default", (equation, list(args[1:])), call)
    compiler.axes[found] = right.split()
    return found


def _linear(compiler: Compiler, call: Call, x: fx.Node, ins: tuple[str, ...], outs: tuple[str, ...]) -> fx.Node:
    labels = compiler.axes.get(x, [])
    if len(set(labels)) != len(labels) or "" in labels:
        raise TextError("linear needs an array whose axes all have names", call.token.line, call.token.column)
    for axis in ins:
        compiler.place(x, axis, call.token)
    weight = compiler.parameter(call, f"{call.outputs[0].name}.weight", [*outs, *ins])
    letter = dict(zip([*dict.fromkeys([*labels, *outs])], LETTERS, strict=False))
    # An axis that comes and goes under one name is two: the map mixes it.
    fresh = iter(c for c in LETTERS if c not in letter.values())
    new = {a: next(fresh) if a in labels else letter[a] for a in outs}
    word = "".join(letter[a] for a in labels)
    kept = [letter[a] for a in labels if a not in ins]
    at = min(labels.index(a) for a in ins)
    before = [letter[a] for a in labels[:at] if a not in ins]
    result = [*before, *(new[a] for a in outs), *kept[len(before) :]]
    equation = f"{word},{''.join(new[a] for a in outs)}{''.join(letter[a] for a in ins)}->{''.join(result)}"
    found = compiler.operator("aten.einsum.default", (equation, [x, weight]), call)
    rest = [a for a in labels if a not in ins]
    compiler.axes[found] = [*rest[: len(before)], *outs, *rest[len(before) :]]
    return found


def _layer_norm(compiler: Compiler, call: Call, x: fx.Node, axes: tuple[str, ...]) -> fx.Node:
    labels = compiler.axes.get(x, [])
    if tuple(labels[len(labels) - len(axes) :]) != axes:
        raise TextError(f"layer_norm acts on the last axes of {' '.join(labels)}", call.token.line, call.token.column)
    name = call.outputs[0].name
    weight, bias = (compiler.parameter(call, f"{name}.{kind}", list(axes)) for kind in ("weight", "bias"))
    shape = [compiler.sizes[a][0] for a in axes]
    return compiler.operator("aten.layer_norm.default", (x, shape, weight, bias), call)
