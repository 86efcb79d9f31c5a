"""Reductions of the n basis functions of each coordinate to one number, which save a factor of n in weights.

The six are those of the published code, under its names. `global_attn`, the best according to the paper, and
`multistep` cost next to nothing; `self_attn` and `multihead_attn` compare every two coordinates of a sample, so that
their memory grows with the square of the width.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from af_kan.configs import ReductionName, check_name

Features = Float[Tensor, "batch d n"]
Reduced = Float[Tensor, "batch d"]


class SumReduction(nn.Module):
    """A reduction that needs no more than the sum and one weighted sum of the functions of a coordinate.

    Args:
        n_functions: n.
    """

    def __init__(self, n_functions: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(n_functions)
        self.weight = nn.Parameter(torch.empty(n_functions).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(()).uniform_(-bound, bound))

    def from_sums(self, total: Reduced, weighted: Reduced) -> Reduced:
        """What it makes of Σ_i F_i and Σ_i v_i F_i."""
        raise NotImplementedError

    def forward(self, features: Features) -> Reduced:
        """One number for each coordinate."""
        return self.from_sums(features.sum(-1), features @ self.weight)


class Multistep(SumReduction):
    """z_d = Σ_i v_i F_di + b, the same for all coordinates: the simple linear reduction."""

    def from_sums(self, total: Reduced, weighted: Reduced) -> Reduced:  # noqa: ARG002 - needed by the other
        """Σ_i v_i F_i + b."""
        return weighted + self.bias


class _Tempered(nn.Module):
    """Has a learnable temperature τ, which begins at √d and counts as at least 1."""

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.tau = nn.Parameter(torch.tensor(math.sqrt(in_features)))

    def softmax(self, scores: Tensor, dim: int) -> Tensor:
        # Times the inverse: the gradient of a quotient takes more passes over the scores.
        return torch.softmax(scores * self.tau.clamp(min=1).reciprocal(), dim)


class GlobalAttention(SumReduction):
    """z_d = w_d Σ_i F_di, with w the softmax over the coordinates of (Σ_i v_i F_di + b) / max(τ, 1).

    Since every function of a coordinate has the same weight w_d, the sum comes out of it. With d coordinates, z is of
    the order of 1 / d: the normalization that follows is part of the method. The bias b has no effect, and is there
    because the published layer has it.

    Args:
        in_features: Coordinates d.
        n_functions: n.
    """

    def __init__(self, in_features: int, n_functions: int) -> None:
        super().__init__(n_functions)
        self.temperature = _Tempered(in_features)

    def from_sums(self, total: Reduced, weighted: Reduced) -> Reduced:
        """Σ_i F_i, weighted by the softmax over the coordinates."""
        return self.temperature.softmax(weighted + self.bias, -1) * total


class SpatialAttention(_Tempered):
    """z_d = Σ_i w_id F_di, with w the softmax over the functions of a depthwise convolution along the coordinates.

    Coordinates that stand beside each other share their attention, so that their order matters.

    Args:
        in_features: Coordinates d.
        n_functions: n.
    """

    def __init__(self, in_features: int, n_functions: int) -> None:
        super().__init__(in_features)
        self.scores = nn.Conv1d(n_functions, n_functions, 3, padding=1, groups=n_functions)

    def forward(self, features: Features) -> Reduced:
        """One number for each coordinate."""
        functions_first = features.transpose(1, 2)
        return (functions_first * self.softmax(self.scores(functions_first), 1)).sum(1)


class LocalAttention(_Tempered):
    """Attention among windows of two functions of a coordinate, and a linear map of what they become to one number.

    Of an odd number of functions, the last one is left out, as in the published code.

    Args:
        in_features: Coordinates d.
        n_functions: n, at least 2.
        window: Functions of a window, which do not overlap.

    Raises:
        ValueError: if there is not one window.
    """

    def __init__(self, in_features: int, n_functions: int, window: int = 2) -> None:
        super().__init__(in_features)
        if not 1 <= window <= n_functions:
            raise ValueError(f"local attention needs windows of 1 to {n_functions} functions, not of {window}")
        self.window = window
        self.query, self.key, self.value = (nn.Linear(window, window) for _ in range(3))
        self.output = nn.Linear(n_functions // window * window, 1)

    def forward(self, features: Features) -> Reduced:
        """One number for each coordinate."""
        windows = features.unfold(-1, self.window, self.window)
        scores = self.query(windows) @ self.key(windows).transpose(-1, -2)
        attended = self.softmax(scores, -1) @ self.value(windows)
        return self.output(attended.flatten(-2)).squeeze(-1)


class SelfAttention(_Tempered):
    """Attention among the coordinates of a sample, whose tokens are their n functions; then the sum over n.

    Args:
        in_features: Coordinates d.
        n_functions: n.
    """

    def __init__(self, in_features: int, n_functions: int) -> None:
        super().__init__(in_features)
        self.query, self.key, self.value = (nn.Linear(n_functions, n_functions) for _ in range(3))

    def forward(self, features: Features) -> Reduced:
        """One number for each coordinate."""
        scores = self.query(features) @ self.key(features).transpose(-1, -2)
        return (self.softmax(scores, -1) @ self.value(features)).sum(-1)


class MultiheadAttention(nn.Module):
    """The same with a head for each function (`torch.nn.MultiheadAttention`), without a temperature.

    Args:
        n_functions: n.
    """

    def __init__(self, n_functions: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(n_functions, n_functions, batch_first=True)

    def forward(self, features: Features) -> Reduced:
        """One number for each coordinate."""
        return self.attention(features, features, features, need_weights=False)[0].sum(-1)


def make_reduction(name: ReductionName, in_features: int, n_functions: int) -> nn.Module:
    """The reduction of that name.

    Args:
        name: The name.
        in_features: Coordinates d.
        n_functions: n.

    Raises:
        ValueError: if there is none, or it cannot reduce so few functions.
    """
    made = {
        "global_attn": lambda: GlobalAttention(in_features, n_functions),
        "multistep": lambda: Multistep(n_functions),
        "spatial_attn": lambda: SpatialAttention(in_features, n_functions),
        "local_attn": lambda: LocalAttention(in_features, n_functions),
        "self_attn": lambda: SelfAttention(in_features, n_functions),
        "multihead_attn": lambda: MultiheadAttention(n_functions),
    }
    check_name("reduction", name, tuple(made))
    return made[name]()
