"""What experiments run: comparisons on held-out scenes, and short trainings with parts left out."""

import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from .baselines.align import GenerateAndAlign, ScaledICP
from .baselines.regress import PoseRegressor, pose_examples, train_pose_head
from .baselines.simple import BoxFill, SingleStage, VisibleOnly
from .completion.fixer import Fixer
from .completion.objects import CompletedObject
from .completion.scene import Scene
from .completion.weights import load_model
from .configs import (
    HELD_OUT_CATEGORIES,
    ModelConfig,
    SamplerConfig,
    SceneConfig,
    Stage,
    TrainConfig,
)
from .flow.sampling import make_velocity, sample
from .geometry.metrics import evaluate_scene, voxel_iou
from .geometry.voxels import fill
from .network.model import FixerModel, ObjectImages, as_floats
from .scenes.generation import SyntheticScene, generate_scene
from .scenes.occlusion import visible_shares
from .training.building import ExampleVoxels, build_voxels, encode_examples, measure_latents, occupancy_examples
from .training.examples import FlowExamples, OccupancyExamples
from .training.stages import make_loss
from .training.trainer import Trainer

HELD_OUT = 10_000_000
"""Scenes from this seed on are never trained on."""
MOVED, GROWN = 3.0, 2.0
"""By how much the world is moved and scaled for the test that results move with it."""
Device = torch.device | str
Complete = Callable[[Scene], list[CompletedObject]]


@dataclass(frozen=True)
class Comparison:
    """The method and its baselines on held-out scenes.

    Args:
        weights: Folder or name of trained networks; an untrained toy if empty.
        baselines: Folder or name of the networks whose prior the generative baselines use; an untrained toy if empty.
        scenes: What the held-out scenes are.
        n_scenes: Held-out scenes, each seen by its first camera.
        n_head_scenes: Scenes that the head of the pose regressor is trained on, the first of those of the weights.
        head_scenes: What these scenes are.
        head_steps: Steps of its training.
        sampler: How shapes are sampled; as the weights say if not given.
        icp_iterations: Iterations of ICP.
        n_points: Points on each mesh.
        max_visible: An object is mostly occluded if less than this part of it is visible.
        min_area: Least share of the image that an object covers.
        methods: Names of those that are compared; all if empty.
        seed: Random seed.
    """

    weights: str = ""
    baselines: str = ""
    scenes: SceneConfig = field(default_factory=SceneConfig)
    n_scenes: int = 20
    n_head_scenes: int = 200
    head_scenes: SceneConfig = field(default_factory=lambda: SceneConfig(n_views=2))
    head_steps: int = 2_000
    sampler: SamplerConfig | None = None
    icp_iterations: int = 50
    n_points: int = 20_480
    max_visible: float = 0.5
    min_area: float = 0.005
    methods: tuple[str, ...] = ()
    seed: int = 0

    def includes(self, name: str) -> bool:
        """Whether a method is compared."""
        return not self.methods or name in self.methods


def load_fixer(weights: str, seed: int, device: Device) -> Fixer:
    """A fixer with trained networks, or with an untrained toy."""
    if weights:
        return Fixer(load_model(weights, "cpu").to(device))
    torch.manual_seed(seed)
    return Fixer(FixerModel(ModelConfig.toy()).to(device))


def methods(trial: Comparison, fixer: Fixer) -> dict[str, Complete]:
    """What is compared, by name; all that generate are sampled as the trial or else their weights say."""
    seed, sampler = trial.seed, trial.sampler
    other = load_fixer(trial.baselines, trial.seed, fixer.device)
    untrained = load_fixer("", trial.seed, fixer.device)
    align, single = GenerateAndAlign(other, ScaledICP(trial.icp_iterations)), SingleStage(fixer)
    visible, box = VisibleOnly(fixer.model.config.vae.resolution), BoxFill()
    found: dict[str, Complete] = {
        "ours": lambda scene: fixer.complete(scene, seed=seed, sampler=sampler, texture=False),
        "single": lambda scene: single.complete(scene, seed=seed, sampler=sampler),
        "align": lambda scene: align.complete(scene, seed=seed, sampler=sampler),
        "visible": visible.complete,
        "box": box.complete,
        "untrained": lambda scene: untrained.complete(scene, seed=seed, sampler=sampler),
    }
    if trial.includes("regress"):
        regress = _pose_regressor(trial, other)
        found["regress"] = lambda scene: regress.complete(scene, seed=seed, sampler=sampler)
    return {name: method for name, method in found.items() if trial.includes(name)}


