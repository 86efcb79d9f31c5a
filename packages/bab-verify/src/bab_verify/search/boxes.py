"""Open boxes of input splitting, as a structure of arrays, and how they are halved."""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

MAX_DEPTH = 3
"""The most inputs that a box is halved in at once while many are open."""


@dataclass
class Boxes:
    """Input boxes that are still open.

    Args:
        lower: (n, inputs).
        upper: (n, inputs).
        clauses: Least of each clause over the box, (n, clauses): positive means refuted.
        scores: How much a split of each input promises, (n, inputs).
        known: Bounds of all nodes that relaxations need, one after the other, below and above, (n, 2, elements).
        gain: How much the margin rose over that of the box that this is a part of, (n,).
        slack: The most that was taken off a clause for rounding, (n,).
        parameters: Those of the planes that were optimised for it, one node after the other, (n, parameters).
    """

    lower: Tensor
    upper: Tensor
    clauses: Tensor
    scores: Tensor
    known: Tensor
    gain: Tensor
    slack: Tensor
    parameters: Tensor

    def __len__(self) -> int:
        return len(self.clauses)

    @property
    def margin(self) -> Tensor:
        """The least of all clauses, (n,)."""
        return self.clauses.amin(1)

    def __getitem__(self, index: Tensor) -> "Boxes":
        return Boxes(*(getattr(self, field.name)[index] for field in fields(self)))

    @staticmethod
    def cat(parts: list["Boxes"]) -> "Boxes":
        """All of several."""
        return Boxes(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Boxes)))


def split(boxes: Boxes, target: int) -> Boxes:
    """Halve each box in its most promising inputs: in one, or in several where that is needed anyway.

    A box whose margin is several times what the last split gained is halved in as many inputs at once, which saves to
    bound the boxes between; and so are all while too few are open to keep the device busy.

    Args:
        boxes: n of them.
        target: How many children are welcome.
    """
    free = (boxes.upper > boxes.lower).sum(1)
    fill = max(1, (target // max(1, len(boxes))).bit_length() - 1)
    wanted = (-boxes.margin / boxes.gain.clamp(min=1e-12)).clamp(1, MAX_DEPTH)
    depth = torch.minimum(wanted.long().clamp(min=min(fill, 8)), free.clamp(min=1))
    parts = [_halved(boxes[(depth == k).nonzero().squeeze(1)], k) for k in depth.unique().tolist()]
    return Boxes.cat(parts)


def _halved(boxes: Boxes, depth: int) -> Boxes:
    chosen = boxes.scores.topk(depth, 1).indices
    for level in range(depth):
        index = chosen[:, level : level + 1]
        middle = (boxes.lower.gather(1, index) + boxes.upper.gather(1, index)) / 2
        left_upper = boxes.upper.scatter(1, index, middle)
        right_lower = boxes.lower.scatter(1, index, middle)
        boxes = Boxes.cat([replace(boxes, upper=left_upper), replace(boxes, lower=right_lower)])
        chosen = torch.cat([chosen, chosen])
    return boxes
