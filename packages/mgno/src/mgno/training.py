"""Training as published: Adam with one cycle of the learning rate, keeping the weights of the best validation epoch."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from separata.loop import Loop, Track
from separata.pde import relative_l2

from .configs import TrainConfig
from .grids import GridDataset, predict, type_and_device
from .losses import make_loss

Row = dict[str, float]
MOMENTA = 0.85, 0.95
"""Of Adam's first moment: at the largest learning rate, and at the smallest."""


def one_cycle(epoch: int, config: TrainConfig) -> tuple[float, float]:
    """Learning rate and first momentum of Adam in an epoch, from 0.

    From `lr/div_factor` up to `lr` in a share `pct_start` of the epochs, then down to that over `final_div_factor`,
    each half a cosine; the momentum goes the other way. These are the numbers of PyTorch's `OneCycleLR`, stepped once
    an epoch.
    """
    first = config.lr / config.div_factor
    last = first / config.final_div_factor
    peak, end = config.pct_start * config.epochs - 1, config.epochs - 1
    low, high = MOMENTA
    if epoch < peak or (epoch == peak and peak > 0):
        return _cosine(first, config.lr, epoch / peak), _cosine(high, low, epoch / peak)
    share = (epoch - peak) / (end - peak) if end > peak else 1.0
    return _cosine(config.lr, last, share), _cosine(low, high, share)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


class Trainer:
    """Trains a network on pairs of functions, in place.

    In every epoch, the data is shuffled and gone through in batches, of which the last may be smaller; the loss of a
    batch is the sum over its samples, and their mean for Helmholtz, both as published. After every epoch, the relative
    L2 error of the validation data is compared with the best so far; training ends with the weights of the best epoch,
    or the last one's without validation data. The same seed gives the same training, also where it was interrupted and
    continued.

    Args:
        model: Called as `model(x)` with (batch, channels, height, width): an `Operator`, an `MgNO`, a baseline, or your
            own.
        data: What it is trained on; moved to the model's device, in the type of its weights.
        config: Optimizer and schedule.
        validation: Data by which the best epoch is chosen.
        loss: Your own error of every sample, (n,), from predicted and true functions, instead of the configuration's.
        checkpoint: File of the progress; training goes on from it if it exists.
        track: Shows progress over steps.
        log: Takes a row after each epoch: step, epoch, lr, loss, and validation_l2.

    Attributes:
        best: The lowest validation error.
        best_epoch: The epoch, from 1, that it belongs to.

    Raises:
        ValueError: if one of the wanted functions is zero everywhere, or the checkpoint is that of another training.
    """

    def __init__(
        self,
        model: nn.Module,
        data: GridDataset,
        config: TrainConfig = TrainConfig(),  # noqa: B008 - immutable
        *,
        validation: GridDataset | None = None,
        loss: Callable[[Tensor, Tensor], Tensor] | None = None,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[Row], None] | None = None,
    ) -> None:
        place = type_and_device(model)
        self.model, self.config = model, config
        self.data = data.to(*place)
        self.validation = None if validation is None else validation.to(*place)
        self.is_mean = loss is None and config.loss == "helmholtz"
        if loss is None and not self.is_mean:
            self.data.check_nonzero()
        if self.validation is not None:
            self.validation.check_nonzero()
        self.loss = loss or make_loss(config.loss, config.h1_weight)
        self.per_epoch = math.ceil(len(data) / config.batch_size)
        # PyTorch's fused step takes no complex weights, which other libraries' spectral networks have.
        is_fused = place[0].type != "mps" and not any(p.is_complex() for p in model.parameters())
        self.optimizer = torch.optim.Adam(
            model.parameters(), config.lr, weight_decay=config.weight_decay, fused=is_fused
        )
        self._order = torch.empty(0, dtype=torch.long)
        self.best, self.best_epoch = math.inf, 0
        self._best: dict[str, Tensor] = {}
        self.loop = Loop(
            self,
            config.epochs * self.per_epoch,
            checkpoint=checkpoint,
            checkpoint_every=self.per_epoch,
            log_every=self.per_epoch,
            track=track,
            log=log,
        )

    @property
    def done(self) -> int:
        """Epochs done."""
        return self.loop.done // self.per_epoch

    def fit(self) -> None:
        """Train to the last epoch, and leave the best weights in the model.

        Raises:
            FloatingPointError: if the loss is not finite; the last checkpoint is kept.
        """
        self.model.train()
        self.loop.run()
        if self._best:
            self.model.load_state_dict(self._best)
        self.model.eval()

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a batch, for the loop; the mean loss of its samples."""
        epoch, place = divmod(step, self.per_epoch)
        if place == 0 or not len(self._order):
            generator = torch.Generator().manual_seed((self.config.seed + 1) * 1_000_003 % 2**63 + epoch)
            self._order = torch.randperm(len(self.data), generator=generator).to(self.data.x.device)
        index = self._order[place * self.config.batch_size :][: self.config.batch_size]
        self.optimizer.zero_grad()
        errors = self.loss(self.model(self.data.x[index]), self.data.y[index])
        (errors.mean() if self.is_mean else errors.sum()).backward()
        return {"loss": errors.detach().mean()}

    def update(self) -> None:
        """Update the weights, for the loop."""
        lr, momentum = one_cycle(self.loop.done // self.per_epoch, self.config)
        for group in self.optimizer.param_groups:
            group["lr"], group["betas"] = lr, (momentum, group["betas"][1])
        self.optimizer.step()

    def row(self, losses: dict[str, float]) -> Row:
        """A row of the history, for the loop: compare with the best epoch so far."""
        lr = one_cycle(self.done - 1, self.config)[0]
        row: Row = {"epoch": self.done, "lr": lr, **losses}
        if self.validation is not None:
            error = self._error(self.validation)
            row["validation_l2"] = error
            if error < self.best:
                self.best, self.best_epoch = error, self.done
                self._best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        return row

    @torch.no_grad()
    def _error(self, data: GridDataset) -> float:
        self.model.eval()
        error = float(relative_l2(predict(self.model, data.x), data.y).mean())
        self.model.train()
        return error

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
            "best_epoch": self.best_epoch,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: if it is of another training.
        """
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.best_epoch = float(state["best"]), int(state["best_epoch"])
        device = next(self.model.parameters()).device
        self._best = {name: value.to(device) for name, value in state["best_model"].items()}