def _pose_regressor(trial: Comparison, fixer: Fixer) -> PoseRegressor:
    """The regressor, whose head is trained here."""
    scenes = [generate_scene(trial.head_scenes, i) for i in range(trial.n_head_scenes)]
    generator = torch.Generator().manual_seed(trial.seed)
    return PoseRegressor(fixer, train_pose_head(pose_examples(fixer, scenes), generator, steps=trial.head_steps))


def compare(trial: Comparison, device: Device = "cpu") -> dict[str, list[dict[str, Any]]]:
    """The measures of each method on each scene, and of each object in it; `moved` with the method itself."""
    fixer = load_fixer(trial.weights, trial.seed, device)
    compared = methods(trial, fixer)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in compared}
    if "ours" in compared:
        rows["moved"] = []
    for i in range(trial.n_scenes):
        made = generate_scene(trial.scenes, HELD_OUT + trial.seed * 10_000 + i)
        scene = visible_scene(made, trial.min_area)
        if scene is None:
            continue
        shares = visible_shares(made, made.views[0])
        for name, method in compared.items():
            rows[name].append(_measured(method, scene, made, shares, trial))
        if "moved" in rows:
            rows["moved"].append({"moved": moved_change(fixer, scene, trial)})
    return rows


def visible_scene(made: SyntheticScene, min_area: float) -> Scene | None:
    """What the first camera sees; nothing if no object is large enough."""
    view = made.views[0]
    if not view.visible(min_area):
        return None
    return Scene.from_view(view, [one.name for one in made.objects], min_area=min_area)


def _measured(
    method: Complete, scene: Scene, made: SyntheticScene, shares: Mapping[str, float], trial: Comparison
) -> dict[str, Any]:
    start = time.perf_counter()
    objects = method(scene)
    seconds = (time.perf_counter() - start) / len(objects)
    report = evaluate_scene(
        {one.name: one.mesh for one in objects},
        {name: made.meshes[name] for name in scene.names},
        torch.Generator().manual_seed(trial.seed),
        scales=made.scales,
        areas={name: float(mask.sum()) for name, mask in scene.masks.items()},
        n_points=trial.n_points,
    )
    hidden = [one.voxel_iou for name, one in report.objects.items() if shares[name] < trial.max_visible]
    return {
        "cd": report.chamfer,
        "f": report.fscore,
        "iou": report.mean("box_iou"),
        "center": report.mean("center_error"),
        "hidden": hidden,
        "seconds": seconds,
    }


def moved_change(fixer: Fixer, scene: Scene, trial: Comparison) -> float:
    """How far results change, over their extent, when the world is moved and scaled and they are brought back."""
    shift = torch.tensor([MOVED, -MOVED, MOVED])
    targets = fixer.targets(scene)[:1]
    moved = [replace(one, points=one.points * GROWN + shift) for one in targets]
    first, second = (
        fixer.complete_targets(some, seed=trial.seed, sampler=trial.sampler, texture=False)[0]
        for some in (targets, moved)
    )
    back = (second.mesh.vertices - shift.double().numpy()) / GROWN
    extent = float(np.ptp(first.mesh.bounds, axis=0).max())
    return float(np.abs(np.stack([back.min(0), back.max(0)]) - first.mesh.bounds).max()) / extent


def bound(differences: Sequence[float], *, upper: bool, seed: int = 0, n_draws: int = 2_000) -> float:
    """One end of the 90 % bootstrap interval of a mean."""
    values = np.asarray(differences)
    draws = np.random.default_rng(seed).integers(len(values), size=(n_draws, len(values)))
    return float(np.quantile(values[draws].mean(1), 0.95 if upper else 0.05))


