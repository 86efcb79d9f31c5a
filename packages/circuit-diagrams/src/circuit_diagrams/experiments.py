"""How the claims are measured."""

import warnings
from dataclasses import replace
from xml.etree import ElementTree as ET

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from separata import Run, experiment

from .backward import backward
from .capture.exporting import trace
from .code import to_torch
from .configs import GalleryConfig
from .cost import cost, cost_polynomials
from .drawing import Drawing
from .execution import run as execute
from .gallery.registry import GALLERY, Entry
from .ir import Diagram
from .measurement import counted_flops, hooked_shapes, measured_peak, unfused
from .memory import n_bytes, storages
from .render.raster import to_figure
from .simplify import simplify
from .sources import with_random_values
from .text.parser import parse
from .text.writer import to_text
from .verification import check_broadcasts, is_linear

SMOKE = GalleryConfig(("attention", "multi-head-attention", "identity-block"))
QUICK = GalleryConfig(tuple(name for name in GALLERY if name != "resnet50"))
ALL = GalleryConfig(tuple(GALLERY))
FIGURES = ("multi-head-attention", "identity-block")
"""Architectures whose pictures are kept."""
LINEAR_KINDS = {"linear", "rearrange", "join"}


def _traced(
    name: str, run: Run, seed: int, dtype: torch.dtype = torch.float64
) -> tuple[Entry, nn.Module, tuple[Tensor, ...], Diagram]:
    """One architecture with random weights and inputs, and its diagram."""
    entry, generator = GALLERY[name], run.generator(seed, name)
    torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
    module = entry.make().eval().to(dtype)
    inputs = entry.inputs(generator, dtype)
    return entry, module, inputs, trace(module, *inputs, axes=entry.axes, name=entry.title)


