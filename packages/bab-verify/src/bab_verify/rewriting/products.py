"""Products of affine operations as matrices, in double precision, with how far rounding may have moved each element.

The network is what its file says, in real arithmetic. A product of two of its matrices is another matrix, and computed
only almost; what it may be wrong by goes with it (`Combination.perturbations`) into the bounds.
"""

import copy

import torch
from torch import Tensor

from bab_verify.graph import Node, Shape
from bab_verify.intervals import FEW, gamma
from bab_verify.operators.affine import Add, Affine, Shift
from bab_verify.operators.combination import Combination
from bab_verify.operators.rearrangements import Rearrangement


class Rows:
    """Coefficients of a node's elements in terms of another node.

    Args:
        values: (elements, *shape of the other node), in double precision.
        sizes: What the sums of products that they are would be with absolute values; the absolute values by default.
        perturbation: How far each may be from the exact one; zero by default.
        unit: Whether each row is one element, with a sign, or nothing.
    """

    def __init__(
        self, values: Tensor, sizes: Tensor | None = None, perturbation: Tensor | None = None, unit: bool = False
    ) -> None:
        self.values, self.sizes, self.perturbation, self.unit = values, sizes, perturbation, unit

    @classmethod
    def elements(cls, node: Node, device: torch.device) -> "Rows":
        """A node in terms of itself."""
        identity = torch.eye(node.size, dtype=torch.float64, device=device)
        return cls(identity.reshape(node.size, *node.shape), unit=True)

    @property
    def magnitude(self) -> Tensor:
        """At least the absolute values, with the perturbation."""
        return self.values.abs() if self.sizes is None else self.sizes

    def through(self, operator: Affine) -> "tuple[Rows, ...]":
        """The same elements in terms of the operation's inputs.

        Args:
            operator: It gives the node that these are in terms of; in double precision.
        """
        values = operator.adjoint(self.values)
        moves = isinstance(operator, Add | Shift) or (isinstance(operator, Rearrangement) and operator.n_terms == 1)
        if self.unit and not _perturbed(operator):
            return tuple(Rows(part, unit=moves) for part in values)
        if moves:
            sizes = (None,) * len(values) if self.sizes is None else absolute_adjoint(operator, self.sizes)
            perturbations = (
                (None,) * len(values) if self.perturbation is None else absolute_adjoint(operator, self.perturbation)
            )
            return tuple(map(Rows, values, sizes, perturbations))
        sizes = absolute_adjoint(operator, self.magnitude)
        share = 0.0 if self.unit else gamma(operator.n_terms + FEW, torch.float64)
        perturbations = tuple(share * part for part in sizes)
        if self.perturbation is not None:
            perturbations = tuple(
                a + b for a, b in zip(perturbations, absolute_adjoint(operator, self.perturbation), strict=True)
            )
        if isinstance(operator, Combination):
            flat = self.magnitude.flatten(1)
            perturbations = tuple(
                part if own is None else part + (flat @ own).reshape(part.shape)
                for part, own in zip(perturbations, operator.perturbations, strict=True)
            )
        return tuple(map(Rows, values, sizes, perturbations))

    def __add__(self, other: "Rows") -> "Rows":
        values, sizes = self.values + other.values, self.magnitude + other.magnitude
        perturbation = gamma(FEW, torch.float64) * sizes
        for part in (self.perturbation, other.perturbation):
            if part is not None:
                perturbation = perturbation + part
        return Rows(values, sizes, perturbation)

    def times(self, operator: Affine, shape: Shape) -> tuple[Tensor, Tensor, Tensor]:
        """What the operation's constant adds to the elements; its size, and how far it may be from the exact one."""
        constant = operator.constant()
        nothing = self.values.new_zeros(len(self.values))
        value = size = perturbation = nothing
        if constant is not None:
            flat = constant.expand(shape).reshape(-1).to(self.values)
            value, size = self.values.flatten(1) @ flat, self.magnitude.flatten(1) @ flat.abs()
            perturbation = nothing if self.unit else gamma(len(flat) + FEW, torch.float64) * size
            if self.perturbation is not None:
                perturbation = perturbation + self.perturbation.flatten(1) @ flat.abs()
        own = operator.perturbation(*(self.values.new_zeros(1, *inputs) for inputs in operator.input_shapes))
        if own is not None:
            perturbation = perturbation + self.magnitude.flatten(1) @ own.expand(1, *shape).reshape(-1)
        return value, size, perturbation


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


def _perturbed(operator: Affine) -> bool:
    return isinstance(operator, Combination) and any(part is not None for part in operator.perturbations)
