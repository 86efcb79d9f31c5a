"""The three stages: full training, selective training, and fine-tuning of what was pruned."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from .configs import StageConfig
from .networks import prune_layers, selectable_layers

Stage = Literal["full", "selective", "fine-tuning"]
ROUNDING = 1e-9
FEWEST = 2
"""Members that successive halving leaves for the temperature to decide between."""


@dataclass(frozen=True)
class StageStep:
    """Where a training is.

    Attributes:
        stage: The stage of the coming step.
        has_pruned: Whether parameters have just been deleted: make the optimizer and its schedule anew.
    """

    stage: Stage
    has_pruned: bool = False


class StageSchedule:
    """Takes a network through the stages, in any training loop.

        schedule = StageSchedule()
        for step in range(n_steps):
            if schedule.step(model, step / n_steps).has_pruned:
                optimizer = torch.optim.AdamW(parameter_groups(model, lr))
            ...  # a step, as always

    In the full stage, all families are trained at the temperature 1. In the selective stage it falls geometrically to
    `tau_min`. Then each unit keeps the family of its largest weight, and the others are deleted. `model` may be any
    module that has `SKANLinear` or `SKANConv2d` layers.

    Args:
        config: Lengths of the stages, and how weights are driven apart.
    """

    def __init__(self, config: StageConfig = StageConfig()) -> None:  # noqa: B008 - immutable
        self.config = config

    def stage_at(self, progress: float) -> Stage:
        """The stage after a share of the training.

        Raises:
            ValueError: if the share is not in [0, 1].
        """
        if not 0 <= progress <= 1:
            raise ValueError(f"the progress is the share of the training that is done, 0 to 1, not {progress}")
        if progress < self.config.full - ROUNDING:
            return "full"
        end = self.config.full + self.config.selective
        return "selective" if progress < end - ROUNDING else "fine-tuning"

    def selected_at(self, progress: float) -> float:
        """The share of the selective stage that is done."""
        if self.config.selective == 0:
            return 0.0 if progress < self.config.full else 1.0
        return min(1.0, max(0.0, (progress - self.config.full) / self.config.selective))

    def step(self, model: nn.Module, progress: float, generator: torch.Generator | None = None) -> StageStep:
        """Set temperatures and modes for the coming step, or prune once the time has come.

        Args:
            model: The network, or a module that has it.
            progress: Share of the training that is done, in [0, 1].
            generator: Draws the noise of `gumbel`.

        Raises:
            ValueError: if the share is not in [0, 1], or a unit would keep more families than its pool has.
        """
        stage, open_layers = self.stage_at(progress), [one for one in selectable_layers(model) if not one.is_pruned]
        if stage == "fine-tuning":
            prune_layers(open_layers, self.config.top_k)
            return StageStep(stage, bool(open_layers))
        done = self.selected_at(progress)
        for layer in open_layers:
            assert layer.select is not None  # noqa: S101 - the layer is not pruned
            layer.select.set_temperature(self.config.tau_min**done)
            layer.select.hard = self.config.hard if stage == "selective" else "none"
            layer.select.draw(generator)
            if self.config.halving:
                n = len(layer.names)
                layer.select.keep(max(min(FEWEST, n), n - math.floor(done * (n - 1))))
        return StageStep(stage)


def parameter_groups(
    model: nn.Module,
    lr: float,
    config: StageConfig = StageConfig(),  # noqa: B008 - immutable
    weight_decay: float = 0.0,
) -> list[dict[str, Any]]:
    """Parameters for an optimizer: those of the functions, and the logits of the weights if there are any.

    The logits have a learning rate and a decay of their own: softmax weights and coefficients share a scale, and only
    the logits are decayed.

    Args:
        model: The network, or a module that has it.
        lr: Learning rate of the functions.
        config: Has the logits' learning rate, in those of the functions, and their decay.
        weight_decay: Decay of the functions' parameters.
    """
    logits = logits_of(model)
    own = {id(one) for one in logits}
    rest = [one for one in model.parameters() if id(one) not in own]
    groups: list[dict[str, Any]] = [{"params": rest, "lr": lr, "weight_decay": weight_decay}]
    if logits:
        groups.append({"params": logits, "lr": lr * config.selection_lr, "weight_decay": config.selection_decay})
    return groups


def logits_of(model: nn.Module) -> list[nn.Parameter]:
    """The logits of the weights in all layers that are not pruned."""
    return [layer.select.logits for layer in selectable_layers(model) if layer.select is not None]
