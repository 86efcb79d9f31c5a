"""Colors of completed objects: by the texturing stage where nothing is seen, and as they are seen elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fixer3d.configs import SamplerConfig
from fixer3d.flow.sampling import sample
from fixer3d.geometry.distances import nearest
from fixer3d.geometry.frames import Frame
from fixer3d.geometry.meshes import Mesh
from fixer3d.network.model import FixerModel, ObjectImages
from fixer3d.network.texture import TEXTURE_CHANNELS, Voxels, make_texture_velocity
from fixer3d.training.observations import see_voxels

from .targets import Target, object_noise

TEXTURE_SAMPLER = SamplerConfig(n_steps=4, guidance=0.0)
"""Few steps without guidance: what is wanted of a color is that it is likely, not that it differs from others."""
N_NEAREST = 4
"""Voxels from which a vertex takes its color."""
SEEN, UNSEEN = 1.0, 2.0
"""Distances from the nearest visible point, in voxels: up to the first a vertex is seen, from the second it is not."""


@dataclass(frozen=True)
class VoxelColors:
    """Decoded colors of an object's active voxels.

    Args:
        positions: Of their centers in the world.
        colors: From 0 to 1.
    """

    positions: Float[Tensor, "n 3"]
    colors: Float[Tensor, "n 3"]

    def at(self, points: Float[Tensor, "m 3"]) -> Float[Tensor, "m 3"]:
        """The colors at points: means over the nearest voxels, weighted by the inverse squares of their distances."""
        from scipy.spatial import cKDTree

        k = min(N_NEAREST, len(self.positions))
        distances, found = cKDTree(self.positions.numpy()).query(points.numpy(), np.arange(1, k + 1))
        weights = torch.from_numpy(1 / np.maximum(distances, 1e-9) ** 2)
        weights = (weights / weights.sum(1, keepdim=True)).to(self.colors)
        return (weights[..., None] * self.colors[torch.from_numpy(found)]).sum(1)


@torch.no_grad()
def sample_colors(
    model: FixerModel,
    targets: Sequence[Target],
    occupancy: Sequence[Bool[Tensor, "R R R"]],
    frames: Sequence[Frame],
    *,
    seed: int = 0,
    sampler: SamplerConfig = TEXTURE_SAMPLER,
) -> list[VoxelColors]:
    """Colors of the active voxels of objects, all in one batch.

    Args:
        model: The networks, with a texturer.
        targets: The objects, each with its images and its scene.
        occupancy: Their voxels after the fine stage.
        frames: From the cubes of the voxels to the world.
        seed: Random seed.
        sampler: Steps and guidance.

    Raises:
        ValueError: if the model has no texturer, or an object no scene.
    """
    texturer = model.texturer
    if texturer is None:
        raise ValueError("this model has no networks of the stage texture")
    images = [one.images for one in targets if one.images is not None and one.scene is not None]
    if len(images) < len(targets):
        raise ValueError("every object needs a scene with an image to be colored")
    device, resolution = model.latent_mean.device, model.config.vae.resolution
    voxels = Voxels.from_occupancy(torch.stack(list(occupancy)))
    centers = [frame.to_world(one.double()) for one, frame in zip(voxels.centers(resolution), frames, strict=True)]
    seen = [_seen(*each) for each in zip(targets, centers, frames, strict=True)]
    places, behind = (torch.stack(parts).to(device) for parts in zip(*seen, strict=True))
    pictures = ObjectImages.cat(images).to(device).floats()
    voxels = Voxels(voxels.coordinates.to(device), voxels.exists.to(device))
    tokens = model.texture_tokens(pictures)
    conditions = texturer.conditions(tokens, pictures.scene, pictures.scene_mask, places, behind, voxels.exists)
    noise = _noise(targets, voxels, seed).to(device)
    z = sample(make_texture_velocity(texturer.flow, voxels, conditions), noise, sampler)
    colors, exists = texturer.autoencoder.decode(z)[0].cpu(), voxels.exists.cpu()
    return [VoxelColors(x[is_one], rgb[is_one]) for x, rgb, is_one in zip(centers, colors, exists, strict=True)]


def _seen(target: Target, centers: Tensor, frame: Frame) -> tuple[Tensor, Tensor]:
    """Where the image shows an object's voxels."""
    scene = target.scene
    assert scene is not None  # noqa: S101 - for the type checker; see `sample_colors`
    found = see_voxels(centers, float(frame.scale), scene.depth, scene.intrinsics, scene.c2w)
    return found.places.float(), found.behind.float()


def _noise(targets: Sequence[Target], voxels: Voxels, seed: int) -> Float[Tensor, "batch n c"]:
    """Noise of each object's voxels, which does not depend on the others."""
    counts = voxels.exists.sum(1).tolist()
    parts = [object_noise(one.name, seed, (n, TEXTURE_CHANNELS)) for one, n in zip(targets, counts, strict=True)]
    return nn.utils.rnn.pad_sequence(parts, batch_first=True)


def textured(
    mesh: Mesh,
    decoded: VoxelColors,
    points: Float[Tensor, "n 3"],
    colors: Float[Tensor, "n 3"] | None,
    voxel: float,
) -> Mesh:
    """A mesh in decoded colors where nothing is seen, and in the color of the nearest visible point elsewhere.

    A vertex within one voxel of a visible point keeps that point's color, since the image knows it better than any
    model; from two voxels on it has the decoded one; in between, the two are mixed linearly, so that there is no seam.
    The rule goes by distance alone: where the surface is within a voxel, the resolution of the shape does not tell what
    is seen from what is not.

    Args:
        mesh: In the world.
        decoded: Colors of the object's voxels.
        points: Visible points.
        colors: Of these; all vertices have decoded colors if there are none.
        voxel: Edge of a voxel in the world.
    """
    vertices = torch.from_numpy(mesh.vertices).double()
    if not len(vertices):
        return mesh
    found = decoded.at(vertices)
    if colors is not None and len(points):
        distance, index = nearest(vertices[None], points[None].cpu().double())
        weight = ((UNSEEN - distance[0] / voxel) / (UNSEEN - SEEN)).clamp(0, 1)[:, None].float()
        found = weight * colors.cpu()[index[0]] + (1 - weight) * found
    return Mesh(mesh.vertices, mesh.faces, found.double().numpy())
