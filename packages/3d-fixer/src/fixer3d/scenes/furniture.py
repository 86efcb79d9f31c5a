"""Furniture that people sit at, on or in: chairs, tables, stools, sofas and beds. Up is z, the front is -y."""

import numpy as np

from fixer3d.geometry.meshes import Mesh

from .primitives import box, cushion, cylinder, rod, torus, tube

Parts = list[tuple[Mesh, int]]
"""Surfaces, and which of the object's colors each has."""


def make_chair(rng: np.random.Generator) -> Parts:
    """A chair: legs or a pedestal; a back that is a panel, posts or rungs; arms on some."""
    width, depth, height = rng.uniform(0.38, 0.55), rng.uniform(0.38, 0.5), rng.uniform(0.38, 0.52)
    thickness = rng.uniform(0.03, 0.1)
    soft = rng.random() < 0.4
    seat = (cushion if soft else box)((width, depth, thickness), (0, 0, height - thickness / 2))
    parts = [(seat, 0)]
    under = height - thickness * 0.9
    parts += pedestal(rng, width / 2, under) if rng.random() < 0.25 else legs(rng, width, depth, under)
    parts += _back(rng, width, depth, height)
    if rng.random() < 0.35:
        parts += _arms(rng, width, depth, height)
    return parts


def legs(rng: np.random.Generator, width: float, depth: float, height: float) -> Parts:
    """Four legs under a rectangle, square or round, straight or splayed; braced on some."""
    thickness = rng.uniform(0.012, 0.03) * max(1.0, height / 0.5)
    splay, is_round = rng.choice([0.0, rng.uniform(0, 0.15)]), rng.random() < 0.5
    taper = rng.uniform(0.5, 1.0)
    parts: Parts = []
    feet = []
    for x in (-1, 1):
        for y in (-1, 1):
            top = np.array([x * (width / 2 - thickness), y * (depth / 2 - thickness), height])
            foot = top * [1, 1, 0] + [x * splay * height, y * splay * height, 0]
            feet.append(foot)
            radii = (thickness * (1 if is_round else 1.2), thickness * taper)
            parts.append((rod(top, foot, radii, 10 if is_round else 4), 1))
    if rng.random() < 0.4:
        share = rng.uniform(0.2, 0.6)
        corners = [foot + share * (np.array([0, 0, height]) - foot * [splay > 0, splay > 0, 0] * 0.2) for foot in feet]
        for i, j in ((0, 1), (2, 3), (0, 2), (1, 3)):
            parts.append((rod(corners[i], corners[j], thickness * 0.6, 6), 1))
    return parts


def pedestal(rng: np.random.Generator, reach: float, height: float) -> Parts:
    """A column on a disc or on feet that spread like a star."""
    column = rng.uniform(0.02, 0.05) * max(1.0, height / 0.5)
    parts: Parts = [(cylinder(column, height * 0.95, (0, 0, height * 0.525)), 1)]
    if rng.random() < 0.5:
        thickness = rng.uniform(0.02, 0.05)
        base = cylinder(
            reach * rng.uniform(0.7, 1.0), thickness, (0, 0, thickness / 2), top=reach * rng.uniform(0.3, 0.7)
        )
        return [*parts, (base, 1)]
    n = int(rng.integers(3, 6))
    for angle in np.arange(n) * 2 * np.pi / n:
        foot = np.array([np.cos(angle), np.sin(angle), 0]) * reach
        parts.append((rod((0, 0, height * 0.15), foot + np.array([0, 0, column * 0.6]), (column, column * 0.6), 8), 1))
    return parts


