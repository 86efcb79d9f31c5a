"""Generation, and a pose that a small network predicts from image tokens, without visible points (as in MIDI)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from fixer3d.completion.fixer import Fixer
from fixer3d.completion.objects import CompletedObject
from fixer3d.completion.scene import Scene
from fixer3d.configs import SamplerConfig
from fixer3d.geometry.cameras import Intrinsics
from fixer3d.geometry.frames import Frame
from fixer3d.geometry.meshes import Mesh
from fixer3d.network.model import FixerModel, ObjectImages
from fixer3d.scenes.crops import crop_box
from fixer3d.scenes.generation import SyntheticScene

from .align import generate

N_OUTPUTS = 6
"""Offset of the center in the image (2), logarithms of depth and size (2), cosine and sine of the yaw (2)."""
N_GEOMETRY = 4
"""What is known of the camera and the crop: place (2), size, focal length."""


class PoseHead(nn.Module):
    """Center, size and yaw of an object from the tokens of its crop and of the whole image.

    Args:
        width: Width of the tokens.
        hidden: Width of the hidden layer.
    """

    def __init__(self, width: int, hidden: int = 256) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4 * width + N_GEOMETRY, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, N_OUTPUTS),
        )

    def forward(self, tokens: Float[Tensor, "b features"], geometry: Float[Tensor, "b 4"]) -> Float[Tensor, "b 6"]:
        """Predict."""
        return self.layers(torch.cat([tokens, geometry], -1))


@dataclass(frozen=True)
class PoseExamples:
    """Objects in views with their poses.

    Args:
        tokens: Mean tokens of the masked crop, the mask, the whole image and the mask in it.
        geometry: Place and size of the crop, and the focal length.
        targets: What the head is to predict.
    """

    tokens: Float[Tensor, "n features"]
    geometry: Float[Tensor, "n 4"]
    targets: Float[Tensor, "n 6"]


class PoseRegressor:
    """The frozen prior on masked crops, put where a trained head says.

    The head sees the image and the camera, but no depth and no visible points: it is trained on the same scenes as the
    method.

    Args:
        fixer: A fixer; its prior and image encoder are shared.
        head: The trained head.
    """

    name = "regress"

    def __init__(self, fixer: Fixer, head: PoseHead) -> None:
        self.fixer, self.head = fixer, head.eval()

    @torch.no_grad()
    def complete(
        self, scene: Scene, ids: Sequence[str] | None = None, *, seed: int = 0, sampler: SamplerConfig | None = None
    ) -> list[CompletedObject]:
        """Generate the objects of a scene and place them."""
        targets = self.fixer.targets(scene, ids)
        meshes = generate(self.fixer, targets, seed, sampler)
        images = ObjectImages.cat([one.images for one in targets if one.images is not None])
        tokens = pooled_tokens(self.fixer.model, images.to(self.fixer.device))
        geometry = torch.stack([crop_geometry(scene.masks[one.name], scene.intrinsics) for one in targets])
        poses = self.head(tokens, geometry.to(tokens)).cpu()
        found = []
        for one, mesh, pose, place in zip(targets, meshes, poses, geometry, strict=True):
            placed = place_mesh(mesh, pose, place, scene.c2w)
            low, high = placed.bounds
            frame = Frame(torch.from_numpy((low + high) / 2), torch.tensor((high - low).max()))
            found.append(CompletedObject(one.name, placed, torch.zeros(1, 1, 1, dtype=torch.bool), frame, frame))
        return found


@torch.no_grad()
def pooled_tokens(model: FixerModel, images: ObjectImages) -> Float[Tensor, "b features"]:
    """Mean tokens of what is seen of each object; of the whole image, its colors."""
    images = images.floats()
    parts = (
        model.masked_tokens(images.crop, images.crop_mask),
        model.mask_tokens(images.crop_mask),
        model.encoder(images.scene[:, :3]),
        model.mask_tokens(images.scene_mask),
    )
    return torch.cat([part.mean(1) for part in parts], -1)


def crop_geometry(mask: Tensor, intrinsics: Intrinsics) -> Float[Tensor, "4"]:
    """The ray through the middle of a crop, its size at depth 1, and the focal length over the image's width."""
    x, y, half = crop_box(mask)
    return torch.tensor(
        [
            (x - intrinsics.cx) / intrinsics.fx,
            (intrinsics.cy - y) / intrinsics.fy,
            2 * half / intrinsics.fx,
            intrinsics.fx / intrinsics.width,
        ]
    )


