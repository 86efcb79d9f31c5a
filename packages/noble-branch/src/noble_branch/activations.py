"""What stands in the bottleneck of a branch: CosNet, and the activations that it is compared with."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

ActivationName = Literal["cosnet", "cos", "sin", "gelu", "silu", "relu", "tanh", "leaky_relu", "identity"]
Phase = Literal["uniform", "small"]

ACTIVATIONS: tuple[str, ...] = get_args(ActivationName)
"""Names of the activations. `cos` is CosNet with one layer; `identity` makes the branch linear, which is a control."""

SMALL_PHASE = 0.1
"""Standard deviation of phases that are drawn small."""


class CosNet(nn.Module):
    """Cosines with learned frequencies and phases, and a linear map between two layers of them.

    With two layers, `cos(omega_2 * (cos(omega_1 * h + phi_1) @ M) + phi_2)`; with one, `cos(omega_1 * h + phi_1)`.
    Frequencies and phases are vectors over the bottleneck. The output is bounded by 1.

    The cosines are computed in float32 at least, also under autocast: an argument in bfloat16 has eight bits, which
    leaves nothing of a phase once a frequency has grown.

    The paper's initialization is not public. Here, frequencies are uniform in `freq_range`, and M is Xavier-uniform.

    Args:
        rank: Width of the bottleneck.
        layers: Layers of cosines, 1 or 2.
        freq_range: Range of the initial frequencies.
        phase: Initial phases: `"uniform"` in ±π, or `"small"`, normal with standard deviation 0.1. With small phases
            and small inputs, the branch starts as a constant.

    Raises:
        ValueError: if the rank is not positive, there are not 1 or 2 layers, or the range or the phase is none.
    """

    def __init__(
        self,
        rank: int,
        layers: int = 2,
        freq_range: tuple[float, float] = (0.5, 2.0),
        phase: str = "uniform",
    ) -> None:
        super().__init__()
        low, high = freq_range
        if rank < 1:
            raise ValueError(f"the rank must be at least 1, not {rank}")
        if layers not in (1, 2):
            raise ValueError(f"CosNet has 1 or 2 layers, not {layers}")
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ValueError(f"freq_range must be two finite numbers in ascending order, not {freq_range}")
        if phase not in get_args(Phase):
            raise ValueError(f"phase must be one of {', '.join(get_args(Phase))}, not {phase!r}")
        self.rank, self.layers, self.freq_range, self.phase = rank, layers, (low, high), phase
        self.omega_1, self.phi_1 = nn.Parameter(torch.empty(rank)), nn.Parameter(torch.empty(rank))
        if layers == 2:
            self.mixing = nn.Parameter(torch.empty(rank, rank))
            self.omega_2, self.phi_2 = nn.Parameter(torch.empty(rank)), nn.Parameter(torch.empty(rank))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the initial frequencies, phases and mixing matrix from PyTorch's global generator."""
        for name, parameter in self.named_parameters():
            if name.startswith("omega"):
                nn.init.uniform_(parameter, *self.freq_range)
            elif name == "mixing":
                nn.init.xavier_uniform_(parameter)
            elif self.phase == "uniform":
                nn.init.uniform_(parameter, -math.pi, math.pi)
            else:
                nn.init.normal_(parameter, std=SMALL_PHASE)

    def forward(self, h: Float[Tensor, "*batch rank"]) -> Float[Tensor, "*batch rank"]:
        """The activation, in the type of `h`."""
        wide = torch.promote_types(h.dtype, torch.float32)
        kind = h.device.type
        with torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext():
            u = torch.cos(self.omega_1.to(wide) * h.to(wide) + self.phi_1.to(wide))
            if self.layers == 2:
                u = torch.cos(self.omega_2.to(wide) * (u @ self.mixing.to(wide)) + self.phi_2.to(wide))
        return u.to(h.dtype)

    def extra_repr(self) -> str:
        """The settings that are not parameters."""
        return f"{self.rank}, layers={self.layers}, freq_range={self.freq_range}, phase={self.phase!r}"


class Sine(nn.Module):
    """The sine, computed in float32 at least."""

    def forward(self, h: Float[Tensor, "*batch rank"]) -> Float[Tensor, "*batch rank"]:
        """The sine of each number, in the type of `h`."""
        return torch.sin(h.to(torch.promote_types(h.dtype, torch.float32))).to(h.dtype)


_PLAIN: dict[str, Callable[[], nn.Module]] = {
    "sin": Sine,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "leaky_relu": nn.LeakyReLU,
    "identity": nn.Identity,
}


def make_activation(
    name: str, rank: int, freq_range: tuple[float, float] = (0.5, 2.0), phase: str = "uniform"
) -> nn.Module:
    """An activation by name.

    Args:
        name: One of `ACTIVATIONS`.
        rank: Width of the bottleneck.
        freq_range: Range of the initial frequencies of `cosnet` and `cos`; the others ignore it.
        phase: Initial phases of `cosnet` and `cos`; the others ignore it.

    Raises:
        ValueError: if there is none of this name.
    """
    if name in ("cosnet", "cos"):
        return CosNet(rank, 2 if name == "cosnet" else 1, freq_range, phase)
    if name not in _PLAIN:
        raise ValueError(f"the activation must be one of {', '.join(ACTIVATIONS)}, not {name!r}")
    return _PLAIN[name]()
