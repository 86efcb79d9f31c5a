"""Darcy flow `-div(k grad u) = 1` on several shapes, u = 0 on their boundaries; the Poisson equation where k = 1."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

from mt_deeponet.configs import ProblemConfig, names
from mt_deeponet.data import MultiTaskData, make_task
from mt_deeponet.geometry import make_mask, nodes
from separata.pde import RBF, GaussianField, sample_product, solve_masked


def sample_darcy(
    n: int,
    generator: torch.Generator,
    config: ProblemConfig = ProblemConfig(),  # noqa: B008 - immutable
    *,
    masks: Mapping[str, Bool[Tensor, "rows columns"]] | None = None,
    keeps_outside: bool = False,
) -> MultiTaskData:
    """Draw log-normal coefficients k and solve on each shape.

    Args:
        n: Samples of each shape.
        generator: Source of randomness.
        config: Its geometry, resolution, length_scale and sigma count.
        masks: Your own domains by name, instead of the configuration's.
        keeps_outside: Give log k on the whole box, instead of zero outside the domain, so that the functions have no
            trace of the shape.

    Returns:
        Functions log k (rows, columns), the nodes of the unit square, values u and masks; one task for each shape.

    Raises:
        ValueError: if n is not positive, there is no such shape, two files have one name, or a mask is not of the
            grid.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    size = config.resolution
    found = masks or _masks(names(config.geometry), size)
    line = GaussianField(torch.linspace(0, 1, size, dtype=torch.float64), RBF(config.length_scale))
    points = nodes(size, size)
    tasks = []
    for name, mask in found.items():
        if tuple(mask.shape) != (size, size):
            raise ValueError(f"the mask of {name} is of shape {tuple(mask.shape)}, and the grid of {(size, size)}")
        log_k = config.sigma * sample_product([line, line], n, generator)
        u = solve_masked(log_k.exp(), mask, 1.0, 1 / (size - 1))
        functions = log_k if keeps_outside else torch.where(mask, log_k, 0.0)
        tasks.append(make_task(name, functions, points, u.flatten(1), mask.flatten()))
    return MultiTaskData.concat(tasks)


def _masks(geometries: Sequence[str], size: int) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for geometry in geometries:
        name = _name(geometry)
        if name in found:
            raise ValueError(f"two geometries are called {name}: rename the file {geometry}")
        found[name] = make_mask(geometry, size, size)
    return found


def _name(geometry: str) -> str:
    """A file's name without its folder and ending."""
    return geometry.replace("\\", "/").rpartition("/")[2].rpartition(".")[0] or geometry
