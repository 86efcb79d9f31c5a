"""How the claims of 3D-Fixer are measured."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from separata import Run, Unmeasured, experiment, plots

from .configs import (
    HELD_OUT_CATEGORIES,
    TILTED,
    TINY,
    AugmentConfig,
    ModelConfig,
    SamplerConfig,
    SceneConfig,
    TrainConfig,
)
from .paper import GENERATIVE, SIMPLE
from .trials import Ablation, Comparison, Generation, ablate, bound, compare, generate

MONTH = 30 * 24 * 3600
SMALL = SceneConfig(n_objects=(3, 5), n_views=1, image_size=256, categories=HELD_OUT_CATEGORIES)
QUICK_COMPARISON = Comparison(
    "tiny",
    "upright",
    SMALL,
    n_scenes=20,
    n_head_scenes=200,
    head_scenes=SceneConfig(n_views=2, image_size=256),
    n_points=5_000,
)
"""What takes about three minutes for each seed, with the small weights: most of it is the search for nearest points."""
SHORT_TRAINING = TrainConfig(400, 16, 2e-3, cosine=True, ema=0.99, n_variants=2, augment=TILTED)
QUICK_ABLATION = Ablation(
    scenes=SceneConfig(n_objects=(3, 5), n_views=2),
    n_scenes=30,
    vae=replace(SHORT_TRAINING, augment=AugmentConfig()),
    prior=SHORT_TRAINING,
    control_pre=SHORT_TRAINING,
    fine=replace(SHORT_TRAINING, alignment=TINY["fine"].alignment),
)
"""About a minute and a half for each seed, a third of it for the voxels of the examples."""
GPU_ABLATION = Ablation(
    ModelConfig(),
    SceneConfig(n_views=2),
    n_scenes=600,
    n_test_scenes=50,
    vae=TINY["vae"],
    prior=replace(TINY["prior"], steps=5_000, lr=2e-3),
    control_pre=TINY["control-pre"],
    fine=TINY["fine"],
)
"""The small model itself, from nothing."""
QUICK_GENERATION = Generation(n_scenes=5)
SHORT = {
    "ours": "3D-Fixer",
    "align": "aligned",
    "regress": "regressed",
    "visible": "visible only",
    "box": "box",
    "untrained": "untrained",
}
"""Names of the methods in figures."""
NO_RELEASE = Unmeasured("It takes ARSG-110K and the released networks with their image encoders, which are not here.")
SMOKE_TRAINING = TrainConfig(3, 4, 1e-3, ema=0.5, n_variants=1, alignment=0.1, augment=AugmentConfig(20.0, 20.0))
SMOKE_SCENES = SceneConfig(n_objects=(3, 3), n_views=1, image_size=48)
FEW_STEPS = SamplerConfig(n_steps=2)


def _mean(rows: Sequence[Mapping[str, Any]], key: str) -> float:
    return float(np.mean([row[key] for row in rows]))


def _bound(rows: Mapping[str, Sequence[Mapping[str, Any]]], key: str, *, upper: bool) -> float:
    """The worse end of the intervals of the differences from both generative baselines."""
    ends = [
        bound([ours[key] - other[key] for ours, other in zip(rows["ours"], rows[name], strict=True)], upper=upper)
        for name in GENERATIVE
    ]
    return max(ends) if upper else min(ends)


def _hidden(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    """IoU of each mostly occluded object of all scenes."""
    return [iou for row in rows for iou in row["hidden"]]


def _average(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _lower(ours: Sequence[float], other: Sequence[float]) -> float:
    """The lower end of the interval of the mean difference of pairs."""
    return bound([a - b for a, b in zip(ours, other, strict=True)], upper=False) if len(ours) else float("nan")


@experiment(
    "accuracy",
    "in-place",
    "coarse-to-fine",
    "efficiency",
    smoke=Comparison(
        "",
        "",
        SMOKE_SCENES,
        n_scenes=1,
        n_head_scenes=1,
        head_steps=5,
        sampler=FEW_STEPS,
        icp_iterations=2,
        n_points=500,
        max_visible=1.1,
    ),
    quick=QUICK_COMPARISON,
    gpu=replace(QUICK_COMPARISON, n_scenes=100, n_points=20_480),
    paper=NO_RELEASE,
)
def comparison(config: Comparison, run: Run) -> None:
    """Complete held-out scenes by the method and by each baseline."""
    names = ("ours", *GENERATIVE, *SIMPLE)
    # The generative baselines by themselves: as long a job as all others together.
    others = ("ours", "single", *SIMPLE)
    jobs = {"generative": replace(config, methods=GENERATIVE), "others": replace(config, methods=others)}
    found = run.over_seeds(compare, jobs, "comparisons")
    for seed, generative, rest in zip(run.seeds, found["generative"], found["others"], strict=True):
        rows = {**generative, **rest}
        measures = {f"{key}_{name}": _mean(rows[name], key) for key in ("cd", "iou", "f") for name in names}
        bounds = {"cd_bound": _bound(rows, "cd", upper=True), "iou_bound": _bound(rows, "iou", upper=False)}
        run.measure("accuracy", **measures, **bounds)
        centers = {name: _mean(rows[name], "center") for name in names}
        run.measure("in-place", **centers, moved=max(row["moved"] for row in rows["moved"]))
        kept = {"two_stage": "ours", "single_stage": "single", **{name: name for name in ("align", *SIMPLE)}}
        hidden = {key: _hidden(rows[name]) for key, name in kept.items()}
        ious = {key: _average(values) for key, values in hidden.items()}
        run.measure("coarse-to-fine", **ious, bound=_lower(hidden["two_stage"], hidden["single_stage"]))
        seconds = {f"seconds_{name}": _mean(rows[name], "seconds") for name in ("ours", "align")}
        run.measure("efficiency", **seconds, f_ours=measures["f_ours"], f_visible=measures["f_visible"])
        for name in names:
            run.log(0, method=name, seed=seed, f=measures[f"f_{name}"])
    run.note("accuracy", f"{config.n_scenes} scenes; {config.n_points:,} points on each mesh.")
    caption = (
        "Distance of an object's center from the true one, over its extent, by method; bars show the seeds' spread."
    )
    measured = run.measurements["in-place"]
    errors = {label: [of_seed[name] for of_seed in measured] for name, label in SHORT.items()}
    run.figure("centers", plots.bars(errors, ylabel="center error / extent"), ["in-place"], caption=caption)


@experiment(
    "dual-branch",
    "alignment",
    smoke=Ablation(
        scenes=SMOKE_SCENES,
        n_scenes=1,
        n_test_scenes=1,
        vae=replace(SMOKE_TRAINING, steps=1),
        prior=SMOKE_TRAINING,
        control_pre=SMOKE_TRAINING,
        fine=replace(SMOKE_TRAINING, steps=6),
        n_validations=6,
        sampler=FEW_STEPS,
    ),
    quick=QUICK_ABLATION,
    gpu=GPU_ABLATION,
    paper=NO_RELEASE,
)
def ablation(config: Ablation, run: Run) -> None:
    """Train the fine stage of a toy with parts of the method left out."""
    found = run.over_seeds(ablate, {"all": config}, "trainings")["all"]
    for seed, result in zip(run.seeds, found, strict=True):
        ious = {name: result[name]["ious"] for name in result}
        parts = ("both", "no_scene", "no_instance", "no_control", "visible")
        bounds = {f"{name}_bound": _lower(ious["both"], ious[f"no_{name}"]) for name in ("scene", "instance")}
        run.measure("dual-branch", **{name: _average(ious[name]) for name in parts}, **bounds)
        run.measure(
            "alignment",
            spread_with=result["both"]["spread"],
            spread_without=result["without"]["spread"],
            iou_with=_average(ious["both"]),
            iou_without=_average(ious["without"]),
            iou_untrained=_average(ious["untrained"]),
        )
        for name, label in (("both", "with alignment"), ("without", "without alignment")):
            for step, loss in enumerate(result[name]["losses"], 1):
                run.log(step * config.fine.steps // config.n_validations, training=label, seed=seed, loss=loss)
    told = (
        f"Small networks for {config.model.vae.resolution}³ voxels, {config.fine.steps:,} steps a stage on "
        f"{config.n_scenes} scenes, tested on {config.n_test_scenes} others."
    )
    for claim in ("dual-branch", "alignment"):
        run.note(claim, told)
    figure = plots.curves(run.history, "loss", xlabel="steps", ylabel="validation loss of the flow", by="training")
    run.figure("alignment", figure, ["alignment"], caption="Validation loss of the fine stage over training.")


@experiment(
    "data",
    smoke=Generation(replace(SMOKE_SCENES, n_views=2), n_scenes=2),
    quick=QUICK_GENERATION,
    gpu=Generation(n_scenes=20),
    paper=Generation(n_scenes=110_000),
)
def generator(config: Generation, run: Run) -> None:
    """Generate scenes and count what is in them."""
    for result in run.over_seeds(generate, {"all": config}, "scenes")["all"]:
        counts = {key: result[key] for key in ("scenes", "images", "objects", "occluded", "repeated", "distinct")}
        run.measure("data", per_month=MONTH / result["seconds"], **counts)
