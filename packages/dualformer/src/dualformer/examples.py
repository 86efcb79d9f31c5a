"""Training examples: records whose traces are dropped anew each time they are drawn."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.utils.data import Dataset

from .dropping import TraceDropper
from .records import Record
from .tokenizer import BOS, CLOSE, CREATE, EOS, TaskTokenizer

IGNORED = -100
"""The label that losses pass over."""


@dataclass(frozen=True)
class Batch:
    """Padded sequences.

    Args:
        prompt: What the encoder reads, (batch, prompt).
        prompt_mask: True where a prompt has a token.
        target: What the decoder reads and writes, (batch, length), from bos to eos.
        target_mask: True where a target has a token.
    """

    prompt: Int[Tensor, "batch prompt"]
    prompt_mask: Bool[Tensor, "batch prompt"]
    target: Int[Tensor, "batch length"]
    target_mask: Bool[Tensor, "batch length"]

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Example:
    """One sequence: the prompt and the target as numbers, and the level at which its trace was dropped."""

    prompt: Sequence[int]
    target: Sequence[int]
    level: int

    def __len__(self) -> int:
        """Tokens of prompt and target."""
        return len(self.prompt) + len(self.target)


class ExampleSource(ABC):
    """What a training draws its examples from."""

    @abstractmethod
    def step(self, step: int, batch_size: int, seed: int) -> list[Example]:
        """The examples of a training step; equal arguments give equal examples."""


class PlanningData(ExampleSource, Dataset[dict[str, Any]]):
    """Records as examples, for this package's trainer, a PyTorch `DataLoader` or Hugging Face's trainers.

    As a map-style data set, an item is `{"input_ids", "labels"}` (lists of numbers, the labels without the leading bos,
    which sequence-to-sequence models add themselves). Call `set_epoch` to drop anew in each epoch.

    Args:
        records: Tasks with traces.
        tokenizer: Their vocabulary.
        dropper: How traces are dropped.
        seed: Random seed of the dropping of items that are indexed.

    Raises:
        ValueError: if a record does not fit the vocabulary.
    """

    def __init__(
        self, records: Sequence[Record], tokenizer: TaskTokenizer, dropper: TraceDropper, *, seed: int = 0
    ) -> None:
        for record in records:
            tokenizer.check(record.task)
        small = np.int16 if len(tokenizer.vocab) < 2**15 else np.int32
        self.rows = [
            tuple(np.array(tokenizer.encode(part), small) for part in (one.prompt, one.reasoning, one.plan))
            for one in records
        ]
        create, close = tokenizer.encode((CREATE, CLOSE))
        self.dropper = TraceDropper(dropper.probs, dropper.create_drop, dropper.variant, create=create, close=close)
        self.seed, self.epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Drop indexed items as in this epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of records."""
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The example of that index in the current epoch; a negative one counts from the end."""
        index = range(len(self))[index]
        example = self.draw(index, np.random.default_rng([self.seed, self.epoch, index]))
        return {"input_ids": list(example.prompt), "labels": list(example.target[1:])}

    def draw(self, index: int, rng: np.random.Generator) -> Example:
        """The record of that index as an example, its trace dropped at random."""
        prompt, reasoning, plan = (part.tolist() for part in self.rows[index])
        if self.dropper.variant == "released-sokoban":
            # The released code draws a level once for each task and keeps it.
            level = self.dropper.sample_level(np.random.default_rng([self.seed, index]))
            rng.random()
        else:
            level = self.dropper.sample_level(rng)
        reasoning = self.dropper.at_level(reasoning, level, rng)
        return Example([BOS, *prompt, EOS], [BOS, *reasoning, *plan, EOS], level)

    def step(self, step: int, batch_size: int, seed: int) -> list[Example]:
        """The examples of a training step: passes over all records in random order, each with its own dropping.

        The order depends on the number of records and the seed alone, so that a resumed training continues where it
        was, and models that are compared see the same tasks in the same order.
        """
        first = step * batch_size
        rng = np.random.default_rng([seed, 1, step])
        order = _order_of(len(self), seed)
        return [self.draw(order(i // len(self))[i % len(self)], rng) for i in range(first, first + batch_size)]


def _order_of(n: int, seed: int) -> Callable[[int], list[int]]:
    return lambda epoch: _permutation(n, seed, epoch)


@lru_cache(maxsize=4)
def _permutation(n: int, seed: int, epoch: int) -> list[int]:
    return np.random.default_rng([seed, 0, epoch]).permutation(n).tolist()


def collate(examples: Sequence[Example]) -> Batch:
    """Pad examples to a batch."""
    prompt, prompt_mask = pad([one.prompt for one in examples])
    target, target_mask = pad([one.target for one in examples])
    return Batch(prompt, prompt_mask, target, target_mask)


def pad(
    sequences: Sequence[Sequence[int]], value: int = 0
) -> tuple[Int[Tensor, "batch length"], Bool[Tensor, "batch length"]]:
    """Sequences as rows of a matrix, filled at their ends, and where they have tokens."""
    lengths = torch.tensor([len(one) for one in sequences])
    rows = np.full((len(sequences), int(lengths.max())), value, np.int64)
    for row, one in zip(rows, sequences, strict=True):
        row[: len(one)] = one
    return torch.from_numpy(rows), torch.arange(rows.shape[1]) < lengths[:, None]


def seq2seq_collate(items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """Pad items of a map-style data set for a Hugging Face sequence-to-sequence model.

    Args:
        items: Mappings with `input_ids` and `labels`.

    Returns:
        `input_ids` and `attention_mask`, (batch, prompt), and `labels`, (batch, length), -100 where there is padding.
    """
    input_ids, mask = pad([item["input_ids"] for item in items])
    labels, _ = pad([item["labels"] for item in items], IGNORED)
    return {"input_ids": input_ids, "attention_mask": mask.long(), "labels": labels}


def buckets(examples: Sequence[Example], max_tokens: int) -> Iterator[list[Example]]:
    """Split examples into batches of similar lengths with at most `max_tokens` tokens, padding included.

    A longer example is a batch of its own.
    """
    group: list[Example] = []
    for example in sorted(examples, key=lambda one: (len(one), len(one.target)), reverse=True):
        widest = [*group, example]
        size = max(len(one.prompt) for one in widest) + max(len(one.target) for one in widest)
        if group and size * len(widest) > max_tokens:
            yield group
            group = []
        group.append(example)
    if group:
        yield group
