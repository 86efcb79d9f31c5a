"""Things of a household: lamps, shelves, mugs, bottles and boxes. Up is z, the front is -y."""

import numpy as np

from fixer3d.geometry.meshes import Mesh

from .furniture import Parts
from .primitives import box, cylinder, ellipsoid, revolved, rod, tube


def make_lamp(rng: np.random.Generator) -> Parts:
    """A lamp, for the table or the floor: a foot, a straight or bent pole, a shade."""
    height, radius = rng.uniform(0.8, 1.3), rng.uniform(0.14, 0.3)
    shade = rng.uniform(0.2, 0.4)
    bend = rng.choice([0.0, rng.uniform(0.2, 0.45)], p=[0.7, 0.3])
    top = np.array([bend, 0, height - shade * 0.5])
    parts = _foot(rng, radius, height * 0.3)
    if bend:
        t = np.linspace(0, 1, 14)
        arc = np.stack(
            [bend * t**3, 0 * t, 0.02 + (top[2] + 0.15 - 0.02) * np.sin(t * np.pi * 0.6) / np.sin(np.pi * 0.5)], 1
        )
        arc[-1] = top
        parts.append((tube(arc, 0.02, 8), 1))
    else:
        parts.append((_column(rng, height - shade * 0.4), 1))
    return [*parts, *_shade(rng, top, radius, shade)]


def _foot(rng: np.random.Generator, radius: float, height: float) -> Parts:
    """A disc, or three legs that meet on the pole."""
    if rng.random() < 0.7:
        thickness = rng.uniform(0.02, 0.06)
        size = radius * rng.uniform(0.5, 0.85)
        return [(cylinder(size, thickness, (0, 0, thickness / 2), top=size * rng.uniform(0.4, 1)), 1)]
    angles = np.arange(3) * 2 * np.pi / 3
    feet = np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1) * radius
    return [(rod((0, 0, height), foot, (0.022, 0.016), 8), 1) for foot in feet]


def _column(rng: np.random.Generator, height: float) -> Mesh:
    """A thin pole, or a turned body as of a vase under it."""
    if rng.random() < 0.5:
        return rod((0, 0, 0.01), (0, 0, height), rng.uniform(0.016, 0.035), 10)
    belly, neck = rng.uniform(0.05, 0.13), rng.uniform(0.016, 0.03)
    share = rng.uniform(0.25, 0.6)
    t = np.linspace(0, np.pi, 10)
    curve = [(neck + belly * np.sin(a) ** 1.5, 0.01 + share * height * a / np.pi) for a in t]
    return revolved([(0, 0.01), *curve, (neck, height), (0, height)], 20)


def _shade(rng: np.random.Generator, top: np.ndarray, radius: float, height: float) -> Parts:
    """An open cone or drum with thin walls, a dome, or a globe; with a bulb in it."""
    kind = rng.choice(["cone", "drum", "dome", "globe"], p=[0.4, 0.25, 0.2, 0.15])
    if kind == "globe":
        return [(ellipsoid((radius * 0.7,) * 3, top + np.array([0, 0, radius * 0.3])), 0)]
    wall = 0.008
    if kind == "dome":
        a = np.linspace(0, np.pi / 2, 8)
        outer = [(radius * np.cos(x), height * np.sin(x) - height / 2) for x in a[:-1]]
        inner = [((radius - wall) * np.cos(x), (height - wall) * np.sin(x) - height / 2) for x in a[:-1]]
        shell = revolved([(0, height / 2 - wall), *inner[::-1], *outer, (0, height / 2)])
    else:
        upper = radius * (1.0 if kind == "drum" else rng.uniform(0.35, 0.75))
        low, high = -height / 2, height / 2
        # A thin plate holds the walls on the pole.
        plate = upper - wall
        below = [(0, high - 0.03), (plate, high - 0.03), (radius - wall, low), (radius, low)]
        above = [(upper, high), (plate, high), (plate, high - 0.02), (0, high - 0.02)]
        shell = revolved([*below, *above])
    return [(shell.mapped(np.eye(3), top), 0), (ellipsoid((0.035, 0.035, 0.05), top), 2)]


