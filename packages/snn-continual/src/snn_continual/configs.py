"""What a training depends on, as the command line takes it and the folder of a run stores it. Imports nothing slow."""

import math
from dataclasses import dataclass, field
from typing import Literal

from .paper import FEEDBACKS, METHODS, RULES

MethodName = Literal["hlop", "finetune", "ewc", "gpm", "replay", "joint"]
RuleName = Literal["dsr", "bptt", "ottt"]
Feedback = Literal["bp", "fa", "sign"]

LARGEST_SEED = 2**32 - 1
MOST_TIMESTEPS = 10_000


@dataclass(frozen=True)
class MethodConfig:
    """How tasks are learned one after the other.

    Args:
        method: Method of continual learning: hlop, finetune, ewc, gpm, replay or joint.
        strength: Strength of the penalty of ewc.
        threshold: Share of the activity's energy that gpm keeps.

    Raises:
        ValueError: if there is no such method, or a number is out of its range.
    """

    method: MethodName = "hlop"
    strength: float = 10.0
    threshold: float = 0.97

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"the method must be one of {', '.join(METHODS)}, not '{self.method}'")
        if not 0 <= self.strength < math.inf:
            raise ValueError(f"the strength of EWC's penalty must not be negative, but it is {self.strength}")
        if not 0 < self.threshold < 1:
            raise ValueError(f"the threshold is a share of energy between 0 and 1, not {self.threshold}")


@dataclass(frozen=True)
class NetworkConfig:
    """How a spiking network is simulated, and how its layers learn.

    Args:
        rule: Training rule: dsr, bptt or ottt.
        timesteps: Time steps of the simulation; 20 under dsr and 6 under the others if not given.
        feedback: Error propagation: bp (back-propagation), fa (feedback alignment) or sign (sign-symmetric).
        spiking_lateral: Use spiking lateral neurons, which answer in bursts.
        hebbian_lr: Learning rate of the lateral neurons; a tenth of it for those of a perceptron's input.

    Raises:
        ValueError: if there is no such rule or feedback, or a number is out of its range.
    """

    rule: RuleName = "dsr"
    timesteps: int | None = None
    feedback: Feedback = "bp"
    spiking_lateral: bool = False
    hebbian_lr: float = 0.01

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"the training rule must be one of {', '.join(RULES)}, not '{self.rule}'")
        if self.feedback not in FEEDBACKS:
            raise ValueError(f"the feedback must be one of {', '.join(FEEDBACKS)}, not '{self.feedback}'")
        if self.timesteps is not None and not 1 <= self.timesteps <= MOST_TIMESTEPS:
            raise ValueError(f"there must be at least 1 time step and at most {MOST_TIMESTEPS}, not {self.timesteps}")
        if not 0 < self.hebbian_lr < math.inf:
            raise ValueError(f"the learning rate of the lateral neurons must be positive, not {self.hebbian_lr}")


@dataclass(frozen=True)
class RunConfig:
    """A network, trained by one method on a benchmark or on tasks of your own.

    Args:
        benchmark: Folder with an .npz file for each task (x_train, y_train, x_test, y_test), or the name of a
            benchmark: pmnist5k, pmnist, cifar10, cifar100, mini-imagenet, five-datasets or five-datasets-domain.
        learner: How tasks are learned one after the other.
        network: How the network is simulated, and how its layers learn.
        epochs: Epochs per task; the benchmark's own if not given.
        lr: Learning rate; the benchmark's own if not given.
        hidden: Width of the hidden layers of a perceptron.
        rehearse: Images per class that are kept for rehearsal, with any method; 0 stands for 50 under replay.
        seed: Seed of the initial weights, the tasks and the order of the images.

    Raises:
        ValueError: if a number is out of its range.
    """

    benchmark: str = "pmnist5k"
    learner: MethodConfig = field(default_factory=MethodConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    epochs: int | None = None
    lr: float | None = None
    hidden: int = 800
    rehearse: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"the number of epochs must be at least 1, not {self.epochs}")
        if self.lr is not None and not 0 < self.lr < math.inf:
            raise ValueError(f"the learning rate must be positive, not {self.lr}")
        if self.rehearse < 0:
            raise ValueError(f"the number of images to rehearse must not be negative, but it is {self.rehearse}")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ValueError(f"the seed must be from 0 to {LARGEST_SEED}, not {self.seed}")
