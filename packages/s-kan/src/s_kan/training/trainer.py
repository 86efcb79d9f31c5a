"""Training of one network through the three stages."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from s_kan.configs import StageConfig, TrainConfig
from s_kan.networks import check_top_k, prune_layers, selectable_layers
from s_kan.samples import FEWEST, Samples
from s_kan.stages import StageSchedule, logits_of, parameter_groups
from separata.loop import Loop, Track, step_generator

Loss = Callable[[Tensor, Tensor], Tensor]
Row = dict[str, float]

N_ROWS = 50
"""Rows of a history."""
LAST_LR = 0.01
"""The share of the learning rate at the end of its cosine."""
ORDER, HELD_OUT = 1, 2
"""Streams of random numbers."""


class Trainer:
    """Trains a network in place: full training, selective training, pruning, and fine-tuning.

    In the selective stage, the logits of the weights follow the gradient of samples that are held out from the
    coefficients until pruning, as in DARTS, so that no family is chosen for overfitting. At pruning, the optimizer and
    the schedule of its learning rate begin anew. A network that has nothing to choose, or is pruned already, is trained
    without stages, by one schedule. The same seed gives the same training, also where it was interrupted and continued,
    unless the network draws random numbers of its own, as dropout does.

    Args:
        model: Any module that maps samples to rows of outputs, or to logits.
        data: What it is trained on; moved to the model's device.
        config: Optimizer and schedule.
        stages: Lengths of the stages, and how families are chosen.
        validation: Samples whose loss is logged; they change nothing.
        loss: Of outputs and targets; by default the mean squared error, or cross-entropy for classes.
        checkpoint: File of the progress; training goes on from it if it exists.
        track: Shows progress over steps.
        log: Takes a row now and then: losses, the learning rate, and the mean weight of each family in each layer.

    Attributes:
        selection: The weights of each layer just before it was pruned, (members, units).
        lr: The learning rate of the last step.

    Raises:
        ValueError: if units would keep more families than there are, or the checkpoint is that of another training.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Samples,
        config: TrainConfig = TrainConfig(),  # noqa: B008 - immutable
        *,
        stages: StageConfig = StageConfig(),  # noqa: B008 - immutable
        validation: Samples | None = None,
        loss: Loss | None = None,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[Row], None] | None = None,
    ) -> None:
        device = next(model.parameters()).device
        self.model, self.config, self.stages = model, config, stages
        self.data = data.to(device)
        self.validation = None if validation is None else validation.to(device)
        self.loss: Loss = loss or (_squared if data.is_regression else cross_entropy)
        self.schedule = StageSchedule(stages)
        self.selection: list[Tensor] = []
        self.lr = config.lr
        self.n_steps = config.epochs * _per_pass(len(data), config.batch_size)
        is_open = any(not layer.is_pruned for layer in selectable_layers(model))
        check_top_k([layer for layer in selectable_layers(model) if not layer.is_pruned], stages.top_k)
        share = stages.full + stages.selective
        self.n_search = round(share * self.n_steps) if is_open else 0
        self.fitted, self.held_out = self._divide()
        self.optimizer = self._make_optimizer()
        self._order: tuple[int, int, Tensor] | None = None
        every = max(1, self.n_steps // N_ROWS)
        self.loop = Loop(
            self,
            self.n_steps,
            checkpoint=checkpoint,
            checkpoint_every=every,
            log_every=every,
            track=track,
            log=log,
        )

    def fit(self) -> None:
        """Train to the last step.

        Raises:
            FloatingPointError: if the loss is not finite; the last checkpoint is kept.
        """
        self.model.train()
        if self.n_search == 0 and not all(layer.is_pruned for layer in selectable_layers(self.model)):
            self._prune()
        self.loop.run()
        self.model.eval()

    # ---- what the loop calls

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step's batch."""
        self._set_lr(step)
        is_search = step < self.n_search
        stage = "fine-tuning"
        if is_search:
            generator = step_generator(self.config.seed, step)
            # The stages end where the search does, whatever rounding made of their lengths.
            progress = min(step / self.n_steps, math.nextafter(self.stages.full + self.stages.selective, 0) - 1e-6)
            stage = self.schedule.step(self.model, max(0.0, progress), generator).stage
        self.optimizer.zero_grad(set_to_none=True)
        logits = logits_of(self.model) if stage == "selective" and self.held_out is not None else []
        x, y = self._batch(self.fitted if is_search else self.data, step, ORDER)
        loss = self.loss(self.model(x), y)
        if not logits or self.held_out is None:
            loss.backward()
            return {"loss": loss}
        own = {id(one) for one in logits}
        loss.backward(inputs=[one for one in self.model.parameters() if id(one) not in own])
        x, y = self._batch(self.held_out, step, HELD_OUT)
        self.loss(self.model(x), y).backward(inputs=logits)
        return {"loss": loss}

    def update(self) -> None:
        """Update the parameters; after the last step of the search, prune."""
        self.optimizer.step()
        if self.n_search and self.loop.done + 1 == self.n_search:
            self._prune()

    @torch.no_grad()
    def row(self, losses: dict[str, float]) -> Row:
        """A row of the history."""
        row = {**losses, "lr": self.lr}
        if self.validation is not None:
            row["validation_loss"] = self.error(self.validation)
        for number, layer in enumerate(selectable_layers(self.model), 1):
            for name, weights in zip(layer.names, layer.selection(), strict=True):
                row[f"layer{number}_{name}"] = float(weights.mean())
        return row

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "selection": self.selection,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; a network that had been pruned is pruned likewise.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: if it is of another training.
        """
        self.model.load_state_dict(state["model"])
        self.optimizer = self._make_optimizer()
        self.optimizer.load_state_dict(state["optimizer"])
        self.selection = list(state["selection"])

    # ---- how it is done

    @torch.no_grad()
    def error(self, data: Samples) -> float:
        """The mean loss of samples, in evaluation mode."""
        was_training = self.model.training
        self.model.eval()
        data = data.to(next(self.model.parameters()).device)
        total = sum(
            float(self.loss(self.model(x), y)) * len(x)
            for x, y in zip(data.x.split(self.config.batch_size), data.y.split(self.config.batch_size), strict=True)
        )
        self.model.train(was_training)
        return total / len(data)

    def _divide(self) -> tuple[Samples, Samples | None]:
        """What coefficients are trained on until pruning, and what logits are."""
        split = self.stages.selection_split
        if not self.n_search or not split or len(self.data) < FEWEST:
            return self.data, None
        return self.data.split(split, self.config.seed)

    def _make_optimizer(self) -> torch.optim.Optimizer:
        groups = parameter_groups(self.model, self.config.lr, self.stages, self.config.weight_decay)
        for group in groups:
            group["first_lr"] = group["lr"]
        return torch.optim.AdamW(groups, fused=True)

    def _prune(self) -> None:
        """Prune what is not yet, and begin with a fresh optimizer."""
        layers = [layer for layer in selectable_layers(self.model) if not layer.is_pruned]
        self.selection = [layer.selection() for layer in layers] or self.selection
        prune_layers(layers, self.stages.top_k)
        self.optimizer = self._make_optimizer()

    def _set_lr(self, step: int) -> None:
        """A cosine over the search, and another over what follows."""
        first, last = (0, self.n_search) if step < self.n_search else (self.n_search, self.n_steps)
        done = (step - first) / max(1, last - first)
        factor = LAST_LR + (1 - LAST_LR) * 0.5 * (1 + math.cos(math.pi * done))
        self.lr = self.config.lr * factor
        for group in self.optimizer.param_groups:
            group["lr"] = group["first_lr"] * factor

    def _batch(self, data: Samples, step: int, stream: int) -> tuple[Tensor, Tensor]:
        """What a step takes of some samples: a function of its number and the seed."""
        size = self.config.batch_size
        if size >= len(data):
            return data.x, data.y
        if stream == HELD_OUT:
            index = torch.randint(len(data), (size,), generator=step_generator(self.config.seed + HELD_OUT, step))
            index = index.to(data.x.device)
            return data.x[index], data.y[index]
        number, place = divmod(step, _per_pass(len(data), size))
        if self._order is None or self._order[:2] != (number, len(data)):
            generator = step_generator(self.config.seed + ORDER, number)
            self._order = (number, len(data), torch.randperm(len(data), generator=generator).to(data.x.device))
        index = self._order[2][place * size : (place + 1) * size]
        return data.x[index], data.y[index]


def _squared(predicted: Tensor, target: Tensor) -> Tensor:
    """The mean squared error; PyTorch's own would compare every output with every target where shapes differ."""
    if predicted.shape != target.shape:
        raise ValueError(
            f"the network gives outputs of shape {tuple(predicted.shape)} for targets of shape {tuple(target.shape)}"
        )
    return mse_loss(predicted, target)


def _per_pass(n: int, batch_size: int) -> int:
    """Steps of a pass; what does not fill a batch is left out of it."""
    return max(1, n // batch_size)


def fit(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    config: TrainConfig = TrainConfig(),  # noqa: B008 - immutable
    stages: StageConfig = StageConfig(),  # noqa: B008 - immutable
    *,
    validation: tuple[Tensor, Tensor] | None = None,
    loss: Loss | None = None,
) -> list[Row]:
    """Train a network through the three stages, in place.

    Args:
        model: Any module with layers that choose; one without is trained without stages.
        x: Samples, (n, ...).
        y: Targets, (n) or (n, outputs); or classes, whole numbers.
        config: Optimizer and schedule.
        stages: Lengths of the stages, and how families are chosen.
        validation: Samples and targets whose loss is in the history.
        loss: Of outputs and targets; by default the mean squared error, or cross-entropy for classes.

    Returns:
        The history: losses, the learning rate, and the mean weight of each family in each layer.

    Raises:
        ValueError: if there is not one target for each sample, a number is not finite, or outputs and targets have
            different shapes.
        FloatingPointError: if the training diverges.
    """
    rows: list[Row] = []
    held_out = None if validation is None else Samples(*validation)
    Trainer(model, Samples(x, y), config, stages=stages, validation=held_out, loss=loss, log=rows.append).fit()
    return rows
