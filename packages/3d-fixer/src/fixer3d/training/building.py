"""Training examples from scenes: objects in views, framed, augmented, voxelized and encoded."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from fixer3d.configs import FrameKind, Stage, TrainConfig
from fixer3d.geometry.meshes import Mesh
from fixer3d.network.model import FixerModel, ObjectImages
from fixer3d.scenes.crops import degraded
from fixer3d.scenes.dataset import load_scene
from fixer3d.scenes.depth import estimate_depth, mixed_depth
from fixer3d.scenes.generation import SyntheticScene
from fixer3d.scenes.partial import partial_points
from fixer3d.scenes.rendering import Light, Renderer, View
from separata.loop import step_generator
from separata.progress import Reporter
from separata.sweep import sweep

from .examples import FlowExamples, OccupancyExamples
from .framing import Framed, draw_augmentation, frame_object, turn
from .observations import isolated, observe, trusted
from .surfaces import SurfaceVoxels, surface_voxels

KINDS: dict[Stage, tuple[FrameKind, ...]] = {
    "vae": ("coarse", "fine"),
    "upright": ("fine",),
    "prior": ("fine",),
    "control-pre": ("coarse", "fine"),
    "coarse": ("coarse",),
    "fine": ("fine",),
    "texture": ("fine",),
}
"""Frames of a stage's examples; variants take them in turn."""
ALONE: tuple[Stage, ...] = ("upright", "control-pre")
"""Stages that see each object alone, without what stands before it."""
MAX_RATIO = 1.01
LIGHT = Light(np.array([0.4, 0.3, 0.866]), 0.5, np.zeros(3))
"""Of objects that are rendered alone."""
ENCODE_BATCH = 16
PART = 8
"""Scenes that one process takes at a time."""


@dataclass(frozen=True)
class ExampleVoxels:
    """An object in a view, in several variants.

    Args:
        images: What is seen of it, a batch of one.
        clean: The object alone.
        target: Voxels of the whole object.
        partial: Visible voxels.
        confidence: Of these, from space to channels, as bytes.
        depth_ratio: How much of the depth was estimated.
        surface: Colors of the whole object's voxels, and where the image shows them; for the texturing stage alone.
    """

    images: ObjectImages
    clean: UInt8[Tensor, "3 s s"]
    target: Bool[Tensor, "v R R R"]
    partial: Bool[Tensor, "v R R R"]
    confidence: UInt8[Tensor, "v k r r r"]
    depth_ratio: Float[Tensor, "v"]
    surface: SurfaceVoxels | None = None


def build_voxels(
    scenes: Iterable[SyntheticScene],
    stage: Stage,
    config: TrainConfig,
    resolution: int,
    image_size: int,
    *,
    min_area: float = 0.005,
    first: int = 0,
) -> Iterator[ExampleVoxels]:
    """The examples of a stage, one for each object in each view that covers enough of it.

    Args:
        scenes: Scenes with their views.
        stage: The stage.
        config: Variants and augmentation.
        resolution: Voxels along each edge.
        image_size: Pixels along each edge of a crop.
        min_area: Least share of the image that an object covers.
        first: Number of the first scene, from which its randomness is drawn.
    """
    for number, scene in enumerate(scenes, first):
        generator = step_generator(config.seed, number)
        meshes = [one.mesh for one in scene.objects]
        for view in scene.views:
            for i in view.visible(min_area):
                alone = Renderer([meshes[i]]).render(view.intrinsics, view.c2w, LIGHT, 1)
                seen, mask = (alone, alone.mask(0)) if stage in ALONE else (view, view.mask(i))
                clean = isolated(alone.rgb.permute(2, 0, 1), alone.mask(0), image_size)
                yaw = scene.placements[i].yaw if stage == "upright" else 0.0
                example = _example(meshes[i], yaw, (seen, mask), clean, stage, config, resolution, generator)
                if example is not None:
                    yield example


def load_voxels(
    folders: Sequence[Path], stage: Stage, config: TrainConfig, resolution: int, image_size: int, reporter: Reporter
) -> Iterator[ExampleVoxels]:
    """The examples of a stage from scenes on disk, built in as many processes as PyTorch has threads.

    They depend on the scenes' order and the seed, not on the number of processes.
    """
    workers = torch.get_num_threads()
    parts = [(first, folders[first : first + PART]) for first in range(0, len(folders), PART)]

    def build(part: tuple[int, Sequence[Path]]) -> list[ExampleVoxels]:
        first, paths = part
        scenes = map(load_scene, paths)
        return list(build_voxels(scenes, stage, config, resolution, image_size, first=first))

    for start in reporter.track(range(0, len(parts), workers), "examples"):
        for examples in sweep(build, parts[start : start + workers], workers=workers, threads=1):
            yield from examples


