"""Steady heat conduction in plates with holes, in three dimensions.

The plate is 4 x 4 wide and 1 thick, of conductivity 1, with tapered holes evenly on a circle around its middle. Through
its upper edge flows heat of density 1, the lower edge is held at 0, and everything else, the holes among it, is
insulated: without holes, the temperature is the height.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mt_deeponet.configs import ProblemConfig
from mt_deeponet.data import MultiTaskData, make_task
from mt_deeponet.geometry import nodes
from separata.pde import solve_masked

WIDTH, THICKNESS = 4.0, 1.0
RADII = (0.15, 0.3)
"""Of a hole, on the back and on the front of the plate."""
N_HOLES = tuple(range(2, 10))
POSITIONS = tuple(round(0.9 + 0.1 * i, 1) for i in range(8))
"""Radii of the circle of holes."""
TRAINED = (0, 3, 7)
"""Of every eight designs, those that are trained on; the others are the paper's test set."""


def plate_designs() -> Float[Tensor, "designs 2"]:
    """The 64 designs of the paper: the number of holes, and their position."""
    return torch.cartesian_prod(torch.tensor(N_HOLES).double(), torch.tensor(POSITIONS).double())


def is_trained() -> Bool[Tensor, "designs"]:
    """Which of the designs are trained on: 24, and 40 are left for the test."""
    index = torch.arange(len(N_HOLES) * len(POSITIONS)) % len(POSITIONS)
    return torch.isin(index, torch.tensor(TRAINED))


def plate_points(rows: int, columns: int, layers: int) -> Float[Tensor, "points 3"]:
    """Nodes of the plate: (x, y, z), y upwards."""
    return nodes(rows, columns, layers) * torch.tensor([WIDTH, WIDTH, THICKNESS], dtype=torch.float64)


def plate_mask(
    n_holes: float, position: float, rows: int, columns: int, layers: int
) -> Bool[Tensor, "rows columns layers"]:
    """Where there is material.

    Raises:
        ValueError: if there is less than one hole, or holes reach beyond the plate.
    """
    count = round(n_holes)
    if count < 1 or not 0 <= position <= WIDTH / 2 - max(RADII):
        raise ValueError(
            f"a plate has one or more holes at a distance of 0 to {WIDTH / 2 - max(RADII):g}, not {n_holes:g} at "
            f"{position:g}"
        )
    points = plate_points(rows, columns, layers)
    angles = torch.arange(count, dtype=torch.float64) * 2 * math.pi / count + math.pi / 2
    centers = WIDTH / 2 + position * torch.stack([angles.cos(), angles.sin()], 1)
    radius = RADII[0] + (RADII[1] - RADII[0]) * points[:, 2] / THICKNESS
    return (torch.cdist(points[:, :2], centers).amin(1) > radius).reshape(rows, columns, layers)


def solve_plate(mask: Bool[Tensor, "n rows columns layers"]) -> Float[Tensor, "n rows columns layers"]:
    """The temperature in plates, zero in holes.

    Raises:
        ValueError: if a part of a plate is cut off from its lower edge.
    """
    rows, columns, layers = mask.shape[1:]
    spacing = [WIDTH / (rows - 1), WIDTH / (columns - 1), THICKNESS / (layers - 1)]
    source = torch.zeros(mask.shape[1:], dtype=torch.float64, device=mask.device)
    source[-1] = 2 / spacing[0]
    one = torch.ones(mask.shape, dtype=torch.float64, device=mask.device)
    faces = [(0.0, None), (None, None), (None, None)]
    return solve_masked(one, mask, source, spacing, faces=faces, outside="insulated")


def make_plates(designs: Float[Tensor, "n 2"], rows: int, columns: int, layers: int) -> MultiTaskData:
    """Solve plates of given designs.

    Raises:
        ValueError: if a design does not fit on a plate.
    """
    mask = torch.stack([plate_mask(n, r, rows, columns, layers) for n, r in designs.tolist()])
    values = solve_plate(mask)
    points = plate_points(rows, columns, layers)
    return make_task("plate", designs, points, values.flatten(1), mask.flatten(1))


def sample_plates(
    n: int | None,
    generator: torch.Generator,
    config: ProblemConfig = ProblemConfig(),  # noqa: B008 - immutable
) -> MultiTaskData:
    """Plates of the paper's designs.

    Args:
        n: How many, drawn without replacement; all of them if not given.
        generator: Source of randomness.
        config: Its resolution, depth and designs count.

    Raises:
        ValueError: if there are not so many designs.
    """
    designs = plate_designs()
    if config.designs != "all":
        designs = designs[is_trained() == (config.designs == "train")]
    n = len(designs) if n is None else n
    if not 1 <= n <= len(designs):
        raise ValueError(f"there are {len(designs)} designs of plates: n must be 1 to {len(designs)}, not {n}")
    chosen = torch.randperm(len(designs), generator=generator)[:n].sort().values
    return make_plates(designs[chosen], config.resolution, config.resolution, config.depth)
