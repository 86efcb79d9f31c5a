"""The normalization of d coordinates, as layers of this package and of its baselines have it."""

from torch import nn

from af_kan.configs import Norm, check_name


def make_norm(name: Norm, n_features: int, eps: float = 1e-5) -> nn.Module:
    """Layer normalization, batch normalization, or none.

    Raises:
        ValueError: if there is no such normalization, or it makes a constant of a single coordinate.
    """
    check_name("norm", name, ("layer", "batch", "none"))
    if name == "layer" and n_features == 1:
        raise ValueError("layer normalization of a single feature is constant; choose the norm batch or none")
    if name == "layer":
        return nn.LayerNorm(n_features, eps)
    return nn.BatchNorm1d(n_features, eps) if name == "batch" else nn.Identity()
