"""PLY files in the precision that their coordinates need."""

import numpy as np
from jaxtyping import Float, Int, UInt8

ROUNDING = 1e-5
"""Rounding to single precision matters if it moves a point by more than this part of the extent."""


def needs_double(points: Float[np.ndarray, "n 3"]) -> bool:
    """Whether points are so far from the origin, for their extent, that single precision would deform them.

    It holds 24 bits of a coordinate: a chair at a UTM coordinate of 4,500,000 m would lie on a lattice of 0.5 m.
    """
    if not len(points):
        return False
    moved = np.abs(points - points.astype(np.float32)).max()
    return bool(moved > ROUNDING * np.ptp(points, axis=0).max())


def ply_bytes(
    vertices: Float[np.ndarray, "n 3"],
    faces: Int[np.ndarray, "m 3"] | None = None,
    colors: UInt8[np.ndarray, "n 3"] | None = None,
) -> bytes:
    """A binary PLY file; coordinates are doubles where they need it, and floats elsewhere.

    Args:
        vertices: Positions.
        faces: Vertices of each triangle; none for a point cloud.
        colors: Of each vertex.
    """
    kind, name = ("<f8", "double") if needs_double(vertices) else ("<f4", "float")
    fields = [("position", kind, 3), *([] if colors is None else [("color", "u1", 3)])]
    points = np.empty(len(vertices), np.dtype(fields))
    points["position"] = vertices
    properties = [f"property {name} {axis}" for axis in "xyz"]
    if colors is not None:
        points["color"] = colors
        properties += [f"property uchar {channel}" for channel in ("red", "green", "blue")]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}", *properties]
    content = points.tobytes()
    if faces is not None:
        triangles = np.empty(len(faces), np.dtype([("n", "u1"), ("corners", "<i4", 3)]))
        triangles["n"], triangles["corners"] = 3, faces
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
        content += triangles.tobytes()
    return "\n".join([*header, "end_header", ""]).encode() + content
