"""How each task is trained, and how a memory of earlier ones is rehearsed."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class TrainConfig:
    """How each task is trained.

    Args:
        epochs: Passes over a task's images.
        batch_size: Images in a batch.
        lr: Learning rate of SGD.
        later_lr: Learning rate from the second task on; the same if not given.
        momentum: Momentum of SGD; each task starts with a new optimiser.
        cosine: Whether the learning rate falls to zero over each task along a cosine.
        warmup: Epochs over which the learning rate rises linearly at the start.
        hebbian_start: First epoch in which subspaces learn.

    Raises:
        ValueError: if a number is out of its range.
    """

    epochs: int = 1
    batch_size: int = 64
    lr: float = 0.1
    later_lr: float | None = None
    momentum: float = 0.0
    cosine: bool = False
    warmup: int = 0
    hebbian_start: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(f"epochs and batch_size must be at least 1, not {self.epochs} and {self.batch_size}")
        lrs = (self.lr, self.lr if self.later_lr is None else self.later_lr)
        if not all(0 < lr < math.inf for lr in lrs):
            raise ValueError(f"learning rates must be positive, not {lrs[0]} and later {lrs[1]}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"the momentum must be from 0 to below 1, not {self.momentum}")
        if self.warmup < 0 or self.hebbian_start < 0:
            raise ValueError(f"epochs count from 0, but warmup is {self.warmup}, hebbian_start {self.hebbian_start}")

    def factor(self, epoch: int) -> float:
        """The factor on the learning rate in an epoch."""
        if epoch < self.warmup:
            return (epoch + 1) / self.warmup
        if not self.cosine:
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * (epoch - self.warmup) / (self.epochs - self.warmup)))


@dataclass(frozen=True)
class RehearsalConfig:
    """Training on a memory of all tasks after each task but the first.

    Args:
        per_class: Images of each class that are kept.
        epochs: Passes over the memory.
        lr: Learning rate.
        batch_size: Images of each task in a batch.

    Raises:
        ValueError: if a number is out of its range.
    """

    per_class: int = 50
    epochs: int = 1
    lr: float = 0.01
    batch_size: int = 50

    def __post_init__(self) -> None:
        if self.per_class < 1 or self.batch_size < 1 or self.epochs < 0:
            raise ValueError(
                "rehearsal needs at least 1 image of each class, batches of at least 1, and a number of passes, "
                f"not {self.per_class}, {self.batch_size} and {self.epochs}"
            )
        if not 0 < self.lr < math.inf:
            raise ValueError(f"the learning rate of rehearsal must be positive, not {self.lr}")
