"""The command `info`."""

from collections import Counter
from pathlib import Path
from typing import Any

import torch

from bab_verify.bounds.propagation import Propagator
from bab_verify.frontends.onnx_files import read_model
from bab_verify.frontends.onnx_import import graph_from_model
from bab_verify.graph import Graph
from bab_verify.intervals import Interval
from bab_verify.operators.relaxation import Nonlinear
from bab_verify.properties.specification import Query, Specification
from bab_verify.properties.vnnlib import load_vnnlib
from separata.output import Output
from separata.progress import Reporter


def info(network: Path, prop: Path | None) -> Output:
    """What a network is made of, and what a property asks of it."""
    model = read_model(network)
    graph = graph_from_model(model, str(network), torch.float64)
    operators = Counter(node.op_type for node in model.graph.node)
    neurons: Counter[str] = Counter()
    for node in graph.nodes:
        if isinstance(node.operator, Nonlinear):
            neurons[type(node.operator).__name__] += node.size
    numbers = [x.numel() for x in graph.state_dict().values() if x.is_floating_point()]
    value: dict[str, Any] = {
        "input_shape": list(graph.input_shape),
        "output_shape": list(graph.output_shape),
        "operators": dict(sorted(operators.items())),
        "parameters": sum(numbers),
        "nonlinear": dict(sorted(neurons.items())),
    }
    lines = [
        f"input       {list(graph.input_shape)}",
        f"output      {list(graph.output_shape)}",
        f"operators   {_counted(operators)}",
        f"parameters  {sum(numbers)}",
        f"nonlinear   {_counted(neurons)}",
    ]
    if prop is not None:
        described = describe(graph, load_vnnlib(prop, graph.n_inputs, graph.n_outputs))
        value["property"] = described
        lines += [
            f"boxes       {described['boxes']}",
            f"clauses     {described['clauses']}, of {described['rows']} rows",
            f"free inputs {described['free_inputs']} of {graph.n_inputs}",
            f"unstable    {_counted(described['unstable'])}",
        ]
    return Output(value, "\n".join(lines))


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(counts.items())) or "none"


def describe(graph: Graph, specification: Specification) -> dict[str, Any]:
    """How large a property is; of several boxes, the one with the most free inputs and unstable neurons."""
    queries = specification.queries
    clauses = [clause for query in queries for clause in query.clauses]
    reporter = Reporter()
    found = [unstable(graph, query) for query in reporter.track(queries, "boxes")]
    return {
        "boxes": len(queries),
        "clauses": len(clauses),
        "rows": sum(len(clause.d) for clause in clauses),
        "free_inputs": max(int((query.upper > query.lower).sum()) for query in queries),
        "unstable": max(found, key=lambda counts: sum(counts.values())),
    }


def unstable(graph: Graph, query: Query) -> dict[str, int]:
    """How many elements of each kind of operation are worth splitting, under bounds by CROWN."""
    propagator = Propagator(graph)
    with torch.no_grad():
        known, _ = propagator.crown(Interval(query.lower[None], query.upper[None]))
    counts: Counter[str] = Counter()
    for index in propagator.nonlinear:
        operator, inputs = propagator.operator(index), propagator.inputs_of(index, known)
        masks = [operator.splittable(inputs, i) for i in range(operator.arity)]
        counts[type(operator).__name__] += int(torch.stack(masks).any(0).sum())
    return dict(sorted(counts.items()))
