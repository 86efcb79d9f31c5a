"""Which axes of parameters carry the same units: bookkeeping for permutations of a network."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor


class Segment(NamedTuple):
    """Units of a group along an axis; each has `block` neighboring entries, such as the pixels of a channel."""

    group: int
    block: int


@dataclass(frozen=True)
class Value:
    """What is known of a tensor in a network: the units along one of its axes.

    Attributes:
        segments: The groups along the axis, in order; empty where the units must stay.
        pixels: Number of axes of pixels after the units, which are then axis 1; 0 where units are the last axis.
        is_flat: Whether channels and pixels were flattened, so that the block is known only where the tensor is read.
    """

    segments: tuple[Segment, ...] = ()
    pixels: int = 0
    is_flat: bool = False

    @property
    def axis(self) -> Literal["channels", "last"]:
        """Where the units stand: "channels" is axis 1, before pixels; "last" is the last axis."""
        return "channels" if self.pixels else "last"


FIXED = Value()
"""A tensor whose units cannot be permuted, such as the input."""


@dataclass
class Axes:
    """Groups of units that are permuted together, joined as a network's graph is read."""

    parent: list[int] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    reason: dict[int, str] = field(default_factory=dict)
    bound: dict[tuple[str, int], tuple[Segment, ...]] = field(default_factory=dict)
    layers: list[tuple[str, int]] = field(default_factory=list)
    axis: dict[str, Literal["channels", "last"]] = field(default_factory=dict)

    def new(self, size: int) -> int:
        """A group of its own."""
        self.parent.append(len(self.parent))
        self.size.append(size)
        return len(self.parent) - 1

    def find(self, group: int) -> int:
        """The group that stands for all that were joined with one."""
        while self.parent[group] != group:
            group = self.parent[group]
        return group

    def fix(self, value: Value, reason: str) -> None:
        """Forbid to permute the units of a tensor."""
        for segment in value.segments:
            self.reason.setdefault(self.find(segment.group), reason)

    def join(self, a: Value, b: Value, where: str) -> Value:
        """Let two tensors that are combined entry by entry have one order; fixes both where that cannot be."""
        sizes = [[(self.size[s.group], s.block) for s in one.segments] for one in (a, b)]
        if sizes[0] != sizes[1] or a.pixels != b.pixels or a.is_flat != b.is_flat or not a.segments:
            for one in (a, b):
                self.fix(one, f"it is combined with other units in {where}")
            return FIXED
        self.join_segments(a.segments, b.segments)
        return a

    def join_segments(self, a: tuple[Segment, ...], b: tuple[Segment, ...]) -> None:
        """Join groups of the same sizes pair by pair."""
        for one, other in zip(a, b, strict=True):
            first, second = self.find(one.group), self.find(other.group)
            if first != second:
                self.parent[second] = first
                if second in self.reason:
                    self.reason.setdefault(first, self.reason.pop(second))

    def resolve(self, value: Value, n: int) -> tuple[Segment, ...] | None:
        """The segments of a tensor that has n entries along its axis; None where they do not add up."""
        n_units = sum(self.size[s.group] * s.block for s in value.segments)
        if not n_units or n % n_units or (n != n_units and not value.is_flat):
            return None
        return tuple(Segment(s.group, s.block * (n // n_units)) for s in value.segments)

    def bind(self, parameter: str, dim: int, segments: tuple[Segment, ...]) -> None:
        """Say which units an axis of a parameter carries; what was said before is joined with it."""
        before = self.bound.setdefault((parameter, dim), segments)
        shapes = [[(self.size[s.group], s.block) for s in one] for one in (before, segments)]
        if shapes[0] == shapes[1]:
            self.join_segments(before, segments)
        else:
            for one in (before, segments):
                self.fix(Value(one), f"{parameter} is shared by layers of different units")

    def order(self, segments: tuple[Segment, ...], orders: dict[int, Int[Tensor, " units"]]) -> Int[Tensor, " entries"]:
        """Where each entry of an axis comes from, given the new order of some groups."""
        parts, offset = [], 0
        for segment in segments:
            size = self.size[segment.group]
            units = orders.get(self.find(segment.group), torch.arange(size))
            entries = units[:, None] * segment.block + torch.arange(segment.block)
            parts.append(offset + entries.flatten())
            offset += size * segment.block
        return torch.cat(parts)
