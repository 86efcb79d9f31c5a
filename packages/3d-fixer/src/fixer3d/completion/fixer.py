"""Completion of all objects of a scene at their places: coarse, then fine."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fixer3d.configs import SamplerConfig
from fixer3d.flow.sampling import make_velocity, sample
from fixer3d.geometry.frames import Frame, coarse_frame, fine_frame
from fixer3d.geometry.meshes import Mesh
from fixer3d.geometry.voxels import fill, mesh_from_logits
from fixer3d.network.conditions import Conditions
from fixer3d.network.model import FixerModel, ObjectImages
from fixer3d.training.framing import COARSE_LIMIT, FINE_LIMIT, SLACK, Partial, partial_voxels, within
from fixer3d.training.observations import no_images
from fixer3d.training.runs import save_networks

from .arrays import Array, as_cloud, as_crop, as_values
from .objects import CompletedObject, colored
from .scene import Scene
from .targets import Target, find_targets, object_noise
from .texturing import sample_colors, textured

DEFAULT = SamplerConfig()
STAGES = ("coarse", "fine")


class Fixer:
    """Completes objects at their places, without any alignment of poses.

    The visible points of each object are put into a frame with room around them, where the coarse stage finds how far
    the object extends; into the frame of its result, where the fine stage finds the shape; and that is mapped back. All
    objects of a scene go through the networks in one batch.

    Args:
        model: The networks. Without a control branch for the fine stage, the coarse one's result is taken.
    """

    def __init__(self, model: FixerModel) -> None:
        self.model = model.eval()

    @classmethod
    def from_pretrained(cls, name: str | Path = "tiny", device: str = "auto") -> "Fixer":
        """A fixer with trained weights.

        Args:
            name: A folder that `3d-fixer train` wrote, or one in the layout of TRELLIS, with pipeline.json; or the name
                of weights that come with the package, by default those of the small model.
            device: Where to compute: auto, cpu or cuda.

        Raises:
            FileNotFoundError: if there is no such folder, or a file of it is missing.
            ValueError: if a file is damaged, or there is no coarse stage.
        """
        from .weights import load_completer

        return cls(load_completer(name, device))

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.model.latent_mean.device

    @property
    def image_size(self) -> int:
        """Pixels along each edge of the crops that it looks at."""
        return self.model.config.encoder.image_size

    def complete(
        self,
        scene: Scene,
        ids: Sequence[str] | None = None,
        *,
        seed: int = 0,
        sampler: SamplerConfig | None = None,
        stages: tuple[str, ...] = STAGES,
        texture: bool = True,
    ) -> list[CompletedObject]:
        """Complete the objects of a scene.

        Args:
            scene: The scene.
            ids: Names of the objects; all if not given.
            seed: Random seed. What an object becomes does not depend on which others are completed.
            sampler: Steps and guidance; those of the weights if not given.
            stages: Both stages, or the coarse one alone.
            texture: Color what is not seen by the texturing stage, if the model has it and the fine stage is used;
                otherwise every vertex has the color of the nearest visible point.

        Returns:
            The objects. One with too few visible points is left out, with a warning.

        Raises:
            ValueError: if a name is unknown, or there are too few visible points of every object.
        """
        targets = self.targets(scene, ids)
        return self.complete_targets(targets, seed=seed, sampler=sampler, stages=stages, texture=texture)

    def targets(self, scene: Scene, ids: Sequence[str] | None = None) -> list[Target]:
        """What is known of the objects of a scene that have enough visible points; a warning for each other.

        Raises:
            ValueError: if a name is unknown, or there are too few visible points of every object.
        """
        return find_targets(scene, ids, self.image_size)

    def complete_points(
        self,
        points: Array,
        confidence: Array | None = None,
        *,
        image_crop: Array | None = None,
        crop_mask: Array | None = None,
        colors: Array | None = None,
        name: str = "object",
        seed: int = 0,
        sampler: SamplerConfig | None = None,
    ) -> CompletedObject:
        """Complete one partial cloud.

        Args:
            points: Visible points (n, 3).
            confidence: Of each point (n,), 1 inside and 0.5 at the edge; 1 if not given.
            image_crop: The object in an image (3, s, s) of the model's image size, if there is one.
            crop_mask: Its mask in it (1, s, s); all of it if not given.
            colors: Of each point (n, 3), from 0 to 1.
            name: Of the object.
            seed: Random seed.
            sampler: Steps and guidance; those of the weights if not given.

        Raises:
            ValueError: if there are fewer than 10 points, some that are not finite, or an array has the wrong shape.
        """
        cloud, size = as_cloud(points), self.image_size
        trust = as_values(confidence, "the confidence", (len(cloud),))
        trust = torch.ones(len(cloud)) if trust is None else trust
        images = None
        if image_crop is not None:
            black = no_images(1, size)
            mask = black.crop_mask[0] + 255 if crop_mask is None else as_crop(crop_mask, "the mask", (1, size, size))
            crop = as_crop(image_crop, "the crop", (3, size, size))
            images = replace(black, crop=crop[None], crop_mask=mask[None])
        target = Target(name, cloud, trust, images, 0.0, as_values(colors, "the colors", (len(cloud), 3)))
        return self.complete_targets([target], seed=seed, sampler=sampler)[0]

    @torch.no_grad()
    def complete_targets(
        self,
        targets: Sequence[Target],
        *,
        seed: int = 0,
        sampler: SamplerConfig | None = None,
        stages: tuple[str, ...] = STAGES,
        texture: bool = True,
    ) -> list[CompletedObject]:
        """Complete objects in one batch; see `complete`.

        Raises:
            ValueError: if an object has too few points away from its edge.
        """
        coarse = [coarse_frame(one.points, one.confidence) for one in targets]
        kept = [_without_strays(one, frame) for one, frame in zip(targets, coarse, strict=True)]
        logits = self._stage("coarse", kept, coarse, COARSE_LIMIT, seed, sampler)
        frames, found = coarse, _filled_in(logits, self._partials(kept, coarse, COARSE_LIMIT), "coarse")
        is_fine = "fine" in stages and "fine" in self.model.stages
        if is_fine:
            frames = [one.compose(fine_frame(grid > 0)) for one, grid in zip(coarse, found, strict=True)]
            logits = self._stage("fine", kept, frames, FINE_LIMIT, seed, sampler)
            found = _filled_in(logits, self._partials(kept, frames, FINE_LIMIT), "fine")
        meshes = self._meshes(targets, found, frames, seed if texture and is_fine else None)
        return [
            CompletedObject(one.name, mesh, grid > 0, frame, start)
            for one, mesh, grid, frame, start in zip(targets, meshes, found, frames, coarse, strict=True)
        ]

    def _meshes(
        self, targets: Sequence[Target], found: Sequence[Tensor], frames: Sequence[Frame], seed: int | None
    ) -> list[Mesh]:
        """The meshes of logits in colors; those of the texturing stage where there is a seed for it."""
        meshes = [_mesh(grid, frame) for grid, frame in zip(found, frames, strict=True)]
        chosen = [i for i, one in enumerate(targets) if one.scene is not None and one.images is not None]
        if seed is None or self.model.texturer is None or not chosen:
            return [colored(mesh, one.points, one.colors) for mesh, one in zip(meshes, targets, strict=True)]
        some = [targets[i] for i in chosen]
        occupancy, places = [found[i] > 0 for i in chosen], [frames[i] for i in chosen]
        decoded = dict(zip(chosen, sample_colors(self.model, some, occupancy, places, seed=seed), strict=True))
        return [
            textured(mesh, decoded[i], one.points, one.colors, float(frames[i].scale) / len(found[i]))
            if i in decoded
            else colored(mesh, one.points, one.colors)
            for i, (mesh, one) in enumerate(zip(meshes, targets, strict=True))
        ]

    def _partials(self, targets: Sequence[Target], frames: Sequence[Frame], limit: float) -> list[Partial]:
        resolution = self.model.config.vae.resolution
        pairs = zip(targets, frames, strict=True)
        kept = (within(frame.to_local(one.points), one.confidence, limit) for one, frame in pairs)
        return [partial_voxels(*cloud, resolution) for cloud in kept]

    def _stage(
        self,
        stage: str,
        targets: Sequence[Target],
        frames: Sequence[Frame],
        limit: float,
        seed: int,
        sampler: SamplerConfig | None,
    ) -> list[Float[Tensor, "R R R"]]:
        """The logits of each object after a stage."""
        partials = self._partials(targets, frames, limit)
        occupancy = torch.stack([one.occupancy for one in partials]).to(self.device)
        black = no_images(1, self.image_size).floats()
        images = [black if one.images is None else one.images.floats() for one in targets]
        conditions = self.model.conditions(
            stage,
            ObjectImages.cat(images).to(self.device),
            self.model.encode(occupancy),
            torch.stack([one.confidence for one in partials]).to(self.device),
            torch.tensor([one.depth_ratio for one in targets], device=self.device),
        )
        conditions = _without_images(conditions, [one.images is None for one in targets])
        noise = torch.stack([object_noise(f"{stage} {one.name}", seed, self.model.latent_shape) for one in targets]).to(
            self.device
        )
        chosen = sampler or self.model.samplers.get(stage, DEFAULT)
        latents = sample(make_velocity(self.model.flow(stage), conditions), noise, chosen)
        return list(self.model.decode(latents).float().cpu())


def _without_strays(target: Target, frame: Frame) -> Target:
    """Without points outside the box of the confident ones, which are at the edge of the mask, where depth bleeds."""
    kept = (frame.to_local(target.points).abs() <= COARSE_LIMIT + SLACK).all(1)
    colors = None if target.colors is None else target.colors[kept]
    return replace(target, points=target.points[kept], confidence=target.confidence[kept], colors=colors)


def _without_images(conditions: Conditions, are_missing: Sequence[bool]) -> Conditions:
    """Conditions with the image tokens of objects without an image dropped, as in training."""
    keep = 1 - torch.tensor(are_missing, device=conditions.depth_ratio.device).float()[:, None, None]
    names = ("masked_crop", "instance", "scene")
    return replace(conditions, **{name: getattr(conditions, name) * keep for name in names})


def _filled_in(
    logits: Sequence[Float[Tensor, "R R R"]], partials: Sequence[Partial], stage: str
) -> list[Float[Tensor, "R R R"]]:
    """Logits; where a stage found no voxel, those of the visible voxels alone, with a warning."""
    found = []
    for grid, partial in zip(logits, partials, strict=True):
        if (grid > 0).any():
            found.append(grid)
            continue
        warnings.warn(f"the {stage} stage found no voxel of an object; its visible voxels are kept", stacklevel=4)
        found.append(partial.occupancy - 0.5)
    return found


def solid(logits: Float[Tensor, "R R R"]) -> Float[Tensor, "R R R"]:
    """Logits of what closed surfaces enclose; voxels are occupied where an object's surface is, not inside."""
    inside: Bool[Tensor, "R R R"] = (fill((logits > 0).float()) > 0) & (logits <= 0)
    return torch.where(inside, logits.abs().max(), logits)


def _mesh(logits: Float[Tensor, "R R R"], frame: Frame) -> Mesh:
    return mesh_from_logits(solid(logits)).transformed(frame)


def load(path: str | Path = "tiny", device: str = "auto") -> Fixer:
    """A fixer with trained weights; see `Fixer.from_pretrained`."""
    return Fixer.from_pretrained(path, device)


def save(fixer: Fixer, path: str | Path) -> None:
    """Write a fixer to a folder, from which `load` reads it, with weights in half precision.

    Raises:
        ValueError: if the folder holds a training.
    """
    save_networks(fixer.model, path)
