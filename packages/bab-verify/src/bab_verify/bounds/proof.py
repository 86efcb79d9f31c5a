"""What a proof rests on: the room that it leaves."""

from dataclasses import dataclass

from torch import Tensor


@dataclass
class Proof:
    """How much room a proof has, over all parts that were refuted.

    Args:
        margin: The least margin, after what rounding may have added was taken off.
        error_bound: The most that was taken off for rounding.
    """

    margin: float = float("inf")
    error_bound: float = 0.0

    def add(self, margins: Tensor, slacks: Tensor) -> None:
        """Take in parts that were refuted: their margins, infinite where a part is empty, and what was taken off."""
        finite = margins.isfinite() & slacks.isfinite()
        if bool(finite.any()):
            self.margin = min(self.margin, float(margins[finite].min()))
            self.error_bound = max(self.error_bound, float(slacks[finite].max()))

    def join(self, other: "Proof") -> None:
        """Take in what another search proved."""
        self.margin, self.error_bound = min(self.margin, other.margin), max(self.error_bound, other.error_bound)
