"""The sweep over gamma: from the conventional network, at 0, to plain training of the quadratic one, at 1."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

from matplotlib.figure import Figure

from separata import plots

from .configs import ModelConfig, Neuron, Setting, TrainConfig
from .trials import Trial, run_trial

Track = Callable[[Iterable[int], str], Iterable[int]]


@dataclass(frozen=True)
class SweepPoint:
    """Trainings with one gamma.

    Attributes:
        gamma: Share of the learning rate that quadratic parameters have; None of the conventional network.
        accuracies: Test accuracy with each seed; that of chance where the training diverged.
        n_collapsed: Trainings whose loss is not finite, or whose accuracy is no better than chance.
        n_parameters: Trainable numbers.
    """

    gamma: float | None
    accuracies: tuple[float, ...]
    n_collapsed: int
    n_parameters: int

    @property
    def mean(self) -> float:
        """Over seeds."""
        return fmean(self.accuracies)

    def row(self) -> dict[str, Any]:
        """For a table and for JSON."""
        return {
            "gamma": "conventional" if self.gamma is None else f"{self.gamma:g}",
            "accuracy": self.mean,
            "std": stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0,
            "collapsed": f"{self.n_collapsed}/{len(self.accuracies)}",
            "parameters": self.n_parameters,
        }


def sweep(
    data: str,
    model: ModelConfig,
    gammas: Sequence[float],
    config: TrainConfig,
    *,
    n_seeds: int = 3,
    n_train: int | None = None,
    device: str = "cpu",
    track: Track | None = None,
) -> list[SweepPoint]:
    """Train a quadratic network with each gamma, and the conventional one of the same structure.

    Perceptrons without BatchNorm are trained all at once, other networks one after another. All begin with the same
    regular weights and see the same batches.

    Args:
        data: What `separata.labeled.load_splits` takes: a name, a folder, .npz or .csv.
        model: Structure of the network.
        gammas: Shares of the learning rate, from 0 to 1.
        config: Rate, epochs, batch size, momentum; the optimizer is SGD. Its seed is the first one.
        n_seeds: Seeds.
        n_train: Samples for training; all if not given.
        device: Where to train.
        track: Shows progress.

    Returns:
        The conventional network first, then each gamma in their order.

    Raises:
        ValueError: if a gamma is not in [0, 1], the optimizer is another, or there are no seeds.
        FileNotFoundError: if there is no such data.
    """
    if config.optimizer != "sgd":
        raise ValueError(f"the sweep trains with sgd, not with {config.optimizer}")
    if n_seeds < 1 or not gammas or not all(0 <= gamma <= 1 for gamma in gammas):
        raise ValueError(f"a sweep needs a seed or more, and gammas from 0 to 1, not {n_seeds} and {list(gammas)}")
    seeds = tuple(range(config.seed, config.seed + n_seeds))
    quadratic: Neuron = "compact" if model.compact else "quadratic"
    plain = Setting(config.lr, weight_decay=config.weight_decay, clip=config.clip)
    is_whole = model.depth is None and not model.batchnorm
    steps: list[tuple[Neuron, tuple[float | None, ...]]] = [("conventional", (None,))]
    steps += [(quadratic, tuple(gammas))] if is_whole else [(quadratic, (gamma,)) for gamma in gammas]
    points = []
    for index in track(range(len(steps)), "networks") if track else range(len(steps)):
        neuron, some = steps[index]
        settings = tuple(plain if gamma is None else replace(plain, gamma=gamma) for gamma in some)
        found = run_trial(Trial(data, model, neuron, settings, seeds, train=config, n_train=n_train), device)
        points += [
            SweepPoint(gamma, tuple(accuracies), round(sum(collapsed)), found["n_parameters"])
            for gamma, accuracies, collapsed in zip(some, found["accuracy"], found["collapse"], strict=True)
        ]
    return points


def draw_sweep(points: Sequence[SweepPoint]) -> Figure:
    """Draw test accuracy by gamma, beside that of the conventional network.

    Args:
        points: What `sweep` gives.

    Raises:
        ValueError: if there are none with a gamma.
    """
    swept = [point for point in points if point.gamma is not None]
    values = {f"{point.gamma:g}": point.mean for point in swept}
    plain = next((point.mean for point in points if point.gamma is None), None)
    reference = None if plain is None else {"conventional": plain}
    figure = plots.bars(values, xlabel="gamma", ylabel="test accuracy", reference=reference, fmt=None)
    axes = figure.axes[0]
    # Seeds rather than error bars, which reach beyond 1 where some trainings collapse.
    for place, point in enumerate(swept):
        axes.plot([place] * len(point.accuracies), point.accuracies, "o", color="#444444", markersize=3)
    axes.set_ylim(0, 1.1)
    return figure
