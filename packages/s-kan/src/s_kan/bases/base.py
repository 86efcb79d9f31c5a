"""What a family of functions is."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn


class Basis(nn.Module, ABC):
    """A family of `n` univariate functions, whose combinations are the functions on the edges of a network.

    The functions are made for inputs of about [-1, 1], but must be finite everywhere. A family of your own implements
    `forward`; `register_basis` gives it a name.

    Args:
        n: Number of functions.

    Attributes:
        name: What the family is called in reports.

    Raises:
        ValueError: if there are fewer functions than the family needs.
    """

    least = 1
    """The smallest number of functions."""

    def __init__(self, n: int = 8) -> None:
        super().__init__()
        self.name = type(self).__name__.lower()
        if n < self.least:
            raise ValueError(f"the basis {self.name} needs at least {self.least} functions, not {n}")
        self.n = n

    @abstractmethod
    def forward(self, x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """The value of every function at every number."""

    def extra_repr(self) -> str:
        """The number of functions."""
        return f"n={self.n}"