def make_shelf(rng: np.random.Generator) -> Parts:
    """A shelf: boards between two sides, some with a back, a partition, or books."""
    width, depth, height = rng.uniform(0.5, 1.2), rng.uniform(0.22, 0.4), rng.uniform(0.7, 1.9)
    board, n = rng.uniform(0.018, 0.04), int(rng.integers(2, 6))
    parts: Parts = [(box((board, depth, height), (x, 0, height / 2)), 1) for x in (-width / 2, width / 2)]
    levels = np.linspace(rng.uniform(0.04, 0.12), height - board / 2, n + 1)
    parts += [(box((width, depth, board), (0, 0, z)), 0) for z in levels]
    if rng.random() < 0.6:
        parts.append((box((width, 0.012, height), (0, depth / 2, height / 2)), 0))
    if rng.random() < 0.35:
        middle = (levels[0] + levels[-1]) / 2
        parts.append((box((board, depth * 0.98, levels[-1] - levels[0]), (0, 0, middle)), 1))
    if rng.random() < 0.5:
        gap = levels[1] - levels[0]
        for z in levels[:-1][rng.random(n) < 0.6]:
            parts += _books(rng, width * 0.46, depth, (z + board / 2, gap * 0.85))
    return parts


def _books(rng: np.random.Generator, half: float, depth: float, room: tuple[float, float]) -> Parts:
    """A row of books that begins at the left side."""
    z, gap = room
    x, end = -half, rng.uniform(-half * 0.3, half * 0.9)
    parts: Parts = []
    while x < end:
        thickness, tall = rng.uniform(0.03, 0.08), gap * rng.uniform(0.55, 0.95)
        size = (thickness * 0.95, depth * rng.uniform(0.6, 0.85), tall)
        parts.append((box(size, (x + thickness / 2, -depth * 0.05, z + tall / 2)), int(rng.integers(0, 3))))
        x += thickness
    return parts


def make_mug(rng: np.random.Generator) -> Parts:
    """A mug: hollow, straight or bulging, with a round or an angular handle."""
    radius, height = rng.uniform(0.3, 0.45), rng.uniform(0.7, 1.1)
    wall, bulge, foot = rng.uniform(0.03, 0.06), rng.uniform(-0.08, 0.12), rng.uniform(0.7, 1.0)
    t = np.linspace(0, 1, 8)
    outer = radius * (foot + (1 - foot) * t**0.5) + bulge * np.sin(np.pi * t)
    curve = [(r, height * z) for r, z in zip(outer, t, strict=True)]
    inside = [(r - wall, max(height * z, wall * 1.5)) for r, z in zip(outer, t, strict=True)][::-1]
    body = revolved([(0, 0), *curve, *inside, (0, wall * 1.5)], 32)
    reach, size = rng.uniform(0.2, 0.3), rng.uniform(0.5, 0.7) * height / 2
    a = np.linspace(-np.pi / 2, np.pi / 2, 16)
    squareness = rng.uniform(0.5, 1.0)
    x = reach * np.abs(np.cos(a)) ** squareness
    z = np.sign(np.sin(a)) * np.abs(np.sin(a)) ** squareness * size + height / 2
    # The ends are in the wall, not inside the mug.
    at_wall = np.interp(z, t * height, outer) - wall * 0.6
    handle = np.stack([at_wall + x, 0 * a, z], 1)
    return [(body, 0), (tube(handle, rng.uniform(0.04, 0.065), 10), int(rng.integers(0, 2)))]


