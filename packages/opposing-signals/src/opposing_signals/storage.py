"""Rows of losses in half precision: in memory, in a ring of the latest, or in a file; copied without waiting."""

from collections import deque
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

LARGEST = {"fp16": 65504.0, "fp32": float(np.finfo(np.float32).max)}
TYPES: dict[str, tuple[type[np.floating], torch.dtype]] = {
    "fp16": (np.float16, torch.float16),
    "fp32": (np.float32, torch.float32),
}
MOST_PENDING = 32
"""Copies from a GPU that may be on their way."""


class _Pending(NamedTuple):
    step: int
    row: int
    columns: Tensor | None
    losses: Tensor
    arrived: "torch.cuda.Event"


class LossStore:
    """A matrix of losses, a row a step, that grows; or the latest `window` rows of it.

    Losses on a GPU are rounded there, copied on a stream of their own to pinned memory, and put in their row when they
    have arrived, so that training does not wait for them.

    Args:
        n_examples: Columns.
        keep: `fp16` or `fp32`.
        window: Rows that are kept; all by default.
        path: File (.npy) that holds the rows instead of memory; needs `window`.

    Raises:
        ValueError: if a setting cannot be.
    """

    def __init__(
        self, n_examples: int, keep: str = "fp16", window: int | None = None, path: Path | None = None
    ) -> None:
        if n_examples < 1:
            raise ValueError(f"a recorder needs at least one example, not {n_examples}")
        if keep not in TYPES:
            raise ValueError(f"losses are kept as fp16 or fp32, not '{keep}'")
        if window is not None and window < 2:
            raise ValueError(f"a window has at least 2 steps, not {window}")
        if path is not None and window is None:
            raise ValueError("losses in a file need a window, the number of steps to make room for")
        self.n_examples, self.keep, self.window = n_examples, keep, window
        self._dtype, self._torch_dtype = TYPES[keep]
        self._rows = self._room(window or 64, path)
        self.steps: list[int] = []
        self._n_missing: dict[int, int] = {}
        self._seen = np.zeros(0, bool)
        self._pending: deque[_Pending] = deque()
        self._stream: torch.cuda.Stream | None = None

    def _room(self, n_rows: int, path: Path | None) -> np.ndarray:
        shape = (n_rows, self.n_examples)
        if path is None:
            return np.full(shape, np.nan, self._dtype)
        return np.lib.format.open_memmap(path, "w+", self._dtype, shape)

    def _place(self, number: int) -> int:
        """Where the row of that number, in the order of steps, is kept."""
        return number if self.window is None else number % self.window

    def open_row(self, step: int) -> int:
        """The number of the row of a step, a new one if the step is new.

        Raises:
            ValueError: if the step is before the last.
        """
        if self.steps and step == self.steps[-1]:
            return len(self.steps) - 1
        if self.steps and step < self.steps[-1]:
            raise ValueError(f"steps are recorded in order, but step {step} came after step {self.steps[-1]}")
        number = len(self.steps)
        if self.window is None and number == len(self._rows):
            self._rows = np.concatenate([self._rows, np.full_like(self._rows, np.nan)])
        elif self.window is not None:
            if any(one.row <= number - self.window for one in self._pending):
                # They are still on their way to the row that is about to be used again.
                self.drain()
            self._rows[self._place(number)] = np.nan
        self.steps.append(step)
        self._n_missing[step] = self.n_examples
        self._seen = np.zeros(0, bool)
        return number

    def put(self, step: int, losses: Float[Tensor, "k"], columns: Tensor | None) -> None:
        """Keep losses of a step, of all examples or those of `columns`.

        Raises:
            FloatingPointError: if losses, these or earlier ones that have just arrived, are not finite.
        """
        losses = losses.detach()
        if losses.is_cuda:
            row = self.open_row(step)
            self._send(step, row, losses, columns)
            self._take(MOST_PENDING)
        else:
            _check_finite(step, losses)
            self._keep(self.open_row(step), losses, columns)
        self._n_missing[step] = self._count_missing(step, columns)

    def _count_missing(self, step: int, columns: Tensor | None) -> int:
        """Examples of the latest row that are still missing: an example may come twice, and so may all of them."""
        if columns is None or self._n_missing[step] == 0:
            return 0
        if not len(self._seen):
            self._seen = np.zeros(self.n_examples, bool)
        self._seen[columns.cpu().numpy()] = True
        return self.n_examples - int(np.count_nonzero(self._seen))

    def _keep(self, row: int, losses: Tensor, columns: Tensor | None) -> None:
        target = self._rows[self._place(row)]
        values = losses.numpy() if losses.dtype == self._torch_dtype else losses.float().numpy()
        largest = LARGEST[self.keep]
        if values.dtype != self._dtype:
            values = np.clip(values, -largest, largest)
        target[slice(None) if columns is None else columns.cpu().numpy()] = values

    def _send(self, step: int, row: int, losses: Tensor, columns: Tensor | None) -> None:
        if self._stream is None:
            self._stream = torch.cuda.Stream(losses.device)
        stream = self._stream
        stream.wait_stream(torch.cuda.current_stream(losses.device))
        with torch.cuda.stream(stream):
            # Not a number stays so, and infinity becomes it, so that both are seen when they arrive.
            rounded = torch.where(losses.isfinite(), losses.clamp(-LARGEST[self.keep], LARGEST[self.keep]), torch.nan)
            rounded = rounded.to(self._torch_dtype)
            host = torch.empty(len(losses), dtype=self._torch_dtype, pin_memory=True)
            host.copy_(rounded, non_blocking=True)
            losses.record_stream(stream)
            arrived = torch.cuda.Event()
            arrived.record(stream)
        self._pending.append(_Pending(step, row, columns, host, arrived))

    def _take(self, most: int) -> None:
        """Put what has arrived into its row, and wait while more than `most` are on their way."""
        while self._pending and (len(self._pending) > most or self._pending[0].arrived.query()):
            one = self._pending.popleft()
            one.arrived.synchronize()
            _check_finite(one.step, one.losses)
            self._keep(one.row, one.losses, one.columns)

    def drain(self) -> None:
        """Wait for all that is on its way."""
        self._take(0)

    def complete(self, step: int) -> bool:
        """Whether the losses of all examples are there."""
        return self._n_missing.get(step, 1) == 0

    def kept(self) -> list[int]:
        """The steps whose rows are still there."""
        return self.steps if self.window is None else self.steps[-self.window :]

    def matrix(self, steps: list[int]) -> Float[np.ndarray, "steps n"]:
        """The rows of some steps, in single precision."""
        self.drain()
        numbers = {step: number for number, step in enumerate(self.steps)}
        return self._rows[[self._place(numbers[step]) for step in steps]].astype(np.float32)

    def restore(self, steps: list[int], rows: np.ndarray) -> None:
        """Begin again with rows that were kept before, the last of which may be incomplete."""
        for step, row in zip(steps, rows, strict=True):
            number = self.open_row(step)
            self._rows[self._place(number)] = row
            self._seen = ~np.isnan(row)
            self._n_missing[step] = int((~self._seen).sum())


def _check_finite(step: int, losses: Tensor) -> None:
    # A sum is not finite where a loss is not, and costs less than looking at each.
    if not torch.isfinite(losses.float().sum()) and not losses.isfinite().all():
        raise FloatingPointError(f"a loss at step {step} is not finite; lower the learning rate")
