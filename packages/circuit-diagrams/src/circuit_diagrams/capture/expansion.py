"""Attention written out: its two products, the scale, the mask and the softmax, as the paper draws it."""

from typing import Any

import torch
from torch import fx

from .emitting import Emitter

ATEN = torch.ops.aten
BATCH = "abcdefghijlmnopqrstuw"
"""Letters of the axes before queries `y`, keys `x` and widths `k` and `v`."""


def expand_attention(graph: fx.Graph) -> fx.Graph:
    """A graph in which each scaled dot-product attention stands as what it consists of.

    Those with dropout, with fewer heads of keys than of queries, or with samples that are repeated stay whole.
    """
    for node in list(graph.nodes):
        if node.op == "call_function" and node.target is ATEN.scaled_dot_product_attention.default:
            _expand(graph, node)
    return graph


def _expand(graph: fx.Graph, node: fx.Node) -> None:
    names = [argument.name for argument in node.target._schema.arguments]  # type: ignore[union-attr]
    given: dict[str, Any] = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    q, k, v = (given[name].meta["val"] for name in ("query", "key", "value"))
    if given.get("dropout_p") or q.shape[:-2] != k.shape[:-2] or k.shape[:-2] != v.shape[:-2]:
        return
    batch = BATCH[: q.ndim - 2]
    scale = given.get("scale")
    with graph.inserting_before(node):
        emit = Emitter(graph, {key: value for key, value in node.meta.items() if key != "val"})
        pair = [given["query"], given["key"]]
        scores = emit(ATEN.einsum.default, f"{batch}yk,{batch}xk->{batch}yx", pair)
        scores = emit(ATEN.mul.Tensor, scores, q.shape[-1] ** -0.5 if scale is None else scale)
        mask, softmax = given.get("attn_mask"), ATEN.softmax.int
        if given.get("is_causal"):
            device = torch.device("cpu") if q.device.type == "meta" else q.device
            square = emit(ATEN.ones.default, [q.shape[-2], k.shape[-2]], dtype=torch.bool, device=device)
            hidden = emit(ATEN.triu.default, square, 1)
            scores = emit(ATEN.masked_fill.Scalar, scores, hidden, float("-inf"))
        elif mask is not None and mask.meta["val"].dtype == torch.bool:
            hidden = emit(ATEN.logical_not.default, mask)
            scores = emit(ATEN.masked_fill.Scalar, scores, hidden, float("-inf"))
            # A query that sees no key gives 0, as in PyTorch's attention.
            softmax = ATEN._safe_softmax.default
        elif mask is not None:
            scores = emit(ATEN.add.Tensor, scores, mask)
        weights = emit(softmax, scores, -1)
        result = emit(ATEN.einsum.default, f"{batch}yx,{batch}xv->{batch}yv", [weights, given["value"]])
    node.replace_all_uses_with(result)
    graph.erase_node(node)