def _back(rng: np.random.Generator, width: float, depth: float, height: float) -> Parts:
    """A chair's back: a panel, or posts with bars between them."""
    rise, lean = rng.uniform(0.3, 0.65), rng.uniform(0, 0.15)
    y = depth / 2 - 0.02
    kind = rng.choice(["panel", "cushion", "posts", "rungs"])
    if kind in {"panel", "cushion"}:
        gap = rng.choice([0.0, rng.uniform(0.05, 0.15)])
        size = (width * rng.uniform(0.85, 1), rng.uniform(0.025, 0.08), rise - gap)
        panel = (box if kind == "panel" else cushion)(size, (0, 0, gap + (rise - gap) / 2))
        parts: Parts = [(_leaned(panel, lean, (0, y, height)), 0)]
        bars = [(x, x) for x in (-width / 3, width / 3)] if gap else []
        return parts + _bars(bars, 0.0, gap + 0.02, (lean, y, height), 0.012)
    ends = [(x, x * rng.uniform(0.9, 1.1)) for x in (-width / 2 + 0.02, width / 2 - 0.02)]
    parts = _bars(ends, -0.02, rise, (lean, y, height), 0.018)
    rail = box((width, 0.03, rng.uniform(0.04, 0.12)), (0, 0, rise))
    parts.append((_leaned(rail, lean, (0, y, height)), 0))
    n = int(rng.integers(2, 6))
    if kind == "posts":
        inner = np.linspace(-width / 2, width / 2, n + 2)[1:-1]
        return parts + _bars([(x, x) for x in inner], -0.02, rise, (lean, y, height), 0.01)
    for z in np.linspace(0, rise, n + 1)[1:-1]:
        parts.append((_leaned(box((width - 0.03, 0.02, rise / n * 0.4), (0, 0, z)), lean, (0, y, height)), 0))
    return parts


def _bars(
    ends: list[tuple[float, float]], low: float, high: float, place: tuple[float, float, float], radius: float
) -> Parts:
    """Round bars that lean back: from x below to x above, between two heights over the seat."""
    lean, y, z = place
    return [(_leaned(rod((a, 0, low), (b, 0, high), radius, 8), lean, (0, y, z)), 1) for a, b in ends]


def _leaned(mesh: Mesh, lean: float, place: tuple[float, float, float]) -> Mesh:
    """Sheared backwards by `lean` per height, then put in its place."""
    return mesh.mapped(np.array([[1.0, 0, 0], [0, 1, lean], [0, 0, 1]]), np.array(place))


def _arms(rng: np.random.Generator, width: float, depth: float, height: float) -> Parts:
    """Two arms on posts at the front, with their ends in the back."""
    rise, thickness = rng.uniform(0.15, 0.25), rng.uniform(0.02, 0.035)
    parts: Parts = []
    for x in (-width / 2, width / 2):
        parts.append((box((thickness * 2, depth, thickness), (x, 0, height + rise)), 0))
        post = (x, -depth / 2 + thickness, height - 0.03)
        parts.append((rod(post, (x, -depth / 2 + thickness, height + rise), thickness * 0.7, 8), 1))
        parts.append(
            (rod((x, depth / 2 - thickness, height - 0.03), (x, depth / 2, height + rise), thickness * 0.7, 8), 1)
        )
    return parts


def make_table(rng: np.random.Generator) -> Parts:
    """A table: round or rectangular; on legs, a pedestal or panels; with a lower board on some."""
    height, thickness = rng.uniform(0.35, 0.8), rng.uniform(0.02, 0.06)
    width = rng.uniform(0.6, 1.5)
    depth = width * rng.uniform(0.45, 1.0)
    under = height - thickness * 0.8
    is_round = rng.random() < 0.35
    if is_round:
        depth = width = min(width, 1.2)
        top = cylinder(width / 2, thickness, (0, 0, height - thickness / 2))
    else:
        top = box((width, depth, thickness), (0, 0, height - thickness / 2))
    parts: Parts = [(top, 0)]
    inner = (width * 0.7, depth * 0.7) if is_round else (width * 0.94, depth * 0.94)
    kind = rng.choice(["legs", "pedestal", "panels"], p=[0.55, 0.25, 0.2])
    if kind == "pedestal":
        return parts + pedestal(rng, min(width, depth) * 0.4, under)
    if kind == "panels":
        parts += [(box((0.04, inner[1], under), (x, 0, under / 2)), 1) for x in (-inner[0] * 0.42, inner[0] * 0.42)]
        return [*parts, (box((inner[0] * 0.84, 0.03, under * 0.35), (0, 0, under * rng.uniform(0.4, 0.8))), 1)]
    parts += legs(rng, *inner, under)
    if rng.random() < 0.5:
        apron = rng.uniform(0.05, 0.1)
        parts += [
            (box((inner[0] * 0.94, 0.02, apron), (0, y, under - apron / 2)), 1)
            for y in (-inner[1] * 0.46, inner[1] * 0.46)
        ]
        parts += [
            (box((0.02, inner[1] * 0.94, apron), (x, 0, under - apron / 2)), 1)
            for x in (-inner[0] * 0.46, inner[0] * 0.46)
        ]
    if rng.random() < 0.3:
        parts.append((box((inner[0] * 0.95, inner[1] * 0.95, 0.025), (0, 0, height * rng.uniform(0.2, 0.4))), 0))
    return parts


