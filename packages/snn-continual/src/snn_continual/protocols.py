"""The paper's protocol for each benchmark: tasks, network, training, and the dimensions of the subspaces."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .benchmarks import BENCHMARKS, PermutedImages, SeveralDatasets, SplitClasses, TaskSequence
from .continual import Dims
from .methods import pmnist_dims
from .networks import HLOPConfig, SpikingCNN, SpikingMLP, SpikingNetwork, SpikingResNet18
from .own_files import OwnFiles
from .rules import TrainingRule
from .schedule import RehearsalConfig, TrainConfig

WIDEST = 100_000
RESIDUAL_FIRST = [24, 90, 90, 90, 90, 90, 180, 10, 180, 180, 180, 360, 20, 360, 360, 360, 720, 40, 720, 720]
RESIDUAL_EARLY = [2, 6, 6, 6, 6, 6, 12, 1, 12, 12, 12, 24, 2, 24, 24, 24, 48, 4, 48, 48]
RESIDUAL_LATER = [0, 2, 2, 2, 2, 2, 4, 0, 4, 4, 4, 8, 0, 8, 8, 8, 16, 0, 16, 16]
RESIDUAL_DATASETS = [6, 40, 40, 40, 40, 40, 100, 6, 100, 100, 100, 200, 8, 200, 200, 200, 200, 16, 200, 200]


@dataclass(frozen=True)
class Protocol:
    """How a benchmark is run.

    Args:
        sequence: The tasks.
        build: Makes the network for a training rule and the options of its HLOP layers.
        train: How each task is trained.
        dims: Maps the number of a task to the dimensions that each HLOP layer gains.
        rehearsal: How the memory is rehearsed, if there is one.
    """

    sequence: TaskSequence
    build: Callable[[TrainingRule, HLOPConfig], SpikingNetwork]
    train: TrainConfig
    dims: Callable[[int], Dims]
    rehearsal: RehearsalConfig


def make_protocol(benchmark: str, hidden: int = 800, seed: int = 0) -> Protocol:
    """The protocol of a benchmark by name, or of a folder with your own files.

    Args:
        benchmark: A name, or the path of a folder.
        hidden: Width of a perceptron's hidden layers, 800 in the paper. Dimensions are scaled with it.
        seed: Seed of the tasks, where they are random.

    Raises:
        ValueError: if it is neither a known name nor a folder.
    """
    if not 1 <= hidden <= WIDEST:
        raise ValueError(f"the hidden layers need at least 1 neuron and at most {WIDEST}, not {hidden}")
    if benchmark in BENCHMARKS:
        sequence = BENCHMARKS[benchmark]()
    elif Path(benchmark).is_dir():
        return _own_files(OwnFiles(Path(benchmark)), hidden)
    else:
        raise ValueError(
            f"the benchmark must be one of {', '.join(BENCHMARKS)}, or a folder of .npz files, not '{benchmark}'"
        )
    if isinstance(sequence, PermutedImages):
        return _permuted(PermutedImages(sequence.dataset, sequence.n_tasks, seed), hidden)
    if isinstance(sequence, SplitClasses):
        return _split(sequence)
    assert isinstance(sequence, SeveralDatasets)  # noqa: S101 - for the type checker
    return _several(sequence)


def _permuted(sequence: PermutedImages, hidden: int) -> Protocol:
    """One pass over the images (online learning); three where there are only a few thousand."""
    small = sequence.dataset != "mnist"
    return Protocol(
        sequence,
        lambda rule, hlop: SpikingMLP((784, hidden, hidden, 10), rule, hlop=hlop),
        TrainConfig(epochs=3 if small else 1),
        lambda index: [k if i == 0 else math.ceil(k * hidden / 800) for i, k in enumerate(pmnist_dims(index))],
        RehearsalConfig(epochs=1, lr=0.01),
    )


def _split(sequence: SplitClasses) -> Protocol:
    if sequence.size is None:
        return Protocol(
            sequence,
            lambda rule, hlop: SpikingCNN(sequence.n_classes, rule, hlop=hlop, n_heads=len(sequence)),
            TrainConfig(epochs=200, lr=0.01, momentum=0.9, cosine=True, warmup=5),
            lambda index: [2, 20, 40] if index else [6, 100, 200],
            RehearsalConfig(epochs=20, lr=0.001),
        )
    return Protocol(
        sequence,
        lambda rule, hlop: SpikingResNet18(
            sequence.n_classes, rule, strided_stem=True, hlop=hlop, n_heads=len(sequence)
        ),
        TrainConfig(epochs=100, lr=0.1, later_lr=0.01, momentum=0.9, cosine=True),
        residual_dims,
        RehearsalConfig(per_class=5, epochs=20, lr=0.001, batch_size=5),
    )


def residual_dims(index: int) -> list[int]:
    """The paper's dimensions for miniImageNet: many for the first task, a few for the next five, then hardly any."""
    if index == 0:
        return RESIDUAL_FIRST
    return RESIDUAL_EARLY if index < 6 else RESIDUAL_LATER


def _several(sequence: SeveralDatasets) -> Protocol:
    n_heads = None if sequence.shares_head else len(sequence)
    dims = [*RESIDUAL_DATASETS, *([10] if sequence.shares_head else [])]
    return Protocol(
        sequence,
        lambda rule, hlop: SpikingResNet18(10, rule, hlop=hlop, n_heads=n_heads),
        TrainConfig(epochs=100, lr=0.1, later_lr=0.01, momentum=0.9, cosine=True),
        lambda _: dims,
        RehearsalConfig(epochs=20, lr=0.001),
    )


def _own_files(sequence: OwnFiles, hidden: int) -> Protocol:
    """A perceptron whose subspaces share out each layer's width evenly among the tasks, with some room left."""
    n_inputs = sequence[0].train_images[0].numel()
    return Protocol(
        sequence,
        lambda rule, hlop: SpikingMLP((n_inputs, hidden, hidden, sequence.n_classes), rule, hlop=hlop),
        TrainConfig(epochs=3),
        lambda _: min(0.2, 0.8 / len(sequence)),
        RehearsalConfig(epochs=5, lr=0.01),
    )
