"""Training of a network for every γ, step by step."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from separata.loop import Loop, Track, step_generator
from separata.training import seeded

from .configs import HyperConfig, RunConfig, TrainConfig
from .model import HyperModel, hypernetize
from .tasks import Task

LOG_EVERY = 50


def make_model(task: Task, config: HyperConfig, seed: int = 0) -> HyperModel:
    """The primary network of a task with its hypernetwork.

    Args:
        task: The task.
        config: The hypernetwork.
        seed: Draws the initial weights.

    Raises:
        ValueError: if a setting does not fit.
    """
    with seeded(seed):
        return make_hypermodel(task.make_network(), task.dim, config)


def make_hypermodel(network: nn.Module, dim: int, config: HyperConfig) -> HyperModel:
    """A network with a hypernetwork that predicts all of it from an input gamma.

    Args:
        network: The network; copied.
        dim: Numbers in the input.
        config: The hypernetwork.

    Raises:
        ValueError: if a setting does not fit.
    """
    return hypernetize(
        network,
        inputs={"gamma": (dim,)},
        parametrization=config.parametrization,
        hidden_sizes=config.hidden_sizes,
        activation=config.activation,
        normalization=None if config.normalization == "none" else config.normalization,
        heads=config.heads,
        rank=config.rank,
        initialization=None if config.initialization == "auto" else config.initialization,
        output_bias=config.output_bias,
    )


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer of a setting."""
    parameters = [one for one in model.parameters() if one.requires_grad]
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, config.rate, momentum=config.momentum, fused=True)
    return torch.optim.Adam(parameters, config.rate, fused=True)


class Trainer:
    """Trains a network on a task: each step draws one γ, uniform on [0, 1]^d, for its samples.

    Args:
        model: The network with its hypernetwork; or a plain network, which is trained for all γ alike, or for the one
            that is given.
        task: The task, on the model's device.
        config: Optimizer and schedule.
        gamma: The only γ to train for.
        checkpoint: File of the progress; the training goes on from it if it exists.
        log_every: Steps between rows of the history.
        track: Shows progress over steps.
        log: Called with rows of the history: step and loss.

    Attributes:
        loop: Its steps.

    Raises:
        ValueError: if the checkpoint is that of another training.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        config: TrainConfig,
        *,
        gamma: Float[Tensor, "d"] | None = None,
        checkpoint: Path | None = None,
        log_every: int = LOG_EVERY,
        track: Track | None = None,
        log: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        self.model, self.task, self.config, self.gamma = model, task, config, gamma
        self.optimizer = make_optimizer(model, config)
        self._device = next(model.parameters()).device
        model.train()
        self.loop = Loop(self, config.steps, checkpoint=checkpoint, log_every=log_every, track=track, log=log)

    def fit(self) -> None:
        """Train to the last step, and leave the model in evaluation mode.

        Raises:
            FloatingPointError: if a loss is not finite; the last checkpoint is kept.
        """
        self.loop.run()
        self.model.eval()

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step, for the loop."""
        generator = step_generator(self.config.seed, step)
        batch = self.task.batch(self.config.batch_size, generator)
        gamma = torch.rand(self.task.dim, generator=generator).to(self._device)
        self.optimizer.zero_grad()
        loss = loss_at(self.model, self.task, batch, gamma if self.gamma is None else self.gamma)
        loss.backward()
        return {"loss": loss}

    def update(self) -> None:
        """Update the weights, for the loop."""
        self.optimizer.step()

    def row(self, losses: dict[str, float]) -> dict[str, float]:
        """A row of the history."""
        return losses

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


def loss_at(model: nn.Module, task: Task, batch: tuple[Tensor, ...], gamma: Float[Tensor, "d"]) -> Float[Tensor, ""]:
    """The loss of a batch at one γ, of a network with a hypernetwork or without one."""
    if not isinstance(model, HyperModel):
        return task.loss(model, dict(model.named_parameters()), batch, gamma)
    weights = model.predicted(gamma=gamma)

    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the network's own
        return model.call(weights, *args, **kwargs)

    return task.loss(call, {**dict(model.module.named_parameters()), **weights}, batch, gamma)


def train(task: Task, config: RunConfig, track: Track | None = None) -> HyperModel:
    """Train a new network on a task, in memory.

    Raises:
        ValueError: if a setting does not fit the task.
        FloatingPointError: if the training diverges.
    """
    model = make_model(task, config.hyper, config.train.seed)
    device = task.samples("train")[0].device
    model.to(device)
    Trainer(model, task, config.train, track=track).fit()
    return model
