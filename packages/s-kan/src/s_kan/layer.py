"""A layer whose units choose among families: what the dense and the convolutional one share."""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import silu

from .bases.base import Basis
from .configs import Base, Unit
from .pool import Pool, PoolLike, make_pool
from .selection import Selection, units_of

MASK = "kept"
"""Name of the buffer that says which members each unit keeps."""


class BaseFunction(nn.Module):
    """The function of the inputs that every family shares: SiLU, the identity, or none.

    Raises:
        ValueError: if it is none of these.
    """

    def __init__(self, kind: Base) -> None:
        super().__init__()
        if kind not in {"silu", "identity", "none"}:
            raise ValueError(f"the base function is silu, identity or none, not '{kind}'")
        self.kind = kind

    @property
    def is_there(self) -> bool:
        """Whether there is one."""
        return self.kind != "none"

    def forward(self, x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Its value."""
        return silu(x) if self.kind == "silu" else x


class Member(nn.Module):
    """A family after pruning: the coefficients of the units that keep it, and no others.

    Args:
        basis: The family.
        coefficients: Of the units that keep it: (nodes, inputs, functions, *kernel), or (edges, functions, *kernel)
            where edges choose.
        kept: The units that keep it, with a length of 1 where they share.
        shape: Nodes and inputs of the layer.
        is_by_edge: Whether edges choose.
    """

    nodes: Tensor
    edges: Tensor

    def __init__(
        self,
        basis: Basis,
        coefficients: Tensor,
        kept: Bool[Tensor, "nodes inputs"],
        shape: tuple[int, int],
        *,
        is_by_edge: bool,
    ) -> None:
        super().__init__()
        self.basis, self.shape, self.is_by_edge = basis, shape, is_by_edge
        self.coefficients = nn.Parameter(coefficients)
        self.is_partial = not is_by_edge and not bool(kept.all())
        self.register_buffer("nodes", kept.expand(shape[0], -1).any(1).nonzero()[:, 0], persistent=False)
        self.register_buffer("edges", kept.flatten().nonzero()[:, 0], persistent=False)

    def weight(self) -> Tensor:
        """Coefficients (nodes, inputs, functions, *kernel): of all nodes if edges choose, or of those that keep it."""
        if not self.is_by_edge:
            return self.coefficients
        n_out, n_in = self.shape
        dense = self.coefficients.new_zeros(n_out * n_in, *self.coefficients.shape[1:])
        return dense.index_copy(0, self.edges, self.coefficients).unflatten(0, (n_out, n_in))


class SelectableLayer(nn.Module):
    """y_o = b_o(x) + Σ_p w_{p,o} s_p Φ^(p)_o(x), the sum over the members of a pool of families.

    The constants s give the families the same size; they are 1 where there is only one. Before pruning, all members are
    one expansion, and w and s are folded into their coefficients: one product. Afterwards, each unit has the
    coefficients of the members that it keeps, multiplied by s and their last weights, so that the function of what is
    kept does not jump; the others are no longer there.

    The state says what was kept: `load_state_dict` of a pruned layer's state prunes a new layer likewise.

    Args:
        n_in: Inputs D.
        n_out: Nodes O.
        pool: Families to choose among: names, or classes of your own.
        n_basis: Functions of each family.
        unit: What chooses a family of its own: each `node`, each `edge` or the `layer`.
        base: Function of the inputs that is added to the sum and never pruned.
        normalize: Brings the inputs into the range of the families.
        kernel: Shape of the window of a convolution.

    Attributes:
        coefficients: Before pruning, (nodes, inputs, functions of all families, *kernel).
        base_weight: Weights of the base function, (nodes, inputs, *kernel).
        members: After pruning, the families that are kept.

    Raises:
        ValueError: if the pool is empty or a family cannot be had, or there is no such unit or base function.
    """

    kept: Tensor
    member: Tensor
    scale: Tensor

    def __init__(
        self,
        n_in: int,
        n_out: int,
        pool: PoolLike,
        n_basis: int,
        unit: Unit,
        base: Base,
        normalize: nn.Module | None,
        kernel: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.n_in, self.n_out, self.unit, self.kernel = n_in, n_out, unit, kernel
        self.normalize = nn.Identity() if normalize is None else normalize
        self.base = BaseFunction(base)
        units = units_of(unit, n_out, n_in)
        made = make_pool(pool, n_basis)
        self.pool: Pool | None = made
        self.names = tuple(made.names)
        if len(self.names) == 1:
            warnings.warn(f"a pool of {self.names[0]} alone leaves nothing to select", stacklevel=3)
        self.select: Selection | None = Selection(len(self.names), units)
        fan_in = n_in * math.prod(kernel)
        shape = (n_out, n_in, made.n, *kernel)
        self.coefficients: nn.Parameter | None = nn.Parameter(torch.randn(shape) * (0.1 / math.sqrt(fan_in)))
        self.base_weight = nn.Parameter(make_base_weight(n_out, n_in, kernel)) if self.base.is_there else None
        self.members = nn.ModuleList()
        self.register_buffer("member", made.member(), persistent=False)
        self.register_buffer("scale", made.scale(), persistent=False)
        self.register_buffer(MASK, torch.ones(len(self.names), *units, dtype=torch.bool))

    # ---- what is chosen

    @property
    def is_pruned(self) -> bool:
        """Whether the members that no unit keeps are gone."""
        return self.select is None

    def selection(self) -> Float[Tensor, "members units"]:
        """The weight of each member in each unit; after pruning, 1 for what it keeps and 0 for what it does not."""
        if self.select is None:
            return self.kept.flatten(1).to(self.dtype)
        return self.select.soft().detach().flatten(1)

    def set_temperature(self, tau: float) -> None:
        """Set the temperature of the weights; nothing after pruning.

        Raises:
            ValueError: if it is not positive.
        """
        if self.select is not None:
            self.select.set_temperature(tau)

    def chosen(self) -> list[str]:
        """The family of each unit: the one of the largest weight, or those that it keeps, joined by `+`.

        Units are counted as nodes, or as edges (node by node).
        """
        mask = self.kept if self.select is None else self.select.largest()
        columns = mask.flatten(1).T.tolist()
        return ["+".join(name for name, is_kept in zip(self.names, one, strict=True) if is_kept) for one in columns]

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the layer."""
        return next(self.parameters()).dtype

    # ---- pruning

    def prune(self, top_k: int = 1) -> None:
        """Keep, in each unit, the members of the largest weights, and delete the others with their parameters.

        An optimizer must be made anew afterwards.

        Args:
            top_k: Members that each unit keeps.

        Raises:
            ValueError: if the layer is pruned already, or the pool has fewer members.
        """
        if self.select is None:
            raise ValueError("this layer has already been pruned")
        if len(self.names) > 1 and self.select.is_undecided():
            warnings.warn(
                "the layer is pruned before any selection: all weights are equal, and the first family is kept",
                stacklevel=2,
            )
        self.keep(self.select.largest(top_k))

    @torch.no_grad()
    def keep(self, kept: Bool[Tensor, "members nodes inputs"]) -> None:
        """Keep these members in each unit, and delete the others, whatever their weights.

        Raises:
            ValueError: if the layer is pruned already, or the mask is of another layer.
        """
        if self.select is None or self.pool is None or self.coefficients is None:
            raise ValueError("this layer has already been pruned")
        if kept.shape != self.kept.shape:
            raise ValueError(f"the layer has units {tuple(self.kept.shape)}, not {tuple(kept.shape)}")
        is_training = self.select.training
        weights = self.select.eval()()
        self.select.train(is_training)
        folded = self.coefficients * self._spread(weights)
        parts = folded.split(self.pool.sizes, 2)
        for basis, part, mask in zip(self.pool.bases, parts, kept, strict=True):
            if bool(mask.any()):
                shape, is_by_edge = (self.n_out, self.n_in), self.unit == "edge"
                own = self._of_units(part, mask)
                self.members.append(Member(basis, own, mask, shape, is_by_edge=is_by_edge))  # type: ignore[arg-type] # a family
        self.kept = kept.clone()
        self.pool = self.select = self.coefficients = None

    def _of_units(self, part: Tensor, mask: Bool[Tensor, "nodes inputs"]) -> Tensor:
        """The coefficients of a member in the units that keep it."""
        if self.unit == "edge":
            return part[mask].clone()
        return part[mask.expand(self.n_out, 1)[:, 0]].clone()

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *arguments: Any) -> None:  # noqa: ANN401 - passed on
        mask = state_dict.get(prefix + MASK)
        is_whole = f"{prefix}coefficients" in state_dict
        if not self.is_pruned and not is_whole and mask is not None and mask.shape == self.kept.shape:
            self.keep(mask.bool().to(self.kept.device))
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def within(self, names: Sequence[str]) -> None:
        """After pruning: say what was kept as a choice from a larger pool, as if it had been chosen from that.

        Args:
            names: The larger pool; it has the families of this one in the same order, and others.

        Raises:
            ValueError: if the layer is not pruned, or the pool does not have its families in their order.
        """
        if not self.is_pruned:
            raise ValueError("only a pruned layer can be seen as one of a larger pool")
        if [name for name in names if name in self.names] != list(self.names):
            raise ValueError(f"the pool {', '.join(names)} does not have {', '.join(self.names)} in this order")
        kept = self.kept.new_zeros(len(names), *self.kept.shape[1:])
        kept[[list(names).index(name) for name in self.names]] = self.kept
        self.names, self.kept = tuple(names), kept

    # ---- computing

    def _spread(self, weights: Float[Tensor, "members nodes inputs"]) -> Tensor:
        """The weight and scale of each function, (nodes or 1, inputs or 1, functions, 1, ...)."""
        each = weights[self.member].movedim(0, -1) * self.scale
        return each[(..., *(None for _ in self.kernel))]

    def weight(self) -> Float[Tensor, "nodes inputs functions *kernel"]:
        """Before pruning: the scaled coefficients of all families, times their weights, and then those of the base.

        Raises:
            ValueError: after pruning.
        """
        if self.coefficients is None or self.select is None:
            raise ValueError("a pruned layer has a weight for each of its members")
        folded = self.coefficients * self._spread(self.select())
        return folded if self.base_weight is None else torch.cat([folded, self.base_weight[:, :, None]], 2)

    def expand(self, x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """Before pruning: the functions of all families, and then the base function.

        Raises:
            ValueError: after pruning.
        """
        if self.pool is None:
            raise ValueError("a pruned layer expands each of its members by itself")
        if not self.base.is_there:
            return self.pool(x)
        # One copy instead of two.
        return torch.cat([*(basis(x) for basis in self.pool.bases), self.base(x)[..., None]], -1)


def make_base_weight(n_out: int, n_in: int, kernel: tuple[int, ...] = ()) -> Float[Tensor, "nodes inputs *kernel"]:
    """Initial weights of a base function: those of a linear layer, uniform within 1/sqrt(fan in)."""
    weight = torch.empty(n_out, n_in, *kernel)
    bound = 1 / math.sqrt(n_in * math.prod(kernel))
    return weight.uniform_(-bound, bound)
