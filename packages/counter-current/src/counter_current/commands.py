"""What the commands do."""

from pathlib import Path

import torch
from torch import Tensor

from separata import files
from separata.labeled import LabeledDataset
from separata.output import Output, finite, listing, table
from separata.progress import Reporter

from . import runs
from .configs import AUTOENCODER_RULES, RULES, Changes, DataShape, PresetName, RuleName, preset
from .diagnostics.alignment import alignment_map, class_matched, top_alignment, weight_alignment
from .diagnostics.flops import count_training_flops
from .evaluation import evaluate, predict
from .export import save_onnx
from .networks.architectures import make_network
from .networks.dual import CounterCurrentNetwork
from .samples import Part, load_data, load_part, matched_data

N_STAGES = 4
"""Stages of a training that are drawn."""
N_EMBEDDED = 1000
"""Samples of which features are drawn."""
N_COMPARED = 256
"""Samples on which the two directions are compared."""


def train(
    source: str,
    out: Path,
    changes: Changes,
    *,
    name: PresetName,
    size: int | None,
    device: str,
    resume: bool,
) -> Output:
    """Train a network on a data set of the user's own, or by name.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or a file is wrong, the training diverges, or the folder holds another one.
    """
    config = changes.applied(preset(name, changes.rule or "ccl"))
    data = load_data(source, is_autoencoder=config.is_autoencoder, seed=config.train.seed, size=size)
    report = runs.train(data, out, config, device=device, resume=resume, reporter=Reporter(), size=size)
    value = {
        "out": str(report.out),
        "rule": config.rule,
        "test_loss": finite(report.test.loss),
        "test_accuracy": report.test.accuracy,
        "steps": report.steps,
        "n_parameters": report.n_parameters,
    }
    accuracy = report.test.accuracy
    done = f"mean squared error {report.test.loss:.4g}" if accuracy is None else f"accuracy {100 * accuracy:.2f} %"
    return Output(value, f"{report.out}: test {done} after {report.steps:,} steps by {RULES[config.rule]}")


def evaluate_run(
    run: Path, source: str, *, part: Part, predictions: Path | None, plot: Path | None, device: str
) -> Output:
    """How well a trained network does on a part of a data set; its predictions, and a picture.

    Raises:
        FileNotFoundError: if there is no such training or data.
        ValueError: if a file is wrong, or of another shape.
    """
    files.check_figure(plot)
    if predictions is not None:
        if predictions.suffix != ".csv":
            raise ValueError(f"predictions are written as .csv, not as {predictions.name}")
        files.check_writable(predictions)
    network, data, classes = _opened(run, source, part, device)
    if predictions is not None and network.n_classes is None:
        raise ValueError("an autoencoder predicts no classes; draw its reconstructions with --plot")
    report = evaluate(network, data)
    if predictions is not None:
        _write_predictions(predictions, predict(network, data.x), data.y, classes)
    if plot is not None:
        _draw_evaluation(network, data, classes, plot)
    return listing(report.to_json())


def _opened(
    run: Path, source: str, part: Part, device: str
) -> tuple[CounterCurrentNetwork, LabeledDataset, tuple[str, ...]]:
    """The network of a training, data for it on its device, and the names of its classes."""
    network = runs.load(run, device)
    shape, size, seed, classes = runs.described_shape(run)
    data = load_part(source, part, is_autoencoder=shape.n_classes is None, seed=seed, size=size)
    data = matched_data(source, data, shape, classes)
    # Without names, the network's classes are those of the data in their order, and numbers.
    names = classes or (*data.classes, *map(str, range(data.n_classes, shape.n_classes or 0)))
    return network, data.to(next(network.parameters()).device), names


def _write_predictions(path: Path, logits: Tensor, labels: Tensor, classes: tuple[str, ...]) -> None:
    probabilities, numbers = logits.softmax(1).max(1)
    rows = [
        {"sample": i, "class": classes[true], "predicted": classes[number], "probability": probability}
        for i, (true, number, probability) in enumerate(
            zip(labels.tolist(), numbers.tolist(), probabilities.tolist(), strict=True)
        )
    ]
    files.write_text(path, files.to_csv(rows))