def make_stool(rng: np.random.Generator) -> Parts:
    """A stool: round or square, on three or four splayed legs with a ring between them, or on a pedestal."""
    height, radius, thickness = rng.uniform(0.4, 0.8), rng.uniform(0.15, 0.22), rng.uniform(0.03, 0.09)
    z = height - thickness / 2
    kind = rng.choice(["disc", "cushion", "square"])
    if kind == "disc":
        seat = cylinder(radius * rng.uniform(0.85, 1), thickness, (0, 0, z), top=radius)
    else:
        seat = cushion((2 * radius, 2 * radius, thickness), (0, 0, z), 0.8 if kind == "cushion" else 0.2)
    parts: Parts = [(seat, 0)]
    under = height - thickness * 0.8
    if rng.random() < 0.3:
        return parts + pedestal(rng, radius, under)
    n, spread, thickness = int(rng.integers(3, 5)), rng.uniform(1.0, 1.4), rng.uniform(0.012, 0.025)
    share = rng.uniform(0.25, 0.5)
    for angle in (np.arange(n) + 0.5) * 2 * np.pi / n:
        way = np.array([np.cos(angle), np.sin(angle), 0]) * radius
        parts.append((rod(way * 0.75 + [0, 0, under], way * spread, (thickness, thickness * 0.8), 8), 1))
    if rng.random() < 0.6:
        ring = torus(radius * (0.75 * share + spread * (1 - share)), thickness * 0.7)
        parts.append((ring.mapped(np.eye(3), np.array([0, 0, under * share])), 1))
    return parts


def make_sofa(rng: np.random.Generator) -> Parts:
    """A sofa for one to three, with cushions, arms and a back; some with a longer seat at one end."""
    n = int(rng.integers(1, 4))
    width, depth = rng.uniform(0.55, 0.75) * n, rng.uniform(0.65, 0.85)
    floor, seat = rng.uniform(0.04, 0.16), rng.uniform(0.34, 0.46)
    arm, back = rng.uniform(0.1, 0.22), rng.uniform(0.14, 0.25)
    arm_height, back_height = seat + rng.uniform(0.08, 0.25), seat + rng.uniform(0.3, 0.5)
    base = (floor + seat * 0.55) / 2
    parts: Parts = [(box((width, depth, seat * 0.55 - floor), (0, 0, base)), 0)]
    soft = rng.uniform(0.15, 0.4)
    for x in (np.arange(n) + 0.5) * width / n - width / 2:
        size = (width / n * 0.99, depth - back * 0.8, seat * 0.5)
        parts.append((cushion(size, (x, -back * 0.4, seat * 0.75), soft), 0))
        upper = (width / n * 0.97, back, (back_height - seat) * 1.1)
        parts.append(
            (_leaned(cushion(upper, (0, 0, 0), soft), 0.15, (x, depth / 2 - back, (seat + back_height) / 2)), 0)
        )
    parts.append(
        (box((width, back * 0.5, back_height - floor), (0, depth / 2 - back * 0.25, (floor + back_height) / 2)), 0)
    )
    if rng.random() < 0.85:
        for x in (-width / 2 - arm / 2, width / 2 + arm / 2):
            shape = (arm, depth, arm_height - floor)
            parts.append(((cushion if soft > 0.25 else box)(shape, (x, 0, (floor + arm_height) / 2)), 0))
    if n > 1 and rng.random() < 0.3:
        parts.append(
            (_chaise(rng, width / n, depth, (floor, seat), float(rng.choice([-1, 1])) * (n - 1) * width / n / 2), 0)
        )
    parts += [
        (cylinder(0.03, floor * 1.2, (x * width * 0.45, y * depth * 0.42, floor * 0.6)), 1)
        for x in (-1, 1)
        for y in (-1, 1)
    ]
    return parts


