"""Transformer blocks with adaptive layer normalization: the trunk's, and the control branch's with two steps more."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from fixer3d.configs import FlowConfig

from .attention import Context, CrossAttention, Mask, SelfAttention, Tokens

Vector = Float[Tensor, "batch width"]
Modulations = Sequence[Float[Tensor, "batch 1 width"]]


class LayerNorm(nn.LayerNorm):
    """Layer normalization in single precision, whatever that of the tokens is.

    Args:
        width: Channels of a token.
        affine: Whether there are a gain and a bias.
    """

    def __init__(self, width: int, *, affine: bool) -> None:
        super().__init__(width, eps=1e-6, elementwise_affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize the last dimension."""
        weight, bias = (None if part is None else part.float() for part in (self.weight, self.bias))
        return F.layer_norm(x.float(), self.normalized_shape, weight, bias, self.eps).to(x.dtype)


class FeedForward(nn.Module):
    """Two linear layers with GELU in its tanh form between them.

    Args:
        width: Channels of a token.
        ratio: Width of the hidden layer against it.
    """

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        hidden = int(width * ratio)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(approximate="tanh"), nn.Linear(hidden, width))

    def forward(self, x: Tokens) -> Tokens:
        """Transform each token."""
        return self.mlp(x)


class TrunkBlock(nn.Module):
    """Self-attention, attention to the image and a feed-forward layer.

    The first and the last see `norm(x) (1 + scale) + shift` and are added times a gate, all six of which come from the
    embedded timestep (adaLN); the attention to the image has a plain normalization with gain and bias.

    Args:
        config: Widths.
    """

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        width, heads = config.width, config.n_heads
        self.norm1 = LayerNorm(width, affine=False)
        self.norm2 = LayerNorm(width, affine=True)
        self.norm3 = LayerNorm(width, affine=False)
        self.self_attn = SelfAttention(width, heads, qk_rms_norm=config.qk_rms_norm)
        self.cross_attn = CrossAttention(width, config.cond_width, heads)
        self.mlp = FeedForward(width, config.mlp_ratio)
        initialize(self)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), zero(nn.Linear(width, 6 * width)))

    def forward(self, x: Tokens, t: Vector, context: Context, mask: Mask | None = None) -> Tokens:
        """Transform tokens.

        Args:
            x: Tokens.
            t: The embedded timestep.
            context: Image tokens.
            mask: True for tokens that exist, where a batch is padded.

        Returns:
            The tokens.
        """
        modulations = modulation(self.adaLN_modulation, t, 6)
        return self.feed(self.attend(x, modulations[:3], context, mask), modulations[3:])

    def attend(self, x: Tokens, modulations: Modulations, context: Context, mask: Mask | None) -> Tokens:
        """The two attentions."""
        shift, scale, gate = modulations
        x = x + gate * self.self_attn(self.norm1(x) * (1 + scale) + shift, mask)
        return x + self.cross_attn(self.norm2(x), context)

    def feed(self, x: Tokens, modulations: Modulations) -> Tokens:
        """The feed-forward layer."""
        shift, scale, gate = modulations
        return x + gate * self.mlp(self.norm3(x) * (1 + scale) + shift)


class ControlBlock(TrunkBlock):
    """A block of the trunk, its image being the instance, with two steps more before the feed-forward layer.

    These are self-attention modulated by how much of the depth is estimated, and attention to the scene.

    Args:
        config: Widths.
        scene_branch: Whether there is the attention to the scene.
    """

    def __init__(self, config: FlowConfig, *, scene_branch: bool = True) -> None:
        super().__init__(config)
        width, heads = config.width, config.n_heads
        self.norm4 = LayerNorm(width, affine=False)
        self.self_attn_dpt_ratio = SelfAttention(width, heads, qk_rms_norm=config.qk_rms_norm)
        self.adaLN_modulation_dpt = nn.Sequential(nn.SiLU(), zero(nn.Linear(width, 3 * width)))
        initialize(self.self_attn_dpt_ratio)
        self.scene_branch = scene_branch
        if scene_branch:
            self.norm5 = LayerNorm(width, affine=True)
            self.cross_attn_extra = CrossAttention(width, config.cond_width, heads)
            initialize(self.cross_attn_extra)

    def forward(  # type: ignore[override]  # the trunk's block and two inputs more
        self,
        x: Tokens,
        t: Vector,
        ratio: Vector,
        instance: Context,
        scene: Context,
        mask: Mask | None = None,
    ) -> Tokens:
        """Transform control tokens.

        Args:
            x: Control tokens.
            t: The embedded timestep.
            ratio: The embedded ratio.
            instance: Tokens of the instance's crop and mask.
            scene: Tokens of the scene's image and mask; not looked at without the scene branch.
            mask: True for tokens that exist, where a batch is padded.

        Returns:
            The tokens.
        """
        modulations = modulation(self.adaLN_modulation, t, 6)
        x = self.attend(x, modulations[:3], instance, mask)
        shift, scale, gate = modulation(self.adaLN_modulation_dpt, ratio, 3)
        x = x + gate * self.self_attn_dpt_ratio(self.norm4(x) * (1 + scale) + shift, mask)
        if self.scene_branch:
            x = x + self.cross_attn_extra(self.norm5(x), scene)
        return self.feed(x, modulations[3:])

    def copy_trunk(self, source: TrunkBlock, *, live_depth_ratio: bool) -> None:
        """Copy a block of the trunk, also into the two steps that it lacks, with zero output layers.

        Args:
            source: The block; not changed.
            live_depth_ratio: Whether the attention by depth ratio keeps the output layer that is copied.
        """
        self.load_state_dict(source.state_dict(), strict=False)
        self.self_attn_dpt_ratio.load_state_dict(source.self_attn.state_dict())
        if not live_depth_ratio:
            zero(self.self_attn_dpt_ratio.to_out)
        if self.scene_branch:
            self.norm5.load_state_dict(source.norm2.state_dict())
            self.cross_attn_extra.load_state_dict(source.cross_attn.state_dict())
            zero(self.cross_attn_extra.to_out)


def modulation(network: nn.Module, embedding: Vector, n: int) -> Modulations:
    """Shifts, scales and gates of a block, from an embedding."""
    return network(embedding)[:, None].chunk(n, dim=-1)


def zero(layer: nn.Linear) -> nn.Linear:
    """Set weight and bias to zero, and return the layer."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def initialize(module: nn.Module) -> None:
    """Give every linear layer of a module Xavier's uniform weights and no bias."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
