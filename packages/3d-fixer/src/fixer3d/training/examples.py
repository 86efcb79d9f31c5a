"""Training examples as tensors on the device, from which batches are drawn."""

from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from fixer3d.network.model import FixerModel, ObjectImages, as_floats

B_co = TypeVar("B_co", covariant=True)


@runtime_checkable
class ExampleSource(Protocol[B_co]):
    """Where a training takes its batches from."""

    def draw(self, n: int, generator: torch.Generator) -> B_co:
        """Draw a batch of n examples, with a generator on the CPU."""


@dataclass(frozen=True)
class OccupancyExamples:
    """Occupancy grids, for the autoencoder.

    Args:
        occupancy: The grids.
    """

    occupancy: Bool[Tensor, "n R R R"]

    def __len__(self) -> int:
        return len(self.occupancy)

    def draw(self, n: int, generator: torch.Generator) -> Float[Tensor, "b R R R"]:
        """Draw grids of zeros and ones."""
        chosen = torch.randint(len(self), (n,), generator=generator)
        return self.occupancy[chosen.to(self.occupancy.device)].float()


@dataclass(frozen=True)
class ObjectTokens:
    """Tokens of images of objects, by the frozen encoder.

    Args:
        masked_crop: Of the crop, masked to the object.
        instance: Of the crop, then of its mask.
        scene_mask: Of the object's mask in the whole image.
        clean: Of the object alone, without occlusion.
    """

    masked_crop: Float[Tensor, "n m c"]
    instance: Float[Tensor, "n two_m c"]
    scene_mask: Float[Tensor, "n m c"]
    clean: Float[Tensor, "n m c"]

    def to(self, device: torch.device | str) -> "ObjectTokens":
        """The same on a device."""
        return ObjectTokens(*(part.to(device) for part in vars(self).values()))

    def __getitem__(self, index: Int[Tensor, "b"]) -> "ObjectTokens":
        """Those of some objects, in single precision."""
        return ObjectTokens(*(part[index].float() for part in vars(self).values()))


@dataclass(frozen=True)
class FlowBatch:
    """A batch of examples of a flow.

    Args:
        target: Latents of the whole objects.
        partial: Latents of their visible voxels.
        confidence: Confidence of these, from space to channels.
        depth_ratio: How much of the depth was estimated.
        clean: Images of the objects alone.
        scene: Whole images with depth.
        tokens: Tokens of the other images, if they are kept.
    """

    target: Float[Tensor, "b c r r r"]
    partial: Float[Tensor, "b c r r r"]
    confidence: Float[Tensor, "b k r r r"]
    depth_ratio: Float[Tensor, "b"]
    clean: Float[Tensor, "b 3 s s"]
    scene: Float[Tensor, "b 4 s s"]
    tokens: ObjectTokens | None


@dataclass(frozen=True)
class FlowExamples:
    """Objects in views, each in several augmented variants whose voxels are encoded once.

    Args:
        images: What is seen of each object.
        clean: The object alone, without occlusion, RGB.
        target: Latents of the whole object.
        partial: Latents of its visible voxels.
        confidence: Confidence of these as bytes, from space to channels.
        depth_ratio: How much of the depth was estimated.
        tokens: Tokens of the images, once the encoder is frozen; see `with_tokens`.
    """

    images: ObjectImages
    clean: Shaped[Tensor, "n 3 s s"]
    target: Float[Tensor, "n v c r r r"]
    partial: Float[Tensor, "n v c r r r"]
    confidence: Shaped[Tensor, "n v k r r r"]
    depth_ratio: Float[Tensor, "n v"]
    tokens: ObjectTokens | None = None

    def __len__(self) -> int:
        return len(self.clean)

    def to(self, device: torch.device | str) -> "FlowExamples":
        """The same on a device."""
        parts: dict[str, Any] = {name: None if part is None else part.to(device) for name, part in vars(self).items()}
        return replace(self, **parts)

    def split(self, n_held_out: int) -> tuple["FlowExamples", "FlowExamples"]:
        """The first ones, and the last n."""
        cut = len(self) - n_held_out
        return self._part(slice(None, cut)), self._part(slice(cut, None))

    def _part(self, index: slice) -> "FlowExamples":
        parts: dict[str, Any] = {name: part[index] for name, part in vars(self).items() if name != "tokens"}
        return FlowExamples(**parts)

    @torch.no_grad()
    def with_tokens(self, model: FixerModel, batch_size: int = 64) -> "FlowExamples":
        """The same with the tokens of all images but the whole ones, in half precision."""
        found = []
        for start in range(0, len(self), batch_size):
            some = slice(start, start + batch_size)
            images, clean = self.images[some].floats(), as_floats(self.clean[some])
            parts = (
                model.masked_tokens(images.crop, images.crop_mask),
                model.instance_tokens(images.crop, images.crop_mask),
                model.mask_tokens(images.scene_mask),
                model.encoder(clean),
            )
            found.append([part.half() for part in parts])
        tokens = ObjectTokens(*(torch.cat(columns) for columns in zip(*found, strict=True)))
        return replace(self, tokens=tokens)

    def draw(self, n: int, generator: torch.Generator) -> FlowBatch:
        """Draw objects, each in one of its variants."""
        device = self.clean.device
        i = torch.randint(len(self), (n,), generator=generator).to(device)
        variant = torch.randint(self.target.shape[1], (n,), generator=generator).to(device)
        return FlowBatch(
            target=self.target[i, variant].float(),
            partial=self.partial[i, variant].float(),
            confidence=as_floats(self.confidence[i, variant]),
            depth_ratio=self.depth_ratio[i, variant].float(),
            clean=as_floats(self.clean[i]),
            scene=as_floats(self.images.scene[i]),
            tokens=None if self.tokens is None else self.tokens[i],
        )
