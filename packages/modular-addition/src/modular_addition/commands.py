"""What the commands do."""

from pathlib import Path
from typing import Any

import torch

from separata import files, plots
from separata.output import Output, finite
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import HISTORY, MODEL, read_csv

from . import drawing
from .configs import LEAST_GROKKING_P, Activation, ModelConfig, RunConfig, TrainConfig, check_odd
from .diagnosis import FourierReport
from .grokking import GrokkingStages, stages_of_rows
from .histories import rows_to_history
from .ideal import ghosts, ideal_network, measure_ghosts
from .lottery import LotteryReport, judge, lottery_tickets, play
from .network import ModularAdditionNet, pair_logits
from .runs import TrainReport, activation_of, train_run
from .weights import NetworkWeights, WeightNames, load_weights

N_NEURONS = 10
"""Neurons that a person is shown."""


def train(config: RunConfig, out: Path, *, plot: Path | None, device: str, resume: bool) -> Output:
    """Train a network.

    Raises:
        ValueError: if a setting is wrong, the training diverges, or the folder holds another one.
    """
    files.check_figure(plot)
    report = train_run(config, out, device=device, resume=resume, reporter=Reporter())
    if plot is not None:
        plots.save(drawing.draw_spectra(report.fourier), plot)
    return _trained(report)


def grok(config: RunConfig, out: Path, *, plot: Path | None, device: str, resume: bool) -> Output:
    """Train on a part of the pairs, and tell the stages.

    Raises:
        ValueError: as `train`, or if p is too small, or all pairs are trained on.
    """
    files.check_figure(plot)
    if config.model.p < LEAST_GROKKING_P:
        raise ValueError(
            f"grokking needs p of at least {LEAST_GROKKING_P}, not {config.model.p}: smaller groups have too few pairs"
        )
    if config.data.train_fraction == 1:
        raise ValueError("grokking needs pairs to test on: the train fraction must be below 1")
    report = train_run(config, out, device=device, resume=resume, reporter=Reporter())
    if plot is not None and report.stages is not None:
        steps, history = rows_to_history(read_csv(report.out / HISTORY))
        plots.save(drawing.draw_grokking(steps, history, report.stages), plot)
    return _trained(report)


def _trained(report: TrainReport) -> Output:
    row = {name: finite(float(value)) for name, value in report.row.items()}
    value = {"out": str(report.out), **row, "fourier": report.fourier.to_json()}
    told = f"{report.out}: training accuracy {report.row['train_accuracy']:.4f}, loss {report.row['train_loss']:.4g}"
    if report.stages is None:
        return Output(value, f"{told}\n{report.fourier}")
    value["stages"] = report.stages.to_json()
    told += f"; test accuracy {report.row['test_accuracy']:.4f}"
    return Output(value, f"{told}\n{report.stages}\n{report.fourier}")


def diagnose(path: Path, names: WeightNames, *, neurons: bool, plot: Path | None) -> Output:
    """What weights are made of; or, of a table of accuracies, the stages of grokking.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds neither, or weights that are not finite.
    """
    files.check_figure(plot)
    if path.suffix == ".csv":
        return _diagnose_history(path, plot)
    report = _report(load_weights(path, names), path)
    if plot is not None:
        plots.save(drawing.draw_spectra(report), plot)
    value, text = report.to_json(), str(report)
    if neurons:
        rows = _neurons(report)
        value["neurons"] = rows
        text += "\n\n" + _told_neurons(rows)
    return Output(value, text)


def _report(weights: NetworkWeights, path: Path) -> FourierReport:
    try:
        return FourierReport.from_weights(weights.w_in, weights.w_out)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _diagnose_history(path: Path, plot: Path | None) -> Output:
    rows = _read_history(path)
    stages = _stages(path, rows)
    if plot is not None:
        steps, history = rows_to_history(rows)
        plots.save(drawing.draw_grokking(steps, history, stages), plot)
    return Output(stages.to_json(), str(stages))


