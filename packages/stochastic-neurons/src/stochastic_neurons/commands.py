"""What the commands do."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from separata import files
from separata.labeled import LabeledDataset, load_splits
from separata.output import Output, finite, listing, table
from separata.progress import Reporter
from separata.run import Compute
from separata.training import seeded

from . import runs
from .configs import ModelConfig, RunConfig
from .cost import REPEATS, count_macs, measure_speed, set_activity
from .evaluation import activity_of, check_shape, evaluate, gates_of, predict
from .functions import function_from
from .networks import ConditionalNetwork, make_network
from .neuron import Inference
from .sparsity import distinct_patterns
from .statistics import EstimatorStatistics, estimator_statistics


def bench(
    function: str,
    *,
    n: int,
    estimators: str,
    at: str,
    n_samples: int,
    seed: int,
    out: Path | None,
    plot: Path | None,
) -> Output:
    """Measure estimators on a function.

    Raises:
        ValueError: if a setting is wrong, or the function is not one of these units.
    """
    files.check_figure(plot)
    if out is not None:
        _check_table(out)
    if n < 1:
        raise ValueError(f"at least one unit is needed, not {n}")
    generator = torch.Generator().manual_seed(seed)
    f = function_from(function, n, generator)
    a = _numbers(at, n) if at else torch.randn(n, generator=generator, dtype=torch.float64)
    names = [name.strip() for name in estimators.split(",") if name.strip()]
    if not names:
        raise ValueError("name at least one estimator")
    found = {name: estimator_statistics(f, a, name, n_samples, seed=seed + 1) for name in names}
    if out is not None:
        files.write_text(out, files.to_csv([row for name, one in found.items() for row in _units(name, one)]))
    if plot is not None:
        from separata import plots

        from .drawing import draw_estimators

        plots.save(draw_estimators(found), plot)
    return table([_row(name, one) for name, one in found.items()])


def _row(name: str, one: EstimatorStatistics) -> dict[str, Any]:
    norm = float(one.target.norm())
    return {
        "estimator": name,
        "bias": float(one.bias.norm()) / norm if norm else None,
        "largest_z": finite(float(one.z.abs().max())),
        "standard_deviation": float(one.variance.sum().sqrt()) / norm if norm else None,
        "cosine": one.cosine,
        "sample_cosine": one.sample_cosine,
    }


def _units(name: str, one: EstimatorStatistics) -> list[dict[str, Any]]:
    columns = (one.target, one.mean, one.standard_error, one.variance)
    return [
        {"estimator": name, "unit": i + 1, "target": t, "mean": m, "standard_error": s, "variance": v}
        for i, (t, m, s, v) in enumerate(zip(*(column.tolist() for column in columns), strict=True))
    ]


def _numbers(text: str, n: int) -> torch.Tensor:
    try:
        values = [float(word) for word in text.split(",")]
    except ValueError:
        raise ValueError(f"pre-activations are numbers with commas between them, not '{text}'") from None
    if len(values) != n:
        raise ValueError(f"{len(values)} pre-activations are given for {n} units; say --n {len(values)}")
    return torch.tensor(values, dtype=torch.float64)


def _check_table(out: Path) -> None:
    if out.suffix != ".csv":
        raise ValueError(f"a table is written as .csv, not as {out.name}")
    files.check_writable(out)


def train(source: str, out: Path, config: RunConfig, *, size: int | None, device: str, resume: bool) -> Output:
    """Train a conditional network.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting, the data or the folder is wrong.
    """
    data = load_splits(source, size=size, seed=config.train.seed)
    report = runs.train(data, out, config, device=device, resume=resume, reporter=Reporter())
    return listing(
        {
            "test_error": report.test.error,
            "test_loss": report.test.loss,
            "active_gates": report.test.activity,
            "steps": report.steps,
            "parameters": report.n_parameters,
        }
    )


def _opened(
    run: Path, source: str, part: str, size: int | None, device: str
) -> tuple[ConditionalNetwork, LabeledDataset]:
    """A network and data, on one device."""
    model = runs.load(run, device)
    seed = runs.seed_of(run)
    splits = load_splits(source, size=size, seed=seed)
    data = splits.test
    if part == "all":
        parts = [splits.train, splits.validation, splits.test]
        data = replace(data, x=torch.cat([one.x for one in parts]), y=torch.cat([one.y for one in parts]))
    elif part != "test":
        data = getattr(splits, part)
    check_shape(model, data.x)
    data = _renumbered(data, runs.classes_of(run), source)
    return model, data.to(next(model.parameters()).device)


def _renumbered(data: LabeledDataset, classes: tuple[str, ...], source: str) -> LabeledDataset:
    """The same data with the classes in the network's order, whichever of them a file has."""
    number = {name: i for i, name in enumerate(classes)}
    present = [data.classes[i] for i in data.y.unique().tolist()]
    if unknown := [name for name in present if name not in number]:
        raise ValueError(f"{source} has the class {unknown[0]}; the network knows {', '.join(classes)}")
    order = torch.tensor([number.get(name, -1) for name in data.classes])
    return replace(data, y=order[data.y], classes=classes)


