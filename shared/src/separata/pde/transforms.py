"""Transforms of functions that are sampled on a grid: cosine, Legendre."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from . import checks
from .interpolation import interpolate


def cosine_functions(x: Float[Tensor, "m"], n_modes: int, *, length: float = 1.0) -> Float[Tensor, "m modes"]:
    """The eigenfunctions of the Laplacian on [0, length] with Neumann conditions, orthonormal in L2.

    `1/sqrt(length)` and `sqrt(2/length) cos(π k x/length)`, k < n_modes, with the eigenvalues `-(π k/length)²`.
    """
    k = torch.arange(n_modes, dtype=x.dtype, device=x.device)
    functions = torch.cos(math.pi / length * x[:, None] * k) * math.sqrt(2 / length)
    functions[:, 0] = 1 / math.sqrt(length)
    return functions


def legendre_transform(f: Float[Tensor, "n m"], n_modes: int = 20, *, n_nodes: int = 256) -> Float[Tensor, "n modes"]:
    """Integrals against the Legendre polynomials: `J_n{f} = ∫_{-1}^{1} P_n(x) f(x) dx` for n < n_modes.

    f is taken at Gauss-Legendre nodes from its not-a-knot cubic spline: exact for cubics, fourth order otherwise.

    Args:
        f: Values at m equispaced points of [-1, 1], both ends among them; at least four.
        n_modes: How many integrals, from n = 0.
        n_nodes: Of the quadrature.

    Raises:
        ValueError: if there are too few points, modes or nodes, or a value is not finite.
    """
    checks.count("the number of points", f.shape[-1], 4)
    checks.count("n_modes", n_modes)
    checks.count("n_nodes", n_nodes, n_modes)
    checks.finite("f", f)
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    polynomials = torch.from_numpy(weights[:, None] * np.polynomial.legendre.legvander(nodes, n_modes - 1)).to(f)
    x = torch.linspace(-1, 1, f.shape[-1], dtype=f.dtype, device=f.device)
    return interpolate(x, f, torch.from_numpy(nodes).to(f), "cubic") @ polynomials