def _read_history(path: Path) -> list[dict[str, float]]:
    try:
        return read_csv(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None
    except ValueError:
        raise ValueError(f"{path} is not a table of numbers with the columns step, train_accuracy, ...") from None


def _stages(path: Path, rows: list[dict[str, float]]) -> GrokkingStages:
    try:
        return stages_of_rows(rows)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _neurons(report: FourierReport) -> list[dict[str, Any]]:
    columns = {
        "frequency": report.frequency.tolist(),
        "output_frequency": report.output_frequency.tolist(),
        "alpha": report.alpha.tolist(),
        "beta": report.beta.tolist(),
        "phi": report.phi.tolist(),
        "psi": report.psi.tolist(),
        "misalignment": report.misalignment.tolist(),
        "input_ipr": [finite(one) for one in report.input_ipr.tolist()],
        "output_ipr": [finite(one) for one in report.output_ipr.tolist()],
    }
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _told_neurons(rows: list[dict[str, Any]]) -> str:
    lines = ["neuron   k in  k out    α         β         φ       ψ       D      ratio in / out"]
    for number, row in enumerate(rows[:N_NEURONS], 1):
        ratios = [row[name] if row[name] is not None else float("nan") for name in ("input_ipr", "output_ipr")]
        lines.append(
            f"{number:>6}  {row['frequency']:>5}  {row['output_frequency']:>5}  {row['alpha']:<8.3g}  "
            f"{row['beta']:<8.3g}  {row['phi']:>6.2f}  {row['psi']:>6.2f}  "
            f"{row['misalignment']:>6.2f}  {ratios[0]:.2f} / {ratios[1]:.2f}"
        )
    if len(rows) > N_NEURONS:
        lines.append(f"... and {len(rows) - N_NEURONS:,} more; all with --json")
    return "\n".join(lines)


def logits(path: str, x: int, y: int, names: WeightNames, activation: Activation | None, plot: Path | None) -> Output:
    """The logits of a pair, with the sum and its ghosts.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no such weights, or a number is not in 0 .. p - 1.
    """
    files.check_figure(plot)
    net = _network(path, names, activation)
    marked = ghosts(net.p, x, y)
    here = net(torch.tensor([[x, y]])).detach()[0].double()
    shares = here.softmax(0)
    marks = {marked[1]: "ghost 2x", marked[2]: "ghost 2y", marked[0]: "sum"}
    rows = [
        {"class": j, "logit": float(here[j]), "probability": float(shares[j]), "mark": marks.get(j, "")}
        for j in range(net.p)
    ]
    value: dict[str, Any] = {"x": x, "y": y, "rows": rows}
    lines = ["class     logit  probability"]
    lines += [f"{row['class']:>5}  {row['logit']:>8.3f}  {row['probability']:>11.4f}  {row['mark']}" for row in rows]
    if net.p >= 5:
        whole = measure_ghosts(net.logit_table())
        value["ghosts"] = {"ratio": finite(whole.ratio), "accuracy": whole.accuracy, "margin": whole.margin}
        lines.append(
            f"over all pairs: accuracy {whole.accuracy:.4f}, ghosts {whole.ratio:.3f} of the peak, "
            f"smallest margin {whole.margin:.3g}"
        )
    if plot is not None:
        plots.save(drawing.draw_logits(here, x, y), plot)
    return Output(value, "\n".join(lines))


def _network(path: str, names: WeightNames, activation: Activation | None) -> ModularAdditionNet:
    """Weights in a file as a network; `ideal-23` is the ideal network."""
    kind, _, number = path.partition("-")
    if kind == "ideal" and number.isdecimal():
        return ideal_network(int(number), activation=activation or "quad")
    weights = load_weights(Path(path), names)
    if weights.w_in.shape[1] != weights.w_out.shape[0]:
        raise ValueError(f"{path}: logits are those of weights that both numbers share, (M, p)")
    for one in (weights.w_in, weights.w_out):
        if not one.isfinite().all():
            raise ValueError(f"{path}: some weights are not finite")
    check_odd(weights.w_out.shape[0])
    return ModularAdditionNet.from_weights(weights.w_in, weights.w_out, _activation(Path(path), activation))


def _activation(path: Path, given: Activation | None) -> Activation:
    """The activation function that is given, or that of the training, if the weights are those of one."""
    if given is not None:
        return given
    try:
        return activation_of(path) or "relu"
    except ValueError as error:
        raise ValueError(f"{error}; name the activation function with --activation") from None


def lottery(model: ModelConfig, config: TrainConfig, seeds: int, *, plot: Path | None, device: str) -> Output:
    """Predict the frequencies of networks from their initial weights, train them, and compare.

    Raises:
        ValueError: if a setting is wrong, or a training diverges or does not get there.
    """
    files.check_figure(plot)
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, not {seeds}")
    if model.init == "single-frequency":
        raise ValueError("there is no lottery among single-frequency neurons; choose random initial weights")
    target = Compute(device).torch_device
    nets = [
        ModularAdditionNet.from_config(model, torch.Generator().manual_seed(config.seed + number)).to(target)
        for number in range(seeds)
    ]
    try:
        played = play(nets, config, track=Reporter().track)
    except FloatingPointError as error:
        raise ValueError(str(error)) from None
    if plot is not None:
        times = [config.lr * step for step in played.steps]
        winners = played.reports[0].frequency, played.tickets[0].winner()
        plots.save(drawing.draw_lottery(times, played.alpha, played.misalignment, *winners), plot)
    return _judged(played.reports)


def judge_files(initial: Path, trained: Path | None, names: WeightNames) -> Output:
    """Predict from initial weights in a file, and compare with trained ones if there are any.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if it holds no such weights.
    """
    weights = load_weights(initial, names)
    try:
        tickets = lottery_tickets(weights.w_in, weights.w_out)
    except ValueError as error:
        raise ValueError(f"{initial}: {error}") from None
    if trained is not None:
        return _judged([judge(tickets, _report(load_weights(trained, names), trained))])
    winner = tickets.winner()
    times = tickets.time.amin(1)
    rows = [
        {"neuron": number, "frequency": k, "time": finite(time)}
        for number, (k, time) in enumerate(zip(winner.tolist(), times.tolist(), strict=True), 1)
    ]
    shown = [f"{row['neuron']:>6}  {row['frequency']:>9}  {row['time'] or float('inf'):>10.4g}" for row in rows]
    lines = ["neuron  frequency  time (learning rate × steps)", *shown[: 2 * N_NEURONS]]
    if len(rows) > 2 * N_NEURONS:
        lines.append(f"... and {len(rows) - 2 * N_NEURONS:,} more; all with --json")
    return Output({"rows": rows}, "\n".join(lines))


PREDICTORS = {
    "flow": "gradient flow of magnitudes and phases",
    "product": "largest α β cos D",
    "magnitude": "largest α",
    "phase": "smallest |D|",
}


def _judged(reports: list[LotteryReport]) -> Output:
    n = len(reports)
    rows = [
        {
            "predictor": name,
            "accuracy": sum(one.accuracy[name] for one in reports) / n,
            "larger_half": sum(one.large_accuracy[name] for one in reports) / n,
        }
        for name in PREDICTORS
    ]
    steps = [one.steps for one in reports if one.steps >= 0]
    value = {"rows": rows, "chance": reports[0].chance, "steps": steps, "seeds": n}
    lines = [f"{'predicted by':<40}  neurons  larger half"]
    lines += [
        f"{PREDICTORS[str(row['predictor'])]:<40}  {row['accuracy']:>7.3f}  {row['larger_half']:>11.3f}" for row in rows
    ]
    lines.append(f"{'chance':<40}  {reports[0].chance:>7.3f}")
    if steps:
        lines.append(f"frequencies had won after {', '.join(map(str, steps))} steps")
    return Output(value, "\n".join(lines))


def plot(path: Path, out: Path, names: WeightNames, activation: Activation | None, kind: str) -> Output:
    """Write all pictures of a file or a folder.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no such weights.
        PermissionError: if the folder cannot be written to.
    """
    report = _report(load_weights(path, names), path)
    figures = {
        "spectra": drawing.draw_spectra(report),
        "phases": drawing.draw_phases(report),
        "circles": drawing.draw_circles(report),
        "counts": drawing.draw_counts(report),
    }
    weights = load_weights(path, names)
    if report.p % 2 and report.second is None and report.p >= 5:
        x, y = report.p // 7, report.p // 3
        sigma = _activation(path, activation)
        here = pair_logits(weights.w_in, weights.w_out, torch.tensor([x]), torch.tensor([y]), sigma)[0]
        figures["logits"] = drawing.draw_logits(here, x, y)
    # A file of a stranger's may lie beside the history of something else.
    history = (path.parent if path.name == MODEL else path) / HISTORY
    if history.is_file() and (rows := _read_history(history)) and "test_accuracy" in rows[0]:
        kept = [row for row in rows if row["test_accuracy"] == row["test_accuracy"]]
        if kept:
            steps, columns = rows_to_history(kept)
            figures["stages"] = drawing.draw_grokking(steps, columns, _stages(history, kept))
    files.make_writable(out)
    for name, figure in figures.items():
        plots.save(figure, out / f"{name}.{kind}")
    written = [str(out / f"{name}.{kind}") for name in figures]
    return Output({"files": written}, "\n".join(written))
