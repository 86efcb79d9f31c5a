"""Folds scalings and shifts into the layer before them."""

from collections import Counter
from math import prod

import torch
from torch import Tensor

from bab_verify.graph import Node, Operator
from bab_verify.intervals import gamma
from bab_verify.operators.affine import Affine, Dense, Scale, Shift
from bab_verify.operators.convolution import Convolution


def folded(nodes: list[Node]) -> list[Node]:
    """The nodes of a graph with each scaling and shift in the layer before it, where nothing else takes that layer."""
    users = Counter(source for node in nodes for source in node.inputs)
    place: dict[int, int] = {}
    kept: list[Node] = []
    for index, node in enumerate(nodes):
        inputs = tuple(place[source] for source in node.inputs)
        layer = kept[inputs[0]] if len(inputs) == 1 and users[node.inputs[0]] == 1 else None
        operator = None if layer is None else _merged(layer.operator, node.operator, len(node.shape))
        if layer is not None and operator is not None:
            kept[inputs[0]] = Node(operator, layer.inputs, node.shape, node.name)
            place[index] = inputs[0]
        else:
            kept.append(Node(node.operator, inputs, node.shape, node.name))
            place[index] = len(kept) - 1
    return kept


def _merged(layer: Operator | None, operator: Operator | None, ndim: int) -> Affine | None:
    """A layer and what follows as one layer, or `None`."""
    if not isinstance(layer, Dense | Convolution) or not isinstance(operator, Scale | Shift):
        return None
    constant = operator.factor if isinstance(operator, Scale) else operator.offset
    rows = _along(constant, ndim, -1 if isinstance(layer, Dense) else 1, layer.weight.shape[0])
    uncertain = None
    if isinstance(operator, Shift) and operator.uncertain is not None:
        uncertain = _along(operator.uncertain, ndim, -1 if isinstance(layer, Dense) else 1, layer.weight.shape[0])
        rows = None if uncertain is None else rows
    if rows is None:
        return None
    weight, bias, perturbation = layer.weight, layer.bias, layer.bias_perturbation
    if isinstance(operator, Scale):
        weight = (weight.double() * rows.reshape(-1, *[1] * (weight.ndim - 1))).to(weight)
        bias = None if bias is None else (bias.double() * rows).to(bias)
        perturbation = None if perturbation is None else perturbation * rows.abs().to(perturbation)
    elif bias is None:
        bias, perturbation = rows.to(weight), None if uncertain is None else uncertain.to(weight)
    else:
        total = bias.double() + rows
        # Of products and sums in double precision; a graph in single precision is that of its own constants.
        size = gamma(4, torch.float64) * (bias.double().abs() + rows.abs())
        bias = total.to(weight)
        for part in (perturbation, uncertain):
            size = size if part is None else size + part
        perturbation = size.to(weight)
    shape = layer.input_shapes[0]
    if isinstance(layer, Dense):
        return Dense(weight, bias, shape, perturbation)
    return Convolution(weight, bias, shape, layer.stride, layer.padding, layer.dilation, layer.groups, perturbation)


def _along(constant: Tensor, ndim: int, dim: int, size: int) -> Tensor | None:
    """A constant that varies only along one dimension, as a vector in double precision; otherwise `None`."""
    shape = [1] * (ndim - constant.ndim) + list(constant.shape)
    shape[dim] = 1
    if prod(shape) != 1:
        return None
    return constant.to(torch.float64).reshape(-1).expand(size)
