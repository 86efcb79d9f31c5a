"""Modules as diagrams: traced by `torch.export`, or, where that cannot, recorded as they run."""

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export.graph_signature import InputKind, OutputKind

from circuit_diagrams.elements import Role
from circuit_diagrams.ir import Diagram

from .expansion import expand_attention
from .functional import without_writing
from .graphs import Builder, Source

ROLES: dict[InputKind, Role] = {
    InputKind.PARAMETER: "parameter",
    InputKind.BUFFER: "buffer",
    InputKind.CONSTANT_TENSOR: "constant",
}


class _Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any) -> Any:  # noqa: ANN401
        return self.function(*args)


def trace(
    module: nn.Module | Callable[..., Any] | str | Path,
    *args: Any,  # noqa: ANN401 - whatever the module takes
    axes: Mapping[str, str] | None = None,
    name: str | None = None,
    expand: bool = True,
    symbolic: bool = False,
    **kwargs: Any,  # noqa: ANN401
) -> Diagram:
    """The diagram of a module, as it is called with these arguments.

    It is traced in evaluation mode, in which dropout does nothing, and its mode is given back. No memory is needed
    beyond that of the module; on the device `meta` none is.

    Args:
        module: A module, a function of tensors, or a file: .pt2 of `torch.export.save`, or .onnx.
        args: Its arguments. A .pt2 file needs none, an ONNX file only where it leaves sizes open.
        axes: Names of the axes of inputs by the names of its arguments, `{"x": "b c h w"}`; those of one name are one.
        name: Name of the diagram; that of the class by default.
        expand: Whether scaled dot-product attention is written out as its products and softmax, or is one box.
        symbolic: Whether sizes become polynomials in those of the named axes, `diagram.at(h=64)`. The module is traced
            again at other sizes, twice for each axis that may vary: with n of them, about 2^n times.
        kwargs: Further arguments.

    Raises:
        ValueError: if it cannot be called with the arguments, returns something else than tensors, or `axes` does not
            fit the inputs; if a file is none of its kind.
        OSError: if a file cannot be read.
    """
    if symbolic:
        return _symbolic(module, args, kwargs, axes or {}, name, expand=expand)
    if isinstance(module, str | Path):
        return _of_file(Path(module), args, axes or {}, name, expand=expand)
    if not isinstance(module, nn.Module):
        name = name or getattr(module, "__name__", "function")
        module = _Function(module)
    if not any(isinstance(leaf, Tensor) for leaf in torch.utils._pytree.tree_leaves((args, kwargs))):
        raise ValueError(f"{type(module).__name__} is traced with tensors, but none was given")
    args, kwargs = _apart(args, kwargs)
    with _evaluating(module):
        try:
            program = torch.export.export(module, args, kwargs or None, strict=False)
            if not without_writing(program.graph):
                program = _decomposed(program)
            graph, sources = program.graph, _sources(program)
        except Exception as error:  # noqa: BLE001 - export raises errors of many kinds
            graph, sources = _recorded(module, args, kwargs, error)
    if isinstance(module, _Function):
        sources = _named_after(module.function, sources)
    return Builder(name or type(module).__name__, sources, axes or {}).build(
        expand_attention(graph) if expand else graph
    )


