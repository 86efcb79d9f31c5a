"""The table of operators and their rules, to which users add their own."""

from collections.abc import Callable
from functools import partial

import torch

from circuit_diagrams.elements import Kind, Op, operands

from . import contractions, convolutions, elementwise, gradients, indexing, reductions, shapes
from .call import Call, Rule
from .patterns import Pattern

Signature = Callable[[Call], Rule]


def _table(rules: dict[Signature, str]) -> dict[str, Signature]:
    return {name: rule for rule, names in rules.items() for name in names.split()}


RULES: dict[str, Signature] = _table(
    {
        elementwise.elementwise: "where masked_fill clamp lerp dropout rsub prelu hardtanh glu_jvp type_as to "
        "_to_copy fake_quantize masked_fill_ fill zeros_like ones_like full_like rand_like randn_like empty_like "
        "threshold float_power xlogy isclose hardswish log_sigmoid multiply divide "
        "subtract true_divide polar complex conj",
        elementwise.batch_norm: "batch_norm native_batch_norm _native_batch_norm_legit_no_training cudnn_batch_norm",
        contractions.linear: "linear",
        contractions.matmul: "matmul mm bmm mv",
        contractions.affine_product: "addmm baddbmm",
        contractions.outer: "outer ger",
        contractions.dot: "dot vdot inner",
        contractions.einsum: "einsum",
        contractions.tensordot: "tensordot",
        contractions.attention: "scaled_dot_product_attention",
        convolutions.convolution: "convolution conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d",
        convolutions.pooling: "max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d "
        "adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d "
        "max_pool2d_with_indices _adaptive_avg_pool2d",
        convolutions.resampling: "upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_bilinear2d "
        "upsample_bicubic2d upsample_linear1d upsample_trilinear3d",
        reductions.reduction: "sum mean amax amin max min argmax argmin prod var std logsumexp norm linalg_vector_norm "
        "any all var_mean std_mean median nansum count_nonzero",
        reductions.along: "softmax _softmax _safe_softmax log_softmax _log_softmax softmin cumsum cumprod sort argsort "
        "flip roll topk "
        "logcumsumexp kthvalue glu cummax",
        reductions.layer_norm: "layer_norm rms_norm",
        reductions.group_norm: "group_norm",
        reductions.instance_norm: "instance_norm",
        shapes.permute: "permute transpose t numpy_T swapaxes swapdims movedim moveaxis mT adjoint",
        shapes.reshape: "view reshape flatten unflatten _unsafe_view view_as reshape_as ravel",
        shapes.align: "squeeze unsqueeze expand expand_as broadcast_to",
        shapes.same_where_equal: "slice narrow pad constant_pad_nd reflection_pad2d replication_pad2d repeat tile "
        "repeat_interleave reflection_pad1d replication_pad1d",
        shapes.triangle: "tril triu",
        shapes.select: "select",
        shapes.split: "split split_with_sizes chunk unbind tensor_split",
        shapes.pairs: "view_as_complex view_as_real",
        shapes.join: "cat stack concat concatenate",
        shapes.created: "arange zeros ones full scalar_tensor eye linspace new_zeros new_ones new_full new_empty "
        "empty rand randn",
        gradients.softmax_backward: "_softmax_backward_data _log_softmax_backward_data",
        gradients.native_layer_norm: "native_layer_norm",
        gradients.like_operands: "native_layer_norm_backward convolution_backward native_batch_norm_backward "
        "max_pool2d_with_indices_backward avg_pool2d_backward native_group_norm_backward _adaptive_avg_pool2d_backward "
        "slice_backward select_backward",
        gradients.created: "embedding_dense_backward",
        indexing.embedding: "embedding",
        indexing.index_select: "index_select take_along_dim",
        indexing.gather: "gather",
        indexing.written: "slice_scatter select_scatter",
        indexing.index: "index",
        indexing.added: "index_add index_add_",
        indexing.put: "index_put index_put_",
        indexing.counted: "bincount",
    }
)
OWN: dict[str, Signature] = {}
"""Rules of users' own operators by name, "mylib::my_op"."""
OWN_COSTS: dict[str, Callable[[Op], int]] = {}
"""Their multiply-adds."""


def rule_for(target: torch._ops.OpOverload, name: str) -> Signature | None:
    """The rule of an operator; none if nothing is known of it."""
    if (found := OWN.get(target._schema.name)) is not None:
        return found
    if target.namespace == "aten" and name in RULES:
        return RULES[name]
    return elementwise.elementwise if torch.Tag.pointwise in target.tags else None


def register(
    op: torch._ops.OpOverload | str,
    signature: Signature | str,
    *,
    cost: Callable[[Op], int] | str | None = None,
    kind: Kind = "reduce",
) -> None:
    """Say what an operator of one's own does to its axes, and what it costs.

    Args:
        op: The operator, or its name, "mylib::my_op".
        signature: Its axes, "* i, O I -> * O": blanks between axes, `*` for those over which it is broadcast, capitals
            for learned ones; or a function from a `Call` to a `Rule`.
        cost: Multiply-adds, as a sum of products of sizes, "* i O"; or as a function of an `Op`.
        kind: How a signature in letters treats its axes: "linear" if it is linear in each input.

    Raises:
        ValueError: if the name has no namespace, or the signature or the cost cannot be read.
    """
    name = op if isinstance(op, str) else op._schema.name
    if "::" not in name:
        raise ValueError(f"an operator is named with its namespace, mylib::my_op, not {name}")
    rule = Pattern(signature, kind) if isinstance(signature, str) else signature
    if isinstance(cost, str):
        if not isinstance(rule, Pattern):
            raise ValueError("a cost in letters needs a signature in letters; give the cost as a function of an Op")
        rule.check_formula(cost)
        cost = partial(_formula, rule, cost)
    OWN[name] = rule
    OWN_COSTS.pop(name, None)
    if cost is not None:
        OWN_COSTS[name] = cost


def _formula(pattern: Pattern, formula: str, op: Op) -> int:
    return pattern.count(formula, [a.shape for a in operands(op)])
