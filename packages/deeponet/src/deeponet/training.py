"""Training as published: Adam on the mean squared error, keeping the weights of the lowest training loss."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from separata.loop import Loop, Track

from .configs import TrainConfig
from .triples import TripleDataset, predict, predict_all

Row = dict[str, float]


class Trainer:
    """Trains a model of functions on triples, in place.

    Each step takes all functions, or a batch of them drawn without replacement in each pass. After every `check_every`
    steps, the loss of all training data is compared with the best so far; training ends with the weights of the best.
    The same seed gives the same training, also where it was interrupted and continued, unless the model itself draws
    random numbers, as dropout does.

    Args:
        model: Called as `model(u, y)`, or `model.grid(u, y)` where the functions share their points: a `DeepONet`, a
            baseline, or your own.
        data: What it is trained on; moved to the model's device, in the type of its weights.
        config: Optimizer and schedule.
        test: Data whose error is logged, too; it changes nothing else.
        checkpoint: File of the progress; training goes on from it if it exists.
        track: Shows progress over steps.
        log: Takes a row at each check.

    Attributes:
        done: Steps done.
        best: The lowest training loss at a check.

    Raises:
        ValueError: if the checkpoint is that of another training.
    """

    def __init__(
        self,
        model: nn.Module,
        data: TripleDataset,
        config: TrainConfig = TrainConfig(),  # noqa: B008 - immutable
        *,
        test: TripleDataset | None = None,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[Row], None] | None = None,
    ) -> None:
        weight = next(model.parameters())
        self.model, self.config = model, config
        self.data = data.to(weight.device, weight.dtype)
        self.test = None if test is None else test.to(weight.device, weight.dtype)
        self.optimizer = torch.optim.Adam(model.parameters(), config.lr, fused=True)
        self._order = torch.empty(0, dtype=torch.long)
        self.best = math.inf
        self._best: dict[str, Tensor] = {}
        self.loop = Loop(
            self,
            config.steps,
            checkpoint=checkpoint,
            checkpoint_every=config.check_every,
            log_every=config.check_every,
            track=track,
            log=log,
        )

    @property
    def done(self) -> int:
        """Steps done."""
        return self.loop.done

    def fit(self) -> None:
        """Train to the last step, and leave the best weights in the model.

        Raises:
            FloatingPointError: if the loss is not finite; the last checkpoint is kept.
        """
        self.model.train()
        self.loop.run()
        if self._best:
            self.model.load_state_dict(self._best)
        self.model.eval()

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step's batch, for the loop; its loss is measured on all data, at each check."""
        u, y, s = self._batch(step)
        self.optimizer.zero_grad()
        (predict(self.model, u, y) - s).square().mean().backward()
        return {}

    def update(self) -> None:
        """Update the weights, for the loop."""
        self.optimizer.step()

    def _batch(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """What a step takes: a function of its number and the seed."""
        data, size = self.data, self.config.batch_size
        if size is None or size >= len(data):
            return data.u, data.y, data.s
        per_pass = len(data) // size
        number, place = divmod(step, per_pass)
        if place == 0 or not len(self._order):
            generator = torch.Generator().manual_seed((self.config.seed + 1) * 1_000_003 % 2**63 + number)
            self._order = torch.randperm(len(data), generator=generator).to(data.u.device)
        index = self._order[place * size : (place + 1) * size]
        return data.u[index], data.y if data.is_grid else data.y[index], data.s[index]

    @torch.no_grad()
    def row(self, losses: dict[str, float]) -> Row:
        """A row of the history, for the loop: compare with the best so far.

        Raises:
            FloatingPointError: if the loss is not finite.
        """
        self.model.eval()
        loss = self._error(self.data)
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"training diverged: the loss is not finite after {self.done} steps; lower the learning rate"
            )
        if loss < self.best:
            self.best = loss
            self._best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        row = {**losses, "loss": loss}
        if self.test is not None:
            row["test_loss"] = self._error(self.test)
        self.model.train()
        return row

    def _error(self, data: TripleDataset) -> float:
        return float((predict_all(self.model, data) - data.s).square().mean())

    def save(self) -> None:
        """Write the progress to the checkpoint, if there is to be one."""
        self.loop.save()

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best_model": self._best,
            "best": self.best,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: if it is of another training.
        """
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = float(state["best"])
        device = next(self.model.parameters()).device
        self._best = {name: value.to(device) for name, value in state["best_model"].items()}
