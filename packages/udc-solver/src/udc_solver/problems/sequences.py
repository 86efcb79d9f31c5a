"""Windows of sequences: rolled, cut into equal parts, and put together again."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True)
class Windows:
    """Rolled sequences, whose first `n_windows * size` places are windows; the rest is left as it is.

    Args:
        rolled: The sequences, rolled to the left.
        size: Places of a window.
        n_windows: Of each row.
        roll: By how many places they are rolled.
    """

    rolled: Int[Tensor, "rows length"] | Bool[Tensor, "rows length"]
    size: int
    n_windows: int
    roll: int

    @property
    def parts(self) -> Int[Tensor, "subs size"] | Bool[Tensor, "subs size"]:
        """The windows, those of a row side by side."""
        return self.rolled[:, : self.n_windows * self.size].reshape(-1, self.size)

    @property
    def rest(self) -> Int[Tensor, "rows rest"] | Bool[Tensor, "rows rest"]:
        """The places behind the windows."""
        return self.rolled[:, self.n_windows * self.size :]

    def replaced(self, parts: Int[Tensor, "subs size"] | Bool[Tensor, "subs size"]) -> Tensor:
        """The sequences with other windows, rolled back."""
        n_rows = len(self.rolled)
        return torch.cat([parts.reshape(n_rows, -1), self.rest], 1).roll(self.roll, 1)


def cut(sequence: Int[Tensor, "rows length"] | Bool[Tensor, "rows length"], size: int, roll: int) -> Windows:
    """Roll sequences to the left, and cut them into windows; one of all places, if there are fewer than `size`."""
    length = sequence.shape[1]
    size = min(size, length)
    return Windows(sequence.roll(-roll, 1), size, length // size, roll)


def reordered(windows: Windows, order: Int[Tensor, "subs size"]) -> Int[Tensor, "rows length"]:
    """The sequences with the places of each window in another order."""
    return windows.replaced(windows.parts.gather(1, order))