def _chaise(rng: np.random.Generator, width: float, depth: float, heights: tuple[float, float], x: float) -> Mesh:
    """The longer seat at one end of a sofa."""
    floor, seat = heights
    length = rng.uniform(0.4, 0.8)
    return cushion((width, length * 1.2, seat - floor), (x, -depth / 2 - length * 0.4, (seat + floor) / 2), 0.15)


def make_bed(rng: np.random.Generator) -> Parts:
    """A bed: mattress, headboard, pillows, a blanket; a footboard on some."""
    width, length = rng.choice([rng.uniform(0.8, 1.0), rng.uniform(1.3, 1.8)]), rng.uniform(1.8, 2.1)
    frame, mattress = rng.uniform(0.22, 0.4), rng.uniform(0.14, 0.28)
    head = frame + mattress + rng.uniform(0.15, 0.6)
    beam = rng.uniform(0.08, 0.16)
    parts: Parts = [(box((width, length, beam), (0, 0, frame - beam / 2)), 1)]
    parts.append((cushion((width * 0.97, length * 0.97, mattress), (0, 0, frame + mattress / 2 - 0.01), 0.12), 2))
    parts += _headboard(rng, width, length / 2, head)
    if rng.random() < 0.4:
        parts.append((box((width, 0.05, frame + mattress * 0.7), (0, -length / 2, (frame + mattress * 0.7) / 2)), 1))
    if frame - beam > 0.05:
        posts = [
            (x * (width / 2 - 0.05), y * (length / 2 - 0.05), (frame - beam / 2) / 2) for x in (-1, 1) for y in (-1, 1)
        ]
        parts += [(box((0.06, 0.06, frame - beam / 2), post), 1) for post in posts]
    n = 1 if width < 1.2 else int(rng.integers(1, 3))
    for x in (np.arange(n) + 0.5) * width / n - width / 2:
        size = (min(width / n * 0.8, 0.7), 0.38, rng.uniform(0.12, 0.2))
        parts.append((cushion(size, (x, length / 2 - 0.27, frame + mattress + 0.04), 0.6), 2))
    if rng.random() < 0.75:
        cover = length * rng.uniform(0.35, 0.7)
        size = (width * 1.02, cover, mattress * 1.12)
        parts.append((cushion(size, (0, -length / 2 + cover / 2 - 0.01, frame + mattress / 2 + 0.01), 0.12), 0))
    return parts


def _headboard(rng: np.random.Generator, width: float, y: float, height: float) -> Parts:
    """A panel, a padded panel, or bars between two posts."""
    kind = rng.choice(["panel", "padded", "bars"])
    if kind == "panel":
        return [(box((width * 1.02, 0.05, height), (0, y, height / 2)), 1)]
    if kind == "padded":
        return [(cushion((width * 1.05, 0.12, height), (0, y, height / 2), 0.2), 0)]
    xs = np.linspace(-width / 2, width / 2, int(rng.integers(5, 10)))
    rail = tube(np.array([[xs[0], y, height], [xs[-1], y, height]]), 0.025, 8)
    return [(rail, 1), *((rod((x, y, 0.15), (x, y, height), 0.018, 8), 1) for x in xs[1:-1])] + [
        (rod((x, y, 0), (x, y, height + 0.03), 0.03, 8), 1) for x in (xs[0], xs[-1])
    ]
