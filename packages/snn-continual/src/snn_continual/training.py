"""Training a network on a sequence of tasks, which yields the accuracy matrix."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from separata import data, states
from separata.training import accuracy

from .accuracy import AccuracyMatrix, AccuracyReport
from .benchmarks import Task, TaskSequence
from .configs import MethodConfig
from .continual import Dims
from .methods import GPM, HLOP, Memory, Method, make_method
from .networks import ForTask, SpikingNetwork
from .schedule import RehearsalConfig, TrainConfig
from .subspace import DivergenceError

Track = Callable[[Iterable[int], str], Iterable[int]]
"""Wraps a loop to show its progress."""
TEST_BATCH = 128
"""Images tested at once; activity over time is large."""
EXPLODED = 10
"""A loss this many times that of guessing is warned about."""
Log = Callable[[dict[str, float]], None]
"""Receives the numbers of each epoch."""


def evaluate(model: SpikingNetwork, sequence: TaskSequence) -> AccuracyReport:
    """Test a network on every task of a sequence."""
    device = next(model.parameters()).device
    return AccuracyReport(
        tuple(
            accuracy_on(model, sequence[index].to(device), None if sequence.shares_head else index)
            for index in range(len(sequence))
        )
    )


def accuracy_on(model: SpikingNetwork, task: Task, head: int | None) -> float:
    """Accuracy on a task's test images."""
    return accuracy(ForTask(model, head), task.test_images, task.test_labels, batch_size=TEST_BATCH)


@contextmanager
def _telling_when(index: int, epoch: int) -> Iterator[None]:
    """Add to a divergence the epoch and task that it happened in, and the remedy."""
    try:
        yield
    except DivergenceError as error:
        raise DivergenceError(
            f"training diverged in epoch {epoch + 1} of task {index + 1}: {error}; lower the learning rate"
        ) from None


