"""How much a network can express: the dimension of its family of functions; and how quadratic a network is."""

import copy

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from .layer import REFERENCE, QuadraticLayer, required_layers

RTOL = 1e-9
"""Singular values below this share of the largest are 0."""


def functional_dimension(
    model: nn.Module,
    n_inputs: int,
    n_points: int = 400,
    generator: torch.Generator | None = None,
    *,
    rtol: float = RTOL,
) -> int:
    """Dimension of the set of functions that a network reaches as its parameters vary, near generic ones.

    The rank of the Jacobian of the outputs at random points in the parameters, all drawn from normal distributions, in
    double precision: the paper's measure from algebraic geometry for polynomial networks, as we read it. It is at most
    the number of parameters, and less by the symmetries of the network. With ReLU, the value depends on which units
    the random parameters leave active.

    Args:
        model: Takes (batch, n_inputs); a copy with other parameters is used. Not changed.
        n_inputs: Numbers in a sample.
        n_points: Points; more than the dimension.
        generator: Draws points and parameters; seeded with 0 if not given.
        rtol: Share of the largest singular value below which one is 0.

    Raises:
        ValueError: if the network has no parameters, or there are too few points to see the dimension.
    """
    generator = generator or torch.Generator().manual_seed(0)
    network = copy.deepcopy(model).double().cpu().eval()
    if not any(True for _ in network.parameters()):
        raise ValueError("the network has no parameters, so it reaches one function only")
    parameters = {
        name: torch.randn(one.shape, generator=generator, dtype=torch.double)
        for name, one in network.named_parameters()
    }
    x = torch.randn(n_points, n_inputs, generator=generator, dtype=torch.double)

    def output(values: dict[str, Tensor], point: Tensor) -> Tensor:
        found: Tensor = functional_call(network, values, (point[None],))
        return found[0]

    jacobians = vmap(jacrev(output), in_dims=(None, 0))(parameters, x)
    rows = torch.cat([one.flatten(2) if one.ndim > 2 else one[..., None] for one in jacobians.values()], 2).flatten(
        0, 1
    )
    # Rows and columns of very different sizes would hide small singular values.
    rows = rows / rows.norm(dim=1, keepdim=True).clamp(min=torch.finfo(torch.double).tiny)
    rank = int(torch.linalg.matrix_rank(rows, rtol=rtol))
    if rank == len(rows):
        raise ValueError(f"the dimension is at least {rank}, the number of values that were computed; use more points")
    return rank


@torch.no_grad()
def quadratic_energy(model: nn.Module) -> dict[str, float]:
    """How far each quadratic layer is from a conventional one.

    The norm of the quadratic parameters' differences from their reference (0, but 1 for b_g), by the norm of W_r.

    Args:
        model: A network with quadratic layers.

    Returns:
        The ratio by the name of the layer; 0 where it is conventional.

    Raises:
        ValueError: if it has no quadratic layer.
    """
    return {name: _energy(layer) for name, layer in required_layers(model).items()}


def _energy(layer: QuadraticLayer) -> float:
    squares = [(one.double() - REFERENCE[name]).square().sum() for name, one in layer.quadratic_parameters()]
    regular = layer.weight_r.double().norm().clamp(min=torch.finfo(torch.double).tiny)
    return float(torch.stack(squares).sum().sqrt() / regular)
