"""The settings of a run, as the command line takes them and the run's folder stores them. Imports nothing slow."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import get_type_hints

from separata import files

from .paper import FEEDBACKS, METHODS, RULES

CONFIG = "config.json"
LARGEST_SEED = 2**32 - 1
MOST_TIMESTEPS = 10_000


@dataclass(frozen=True)
class Settings:
    """What a run depends on."""

    benchmark: str = "pmnist5k"
    method: str = "hlop"
    training: str = "dsr"
    feedback: str = "bp"
    timesteps: int | None = None
    epochs: int | None = None
    lr: float | None = None
    hidden: int = 800
    spiking_lateral: bool = False
    rehearse: int = 0
    strength: float = 10.0
    threshold: float = 0.97
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"the method must be one of {', '.join(METHODS)}, not '{self.method}'")
        if self.training not in RULES:
            raise ValueError(f"the training rule must be one of {', '.join(RULES)}, not '{self.training}'")
        if self.feedback not in FEEDBACKS:
            raise ValueError(f"the feedback must be one of {', '.join(FEEDBACKS)}, not '{self.feedback}'")
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"the number of epochs must be at least 1, not {self.epochs}")
        if self.lr is not None and not (self.lr > 0 and math.isfinite(self.lr)):
            raise ValueError(f"the learning rate must be positive, not {self.lr}")
        if not self.strength >= 0 or not math.isfinite(self.strength):
            raise ValueError(f"the strength of EWC's penalty must not be negative, but it is {self.strength}")
        if not 0 < self.threshold < 1:
            raise ValueError(f"the threshold is a share of energy between 0 and 1, not {self.threshold}")
        if self.rehearse < 0:
            raise ValueError(f"the number of images to rehearse must not be negative, but it is {self.rehearse}")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ValueError(f"the seed must be from 0 to {LARGEST_SEED}, not {self.seed}")
        if self.timesteps is not None and not 1 <= self.timesteps <= MOST_TIMESTEPS:
            raise ValueError(f"there must be at least 1 time step and at most {MOST_TIMESTEPS}, not {self.timesteps}")


def load_settings(run: Path) -> Settings:
    """The settings of a run.

    Raises:
        FileNotFoundError: if the folder holds no run.
        ValueError: if its settings cannot be read.
    """
    if not (run / CONFIG).is_file():
        raise FileNotFoundError(f"{run} holds no run: there is no {CONFIG} in it")
    try:
        values = files.read_json(run / CONFIG)
        settings = Settings(**values)
    except TypeError:
        raise ValueError(f"{run / CONFIG} does not hold the settings of a run") from None
    known = get_type_hints(Settings)
    if any(not isinstance(value, known[key]) for key, value in values.items()):
        raise ValueError(f"{run / CONFIG} does not hold the settings of a run")
    return settings
