"""What is to be shown: input boxes, and the outputs that are unsafe over them."""

from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class SpecificationError(ValueError):
    """A specification that cannot be, or a file that does not hold one."""


def _double(owner: object, *names: str) -> None:
    """Convert fields to float64, on the CPU."""
    for name in names:
        object.__setattr__(owner, name, torch.as_tensor(getattr(owner, name)).detach().to("cpu", torch.float64))


@dataclass(frozen=True, eq=False)
class Clause:
    """Unsafe outputs: those with C y <= d, in every row. Without rows, every output is unsafe.

    Args:
        C: Coefficients, (rows, outputs).
        d: Right-hand sides, (rows,).
    """

    C: Float[Tensor, "rows outputs"]
    d: Float[Tensor, "rows"]

    def __post_init__(self) -> None:
        _double(self, "C", "d")
        if not (self.C.isfinite().all() and self.d.isfinite().all()):
            raise SpecificationError("a constraint on the outputs holds NaN or infinity")

    def violation(self, y: Float[Tensor, "*batch outputs"]) -> Float[Tensor, "*batch"]:
        """The largest element of C y - d: not positive where the output is unsafe; minus infinity without rows."""
        return _largest(y.to(torch.float64) @ self.C.T - self.d)

    def holds(self, y: Float[Tensor, "outputs"]) -> bool:
        """Whether an output is unsafe, decided in exact arithmetic."""
        size = y.abs().to(torch.float64) @ self.C.abs().T + self.d.abs()
        if bool((y.to(torch.float64) @ self.C.T - self.d > 1e-9 * size).any()):
            return False
        values = [Fraction(value) for value in y.tolist()]
        for row, right in zip(self.C, self.d.tolist(), strict=True):
            terms = row.nonzero().flatten().tolist()
            if sum(Fraction(row[j].item()) * values[j] for j in terms) > Fraction(right):
                return False
        return True


@dataclass(frozen=True, eq=False)
class Query:
    """One box of inputs and the outputs that are unsafe over it: those of any clause.

    Args:
        lower: Smallest inputs, (inputs,), in the order of the flattened input.
        upper: Largest inputs.
        clauses: At least one.
    """

    lower: Float[Tensor, "inputs"]
    upper: Float[Tensor, "inputs"]
    clauses: tuple[Clause, ...]

    def __post_init__(self) -> None:
        _double(self, "lower", "upper")
        if not (self.lower.isfinite().all() and self.upper.isfinite().all()):
            raise SpecificationError("a bound of the input is NaN or infinite")
        empty = (self.lower > self.upper).nonzero()
        if len(empty):
            i = int(empty[0])
            raise SpecificationError(
                f"the lower bound of X_{i}, {self.lower[i].item()}, is above its upper bound, {self.upper[i].item()}"
            )
        if not self.clauses:
            raise SpecificationError("a query needs at least one clause")
        if len({clause.C.shape[1] for clause in self.clauses}) > 1:
            raise SpecificationError("the clauses of a query are about outputs of different sizes")

    @property
    def n_inputs(self) -> int:
        """How many inputs."""
        return self.lower.numel()

    @property
    def n_outputs(self) -> int:
        """How many outputs."""
        return self.clauses[0].C.shape[1]

    def violation(
        self, x: Float[Tensor, "*batch inputs"], y: Float[Tensor, "*batch outputs"]
    ) -> Float[Tensor, "*batch"]:
        """The smallest violation of a clause, or how far the input is outside the box if that is more."""
        x = x.to(torch.float64)
        outside = torch.maximum(_largest(self.lower - x), _largest(x - self.upper))
        return torch.maximum(outside, torch.stack([clause.violation(y) for clause in self.clauses]).amin(0))


@dataclass(frozen=True, eq=False)
class Specification:
    """A disjunction of queries: it is satisfied if some input in some box has an output that is unsafe there.

    As everywhere in the field it states the negation of the property: `unsat` means that the network is safe.

    Args:
        queries: At least one; all about the same numbers of inputs and outputs.
    """

    queries: tuple[Query, ...]

    def __post_init__(self) -> None:
        if not self.queries:
            raise SpecificationError("a specification needs at least one query")
        if len({(query.n_inputs, query.n_outputs) for query in self.queries}) > 1:
            raise SpecificationError("the queries of a specification are about inputs or outputs of different sizes")

    @property
    def n_inputs(self) -> int:
        """How many inputs."""
        return self.queries[0].n_inputs

    @property
    def n_outputs(self) -> int:
        """How many outputs."""
        return self.queries[0].n_outputs

    def violation(
        self, x: Float[Tensor, "*batch inputs"], y: Float[Tensor, "*batch outputs"]
    ) -> Float[Tensor, "*batch"]:
        """How far points are from being counterexamples; not positive for counterexamples.

        Args:
            x: Inputs.
            y: Outputs of the network at them.
        """
        return torch.stack([query.violation(x, y) for query in self.queries]).amin(0)

    def satisfied(
        self, x: Float[Tensor, "*batch inputs"], y: Float[Tensor, "*batch outputs"]
    ) -> Bool[Tensor, "*batch"]:
        """Whether points are counterexamples, without tolerance."""
        return self.violation(x, y) <= 0


def _largest(values: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """The largest along the last dimension; minus infinity if it is empty."""
    return values.amax(-1) if values.shape[-1] else values.new_full(values.shape[:-1], -torch.inf)


def make_robustness(
    image: Float[Tensor, "..."], label: int, eps: float, n_classes: int, clip: tuple[float, float] | None = (0.0, 1.0)
) -> Specification:
    """Local robustness: no input within eps of an image, in the maximum norm, gets another label.

    Args:
        image: The image, in the shape of the network's input or flattened.
        label: Its class.
        eps: The radius.
        n_classes: Outputs of the network.
        clip: Smallest and largest value of a pixel, or `None`.

    Returns:
        y_label - y_j <= 0 for each other class j, a clause each.

    Raises:
        SpecificationError: if there is no such class, eps is negative or not a number, or nothing within eps of the
            image is within `clip`.
    """
    if not 0 <= label < n_classes:
        raise SpecificationError(f"the label is {label}, but the classes are 0 to {n_classes - 1}")
    if not eps >= 0:
        raise SpecificationError(f"the radius is {eps}; it must not be negative")
    center = image.detach().flatten().to("cpu", torch.float64)
    lower, upper = center - eps, center + eps
    if clip is not None:
        _check_meet((lower, upper), clip)
        lower, upper = lower.clamp(*clip), upper.clamp(*clip)
    identity = torch.eye(n_classes, dtype=torch.float64)
    zero = torch.zeros(1, dtype=torch.float64)
    clauses = (Clause((identity[label] - identity[j])[None], zero) for j in range(n_classes) if j != label)
    return Specification((Query(lower, upper, tuple(clauses)),))


def _check_meet(box: tuple[Tensor, Tensor], clip: tuple[float, float]) -> None:
    """Raise if no point of a box is within the limits of a pixel."""
    low, high = clip
    if not low <= high:
        raise SpecificationError(f"the limits of a pixel are {low} and {high}; the first must not be above the second")
    spare = 1e-6 * (high - low)
    lower, upper = box
    if bool(((lower > high + spare) | (upper < low - spare)).any()):
        raise SpecificationError(
            f"the image has values from {upper.min():g} to {lower.max():g} or farther out, but pixels are limited to "
            f"{low:g} to {high:g}; give other limits, or none, as clip"
        )
