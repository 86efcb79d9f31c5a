"""MgNO: neural operators whose layers are linear operators between functions, without lifting and projection."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from jaxtyping import Float
from torch import Tensor, nn

from separata.models import count_parameters as count_parameters  # noqa: PLC0414 - public here

from .bias import BiasFunction
from .multigrid import CYCLES, Cycles, MultigridConv, MultigridConv1d, MultigridConv2d
from .transfers import CONVOLUTIONS, PaddingMode, Transfer, check_names

Activation = Literal["gelu", "relu", "tanh", "silu", "identity"]
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "silu": nn.SiLU,
    "identity": nn.Identity,
}
Bias = Literal["none", "scalar", "function"]
"""What is added to each neuron: nothing, a number, or a function on the domain."""
Norm = Literal["none", "cycle", "layer", "both"]
"""Where channels and grid are normalized together: on the way up of each layer's cycle, before each activation, both,
or nowhere."""
Head = Literal["pointwise", "operator"]
"""The last linear map: at each point, or another cycle."""
HIDDEN = 128
"""Hidden channels of the projection, where there is one."""


class OperatorLayer(nn.Module):
    """One layer: `sigma(W h + K h + B)`, each neuron a function, with W a multigrid operator and K a pointwise map.

    Args:
        operator: W.
        pointwise: K, or nothing.
        bias: B as a module that is given the functions, or nothing.
        activation: sigma.
        norm: What the sum passes before sigma, or nothing.
    """

    def __init__(
        self,
        operator: MultigridConv,
        pointwise: nn.Module | None,
        bias: nn.Module | None,
        activation: nn.Module,
        norm: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.operator, self.pointwise, self.bias = operator, pointwise, bias
        self.activation, self.norm = activation, norm

    def forward(self, h: Float[Tensor, "b c *grid"]) -> Float[Tensor, "b d *grid"]:
        """The layer's functions."""
        u = self.operator(h)
        u = u if self.pointwise is None else u + self.pointwise(h)
        u = u if self.bias is None else u + self.bias(u)
        u = u if self.norm is None else self.norm(u)
        return self.activation(u)