def pose_target(mesh: Mesh, yaw: float, geometry: Float[Tensor, "4"], c2w: Float[Tensor, "4 4"]) -> Float[Tensor, "6"]:
    """What the head is to predict for an object: `place_mesh` undoes it."""
    low, high = mesh.bounds
    center = torch.from_numpy((low + high) / 2).float()
    local = (center - c2w[:3, 3]) @ c2w[:3, :3]
    depth, size = float(-local[2]), float((high - low).max())
    offset = (local[:2] / depth - geometry[:2]) / geometry[2]
    logs = [math.log(max(depth, 1e-3)), math.log(size / (depth * float(geometry[2])))]
    return torch.tensor([float(offset[0]), float(offset[1]), *logs, math.cos(yaw), math.sin(yaw)])


def place_mesh(mesh: Mesh, pose: Float[Tensor, "6"], geometry: Float[Tensor, "4"], c2w: Float[Tensor, "4 4"]) -> Mesh:
    """A mesh turned about the vertical, scaled and moved to where a prediction says."""
    depth = math.exp(float(pose[2].clamp(-5, 5)))
    size = math.exp(float(pose[3].clamp(-5, 5))) * depth * float(geometry[2])
    place = torch.cat([(geometry[:2] + pose[:2] * geometry[2]) * depth, torch.tensor([-depth])])
    center = (c2w[:3, :3] @ place.to(c2w) + c2w[:3, 3]).double().numpy()
    yaw = math.atan2(float(pose[5]), float(pose[4]))
    turn = np.array([[math.cos(yaw), -math.sin(yaw), 0], [math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]])
    turned = mesh.mapped(turn)
    low, high = turned.bounds
    scale = size / float((high - low).max())
    return turned.mapped(scale * np.eye(3), center - scale * (low + high) / 2)


def pose_examples(fixer: Fixer, scenes: Sequence[SyntheticScene], *, min_area: float = 0.005) -> PoseExamples:
    """Examples for the head from scenes.

    Raises:
        ValueError: if no object covers enough of an image.
    """
    tokens, geometry, targets = [], [], []
    for scene in scenes:
        names = [one.name for one in scene.objects]
        for view in scene.views:
            for i in view.visible(min_area):
                seen = Scene.from_rgbd(view.rgb, view.depth, {names[i]: view.mask(i)}, view.intrinsics, view.c2w)
                images = seen.observe(names[i], fixer.image_size).images
                tokens.append(pooled_tokens(fixer.model, images.to(fixer.device))[0])
                geometry.append(crop_geometry(view.mask(i), view.intrinsics))
                targets.append(pose_target(scene.objects[i].mesh, scene.placements[i].yaw, geometry[-1], view.c2w))
    if not tokens:
        raise ValueError("no scene shows an object that is large enough to learn from")
    device = fixer.device
    return PoseExamples(torch.stack(tokens), torch.stack(geometry).to(device), torch.stack(targets).to(device))


def train_pose_head(
    examples: PoseExamples, generator: torch.Generator, *, steps: int = 2_000, batch_size: int = 64, lr: float = 1e-3
) -> PoseHead:
    """Train a head with the Huber loss.

    Args:
        examples: What it learns from.
        generator: Draws the batches, on the CPU.
        steps: Steps of AdamW.
        batch_size: Examples of a step.
        lr: Learning rate.
    """
    head = PoseHead(examples.tokens.shape[1] // 4).to(examples.tokens.device)
    optimizer = torch.optim.AdamW(head.parameters(), lr)
    for _ in range(steps):
        i = torch.randint(len(examples.tokens), (batch_size,), generator=generator).to(examples.tokens.device)
        loss = F.smooth_l1_loss(head(examples.tokens[i], examples.geometry[i]), examples.targets[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return head.eval()
