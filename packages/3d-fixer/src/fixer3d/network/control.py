"""The dual-branch conditioning network: a trainable control branch beside the frozen object prior."""

from dataclasses import dataclass, replace
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fixer3d.configs import FlowConfig

from .attention import KeysValues, Tokens
from .blocks import ControlBlock, TrunkBlock, initialize, zero
from .conditions import Conditions
from .embeddings import TimestepEmbedder
from .trunk import FlowTrunk, Latent, tokens_from_grid


@dataclass(frozen=True)
class PreparedControl:
    """What a control branch makes of its conditions, whatever the noise and the time.

    Args:
        tokens: The control tokens before the first block.
        ratio: The embedded depth ratio.
        instance: Keys and values of the instance in each block.
        scene: Those of the scene; of the instance again where there is no scene branch.
    """

    tokens: Float[Tensor, "batch n width"]
    ratio: Float[Tensor, "batch width"]
    instance: list[KeysValues]
    scene: list[KeysValues]


@dataclass(frozen=True)
class Prepared:
    """What a flow makes of its conditions, whatever the noise and the time.

    Args:
        crop: Keys and values of the masked crop in each block of the trunk.
        control: What the control branch makes of them, if there is one.
    """

    crop: list[KeysValues]
    control: PreparedControl | None


class ControlBranch(nn.Module):
    """Blocks that read the visible voxels, the instance and the scene, and add to the trunk's tokens.

    The control tokens begin as `c = Lin_vox(partial) + positions + Lin_mask(confidence)`; after block l,
    `Z_l(c)` is what is added. `Lin_mask` and every `Z_l` begin as zero, so that nothing is added before training.

    Args:
        config: Sizes, those of the trunk.
        scene_branch: Whether the blocks attend to the scene.
    """

    def __init__(self, config: FlowConfig, *, scene_branch: bool = True) -> None:
        super().__init__()
        self.config, self.scene_branch = config, scene_branch
        width, patch = config.width, config.patch_size**3
        self.input_layer_vox_partial = nn.Linear(config.in_channels * patch, width)
        initialize(self.input_layer_vox_partial)
        self.input_layer_mask_partial = zero(nn.Linear(config.confidence_block**3 * patch, width))
        self.dpt_ratio_embedder = TimestepEmbedder(width)
        blocks = (ControlBlock(config, scene_branch=scene_branch) for _ in range(config.n_control_blocks))
        self.blocks = nn.ModuleList(blocks)
        self.control_path = nn.Sequential(*[zero(nn.Linear(width, width)) for _ in range(config.n_control_blocks)])

    @classmethod
    def from_trunk(
        cls, trunk: FlowTrunk, *, scene_branch: bool = True, live_depth_ratio: bool = False
    ) -> "ControlBranch":
        """A branch that begins with the trunk's weights; see `copy_trunk`."""
        branch = cls(trunk.config, scene_branch=scene_branch).to(trunk.pos_emb)
        branch.copy_trunk(trunk, live_depth_ratio=live_depth_ratio)
        return branch

    @torch.no_grad()
    def copy_trunk(self, trunk: FlowTrunk, *, live_depth_ratio: bool = False) -> None:
        """Copy the trunk's input layer, embedder and first blocks.

        In each block, the attention by depth ratio copies the self-attention, that to the scene the attention to the
        image with its normalization, both with a zero output layer, as in the official code. There the gate of the
        attention by depth ratio is zero, too, and a product of two zeros has no gradient: that step then stays off
        for ever. With `live_depth_ratio`, its output layer keeps the copied weights: what is added is still zero, and
        training can open the gate.

        Args:
            trunk: The trunk; not changed.
            live_depth_ratio: Whether the attention by depth ratio can learn.
        """
        self.input_layer_vox_partial.load_state_dict(trunk.input_layer.state_dict())
        self.dpt_ratio_embedder.load_state_dict(trunk.t_embedder.state_dict())
        for block, source in zip(self.blocks, trunk.blocks, strict=False):
            cast("ControlBlock", block).copy_trunk(cast("TrunkBlock", source), live_depth_ratio=live_depth_ratio)

    def embed(self, conditions: Conditions, positions: Float[Tensor, "n width"]) -> Tokens:
        """The control tokens before the first block."""
        patch = self.config.patch_size
        voxels = self.input_layer_vox_partial(tokens_from_grid(self._cast(conditions.partial), patch))
        confidence = self.input_layer_mask_partial(tokens_from_grid(self._cast(conditions.confidence), patch))
        return voxels + positions + confidence

    def prepare(self, conditions: Conditions, positions: Float[Tensor, "n width"]) -> PreparedControl:
        """What does not depend on the noise and the time."""
        blocks = [cast("ControlBlock", block) for block in self.blocks]
        instance, scene = self._cast(conditions.instance), self._cast(conditions.scene)
        seen = [block.cross_attn.keys_values(instance) for block in blocks]
        return PreparedControl(
            self.embed(conditions, positions),
            self.dpt_ratio_embedder(1000 * conditions.depth_ratio),
            seen,
            [block.cross_attn_extra.keys_values(scene) for block in blocks] if self.scene_branch else seen,
        )

    def _cast(self, x: Tensor) -> Tensor:
        return x.to(self.input_layer_vox_partial.weight.dtype)