class MgNO(nn.Module):
    """The multigrid neural operator: from functions on a grid to functions on the same grid.

    `h⁰ = a`, `hˡ = sigma(Wˡ hˡ⁻¹ + Kˡ hˡ⁻¹ + Bˡ)`, `u = W h^L`. The input function itself is the first layer's input:
    nothing lifts it to more channels, and no projection follows the last. Every W is one multigrid V-cycle between all
    channels (`MultigridConv2d`), K a map of the channels at each point. The grid may have any size from `least_size`
    on, whatever the network was trained on.

    Args:
        in_channels: Functions that are given.
        out_channels: Functions that are wanted.
        width: Neurons of each hidden layer, each of which is a function.
        num_layers: Hidden layers.
        cycles: Smoothing steps (down, up) on each level of the V-cycles, the finest first.
        padding_mode: The boundary condition: zeros (Dirichlet), circular (periodic) or reflect (Neumann).
        activation: gelu, relu, tanh, silu or identity.
        pointwise_skip: Add K.
        residual: Add the input function to the output: for the change over a time step.
        norm: Where functions are normalized: none, cycle, layer or both. The last map never normalizes, since its
            functions have a size of their own.
        bias: B: none, a number a neuron (scalar), or a function each (function), which lets the network know places.
        head: The last map: pointwise, or another cycle (operator).
        operator_bias: Add a number to each channel of A and S in the cycles.
        lift_project: Lift the input to `width` channels at each point, and project the last layer with a small network
            at each point, as other neural operators do.
        growth: Coarser levels have more channels.
        transfer: How coarse grids lie on finer ones; see `MultigridConv2d`.
        residual_restriction: Restrict residuals; see `MultigridConv2d`.
        wrap_prolongation: Let prolongations follow the boundary condition; see `MultigridConv2d`.

    Raises:
        ValueError: if a number is out of range, a name is unknown, or `residual` is asked for with other numbers of
            functions at both ends.
    """

    layer_class: ClassVar[type[MultigridConv]] = MultigridConv2d

    def __init__(  # noqa: PLR0913 - the variants of the paper's table
        self,
        in_channels: int,
        out_channels: int,
        width: int = 24,
        num_layers: int = 4,
        cycles: Cycles = CYCLES,
        padding_mode: PaddingMode = "zeros",
        *,
        activation: Activation = "gelu",
        pointwise_skip: bool = True,
        residual: bool = False,
        norm: Norm = "none",
        bias: Bias = "scalar",
        head: Head = "pointwise",
        operator_bias: bool = False,
        lift_project: bool = False,
        growth: bool = False,
        transfer: Transfer = "cell",
        residual_restriction: bool = False,
        wrap_prolongation: bool = True,
    ) -> None:
        super().__init__()
        check_names(activation=(activation, Activation), norm=(norm, Norm), bias=(bias, Bias), head=(head, Head))
        if width < 1 or num_layers < 1:
            raise ValueError(f"width and layers must be at least 1, not {width} and {num_layers}")
        if residual and in_channels != out_channels:
            raise ValueError(
                f"the input is added to the output only where both have as many channels, not {in_channels} and "
                f"{out_channels}"
            )
        self.in_channels, self.out_channels, self.is_residual = in_channels, out_channels, residual
        n_dims = self.layer_class.n_dims

        def operator(inputs: int, outputs: int, *, has_norm: bool) -> MultigridConv:
            return self.layer_class(
                inputs,
                outputs,
                cycles,
                padding_mode,
                bias=operator_bias,
                residual_restriction=residual_restriction,
                transfer=transfer,
                wrap_prolongation=wrap_prolongation,
                norm=has_norm,
                growth=growth,
            )

        def layer(inputs: int) -> OperatorLayer:
            has_scalar = bias == "scalar"
            pointwise = CONVOLUTIONS[n_dims](inputs, width, 1, bias=has_scalar) if pointwise_skip else None
            added: nn.Module | None = None
            if bias == "function" or (has_scalar and pointwise is None):
                added = BiasFunction(width, n_dims, 1 if has_scalar else None, padding_mode)
            after = nn.GroupNorm(1, width) if norm in {"layer", "both"} else None
            cycle = operator(inputs, width, has_norm=norm in {"cycle", "both"})
            return OperatorLayer(cycle, pointwise, added, ACTIVATIONS[activation](), after)

        self.lift = CONVOLUTIONS[n_dims](in_channels, width, 1) if lift_project else None
        first = width if lift_project else in_channels
        self.layers = nn.ModuleList(layer(width if number else first) for number in range(num_layers))
        self.head: nn.Module
        if lift_project:
            wider = CONVOLUTIONS[n_dims](width, HIDDEN, 1)
            self.head = nn.Sequential(wider, ACTIVATIONS[activation](), CONVOLUTIONS[n_dims](HIDDEN, out_channels, 1))
        elif head == "operator":
            self.head = operator(width, out_channels, has_norm=False)
        else:
            self.head = CONVOLUTIONS[n_dims](width, out_channels, 1, bias=False)

    @property
    def least_size(self) -> int:
        """The fewest points along a side of the grid."""
        first: Any = self.layers[0]
        return int(first.operator.least_size)

    def forward(self, a: Float[Tensor, "b c *grid"]) -> Float[Tensor, "b d *grid"]:
        """The output functions.

        Raises:
            ValueError: if there are other channels or dimensions, or too few points.
        """
        if a.ndim != self.layer_class.n_dims + 2 or a.shape[1] != self.in_channels:
            axes = ", ".join(("height", "width")[-self.layer_class.n_dims :])
            raise ValueError(f"expected functions (batch, {self.in_channels}, {axes}), not {tuple(a.shape)}")
        h = a if self.lift is None else self.lift(a)
        for layer in self.layers:
            h = layer(h)
        u: Tensor = self.head(h)
        return a + u if self.is_residual else u

    @classmethod
    def darcy_smooth(cls, in_channels: int = 1, out_channels: int = 1) -> "MgNO":
        """As published for Darcy's equation with smooth interfaces, on 211 x 211 points: 738,573 parameters."""
        return cls(in_channels, out_channels, num_layers=5)

    @classmethod
    def darcy(cls, in_channels: int = 1, out_channels: int = 1) -> "MgNO":
        """As published for Darcy's equation with rough and multiscale coefficients: 572,661 parameters."""
        return cls(in_channels, out_channels)

    @classmethod
    def navier_stokes(cls, channels: int = 1) -> "MgNO":
        """As published for a time step of a periodic flow on 64 x 64 points."""
        return cls(
            channels,
            channels,
            width=32,
            num_layers=5,
            cycles=((1, 0),) * 3 + ((2, 0),) * 2,
            padding_mode="circular",
            pointwise_skip=False,
            residual=True,
            norm="cycle",
            bias="none",
            operator_bias=True,
        )

    @classmethod
    def helmholtz(cls, in_channels: int = 1, out_channels: int = 1) -> "MgNO":
        """As published for the Helmholtz equation on 101 x 101 points."""
        return cls(
            in_channels,
            out_channels,
            width=20,
            cycles=((1, 0),) * 4 + ((2, 0),),
            padding_mode="reflect",
            pointwise_skip=False,
            norm="layer",
            bias="none",
            head="operator",
            operator_bias=True,
            growth=True,
            transfer="vertex",
        )

    @classmethod
    def pipe(cls, in_channels: int = 2, out_channels: int = 1) -> "MgNO":
        """As published for the flow in a pipe, from the mesh's two coordinates, on 129 x 129 points."""
        return cls(in_channels, out_channels, num_layers=5, cycles=((1, 0),) * 4 + ((1, 1), (2, 0)))


class MgNO1d(MgNO):
    """The same for functions on a line: (batch, channels, points)."""

    layer_class = MultigridConv1d
