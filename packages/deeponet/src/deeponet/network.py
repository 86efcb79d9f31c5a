"""The deep operator network: a branch for the input function, a trunk for the point, and their product."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .configs import Activation, Strategy
from .fnn import FNN, check_points, check_sizes, mismatch
from .outputs import features_per_output, groups, merge_grid, merge_rows
from .stacked import StackedBranch, StackedMLP


class DeepONet(nn.Module):
    """A network of functions: G(u)(y) = sum_k b_k(u(x_1), ..., u(x_m)) t_k(y) + b_0.

    The branch b is activated on its hidden layers, the trunk t on every layer; weights begin as Glorot's normal
    distribution, biases at zero. Do not use it where the sensors of the input functions differ: they are always the
    same m points.

    Args:
        branch: Sizes m, hidden widths, and p; or your own module, which gives a row of features for each function,
            whatever it takes.
        trunk: Sizes d, hidden widths, and p; or your own module, from (..., d) to (..., features).
        n_outputs: Values at each point.
        strategy: How several outputs are made; see `deeponet.outputs.groups`. With `split_both`, `split_branch` and
            `split_trunk` the last sizes are those of all outputs together.
        bias: Whether the trainable number b_0 is added to each output, which helps in practice, though the theorem does
            without it. A stacked branch without it has no biases in its last layer either.
        activation: Name of the activation, where sizes are given.
        stacked: Whether the branch is p separate networks (`StackedBranch`) instead of one.

    Raises:
        ValueError: if the widths of branch and trunk do not fit each other, a size is not positive, or an option does
            not apply to modules of your own.
    """

    def __init__(
        self,
        branch: Sequence[int] | nn.Module,
        trunk: Sequence[int] | nn.Module,
        *,
        n_outputs: int = 1,
        strategy: Strategy = "independent",
        bias: bool = True,
        activation: Activation = "relu",
        stacked: bool = False,
    ) -> None:
        super().__init__()
        self.n_outputs, self.strategy, self.activation, self.is_stacked = n_outputs, strategy, activation, stacked
        self.groups = groups(strategy, n_outputs)
        self.sizes: tuple[tuple[int, ...], tuple[int, ...]] | None = None
        _check_modules(branch, trunk, strategy, n_outputs, stacked=stacked)
        if not isinstance(branch, nn.Module) and not isinstance(trunk, nn.Module):
            check_sizes(branch)
            check_sizes(trunk)
            features_per_output(strategy, n_outputs, branch[-1], trunk[-1])
            self.sizes = (tuple(branch), tuple(trunk))
        n_networks = n_outputs if strategy == "independent" else 1
        self.branch = (
            branch
            if isinstance(branch, nn.Module)
            else _make_branch(branch, activation, n_networks, stacked=stacked, has_last_bias=bias)
        )
        self.trunk = trunk if isinstance(trunk, nn.Module) else _make_trunk(trunk, activation, n_networks)
        self.n_sensors = None if isinstance(branch, nn.Module) else branch[0]
        self.n_coordinates = None if isinstance(trunk, nn.Module) else trunk[0]
        self.bias = nn.Parameter(torch.zeros(n_outputs)) if bias else None

    def forward(
        self, u: Float[Tensor, "batch *sensors"], y: Float[Tensor, "n *points coordinates"]
    ) -> Float[Tensor, "batch ..."]:
        """G(u)(y) for each function at its own point, or at its own points.

        Args:
            u: Values of each function at the sensors.
            y: A point for each function, (batch, d), or several, (batch, points, d).

        Returns:
            (batch, outputs) for one point each; (batch, points), or (batch, points, outputs) where there are several
            outputs, for several.

        Raises:
            ValueError: if u or y has other sizes than the network, or they differ in number or type.
        """
        check_points(y, own=True)
        self._check(u, y)
        if u.shape[0] != y.shape[0]:
            raise ValueError(mismatch(u, y))
        values = merge_rows(*self._features(u, y))
        return self._output(values, is_row=y.ndim == 2)

    def grid(
        self, u: Float[Tensor, "batch *sensors"], y: Float[Tensor, "points coordinates"]
    ) -> Float[Tensor, "batch points ..."]:
        """G(u)(y) of every function at every point: branch and trunk are computed once for each of theirs.

        Args:
            u: Values of each function at the sensors.
            y: The points.

        Returns:
            (batch, points), or (batch, points, outputs) where there are several outputs.

        Raises:
            ValueError: if u or y has other sizes than the network, or another type.
        """
        check_points(y, own=False)
        self._check(u, y)
        return self._output(merge_grid(*self._features(u, y)))

    def _features(self, u: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Features of functions and points in groups of p, (..., groups, p)."""
        branch, trunk = self.branch(u), self.trunk(y)
        of_branch, of_trunk = self.groups
        if branch.ndim != 2 or branch.shape[0] != u.shape[0] or trunk.shape[:-1] != y.shape[:-1]:
            raise ValueError(
                f"branch and trunk must give a row of features for each function and point, not the shapes "
                f"{tuple(branch.shape)} and {tuple(trunk.shape)}"
            )
        if branch.shape[-1] * of_trunk != trunk.shape[-1] * of_branch:
            features_per_output(self.strategy, self.n_outputs, branch.shape[-1], trunk.shape[-1])
        return branch.unflatten(-1, (of_branch, -1)), trunk.unflatten(-1, (of_trunk, -1))

    def _output(self, values: Tensor, *, is_row: bool = False) -> Tensor:
        if self.bias is not None:
            values = values + self.bias
        return values if is_row or self.n_outputs > 1 else values.squeeze(-1)

    def _check(self, u: Tensor, y: Tensor) -> None:
        if self.n_sensors is not None and (u.ndim != 2 or u.shape[1] != self.n_sensors):
            given = u.shape[1] if u.ndim == 2 else f"the shape {tuple(u.shape)}"
            raise ValueError(f"the branch expects m={self.n_sensors} sensor values, got {given}")
        if self.n_coordinates is not None and y.shape[-1] != self.n_coordinates:
            raise ValueError(f"the trunk expects points of d={self.n_coordinates} coordinates, got {y.shape[-1]}")
        own = next(self.parameters(), u)
        kinds = {"u": u, "y": y, "the network": own}
        if len({(one.dtype, one.device) for one in kinds.values()}) > 1:
            told = ", ".join(f"{name} is {one.dtype} on {one.device}" for name, one in kinds.items())
            raise ValueError(f"functions, points and network must be of one type on one device: {told}")