def _apart(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments, in which no tensor stands twice: as self-attention's inputs, they would be taken for one."""
    seen: set[int] = set()

    def once(leaf: Any) -> Any:  # noqa: ANN401
        if not isinstance(leaf, Tensor):
            return leaf
        is_first = id(leaf) not in seen
        seen.add(id(leaf))
        return leaf if is_first else leaf.detach()

    found: tuple[tuple[Any, ...], dict[str, Any]] = torch.utils._pytree.tree_map(once, (args, kwargs))
    return found


def _symbolic(
    module: Any,  # noqa: ANN401 - a module or a function
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    axes: Mapping[str, str],
    name: str | None,
    *,
    expand: bool,
) -> Diagram:
    """A diagram whose sizes are polynomials."""
    from .symbolic import with_symbols

    if isinstance(module, str | Path):
        raise ValueError(f"{module} has the sizes for which it was written; symbols need the module itself")
    leaves, spec = torch.utils._pytree.tree_flatten((args, kwargs))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]

    def given(tensors: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        full = list(leaves)
        for i, tensor in zip(places, tensors, strict=True):
            full[i] = tensor
        found: tuple[tuple[Any, ...], dict[str, Any]] = torch.utils._pytree.tree_unflatten(full, spec)
        return found

    def traced(tensors: list[Tensor]) -> Diagram:
        own, named = given(tensors)
        return trace(module, *own, axes=axes, name=name, expand=expand, **named)

    def run(*tensors: Tensor) -> Any:  # noqa: ANN401
        own, named = given(tensors)
        return module(*own, **named)

    base = traced([leaves[i] for i in places])
    with _evaluating(module) if isinstance(module, nn.Module) else nullcontext():
        return with_symbols(base, axes, [leaves[i] for i in places], traced, run)


def _of_file(path: Path, args: tuple[Any, ...], axes: Mapping[str, str], name: str | None, *, expand: bool) -> Diagram:
    """The diagram of a model in a file."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if path.suffix == ".onnx":
        from .onnx_models import read_onnx

        graph, sources = read_onnx(path, args)
        return Builder(name or path.stem, sources, axes).build(graph)
    if path.suffix != ".pt2":
        raise ValueError(f"models are read from .pt2 and .onnx files, not from {path.name}")
    from .pt2 import read_pt2

    graph, sources, title = read_pt2(path)
    if not without_writing(graph):
        raise ValueError(
            f"{path} writes into arrays of which there are views; export it after run_decompositions({{}})"
        )
    taken = [
        node.meta["val"].shape for node in graph.nodes if node.name in sources and sources[node.name].role == "data"
    ]
    given = [x.shape for x in args]
    if given and given != taken:
        raise ValueError(f"{path} was exported for inputs of the shapes {_told(taken)}, not {_told(given)}")
    return Builder(name or title, sources, axes).build(expand_attention(graph) if expand else graph)


def _told(shapes: list[torch.Size]) -> str:
    return ", ".join("×".join(map(str, shape)) or "scalar" for shape in shapes)


def _named_after(function: Callable[..., Any], sources: dict[str, Source]) -> dict[str, Source]:
    """Inputs under the names that a function has for them, where each is one tensor."""
    given = [key for key, source in sources.items() if source.role == "data"]
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return sources
    renamed = dict(zip(given, names, strict=False)) if len(names) >= len(given) else {}
    return {key: replace(source, name=renamed.get(key, source.name)) for key, source in sources.items()}


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode, and no fused kernels that hide what attention does."""
    modes = {one: one.training for one in module.modules()}
    random = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
    if any(mode and isinstance(one, random) for one, mode in modes.items()):
        warnings.warn("drawn in evaluation mode: dropout is off, batch norm uses its running statistics", stacklevel=3)
    is_fast = torch.backends.mha.get_fastpath_enabled()
    module.eval()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(is_fast)
        for one, mode in modes.items():
            one.training = mode


def _decomposed(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """A program that writes into nothing; new values of what it wrote into are no outputs of the module."""
    program = program.run_decompositions({})
    (end,) = program.graph.find_nodes(op="output")
    found = zip(end.args[0], program.graph_signature.output_specs, strict=True)
    end.args = (tuple(value for value, spec in found if spec.kind == OutputKind.USER_OUTPUT),)
    return program


def _sources(program: torch.export.ExportedProgram) -> dict[str, Source]:
    """What each placeholder of a traced program is."""
    found = {}
    for spec in program.graph_signature.input_specs:
        placeholder = getattr(spec.arg, "name", None)
        if placeholder is None:
            continue
        if spec.kind == InputKind.USER_INPUT:
            found[placeholder] = Source(placeholder, "data")
        elif spec.kind in ROLES:
            target = str(spec.target)
            value = program.state_dict.get(target, program.constants.get(target))
            found[placeholder] = Source(target, ROLES[spec.kind], value if isinstance(value, Tensor) else None)
    return found


def _recorded(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception
) -> tuple[fx.Graph, dict[str, Source]]:
    """The operations of one run, where the module cannot be traced.

    Raises:
        ValueError: if it does not run either.
    """
    from torch.fx.experimental.proxy_tensor import make_fx

    leaves, spec = torch.utils._pytree.tree_flatten((args, kwargs))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]

    def run(*tensors: Tensor) -> Any:  # noqa: ANN401
        full = list(leaves)
        for i, tensor in zip(places, tensors, strict=True):
            full[i] = tensor
        own, named = torch.utils._pytree.tree_unflatten(full, spec)
        return module(*own, **named)

    try:
        recorded = make_fx(run, tracing_mode="real", pre_dispatch=True, _error_on_data_dependent_ops=False)(
            *(leaves[i] for i in places)
        )
    except Exception as second:  # noqa: BLE001 - whatever the user's module raises
        raise ValueError(_reason(module, second)) from error
    reason = str(error).strip().splitlines()
    told = reason[0][:160] if reason else type(error).__name__
    warnings.warn(f"recorded as it ran on these inputs, since torch.export cannot trace it: {told}", stacklevel=3)
    names = {id(p): (n, "parameter") for n, p in module.named_parameters()}
    names.update({id(b): (n, "buffer") for n, b in module.named_buffers()})
    sources: dict[str, Source] = {}
    for node in recorded.graph.nodes:
        if node.op == "placeholder":
            sources[node.name] = Source(f"x{len(sources)}", "data")
        elif node.op == "get_attr":
            value = getattr(recorded, str(node.target))
            label, role = names.get(id(value), (str(node.target), "constant"))
            sources[node.name] = Source(label, role, value)  # type: ignore[arg-type]
            node.meta["val"] = value
    for node, i in zip((n for n in recorded.graph.nodes if n.op == "placeholder"), places, strict=True):
        node.meta.setdefault("val", leaves[i])
    return recorded.graph, sources


def _reason(module: nn.Module, error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    takes = str(inspect.signature(module.forward)).split(" -> ")[0]
    return f"{type(module).__name__} cannot be called with these arguments ({lines[0][:200]}); it takes {takes}"
