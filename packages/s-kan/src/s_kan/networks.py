"""Networks whose nodes choose among families of functions."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .configs import POOL, Base, Normalization, Unit
from .convolution import SKANConv2d
from .layer import SelectableLayer
from .linear import SKANLinear, check_widths
from .pool import PoolLike


def selectable_layers(model: nn.Module) -> list[SelectableLayer]:
    """The layers of any module whose units choose among families, in their order."""
    return [module for module in model.modules() if isinstance(module, SelectableLayer)]


def prune_layers(layers: Sequence[SelectableLayer], top_k: int = 1) -> None:
    """Prune all of the layers, or none if one of them cannot be.

    Raises:
        ValueError: if a layer is pruned already, or a pool has fewer families.
    """
    if any(layer.is_pruned for layer in layers):
        raise ValueError("the network has layers that have already been pruned")
    check_top_k(layers, top_k)
    for layer in layers:
        layer.prune(top_k)


def check_top_k(layers: Sequence[SelectableLayer], top_k: int) -> None:
    """See that every unit can keep so many families.

    Raises:
        ValueError: if a pool has fewer.
    """
    fewest = min((len(layer.names) for layer in layers), default=top_k)
    if not 1 <= top_k <= fewest:
        raise ValueError(f"a unit can keep 1 to {fewest} members of its pool, not {top_k}")


class Selectable(nn.Module):
    """A network with layers whose units choose among families."""

    def chosen(self) -> list[list[str]]:
        """For each layer, the family of each unit: of the largest weight, or that it keeps."""
        return [layer.chosen() for layer in selectable_layers(self)]

    def set_temperature(self, tau: float) -> None:
        """Set the temperature of all weights.

        Raises:
            ValueError: if it is not positive.
        """
        for layer in selectable_layers(self):
            layer.set_temperature(tau)

    def prune(self, top_k: int = 1) -> None:
        """Keep the families of the largest weights in each unit, and delete the others with their parameters.

        An optimizer must be made anew afterwards.

        Raises:
            ValueError: if a layer is pruned already, or a pool has fewer families; no layer is pruned then.
        """
        prune_layers(selectable_layers(self), top_k)

    @property
    def is_pruned(self) -> bool:
        """Whether the families that no unit keeps are gone."""
        return all(layer.is_pruned for layer in selectable_layers(self))


class SKAN(Selectable):
    """A Kolmogorov-Arnold network of dense layers whose nodes choose among families of functions.

    Before pruning, it computes mixtures of all families. `fit`, or `StageSchedule` in a loop of your own, trains it in
    three stages, the last of which trains what is kept.

    Args:
        widths: Inputs, hidden nodes of each layer, outputs.
        pool: Families to choose among: names, or classes of your own; or a sequence of such for each layer.
        n_basis: Functions of each family on each edge.
        unit: What chooses a family of its own: each `node`, each `edge` or each `layer`.
        base: Function of the inputs that all families share: `silu`, `identity` or `none`.
        normalization: Of the inputs of each layer: `none`, `tanh`, `layer` or `batch`.

    Raises:
        ValueError: if there are fewer than two widths, one is not positive, there are pools for another number of
            layers, or no such family, unit, base function or normalization.
    """

    def __init__(
        self,
        widths: Sequence[int],
        pool: PoolLike | Sequence[PoolLike] = POOL,
        n_basis: int = 8,
        unit: Unit = "node",
        base: Base = "silu",
        normalization: Normalization = "none",
    ) -> None:
        super().__init__()
        check_widths(widths)
        self.layers = nn.Sequential(
            *(
                SKANLinear(n_in, n_out, own, n_basis, unit, base, normalization)
                for (n_in, n_out), own in zip(pairwise(widths), pools_of(pool, len(widths) - 1), strict=True)
            )
        )

    def forward(self, x: Float[Tensor, "batch *features"]) -> Float[Tensor, "batch outputs"]:
        """The outputs; every sample is flattened first."""
        return self.layers(x.flatten(1))


def pools_of(pool: PoolLike | Sequence[PoolLike], n_layers: int) -> Sequence[PoolLike]:
    """The pool of each layer.

    Raises:
        ValueError: if there are pools for another number of layers.
    """
    if isinstance(pool, str) or not pool or isinstance(pool[0], str) or callable(pool[0]):
        return [pool] * n_layers  # type: ignore[list-item] # one pool
    if len(pool) != n_layers:
        raise ValueError(f"there must be a pool for each of {n_layers} layers, not {len(pool)}")
    return pool  # type: ignore[return-value] # one for each layer


MakeConvolution = Callable[[int, int, int], nn.Module]
"""Makes the convolution of a number, from so many channels to so many, that keeps the size of images."""


class ImageNetwork(Selectable):
    """Blocks of a convolution, batch normalization and pooling by two; then the mean over pixels and a linear layer.

    Images are batch-normalized first, which brings them into the range of the families. Pooling stops before an image
    would vanish.

    Args:
        in_channels: Channels of the images.
        n_classes: Number of logits.
        channels: Channels of each block.
        make: Makes a block's convolution, given its number and its channels.
        activation: Between batch normalization and pooling, for convolutions that are linear.
        dropout: Share of the features that is dropped before the linear layer, in training.

    Raises:
        ValueError: if there is no block, or the share is not in [0, 1).
    """

    def __init__(
        self,
        in_channels: int,
        n_classes: int,
        channels: Sequence[int],
        make: MakeConvolution,
        activation: Callable[[], nn.Module] = nn.Identity,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        if not channels or min(channels) < 1:
            raise ValueError(f"there must be a positive number of channels for each block, not {list(channels)}")
        if not 0 <= dropout < 1:
            raise ValueError(f"the share of dropped features must be at least 0 and below 1, not {dropout}")
        self.normalize = nn.BatchNorm2d(in_channels)
        blocks = [
            nn.Sequential(make(number, n_in, n_out), nn.BatchNorm2d(n_out), activation())
            for number, (n_in, n_out) in enumerate(pairwise([in_channels, *channels]))
        ]
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels[-1], n_classes))

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """The logits."""
        x = self.normalize(x)
        for block in self.blocks:
            x = block(x)
            if min(x.shape[2:]) >= 2:
                x = torch.nn.functional.max_pool2d(x, 2)
        return self.head(x.mean((2, 3)))


class SConvKAN(ImageNetwork):
    """Convolutions whose channels choose among families of functions.

    Args:
        in_channels: Channels of the images.
        n_classes: Number of logits.
        channels: Channels of each block.
        pool: Families to choose among: names, or classes of your own; or a sequence of such for each block.
        n_basis: Functions of each family.
        unit: What chooses a family of its own: each `node` (channel), each `edge` or each `layer`.
        base: Function of the inputs that all families share: `silu`, `identity` or `none`.
        dropout: Share of the features that is dropped before the linear layer, in training.

    Raises:
        ValueError: if there is no block, or no such family, unit or base function.
    """

    def __init__(
        self,
        in_channels: int,
        n_classes: int,
        channels: Sequence[int] = (16, 32, 64, 128),
        pool: PoolLike | Sequence[PoolLike] = POOL,
        n_basis: int = 8,
        unit: Unit = "node",
        base: Base = "silu",
        dropout: float = 0.25,
    ) -> None:
        pools = pools_of(pool, len(channels))

        def make(number: int, n_in: int, n_out: int) -> nn.Module:
            return SKANConv2d(n_in, n_out, 3, padding="same", pool=pools[number], n_basis=n_basis, unit=unit, base=base)

        super().__init__(in_channels, n_classes, channels, make, dropout=dropout)
