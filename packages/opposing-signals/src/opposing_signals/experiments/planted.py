"""Planted signals: who takes part in the spikes, and the sharpness without those who have the signal."""

import math
from dataclasses import dataclass, field, replace
from statistics import median

from opposing_signals.charts import draw_doses, draw_valley
from opposing_signals.configs import DataConfig, ModelConfig, TrainConfig
from opposing_signals.paper import DOSES
from opposing_signals.planted_trials import PlantedTrial, run_planted
from opposing_signals.trials import Trial
from separata import Run, experiment

from .natural import SMALL, Found


@dataclass(frozen=True)
class Planted:
    """A signal planted in a few images of two classes.

    Args:
        trial: At the edge of stability.
        slow: At a small learning rate.
        doses: Amplitudes of the signal.
    """

    trial: Trial = field(
        default_factory=lambda: Trial(
            model=ModelConfig(activation="relu"), train=TrainConfig(lr=0.5, sharpness_every=10), spike_after=120
        )
    )
    slow: Trial = field(
        default_factory=lambda: Trial(
            model=ModelConfig(activation="relu"), train=TrainConfig(400, lr=0.05, sharpness_every=25), spike_after=120
        )
    )
    doses: tuple[float, ...] = tuple(DOSES.values())


_TINY = replace(SMALL, model=ModelConfig(hidden="16,16", activation="relu"), data=DataConfig(400))


@experiment(
    "narrow-valley",
    "outliers-dominate",
    "predictions",
    smoke=Planted(_TINY, replace(_TINY, train=replace(_TINY.train, lr=0.05))),
    quick=Planted(),
)
def planted(config: Planted, run: Run) -> None:
    """Who takes part in the spikes, by the magnitude of the signal; and the sharpness without those who have it."""
    # The sharpness on the way is looked at where the signal is strongest only.
    quiet = replace(config.trial, train=replace(config.trial.train, sharpness_every=0))
    settings = {
        key: PlantedTrial(config.trial if key == "dose_5" else quiet, dose, with_valley=key == "dose_5")
        for key, dose in zip(DOSES, config.doses, strict=True)
    }
    settings |= {
        name: PlantedTrial(config.slow, leave_out=name, with_valley=name == "none")
        for name in ("none", "planted", "random")
    }
    found = run.over_seeds(run_planted, settings, "trainings with planted signals")
    for i in range(len(run.seeds)):
        last = {name: found[name][i]["sharpness"][-1][1] for name in ("none", "planted", "random")}
        run.measure("outliers-dominate", **{name: last[name] / last["none"] - 1 for name in ("planted", "random")})
        strongest = found["dose_5"][i]
        run.measure(
            "predictions",
            **{key: found[key][i]["share"] for key in DOSES},
            svd_5=strongest["svd_share"],
            loss_5=strongest["loss_share"],
            probe=strongest["probe_correlation"],
        )
        run.measure("narrow-valley", **_valley(found["none"][i], strongest))
    run.figure(
        "doses",
        draw_doses(
            list(DOSES.values()),
            {
                "by change": [[one["share"] for one in found[key]] for key in DOSES],
                "by singular vectors": [[one["svd_share"] for one in found[key]] for key in DOSES],
            },
            {name: [one["sharpness"] for one in found[name]] for name in ("none", "planted", "random")},
        ),
        ("outliers-dominate", "predictions"),
        caption=(
            "Left: the stronger the planted signal, the more of the images in the groups have it. Right: without these "
            "images the network is less sharp, without random ones it is not."
        ),
    )
    one = found["dose_5"][0]
    run.figure(
        "valley",
        draw_valley(one["classes"], one["rest"], one["probe"], one["sharpness"], config.trial.train.lr),
        ("narrow-valley", "predictions"),
        caption=(
            "Losses of the planted images of both classes, the network's output for a plain image, and the sharpness."
        ),
    )


def balance(found: Found, who: str = "planted") -> float:
    """|sum| of two groups' slopes along the sharpest direction, relative to the sum of their sizes; median over steps.

    0 where they balance each other, 1 where they point the same way.
    """
    pairs = [one[who] for one in found["balance"]]
    known = [abs(a + b) / (abs(a) + abs(b)) for a, b in pairs if a or b]
    return median(known) if known else math.nan


def _valley(early: Found, edge: Found) -> dict[str, float]:
    """How well the groups balance before the edge of stability, and how much their loss rises to the spike past it."""
    peak = edge["step"] + 1
    before = max(0, peak - 10)
    worse = max(edge["classes"].values(), key=lambda series: series[peak])
    return {
        "balance": balance(early),
        "balance_random": balance(early, "random"),
        "share": median(one["share"] for one in early["balance"]),
        "balance_edge": balance(edge),
        "groups_rise": worse[peak] / worse[before],
        "rest_rise": edge["rest"][peak] / edge["rest"][before],
    }
