"""Training by AdamW with an exponential decay, keeping the weights of the lowest validation loss."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from separata.loop import Loop, Track, step_generator

from .configs import TrainConfig
from .evaluation import evaluate
from .networks.scaled import ScaledNetwork
from .samples import Samples

Row = dict[str, float]


class Trainer:
    """Trains a network on classes or numbers, in place.

    After each epoch the loss on the validation data is compared with the best so far; training ends with the weights of
    the best, or with the last ones if there is no validation data. The same seed gives the same training, also where it
    was interrupted and continued, unless the network itself draws random numbers, as dropout does. A last batch of a
    single sample is left out, since batch normalization could not be trained on it.

    Args:
        network: From samples to logits or numbers. A `ScaledNetwork` takes the scales of the data, and its loss is that
            of scaled numbers.
        data: What it is trained on; moved to the network's device.
        config: Optimizer and schedule.
        validation: Data by which the weights are chosen.
        checkpoint: File of the progress; training goes on from it if it exists.
        track: Shows progress over steps.
        log: Takes a row after each epoch.

    Attributes:
        best: The lowest validation loss so far.

    Raises:
        ValueError: if the checkpoint is that of another training.
    """

    def __init__(
        self,
        network: nn.Module,
        data: Samples,
        config: TrainConfig = TrainConfig(),  # noqa: B008 - immutable
        *,
        validation: Samples | None = None,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[Row], None] | None = None,
    ) -> None:
        device = next(network.parameters()).device
        self.network, self.config = network, config
        self.data = data.to(device)
        self.validation = None if validation is None else validation.to(device)
        self.unit = self._fit_scales()
        self.optimizer = torch.optim.AdamW(
            network.parameters(), config.lr, weight_decay=config.weight_decay, fused=True
        )
        full, rest = divmod(len(data), config.batch_size)
        self.n_batches = max(1, full + (rest > 1))
        self.best = math.inf
        self._best: dict[str, Tensor] = {}
        self._order = torch.empty(0, dtype=torch.long)
        self.loop = Loop(
            self,
            config.epochs * self.n_batches,
            checkpoint=checkpoint,
            checkpoint_every=self.n_batches,
            log_every=self.n_batches,
            track=track,
            log=log,
        )

    def _fit_scales(self) -> float:
        """Give the network the scales of the data; what the errors of numbers are measured in."""
        if not isinstance(self.network, ScaledNetwork):
            return 1.0
        self.network.fit_inputs(self.data.x)
        if not self.data.shape.is_regression:
            return 1.0
        self.network.fit_outputs(self.data.y)
        return self.network.output_scale.item()

    @property
    def done(self) -> int:
        """Steps done."""
        return self.loop.done

    def fit(self) -> None:
        """Train to the last step, and leave the best weights in the network, in evaluation mode.

        Raises:
            FloatingPointError: if the loss is not finite; the last checkpoint is kept.
        """
        self.network.train()
        self.loop.run()
        if self._best:
            self.network.load_state_dict(self._best)
        self.network.eval()

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step's batch, for the loop."""
        epoch, place = divmod(step, self.n_batches)
        index = self._batch(epoch, place)
        self.optimizer.param_groups[0]["lr"] = self.config.lr * self.config.gamma**epoch
        self.optimizer.zero_grad()
        loss = self._loss(self.network(self.data.x[index]), self.data.y[index])
        loss.backward()
        return {"loss": loss}

    def _batch(self, epoch: int, place: int) -> Tensor:
        if place == 0 or not len(self._order):
            order = torch.arange(len(self.data))
            if self.config.shuffle:
                order = torch.randperm(len(self.data), generator=step_generator(self.config.seed, epoch))
            self._order = order.to(self.data.x.device)
        return self._order[place * self.config.batch_size : (place + 1) * self.config.batch_size]

    def _loss(self, output: Tensor, target: Tensor) -> Tensor:
        if self.data.shape.is_regression:
            return mse_loss(output[:, 0] / self.unit, target / self.unit)
        return cross_entropy(output, target)

    def update(self) -> None:
        """Update the weights with these gradients, for the loop."""
        self.optimizer.step()

    def row(self, losses: dict[str, float]) -> Row:
        """A row of the history, for the loop: the loss, and how the validation data is done.

        Raises:
            FloatingPointError: if the validation loss is not finite.
        """
        row = dict(losses)
        if self.validation is None:
            return row
        report = evaluate(self.network, self.validation, unit=self.unit)
        if not math.isfinite(report.loss):
            raise FloatingPointError(
                f"training diverged: the validation loss is not finite after {self.done} steps; lower the learning rate"
            )
        if report.loss < self.best:
            self.best = report.loss
            self._best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        row["validation_loss"] = report.loss
        row["validation_rmse" if report.accuracy is None else "validation_accuracy"] = (
            report.accuracy if report.accuracy is not None else report.rmse or 0.0
        )
        return row

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best_network": self._best,
            "best": self.best,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: if it is of another training.
        """
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = float(state["best"])
        device = next(self.network.parameters()).device
        self._best = {name: value.to(device) for name, value in state["best_network"].items()}
