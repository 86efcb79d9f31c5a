"""Checkpoints in the layout of TRELLIS: a folder with pipeline.json, and settings and weights of each model."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fixer3d.configs import SamplerConfig
from fixer3d.network.control import DualBranchFlow

N_SHOWN = 3
"""Keys of each kind that a report names."""


@dataclass(frozen=True)
class Normalization:
    """Mean and standard deviation of each channel of a latent."""

    mean: Float[Tensor, "channels"]
    std: Float[Tensor, "channels"]


@dataclass(frozen=True)
class TrellisModels:
    """What a folder holds.

    Args:
        models: Modules by the folder's names for them, in evaluation mode.
        skipped: Why others were not built, by name.
        samplers: Settings of the samplers, by the folder's names.
        slat_normalization: Of the structured latents, if the folder has it.
        image_encoder: Name of the image encoder, for `load_dino`.
        scene_encoder: Name of the scene encoder, for `load_moge`.
    """

    models: dict[str, nn.Module]
    skipped: dict[str, str] = field(default_factory=dict)
    samplers: dict[str, SamplerConfig] = field(default_factory=dict)
    slat_normalization: Normalization | None = None
    image_encoder: str | None = None
    scene_encoder: str | None = None

    def flow(self, stage: str) -> DualBranchFlow:
        """The trunk with the control branch of a stage.

        Args:
            stage: `coarse` or `fine`.

        Raises:
            ValueError: if the folder does not have both.
        """
        raise NotImplementedError


def load_trellis(folder: str | Path, device: str = "cpu", dtype: torch.dtype | None = None) -> TrellisModels:
    """Build the sparse-structure models of a folder and load their weights."""
    raise NotImplementedError
