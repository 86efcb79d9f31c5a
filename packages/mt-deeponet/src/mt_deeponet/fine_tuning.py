"""Transfer to a new task: only the layers that see the geometry, and those that make the solution, learn again."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from separata.loop import Track

from .configs import TARGET, TRANSFER, TrainConfig
from .data import MultiTaskData
from .surrogate import Surrogate
from .training import Row, Trainer

PARTS = tuple(TRANSFER.split(","))
"""What the paper trains on a new shape: the first convolution, the dense layers, and the last layer of the trunk."""


def freeze_except(network: nn.Module, parts: Sequence[str]) -> list[str]:
    """Let only some parts of a network require gradients.

    Args:
        network: Branch and trunk.
        parts: Names of modules or parameters, such as `branch.dense` or `trunk.hidden.3`.

    Returns:
        The names of the parameters that are trained.

    Raises:
        ValueError: if a part is of no module; the sentence names those that there are.
    """
    names = [name for name, _ in network.named_parameters()]
    for part in parts:
        if not any(name == part or name.startswith(f"{part}.") for name in names):
            groups = dict.fromkeys(name.rpartition(".")[0] for name in names)
            raise ValueError(f"the network has no part {part!r}; its parts are {', '.join(groups)}")
    trained = []
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(any(name == part or name.startswith(f"{part}.") for part in parts))
        trained += [name] if parameter.requires_grad else []
    return trained


def prepare(
    model: Surrogate, target: MultiTaskData, train: Sequence[str] | None = None, *, renormalize: bool = True
) -> Surrogate:
    """A copy of a trained model that is ready to learn a new task.

    Args:
        model: Trained on other tasks; it is left as it is.
        target: Few samples of the new task.
        train: Parts that are trained; by default those of the paper that the network has.
        renormalize: Standardize input functions by the target's statistics, as in the paper, instead of the source's.

    Raises:
        ValueError: if there is no such part, or the target's data has another shape than the source's.
    """
    if target.shape != model.shape:
        raise ValueError(f"the model was trained on {model.shape}, and the target's data has {target.shape}")
    model = copy.deepcopy(model)
    if train is None:
        names = [name for name, _ in model.network.named_parameters()]
        train = [part for part in PARTS if any(name.startswith(f"{part}.") for name in names)]
    freeze_except(model.network, train)
    if renormalize:
        model.fit_functions(target)
    return model


def transfer(
    model: Surrogate,
    target: MultiTaskData,
    train: Sequence[str] | None = None,
    config: TrainConfig = TARGET,
    *,
    renormalize: bool = True,
    test: MultiTaskData | None = None,
    checkpoint: Path | None = None,
    track: Track | None = None,
    log: Callable[[Row], None] | None = None,
) -> Surrogate:
    """Fine-tune a copy of a trained model on few samples of a new task; tensors of other parts stay as they are.

    Args:
        model: Trained on other tasks; it is left as it is.
        target: Samples of the new task, of the same grid.
        train: Parts that are trained; by default `branch.conv.0`, `branch.dense` and `trunk.out`, as far as the network
            has them.
        config: Optimizer and schedule; the default is the paper's.
        renormalize: Standardize input functions by the target's statistics.
        test: Data whose error is logged.
        checkpoint: File of the progress.
        track: Shows progress.
        log: Takes a row of the history.

    Returns:
        The new model, all of whose parameters require gradients again.

    Raises:
        ValueError: if there is no such part, or the target's data has another shape than the source's.
        FloatingPointError: if the training diverges.
    """
    tuned = prepare(model, target, train, renormalize=renormalize)
    size = None if config.batch_size is None else min(config.batch_size, len(target))
    trainer = Trainer(
        tuned, target, replace(config, batch_size=size), test=test, checkpoint=checkpoint, track=track, log=log
    )
    trainer.fit()
    return tuned.requires_grad_()