class DualBranchFlow(nn.Module):
    """The velocity of a latent, by a frozen trunk with a control branch added.

    After trunk block l, which sees the masked crop, `c = Control_l(c)` and `h = h + Z_l(c)`, for as many blocks as the
    branch has. The trunk's parameters are frozen; gradients pass through it.

    Args:
        trunk: The object prior; its parameters no longer require gradients.
        control: The branch, or None for the trunk with the masked crop alone.

    Raises:
        ValueError: if the two have different sizes.
    """

    def __init__(self, trunk: FlowTrunk, control: ControlBranch | None) -> None:
        super().__init__()
        if control is not None and not _fits(control.config, trunk.config):
            raise ValueError(f"the control branch is of {control.config}, the trunk of {trunk.config}")
        self.trunk, self.control = trunk.requires_grad_(requires_grad=False), control

    @property
    def config(self) -> FlowConfig:
        """Sizes of both."""
        return self.trunk.config

    def prepare(self, conditions: Conditions) -> Prepared:
        """What the flow makes of its conditions, for several calls with the same ones."""
        control = None if self.control is None else self.control.prepare(conditions, self.trunk.pos_emb)
        return Prepared(self.trunk.prepare(conditions.masked_crop), control)

    def forward(
        self, x: Latent, t: Float[Tensor, "batch"], conditions: Conditions | Prepared, *, hidden: bool = False
    ) -> Latent | tuple[Latent, list[Tokens]]:
        """The velocity.

        Args:
            x: Noisy latents.
            t: Times, 0 (clean) to 1000 (noise).
            conditions: What is known of each object, or what `prepare` made of it.
            hidden: Whether the trunk's tokens after each block and its control are returned, too.

        Returns:
            The velocity, or it and the tokens.
        """
        given = self.prepare(conditions) if isinstance(conditions, Conditions) else conditions
        if self.control is None or given.control is None:
            return self.trunk(x, t, given.crop, hidden=hidden)
        h, embedded, states = self.trunk.embed(x), self.trunk.t_embedder(t), []
        control, c = given.control, given.control.tokens
        for i, block in enumerate(self.trunk.blocks):
            h = block(h, embedded, given.crop[i])
            if i < len(self.control.blocks):
                c = self.control.blocks[i](c, embedded, control.ratio, control.instance[i], control.scene[i])
                h = h + self.control.control_path[i](c)
            states.append(h)
        v = self.trunk.project(h).to(x.dtype)
        return (v, states) if hidden else v


def _fits(control: FlowConfig, trunk: FlowConfig) -> bool:
    """Whether the two have the same sizes, and the trunk enough blocks."""
    same = replace(control, n_blocks=trunk.n_blocks, n_control_blocks=trunk.n_control_blocks) == trunk
    return same and control.n_control_blocks <= trunk.n_blocks
