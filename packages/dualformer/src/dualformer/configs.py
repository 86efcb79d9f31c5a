"""What trainings, models and sampling depend on; without PyTorch, so that the command line answers at once."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from .dropping import PROBABILITIES, TraceDropper, Variant, level_shares

ModelSize = Literal["s", "m", "l", "xl"]
Mode = Literal["fast", "slow", "auto"]

MODES: tuple[Mode, ...] = get_args(Mode)

SIZES: dict[str, tuple[int, int, int]] = {"s": (192, 6, 3), "m": (384, 8, 4), "l": (768, 9, 4), "xl": (1152, 16, 12)}
"""Width, layers on each side and heads of the sizes that the paper and its predecessor train."""


@dataclass(frozen=True)
class EncoderDecoderConfig:
    """The shape of an `EncoderDecoder`.

    Args:
        vocab_size: Number of tokens.
        dim: Width.
        n_layers: Blocks of the encoder, and of the decoder.
        n_heads: Heads of attention; their number divides the width into an even number of features.

    Raises:
        ValueError: if a number is not positive or the heads do not divide the width.
    """

    vocab_size: int
    dim: int
    n_layers: int
    n_heads: int

    def __post_init__(self) -> None:
        if min(self.vocab_size, self.dim, self.n_layers, self.n_heads) < 1:
            raise ValueError(f"the sizes of a transformer must be positive, not {self}")
        if self.dim % (2 * self.n_heads):
            raise ValueError(
                f"{self.n_heads} heads must divide the width into an even number of features, but it is {self.dim}"
            )

    @classmethod
    def from_name(cls, name: str, vocab_size: int) -> "EncoderDecoderConfig":
        """One of the paper's sizes: s (mazes), m (Sokoban), l or xl.

        Raises:
            ValueError: if there is no such size.
        """
        if name not in SIZES:
            raise ValueError(f"the size of the model must be one of {', '.join(SIZES)}, not '{name}'")
        return cls(vocab_size, *SIZES[name])

    @property
    def hidden(self) -> int:
        """Width inside the feed-forward layers: the smallest multiple of 256 from 8/3 of the width."""
        return -(-int(8 * self.dim / 3) // 256) * 256


@dataclass(frozen=True)
class TrainConfig:
    """Optimizer and schedule; the defaults are the paper's for mazes.

    Args:
        steps: Optimizer steps.
        batch_size: Tasks per step, over all devices.
        lr: Peak learning rate.
        warmup: Warm-up steps; 2000, or a twentieth of the steps if that is less, if not given.
        weight_decay: Weight decay of AdamW.
        max_tokens: Most tokens in one pass, padding included; larger steps accumulate gradients.
        seed: Random seed of initialization, order of tasks and dropping.

    Raises:
        ValueError: if a number is out of range.
    """

    steps: int = 400_000
    batch_size: int = 64
    lr: float = 2.5e-4
    warmup: int | None = None
    weight_decay: float = 0.01
    max_tokens: int = 16_384
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "max_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name.replace('_', ' ')} must be at least 1, not {getattr(self, name)}")
        if not 0 < self.lr <= 1:
            raise ValueError(f"the learning rate must be positive and at most 1, not {self.lr}")
        if not (self.weight_decay >= 0 and math.isfinite(self.weight_decay)):
            raise ValueError(f"the weight decay must not be negative, but it is {self.weight_decay}")
        if self.warmup is not None and self.warmup < 0:
            raise ValueError(f"the steps of warm-up must not be negative, but they are {self.warmup}")
        make_rng(self.seed)

    @property
    def warmup_steps(self) -> int:
        """Steps of warm-up, given or by default."""
        return min(2000, self.steps // 20) if self.warmup is None else self.warmup


@dataclass(frozen=True)
class RunConfig:
    """What a training depends on besides its data: dropping, the model, and how it is trained.

    Args:
        probs: Probabilities of levels 0 to 4: five numbers with commas, or maze, sokoban, complete-trace,
            solution-only, mix-P, level-1, levels-1-2, levels-1-2-3; the paper's for the kind of task if not given.
        create_drop: Share of create clauses that level 3 drops; the variant released draws its own.
        variant: How level 3 drops: as in the paper, or as in the released code for mazes or Sokoban.
        model: Size of the model.
        dim: Width, if not that of the size.
        n_layers: Layers of encoder and decoder, if not those of the size.
        n_heads: Attention heads, if not those of the size.
        train: Optimizer and schedule.
        weights: Number format of the saved weights.

    Raises:
        ValueError: if a setting is wrong.
    """

    probs: str = ""
    create_drop: float = 0.3
    variant: Variant = "paper"
    model: ModelSize = "s"
    dim: int | None = None
    n_layers: int | None = None
    n_heads: int | None = None
    train: TrainConfig = field(default_factory=TrainConfig)
    weights: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        if self.variant == "released" and self.create_drop != RunConfig.create_drop:
            raise ValueError(f"the variant released draws the share that it drops; {self.create_drop} does not apply")
        self.dropper("maze")
        self.network(2)

    def dropper(self, kind: str) -> TraceDropper:
        """How traces of a kind of task are dropped."""
        probs = level_shares(self.probs) if self.probs else PROBABILITIES[kind]
        return TraceDropper(probs, self.create_drop, self.variant)

    def network(self, vocab_size: int) -> EncoderDecoderConfig:
        """The shape of the model."""
        changes = {key: value for key in ("dim", "n_layers", "n_heads") if (value := getattr(self, key)) is not None}
        return replace(EncoderDecoderConfig.from_name(self.model, vocab_size), **changes)


@dataclass(frozen=True)
class Sources:
    """What a training reads.

    Args:
        data: Tasks, .jsonl.
        validation: Tasks for the validation loss, .jsonl.
        start_from: Run, or model that comes with the package, to initialize from.
    """

    data: Path
    validation: Path | None = None
    start_from: str = ""


MOST_SAMPLES, MOST_TOKENS = 100_000, 1_000_000
"""Responses to a task, and tokens of a response, that can be asked for; the paper's are 64 and 11,000."""


