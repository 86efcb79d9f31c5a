"""Inputs of a hypernetwork: into [0, 1], and from there to vectors of constant norm."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Encoding = Literal["l2", "l1"]
ENCODINGS: tuple[Encoding, ...] = ("l2", "l1")
SLACK = 1e-5
"""By which rounding may lead an input out of [0, 1]."""

Bound = float | Sequence[float]


def encode(gamma: Float[Tensor, "*batch d"], mode: Encoding | None = "l2") -> Float[Tensor, "*batch n"]:
    """Inputs as vectors whose norm does not depend on them.

    - `l2`, that of MIP: all cos(π γ_j / 2), then all sin(π γ_j / 2); the Euclidean norm is √d.
    - `l1`: [γ, 1 − γ]; the sum of absolute values is d.
    - None: γ as it is.

    Values are checked except inside `torch.compile`, `torch.export` and `torch.vmap`, which know none.

    Args:
        gamma: Inputs in [0, 1]; with None, any finite numbers.
        mode: The encoding.

    Returns:
        The encoded inputs, with n = 2d numbers each, or n = d with None.

    Raises:
        ValueError: if the mode is unknown, or an input is not finite or outside [0, 1], where the encoding would give
            two inputs the same code.
    """
    if mode is not None and mode not in ENCODINGS:
        raise ValueError(f"the encoding must be l2, l1 or None, not {mode!r}")
    _check(gamma, is_unit=mode is not None)
    if mode is None:
        return gamma
    if mode == "l1":
        return torch.cat([gamma, 1 - gamma], dim=-1)
    angle = gamma * (math.pi / 2)
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


def encoded_size(d: int, mode: Encoding | None) -> int:
    """Numbers that `encode` makes of d."""
    return d if mode is None else 2 * d


def _check(gamma: Tensor, *, is_unit: bool) -> None:
    if torch.compiler.is_compiling():
        return
    try:
        is_good = bool(((gamma >= -SLACK) & (gamma <= 1 + SLACK)).all() if is_unit else gamma.isfinite().all())
    except RuntimeError:  # inside vmap, a condition has no single truth
        return
    if is_good:
        return
    if not bool(gamma.isfinite().all()):
        raise ValueError("the inputs of a hypernetwork must be finite numbers, but there is NaN or an infinite one")
    wrong = gamma[(gamma < -SLACK) | (gamma > 1 + SLACK)][0].item()
    raise ValueError(
        f"the inputs of a hypernetwork must lie in [0, 1], but there is {wrong:g}; map their range with an InputScaler"
    )


@dataclass(frozen=True)
class InputScaler:
    """Maps quantities with bounds to [0, 1].

        scaler = InputScaler(1e-4, 1.0, "log")
        model(x, gamma=scaler(weight_decay))

    Args:
        low: What becomes 0: a number, or one for each of d inputs.
        high: What becomes 1.
        scale: `linear`, or `log` for positive quantities that span orders of magnitude.

    Raises:
        ValueError: if low is not below high, or not positive with `log`.
    """

    low: Bound = 0.0
    high: Bound = 1.0
    scale: Literal["linear", "log"] = "linear"

    def __post_init__(self) -> None:
        if self.scale not in ("linear", "log"):
            raise ValueError(f"the scale must be linear or log, not {self.scale!r}")
        low, high = _tensor(self.low), _tensor(self.high)
        if not bool((low < high).all()):
            raise ValueError(f"low must be below high, not {self.low} and {self.high}")
        if self.scale == "log" and not bool((low > 0).all()):
            raise ValueError(f"a logarithmic scale needs bounds above 0, not {self.low}")

    def __call__(self, value: Float[Tensor, "*batch"] | Bound) -> Float[Tensor, "*batch"]:
        """The inputs in [0, 1].

        Raises:
            ValueError: if a value is not finite or outside the bounds.
        """
        given = _tensor(value)
        low, high = _tensor(self.low).to(given), _tensor(self.high).to(given)
        slack = SLACK * (high - low)
        is_inside = (given >= low - slack) & (given <= high + slack)
        if not bool(is_inside.all()):
            raise ValueError(
                f"a value must lie in [{self.low}, {self.high}], not be {given[~is_inside].flatten()[0].item():g}"
                if given.ndim
                else f"a value must lie in [{self.low}, {self.high}], not be {given.item():g}"
            )
        if self.scale == "log":
            given, low, high = given.log(), low.log(), high.log()
        return ((given - low) / (high - low)).clamp(0, 1)

    def inverse(self, unit: Float[Tensor, "*batch"] | Bound) -> Float[Tensor, "*batch"]:
        """The quantities that inputs in [0, 1] stand for."""
        given = _tensor(unit)
        low, high = _tensor(self.low).to(given), _tensor(self.high).to(given)
        if self.scale == "log":
            return low * (high / low) ** given
        return low + (high - low) * given


@dataclass(frozen=True)
class NormalScaler:
    """Maps quantities without bounds, such as samples of a Gaussian prior, to [0, 1] by the normal distribution.

    Where the quantities are normal, the inputs are uniform.

    Args:
        mean: Mean of the quantities: a number, or one for each of d inputs.
        std: Their standard deviation.

    Raises:
        ValueError: if the standard deviation is not positive.
    """

    mean: Bound = 0.0
    std: Bound = 1.0

    def __post_init__(self) -> None:
        if not bool((_tensor(self.std) > 0).all()):
            raise ValueError(f"the standard deviation must be positive, not {self.std}")

    def __call__(self, value: Float[Tensor, "*batch"] | Bound) -> Float[Tensor, "*batch"]:
        """The inputs in [0, 1].

        Raises:
            ValueError: if a value is NaN.
        """
        given = _tensor(value)
        if bool(given.isnan().any()):
            raise ValueError("a value must be a number, but there is NaN")
        return torch.special.ndtr((given - _tensor(self.mean).to(given)) / _tensor(self.std).to(given))

    def inverse(self, unit: Float[Tensor, "*batch"] | Bound) -> Float[Tensor, "*batch"]:
        """The quantities that inputs in [0, 1] stand for; infinite at 0 and 1."""
        given = _tensor(unit)
        return _tensor(self.mean).to(given) + _tensor(self.std).to(given) * torch.special.ndtri(given)


def _tensor(value: Tensor | Bound) -> Tensor:
    if isinstance(value, Tensor):
        return value
    return torch.as_tensor(value, dtype=torch.get_default_dtype())