@dataclass(frozen=True)
class Ablation:
    """Short trainings of a toy: each variant of the fine stage from the same networks, on the same examples.

    Args:
        model: Sizes of the networks.
        scenes: What is trained on; tests are on scenes of the held-out categories.
        n_scenes: Scenes to train on.
        n_test_scenes: Held-out scenes.
        vae: Training of the autoencoder.
        prior: Of the prior.
        control_pre: Of the control branch on single objects.
        fine: Of the fine stage, with all of the method.
        n_validations: Times at which the validation loss is measured.
        sampler: How shapes are sampled.
        seed: Random seed.
    """

    model: ModelConfig = field(default_factory=ModelConfig.toy)
    scenes: SceneConfig = field(default_factory=SceneConfig)
    n_scenes: int = 100
    n_test_scenes: int = 20
    vae: TrainConfig = field(default_factory=TrainConfig)
    prior: TrainConfig = field(default_factory=TrainConfig)
    control_pre: TrainConfig = field(default_factory=TrainConfig)
    fine: TrainConfig = field(default_factory=TrainConfig)
    n_validations: int = 20
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    seed: int = 0


@dataclass(frozen=True)
class Variant:
    """A fine stage with or without a part of the method.

    Args:
        scene_branch: Attend to the scene.
        instance_branch: Let the control branch see the crop of the instance and its mask.
        alignment: Align features, with the weight of the configuration.
        trained: Train it at all.
    """

    scene_branch: bool = True
    instance_branch: bool = True
    alignment: bool = True
    trained: bool = True


VARIANTS = {
    "both": Variant(),
    "no_scene": Variant(scene_branch=False),
    "no_instance": Variant(instance_branch=False),
    "without": Variant(alignment=False),
    "untrained": Variant(trained=False),
}


def ablate(trial: Ablation, device: Device = "cpu") -> dict[str, dict[str, Any]]:
    """The IoU of each held-out object by each variant, and the validation losses of these over training."""
    seed = trial.seed
    scenes = [generate_scene(trial.scenes, seed * 10_000 + i) for i in range(trial.n_scenes)]
    others = replace(trial.scenes, categories=HELD_OUT_CATEGORIES)
    tests = [generate_scene(others, HELD_OUT + seed * 10_000 + i) for i in range(trial.n_test_scenes)]
    torch.manual_seed(seed)
    model = FixerModel(trial.model, ()).to(device)
    for stage, config in (("vae", trial.vae), ("prior", trial.prior), ("control-pre", trial.control_pre)):
        _train(model, stage, replace(config, seed=seed), scenes)  # type: ignore[arg-type]
    config = replace(trial.fine, seed=seed)
    sizes = trial.model.vae.resolution, trial.model.encoder.image_size
    examples = encode_examples(model, build_voxels(scenes, "fine", config, *sizes)).to(device).with_tokens(model)
    held_out = list(build_voxels(tests, "fine", replace(config, n_variants=1), *sizes))
    validation = encode_examples(model, held_out).to(device).with_tokens(model)
    found = {
        name: _run_variant(deepcopy(model), variant, examples, validation, held_out, config, trial)
        for name, variant in VARIANTS.items()
    }
    prior = _sampled_ious(model, None, held_out, validation, trial)
    visible = [_filled_iou(one.partial[0], one.target[0]) for one in held_out]
    return {**found, "no_control": {"ious": prior}, "visible": {"ious": visible}}


def _train(model: FixerModel, stage: Stage, config: TrainConfig, scenes: Sequence[SyntheticScene]) -> None:
    voxels = build_voxels(scenes, stage, config, model.config.vae.resolution, model.config.encoder.image_size)
    if stage == "vae":
        grids = OccupancyExamples(occupancy_examples(voxels).occupancy.to(model.latent_mean.device))
        Trainer(make_loss(model, stage, config), grids, config).fit()
        measure_latents(model, grids.occupancy[:512])
        return
    examples = encode_examples(model, voxels).to(model.latent_mean.device)
    examples = examples if stage == "prior" else examples.with_tokens(model)
    Trainer(make_loss(model, stage, config), examples, config).fit()


