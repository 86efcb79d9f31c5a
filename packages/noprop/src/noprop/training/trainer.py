"""What all trainers share, and the trainer of models with one loss."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from noprop.baselines.adjoint import AdjointClassifier
from noprop.baselines.unrolled import BackpropUnrolled
from noprop.configs import TrainConfig
from noprop.continuous import TimedModel
from noprop.model import NoPropModel
from separata.labeled import LabeledDataset
from separata.loop import Loop, Track
from separata.training import accuracy

from .batches import Batches

Row = dict[str, float]


class BaseTrainer:
    """What all trainers share.

    Args:
        model: Trained in place, on its device.
        data: What it is trained on.
        config: Optimizer and schedule.
        checkpoint: File of the progress; training goes on from it if it exists.
        track: Shows progress over steps.
        log: Takes a row after each epoch.
        validation: Samples whose accuracy is logged, too; it changes nothing else.
    """

    def __init__(
        self,
        model: nn.Module,
        data: LabeledDataset,
        config: TrainConfig,
        *,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[Row], None] | None = None,
        validation: LabeledDataset | None = None,
    ) -> None:
        device = next(model.parameters()).device
        self.model, self.config = model, config
        if (inner := inner_model(model)) is not None:
            inner.check_labels(data.x, data.y)
        self.batches = Batches(data.to(device), config)
        self.validation = None if validation is None else validation.to(device)
        # Convolutions and pooling are fastest so, above all on a CPU.
        _lay_out(model, torch.channels_last)
        self._prepare()
        self.loop = Loop(
            self,
            self._n_steps(),
            checkpoint=checkpoint,
            checkpoint_every=self._per_epoch(),
            log_every=self._per_epoch(),
            track=track,
            log=log,
        )

    def _prepare(self) -> None:
        """Make the optimizers."""
        raise NotImplementedError

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step, for the loop."""
        raise NotImplementedError

    def update(self) -> None:
        """Update the weights, for the loop."""
        raise NotImplementedError

    def _per_epoch(self) -> int:
        return self.batches.per_epoch

    def _n_steps(self) -> int:
        return self.config.epochs * self._per_epoch()

    def _optimizer(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer | None:
        trained = [one for one in parameters if one.requires_grad]
        if not trained:
            return None
        return torch.optim.AdamW(trained, self.config.lr, weight_decay=self.config.weight_decay, fused=True)

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The optimizers by name."""
        raise NotImplementedError

    def fit(self) -> None:
        """Train to the last step, and leave the model in evaluation mode.

        Raises:
            FloatingPointError: if the loss is not finite; the last checkpoint is kept.
        """
        self.model.train()
        self.loop.run()
        self._end()

    def _end(self) -> None:
        """Leave the model up to date, in the usual layout and in evaluation mode."""
        self._finish()
        _lay_out(self.model, torch.contiguous_format)
        self.model.eval()

    def fit_for(self, seconds: float, clock: Callable[[], float]) -> int:
        """Train for a time instead of a number of steps, for comparisons at equal cost; without a history.

        Args:
            seconds: How long, by the clock; at least one step is done.
            clock: Tells the seconds, such as `time.perf_counter`.

        Returns:
            Steps done.
        """
        self.model.train()
        end, step = clock() + seconds, 0
        while step == 0 or clock() < end:
            self.gradients(step)
            self.update()
            step += 1
        self._end()
        return step

    def _finish(self) -> None:
        """Bring the model up to date."""

    def row(self, losses: Row) -> Row:
        """A row of the history, for the loop."""
        row: Row = {"epoch": -(-self.loop.done // self._per_epoch()), **losses}
        if self.validation is not None:
            self._finish()
            row["validation_accuracy"] = evaluate(self.model, self.validation, steps=self.config.steps)
            self.model.train()
        return row

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        self._finish()
        states = {name: one.state_dict() for name, one in self.optimizers.items()}
        return {"model": self.model.state_dict(), "optimizers": states}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: if it is of another training.
        """
        self.model.load_state_dict(state["model"])
        self._load_optimizers(state["optimizers"])

    def _load_optimizers(self, states: Mapping[str, Any]) -> None:
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(states[name])
            # A fused step goes through memory in its order, so moments must lie there as their parameters do.
            for parameter, values in optimizer.state.items():
                for key, value in values.items():
                    if value.shape == parameter.shape:
                        values[key] = torch.empty_like(parameter).copy_(value)


class Trainer(BaseTrainer):
    """Trains a model with one loss: a `NoPropCT`, a `NoPropFM`, a baseline, or your own with `loss(x, y, generator)`.

    By Adam for models of continuous time and by AdamW for others, as published.
    """

    def _prepare(self) -> None:
        kind = torch.optim.Adam if isinstance(inner_model(self.model), TimedModel) else torch.optim.AdamW
        trained = [one for one in self.model.parameters() if one.requires_grad]
        self.optimizer = kind(trained, self.config.lr, weight_decay=self.config.weight_decay, fused=True)

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The optimizer."""
        return {"all": self.optimizer}

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step, for the loop."""
        x, y = self.batches(step)
        self.optimizer.zero_grad()
        loss: Tensor = self.model.loss(x, y, self.batches.of_block(0, step))  # type: ignore[operator] # a method
        loss.backward()
        return {"loss": loss}

    def update(self) -> None:
        """Update the weights, for the loop."""
        self.optimizer.step()


def _lay_out(model: nn.Module, layout: torch.memory_format) -> None:
    """Give the kernels of two-dimensional convolutions a layout; `Module.to` would try those of three, too."""
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=layout)


def inner_model(model: nn.Module) -> NoPropModel | None:
    """The model itself, also where it is trained by a baseline's rule; None of any other network."""
    if isinstance(model, BackpropUnrolled | AdjointClassifier):
        return model.model
    return model if isinstance(model, NoPropModel) else None


def evaluate(model: nn.Module, data: LabeledDataset, *, steps: int = 40, n_runs: int = 1, seed: int = 0) -> float:
    """The accuracy of a model, by its usual sampler; of any other network, by its largest logit.

    Args:
        model: The model, a baseline around it, or a network that gives logits.
        data: Samples and classes; on the model's device.
        steps: Steps of the chain of continuous time.
        n_runs: Runs whose class probabilities are averaged.
        seed: Of the noise.
    """
    inner = inner_model(model)
    if inner is None:
        return accuracy(model, data.x, data.y)
    return inner.accuracy(data.x, data.y, inner.with_sampler(steps=steps, n_runs=n_runs, seed=seed))
