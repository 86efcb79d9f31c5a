"""Settings, as the command takes them and as experiments hold them. Imports nothing slow."""  # TODO: yours.

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainConfig:
    """How a neuron is trained.

    Args:
        n_passes: Passes over the data.
        batch_size: Samples per step.
        lr: Learning rate; small against the inverse of the largest eigenvalue of the inputs' correlation matrix.

    Raises:
        ValueError: if one of them is not positive.
    """

    n_passes: int = 20
    batch_size: int = 64
    lr: float = 5e-3

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} must be positive, not {value}")
