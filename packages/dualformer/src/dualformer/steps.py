"""Dropping reasoning steps of free text, for fine-tuning language models."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from .examples import IGNORED


class StepDropper:
    """Randomly drops reasoning steps of a solution and keeps its answer (section 5.3 of the paper).

    Args:
        p: Probability of each step to be dropped; 0.1 to 0.4 in the paper.

    Raises:
        ValueError: if it is no probability.
    """

    def __init__(self, p: float = 0.2) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"the probability of a step to be dropped must be between 0 and 1, not {p}")
        self.p = p

    def __call__(self, steps: Sequence[str], answer: str, rng: np.random.Generator) -> list[str]:
        """The remaining steps in order, and the answer."""
        kept = [step for step, u in zip(steps, rng.random(len(steps)).tolist(), strict=True) if u >= self.p]
        return [*kept, answer]


def split_steps(solution: str) -> tuple[list[str], str]:
    """The steps of a solution and its answer: its lines, or its sentences if it is one line; the last is the answer.

    A sentence ends with a full stop, question or exclamation mark before white space, so that `3.5` is not split. Join
    the remaining steps with line breaks, or sentences with spaces.

    Raises:
        ValueError: if the solution is empty.
    """
    lines = [line for line in solution.split("\n") if line.strip()]
    if len(lines) == 1:
        lines = [part for part in re.split(r"(?<=[.!?])\s+", lines[0].strip()) if part]
    if not lines:
        raise ValueError("a solution needs at least its answer, but it is empty")
    return lines[:-1], lines[-1]


class DroppedSteps(Dataset[dict[str, Any]]):
    """A data set of questions and solutions whose reasoning steps are dropped anew in each epoch.

    Wraps anything with a length and numbered rows that are mappings: a list of dictionaries, or a split of Hugging Face
    `datasets`. Goes into a PyTorch `DataLoader` or a Hugging Face `Trainer` as it is.

    Args:
        rows: The data set.
        dropper: How steps are dropped.
        tokenize: A Hugging Face tokenizer, or a function from a text to a list of numbers. An item then is
            `{"input_ids", "attention_mask", "labels"}` for a causal model: question and solution tokenized as one text,
            so that a token of the beginning stands once at the front, and `eos` at the end; with labels of -100 on the
            question. A token that reaches from the question into the solution is learned. Otherwise an item is the row
            with its solution replaced.
        eos: Number of the token that ends a text; that of the tokenizer, `tokenize.eos_token_id`, if not given. A model
            that never sees it does not learn to stop.
        question: Key of the question.
        solution: Key of the solution: a text, split by `split`, or a list of steps that ends with the answer.
        separator: Put between question, steps and answer.
        split: From a solution to its steps and its answer.
        seed: Random seed of the dropping.

    Raises:
        ValueError: if the data set is empty, a row lacks a key, or there is no `eos` to tokenize with.
    """

    def __init__(
        self,
        rows: Any,  # noqa: ANN401 - anything with a length and rows
        dropper: StepDropper,
        *,
        tokenize: Callable[[str], Sequence[int] | Mapping[str, Any]] | None = None,
        eos: int | None = None,
        question: str = "question",
        solution: str = "solution",
        separator: str = "\n",
        split: Callable[[str], tuple[list[str], str]] = split_steps,
        seed: int = 0,
    ) -> None:
        if len(rows) == 0:
            raise ValueError("the data set has no rows")
        missing = [key for key in (question, solution) if key not in rows[0]]
        if missing:
            raise ValueError(f"the rows have no '{missing[0]}'; they have {', '.join(rows[0])}")
        self.eos = getattr(tokenize, "eos_token_id", None) if eos is None else eos
        if tokenize is not None and self.eos is None:
            raise ValueError("give eos, the number of the token that ends a text, so that a model learns to stop")
        self.rows, self.dropper, self.tokenize = rows, dropper, tokenize
        self.question, self.solution, self.separator, self.split = question, solution, separator, split
        self.seed, self.epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Drop as in this epoch; without a call, every pass drops alike."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The row of that index, its steps dropped as in the current epoch; a negative one counts from the end.

        Raises:
            ValueError: if its solution is empty or none.
        """
        index = range(len(self))[index]
        row = self.rows[index]
        try:
            parts = self._parts(row)
        except ValueError as error:
            raise ValueError(f"row {index}: {error}") from None
        kept = self.dropper(*parts, np.random.default_rng([self.seed, self.epoch, index]))
        written = self.separator.join(kept)
        if self.tokenize is None:
            return {**row, self.solution: written}
        asked = row[self.question] + self.separator
        ids = self._ids(asked + written)
        if ids[-1:] != [self.eos]:
            ids.append(self.eos)
        same = [one == other for one, other in zip(self._ids(asked), ids, strict=False)]
        n = same.index(False) if False in same else len(same)
        return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": [IGNORED] * n + ids[n:]}

    def _ids(self, text: str) -> list[Any]:
        found = self.tokenize(text) if self.tokenize else ()
        return list(found["input_ids"] if isinstance(found, Mapping) else found)

    def _parts(self, row: Mapping[str, Any]) -> tuple[list[str], str]:
        solution = row[self.solution]
        if isinstance(solution, str):
            return self.split(solution)
        if solution is None:
            raise ValueError("a solution needs at least its answer, but it is None")
        if not len(solution):
            raise ValueError("a solution needs at least its answer, but it is empty")
        return list(solution[:-1]), solution[-1]
