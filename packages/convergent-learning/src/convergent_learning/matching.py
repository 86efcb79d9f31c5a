"""One-to-one alignment of units: semi-matching and bipartite matching (section 3 of the paper)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Matching:
    """A partner in the second network for each unit of the first.

    Attributes:
        index: The partner of each unit, -1 where none is left (a bipartite matching of a wider network to a narrower).
        value: Similarity with the partner, NaN where there is none.
        method: How it was found.
    """

    index: Int[Tensor, " p"]
    value: Float[Tensor, " p"]
    method: str

    @property
    def mean(self) -> float:
        """Mean similarity of the units that have a partner."""
        return float(self.value[self.index >= 0].mean())

    @property
    def order(self) -> Int[Tensor, " p"]:
        """The units from the best matched one down; those without a partner last."""
        return torch.argsort(self.value.nan_to_num(nan=-torch.inf), descending=True, stable=True)

    def overlap(self, other: "Matching") -> float:
        """Share of units with the same partner in both matchings.

        Raises:
            ValueError: if they are of different numbers of units.
        """
        if len(self.index) != len(other.index):
            raise ValueError(f"matchings of {len(self.index)} and {len(other.index)} units cannot be compared")
        return float((self.index == other.index).double().mean())

    def cycles(self) -> list[list[int]]:
        """The cycles of the permutation, each from its smallest unit on, longest first.

        Raises:
            ValueError: if the matching is no permutation.
        """
        index = self.index.tolist()
        if sorted(index) != list(range(len(index))):
            raise ValueError("only a one-to-one matching of layers of the same width has cycles")
        seen: set[int] = set()
        cycles = []
        for start in range(len(index)):
            cycle, unit = [], start
            while unit not in seen:
                seen.add(unit)
                cycle.append(unit)
                unit = index[unit]
            if cycle:
                cycles.append(cycle)
        return sorted(cycles, key=lambda cycle: -len(cycle))


def match_units(similarity: Float[Tensor, "p q"], method: str = "bipartite") -> Matching:
    """Match the units of two layers.

    Args:
        similarity: Of each unit of the first layer (row) with each of the second (column): correlation, or mutual
            information.
        method: "semi" takes the best partner of every unit, which several units may share; "bipartite" takes the
            one-to-one matching of the largest sum, by the Hungarian method in cubic time.

    Raises:
        ValueError: if the matrix is empty or not finite, or there is no such method.
    """
    if similarity.ndim != 2 or not similarity.numel():
        raise ValueError(f"expected a matrix of similarities (units, units), not shape {tuple(similarity.shape)}")
    if not bool(similarity.isfinite().all()):
        raise ValueError("the similarities must be finite; dead units have correlation 0, never NaN")
    if method == "semi":
        value, index = similarity.max(1)
        return Matching(index, value, method)
    if method != "bipartite":
        raise ValueError(f"the method of matching is semi or bipartite, not {method!r}")
    rows, columns = linear_sum_assignment(similarity.detach().cpu().double().numpy(), maximize=True)
    index = torch.full((len(similarity),), -1)
    index[torch.from_numpy(rows)] = torch.from_numpy(columns)
    index = index.to(similarity.device)
    value = similarity.gather(1, index.clamp(min=0)[:, None])[:, 0]
    return Matching(index, torch.where(index >= 0, value, torch.nan), method)