class Trainer:
    """Trains a network on one task after the other.

    Args:
        model: The network; it stays on its device.
        sequence: The tasks.
        config: How each task is trained.
        method: The method.
        rehearsal: Training on a memory after each task; None for none.
        seed: Seed of the order of the images.
        checkpoint: File written after each task; if it exists, training continues from it.
        track: Shows progress over epochs.
        log: Takes the numbers of each epoch.
    """

    def __init__(
        self,
        model: SpikingNetwork,
        sequence: TaskSequence,
        config: TrainConfig,
        method: Method,
        *,
        rehearsal: RehearsalConfig | None = None,
        seed: int = 0,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Log | None = None,
    ) -> None:
        self.model, self.sequence, self.config, self.method = model, sequence, config, method
        self.rehearsal, self.seed, self.checkpoint = rehearsal, seed, checkpoint
        self.track: Track = track or (lambda items, _: items)
        self.log: Log = log or (lambda _: None)
        self.memory = Memory(rehearsal.per_class) if rehearsal else None
        self.device = next(model.parameters()).device
        self._has_warned = False

    def head(self, index: int) -> int | None:
        """The head of a task; None where all share one."""
        return None if self.sequence.shares_head else index

    def fit(self) -> AccuracyMatrix:
        """Train on all tasks in turn, testing on those seen so far after each."""
        n = len(self.sequence)
        matrix = np.full((n, n), math.nan)
        done = self._restore(matrix)
        for index in range(done, n):
            task = self.sequence[index].to(self.device)
            self.learn(index, task)
            if self.memory and index:
                self._rehearse(index)
            for j in range(index + 1):
                seen = self.sequence[j].to(self.device) if j < index else task
                matrix[index, j] = accuracy_on(self.model, seen, self.head(j))
            self._save(matrix, index + 1)
        return AccuracyMatrix(matrix)

    def learn(self, index: int, task: Task) -> None:
        """Train on one task."""
        self.method.begin_task(index)
        later = self.config.later_lr if index and self.config.later_lr is not None else self.config.lr
        optimizer = self._optimizer(later)
        for epoch in self.track(range(self.config.epochs), f"task {index + 1}/{len(self.sequence)}"):
            for group in optimizer.param_groups:
                group["lr"] = later * self.config.factor(epoch)
            batches = data.batches(
                (task.train_images, task.train_labels), self.config.batch_size, make_generator(self.seed, index, epoch)
            )
            with self._hebbian_learning(epoch), _telling_when(index, epoch):
                losses = [self._step(optimizer, x, y, self.head(index)) for x, y in batches]
                self._log(index, epoch, losses)
        if self.memory is not None:
            self.memory.add(task.train_images, task.train_labels)
        with _telling_when(index, self.config.epochs - 1):
            self.method.end_task(index, task.train_images, task.train_labels, self.head(index))

    def _hebbian_learning(self, epoch: int) -> AbstractContextManager[None]:
        """Whether subspaces learn in this epoch."""
        if isinstance(self.method, HLOP) and epoch < self.config.hebbian_start:
            return self.method.learner.not_learning()
        return nullcontext()

    def _log(self, index: int, epoch: int, losses: list[Tensor]) -> None:
        loss = torch.stack(losses).mean().item()
        if not math.isfinite(loss) or not all(torch.isfinite(p).all() for p in self.model.parameters()):
            raise DivergenceError("the loss or a weight is NaN or infinite")
        chance = math.log(max(2, self.sequence.n_classes))
        if loss > EXPLODED * chance and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"the loss exploded: {loss:.3g} in epoch {epoch + 1} of task {index + 1}, where guessing has "
                f"{chance:.2f}; lower the learning rate",
                stacklevel=2,
            )
        self.log({"task": index, "epoch": epoch, "loss": loss})

    def _optimizer(self, lr: float) -> torch.optim.SGD:
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.SGD(parameters, lr=lr, momentum=self.config.momentum)
        self.method.guard(optimizer)
        return optimizer

    def _step(self, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, head: int | None) -> Tensor:
        self.model.train()
        optimizer.zero_grad()
        loss = self.model.loss(x, y, head)
        loss.backward()
        self.method.adjust_gradients()
        optimizer.step()
        return loss.detach()

    def _rehearse(self, index: int) -> None:
        """Train on the memory of all tasks together, as the paper does: no projection, no penalty."""
        assert self.rehearsal is not None  # noqa: S101 - for the type checker
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.SGD(parameters, lr=self.rehearsal.lr, momentum=self.config.momentum)
        for layer in self._projecting_layers():
            layer.is_projecting = False
        for epoch in range(self.rehearsal.epochs):
            for parts in self._memory_batches(index, epoch):
                self.model.train()
                optimizer.zero_grad()
                for x, y, head in parts:
                    (self.model.loss(x, y, head) / len(parts)).backward()
                optimizer.step()
        for layer in self._projecting_layers():
            layer.is_projecting = True

    def _memory_batches(self, index: int, epoch: int) -> Iterator[list[tuple[Tensor, Tensor, int | None]]]:
        """Batches of the memory, in one part per task; in a single part where that has the same mean loss."""
        assert self.rehearsal is not None  # noqa: S101 - for the type checker
        assert self.memory is not None  # noqa: S101 - for the type checker
        streams = [
            data.batches(pair, self.rehearsal.batch_size, make_generator(self.seed, index, epoch, j + 1))
            for j, pair in enumerate(zip(self.memory.images, self.memory.labels, strict=True))
        ]
        for parts in zip(*streams, strict=False):
            if self.sequence.shares_head and len({len(y) for _, y in parts}) == 1:
                images, labels = zip(*parts, strict=True)
                yield [(torch.cat(images), torch.cat(labels), None)]
            else:
                yield [(x, y, self.head(j)) for j, (x, y) in enumerate(parts)]

    def _projecting_layers(self) -> list[Any]:
        return self.method.learner.layers if isinstance(self.method, (HLOP, GPM)) else []

    def fit_jointly(self) -> AccuracyMatrix:
        """Train on all tasks at once, with as many steps as in sequence: a reference without forgetting."""
        n = len(self.sequence)
        tasks = [self.sequence[index] for index in range(n)]
        optimizer = self._optimizer(self.config.lr)
        for epoch in self.track(range(self.config.epochs), "all tasks"):
            for group in optimizer.param_groups:
                group["lr"] = self.config.lr * self.config.factor(epoch)
            with _telling_when(n - 1, epoch):
                losses = [self._step(optimizer, x, y, head) for x, y, head in self._joint_batches(tasks, epoch)]
                self._log(n - 1, epoch, losses)
        matrix = np.full((n, n), math.nan)
        matrix[-1] = [accuracy_on(self.model, task.to(self.device), self.head(j)) for j, task in enumerate(tasks)]
        return AccuracyMatrix(matrix)

    def _joint_batches(self, tasks: list[Task], epoch: int) -> Iterable[tuple[Tensor, Tensor, int | None]]:
        """Batches that mix all tasks; where each has its own head, batches of single tasks in random order."""
        size = self.config.batch_size
        if self.sequence.shares_head:
            x, y = (
                torch.cat([getattr(task, key) for task in tasks]).to(self.device)
                for key in ("train_images", "train_labels")
            )
            yield from ((a, b, None) for a, b in data.batches((x, y), size, make_generator(self.seed, epoch)))
            return
        streams = [
            iter(
                data.batches(
                    (t.train_images.to(self.device), t.train_labels.to(self.device)),
                    size,
                    make_generator(self.seed, j, epoch),
                )
            )
            for j, t in enumerate(tasks)
        ]
        counts = torch.tensor(
            [j for j, task in enumerate(tasks) for _ in range(math.ceil(len(task.train_labels) / size))]
        )
        for j in counts[torch.randperm(len(counts), generator=make_generator(self.seed, epoch))].tolist():
            yield *next(streams[j]), j

    def _save(self, matrix: np.ndarray, n_done: int) -> None:
        if self.checkpoint is not None:
            kept = {"memory": self.memory.state()} if self.memory is not None else {}
            state = {"model": self.model.state_dict(), "method": self.method.state(), **kept}
            states.save(self.checkpoint, {**state, "matrix": matrix, "n_done": n_done})

    def _restore(self, matrix: np.ndarray) -> int:
        """Load the checkpoint, if there is one, and return the number of tasks learned so far."""
        if self.checkpoint is None or not self.checkpoint.is_file():
            return 0
        state = states.load(self.checkpoint)
        try:
            matrix[:] = state["matrix"]
            self.model.load_state_dict(state["model"])
            self.method.restore(state["method"])
            if self.memory is not None:
                self.memory.restore(state["memory"], self.device)
        except (KeyError, TypeError, ValueError, RuntimeError):
            raise ValueError(f"{self.checkpoint} is not the checkpoint of this training") from None
        self.method.resume(state["n_done"])
        return int(state["n_done"])


