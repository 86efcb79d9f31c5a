"""Fusion of affine operations: whatever is affine between two nonlinear operations becomes one matrix."""

import torch
from torch import Tensor

from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval, gamma
from bab_verify.operators.affine import Affine
from bab_verify.operators.combination import Combination
from bab_verify.operators.rearrangements import Reshape, Select
from bab_verify.operators.relaxation import Nonlinear

from .products import Rows, double

MAX_SIZE = 2**21
"""Elements of a matrix that is worth having in place of the operations that it stands for."""


def fuse(graph: Graph, max_size: int = MAX_SIZE) -> Graph:
    """The same function, with affine parts between nonlinear operations as one matrix, where that is small.

    Bounds through one matrix are those through its parts, by interval arithmetic never looser; and a backward pass has
    fewer steps. Matrices are computed in double precision, and know what that leaves uncertain.

    Args:
        graph: A network.
        max_size: Elements that a matrix may have; larger parts stay as they are.
    """
    nodes = graph.nodes
    live = {len(nodes) - 1}
    for index in range(len(nodes) - 1, 0, -1):
        if index in live:
            live.update(nodes[index].inputs)
    nonlinear = [nodes[index] for index in live if isinstance(nodes[index].operator, Nonlinear)]
    ends = {unrepeated(graph, source) for node in nonlinear for source in node.inputs} | {len(nodes) - 1}
    regions: dict[int, tuple[int, ...]] = {}
    kept = {0, len(nodes) - 1}
    for index in range(len(nodes) - 1, 0, -1):
        if index not in kept and index not in ends:
            continue
        kept.add(index)
        if isinstance(nodes[index].operator, Affine) and (index in ends or len(graph.consumers[index]) > 1):
            sources = _worthwhile(graph, index, max_size)
            if sources:
                regions[index] = sources
        kept.update(regions.get(index, nodes[index].inputs))
    return _rebuilt(graph, sorted(kept), regions)


def unrepeated(graph: Graph, index: int) -> int:
    """The node whose elements a node has, moved or repeated; the node itself where it is computed otherwise."""
    while isinstance(graph.nodes[index].operator, Reshape | Select):
        (source,) = graph.nodes[index].inputs
        if graph.nodes[source].size > graph.nodes[index].size:
            break
        index = source
    return index


def _worthwhile(graph: Graph, end: int, max_size: int) -> tuple[int, ...]:
    """What a node is made an affine function of, if anything.

    Nonlinear nodes and the input if that takes a small matrix, else the values on the way that are used more than once;
    nothing if that is too large, too.
    """
    size = graph.nodes[end].size
    for stops, limit in ((False, max_size // 8), (True, max_size)):
        sources = _sources(graph, end, stops)
        if size * sum(graph.nodes[source].size for source in sources) <= limit:
            return sources
    return ()


def _sources(graph: Graph, end: int, stops: bool) -> tuple[int, ...]:
    found: set[int] = set()
    open_nodes = {end}
    while open_nodes:
        index = open_nodes.pop()
        for source in graph.nodes[index].inputs:
            inner = isinstance(graph.nodes[source].operator, Affine)
            (open_nodes if inner and not (stops and len(graph.consumers[source]) > 1) else found).add(source)
    return tuple(sorted(found))


def _rebuilt(graph: Graph, kept: list[int], regions: dict[int, tuple[int, ...]]) -> Graph:
    place: dict[int, int] = {}
    nodes: list[Node] = []
    for index in kept:
        node = graph.nodes[index]
        if index in regions:
            node = _fused(graph, index, regions[index])
        place[index] = len(nodes)
        nodes.append(Node(node.operator, tuple(place[source] for source in node.inputs), node.shape, node.name))
    return Graph(nodes, graph.inference).to(graph.example())


def _fused(graph: Graph, anchor: int, sources: tuple[int, ...]) -> Node:
    node = graph.nodes[anchor]
    if len(sources) == 1 and isinstance(node.operator, Combination) and node.inputs == sources:
        return node
    example = graph.example()
    pending = {anchor: Rows.elements(node, example.device)}
    bias = size = perturbation = torch.zeros(node.size, dtype=torch.float64, device=example.device)
    n_constants = n_inference_roundings = 0
    for index in range(anchor, -1, -1):
        if index not in pending or index in sources:
            continue
        operator = graph.nodes[index].operator
        assert isinstance(operator, Affine)  # noqa: S101
        exact = operator if example.dtype == torch.float64 else double(operator)
        rows = pending.pop(index)
        value, its_size, its_perturbation = rows.times(exact, graph.nodes[index].shape)
        bias, size, perturbation = bias + value, size + its_size, perturbation + its_perturbation
        n_inference_roundings += exact.n_inference_roundings
        n_constants += exact.constant() is not None
        for source, part in zip(graph.nodes[index].inputs, rows.through(exact), strict=True):
            pending[source] = pending[source] + part if source in pending else part
    if n_constants > 1:
        perturbation = perturbation + gamma(n_constants + 1, torch.float64) * size
    shapes = tuple(graph.nodes[source].shape for source in sources)
    parts = [
        pending[source] if source in pending else Rows(bias.new_zeros(node.size, *shape))
        for source, shape in zip(sources, shapes, strict=True)
    ]
    combination = Combination(
        tuple(part.values.flatten(1).detach().to(example.dtype) for part in parts),
        bias.to(example.dtype),
        shapes,
        node.shape,
        tuple(
            None if part.perturbation is None else part.perturbation.flatten(1).detach().to(example.dtype)
            for part in parts
        ),
        perturbation.to(example.dtype) if bool(perturbation.any()) else None,
        n_inference_roundings,
    )
    return Node(combination, sources, node.shape, node.name)


def restrict(graph: Graph, box: Interval) -> tuple[Graph, Tensor]:
    """The network as a function of those inputs alone that are free in a box.

    Args:
        graph: A network.
        box: Bounds of its input, (inputs,).

    Returns:
        The network of the free inputs, fused, and their indices.
    """
    free = (box.upper > box.lower).nonzero().squeeze(1)
    if len(free) == len(box.lower) or not len(free):
        return graph, torch.arange(len(box.lower), device=box.lower.device)
    example = graph.example()
    weight = torch.zeros(len(box.lower), len(free), dtype=example.dtype, device=example.device)
    weight[free, torch.arange(len(free))] = 1
    fixed = box.lower.to(example).clone()
    fixed[free] = 0
    embed = Combination((weight,), fixed, ((len(free),),), graph.input_shape)
    nodes = [Node(None, (), (len(free),), "free inputs"), Node(embed, (0,), graph.input_shape, "inputs")]
    nodes += [Node(n.operator, tuple(i + 1 for i in n.inputs), n.shape, n.name) for n in graph.nodes[1:]]
    return Graph(nodes, graph.inference).to(example), free
