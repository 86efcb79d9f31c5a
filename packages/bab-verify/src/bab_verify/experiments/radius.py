"""At which radius a property is neither easy nor hopeless, as bounds alone see it."""

import math
from collections.abc import Callable, Sequence
from functools import partial

from bab_verify.properties.specification import Specification

WANTED = (0.3, 0.6)
"""Share of properties that alpha-CROWN is to prove at the radius that is chosen for all."""

Property = Callable[[float], Specification]
"""A property at a radius."""


def chosen_radii(
    proves: Callable[[Property, float], bool],
    properties: tuple[Sequence[Property], Sequence[Property]],
    start: float,
    beyond: float,
) -> list[float]:
    """A radius for each property.

    Args:
        proves: Whether bounds alone prove a property at a radius.
        properties: Those that need a radius, and others to choose one for all on.
        start: The first radius that is tried.
        beyond: If not 0, each property has its own: by this share larger than the largest at which it is proven.
    """
    wanted, others = properties
    if beyond:
        return [(1 + beyond) * largest_radius(partial(proves, one), start) for one in wanted]
    return [chosen_radius(proves, others, start)] * len(wanted)


def chosen_radius(proves: Callable[[Property, float], bool], properties: Sequence[Property], start: float) -> float:
    """A radius at which the wanted share of properties is proven, by doubling and halving, and then between.

    Args:
        proves: Whether a property is proven at a radius. What holds at a radius is taken to hold at smaller ones.
        properties: At least one.
        start: The first radius.
    """
    known = [(0.0, math.inf) for _ in properties]
    below, above, radius = 0.0, math.inf, start
    for _ in range(12):
        for i, (most, least) in enumerate(known):
            if most < radius < least:
                known[i] = (radius, least) if proves(properties[i], radius) else (most, radius)
        share = sum(radius <= most for most, _ in known) / len(known)
        if WANTED[0] <= share <= WANTED[1]:
            break
        below, above = (radius, above) if share > WANTED[1] else (below, radius)
        radius = _between(below, above, radius)
    return radius


def largest_radius(proves: Callable[[float], bool], start: float, precision: float = 0.01) -> float:
    """The largest radius at which a property is proven, by doubling and halving, and then between.

    Args:
        proves: Whether it is proven at a radius. What holds at a radius is taken to hold at smaller ones.
        start: The first radius.
        precision: How far it may be below the largest, as a share of it.

    Returns:
        The radius; 0 if none was found.
    """
    below, above, radius = 0.0, math.inf, start
    for _ in range(20):
        below, above = (radius, above) if proves(radius) else (below, radius)
        if above <= (1 + precision) * below:
            break
        radius = _between(below, above, radius)
    return below


def _between(below: float, above: float, radius: float) -> float:
    return math.sqrt(below * above) if 0 < below < above < math.inf else radius * (2 if below else 0.5)
