"""Networks that may collapse, what is done against that, and how strongly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from .configs import ALPHA, GAMMA, ModelConfig, Setting, TrainConfig
from .paper import ALTERNATIVES
from .trials import Trial

Runner = Callable[[list[Trial]], list[Any]]

NETWORKS = {
    "conventional": "conventional",
    "relinear": "ReLinear",
    "random": "quadratic, random",
    "compact": "compact, ReLinear",
    "relinear_sw": "ReLinear, shrunk weights",
    "init_only": "initialization alone",
    "rate_only": "lower rates alone",
    **ALTERNATIVES,
}


@dataclass(frozen=True)
class Collapses:
    """Networks of several depths, trained at several rates: which of them collapse.

    ReLinear and its alternatives have as many strengths each, of which the best on held-out data is measured.
    """

    data: str = "digits"
    models: tuple[str, ...] = ("mlp:32x2", "mlp:32x4", "mlp:32x6")
    rates: tuple[float, ...] = (0.01, 0.05)
    train: TrainConfig = field(default_factory=TrainConfig)
    n_train: int | None = None
    gammas: tuple[float, ...] = (1e-1, 1e-2, 1e-3, 1e-4)
    alphas: tuple[float, ...] = (0.5, 0.1, 0.01, 0.001)
    clips: tuple[float, ...] = (10.0, 1.0, 0.1, 0.01)
    slower: tuple[float, ...] = (0.3, 0.1, 0.03, 0.01)
    """Shares of the learning rate, of all parameters."""

    def strengths(self, name: str) -> tuple[float, ...]:
        """What a kind of network or of training is tried with; nothing where there is nothing to choose."""
        gammas = ("relinear", "compact")
        of = dict.fromkeys(gammas, self.gammas) | {"relinear_sw": self.alphas, "clip": self.clips, "slow": self.slower}
        return of.get(name, ())


FEW: dict[str, Any] = {"gammas": (GAMMA,), "alphas": (ALPHA,), "clips": (1.0,), "slower": (0.1,)}
"""One strength each: where a search would take too long."""


def chosen_strengths(config: Collapses, seeds: Sequence[int], run: Runner) -> dict[str, float]:
    """Of each remedy, the strength with the highest mean accuracy on held-out data over depths, rates and seeds.

    Args:
        config: Candidates.
        seeds: Of the trainings.
        run: Gives what `run_trial` gives of each of several trials.
    """
    several = [name for name in NETWORKS if len(config.strengths(name)) > 1]
    keys = [(name, model) for name in several for model in config.models]
    trials = [
        collapse_trial(config, name, model, seeds, config.strengths(name), is_held_out=True) for name, model in keys
    ]
    tried = dict(zip(keys, run(trials), strict=True)) if trials else {}
    n = len(config.rates)
    chosen = {name: (*config.strengths(name), 1.0)[0] for name in NETWORKS}
    for name in several:
        grids = [tried[name, model]["accuracy"] for model in config.models]
        places = range(len(config.strengths(name)))
        means = [fmean(value for grid in grids for row in grid[n * i : n * i + n] for value in row) for i in places]
        chosen[name] = config.strengths(name)[means.index(max(means))]
    return chosen | {"rate_only": chosen["relinear"]}


def collapse_trial(
    config: Collapses,
    name: str,
    model: str,
    seeds: Sequence[int],
    strengths: Sequence[float],
    *,
    is_held_out: bool = False,
) -> Trial:
    """All learning rates with the first strength, then with the next."""
    settings = tuple(
        Setting(
            rate * (strength if name == "slow" else 1.0),
            gamma=strength if name in ("relinear", "compact", "rate_only") else 1.0,
            alpha=strength if name == "relinear_sw" else 1.0,
            clip=strength if name == "clip" else 0.0,
            weight_decay=config.train.weight_decay,
        )
        for strength in strengths
        for rate in config.rates
    )
    is_mlp = model.startswith("mlp")
    return Trial(
        config.data,
        ModelConfig(model, batchnorm=name == "batchnorm" and is_mlp),
        "conventional" if name == "conventional" else "compact" if name == "compact" else "quadratic",
        settings,
        tuple(seeds),
        "random" if name in ("random", "rate_only", *ALTERNATIVES) else "relinear",
        config.train,
        is_held_out=is_held_out,
        n_train=config.n_train,
    )