def check_sampling(n_samples: int, temperature: float, max_len: int | None) -> None:
    """See that responses can be sampled with these numbers.

    Raises:
        ValueError: if one is out of range.
    """
    if n_samples < 1:
        raise ValueError(f"the number of samples must be at least 1, not {n_samples}")
    if n_samples > MOST_SAMPLES:
        raise ValueError(f"the number of samples must be at most {MOST_SAMPLES:,}, not {n_samples:,}")
    if not 0 <= temperature < math.inf:
        rule = "not be negative" if temperature < 0 else "be a finite number"
        raise ValueError(f"the temperature must {rule}, but it is {temperature}")
    if max_len is not None and max_len > MOST_TOKENS:
        raise ValueError(f"max_len must be at most {MOST_TOKENS:,} tokens, not {max_len:,}")


@dataclass(frozen=True)
class SamplingConfig:
    """How responses are sampled.

    Args:
        n_samples: Responses per task.
        temperature: Sampling temperature; 0 for greedy decoding.
        max_len: Most tokens of a response.
        batch_size: Most responses that are sampled at once.
        seed: Random seed of sampling.

    Raises:
        ValueError: if a number is out of range.
    """

    n_samples: int = 64
    temperature: float = 1.0
    max_len: int | None = None
    batch_size: int = 2048
    seed: int = 0

    def __post_init__(self) -> None:
        make_rng(self.seed)
        check_sampling(self.n_samples, self.temperature, self.max_len)
        if self.batch_size < 1:
            raise ValueError(f"--batch-size must be at least 1, not {self.batch_size}")


def make_rng(seed: int) -> np.random.Generator:
    """A generator of random numbers from a seed.

    Raises:
        ValueError: if the seed is negative.
    """
    if seed < 0:
        raise ValueError(f"the seed must be at least 0, not {seed}")
    return np.random.default_rng(seed)