def _draw_evaluation(
    network: CounterCurrentNetwork, data: LabeledDataset, classes: tuple[str, ...], path: Path
) -> None:
    from separata import plots

    from .diagnostics.drawing import N_PICTURES, draw_features, draw_reconstructions
    from .diagnostics.features import embed, penultimate_features

    if network.n_classes is None:
        x = data.x[:N_PICTURES]
        figure = draw_reconstructions({"sample": x, "reconstruction": predict(network, x)})
    else:
        some = class_matched(data, N_EMBEDDED)
        points = embed(penultimate_features(network, some.x))
        figure = draw_features(points, some.y, classes, "t-SNE of the features before the output")
    plots.save(figure, path)


def alignment(run: Path, source: str | None, *, out: Path | None, plot: Path | None, device: str) -> Output:
    """How alike the two directions of a network were over its training, or are on data.

    Raises:
        FileNotFoundError: if there is no such training or data.
        ValueError: if a file is wrong, or of another shape.
    """
    files.check_figure(plot)
    if out is not None:
        if out.suffix != ".csv":
            raise ValueError(f"the alignment is written as .csv, not as {out.name}")
        files.check_writable(out)
    if source is None:
        maps = {f"step {step:,}": cells for step, cells in runs.alignment_over_training(run).items()}
        network = runs.load(run, device)
    else:
        network, data, _ = _opened(run, source, "test", device)
        some = class_matched(data, N_COMPARED)
        maps = {Path(source).name: alignment_map(network, some.x, some.y)}
    if out is not None:
        files.write_text(out, files.to_csv(_cells(maps)))
    if plot is not None:
        from separata import plots

        from .diagnostics.drawing import draw_alignment

        plots.save(draw_alignment(stages(maps)), plot)
    rows = [{"of": name, "top_alignment": top_alignment(cells)} for name, cells in maps.items()]
    weights = weight_alignment(network)
    value = {
        "rows": rows,
        "maps": {name: cells.tolist() for name, cells in maps.items()},
        "weight_alignment": [finite(one) for one in weights],
    }
    told = ", ".join(f"{one:.3f}" for one in weights)
    return Output(value, f"{table(rows).text}\nweights, layer by layer: {told}")


def stages(maps: dict[str, Tensor]) -> dict[str, Tensor]:
    """A few of many maps: the first, the last, and some between them."""
    names = list(maps)
    chosen = torch.linspace(0, len(names) - 1, min(N_STAGES, len(names))).round().long().tolist()
    return {names[i]: maps[names[i]] for i in dict.fromkeys(chosen)}


def _cells(maps: dict[str, Tensor]) -> list[dict[str, object]]:
    return [
        {"of": name, "forward": i, "feedback": j, "cka": value}
        for name, cells in maps.items()
        for i, row in enumerate(cells.tolist())
        for j, value in enumerate(row)
    ]


def flops(changes: Changes, *, name: PresetName, shape: str, n_classes: int, batch_size: int) -> Output:
    """Operations of a training step for each sample, by every rule.

    Raises:
        ValueError: if a setting is wrong, or the samples do not fit the network.
    """
    sample = _sample_shape(shape)
    rules: list[RuleName] = [changes.rule] if changes.rule else list(RULES)
    counts: dict[RuleName, float] = {}
    for rule in rules:
        if preset(name).is_autoencoder and rule not in AUTOENCODER_RULES:
            continue
        config = changes.applied(preset(name, rule))
        data_shape = DataShape(sample, None if config.is_autoencoder else n_classes)
        # Nothing is computed on this device, only counted.
        with torch.device("meta"):
            network = make_network(config.network, data_shape)
        counts[rule] = count_training_flops(network, batch_size, config)
    bp = counts.get("bp")
    rows = [
        {"rule": rule, "mflop_per_sample": count / 1e6, **({"relative_to_bp": count / bp} if bp else {})}
        for rule, count in counts.items()
    ]
    return table(rows)


def _sample_shape(text: str) -> tuple[int, ...]:
    words = text.split(",")
    if not all(word.strip().isdecimal() and int(word) for word in words):
        raise ValueError(f"a shape is positive whole numbers with commas between them, such as 1,28,28, not '{text}'")
    return tuple(map(int, words))


def export(run: Path, out: Path) -> Output:
    """Write the forward network of a training as ONNX.

    Raises:
        FileNotFoundError: if there is no such training.
        ValueError: if the file's name does not end in .onnx, or the outputs differ.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    network = runs.load(run, "cpu")
    save_onnx(network, out)
    shape = ["batch", *network.sample_shape]
    told = " x ".join(map(str, shape))
    return Output({"out": str(out), "inputs": {"x": shape}}, f"{out}: from x ({told}) to y, equal to PyTorch's")
