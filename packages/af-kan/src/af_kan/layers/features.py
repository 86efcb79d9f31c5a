"""The basis functions of AF-KAN, by their definition."""

from jaxtyping import Float
from torch import Tensor

from af_kan.configs import Activation, Combination

from .activations import activate
from .combinations import combine


def basis_features(
    x: Float[Tensor, "*batch"],
    low: Float[Tensor, "n"],
    high: Float[Tensor, "n"],
    activation: Activation = "silu",
    combination: Combination = "quad1",
) -> Float[Tensor, "*batch n"]:
    """F_i(x) = c(a(x - s_i), a(e_i - x)) of every number with every basis function.

    With ReLU and `quad1` they are those of ReLU-KAN without its factor: (relu(x - s_i) relu(e_i - x))², zero outside
    [s_i, e_i]. Other activations have no bounded support, and most grow outside the grid like a power of x: keep inputs
    within a few units of it.

    Args:
        x: Any numbers.
        low: The lower ends s.
        high: The upper ends e.
        activation: a.
        combination: c.

    Raises:
        ValueError: if there is no such activation or combination.
    """
    at = x[..., None]
    return combine(combination, activate(activation, at - low), activate(activation, high - at))
