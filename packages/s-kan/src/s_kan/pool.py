"""Several families of functions as one expansion."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .bases.base import Basis
from .bases.registry import MakeBasis, make_basis

PoolLike = Sequence[str | MakeBasis]
"""Names of families, or what makes them."""
N_GRID = 401
"""Points at which the size of a family's functions is measured."""


class Pool(Basis):
    """The functions of several families, one after another.

    Args:
        bases: The families.

    Raises:
        ValueError: if there is none, or two have the same name.
    """

    def __init__(self, bases: Sequence[Basis]) -> None:
        if not bases:
            raise ValueError("the pool is empty: name the bases to choose among, such as bspline and fourier")
        super().__init__(sum(basis.n for basis in bases))
        self.bases = nn.ModuleList(bases)
        self.name = "+".join(self.names)
        if len(set(self.names)) < len(bases):
            raise ValueError(f"a basis occurs twice in the pool {', '.join(self.names)}")

    @property
    def names(self) -> list[str]:
        """The names of the families."""
        return [str(basis.name) for basis in self.bases]

    @property
    def sizes(self) -> list[int]:
        """The number of functions of each family."""
        return [int(basis.n) for basis in self.bases]  # type: ignore[arg-type] # a whole number

    def member(self) -> Int[Tensor, "functions"]:
        """The family of each function, by its number."""
        return torch.arange(len(self.bases)).repeat_interleave(torch.tensor(self.sizes))

    @torch.no_grad()
    def scale(self) -> Float[Tensor, "functions"]:
        """Factors that give all families the same mean sum of squares over [-1, 1], their geometric mean.

        Families of large functions would otherwise learn faster, and be chosen for that.
        """
        grid = torch.linspace(-1, 1, N_GRID)
        norms = torch.stack([basis(grid).square().sum(-1).mean().sqrt().float() for basis in self.bases])
        return (norms.log().mean().exp() / norms)[self.member()]

    def forward(self, x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """The value of every function of every family."""
        parts = [basis(x) for basis in self.bases]
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)


def make_pool(pool: PoolLike, n_basis: int = 8) -> Pool:
    """A pool of families with the same number of functions.

    Args:
        pool: Their names, or what makes them.
        n_basis: Functions of each.

    Raises:
        ValueError: if there is none, one is unknown or occurs twice, or cannot have as many functions.
    """
    if isinstance(pool, str):
        raise ValueError(f"a pool is a sequence of bases, such as ('{pool}', 'fourier'), not the text '{pool}'")
    return Pool([make_basis(basis, n_basis) for basis in pool])