def _check_modules(
    branch: Sequence[int] | nn.Module,
    trunk: Sequence[int] | nn.Module,
    strategy: Strategy,
    n_outputs: int,
    *,
    stacked: bool,
) -> None:
    if stacked and isinstance(branch, nn.Module):
        raise ValueError("a stacked branch is made from sizes; give them, or your own module without stacked=True")
    own = isinstance(branch, nn.Module) or isinstance(trunk, nn.Module)
    if own and strategy == "independent" and n_outputs > 1:
        raise ValueError(
            "independent networks are made from sizes; with your own module, choose a strategy of splitting"
        )


def _make_branch(
    sizes: Sequence[int], activation: Activation, n_networks: int, *, stacked: bool, has_last_bias: bool
) -> nn.Module:
    if stacked:
        return StackedBranch([*sizes[:-1], n_networks * sizes[-1]], activation, has_last_bias=has_last_bias)
    if n_networks > 1:
        return StackedMLP(n_networks, sizes, activation)
    return FNN(sizes, activation)


def _make_trunk(sizes: Sequence[int], activation: Activation, n_networks: int) -> nn.Module:
    if n_networks > 1:
        return StackedMLP(n_networks, sizes, activation, activates_last=True)
    return FNN(sizes, activation, activates_last=True)
