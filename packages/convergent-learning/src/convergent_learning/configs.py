"""Settings: how networks are trained for the experiments."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained.

    Args:
        epochs: Passes over the training images.
        batch_size: Images per step.
        lr: Step size of Adam.

    Raises:
        ValueError: if one is not positive.
    """

    epochs: int = 4
    batch_size: int = 64
    lr: float = 1e-3

    def __post_init__(self) -> None:
        """Check them."""
        for name in ("epochs", "batch_size", "lr"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} must be positive, not {value}")