def _run_variant(
    model: FixerModel,
    variant: Variant,
    examples: FlowExamples,
    validation: FlowExamples,
    held_out: Sequence[ExampleVoxels],
    config: TrainConfig,
    trial: Ablation,
) -> dict[str, Any]:
    """Train a variant and measure it; the validation loss is that of the flow alone, whatever it was trained with."""
    model.add_stage("fine", "control-pre", scene_branch=variant.scene_branch)
    if not variant.instance_branch:
        examples, validation = _without_instance(examples), _without_instance(validation)
    losses: list[float] = []
    if variant.trained:
        config = config if variant.alignment else replace(config, alignment=0.0)
        trainer = Trainer(
            make_loss(model, "fine", config),
            examples,
            config,
            validation=validation,
            log_every=max(1, config.steps // trial.n_validations),
            log=lambda row: losses.append(row.get("validation_mse", row["validation_loss"])),
        )
        trainer.fit()
    late = losses[len(losses) // 2 :]
    spread = float(np.std(np.diff(late))) if len(late) > 2 else None
    return {"ious": _sampled_ious(model, "fine", held_out, validation, trial), "losses": losses, "spread": spread}


def _without_instance(examples: FlowExamples) -> FlowExamples:
    """The same with the tokens of the instance dropped."""
    assert examples.tokens is not None  # noqa: S101 - for the type checker
    return replace(examples, tokens=replace(examples.tokens, instance=torch.zeros_like(examples.tokens.instance)))


@torch.no_grad()
def _sampled_ious(
    model: FixerModel,
    stage: str | None,
    held_out: Sequence[ExampleVoxels],
    validation: FlowExamples,
    trial: Ablation,
) -> list[float]:
    """IoU of voxels of sampled shapes, with the control of a stage or by the prior alone."""
    images = ObjectImages.cat([one.images for one in held_out]).to(validation.target.device).floats()
    noise = torch.randn(validation.target[:, 0].shape, generator=torch.Generator().manual_seed(trial.seed))
    noise = noise.to(images.crop)
    if stage is None:
        velocity = make_velocity(model.prior, model.masked_tokens(images.crop, images.crop_mask))
    else:
        partial, confidence = validation.partial[:, 0].float(), as_floats(validation.confidence[:, 0])
        conditions = model.conditions(stage, images, partial, confidence, validation.depth_ratio[:, 0])
        assert validation.tokens is not None  # noqa: S101 - for the type checker
        conditions = replace(conditions, instance=validation.tokens.instance.float())
        velocity = make_velocity(model.flow(stage), conditions)
    grids = (model.decode(sample(velocity, noise, trial.sampler)) > 0).cpu()
    return [_filled_iou(grid, one.target[0]) for grid, one in zip(grids, held_out, strict=True)]


def _filled_iou(first: torch.Tensor, second: torch.Tensor) -> float:
    return voxel_iou(fill(first.float()), fill(second.float()))


@dataclass(frozen=True)
class Generation:
    """Random scenes, timed and counted.

    Args:
        scenes: What the scenes are.
        n_scenes: How many are made.
        max_visible: An object is mostly occluded if less than this part of it is visible.
        seed: Random seed.
    """

    scenes: SceneConfig = field(default_factory=lambda: SceneConfig(n_objects=(5, 20), n_views=30))
    n_scenes: int = 10
    max_visible: float = 0.5
    seed: int = 0


def generate(trial: Generation, device: Device = "cpu") -> dict[str, float]:
    """Throughput and statistics of the generator, which needs no device."""
    del device
    first = HELD_OUT + trial.seed * 10_000
    generate_scene(replace(trial.scenes, n_views=1), first)  # what is loaded on first use is not timed
    start = time.perf_counter()
    scenes = [generate_scene(trial.scenes, first + i) for i in range(trial.n_scenes)]
    seconds = (time.perf_counter() - start) / trial.n_scenes
    shares = [share for made in scenes for share in visible_shares(made, made.views[0]).values() if share]
    again = generate_scene(trial.scenes, first)
    return {
        "seconds": seconds,
        "scenes": trial.n_scenes,
        "images": trial.n_scenes * trial.scenes.n_views,
        "objects": float(np.mean([len(made.objects) for made in scenes])),
        "occluded": float(np.mean([share < trial.max_visible for share in shares])),
        "repeated": float(_is_same(scenes[0], again)),
        "distinct": float(np.mean([not _is_same(a, b) for a, b in pairwise(scenes)])),
    }


def _is_same(first: SyntheticScene, second: SyntheticScene) -> bool:
    return all(
        torch.equal(a.rgb, b.rgb) and torch.equal(a.depth, b.depth)
        for a, b in zip(first.views, second.views, strict=True)
    )
