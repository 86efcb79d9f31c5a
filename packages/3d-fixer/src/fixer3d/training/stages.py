"""The stages of training: what each trains, what it keeps frozen, and its loss."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Generic, TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fixer3d.configs import STAGES, Stage, TrainConfig
from fixer3d.flow.alignment import alignment_loss, reference_hidden
from fixer3d.flow.rectified import RectifiedFlow, sample_times
from fixer3d.network.conditions import Conditions
from fixer3d.network.control import DualBranchFlow
from fixer3d.network.model import FixerModel
from fixer3d.network.texturer import Texturer
from fixer3d.network.vae import dice_loss, vae_loss

from .examples import FlowBatch, ObjectTokens
from .textures import TextureBatch

B = TypeVar("B")
Losses = dict[str, Tensor]

BCE_WEIGHT = 0.2
"""Weight of the cross-entropy in the loss of the autoencoder, which helps at the start."""
PRIORS: tuple[Stage, ...] = ("upright", "prior")
"""Stages that train the object prior; the second goes on from the first, where there is one."""
STARTS_FROM: dict[Stage, Stage | None] = {
    "vae": None,
    "upright": "vae",
    "prior": "vae",
    "control-pre": "prior",
    "coarse": "control-pre",
    "fine": "control-pre",
    "texture": "fine",
}
"""The stage that must have been trained before each."""


def relying_on(stage: Stage) -> tuple[Stage, ...]:
    """The stages whose networks were trained with those that a stage changes: all later ones, for a prior."""
    return STAGES[STAGES.index(stage) + 1 :] if stage in PRIORS else ()


class StageLoss(nn.Module, ABC, Generic[B]):
    """The loss of a stage, over the networks that it trains; all others are frozen.

    Args:
        model: All networks.
    """

    def __init__(self, model: FixerModel) -> None:
        super().__init__()
        self.model = model.requires_grad_(requires_grad=False)
        for part in self.trained():
            part.requires_grad_(requires_grad=True)

    @abstractmethod
    def trained(self) -> list[nn.Module]:
        """The networks that are trained."""

    @abstractmethod
    def forward(self, batch: B, generator: torch.Generator) -> Losses:
        """The loss as `loss`, and its parts, of a batch; randomness comes from a generator on the CPU."""


class VAELoss(StageLoss[Tensor]):
    """Dice loss, divergence and a little cross-entropy of the autoencoder of occupancy."""

    def trained(self) -> list[nn.Module]:
        """The autoencoder."""
        return [self.model.vae]

    def forward(self, batch: Float[Tensor, "b R R R"], generator: torch.Generator) -> Losses:
        """The loss of occupancy grids."""
        occupancy = batch[:, None]
        logits, mean, logvar = self.model.vae(occupancy, generator)
        loss = vae_loss(logits, occupancy, mean, logvar, bce_weight=BCE_WEIGHT)
        return {"loss": loss, "dice": dice_loss(logits, occupancy)}


class PriorLoss(StageLoss[FlowBatch]):
    """The flow loss of the object prior, on clean images of objects; its image encoder is trained with it."""

    def __init__(self, model: FixerModel, config: TrainConfig) -> None:
        super().__init__(model)
        self.config, self.path = config, RectifiedFlow()

    def trained(self) -> list[nn.Module]:
        """The trunk and the image encoder."""
        return [self.model.prior, self.model.encoder]

    def forward(self, batch: FlowBatch, generator: torch.Generator) -> Losses:
        """The loss, with the image dropped now and then."""
        eps, t, x = noised(self.path, batch.target, generator, self.config.p_noise)
        drop = dropped(len(eps), self.config.p_uncond, generator).to(eps.device)
        tokens = torch.where(drop[:, None, None], 0, self.model.encoder(batch.clean))
        return {"loss": self.path.loss(self.model.prior(x, 1000 * t, tokens), batch.target, eps)}


class ControlLoss(StageLoss[FlowBatch]):
    """The flow loss with control, and the alignment of features to the prior's that sees the whole object.

    Args:
        model: All networks.
        stage: The stage whose control branch and scene encoder are trained.
        config: Weight of the alignment; probability of dropping conditions.
    """

    def __init__(self, model: FixerModel, stage: str, config: TrainConfig) -> None:
        self.stage = stage
        super().__init__(model)
        self.config, self.path = config, RectifiedFlow()

    def trained(self) -> list[nn.Module]:
        """The control branch and the scene encoder."""
        return [self.model.controls[self.stage], self.model.scene_encoders[self.stage]]

    def forward(self, batch: FlowBatch, generator: torch.Generator) -> Losses:
        """The loss, with all conditions, or the images alone, dropped now and then."""
        eps, t, x = noised(self.path, batch.target, generator)
        tokens = self._tokens(batch)
        conditions = self._conditions(batch, tokens, generator)
        flow = DualBranchFlow(self.model.prior, self.model.controls[self.stage])  # type: ignore[arg-type]
        if not self.config.alignment:
            return {"loss": self.path.loss(flow(x, 1000 * t, conditions), batch.target, eps)}
        v, hidden = flow(x, 1000 * t, conditions, hidden=True)
        mse = self.path.loss(v, batch.target, eps)
        alignment = alignment_loss(hidden, reference_hidden(self.model.prior, x, 1000 * t, tokens.clean))
        return {"loss": mse + self.config.alignment * alignment, "mse": mse, "alignment": alignment}

    def _tokens(self, batch: FlowBatch) -> ObjectTokens:
        if batch.tokens is None:
            raise ValueError("the examples of a control branch need their tokens; see FlowExamples.with_tokens")
        return batch.tokens

    def _conditions(self, batch: FlowBatch, tokens: ObjectTokens, generator: torch.Generator) -> Conditions:
        n, device = len(batch.target), batch.target.device
        drop_all = dropped(n, self.config.p_uncond, generator).to(device)
        drop_images = dropped(n, self.config.p_no_image, generator).to(device)
        scene = torch.cat([self.model.scene_tokens(self.stage, batch.scene), tokens.scene_mask], 1)
        keep = (~drop_images)[:, None, None].to(scene)
        conditions = Conditions(
            tokens.masked_crop * keep,
            tokens.instance * keep,
            scene * keep,
            batch.partial,
            batch.confidence,
            batch.depth_ratio,
        )
        return conditions.zeroed(drop_all)


class TextureLoss(StageLoss[TextureBatch]):
    """The flow loss of the texturing stage over the voxels that exist; the autoencoder's latents are its target.

    Args:
        model: All networks, with a texturer whose autoencoder is trained.
        config: Probability of dropping the image; weight of the alignment.
    """

    def __init__(self, model: FixerModel, config: TrainConfig) -> None:
        model.add_texturer()
        super().__init__(model)
        self.config, self.path = config, RectifiedFlow()

    @property
    def texturer(self) -> Texturer:
        """The texturer of the model."""
        return self.model.add_texturer()

    def _noised(self, batch: TextureBatch, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Latents, noise, times and the noised latents."""
        z = self.texturer.autoencoder.encode(batch.rgb, batch.surface.offset)
        return z, *noised(self.path, z, generator)

    def _error(self, v: Tensor, z: Tensor, eps: Tensor, batch: TextureBatch) -> Tensor:
        exists = batch.surface.exists
        return self.path.loss(v[exists], z[exists], eps[exists])


