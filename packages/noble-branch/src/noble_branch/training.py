"""Training on a task, with evaluations, checkpoints and exact resumption."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from separata.loop import Loop, Track, step_generator
from separata.training import seeded

from .configs import MethodConfig, NetworkConfig, TrainConfig, TransformerConfig
from .conversion import add_branches, branch_param_groups, in_blocks
from .tasks import Split, Task
from .transformer import make_network


def make_model(network: NetworkConfig, config: TransformerConfig, method: MethodConfig, seed: int) -> nn.Module:
    """The network of a method.

    Plain, wide and branched networks of a seed start from the same stream of random numbers; with branches, the
    weights of the plain network are bit for bit the same.

    Raises:
        ValueError: if the rank is too high, or targets match nothing.
    """
    with seeded(seed):
        model = make_network(network, config)
    if method.kind == "plain":
        return model
    targets = tuple(method.targets.split(",")) if method.targets else in_blocks
    with seeded(seed + 1):
        model = add_branches(model, method.rank, targets=targets, config=method.branch, path=method.path).model
    if method.kind == "branch":
        return model
    goal = n_parameters(model)
    width = config.width
    while n_parameters(model) < goal or width == config.width:
        width += config.heads
        with seeded(seed):
            model = make_network(network, TransformerConfig(width, config.depth, config.heads))
    return model


def n_parameters(model: nn.Module) -> int:
    """The number of parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


class Trainer:
    """Trains a network on a task.

    Args:
        model: A plain or a branched network.
        task: What it learns.
        config: How.
        split: What `eval_loss` is of.
        checkpoint: File of the progress; the training goes on from it if it exists.
        track: Shows progress over steps.
        log: Called with each row of the history as it happens.

    Attributes:
        history: Rows of step, train_loss, eval_loss and seconds; the training loss is that of the batches since the
            row before, and not a number at step 0.
        loop: Its steps.

    Raises:
        ValueError: if the checkpoint is of another training, or damaged.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        config: TrainConfig,
        *,
        split: Split = "test",
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        self.model, self.task, self.config, self.split = model, task, config, split
        groups = branch_param_groups(model, config.lr, config.weight_decay, config.branch_lr_scale)
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        self.history: list[dict[str, float]] = []
        self._log = log
        self._seconds, self._since = 0.0, time.perf_counter()
        self.loop = Loop(
            self, config.n_steps, checkpoint=checkpoint, log_every=config.eval_every, track=track, log=self._add
        )

    def _rate(self, step: int) -> float:
        warmup = round(self.config.warmup * self.config.n_steps)
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, self.config.n_steps - warmup)))

    def fit(self) -> None:
        """Train, from the checkpoint on if there is one.

        Raises:
            FloatingPointError: if a loss is not finite.
        """
        if not self.history:
            self._add({"step": 0, "train_loss": math.nan, "eval_loss": self._evaluate(), "seconds": 0.0})
        self._since = time.perf_counter()
        self.loop.run()

    def _add(self, row: dict[str, float]) -> None:
        self.history.append(row)
        if self._log is not None:
            self._log(row)

    def gradients(self, step: int) -> Mapping[str, Tensor]:
        """The gradients of a batch that depends on nothing but the seed and the step."""
        self.model.train()
        self.optimizer.zero_grad()
        loss = self.task.loss(self.model, self.config.batch_size, step_generator(self.config.seed, step))
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        return {"train_loss": loss}

    def update(self) -> None:
        """A step of AdamW."""
        self.optimizer.step()
        self.schedule.step()

    def row(self, losses: dict[str, float]) -> dict[str, float]:
        """The losses and the seconds of training, without those of evaluations."""
        self._seconds += time.perf_counter() - self._since
        row = {**losses, "eval_loss": self._evaluate(), "seconds": self._seconds}
        self._since = time.perf_counter()
        return row

    def _evaluate(self) -> float:
        self.model.eval()
        with torch.no_grad():
            return self.task.evaluate(self.model, self.split)

    def state_dict(self) -> dict[str, Any]:
        """What a training goes on from."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": {"last_epoch": self.schedule.last_epoch, "step_count": self.schedule._step_count},
            "history": self.history,
            "seconds": self._seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.last_epoch = int(state["schedule"]["last_epoch"])
        self.schedule._step_count = int(state["schedule"]["step_count"])
        self.history[:] = state["history"]
        self._seconds = float(state["seconds"])