def _outputs(module: nn.Module | Diagram, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    with unfused():
        return [t for t in tree_leaves(module(*inputs)) if isinstance(t, Tensor)]


def _error(found: list[Tensor], wanted: list[Tensor]) -> float:
    """The largest difference, relative to the largest value."""
    return max(
        float((a.double() - b.double()).abs().max() / b.double().abs().max().clamp_min(1e-30))
        for a, b in zip(found, wanted, strict=True)
    )


@experiment("coverage", smoke=QUICK)
def coverage(config: GalleryConfig, run: Run) -> None:
    for seed in run.seeds:
        opaque = invalid = 0
        for name in config.names:
            _, _, _, diagram = _traced(name, run, seed)
            opaque += sum(op.kind == "opaque" for op in diagram.ops)
            try:
                ET.fromstring(Drawing(diagram).svg)  # noqa: S314 - our own text
            except ET.ParseError:
                invalid += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lstm = trace(nn.LSTM(3, 4), torch.randn(5, 2, 3, generator=run.generator(seed)))
        closed = sum(op.kind == "opaque" for op in lstm.ops)
        if seed == run.seeds[0]:
            for name in FIGURES:
                drawing = Drawing(_traced(name, run, seed)[3])
                run.figure(name, to_figure(drawing.scene()), caption=f"{GALLERY[name].title}, as it is drawn.")
        run.measure("coverage", architectures=len(config.names), opaque=opaque, invalid=invalid, control=closed)


@experiment("code", smoke=SMOKE, quick=QUICK)
def correspondence(config: GalleryConfig, run: Run) -> None:
    for seed in run.track(run.seeds, "seeds"):
        errors: dict[str, list[float]] = {"diagram": [], "text": [], "generated": [], "control": []}
        for name in config.names:
            _, module, inputs, diagram = _traced(name, run, seed)
            wanted = _outputs(module, inputs)
            errors["diagram"].append(_error(_outputs(diagram, inputs), wanted))
            read = replace(parse(to_text(diagram)), values=diagram.values)
            errors["text"].append(_error(_outputs(read, inputs), wanted))
            errors["generated"].append(_error(_outputs(_generated(diagram, module), inputs), wanted))
            learned = [a for a in diagram.parameters if a.role == "parameter" and len(a.shape) > 1]
            if learned:
                kept = {i: v for i, v in diagram.values.items() if i != learned[0].id}
                other = with_random_values(replace(diagram, values=kept), seed)
                errors["control"].append(_error(_outputs(other, inputs), wanted))
        control = min(errors.pop("control"))
        run.measure("code", **{key: max(found) for key, found in errors.items()}, control=control)


def _generated(diagram: Diagram, module: nn.Module) -> nn.Module:
    """The module of the code that is generated, with the weights of the original."""
    space: dict[str, object] = {}
    exec(to_torch(diagram), space)  # noqa: S102 - the code that is measured
    made = next(v for v in space.values() if isinstance(v, type) and issubclass(v, nn.Module))()
    made.load_state_dict(module.state_dict(), strict=False)
    return made.eval()


@experiment("arrangement", smoke=SMOKE, quick=QUICK)
def arrangement(config: GalleryConfig, run: Run) -> None:
    for seed in run.seeds:
        n = wrong = other = columns = bad = 0
        for name in config.names:
            _, module, inputs, diagram = _traced(name, run, seed)
            drawn = _shapes(diagram)
            hooked = hooked_shapes(module, *inputs)
            for path, shapes in hooked.items():
                if path in drawn:
                    n += len(shapes)
                    wrong += sum(a != b for a, b in zip(drawn[path], shapes, strict=False))
                    other += sum(a != (b[0] + 1, *b[1:]) for a, b in zip(drawn[path], shapes, strict=False))
            found = _columns(diagram)
            columns += len(found)
            bad += sum(a != b for a, b in found)
        run.measure("arrangement", shapes=wrong / n, columns=bad / columns, control=other / n)


def _shapes(diagram: Diagram) -> dict[str, list[tuple[int, ...]]]:
    """Shapes of what the operations of each module give, by its path; of several, the last one's."""
    found: dict[str, list[tuple[int, ...]]] = {}
    before = None
    for op in diagram.ops:
        path = ".".join(op.region)
        if path == before and len(found[path]):
            found[path][-1] = op.outputs[0].shape
        else:
            found.setdefault(path, []).append(op.outputs[0].shape)
        before = path
    return found


def _columns(diagram: Diagram) -> list[tuple[int, int]]:
    """For each data column, the wires in the picture and the axes of the arrays that are alive."""
    drawing = Drawing(diagram)
    layout = drawing.layout()
    picture = ET.fromstring(drawing.svg)  # noqa: S314 - our own text
    found = []
    for group in picture.iter("{http://www.w3.org/2000/svg}g"):
        if group.get("class") in {"data", "data again"}:
            column = int(group.get("data-column", "0"))
            wires = sum(path.get("class") == "wire" for path in group.iter("{http://www.w3.org/2000/svg}path"))
            alive = layout.columns.alive(column)
            found.append((wires, sum(len(layout.columns.arrays[i].axes) for i in alive)))
    return found


@experiment("broadcasting", smoke=SMOKE, quick=QUICK)
def broadcasting(config: GalleryConfig, run: Run) -> None:
    for seed in run.track(run.seeds, "seeds"):
        confirmed = wrong = refuted = missed = right = pairs = 0
        for name in config.names:
            _, _, inputs, diagram = _traced(name, run, seed)
            report = check_broadcasts(diagram, *inputs, generator=run.generator(seed, name))
            confirmed, wrong = confirmed + report.confirmed, wrong + len(report.wrong)
            refuted, missed = refuted + report.refuted, missed + len(report.missed)
            for op in diagram.ops:
                links = {(link.axis.id, k) for link in op.broadcast for k in link.inputs}
                for k, a in enumerate(op.inputs):
                    for x in a.axes:
                        for y in op.outputs[0].axes:
                            if x.size == y.size > 1:
                                pairs += 1
                                right += x == y and (x.id, k) in links
        run.measure(
            "broadcasting",
            passing=confirmed / (confirmed + wrong),
            acted=refuted / (refuted + missed),
            by_size=right / pairs,
        )


@experiment("linearity", smoke=SMOKE, quick=QUICK)
def linearity(config: GalleryConfig, run: Run) -> None:
    for seed in run.track(run.seeds, "seeds"):
        generator = run.generator(seed)
        linear: list[bool] = []
        curved: list[bool] = []
        for name in config.names:
            _, _, inputs, diagram = _traced(name, run, seed)
            known = execute(diagram, *inputs, keeps_all=True)
            for op in diagram.ops:
                if op.kind in LINEAR_KINDS and op.inputs:
                    linear.append(is_linear(op, known, generator))
                elif op.kind == "reduce" or op.name in {"relu", "gelu"}:
                    curved.append(not is_linear(op, known, generator))
        q, k = (torch.randn(n, 4, 3, generator=generator, dtype=torch.float64) for n in (5, 6))
        diagram = trace(_scores, q, k, axes={"q": "y k h", "k": "x k h"}, name="scores")
        merged = simplify(diagram)
        run.measure(
            "linearity",
            linear=sum(linear) / len(linear),
            nonlinear=sum(curved) / max(len(curved), 1),
            error=_error([merged(q, k)], [torch.einsum("ykh,xkh->yxh", q, k)]),
            before=len(diagram.ops),
            after=len(merged.ops),
        )


def _scores(q: Tensor, k: Tensor) -> Tensor:
    """Scores of attention in small linear steps."""
    transposed = k.permute(1, 2, 0)
    outer = torch.einsum("ykh,lgx->ykhlgx", q, transposed)
    diagonal = torch.einsum("ykhlhx->ykhlx", outer)
    return torch.einsum("ykhkx->yxh", diagonal)


@experiment("complexity", smoke=SMOKE, quick=QUICK)
def complexity(config: GalleryConfig, run: Run) -> None:
    for seed in run.track(run.seeds, "seeds"):
        flops, peaks, naive = [], [], []
        for name in config.names:
            _, module, inputs, diagram = _traced(name, run, seed, torch.float32)
            table = cost(diagram)
            counted, peak = counted_flops(module, *inputs), measured_peak(module, module, *inputs)
            home = storages(diagram)
            every = sum(n_bytes(a) for a in diagram.arrays.values() if a.role == "data" and home[a.id] == a.id)
            flops.append(abs(table.flops - counted) / counted)
            peaks.append(abs(table.peak_bytes - peak) / peak)
            naive.append(abs(every - peak) / peak)
        run.measure(
            "complexity",
            flops=max(flops),
            polynomial=max(_polynomial_error(*one) for one in SYMBOLIC),
            peak=max(peaks),
            median=sorted(peaks)[len(peaks) // 2],
            naive=max(naive),
        )


SYMBOLIC = (
    ("multi-head-attention", {"y": "y m", "x": "x m"}, ({"y": 1, "x": 9}, {"y": 33, "x": 7}, {"y": 64, "x": 64})),
    ("identity-block", {"x": "b c h 8"}, ({"b": 1, "h": 5}, {"b": 7, "h": 9}, {"b": 4, "h": 32})),
)
"""Architectures, names of their axes, and sizes other than those at which they are traced."""


def _polynomial_error(name: str, axes: dict[str, str], others: tuple[dict[str, int], ...]) -> float:
    """Relative difference of multiply-adds, as a polynomial in sizes, from PyTorch's counter at other sizes."""
    entry = GALLERY[name]
    module = entry.make().eval()
    diagram = trace(module, *entry.inputs(torch.Generator().manual_seed(0)), axes=axes, symbolic=True)
    macs = cost_polynomials(diagram).macs
    errors = []
    for sizes in others:
        counted = counted_flops(module, *(torch.zeros(a.shape) for a in diagram.at(**sizes).inputs))
        errors.append(abs(float(2 * macs(**sizes)) - counted) / counted)
    return max(errors)


@experiment("backpropagation", smoke=GalleryConfig(("attention", "identity-block")), quick=QUICK)
def backpropagation(config: GalleryConfig, run: Run) -> None:
    for seed in run.track(run.seeds, "seeds"):
        errors, controls = [], []
        for name in config.names:
            _, module, inputs, diagram = _traced(name, run, seed)
            generator = run.generator(seed, name)
            found = backward(diagram)
            xs = [x.clone().requires_grad_(x.dtype.is_floating_point) for x in inputs]
            named = dict(module.named_parameters())
            wanted_of = [x for x in xs if x.requires_grad]
            wanted_of += [named[a.name] for a in diagram.parameters if a.role == "parameter"]
            y = module(*xs)
            dy, other = (torch.randn(y.shape, generator=generator, dtype=y.dtype) for _ in range(2))
            wanted = list(torch.autograd.grad(y, wanted_of, dy))
            errors.append(_scaled(tree_leaves(found(*inputs, dy)), wanted))
            controls.append(_scaled(tree_leaves(found(*inputs, other)), wanted))
        ratios = [_ratio(module, x) for module, x in _linear_modules(run.generator(seed))]
        run.measure(
            "backpropagation",
            error=max(errors),
            control=min(controls),
            smallest=min(ratios),
            largest=max(ratios),
        )


def _scaled(found: list[Tensor], wanted: list[Tensor]) -> float:
    """The largest difference, relative to the largest of all gradients."""
    scale = max(float(b.abs().max()) for b in wanted)
    return max(float((a - b).abs().max()) for a, b in zip(found, wanted, strict=True)) / scale


def _linear_modules(generator: torch.Generator) -> list[tuple[nn.Module, Tensor]]:
    """Learned linear operations, and inputs for them."""
    image = torch.randn(2, 4, 8, 8, generator=generator)
    return [
        (nn.Linear(6, 5), torch.randn(3, 6, generator=generator)),
        (nn.Conv2d(4, 6, 3, stride=2, padding=1), image),
        (nn.Conv2d(4, 8, 3, groups=2), image),
        (nn.ConvTranspose2d(4, 6, 2, stride=2), image),
    ]


def _ratio(module: nn.Module, x: Tensor) -> float:
    """Cost of the backward pass in forward passes; what the forward pass gives is not needed for it."""
    diagram = trace(module, x)
    return cost(backward(diagram)).macs / cost(diagram).macs