class TextureTrunkLoss(TextureLoss):
    """The trunk of the texturing stage, on clean images of rotated objects, as the prior of shapes."""

    def trained(self) -> list[nn.Module]:
        """The trunk."""
        return self.texturer.flow.trunk_parts

    def forward(self, batch: TextureBatch, generator: torch.Generator) -> Losses:
        """The loss, with the image dropped now and then."""
        z, eps, t, x = self._noised(batch, generator)
        drop = dropped(len(z), self.config.p_uncond, generator).to(z.device)
        clean = torch.where(drop[:, None, None], 0, batch.clean)
        v, _ = self.texturer.flow.trunk(x, 1000 * t, batch.surface.voxels, clean)
        return {"loss": self._error(v, z, eps, batch)}


class TextureControlLoss(TextureLoss):
    """The control branch of the texturing stage and its features of the scene; the trunk is frozen.

    The branch begins with the trunk's weights. Nothing is dropped: the unconditional pass has no control to be trained.
    """

    def __init__(self, model: FixerModel, config: TrainConfig) -> None:
        super().__init__(model, config)
        self.texturer.flow.start_control(live_ratio=True)

    def trained(self) -> list[nn.Module]:
        """The control branch, and the features of the scene."""
        return [*self.texturer.flow.control_parts, self.texturer.features]

    def forward(self, batch: TextureBatch, generator: torch.Generator) -> Losses:
        """The loss, and the alignment of features to those of the trunk that sees the whole object."""
        z, eps, t, x = self._noised(batch, generator)
        surface, flow = batch.surface, self.texturer.flow
        where = surface.places, surface.behind, surface.exists
        conditions = self.texturer.conditions(batch.tokens, batch.scene, batch.scene_mask, *where)
        if not self.config.alignment:
            return {"loss": self._error(flow(x, 1000 * t, surface.voxels, conditions), z, eps, batch)}
        v, hidden = flow(x, 1000 * t, surface.voxels, conditions, hidden=True)
        mse = self._error(v, z, eps, batch)
        with torch.no_grad():
            _, reference = flow.trunk(x, 1000 * t, surface.voxels, batch.clean)
        alignment = alignment_loss(*([one[surface.exists][None] for one in states] for states in (hidden, reference)))
        return {"loss": mse + self.config.alignment * alignment, "mse": mse, "alignment": alignment}


