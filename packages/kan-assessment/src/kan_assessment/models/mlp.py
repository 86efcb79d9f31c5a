"""The multilayer perceptron that everything is compared with."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn

from . import formulas

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}


class MLP(nn.Sequential):
    """Linear maps with an activation between them, and optionally normalization before it; the last map is bare.

    Args:
        widths: Inputs, hidden layers and outputs, two or more.
        activation: relu, gelu, silu or tanh.
        batch_norm: Normalize hidden layers by batches.

    Raises:
        ValueError: if there are fewer than two widths, or there is no such activation.
    """

    def __init__(self, widths: Sequence[int], *, activation: str = "relu", batch_norm: bool = False) -> None:
        if len(widths) < 2 or min(widths) < 1:
            raise ValueError(f"a network needs two or more positive widths, not {list(widths)}")
        if activation not in ACTIVATIONS:
            raise ValueError(f"the activation must be one of {', '.join(ACTIVATIONS)}, not '{activation}'")
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers.append(nn.Linear(n_in, n_out))
            layers += [nn.BatchNorm1d(n_out)] if batch_norm else []
            layers.append(ACTIVATIONS[activation]())
        super().__init__(*layers[: -2 if batch_norm else -1])
        self.widths, self.activation, self.batch_norm = tuple(widths), activation, batch_norm

    def flops(self) -> float:
        """FLOPs for one sample by the published formula."""
        return formulas.mlp_flops(self.widths, self.activation, batch_norm=self.batch_norm)
