"""A training step by step: its history and checkpoints; after an interruption it goes on as if there were none."""

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from . import states

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Track = Callable[[Iterable[int], str], Iterable[int]]


def step_generator(seed: int, step: int) -> torch.Generator:
    """A generator on the CPU for the randomness of a step, which depends on nothing but the seed and the step."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**63)


@runtime_checkable
class Training(Protocol):
    """What a loop trains. For exact resumption, `gradients` draws its randomness from the step's number."""

    def gradients(self, step: int) -> Mapping[str, Tensor]:
        """Leave the gradients of a step where the optimizer finds them; its losses by name, still on the device."""

    def update(self) -> None:
        """Update the weights with these gradients. Nothing but this changes what `state_dict` holds."""

    def row(self, losses: dict[str, float]) -> dict[str, float]:
        """A row of the history: the losses, and what else there is to say, such as the learning rate."""

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from; `separata.states` says what it may hold."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; its tensors are on the CPU."""


class Loop:
    """The steps of a training, from the checkpoint on if there is one.

        loop = Loop(training, 1_000, checkpoint=folder.checkpoint, track=reporter.track, log=folder.history.add)
        loop.run()

    Args:
        training: What is trained.
        n_steps: Steps in all.
        checkpoint: File of the progress; the training goes on from it if it exists.
        checkpoint_every: Steps between checkpoints; there is one after the last step, too.
        log_every: Steps between rows of the history; there is one after the last step, too.
        track: Shows progress over steps, as `Reporter.track` and `Run.track` do.
        log: Called with each row of the history: "step" (steps done), and what `training.row` makes of the mean of each
            loss since the last row.
        fabric: Launched, if several processes train: losses are averaged over them, and the first one logs and saves.

    Attributes:
        done: Steps done.

    Raises:
        ValueError: if the checkpoint is of another training, or damaged.
    """

    def __init__(
        self,
        training: Training,
        n_steps: int,
        *,
        checkpoint: Path | None = None,
        checkpoint_every: int = 500,
        log_every: int = 50,
        track: Track | None = None,
        log: Callable[[dict[str, float]], None] | None = None,
        fabric: "Fabric | None" = None,
    ) -> None:
        self.training, self.n_steps, self.checkpoint = training, n_steps, checkpoint
        self.checkpoint_every, self.log_every = checkpoint_every, log_every
        self.track, self.log, self.fabric = track, log, fabric
        self.done = 0
        self._losses: dict[str, list[Tensor]] = {}
        self._is_between_steps = True
        self._restore()

    def run(self) -> None:
        """Train until the last step.

        Raises:
            FloatingPointError: if a loss is not finite; the last checkpoint is kept.
            KeyboardInterrupt: after the progress is saved, unless an update of the weights was interrupted.
        """
        steps: Iterable[int] = range(self.done, self.n_steps)
        try:
            for step in self.track(steps, "steps") if self.track else steps:
                self._step(step)
                if self._is_due(self.checkpoint_every):
                    self.save()
        except KeyboardInterrupt:
            # In the middle of an update, weights, counts and history belong to different steps.
            if self._is_between_steps:
                self.save()
            raise

    def _is_due(self, every: int) -> bool:
        return self.done % every == 0 or self.done == self.n_steps

    def _step(self, step: int) -> None:
        losses = self.training.gradients(step)
        self._is_between_steps = False
        self.training.update()
        self.done = step + 1
        for name, value in losses.items():
            self._losses.setdefault(name, []).append(value.detach())
        if self._is_due(self.log_every):
            self._report()
        self._is_between_steps = True

    def _report(self) -> None:
        means = {name: self._mean(values) for name, values in self._losses.items()}
        self._losses = {}
        if not all(math.isfinite(value) for value in means.values()):
            raise FloatingPointError(
                f"training diverged: the loss is not finite before step {self.done}; lower the learning rate"
            )
        row = {"step": self.done, **self.training.row(means)}
        if self.log and self._is_first:
            self.log(row)

    def _mean(self, values: list[Tensor]) -> float:
        """Over steps and processes; what comes from a checkpoint is on the CPU."""
        mean = torch.stack([value.to(values[-1].device) for value in values]).mean()
        if self.fabric is not None and self.fabric.world_size > 1:
            mean = torch.as_tensor(self.fabric.all_reduce(mean, reduce_op="mean"))
        return float(mean)

    @property
    def _is_first(self) -> bool:
        return self.fabric is None or self.fabric.global_rank == 0

    def save(self) -> None:
        """Write the progress to the checkpoint, if there is to be one."""
        if self.checkpoint is not None and self._is_first:
            state = {"training": self.training.state_dict(), "losses": self._losses, "done": self.done}
            states.save(self.checkpoint, state)

    def _restore(self) -> None:
        if self.checkpoint is None or not self.checkpoint.is_file():
            return
        state = states.load(self.checkpoint)
        try:
            self.training.load_state_dict(state["training"])
            self.done, self._losses = int(state["done"]), dict(state["losses"])
        except (KeyError, ValueError, RuntimeError, TypeError):
            raise ValueError(f"{self.checkpoint} is not the checkpoint of this training") from None
