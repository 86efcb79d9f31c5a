"""Adds operators to a graph, with the shapes of what they give."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx


class Emitter:
    """Adds operators at the place where a graph is written.

    Args:
        graph: The graph.
        meta: What is noted on each node, such as the modules in which it stands.
    """

    def __init__(self, graph: fx.Graph, meta: Mapping[str, Any]) -> None:
        self.graph, self.meta = graph, dict(meta)

    def __call__(self, target: torch._ops.OpOverload, *args: Any, **kwargs: Any) -> fx.Node:  # noqa: ANN401
        """The node of a call, whose arguments may be nodes."""
        node = self.graph.call_function(target, args, kwargs)
        node.meta = dict(self.meta)
        here = {"device": "meta"} if "device" in kwargs else {}
        values = torch.utils._pytree.tree_map(shape_of, kwargs)
        node.meta["val"] = target(*torch.utils._pytree.tree_map(shape_of, args), **{**values, **here})
        return node


def shape_of(value: Any) -> Any:  # noqa: ANN401 - an argument
    """A tensor without elements in the place of a node; anything else as it is."""
    if not isinstance(value, fx.Node):
        return value
    found = value.meta["val"]
    return torch.empty(found.shape, dtype=found.dtype, device="meta") if isinstance(found, Tensor) else found
