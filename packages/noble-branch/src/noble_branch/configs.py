"""Settings of branches. Imports nothing slow."""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class BranchConfig:
    """A nonlinear low-rank branch.

    Args:
        activation: cosnet, cos, sin, gelu, silu, relu, tanh, leaky_relu, or identity.
        up_std: Standard deviation of the initial up-projection; with 0, the branch adds nothing before the first step.
        freq_range: Range of the initial frequencies of CosNet.
        phase: Initial phases of CosNet: uniform in ±π, or small (standard deviation 0.1).

    Raises:
        ValueError: if `up_std` is negative or not finite.
    """

    activation: str = "cosnet"
    up_std: float = 0.0
    freq_range: tuple[float, float] = (0.5, 2.0)
    phase: Literal["uniform", "small"] = "uniform"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.up_std) and self.up_std >= 0):
            raise ValueError(f"up_std must be zero or positive, not {self.up_std}")


@dataclass(frozen=True)
class TransformerConfig:
    """The shape of a transformer.

    Args:
        width: Width of the residual stream; a multiple of the heads.
        depth: Number of blocks.
        heads: Number of attention heads.

    Raises:
        ValueError: if one is not positive, or the heads do not divide the width.
    """

    width: int = 64
    depth: int = 2
    heads: int = 4

    def __post_init__(self) -> None:
        if min(self.width, self.depth, self.heads) < 1 or self.width % self.heads:
            raise ValueError(
                f"width, depth and heads must be positive and heads divide the width, not {self.width}, {self.depth} "
                f"and {self.heads}"
            )


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained: AdamW, linear warm-up and cosine decay, gradients clipped to norm 1.

    Args:
        n_steps: Steps.
        batch_size: Samples per step.
        lr: Highest learning rate.
        weight_decay: Weight decay of matrices; vectors have none.
        warmup: Share of the steps in which the learning rate rises.
        branch_lr_scale: Learning rate of branches over that of the network.
        eval_every: Steps between evaluations.
        seed: Seed of the initial weights and of the batches.

    Raises:
        ValueError: if a number is out of its range.
    """

    n_steps: int = 500
    batch_size: int = 16
    lr: float = 3e-3
    weight_decay: float = 0.1
    warmup: float = 0.1
    branch_lr_scale: float = 1.0
    eval_every: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_steps", "batch_size", "lr", "branch_lr_scale", "eval_every"):
            if not (math.isfinite(value := getattr(self, name)) and value > 0):
                raise ValueError(f"{name} must be positive, not {value}")
        if not (0 <= self.warmup < 1 and 0 <= self.weight_decay < math.inf):
            raise ValueError(
                f"expected a warmup in [0, 1) and no negative decay, not {self.warmup} and {self.weight_decay}"
            )


TaskName = Literal["char-lm", "text", "mlm", "pixels", "vit", "regression"]


@dataclass(frozen=True)
class TaskConfig:
    """What is learned.

    Args:
        name: char-lm (next character), text (the same, of a file), mlm (masked characters), pixels (next pixel), vit
            (classes of images), or regression (a sum of sines).
        data: Text file or name of a text in $SEPARATA_DATA/text, or name of an image data set; the standard library
            and digits if empty.
        length: Context of text.
        n_characters: Characters of the standard library.
        patch: Pixels on a side of a patch of a ViT.
        augmentation: Of images for a ViT: none, mixup (Beta 0.2) or cutmix (Beta 1).

    Raises:
        ValueError: if a number is not positive, or a text has no file.
    """

    name: TaskName = "char-lm"
    data: str = ""
    length: int = 64
    n_characters: int = 300_000
    patch: int = 4
    augmentation: Literal["none", "mixup", "cutmix"] = "none"

    def __post_init__(self) -> None:
        if min(self.length, self.n_characters, self.patch) < 1:
            raise ValueError("length, n_characters and patch must be positive")
        if self.name == "text" and not self.data:
            raise ValueError("the task text needs a file")


@dataclass(frozen=True)
class MethodConfig:
    """What is trained: a plain network, a wider one, or one with branches.

    Args:
        kind: plain, wide (as many parameters as with branches of this rank), or branch.
        rank: Rank of the branches.
        targets: Globs over the layers, with commas; all in blocks if empty.
        branch: Activation and initialization.
        path: How branches are computed: fused (faster where a batch has more rows than a layer has inputs) or naive.
    """

    kind: Literal["plain", "wide", "branch"] = "branch"
    rank: int = 16
    targets: str = ""
    branch: BranchConfig = BranchConfig()
    path: Literal["naive", "fused"] = "fused"


@dataclass(frozen=True)
class NetworkConfig:
    """What the inputs and outputs of a network are, beside its transformer.

    Args:
        kind: next (a GPT), masked (a BERT-style encoder), classes (a ViT), or curve (a residual MLP on a number).
        n_outputs: Tokens or classes.
        length: Longest sequence of tokens, or pixels on a side of an image.
        channels: Channels of an image.
        patch: Pixels on a side of a patch.

    Raises:
        ValueError: if a number is negative.
    """

    kind: Literal["next", "masked", "classes", "curve"]
    n_outputs: int = 1
    length: int = 0
    channels: int = 0
    patch: int = 1

    def __post_init__(self) -> None:
        if min(self.n_outputs, self.length, self.channels, self.patch) < 0:
            raise ValueError("n_outputs, length, channels and patch must not be negative")


@dataclass(frozen=True)
class RunConfig:
    """A training.

    Args:
        task: What is learned.
        model: The transformer.
        method: What is done to it.
        train: How it is trained.
    """

    task: TaskConfig = TaskConfig()
    model: TransformerConfig = TransformerConfig()
    method: MethodConfig = MethodConfig()
    train: TrainConfig = TrainConfig()