def _example(
    mesh: Mesh,
    yaw: float,
    seen: tuple[View, Bool[Tensor, "h w"]],
    clean: UInt8[Tensor, "3 s s"],
    stage: Stage,
    config: TrainConfig,
    resolution: int,
    generator: torch.Generator,
) -> ExampleVoxels | None:
    """An object of a view in all its variants, turned back by its yaw; none if too little of it is seen."""
    view, mask = seen
    back = turn(2, -yaw)
    mesh = mesh.mapped(back.numpy())
    ratio = min(1.0, MAX_RATIO * float(torch.rand((), generator=generator)))
    if config.augment.exact and float(torch.rand((), generator=generator)) < config.augment.exact:
        ratio = 0.0
    depth = mixed_depth(view.depth, estimate_depth(view.depth, generator), ratio, mask)
    images = observe(view.rgb, depth, mask, view.intrinsics, view.c2w, clean.shape[-1]).images
    variants: list[Framed] = []
    surfaces: list[SurfaceVoxels] = []
    for number in range(config.n_variants):
        kind = KINDS[stage][number % len(KINDS[stage])]
        augment = draw_augmentation(config.augment, generator)
        try:
            points, confidence = partial_points(depth, mask, view.intrinsics, view.c2w)
            points = points @ back.T.to(points)
            framed = frame_object(mesh, points, trusted(confidence), kind, resolution, augment, generator)
            if stage == "texture":
                surfaces.append(surface_voxels(framed, depth, view.intrinsics, view.c2w))
        except ValueError:
            return None
        variants.append(framed)
    crop = degraded(torch.cat([images.crop[0], images.crop_mask[0]]), generator, config.augment.degrade)
    return ExampleVoxels(
        ObjectImages(crop[None, :3], crop[None, 3:], images.scene, images.scene_mask),
        clean,
        torch.stack([one.occupancy > 0 for one in variants]),
        torch.stack([one.partial.occupancy > 0 for one in variants]),
        torch.stack([(one.partial.confidence * 255).round().byte() for one in variants]),
        torch.full((len(variants),), ratio),
        SurfaceVoxels.stack(surfaces) if surfaces else None,
    )


def occupancy_examples(examples: Iterable[ExampleVoxels]) -> OccupancyExamples:
    """The voxels of whole objects and of visible parts, for the autoencoder.

    Raises:
        ValueError: if there is none.
    """
    grids = [torch.cat([one.target, one.partial]) for one in examples]
    if not grids:
        raise ValueError("no scene shows an object that is large enough to learn from")
    return OccupancyExamples(torch.cat(grids))


def encode_examples(model: FixerModel, examples: Iterable[ExampleVoxels], *, with_partial: bool = True) -> FlowExamples:
    """Examples with the latents of their voxels, for a flow.

    Args:
        model: Its autoencoder encodes.
        examples: Examples of a stage.
        with_partial: Encode the visible voxels, too; their latents are zeros otherwise.

    Raises:
        ValueError: if there is none.
    """
    kept, latents = [], []
    for one in examples:
        kept.append(one)
        latents.append(_encode(model, torch.cat([one.target, one.partial] if with_partial else [one.target])))
    if not kept:
        raise ValueError("no scene shows an object that is large enough to learn from")
    if with_partial:
        target, partial = (torch.stack(parts) for parts in zip(*(one.chunk(2) for one in latents), strict=True))
    else:
        target = torch.stack(latents)
        partial = torch.zeros_like(target)
    return FlowExamples(
        ObjectImages.cat([one.images for one in kept]),
        torch.stack([one.clean for one in kept]),
        target,
        partial,
        torch.stack([one.confidence for one in kept]),
        torch.stack([one.depth_ratio for one in kept]),
    )


@torch.no_grad()
def _encode(model: FixerModel, occupancy: Bool[Tensor, "n R R R"]) -> Float[Tensor, "n c r r r"]:
    device = model.latent_mean.device
    found = [model.encode(part.to(device).float()) for part in occupancy.split(ENCODE_BATCH)]
    return torch.cat(found).half().cpu()


@torch.no_grad()
def measure_latents(model: FixerModel, occupancy: Bool[Tensor, "n R R R"]) -> None:
    """Normalize the latents of a model by their mean and standard deviation over some grids, channel by channel."""
    model.latent_mean.zero_()
    model.latent_std.fill_(1)
    latents = _encode(model, occupancy).float().transpose(0, 1).flatten(1)
    shape = model.latent_mean.shape
    model.latent_mean.copy_(latents.mean(1).reshape(shape))
    model.latent_std.copy_(latents.std(1).clamp(min=1e-3).reshape(shape))
