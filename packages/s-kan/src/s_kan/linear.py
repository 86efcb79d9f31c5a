"""The dense layer."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor
from torch.compiler import is_compiling
from torch.nn.functional import linear

from .configs import POOL, Base, Normalization, Unit
from .layer import Member, SelectableLayer
from .normalization import make_normalization
from .pool import PoolLike

LARGEST_JOINED = 2**20
"""Numbers in the expansion of a batch, above which a CPU is faster with a product for each family: joining the
expansions of large batches costs more than the products save."""


class SKANLinear(SelectableLayer):
    """A dense Kolmogorov-Arnold layer whose nodes choose among families of functions.

    y_o = Σ_d b_{o,d} silu(x_d) + Σ_p w_{p,o} s_p Σ_d Σ_i c^(p)_{o,d,i} B^(p)_i(x_d): w is a softmax over p, and the
    constants s give families the same size. Inputs should lie in about [-1, 1]: outside, splines, Gaussians and
    wavelets vanish, and waves repeat.

    Args:
        in_features: Inputs D.
        out_features: Nodes O.
        pool: Families to choose among: names, or classes of your own.
        n_basis: Functions of each family.
        unit: What chooses a family of its own: each `node`, each `edge` or the `layer`.
        base: Function of the inputs that all families share: `silu`, `identity` or `none`.
        normalization: Of the inputs: `none`, `tanh`, `layer` or `batch`.

    Raises:
        ValueError: if a number is not positive, or there is no such family, unit, base function or normalization.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        pool: PoolLike = POOL,
        n_basis: int = 8,
        unit: Unit = "node",
        base: Base = "silu",
        normalization: Normalization = "none",
    ) -> None:
        check_features(in_features, out_features)
        normalize = make_normalization(normalization, in_features)
        super().__init__(in_features, out_features, pool, n_basis, unit, base, normalize)

    def forward(self, x: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch nodes"]:
        """The layer's values.

        Raises:
            ValueError: if the last dimension of the input is not `in_features`.
        """
        if x.shape[-1] != self.n_in:
            raise ValueError(f"the layer takes {self.n_in} features, not {x.shape[-1]}")
        x = self.normalize(x)
        if self.pool is not None:
            # What is compiled or exported is for batches of any size.
            is_eager_on_cpu = x.device.type == "cpu" and not is_compiling()
            if is_eager_on_cpu and x.numel() * self.pool.n > LARGEST_JOINED:
                return self._family_by_family(x)
            return linear(self.expand(x).flatten(-2), self.weight().flatten(1))
        y = None if self.base_weight is None else linear(self.base(x), self.base_weight)
        for member in self.members:
            assert isinstance(member, Member)  # noqa: S101 - as it was made
            part = linear(member.basis(x).flatten(-2), member.weight().flatten(1))
            if y is None:
                y = part.new_zeros(*x.shape[:-1], self.n_out)
            y = y.index_add(-1, member.nodes, part) if member.is_partial else y + part
        assert y is not None  # noqa: S101 - a pruned layer keeps a member
        return y

    def _family_by_family(self, x: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch nodes"]:
        """Before pruning: the same sum, with a product for each family and one for the base function."""
        assert self.pool is not None  # noqa: S101 - the caller has seen to it
        weight = self.weight()[:, :, : self.pool.n]
        parts = [
            linear(basis(x).flatten(-2), own.flatten(1))
            for basis, own in zip(self.pool.bases, weight.split(self.pool.sizes, 2), strict=True)
        ]
        if self.base_weight is not None:
            parts.append(linear(self.base(x), self.base_weight))
        return sum(parts[1:], parts[0])


def check_features(n_in: int, n_out: int) -> None:
    """See that a layer has inputs and nodes.

    Raises:
        ValueError: if there are none.
    """
    if min(n_in, n_out) < 1:
        raise ValueError(f"a layer needs at least 1 input and 1 node, not {n_in} and {n_out}")


def check_widths(widths: Sequence[int]) -> Sequence[int]:
    """The widths of a network, if they can be.

    Raises:
        ValueError: if there are fewer than two, or one is not positive.
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"a network needs two or more positive widths, inputs first, outputs last, not {list(widths)}")
    return widths


def loop_over_members(layer: SKANLinear, x: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch nodes"]:
    """The same before pruning, as the definition says it: a product for each family, weighted and summed.

    For comparison alone; `layer(x)` needs one product, unless the batch is large and on a CPU.

    Raises:
        ValueError: if the layer is pruned.
    """
    if layer.pool is None or layer.coefficients is None or layer.select is None:
        raise ValueError("this layer has already been pruned")
    x = layer.normalize(x)
    total = x.new_zeros(()) if layer.base_weight is None else linear(layer.base(x), layer.base_weight)
    parts = (layer.coefficients * layer.scale).split(layer.pool.sizes, 2)
    for basis, part, weight in zip(layer.pool.bases, parts, layer.select(), strict=True):
        own = part * weight[..., None]
        total = total + linear(basis(x).flatten(-2), own.flatten(1))
    return total