def make_bottle(rng: np.random.Generator) -> Parts:
    """A bottle: a body, a shoulder, a neck; with a cap on some, or a label."""
    radius, height = rng.uniform(0.13, 0.25), 1.0
    body, neck = rng.uniform(0.45, 0.68), rng.uniform(0.03, 0.07)
    shoulder = rng.uniform(0.08, 0.22)
    waist = rng.uniform(0, 0.2)
    t = np.linspace(0, 1, 8)
    lower = [(radius * (1 - waist * np.sin(np.pi * x) ** 2), body * x) for x in t]
    upper = [
        (neck + (radius - neck) * np.cos(np.pi * x / 2) ** 1.2, body + shoulder * np.sin(np.pi * x / 2))
        for x in t[1:-1]
    ]
    lip = [(neck, body + shoulder), (neck, height * 0.96), (neck * 1.25, height * 0.96), (neck * 1.25, height)]
    parts: Parts = [(revolved([(0, 0), *lower, *upper, *lip, (0, height)]), 0)]
    if rng.random() < 0.5:
        cap = rng.uniform(0.04, 0.1)
        parts.append((cylinder(neck * 1.5, cap, (0, 0, height + cap * 0.3)), 1))
    if rng.random() < 0.5:
        label = body * rng.uniform(0.3, 0.6)
        parts.append((cylinder(radius * 1.015, label, (0, 0, body / 2)), 2))
    return parts


def make_box(rng: np.random.Generator) -> Parts:
    """A box: closed with a lid or without, open, open with flaps, or a crate of slats."""
    width, depth, height = rng.uniform(0.5, 1.2), rng.uniform(0.4, 1.0), rng.uniform(0.25, 1.0)
    kind = rng.choice(["closed", "lid", "open", "flaps", "crate"])
    if kind in {"closed", "lid"}:
        parts: Parts = [
            (box((width, depth, height), (0, 0, height / 2), taper=rng.choice([1.0, rng.uniform(0.85, 1.1)])), 0)
        ]
        if kind == "lid":
            lid = height * rng.uniform(0.1, 0.3)
            parts.append((box((width * 1.12, depth * 1.12, lid), (0, 0, height)), 1))
        return parts
    wall = rng.uniform(0.015, 0.04)
    parts = [(box((width, depth, wall), (0, 0, wall / 2)), 0)]
    if kind == "crate":
        return parts + _crate(rng, width, depth, height)
    parts += [(box((width, wall, height), (0, y * (depth - wall) / 2, height / 2)), 0) for y in (-1, 1)]
    parts += [(box((wall, depth, height), (x * (width - wall) / 2, 0, height / 2)), 0) for x in (-1, 1)]
    return parts + _flaps(rng, width, depth, height) if kind == "flaps" else parts


def _crate(rng: np.random.Generator, width: float, depth: float, height: float) -> Parts:
    """Slats with gaps on four sides, and posts in the corners."""
    n = int(rng.integers(2, 5))
    slat = height / n * rng.uniform(0.55, 0.8)
    parts: Parts = []
    for z in (np.arange(n) + 0.5) * height / n:
        parts += [(box((width, 0.025, slat), (0, y * depth / 2, z)), 0) for y in (-1, 1)]
        parts += [(box((0.025, depth, slat), (x * width / 2, 0, z)), 0) for x in (-1, 1)]
    posts = [(x * (width / 2 - 0.03), y * (depth / 2 - 0.03), height / 2) for x in (-1, 1) for y in (-1, 1)]
    return parts + [(box((0.05, 0.05, height), post), 1) for post in posts]


def _flaps(rng: np.random.Generator, width: float, depth: float, height: float) -> Parts:
    """Four flaps that hang outwards from the rim of a carton, each at its own angle."""
    length = min(width, depth) * rng.uniform(0.3, 0.48)
    parts: Parts = []
    for side in range(4):
        along, out = (width, depth / 2) if side % 2 == 0 else (depth, width / 2)
        angle, tilt = side * np.pi / 2, rng.uniform(-0.9, 1.1)
        flap = box((along * 0.97, length, 0.015), (0, -length / 2, 0))
        tilted = flap.mapped(_turned((1, 2), tilt), np.array([0, -out, height]))
        parts.append((tilted.mapped(_turned((0, 1), angle)), 0))
    return parts


def _turned(axes: tuple[int, int], angle: float) -> np.ndarray:
    """A rotation in the plane of two axes."""
    matrix = np.eye(3)
    i, j = axes
    matrix[i, i] = matrix[j, j] = np.cos(angle)
    matrix[j, i] = np.sin(angle)
    matrix[i, j] = -matrix[j, i]
    return matrix
