"""The nonlinear low-rank branch."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .activations import make_activation
from .configs import BranchConfig


class NonlinearLowRankBranch(nn.Module):
    """`sigma(x W_down) W_up`, without biases: what is added to the output of a linear layer.

    It is trained with the layer from the first step and stays there: as sigma is nonlinear, the branch cannot be merged
    into the layer's weight, as that of LoRA can. With CosNet it has `r (D + O) + r² + 4 r` parameters.

    Entries of `down` start with variance `1 / D`, so that normalized inputs reach sigma at unit variance; those of `up`
    with standard deviation `config.up_std`.

    Args:
        in_features: Width of the input, D.
        out_features: Width of the output, O.
        rank: Width of the bottleneck, r.
        config: Its activation and initialization.
        device: Where the parameters are made.
        dtype: Their type.

    Attributes:
        down: W_down, transposed, of shape (rank, in_features), as in `nn.Linear`.
        up: W_up, transposed, of shape (out_features, rank).

    Raises:
        ValueError: if the rank is not between 1 and both widths.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        rank: int,
        config: BranchConfig | None = None,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if not 1 <= rank <= min(in_features, out_features):
            raise ValueError(
                f"the rank must be between 1 and {min(in_features, out_features)}, the smaller side of a layer from "
                f"{in_features} to {out_features} features, not {rank}"
            )
        self.in_features, self.out_features, self.rank = in_features, out_features, rank
        self.config = config or BranchConfig()
        self.down = nn.Parameter(torch.empty(rank, in_features, device=device, dtype=dtype))
        self.up = nn.Parameter(torch.empty(out_features, rank, device=device, dtype=dtype))
        activation = make_activation(self.config.activation, rank, self.config.freq_range, self.config.phase)
        self.activation = activation.to(device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the initial projections and the activation's parameters from PyTorch's global generator."""
        nn.init.normal_(self.down, std=1 / math.sqrt(self.in_features))
        if self.config.up_std:
            nn.init.normal_(self.up, std=self.config.up_std)
        else:
            nn.init.zeros_(self.up)
        reset = getattr(self.activation, "reset_parameters", None)
        if reset is not None:
            reset()

    def forward(self, x: Float[Tensor, "*batch {self.in_features}"]) -> Float[Tensor, "*batch {self.out_features}"]:
        """What the branch adds."""
        return F.linear(self.activation(F.linear(x, self.down)), self.up)

    def extra_repr(self) -> str:
        """The shape."""
        return f"{self.in_features}, {self.out_features}, rank={self.rank}"
