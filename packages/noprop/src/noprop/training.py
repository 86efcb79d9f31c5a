"""Training: all blocks of discrete time at once, one after the other or a single one; and models with one loss.

Batches depend on the seed and the epoch, and the noise of a block on the seed, the block and the step: so a block gets
the same weights in whatever order, process or company it is trained.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from separata.labeled import LabeledDataset
from separata.loop import Loop, Track, step_generator
from separata.training import accuracy

from .baselines.adjoint import AdjointClassifier
from .baselines.unrolled import BackpropUnrolled
from .configs import TrainConfig
from .continuous import TimedModel
from .discrete import NoPropDT
from .model import NoPropModel, squared_error
from .stacked import StackedBlocks

Row = dict[str, float]
STREAMS = 4099
"""Streams of random numbers of a seed: batches, the head, and each block."""
BATCHES, HEAD = 0, 1


class _Batches:
    """Shuffled batches of full size, by the number of a step."""

    def __init__(self, data: LabeledDataset, config: TrainConfig) -> None:
        self.data, self.config = data, config
        self.size = min(config.batch_size, len(data))
        self.per_epoch = len(data) // self.size
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.long)

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            order = torch.randperm(len(self.data), generator=self.generator(BATCHES, epoch))
            self._epoch, self._order = epoch, order.to(self.data.y.device)
        index = self._order[place * self.size : (place + 1) * self.size]
        x = self.data.x[index]
        return x.to(memory_format=torch.channels_last) if x.ndim == 4 else x, self.data.y[index]

    def generator(self, stream: int, step: int) -> torch.Generator:
        return step_generator(self.config.seed * STREAMS + stream, step)

    def of_block(self, t: int, step: int) -> torch.Generator:
        """The noise of block t, or of the head for t = 0."""
        return self.generator(HEAD + t, step)


class _Base:
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
        self.batches = _Batches(data.to(device), config)
        self.validation = None if validation is None else validation.to(device)
        # Convolutions and pooling are fastest so, above all on a CPU.
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # one of its forms
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
        self._finish()
        self.model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
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
        self._finish()
        self.model.eval()
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
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])


class Trainer(_Base):
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


class BlockwiseTrainer(_Base):
    """Trains the blocks of a `NoPropDT`, each by its own loss.

    With the order `parallel`, all blocks are one batched computation (`StackedBlocks`) in each step. With `sequential`
    and `random`, each epoch trains one block after the other, as in the paper's Algorithm 1. All three give the same
    weights up to rounding, unless the blocks share an embedding that is learned: that one is then updated once in a
    step, or with each block.

    Attributes:
        groups: Of the order `parallel`: numbers of blocks and their stacks, as many as `blocks_at_once` says.
    """

    model: NoPropDT

    def _prepare(self) -> None:
        model = self.model
        shared = [*model.head.parameters(), *model.embedding.parameters()]
        self._shared = self._optimizer(shared)
        self.is_parallel = self.config.order == "parallel"
        self.groups: list[tuple[list[int], StackedBlocks]] = []
        if self.is_parallel:
            numbers = list(range(1, model.n_steps + 1))
            size = self.config.blocks_at_once or model.n_steps
            for start in range(0, model.n_steps, size):
                group = numbers[start : start + size]
                self.groups.append((group, StackedBlocks([model.blocks[t - 1] for t in group])))
            stacked = [one for _, group in self.groups for one in group.parameters()]
            self._blocks = {"blocks": self._optimizer(stacked)}
        else:
            of_blocks = {f"block {t}": [*one.parameters()] for t, one in enumerate(model.blocks, 1)}
            self._blocks = {name: self._optimizer(parameters) for name, parameters in of_blocks.items()}
        self._due: list[torch.optim.Optimizer] = []

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """That of head and embedding, and those of the blocks: one for a stack, or one for each."""
        named = {"shared": self._shared, **self._blocks}
        return {name: one for name, one in named.items() if one is not None}

    @property
    def _units(self) -> int:
        """Parts of a sequential epoch: the blocks, and the head where it has steps of its own."""
        return self.model.n_steps + (0 if self.model.embedding.is_learned else 1)

    def _per_epoch(self) -> int:
        return self.batches.per_epoch * (1 if self.config.order == "parallel" else self._units)

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step, for the loop."""
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        if self.is_parallel:
            self._due = list(self.optimizers.values())
            return self._of_all(step)
        return self._of_unit(*self._unit(step))

    def _of_all(self, step: int) -> dict[str, Tensor]:
        total = self._head(step, self.batches(step)[1])
        for loss in self.losses(step):
            loss.backward()
            total = total + loss.detach()
        return {"loss": total}

    def losses(self, step: int) -> Iterator[Tensor]:
        """The loss of each group of blocks in a step; one group where all blocks are computed at once."""
        x, y = self.batches(step)
        for numbers, group in self.groups:
            yield stacked_loss(self.model, numbers, group, x, y, [self.batches.of_block(t, step) for t in numbers])

    def _head(self, step: int, y: Tensor) -> Tensor:
        loss = self.model.head_loss(y, self.batches.of_block(0, step))
        loss.backward()
        return loss.detach()

    def _unit(self, step: int) -> tuple[int, int]:
        """The block of a step of a sequential training, 0 for the head, and the number of its batch."""
        epoch, rest = divmod(step, self._per_epoch())
        place, batch = divmod(rest, self.batches.per_epoch)
        order = list(range(self.model.n_steps + 1 - self._units, self.model.n_steps + 1))
        if self.config.order == "random":
            chosen = torch.randperm(len(order), generator=self.batches.generator(STREAMS - 1, epoch)).tolist()
            order = [order[i] for i in chosen]
        return order[place], epoch * self.batches.per_epoch + batch

    def _of_unit(self, t: int, batch: int) -> dict[str, Tensor]:
        x, y = self.batches(batch)
        is_joint = self.model.embedding.is_learned
        names = ["shared"] * (is_joint or t == 0) + [f"block {t}"] * (t > 0)
        self._due = [one for name, one in self.optimizers.items() if name in names]
        total = self._head(batch, y) if is_joint or t == 0 else torch.zeros((), device=y.device)
        if t:
            loss = self.model.block_loss(t, x, y, self.batches.of_block(t, batch))
            loss.backward()
            total = total + loss.detach()
        return {"loss": total}

    def update(self) -> None:
        """Update the weights, for the loop."""
        for optimizer in self._due:
            optimizer.step()

    def _finish(self) -> None:
        for _, group in self.groups:
            group.write_back()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict(state)
        for _, group in self.groups:
            group.read()