def make_generator(*numbers: int) -> torch.Generator:
    """A random generator for a tuple of small numbers; different tuples give different streams."""
    seed = 0
    for number in numbers:
        seed = seed * 1_000_003 + number + 1
    return torch.Generator().manual_seed(seed % 2**63)


def train(
    model: SpikingNetwork,
    sequence: TaskSequence,
    config: TrainConfig = TrainConfig(),  # noqa: B008 - immutable
    *,
    learner: MethodConfig = MethodConfig(),  # noqa: B008 - immutable
    dims: Callable[[int], Dims] = lambda _: 0.1,
    rehearsal: RehearsalConfig | None = None,
    seed: int = 0,
    checkpoint: Path | None = None,
    track: Track | None = None,
    log: Log | None = None,
) -> AccuracyMatrix:
    """Train a spiking network on a sequence of tasks and test it on all of them.

    Args:
        model: The network, such as `SpikingMLP()`; it is trained in place.
        sequence: The tasks, such as `make_permuted_mnist()`.
        config: How each task is trained.
        learner: How tasks are learned one after the other.
        dims: Maps the number of a task to the dimensions that each HLOP layer gains.
        rehearsal: Training on a memory after each task; `replay` has it by default, and any method can.
        seed: Seed of the order of the images and of the method's randomness.
        checkpoint: File written after each task; if it exists, training continues from it.
        track: Shows progress over epochs.
        log: Takes the numbers of each epoch.

    Returns:
        The accuracy matrix; with `joint`, only its last row is measured.

    Raises:
        DivergenceError: if the loss or a weight is no longer finite.
        ValueError: if the sequence is empty, or the method refuses the options.

    Warns:
        UserWarning: if the loss exploded.
    """
    if not len(sequence):
        raise ValueError("there is no task to learn: the sequence is empty")
    rehearsal = rehearsal or (RehearsalConfig() if learner.method == "replay" else None)
    method = make_method(learner, model, dims, seed)
    trainer = Trainer(
        model, sequence, config, method, rehearsal=rehearsal, seed=seed, checkpoint=checkpoint, track=track, log=log
    )
    return trainer.fit_jointly() if learner.method == "joint" else trainer.fit()
