"""Products of affine operations as matrices, in double precision, with how far rounding may have moved each element.

The network is what its file says, in real arithmetic. A product of two of its matrices is another matrix, and computed
only almost; what it may be wrong by goes with it (`Combination.doubts`) into the bounds.
"""

import copy

import torch
from torch import Tensor

from bab_verify.graph import Node, Shape
from bab_verify.intervals import gamma
from bab_verify.operators.affine import Add, Affine, Combination, Shift
from bab_verify.operators.rearrangements import Rearrangement

FEW = 8


class Rows:
    """Coefficients of a node's elements in terms of another node.

    Args:
        values: (elements, *shape of the other node), in double precision.
        sizes: What the sums of products that they are would be with absolute values; the absolute values by default.
        doubt: How far each may be from the exact one; zero by default.
        unit: Whether each row is one element, with a sign, or nothing.
    """

    def __init__(
        self, values: Tensor, sizes: Tensor | None = None, doubt: Tensor | None = None, unit: bool = False
    ) -> None:
        self.values, self.sizes, self.doubt, self.unit = values, sizes, doubt, unit

    @classmethod
    def elements(cls, node: Node, device: torch.device) -> "Rows":
        """A node in terms of itself."""
        identity = torch.eye(node.size, dtype=torch.float64, device=device)
        return cls(identity.reshape(node.size, *node.shape), unit=True)

    @property
    def magnitude(self) -> Tensor:
        """At least the absolute values, with the doubt."""
        return self.values.abs() if self.sizes is None else self.sizes

    def through(self, operator: Affine) -> "tuple[Rows, ...]":
        """The same elements in terms of the operation's inputs.

        Args:
            operator: It gives the node that these are in terms of; in double precision.
        """
        values = operator.adjoint(self.values)
        moves = isinstance(operator, Add | Shift) or (isinstance(operator, Rearrangement) and operator.n_terms == 1)
        if self.unit and not _doubtful(operator):
            return tuple(Rows(part, unit=moves) for part in values)
        if moves:
            sizes = (None,) * len(values) if self.sizes is None else absolute_adjoint(operator, self.sizes)
            doubts = (None,) * len(values) if self.doubt is None else absolute_adjoint(operator, self.doubt)
            return tuple(map(Rows, values, sizes, doubts))
        sizes = absolute_adjoint(operator, self.magnitude)
        share = 0.0 if self.unit else gamma(operator.n_terms + FEW, torch.float64)
        doubts = tuple(share * part for part in sizes)
        if self.doubt is not None:
            doubts = tuple(a + b for a, b in zip(doubts, absolute_adjoint(operator, self.doubt), strict=True))
        if isinstance(operator, Combination):
            flat = self.magnitude.flatten(1)
            doubts = tuple(
                part if own is None else part + (flat @ own).reshape(part.shape)
                for part, own in zip(doubts, operator.doubts, strict=True)
            )
        return tuple(map(Rows, values, sizes, doubts))

    def __add__(self, other: "Rows") -> "Rows":
        values, sizes = self.values + other.values, self.magnitude + other.magnitude
        doubt = gamma(FEW, torch.float64) * sizes
        for part in (self.doubt, other.doubt):
            if part is not None:
                doubt = doubt + part
        return Rows(values, sizes, doubt)

    def times(self, operator: Affine, shape: Shape) -> tuple[Tensor, Tensor, Tensor]:
        """What the operation's constant adds to the elements; its size, and how far it may be from the exact one."""
        constant = operator.constant()
        nothing = self.values.new_zeros(len(self.values))
        value = size = doubt = nothing
        if constant is not None:
            flat = constant.expand(shape).reshape(-1).to(self.values)
            value, size = self.values.flatten(1) @ flat, self.magnitude.flatten(1) @ flat.abs()
            doubt = nothing if self.unit else gamma(len(flat) + FEW, torch.float64) * size
            if self.doubt is not None:
                doubt = doubt + self.doubt.flatten(1) @ flat.abs()
        own = operator.doubt(*(self.values.new_zeros(1, *inputs) for inputs in operator.input_shapes))
        if own is not None:
            doubt = doubt + self.magnitude.flatten(1) @ own.expand(1, *shape).reshape(-1)
        return value, size, doubt


def absolute_adjoint(operator: Affine, coefficients: Tensor) -> tuple[Tensor, ...]:
    """The adjoint of |L|: of the operation with absolute values of its coefficients."""
    with torch.enable_grad():
        shapes = operator.input_shapes
        at = [coefficients.new_zeros(len(coefficients), *shape, requires_grad=True) for shape in shapes]
        # Of one number: PyTorch loads a second's worth of modules to check the shapes of others.
        return torch.autograd.grad((operator.spread(*at) * coefficients).sum(), at)


def double(operator: Affine) -> Affine:
    """A copy of an operation in double precision."""
    return copy.deepcopy(operator).double()


def _doubtful(operator: Affine) -> bool:
    return isinstance(operator, Combination) and any(part is not None for part in operator.doubts)
