"""Operators that write into their argument, replaced by those that give a new array."""

import operator

import torch
from torch import fx

from circuit_diagrams.arguments import resolve
from circuit_diagrams.memory import VIEWS

from .graphs import SAME

ALIASES = VIEWS | SAME | {"real", "imag", "view_as_real", "view_as_complex", "_unsafe_view", "ravel", "swapdims"}
"""Operators that may give the memory of their argument."""


def is_mutating(node: fx.Node) -> bool:
    """Whether a node writes into what it is given, or may."""
    if node.op != "call_function":
        return False
    if not isinstance(node.target, torch._ops.OpOverload):
        return isinstance(node.target, torch._ops.HigherOrderOperator)
    return node.target._schema.is_mutable and _name(node) not in SAME


def without_writing(graph: fx.Graph) -> bool:
    """Have what is written into an array be a new one, which is read from then on.

    Returns:
        Whether that could be done. It cannot where there are views of the array, which would change with it.
    """
    for node in [node for node in graph.nodes if is_mutating(node)]:
        if isinstance(node.target, torch._ops.HigherOrderOperator):
            return False
        source = node.args[0] if node.args else None
        pure = _pure(node.target)
        if not isinstance(source, fx.Node) or pure is None or _has_views(source):
            return False
        node.target = pure
        for user in [user for user in source.users if node < user]:
            user.replace_input_with(source, node)
    return True


def _pure(target: object) -> torch._ops.OpOverload | None:
    """The operator that gives what another one writes."""
    parts = str(target).split(".")
    try:
        return resolve(".".join([parts[0], parts[1].removesuffix("_"), *parts[2:]])) if parts[1].endswith("_") else None
    except ValueError:
        return None


def _has_views(node: fx.Node) -> bool:
    maker = node.args[0] if node.target is operator.getitem else node
    return any(_name(one) in ALIASES for one in (maker, *node.users) if isinstance(one, fx.Node))


def _name(node: fx.Node) -> str:
    schema = getattr(node.target, "_schema", None)
    return schema.name.partition("::")[2] if schema is not None else ""
