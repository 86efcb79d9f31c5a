"""Trunks: the functions of a point whose products with the branch's features are the solution."""

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from .branches import EPS, SLOPE
from .initialization import glorot, small


class Trunk(nn.Module):
    """Affine layers with leaky rectifiers of slope 0.2, and a linear output.

    Args:
        n_in: Coordinates of a point.
        hidden: Widths of the hidden layers.
        n_out: Features p.
    """

    def __init__(self, n_in: int = 2, hidden: Sequence[int] = (64, 128, 128, 128), n_out: int = 150) -> None:
        super().__init__()
        self.n_out = n_out
        self.hidden = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise((n_in, *hidden)))
        self.out = nn.Linear(hidden[-1], n_out)
        self.activation = nn.LeakyReLU(SLOPE)
        glorot(self)

    def forward(self, y: Float[Tensor, "*points coordinates"]) -> Float[Tensor, "*points features"]:
        """The features of each point."""
        for layer in self.hidden:
            y = self.activation(layer(y))
        return self.out(y)


class ResidualTrunk(nn.Module):
    """Affine layers with batch normalization and swish; from the third on, a projection of two layers earlier is added.

    `h_i = swish(BN(W_i h_{i-1})) + P_i h_{i-2}` for i >= 3, with a linear output: the trunk for plates. The statistics
    of the normalization are over points. Weights and biases begin as N(0, 0.001²).

    Args:
        n_in: Coordinates of a point.
        hidden: Widths of the hidden layers.
        n_out: Features p.
    """

    def __init__(
        self,
        n_in: int = 3,
        hidden: Sequence[int] = (32, 64, 64, 64, 128, 128, 128, 128, 128),
        n_out: int = 200,
    ) -> None:
        super().__init__()
        self.n_out = n_out
        self.hidden = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise((n_in, *hidden)))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width, eps=EPS) for width in hidden)
        self.projections = nn.ModuleList(nn.Linear(i, o) for i, o in zip(hidden, hidden[2:], strict=False))
        self.activation = nn.SiLU()
        self.out = nn.Linear(hidden[-1], n_out)
        small(self)

    def forward(self, y: Float[Tensor, "points coordinates"]) -> Float[Tensor, "points features"]:
        """The features of each point."""
        activations: list[Tensor] = []
        for number, (layer, norm) in enumerate(zip(self.hidden, self.norms, strict=True)):
            y = self.activation(norm(layer(y)))
            if number >= 2:
                y = y + self.projections[number - 2](activations[number - 2])
            activations.append(y)
        return self.out(y)
