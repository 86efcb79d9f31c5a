"""Kinds of objects that nothing is trained on: benches, cabinets, vases, monitors and ladders. Up is z."""

import numpy as np

from .furniture import Parts, legs
from .primitives import box, cushion, cylinder, ellipsoid, revolved, rod, torus


def make_bench(rng: np.random.Generator) -> Parts:
    """A bench: a long seat of slats, or with a cushion, on legs or panels; with a back of slats on some."""
    width, depth, height = rng.uniform(1.0, 1.7), rng.uniform(0.32, 0.45), rng.uniform(0.38, 0.5)
    parts = _slats(rng, width, depth, height)
    if rng.random() < 0.4:
        parts.append((cushion((width * 0.98, depth, 0.08), (0, 0, height + 0.04)), 2))
    if rng.random() < 0.5:
        parts += legs(rng, width * 0.95, depth, height)
    else:
        parts += [(box((0.05, depth, height), (x * width * 0.42, 0, height / 2)), 1) for x in (-1, 1)]
    if rng.random() < 0.6:
        rise, n = rng.uniform(0.3, 0.5), int(rng.integers(2, 5))
        posts = [(x * width * 0.45, depth / 2 - 0.03) for x in (-1, 1)]
        parts += [(rod((x, y, height - 0.05), (x, y + 0.06, height + rise), 0.025, 6), 1) for x, y in posts]
        levels = height + np.linspace(0.12, rise - 0.03, n)
        parts += [(box((width, 0.03, rise / n * 0.6), (0, depth / 2, z)), 0) for z in levels]
    return parts


def _slats(rng: np.random.Generator, width: float, depth: float, height: float) -> Parts:
    """A seat of boards along its length."""
    n = int(rng.integers(1, 5))
    share = rng.uniform(0.7, 0.95) if n > 1 else 1.0
    places = (np.arange(n) + 0.5) / n * depth - depth / 2
    parts: Parts = [(box((width, depth / n * share, 0.04), (0, y, height - 0.02)), 0) for y in places]
    beams = [(box((0.05, depth, 0.04), (x * width * 0.4, 0, height - 0.055)), 1) for x in (-1, 1)]
    return parts + beams


def make_cabinet(rng: np.random.Generator) -> Parts:
    """A cabinet: a closed body on feet or a plinth, with doors or drawers and their handles, under a top."""
    width, depth, height = rng.uniform(0.5, 1.4), rng.uniform(0.35, 0.55), rng.uniform(0.6, 1.3)
    foot = rng.uniform(0.05, 0.2)
    body = height - foot
    parts: Parts = [(box((width, depth, body), (0, 0, foot + body / 2)), 0)]
    if rng.random() < 0.5:
        parts += legs(rng, width, depth, foot + 0.02)
    else:
        parts.append((box((width * 0.9, depth * 0.85, foot), (0, 0, foot / 2)), 1))
    parts.append((box((width * 1.06, depth * 1.08, 0.035), (0, 0, height)), 1))
    columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    knob = rng.random() < 0.5
    for x in (np.arange(columns) + 0.5) / columns - 0.5:
        for z in (np.arange(rows) + 0.5) / rows:
            center = np.array([x * width, -depth / 2, foot + z * body])
            parts.append((box((width / columns * 0.92, 0.03, body / rows * 0.92), center), 0))
            before = center - np.array([0, 0.03, 0])
            grip = ellipsoid((0.02,) * 3, before) if knob else box((width / columns * 0.3, 0.02, 0.02), before)
            parts.append((grip, 2))
    return parts


def make_vase(rng: np.random.Generator) -> Parts:
    """A vase: a hollow turned body of two waves, with one handle, two or none."""
    height, wall = 1.0, rng.uniform(0.015, 0.03)
    t = np.linspace(0, 1, 16)
    radius = rng.uniform(0.16, 0.3) * (0.75 + rng.uniform(0.1, 0.5) * np.sin(np.pi * (t * rng.uniform(0.8, 1.3))))
    radius = (
        radius + rng.uniform(-0.04, 0.06) * np.sin(2 * np.pi * t + rng.uniform(0, np.pi)) + rng.uniform(0, 0.08) * t**6
    )
    radius = np.maximum(radius, 0.07)
    outer = list(zip(radius, height * t, strict=True))
    inner = [(r - wall, max(z, 2 * wall)) for r, z in outer][::-1]
    parts: Parts = [(revolved([(0, 0), *outer, *inner, (0, 2 * wall)], 32), 0)]
    size = rng.uniform(0.08, 0.14)
    for side in (1, -1)[: int(rng.integers(0, 3))]:
        ring = torus(size, 0.022, 20)
        upright = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
        place = np.array([side * (float(np.interp(0.65, t, radius)) + size * 0.7), 0, 0.65])
        parts.append((ring.mapped(upright, place), 1))
    return parts


def make_monitor(rng: np.random.Generator) -> Parts:
    """A monitor: a flat screen in a frame, on a neck and a foot."""
    width = rng.uniform(0.7, 1.3)
    height, thickness = width * rng.uniform(0.5, 0.75), rng.uniform(0.03, 0.09)
    rise = rng.uniform(0.12, 0.35)
    middle = rise + height / 2
    parts: Parts = [
        (box((width, thickness, height), (0, 0, middle)), 0),
        (box((width * 0.94, 0.012, height * 0.92), (0, -thickness / 2, middle)), 2),
    ]
    if rng.random() < 0.4:
        parts.append((cushion((width * 0.5, 0.12, height * 0.5), (0, thickness / 2 + 0.03, middle)), 0))
    back = thickness / 2 + 0.015
    parts.append((rod((0, back, 0.01), (0, back, middle), rng.uniform(0.02, 0.045), 8), 1))
    reach = width * rng.uniform(0.15, 0.3)
    if rng.random() < 0.5:
        foot = cylinder(reach, 0.025, (0, back, 0.0125))
    else:
        foot = box((2 * reach, reach * rng.uniform(0.8, 1.2), 0.025), (0, back, 0.0125))
    return [*parts, (foot, 1)]


def make_ladder(rng: np.random.Generator) -> Parts:
    """A stepladder: two rails with steps between them, two legs behind, a platform above."""
    height, width, spread = rng.uniform(0.9, 1.6), rng.uniform(0.35, 0.55), rng.uniform(0.2, 0.4)
    thickness, n = rng.uniform(0.015, 0.03), int(rng.integers(3, 7))
    parts: Parts = []
    for x in (-1, 1):
        foot, top = np.array([x * width / 2, -spread, 0]), np.array([x * width * 0.35, 0, height])
        parts.append((rod(foot, top, thickness, 4), 0))
        parts.append((rod(np.array([x * width / 2, spread, 0]), top, thickness * 0.8, 4), 1))
    for share in np.arange(1, n) / n:
        size = (width * (1 - 0.3 * share), rng.uniform(0.07, 0.1), 0.025)
        parts.append((box(size, (0, -spread * (1 - share), height * share)), 0))
    parts.append((box((width * 0.8, rng.uniform(0.15, 0.3), 0.03), (0, 0, height)), 2))
    level = height * rng.uniform(0.25, 0.5)
    y = spread * (1 - level / height)
    parts.append((rod((-width * 0.47, y, level), (width * 0.47, y, level), thickness * 0.6, 6), 1))
    return parts
