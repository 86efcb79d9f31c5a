"""What the commands do."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from separata import arrays, files
from separata.output import Output, table

from .capture.exporting import trace
from .configs import DrawConfig
from .cost import cost, cost_polynomials
from .drawing import Drawing, check_path
from .execution import run
from .gallery.registry import GALLERY
from .ir import Diagram
from .sources import inputs_of, load, model_named, with_random_values
from .verification import check, check_broadcasts

DIAGRAMS = (".json", ".txt")
MODELS = (".pt2", ".onnx")


def _axes(text: str | None) -> dict[str, str] | None:
    """Names of axes from "x: b c h w; y: b m"."""
    if text is None:
        return None
    found = {}
    for word in text.split(";"):
        name, colon, labels = word.partition(":")
        if not colon:
            raise ValueError(f'axes are named as "x: b c h w", with "; " between inputs, not {word!r}')
        found[name.strip()] = labels.strip()
    return found


def _model(
    factory: str, shapes: str | None, axes: str | None, dtype: torch.dtype | None = None, *, symbolic: bool = False
) -> tuple[Diagram, Any, Any]:
    """The diagram of a model, the model, and its inputs; of a file, only the diagram."""
    if symbolic and factory.endswith((*DIAGRAMS, *MODELS)):
        raise ValueError(f"{factory} has the sizes for which it was written; symbols need the module itself")
    if factory.endswith(DIAGRAMS):
        return load(Path(factory)), None, None
    if factory.endswith(MODELS):
        given = inputs_of(shapes) if shapes is not None else ()
        return _said(lambda: trace(Path(factory), *given, axes=_axes(axes))), None, None
    if factory.startswith("gallery:"):
        name = factory.partition(":")[2]
        if name not in GALLERY:
            raise ValueError(f"the gallery has {', '.join(GALLERY)}, not {name}")
        entry = GALLERY[name]
        module: Any = entry.make().eval()
        inputs = entry.inputs(torch.Generator().manual_seed(0))
        named, title = entry.axes, entry.title
    else:
        if shapes is None:
            raise ValueError(f"say with --input what shape {factory} takes, such as --input 1,3,224,224")
        inputs = inputs_of(shapes)
        module, named, title = model_named(factory), _axes(axes) or {}, None
    if dtype is not None:
        module = module.to(dtype) if isinstance(module, torch.nn.Module) else module
        inputs = tuple(x.to(dtype) if x.dtype.is_floating_point else x for x in inputs)
    named = _axes(axes) or named
    return _said(lambda: trace(module, *inputs, axes=named, name=title, symbolic=symbolic)), module, inputs


def _said(traced: Callable[[], Diagram]) -> Diagram:
    """A diagram, with the warnings of its capture as messages."""
    from separata.progress import Reporter

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        diagram = traced()
    for text in dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, UserWarning)):
        Reporter().say(text)
    return diagram


def _summary(diagram: Diagram, out: Path | None) -> Output:
    kinds: dict[str, int] = {}
    for op in diagram.ops:
        kinds[op.kind] = kinds.get(op.kind, 0) + 1
    value = {"name": diagram.name, "out": str(out) if out else None, "operations": len(diagram.ops), "kinds": kinds}
    told = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
    return Output(value, f"{diagram.name}: {len(diagram.ops)} operations ({told})" + (f", in {out}" if out else ""))


def draw_model(factory: str, config: DrawConfig, *, shapes: str | None, axes: str | None, out: Path) -> Output:
    """Draw a model.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if there is no such model, or it cannot be traced or drawn.
    """
    check_path(out)
    diagram, _, _ = _model(factory, shapes, axes)
    Drawing(diagram, config).save(out)
    return _summary(diagram, out)


def _sizes(text: str) -> dict[str, int]:
    """Sizes from "b=8, h=64"."""
    found = {}
    for word in text.split(","):
        name, equals, size = word.partition("=")
        if not equals or not size.strip().isdigit():
            raise ValueError(f'sizes are given as "b=8, h=64", not {text!r}')
        found[name.strip()] = int(size)
    return found


def cost_of_model(
    factory: str, *, shapes: str | None, axes: str | None, out: Path | None, symbolic: bool, at: str | None
) -> Output:
    """Costs of a model, operation by operation.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if there is no such model, it cannot be traced, or has no symbols.
    """
    sizes = _sizes(at) if at is not None else {}
    if out is not None:
        if out.suffix != ".csv":
            raise ValueError(f"costs are written as .csv, not as {out.name}")
        files.check_writable(out)
    diagram, _, _ = _model(factory, shapes, axes, symbolic=symbolic or at is not None)
    found = cost(diagram, **sizes)
    value = found.to_json()
    totals = {key: value[key] for key in value if key != "rows"}
    if symbolic:
        polynomials = cost_polynomials(diagram)
        for row, polynomial in zip(value["rows"], polynomials.rows, strict=True):
            row["polynomial"] = str(polynomial)
        value["polynomials"] = {"macs": str(polynomials.macs), "element_ops": str(polynomials.element_ops)}
    if out is not None:
        files.write_text(out, files.to_csv(value["rows"]))
    rows = [
        {k: f"{v:,}" if isinstance(v, int) else v for k, v in row.items() if k != "signature"} for row in value["rows"]
    ]
    shown = table(rows, {}).text
    told = "\n".join(f"{key.replace('_', ' ')} {total:,}" for key, total in totals.items())
    if symbolic:
        told += f"\nmacs {value['polynomials']['macs']}\nelement ops {value['polynomials']['element_ops']}"
    return Output(value, f"{shown}\n\n{told}")


def check_model(factory: str, *, shapes: str | None, axes: str | None) -> Output:
    """Compare a diagram with its model, and test its broadcasts numerically.

    Raises:
        ValueError: if there is no such model, it is a diagram, or it cannot be traced.
    """
    diagram, module, inputs = _model(factory, shapes, axes, torch.float64)
    if factory.endswith(DIAGRAMS):
        raise ValueError(f"{factory} is a diagram alone; check compares a model with its diagram")
    if module is None:
        diagram = _doubled(with_random_values(diagram))
        inputs = _inputs(diagram, None, 0)
        error = None
    else:
        error = check(diagram, module, *inputs)
    report = check_broadcasts(diagram, *inputs)
    value = {
        "error": error if error is not None and np.isfinite(error) else None,
        "confirmed": report.confirmed,
        "refuted": report.refuted,
        "wrong": [list(one) for one in report.wrong],
        "missed": [list(one) for one in report.missed],
    }
    lines = [
        "a file has no module to compare with" if error is None else f"largest error {error:.3e} in float64",
        f"{report.confirmed} axes pass operations as drawn, {report.refuted} are acted on as drawn",
    ]
    lines += [f"operation {op} is drawn as broadcast over {axis}, but acts on it" for op, axis in report.wrong]
    lines += [
        f"operation {op} is drawn as acting on {axis}, but at these values does not" for op, axis in report.missed
    ]
    return Output(value, "\n".join(lines), int(bool(report.wrong) or not (error is None or error < 1e-6)))


def _doubled(diagram: Diagram) -> Diagram:
    """The diagram with inputs and values of float64, in which broadcasts are tested."""

    def double(value: torch.Tensor) -> torch.Tensor:
        return value.double() if value.dtype.is_floating_point else value

    inputs = tuple(
        replace(a, dtype="float64") if a.dtype in ("float32", "float16", "bfloat16") else a for a in diagram.inputs
    )
    return replace(diagram, inputs=inputs, values={i: double(value) for i, value in diagram.values.items()})


def run_diagram(path: Path, *, weights: Path | None, inputs: Path | None, seed: int, out: Path | None) -> Output:
    """Compute what a diagram gives.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the text is wrong, or inputs or weights do not fit.
    """
    if out is not None:
        if out.suffix != ".npz":
            raise ValueError(f"outputs are written as .npz, not as {out.name}")
        files.check_writable(out)
    found = _said(lambda: trace(path)) if path.suffix in MODELS else load(path, weights)
    diagram = with_random_values(found, seed)
    given = _inputs(diagram, inputs, seed)
    with torch.no_grad():
        known = run(diagram, *given)
    names = [a.name or f"output{i}" for i, a in enumerate(diagram.outputs)]
    computed = {name: known[a.id].numpy() for name, a in zip(names, diagram.outputs, strict=True)}
    if out is not None:
        with files.replacing(out) as part, part.open("wb") as file:
            np.savez(file, **computed)  # type: ignore[arg-type]
    rows = [
        {
            "output": name,
            "shape": "×".join(map(str, x.shape)) or "scalar",
            "mean": _finite(x.mean()),
            "std": _finite(x.std()),
        }
        for name, x in computed.items()
    ]
    return table(rows)


def _finite(value: Any) -> float | None:  # noqa: ANN401 - a number
    return float(value) if np.isfinite(value) else None


def _inputs(diagram: Diagram, path: Path | None, seed: int) -> list[torch.Tensor]:
    from .arguments import DTYPES

    if path is None:
        generator = torch.Generator().manual_seed(seed)
        return [
            torch.randn(a.shape, generator=generator).to(DTYPES[a.dtype])
            if DTYPES[a.dtype].is_floating_point
            else torch.zeros(a.shape, dtype=DTYPES[a.dtype])
            for a in diagram.inputs
        ]
    found = arrays.load_npz(path)
    given = []
    for a in diagram.inputs:
        if a.name not in found:
            raise ValueError(f"{path} has no array {a.name}, which {diagram.name} takes")
        given.append(torch.from_numpy(np.asarray(found[a.name])).to(DTYPES[a.dtype]))
    return given


def backward_of_model(factory: str, config: DrawConfig, *, shapes: str | None, axes: str | None, out: Path) -> Output:
    """Draw the back-propagation of a model.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if there is no such model, it cannot be traced, or has no gradient.
    """
    from .backward import backward

    check_path(out)
    diagram, _, _ = _model(factory, shapes, axes)
    found = backward(with_random_values(diagram))
    Drawing(found, config).save(out)
    return _summary(found, out)


def draw_gallery(config: DrawConfig, *, only: str | None, out: Path, suffix: str) -> Output:
    """Draw the gallery.

    Raises:
        ValueError: if an architecture is not in it, or files of the kind cannot be written.
    """
    names = list(GALLERY) if only is None else [name.strip() for name in only.split(",")]
    if unknown := [name for name in names if name not in GALLERY]:
        raise ValueError(f"the gallery has {', '.join(GALLERY)}, not {unknown[0]}")
    check_path(out / f"{names[0]}.{suffix.removeprefix('.')}")
    rows = []
    for name in names:
        diagram, _, _ = _model(f"gallery:{name}", None, None)
        path = Drawing(diagram, config).save(out / f"{name}.{suffix.removeprefix('.')}")
        rows.append(
            {"architecture": name, "operations": len(diagram.ops), "macs": cost(diagram).macs, "file": str(path)}
        )
    return table(rows)