class SingleBlockTrainer(_Base):
    """Trains one block of a `NoPropDT`, and its head, and touches no other block.

    Args:
        model: The model, with an embedding that is not learned.
        data: What it is trained on.
        config: Optimizer and schedule.
        t: The block, 1 to T.
        options: As those of the other trainers.

    Raises:
        ValueError: if there is no such block, or the embedding is learned, which the blocks would share.
    """

    model: NoPropDT

    def __init__(self, model: NoPropDT, data: LabeledDataset, config: TrainConfig, t: int, **options: Any) -> None:  # noqa: ANN401 - passed on
        model.schedule.check_step(t)
        if model.embedding.is_learned:
            raise ValueError(
                "blocks that are trained apart cannot share an embedding that is learned; "
                "take the one-hot one, or freeze it"
            )
        self.t = t
        super().__init__(model, data, config, **options)

    def _prepare(self) -> None:
        self._optimizers = {
            "shared": self._optimizer([*self.model.head.parameters()]),
            "block": self._optimizer([*self.model.blocks[self.t - 1].parameters()]),
        }

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Those of the head and of the block."""
        return {name: one for name, one in self._optimizers.items() if one is not None}

    @property
    def part(self) -> nn.ModuleDict:
        """What is trained."""
        return nn.ModuleDict({"block": self.model.blocks[self.t - 1], "head": self.model.head})

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step, for the loop."""
        x, y = self.batches(step)
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        self.model.head_loss(y, self.batches.of_block(0, step)).backward()
        loss = self.model.block_loss(self.t, x, y, self.batches.of_block(self.t, step))
        loss.backward()
        return {"loss": loss}

    def update(self) -> None:
        """Update the weights, for the loop."""
        for optimizer in self.optimizers.values():
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        return {**super().state_dict(), "model": self.part.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.part.load_state_dict(state["model"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])


def stacked_loss(
    model: NoPropDT,
    numbers: Sequence[int],
    group: StackedBlocks,
    x: Tensor,
    y: Tensor,
    generators: Sequence[torch.Generator],
) -> Tensor:
    """The sum of `block_loss` over several blocks, as one batched computation.

    Args:
        model: Whose schedule and embedding are used.
        numbers: The blocks, from 1.
        group: Their stack.
        x: Samples.
        y: Their classes.
        generators: One for each block, which draws its states.
    """
    z = torch.stack([model.noisy_labels(t - 1, y, g) for t, g in zip(numbers, generators, strict=True)])
    errors = squared_error(model.embedding.mean(group(x, z)), model.embedding(y)).mean(1)
    return (errors * errors.new_tensor([model.loss_weight(t) for t in numbers])).sum()


def inner_model(model: nn.Module) -> NoPropModel | None:
    """The model itself, also where it is trained by a baseline's rule; None of any other network."""
    if isinstance(model, BackpropUnrolled | AdjointClassifier):
        return model.model
    return model if isinstance(model, NoPropModel) else None


def make_trainer(model: nn.Module, data: LabeledDataset, config: TrainConfig, **options: Any) -> _Base:  # noqa: ANN401
    """The trainer for a model: block by block for `NoPropDT`, by its loss for any other.

    Args:
        model: The model.
        data: What it is trained on.
        config: Optimizer and schedule.
        options: `checkpoint`, `track`, `log` and `validation` of the trainers.

    Raises:
        ValueError: if labels are out of range, or the checkpoint is that of another training.
    """
    kind = BlockwiseTrainer if isinstance(model, NoPropDT) else Trainer
    return kind(model, data, config, **options)


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
    sampler = "ode-euler" if isinstance(model, AdjointClassifier) else inner.sampler.sampler
    return inner.accuracy(data.x, data.y, inner.with_sampler(sampler=sampler, steps=steps, n_runs=n_runs, seed=seed))
