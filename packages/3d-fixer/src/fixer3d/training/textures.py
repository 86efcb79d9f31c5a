"""Examples of the texturing stage, and the short training of its autoencoder before that of its flow."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional as F

from fixer3d.network.model import FixerModel, ObjectImages, as_floats
from fixer3d.network.texture import MAX_OFFSET, TextureAutoencoder
from fixer3d.network.texturer import TextureTokens

from .building import ExampleVoxels
from .surfaces import SurfaceVoxels

ENCODE_BATCH = 64
N_DRAWN = 96
"""Voxels of an object in a step, drawn anew each time: of as much work, more steps teach more than more voxels."""
STEPS, BATCH, LR = 300, 512, 5e-3
"""Of the training of the autoencoder."""
LATENT_NOISE = 0.1
"""Noise on normalized latents in training, so that small errors of the flow are small errors of the color."""


@dataclass(frozen=True)
class TextureBatch:
    """A batch of examples of the texturing stage.

    Args:
        surface: The voxels of the whole objects.
        scene: Whole images with depth.
        scene_mask: The objects' masks in them.
        tokens: Tokens of what is seen.
        clean: Tokens of the objects alone, without occlusion.
    """

    surface: SurfaceVoxels
    scene: Float[Tensor, "b 4 s s"]
    scene_mask: Float[Tensor, "b 1 s s"]
    tokens: TextureTokens
    clean: Float[Tensor, "b m c"]

    @property
    def rgb(self) -> Float[Tensor, "b n 3"]:
        """Colors of the voxels, from 0 to 1."""
        return as_floats(self.surface.rgb)


@dataclass(frozen=True)
class TextureExamples:
    """Objects in views, each with the surface of several augmented variants.

    Args:
        surface: The voxels of the whole objects.
        scene: Whole images with depth, as bytes.
        scene_mask: The objects' masks in them.
        tokens: Tokens of what is seen, in half precision.
        clean: Tokens of the objects alone.
    """

    surface: SurfaceVoxels
    scene: Shaped[Tensor, "n 4 s s"]
    scene_mask: Shaped[Tensor, "n 1 s s"]
    tokens: TextureTokens
    clean: Float[Tensor, "n m c"]

    def __len__(self) -> int:
        return len(self.scene)

    def split(self, n_held_out: int) -> "tuple[TextureExamples, TextureExamples]":
        """The first ones, and the last n."""
        cut = len(self) - n_held_out
        return self._part(slice(None, cut)), self._part(slice(cut, None))

    def _part(self, index: slice) -> "TextureExamples":
        return TextureExamples(*(part[index] for part in vars(self).values()))

    def draw(self, n: int, generator: torch.Generator) -> TextureBatch:
        """Draw objects, each in one of its variants with some of its voxels."""
        device = self.scene.device
        i = torch.randint(len(self), (n,), generator=generator).to(device)
        variant = torch.randint(self.surface.exists.shape[1], (n,), generator=generator).to(device)
        surface = self.surface[i, variant]
        order = torch.rand(surface.exists.shape, generator=generator).to(device) * surface.exists
        chosen = order.topk(min(N_DRAWN, order.shape[1]))[1]
        surface = surface[torch.arange(n, device=device)[:, None], chosen]
        return TextureBatch(
            replace(
                surface,
                offset=surface.offset.float(),
                places=surface.places.float(),
                behind=surface.behind.float(),
            ),
            as_floats(self.scene[i]),
            as_floats(self.scene_mask[i]),
            self.tokens[i].float(),
            self.clean[i].float(),
        )


@torch.no_grad()
def texture_examples(model: FixerModel, examples: Iterable[ExampleVoxels]) -> TextureExamples:
    """Examples with the tokens of their images, on the device of the model.

    Raises:
        ValueError: if there is none, or they were not made for the texturing stage.
    """
    surfaces, images, alone = [], [], []
    for one in examples:
        if one.surface is None:
            raise ValueError("these examples have no colors; build them for the stage texture")
        surfaces.append(one.surface)
        images.append(one.images)
        alone.append(one.clean)
    if not images:
        raise ValueError("no scene shows an object that is large enough to learn from")
    device = model.latent_mean.device
    pictures, clean = ObjectImages.cat(images).to(device), torch.stack(alone).to(device)
    parts = [slice(start, start + ENCODE_BATCH) for start in range(0, len(images), ENCODE_BATCH)]
    seen = [model.texture_tokens(pictures[part]).half() for part in parts]
    whole = torch.cat([model.encoder(as_floats(clean[part])).half() for part in parts])
    surface = SurfaceVoxels.stack(surfaces).to(device)
    return TextureExamples(surface, pictures.scene, pictures.scene_mask, TextureTokens.cat(seen), whole)


def texture_sources(
    model: FixerModel, examples: Iterable[ExampleVoxels], held_out: float, seed: int
) -> tuple[TextureExamples, TextureExamples | None]:
    """Examples for training and held-out ones, after the autoencoder has been trained on the first.

    Args:
        model: All networks; the texturer's autoencoder is trained.
        examples: With colors.
        held_out: Share that is held out; none if there are too few.
        seed: Random seed.

    Raises:
        ValueError: if there is none.
    """
    found = texture_examples(model, examples)
    n = round(held_out * len(found))
    kept, rest = found.split(n) if n else (found, None)
    surface = kept.surface
    train_autoencoder(
        model.add_texturer().autoencoder,
        as_floats(surface.rgb[surface.exists]),
        surface.offset[surface.exists].float(),
        seed,
    )
    return kept, rest


def train_autoencoder(
    autoencoder: TextureAutoencoder,
    rgb: Float[Tensor, "n 3"],
    offset: Float[Tensor, "n"],
    seed: int = 0,
    steps: int = STEPS,
) -> float:
    """Train the autoencoder of appearance to reconstruct voxels, and normalize its latents on them.

    Half of each batch are voxels, the other half has colors and offsets drawn evenly, so that it knows those of objects
    that it has not seen. The loss is the sum of the mean squared errors of the three channels and of the offset, over
    their ranges.

    Args:
        autoencoder: Trained in place; frozen afterwards.
        rgb: Colors of voxels, from 0 to 1.
        offset: Their offsets, in voxels.
        seed: Random seed.
        steps: Optimizer steps.

    Returns:
        The mean absolute error of the voxels' colors.
    """
    generator = torch.Generator().manual_seed(seed)
    autoencoder.requires_grad_(requires_grad=True)
    optimizer = torch.optim.Adam(autoencoder.parameters(), LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    for _ in range(steps):
        chosen = torch.randint(len(rgb), (BATCH // 2,), generator=generator).to(rgb.device)
        even = torch.rand(BATCH // 2, 4, generator=generator).to(rgb)
        colors = torch.cat([rgb[chosen], even[:, :3]])
        offsets = torch.cat([offset[chosen], MAX_OFFSET * (2 * even[:, 3] - 1)])
        found, shifts = autoencoder.decode(_disturbed(autoencoder.encode(colors, offsets), generator))
        loss = 3 * F.mse_loss(found, colors) + F.mse_loss(shifts / (2 * MAX_OFFSET), offsets / (2 * MAX_OFFSET))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    autoencoder.requires_grad_(requires_grad=False)
    autoencoder.normalize(rgb, offset)
    return float((autoencoder.decode(autoencoder.encode(rgb, offset))[0] - rgb).abs().mean())


def _disturbed(z: Float[Tensor, "n c"], generator: torch.Generator) -> Float[Tensor, "n c"]:
    """Latents with noise that is small against their spread."""
    return z + LATENT_NOISE * z.std(0) * torch.randn(z.shape, generator=generator).to(z)