def noised(
    path: RectifiedFlow, target: Tensor, generator: torch.Generator, p_noise: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Noise, times in [0, 1] and the noised latents of a batch; a share of the times is 1, where all is noise."""
    eps = torch.randn(target.shape, generator=generator).to(target)
    t = sample_times(len(target), generator).to(target)
    if p_noise:
        t = torch.where(dropped(len(target), p_noise, generator).to(target.device), 1.0, t)
    return eps, t, path.noised(target, eps, t)


def dropped(n: int, probability: float, generator: torch.Generator) -> Bool[Tensor, "n"]:
    """Of which of n examples something is dropped."""
    return torch.rand(n, generator=generator) < probability


def phases(stage: Stage, config: TrainConfig) -> tuple[TrainConfig, ...]:
    """The trainings that a stage consists of: the texture's trunk for half of the steps, then its control branch."""
    if stage != "texture":
        return (config,)
    first = config.steps // 2
    return replace(config, steps=first), replace(config, steps=config.steps - first)


def make_loss(model: FixerModel, stage: Stage, config: TrainConfig, phase: int = 0) -> StageLoss[Any]:
    """The loss of a stage; a control branch begins with the weights of the stage before.

    Args:
        model: All networks.
        stage: The stage.
        config: How it is trained.
        phase: Which of its trainings; see `phases`.

    Raises:
        ValueError: if the stage before has not been trained.
    """
    if stage == "texture":
        return (TextureTrunkLoss, TextureControlLoss)[phase](model, config)
    if stage == "vae":
        return VAELoss(model)
    if stage in PRIORS:
        return PriorLoss(model, config)
    before = STARTS_FROM[stage]
    if stage not in model.stages:
        if before != "prior" and before not in model.stages:
            raise ValueError(f"the stage {stage} begins with the weights of {before}, which this model does not have")
        model.add_stage(stage, None if before == "prior" else before)
    return ControlLoss(model, stage, config)
