"""Open branches of activation splitting, as a structure of arrays."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bab_verify.bounds.optimization import Parameters
from bab_verify.bounds.splits import Splits

from .branching import Decision


@dataclass
class Branches:
    """Branches that are still open.

    Args:
        splits: Their histories.
        clause: Which clause each is for, (n,).
        margin: Least of the clause, (n,).
        parameters: Of the planes, (parameters, n, rows, *shape) for each nonlinear node.
        cut_beta: Multipliers of cuts, (n, cuts).
        next: What each is split at next.
        gain: How much the last split raised the margin, (n,).
    """

    splits: Splits
    clause: Tensor
    margin: Tensor
    parameters: Parameters
    cut_beta: Tensor
    next: Decision
    gain: Tensor

    def __len__(self) -> int:
        return len(self.margin)

    def __getitem__(self, index: Tensor) -> "Branches":
        return Branches(
            self.splits[index],
            self.clause[index],
            self.margin[index],
            {i: x[:, index] for i, x in self.parameters.items()},
            self.cut_beta[index],
            self.next[index],
            self.gain[index],
        )

    def to(self, dtype: torch.dtype) -> "Branches":
        """In other numbers."""
        splits = Splits(*(x.to(dtype) if x.is_floating_point() else x for x in self.splits.fields()))
        parameters = {i: x.to(dtype) for i, x in self.parameters.items()}
        numbers = (self.margin.to(dtype), parameters, self.cut_beta.to(dtype))
        return Branches(splits, self.clause, *numbers, self.next, self.gain.to(dtype))

    @staticmethod
    def cat(parts: "list[Branches]") -> "Branches":
        """All of several."""
        if len(parts) == 1:
            return parts[0]
        return Branches(
            Splits.cat([part.splits for part in parts]),
            torch.cat([part.clause for part in parts]),
            torch.cat([part.margin for part in parts]),
            {i: torch.cat([part.parameters[i] for part in parts], 1) for i in parts[0].parameters},
            torch.cat([part.cut_beta for part in parts]),
            Decision.cat([part.next for part in parts]),
            torch.cat([part.gain for part in parts]),
        )

    def children(self) -> "Branches":
        """Both sides of each branch's next split: first all below the point, then all above it."""
        sides = []
        for sign in (-1.0, 1.0):
            signs = torch.full_like(self.next.point, sign)
            splits = self.splits.extended(self.next.node, self.next.element, signs, self.next.point)
            sides.append(
                Branches(splits, self.clause, self.margin, self.parameters, self.cut_beta, self.next, self.gain)
            )
        return Branches.cat(sides)
