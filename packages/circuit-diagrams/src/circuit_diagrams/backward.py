"""Back-propagation as a diagram: from inputs and the gradient of the outputs to the gradients of what is learned."""

from typing import Any

import torch
from torch import Tensor

from .execution import run
from .ir import Diagram


def backward(diagram: Diagram) -> Diagram:
    """The diagram that computes gradients.

    It takes the inputs of the diagram and one gradient for each of its outputs, and returns the gradients of its
    inputs of real numbers and of its learned arrays, in this order. It holds the forward computation, as far as the
    backward one needs it: the wires between the two are the activations that are saved. By the chain rule each linear
    operation is transposed, copies become sums and sums copies.

    Raises:
        ValueError: if values are missing, or an operation has no derivative.
    """
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch.nn.attention import SDPBackend, sdpa_kernel

    from .capture.graphs import Builder, Source

    learned = [a for a in diagram.parameters if a.role == "parameter"]
    if missing := [a.name for a in diagram.parameters if a.id not in diagram.values]:
        raise ValueError(f"the gradients of {diagram.name} need the value of {missing[0]}, which is not there")
    inputs = tuple(_sample(a) for a in diagram.inputs)
    real = [i for i, x in enumerate(inputs) if x.dtype.is_floating_point]
    values = {a.id: diagram.values[a.id].detach() for a in learned}
    shapes = run(diagram, *inputs)
    gradients = tuple(torch.ones_like(shapes[a.id]) for a in diagram.outputs)

    def compute(xs: tuple[Tensor, ...], dys: tuple[Tensor, ...], own: dict[int, Tensor]) -> list[Tensor]:
        leaves = [xs[i].detach().requires_grad_() for i in real]
        weights = {i: w.detach().requires_grad_() for i, w in own.items()}
        full = list(xs)
        for i, leaf in zip(real, leaves, strict=True):
            full[i] = leaf
        from dataclasses import replace

        with torch.enable_grad():
            known = run(replace(diagram, values={**diagram.values, **weights}), *full)
            wanted = [*leaves, *weights.values()]
            outputs = [known[a.id] for a in diagram.outputs]
            found = torch.autograd.grad(outputs, wanted, dys, allow_unused=True)
        return [torch.zeros_like(w) if g is None else g for g, w in zip(found, wanted, strict=True)]

    try:
        with sdpa_kernel(SDPBackend.MATH):
            graph = make_fx(compute, tracing_mode="real")(inputs, gradients, values)
    except RuntimeError as error:
        raise ValueError(f"{diagram.name} has no gradient: {str(error).splitlines()[0]}") from error
    names = [a.name or f"x{i}" for i, a in enumerate(diagram.inputs)]
    names += [f"d{a.name}" if a.name else "dy" for a in diagram.outputs]
    placeholders = [node for node in graph.graph.nodes if node.op == "placeholder"]
    sources: dict[str, Source] = {}
    everything: list[Any] = [*inputs, *gradients, *values.values()]
    for i, (node, value) in enumerate(zip(placeholders, everything, strict=True)):
        node.meta["val"] = value
        if i < len(names):
            sources[node.name] = Source(names[i], "data")
        else:
            sources[node.name] = Source(learned[i - len(names)].name, "parameter", value)
    for node in graph.graph.nodes:
        if node.op == "get_attr":
            node.meta["val"] = getattr(graph, str(node.target))
            sources[node.name] = Source(str(node.target), "constant", node.meta["val"])
    return Builder(f"{diagram.name}, backward", sources, {}).build(graph.graph)


def _sample(array: Any) -> Tensor:  # noqa: ANN401 - an array
    """Any tensor of an array's shape and type."""
    from .arguments import DTYPES

    dtype = DTYPES[array.dtype]
    if not dtype.is_floating_point:
        return torch.zeros(array.shape, dtype=dtype)
    return torch.randn(array.shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
