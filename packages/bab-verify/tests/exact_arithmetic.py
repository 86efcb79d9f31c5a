"""Networks in exact rational arithmetic: numbers with a power of two as denominator, which all floats are.

A `Dyadic` is an array of Python's integers over one power of two: what `fractions.Fraction` computes, in a tenth of the
time.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch

from bab_verify.operators.affine import Affine, Dense
from bab_verify.operators.combination import Combination
from bab_verify.operators.convex import Absolute, Square
from bab_verify.operators.product import Product
from bab_verify.operators.relu import Relu


@dataclass(frozen=True, eq=False)
class Dyadic:
    """Integers (n, size) over 2^places."""

    ints: np.ndarray
    places: int

    def to(self, places):
        """Over a larger power."""
        return self.ints if places == self.places else self.ints * (1 << (places - self.places))

    def __add__(self, other):
        places = max(self.places, other.places)
        return Dyadic(self.to(places) + other.to(places), places)

    def __neg__(self):
        return Dyadic(-self.ints, self.places)

    def __sub__(self, other):
        return self + -other

    def __mul__(self, other):
        return Dyadic(self.ints * other.ints, self.places + other.places)

    def __matmul__(self, other):
        return Dyadic(self.ints @ other.ints, self.places + other.places)

    def __abs__(self):
        return Dyadic(np.abs(self.ints), self.places)

    def __le__(self, other):
        places = max(self.places, other.places)
        return (self.to(places) <= other.to(places)).astype(bool)

    def __getitem__(self, index):
        return Dyadic(self.ints[index], self.places)

    @property
    def T(self):
        return Dyadic(self.ints.T, self.places)

    def relu(self):
        return Dyadic(np.maximum(self.ints, 0), self.places)

    def floats(self):
        """The nearest float64 to each."""
        return np.array([x / (1 << self.places) for x in self.ints.ravel()], float).reshape(self.ints.shape)

    def sum(self, axis):
        return Dyadic(self.ints.sum(axis), self.places)


def exact(x):
    """Floats, which must be finite, as they are."""
    x = x.detach().double().numpy() if isinstance(x, torch.Tensor) else np.asarray(x, float)
    mantissa, power = np.frexp(x)
    ints, power = (mantissa * 2.0**53).astype(np.int64), np.where(x == 0, 0, 53 - power)
    found = []
    for n, places in zip(ints.ravel().tolist(), power.ravel().tolist()):
        # Zeros at the end would only make the numbers long.
        zeros = (n & -n).bit_length() - 1 if n else places
        found.append((n >> zeros if n else 0, places - zeros))
    places = max((place for _, place in found), default=0)
    places = max(places, 0)
    out = np.empty(x.size, object)
    out[:] = [n << (places - place) for n, place in found]
    return Dyadic(out.reshape(x.shape), places)


def matrices(operator):
    """An affine operation as a matrix (output size, input size) for each input, and its constant (output size,)."""
    if isinstance(operator, Dense) and len(operator.input_shapes[0]) == 1:
        weights = [operator.weight]
    elif isinstance(operator, Combination):
        weights = list(operator.weights)
    else:
        operator = copy.deepcopy(operator).double()
        weights = []
        for i, shape in enumerate(operator.input_shapes):
            size = int(np.prod(shape))
            units = [torch.zeros(size, *other, dtype=torch.float64) for other in operator.input_shapes]
            units[i] = torch.eye(size, dtype=torch.float64).reshape(size, *shape)
            # One weight times one and nothing else: no rounding.
            weights.append(operator.linear(*units).flatten(1).T)
    constant = operator.constant()
    if constant is not None and not isinstance(operator, Dense | Combination):
        outputs = operator.linear(*(torch.zeros(1, *shape, dtype=torch.float64) for shape in operator.input_shapes))
        constant = constant.expand(outputs.shape[1:])
    return weights, None if constant is None else constant.reshape(-1)


def applied(operator, inputs):
    """An operation at inputs (n, size)."""
    if isinstance(operator, Affine):
        weights, constant = matrices(operator)
        total = Dyadic(np.zeros((1, 1), object), 0) if constant is None else exact(constant)[None]
        for x, weight in zip(inputs, weights):
            total = total + x @ exact(weight).T
        return total
    (x, *rest) = inputs
    if isinstance(operator, Relu):
        return x.relu()
    if isinstance(operator, Absolute):
        return abs(x)
    if isinstance(operator, Square):
        return x * x
    assert isinstance(operator, Product), f"{type(operator).__name__} has no exact value"
    return x * rest[0]


def exact_values(graph, x):
    """The value (n, size) of every node at inputs x (n, inputs)."""
    values = [x if isinstance(x, Dyadic) else exact(x)]
    for node in graph.nodes[1:]:
        values.append(applied(node.operator, [values[source] for source in node.inputs]))
    return values


def at_most(bound, value):
    """Whether bounds, floats of which some may be infinite, are at most exact values: an array of the values' shape."""
    bound = bound.detach().double().numpy()
    bound = np.broadcast_to(bound, value.ints.shape)
    assert not np.isnan(bound).any(), "a bound is no number"
    finite = np.isfinite(bound)
    return np.where(finite, exact(np.where(finite, bound, 0.0)) <= value, bound < 0)