def evaluate_run(
    run: Path,
    source: str,
    *,
    part: str,
    inference: Inference,
    n_draws: int,
    predictions: Path | None,
    size: int | None,
    seed: int,
    device: str,
) -> Output:
    """Test a trained network.

    Raises:
        FileNotFoundError: if there is no such training or data.
        ValueError: if a file or a setting is wrong.
    """
    if predictions is not None:
        _check_table(predictions)
    model, data = _opened(run, source, part, size, device)
    report = evaluate(model, data, inference=inference, n_draws=n_draws, seed=seed)
    if predictions is not None:
        p = predict(model, data.x, inference=inference, n_draws=n_draws, seed=seed)
        rows = [
            {"sample": i, "label": data.classes[y], "predicted": data.classes[k], "probability": share}
            for i, (y, k, share) in enumerate(
                zip(data.y.tolist(), p.argmax(1).tolist(), p.amax(1).tolist(), strict=True)
            )
        ]
        files.write_text(predictions, files.to_csv(rows))
    return listing(asdict(report))


def sparsity(
    run: Path, source: str, *, inference: Inference, plot: Path | None, size: int | None, seed: int, device: str
) -> Output:
    """How often the gates of a trained network are on.

    Raises:
        FileNotFoundError: if there is no such training or data.
        ValueError: if a file or a setting is wrong.
    """
    files.check_figure(plot)
    model, data = _opened(run, source, "test", size, device)
    activity = activity_of(model, data.x, inference=inference, seed=seed)
    gates = gates_of(model, data.x, inference=inference, seed=seed)
    cost = count_macs(model, activity.mean)
    if plot is not None:
        from separata import plots

        from .drawing import draw_activity

        plots.save(draw_activity(activity), plot)
    return listing(
        {
            "gates": gates.shape[1],
            "examples": gates.shape[0],
            "active": activity.mean,
            "never_active": activity.n_dead,
            "always_active": activity.n_always_on,
            "patterns": distinct_patterns(gates),
            "macs_dense": cost.dense,
            "macs_experts": cost.experts,
            "macs_gater": cost.gater,
            "macs_ratio": cost.ratio,
        }
    )


def speed(
    run: Path | None,
    *,
    experts: int,
    block_size: int,
    n_features: int,
    activity: float,
    batches: str,
    repeats: int = REPEATS,
    plot: Path | None,
    device: str,
) -> Output:
    """Time block-sparse inference.

    Raises:
        FileNotFoundError: if there is no such training.
        ValueError: if a setting is wrong.
    """
    files.check_figure(plot)
    words = [word.strip() for word in batches.split(",")]
    if not all(word.isdecimal() and int(word) for word in words):
        raise ValueError(f"batches are positive whole numbers with commas between them, not '{batches}'")
    if n_features < 1 or repeats < 1:
        raise ValueError(f"features and repeats must be positive, not {n_features} and {repeats}")
    target = Compute(device).torch_device
    generator = torch.Generator().manual_seed(0)
    if run is None:
        with seeded(0):
            model = make_network(ModelConfig("st", experts, block_size=block_size), (n_features,), 10).to(target)
        x = torch.randn(max(1000, *map(int, words)), n_features, generator=generator).to(target)
        set_activity(model, x, activity)
        model.conditional.gater.neuron.inference = "threshold"
    else:
        model = runs.load(run, device)
        x = torch.rand(max(map(int, words)), model.in_features, generator=generator).to(target)
    found = [measure_speed(model, x[: int(word)], repeats=repeats) for word in words]
    rows = [
        {
            "batch": one.batch_size,
            "plain_ms": 1e3 * one.plain,
            "masked_ms": 1e3 * one.masked,
            "skipping_ms": 1e3 * one.skipping,
            "speedup": one.speedup,
            "active": one.activity,
        }
        for one in found
    ]
    if plot is not None:
        from separata import plots

        from .drawing import draw_speeds

        drawn = [{"batch": one.batch_size, "skipping": one.speedup, "masked": one.plain / one.masked} for one in found]
        plots.save(draw_speeds(drawn), plot)
    return table(rows)
