"""Training of blocks: all at once, one after the other, or a single one (the paper's Algorithm 1)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from noprop.configs import TrainConfig
from noprop.discrete import NoPropDT
from noprop.model import squared_error
from separata.labeled import LabeledDataset

from .batches import STREAMS
from .stacked import StackedBlocks
from .trainer import BaseTrainer, Trainer


class BlockwiseTrainer(BaseTrainer):
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
        # Each block's loss is the whole objective's with one term of T: the blocks' sum goes with T times the head's.
        total = self._head(step, self.batches(step)[1], self.model.n_steps if self.model.embedding.is_learned else 1)
        for loss in self.losses(step):
            loss.backward()
            total = total + loss.detach()
        return {"loss": total}

    def losses(self, step: int) -> Iterator[Tensor]:
        """The loss of each group of blocks in a step; one group where all blocks are computed at once."""
        x, y = self.batches(step)
        for numbers, group in self.groups:
            yield stacked_loss(self.model, numbers, group, x, y, [self.batches.of_block(t, step) for t in numbers])

    def _head(self, step: int, y: Tensor, weight: int = 1) -> Tensor:
        loss = weight * self.model.head_loss(y, self.batches.of_block(0, step))
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


class SingleBlockTrainer(BaseTrainer):
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
        """What is trained, with the embedding that it is trained for."""
        return block_part(self.model, self.t)

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
        self._load_optimizers(state["optimizers"])


def block_part(model: NoPropDT, t: int) -> nn.ModuleDict:
    """What a block that is trained apart leaves: itself, the head, and an embedding other than the one-hot one.

    Raises:
        ValueError: if there is no such block.
    """
    model.schedule.check_step(t)
    parts: dict[str, nn.Module] = {"block": model.blocks[t - 1], "head": model.head}
    return nn.ModuleDict(parts if model.embedding.kind == "one-hot" else {**parts, "embedding": model.embedding})


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


def make_trainer(model: nn.Module, data: LabeledDataset, config: TrainConfig, **options: Any) -> BaseTrainer:  # noqa: ANN401
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
