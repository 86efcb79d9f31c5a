"""Sequence to sequence: recurrent networks from the values at the sensors to those at fixed points; a baseline."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .configs import Cell

CELLS: dict[Cell, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Seq2Seq(nn.Module):
    """An encoder over the sensors, learned attention, and a decoder over the points.

    The weights of attention are those of the places, softmax(A) with A of shape (points, sensors), zero at first; they
    do not depend on the input. The decoder takes what is attended to, not its own outputs. It knows a fixed number of
    points, in their order.

    Args:
        n_sensors: Values of each input function.
        n_points: Points at which the output function is given.
        hidden_size: Hidden units of both recurrent networks.
        cell: `rnn`, `gru` or `lstm`.

    Raises:
        ValueError: if a size is not positive, or there is no such cell.
    """

    def __init__(self, n_sensors: int, n_points: int, hidden_size: int = 5, cell: Cell = "gru") -> None:
        super().__init__()
        if min(n_sensors, n_points, hidden_size) < 1:
            raise ValueError(f"sizes must be positive, not {n_sensors}, {n_points} and {hidden_size}")
        if cell not in CELLS:
            raise ValueError(f"the cell must be one of {', '.join(CELLS)}, not '{cell}'")
        self.n_sensors, self.n_points = n_sensors, n_points
        self.encoder = CELLS[cell](1, hidden_size, batch_first=True)
        self.attention = nn.Parameter(torch.zeros(n_points, n_sensors))
        self.decoder = CELLS[cell](hidden_size, hidden_size, batch_first=True)
        self.readout = nn.Linear(hidden_size, 1)

    def forward(self, u: Float[Tensor, "batch sensors"]) -> Float[Tensor, "batch points"]:
        """Values of the output function at the points."""
        if u.shape[1] != self.n_sensors:
            raise ValueError(f"the encoder expects m={self.n_sensors} sensor values, got {u.shape[1]}")
        states, _ = self.encoder(u[..., None])
        attended = torch.einsum("qm,bmh->bqh", self.attention.softmax(1), states)
        decoded, _ = self.decoder(attended)
        return self.readout(decoded)[..., 0]

    def grid(
        self, u: Float[Tensor, "batch sensors"], y: Float[Tensor, "points coordinates"]
    ) -> Float[Tensor, "batch points"]:
        """As `DeepONet.grid`, at the points that it was trained on.

        Raises:
            ValueError: if there are more or fewer points.
        """
        if len(y) != self.n_points:
            raise ValueError(f"the decoder knows {self.n_points} points, not {len(y)}")
        return self(u)
