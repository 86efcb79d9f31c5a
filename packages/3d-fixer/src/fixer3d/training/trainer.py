"""Training of a stage: AdamW, adaptive clipping and a moving average of the weights."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fixer3d.configs import TrainConfig
from separata.loop import Loop, Track, step_generator

from .clipping import AdaptiveGradClip
from .ema import EMA
from .examples import ExampleSource
from .stages import StageLoss

FLOOR = 0.05
"""Share of the learning rate that half a cosine ends with."""
VALIDATION_SEED = 4_000_000_000
N_VALIDATION = 4
"""Batches of the validation loss."""


def learning_rate(step: int, config: TrainConfig) -> float:
    """The learning rate of a step."""
    if not config.cosine:
        return config.lr
    progress = step / max(1, config.steps)
    return config.lr * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * progress)) / 2)


class Trainer:
    """Trains the networks of a stage in place; in the end they have the moving average of their weights.

    Args:
        loss: The loss of the stage, over its networks.
        data: Where batches are drawn from.
        config: Optimizer and schedule.
        validation: Held-out examples, whose loss is logged, too.
        checkpoint: File of the progress; training goes on from it if it exists.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between rows of the history.
        track: Shows progress over steps.
        log: Called with each row of the history.

    Raises:
        ValueError: if the checkpoint is of another training.
    """

    def __init__(
        self,
        loss: StageLoss[Any],
        data: ExampleSource[Any],
        config: TrainConfig,
        *,
        validation: ExampleSource[Any] | None = None,
        checkpoint: Path | None = None,
        checkpoint_every: int = 500,
        log_every: int = 50,
        track: Track | None = None,
        log: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        self.loss, self.data, self.config, self.validation = loss, data, config, validation
        self.parameters: list[Tensor] = [parameter for parameter in loss.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, config.lr, weight_decay=0.0, fused=True)
        self.clip, self.ema = AdaptiveGradClip(config.clip), EMA(self.parameters, config.ema)
        self.loop = Loop(
            self,
            config.steps,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            log_every=log_every,
            track=track,
            log=log,
        )

    @property
    def done(self) -> int:
        """Steps done."""
        return self.loop.done

    def fit(self) -> None:
        """Train until the last step.

        Raises:
            FloatingPointError: if the loss is no longer finite.
            KeyboardInterrupt: after the progress is saved, unless an update of the weights was interrupted.
        """
        self.loss.train()
        self.loop.run()
        self.ema.apply()
        self.loss.eval()

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step's batch, for the loop."""
        generator = step_generator(self.config.seed, step)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, self.config)
        self.optimizer.zero_grad()
        losses = self.loss(self.data.draw(self.config.batch_size, generator), generator)
        losses["loss"].backward()
        return losses

    def update(self) -> None:
        """Update the weights, for the loop; a step whose gradients are not finite is left out."""
        if math.isfinite(self.clip(self.parameters)):
            self.optimizer.step()
            self.ema.update()

    def row(self, losses: dict[str, float]) -> dict[str, float]:
        """A row of the history, for the loop."""
        row = {"lr": self.optimizer.param_groups[0]["lr"], **losses}
        if self.validation is not None:
            row |= {f"validation_{name}": value for name, value in self.validate().items()}
        return row

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The losses of the averaged weights on the held-out examples, on the same batches and noise each time."""
        assert self.validation is not None  # noqa: S101 - asked for by those who have some
        self.loss.eval()
        with self.ema.applied():
            found = []
            for i in range(N_VALIDATION):
                generator = torch.Generator().manual_seed(VALIDATION_SEED + i)
                found.append(self.loss(self.validation.draw(self.config.batch_size, generator), generator))
        self.loss.train()
        return {name: float(torch.stack([one[name] for one in found]).mean()) for name in found[0]}

    def save(self) -> None:
        """Write the progress to the checkpoint, if there is to be one."""
        self.loop.save()

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        return {
            "parameters": [parameter.detach() for parameter in self.parameters],
            "average": self.ema.average,
            "averaged": self.ema.n_steps,
            "optimizer": self.optimizer.state_dict(),
            "clip": self.clip.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            KeyError, ValueError, RuntimeError, TypeError: if it is of another training.
        """
        self.ema.load([one.to(self._device) for one in state["average"]], state["averaged"])
        with torch.no_grad():
            torch._foreach_copy_(self.parameters, [one.to(self._device) for one in state["parameters"]])
        self.optimizer.load_state_dict(state["optimizer"])
        self._match_layout()
        self.clip.load_state_dict(state["clip"])

    def _match_layout(self) -> None:
        """Give the optimizer's tensors the memory layout of their parameters, which its fused kernel relies on."""
        for parameter, values in self.optimizer.state.items():
            for name, value in values.items():
                if value.shape == parameter.shape:
                    values[name] = torch.empty_like(parameter).copy_(value)

    @property
    def _device(self) -> torch.device:
        return self.parameters[0].device
