"""How much of each object an image shows."""

from dataclasses import replace

from fixer3d.geometry.cameras import Intrinsics

from .generation import SyntheticScene
from .rendering import Renderer, View


def visible_shares(scene: SyntheticScene, view: View) -> dict[str, float]:
    """The share of each object that is seen: of the pixels that it would have alone, in an image with room around it.

    What other objects hide counts as unseen, and so does what the border of the image cuts off.

    Args:
        scene: The scene.
        view: One of its views.

    Returns:
        A share in [0, 1] for each object by name; 0 where it would have no pixel even alone.
    """
    wide = _widened(view.intrinsics)
    shares = {}
    for number, (name, _, mesh) in enumerate(scene.objects):
        alone = int((Renderer([mesh]).depth(wide, view.c2w) > 0).sum())
        shares[name] = min(1.0, int(view.mask(number).sum()) / alone) if alone else 0.0
    return shares


def _widened(intrinsics: Intrinsics) -> Intrinsics:
    """The same camera with an image of twice the size around the same middle; its pixels are those of the first."""
    dx, dy = intrinsics.width // 2, intrinsics.height // 2
    return replace(
        intrinsics,
        cx=intrinsics.cx + dx,
        cy=intrinsics.cy + dy,
        width=intrinsics.width + 2 * dx,
        height=intrinsics.height + 2 * dy,
    )
