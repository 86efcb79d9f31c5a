"""What a verification comes to."""

from dataclasses import dataclass, field

from bab_verify.properties.counterexamples import Counterexample


@dataclass(frozen=True)
class Result:
    """The verdict on a property.

    The specification describes what must not happen: `unsat` says that no input does it (the property holds), `sat`
    that `counterexample` does.

    Args:
        status: `unsat`, `sat` or `unknown`.
        reason: Why it is unknown (`timeout`, `no branching`, ...), or what decided (`attack`, `bounds`, `branches`).
        counterexample: An input that violates, confirmed by ONNX Runtime or by the module itself.
        lower_bounds: For each query and clause, the margin that was proven last: positive where it is refuted.
        visited: Branches that were bounded, without those that were bounded once more to strengthen cuts or to choose a
            split.
        cuts: Cutting planes that were found.
        cut_length: Mean number of literals of these.
        seconds: Time taken.
        margin: For `unsat`, the least margin of all parts of the proof: by so much every unsafe set is missed.
            Infinite where all parts are empty.
        error_bound: The most that rounding may have added to any margin; it was taken off.
        history: Over time: seconds, branches visited, branches open, and the least margin.
    """

    status: str
    reason: str = ""
    counterexample: Counterexample | None = None
    lower_bounds: tuple[tuple[float, ...], ...] = ()
    visited: int = 0
    cuts: int = 0
    seconds: float = 0.0
    cut_length: float = 0.0
    margin: float | None = None
    error_bound: float | None = None
    history: tuple[tuple[float, int, int, float], ...] = field(default=(), repr=False)
