"""Triangle meshes and point clouds, and the files that hold them."""

import gzip
import io
import itertools
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from separata.arrays import load_npy

from .frames import Frame
from .ply import needs_double, ply_bytes

MESH_FORMATS = (".ply", ".obj", ".glb", ".gltf", ".stl", ".off")
"""What can be read, each also compressed (.gz)."""

Axis = Literal["x", "y", "z"]

_BROKEN = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    NotImplementedError,
    EOFError,
    OSError,
    struct.error,
    zlib.error,
)
"""What readers raise on damaged files."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh.

    Args:
        vertices: Positions.
        faces: Vertices of each triangle, counterclockwise seen from outside.
        colors: Red, green and blue of each vertex in [0, 1].
    """

    vertices: Float[np.ndarray, "n 3"]
    faces: Int[np.ndarray, "m 3"]
    colors: Float[np.ndarray, "n 3"] | None = None

    @classmethod
    def empty(cls) -> "Mesh":
        """A mesh without a vertex."""
        return cls(np.zeros((0, 3)), np.zeros((0, 3), np.int64))

    def __len__(self) -> int:
        """The number of triangles."""
        return len(self.faces)

    @property
    def bounds(self) -> Float[np.ndarray, "2 3"]:
        """The lowest and highest coordinates.

        Raises:
            ValueError: if there is no vertex.
        """
        if not len(self.vertices):
            raise ValueError("an empty mesh has no bounds")
        return np.stack([self.vertices.min(0), self.vertices.max(0)])

    @property
    def areas(self) -> Float[np.ndarray, "m"]:
        """The area of each triangle."""
        a, b, c = self.vertices[self.faces].transpose(1, 0, 2)
        return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2

    @property
    def volume(self) -> float:
        """The enclosed volume; negative where the faces look inwards."""
        if not len(self):
            return 0.0
        # From a point among them, whose products do not cancel far from the origin.
        a, b, c = (self.vertices - self.vertices[0])[self.faces].transpose(1, 0, 2)
        return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)

    def transformed(self, frame: Frame) -> "Mesh":
        """The mesh in the world, if its coordinates are those of the frame."""
        return self._moved(frame.to_world(torch.from_numpy(self.vertices)))

    def localized(self, frame: Frame) -> "Mesh":
        """The mesh in the coordinates of a frame, if it is in the world."""
        return self._moved(frame.to_local(torch.from_numpy(self.vertices)))

    def mapped(self, matrix: Float[np.ndarray, "3 3"], shift: Float[np.ndarray, "3"] | float = 0.0) -> "Mesh":
        """The mesh under `x -> matrix x + shift`; faces are turned where it mirrors."""
        faces = self.faces if np.linalg.det(matrix) >= 0 else self.faces[:, ::-1]
        return replace(self, vertices=self.vertices @ matrix.T + shift, faces=faces)

    def normalized(self) -> "Mesh":
        """The mesh in the middle of the cube [-0.5, 0.5]³, with its longest side 1.

        Raises:
            ValueError: if it is a single point, or empty.
        """
        low, high = self.bounds
        extent = float((high - low).max())
        if not extent > 0 or not np.isfinite(extent):
            raise ValueError("the mesh has no extent")
        return replace(self, vertices=(self.vertices - (low + high) / 2) / extent)

    def upright(self, up: Axis) -> "Mesh":
        """The mesh turned so that its axis `up` is z; files for games and the web have y up."""
        turns = {
            "x": [[0.0, 1, 0], [0, 0, 1], [1, 0, 0]],
            "y": [[1.0, 0, 0], [0, 0, -1], [0, 1, 0]],
            "z": [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]],
        }
        return self.mapped(np.array(turns[up]))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n 3"]:
        """Points on the surface, uniform by area.

        Args:
            n: How many.
            generator: Draws them, on the CPU.

        Raises:
            ValueError: if the mesh has no area.
        """
        areas = torch.from_numpy(self.areas)
        if not len(areas) or not areas.sum() > 0:
            raise ValueError("the mesh has no surface to sample")
        cumulative = areas.cumsum(0)
        draws = torch.rand(n, 3, dtype=torch.double, generator=generator)
        which = torch.searchsorted(cumulative, draws[:, 0] * cumulative[-1], right=True).clamp(max=len(areas) - 1)
        root = draws[:, 1].sqrt()
        weights = torch.stack([1 - root, root * (1 - draws[:, 2]), root * draws[:, 2]], 1)
        corners = torch.from_numpy(self.vertices)[torch.from_numpy(np.ascontiguousarray(self.faces))[which]]
        return torch.einsum("nk,nkd->nd", weights, corners.double()).float()

    def _moved(self, vertices: Tensor) -> "Mesh":
        return replace(self, vertices=vertices.numpy())


def combine(meshes: Sequence[Mesh]) -> Mesh:
    """All triangles of several meshes as one; colors only where each has them."""
    meshes = [mesh for mesh in meshes if len(mesh.vertices)]
    if not meshes:
        return Mesh.empty()
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    colors = [mesh.colors for mesh in meshes if mesh.colors is not None]
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)]),
        np.concatenate(colors) if len(colors) == len(meshes) else None,
    )


def load_mesh(path: Path) -> Mesh:
    """Read a mesh: PLY, OBJ, GLB, STL or OFF, or one of these compressed by gzip (.obj.gz).

    A file of several objects becomes one mesh, each where it stands.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, or contains no triangles.
    """
    geometry = _load(path)
    faces = getattr(geometry, "faces", None)
    if faces is None or not len(faces):
        raise ValueError(f"{path} contains no triangles; a point cloud is completed by complete-points")
    mesh = Mesh(np.asarray(geometry.vertices, float), np.asarray(faces, np.int64), _colors(geometry))
    if not np.isfinite(mesh.vertices).all():
        raise ValueError(f"{path} holds positions that are not finite")
    return mesh


def load_parts(path: Path) -> dict[str, Mesh]:
    """Read the objects of a file by name, each where it stands; a format without names holds one, named by the file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, or contains no triangles.
    """
    import trimesh

    if path.suffix.lower() not in {".glb", ".gltf"}:
        return {path.name.split(".")[0]: load_mesh(path)}
    load_mesh(path)
    scene = trimesh.load_scene(io.BytesIO(path.read_bytes()), file_type="glb", process=False)
    found = {}
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        part = scene.geometry[name]
        if isinstance(part, trimesh.Trimesh) and len(part.faces):
            vertices = trimesh.transform_points(part.vertices, matrix)
            found[str(node)] = Mesh(np.asarray(vertices, float), np.asarray(part.faces, np.int64), _colors(part))
    return found


def load_points(path: Path, n_samples: int = 20_000) -> Float[Tensor, "n 3"]:
    """Read a point cloud as doubles: PLY, OBJ, GLB or another format of meshes, or an array (points, 3) as NPY.

    Args:
        path: The file.
        n_samples: Points that are sampled from the surface where the file holds triangles.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, or no point of it is finite.
    """
    points = _load_array(path) if path.suffix.lower() == ".npy" else _load_cloud(path, n_samples)
    points = points[points.isfinite().all(1)]
    if not len(points):
        raise ValueError(f"{path} has no points with finite coordinates")
    return points


def _load_array(path: Path) -> Tensor:
    _check_there(path)
    try:
        array = load_npy(path)
    except ValueError:
        raise ValueError(f"{path} is not an NPY file of numbers") from None
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{path} must hold real numbers, not {array.dtype}")
    if array.ndim != 2 or array.shape[1] != 3:
        raise ValueError(f"{path} must have shape (points, 3), not {array.shape}")
    return torch.from_numpy(array.astype(np.float64))


def _load_cloud(path: Path, n_samples: int) -> Tensor:
    geometry = _load(path)
    faces = getattr(geometry, "faces", None)
    vertices = np.asarray(geometry.vertices, float)
    # Samples are in single precision, which is enough around the middle of the surface.
    finite = vertices[np.isfinite(vertices).all(1)]
    middle = finite.mean(0) if len(finite) else np.zeros(3)
    surface = Mesh(vertices - middle, np.zeros((0, 3), np.int64) if faces is None else np.asarray(faces, np.int64))
    if surface.areas.sum() > 0:
        return surface.sample(n_samples, torch.Generator().manual_seed(0)).double() + torch.from_numpy(middle)
    # Points, or triangles without an area.
    return torch.from_numpy(vertices)


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")


def _load(path: Path) -> Any:  # noqa: ANN401 - a geometry of trimesh
    """Whatever triangles or points a file holds, as one geometry."""
    import trimesh

    _check_there(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compressed = suffixes[-1:] == [".gz"]
    kind = suffixes[-2 if compressed else -1] if len(suffixes) > compressed else ""
    if kind not in MESH_FORMATS:
        raise ValueError(f"{path} is not a mesh or point cloud; supported formats are {', '.join(MESH_FORMATS)}")
    try:
        content = gzip.decompress(path.read_bytes()) if compressed else path.read_bytes()
        scene = trimesh.load_scene(io.BytesIO(content), file_type=kind[1:], process=False)
        _check_faces(scene.geometry.values())
        parts: list[Any] = scene.dump()
    except _BROKEN as error:
        raise ValueError(f"{path} cannot be read as {kind[1:].upper()}: {error}") from None
    surfaces = [part for part in parts if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    clouds = [part for part in parts if not surfaces and len(getattr(part, "vertices", ()))]
    if not surfaces and not clouds:
        raise ValueError(f"{path} contains neither triangles nor points")
    if surfaces:
        return trimesh.util.concatenate(surfaces) if len(surfaces) > 1 else surfaces[0]
    return trimesh.PointCloud(np.concatenate([np.asarray(cloud.vertices, float) for cloud in clouds]))


def _check_faces(geometries: Iterable[Any]) -> None:
    for one in geometries:
        faces = np.asarray(getattr(one, "faces", ()))
        if faces.size and (faces.min() < 0 or faces.max() >= len(one.vertices)):
            raise ValueError("a triangle refers to a vertex that does not exist")


def _colors(geometry: Any) -> np.ndarray | None:  # noqa: ANN401 - a geometry of trimesh
    visual = geometry.visual
    if getattr(visual, "kind", None) != "vertex":
        return None
    return np.asarray(visual.vertex_colors, float)[:, :3] / 255


def save_mesh(mesh: Mesh, path: Path) -> None:
    """Write a mesh as PLY, OBJ, GLB, STL or OFF, whole or not at all.

    Far from the origin, PLY has doubles, STL is text, and GLB places the mesh by a node with a translation.

    Raises:
        ValueError: if the suffix is another.
    """
    kind = path.suffix.lower()
    if kind not in MESH_FORMATS or kind == ".gltf":
        raise ValueError(f"cannot write {path}: a mesh is written as .ply, .obj, .glb, .stl or .off")
    if kind == ".glb":
        save_glb({path.stem: mesh}, path)
    elif kind == ".ply":
        colors = None if mesh.colors is None else _bytes(mesh.colors)
        _write(path, ply_bytes(mesh.vertices, mesh.faces, colors))
    else:
        is_text = kind == ".stl" and needs_double(mesh.vertices)
        _write(path, _trimesh(mesh).export(file_type="stl_ascii" if is_text else kind[1:]))


def save_points(points: Float[Tensor, "n 3"], path: Path, colors: Float[Tensor, "n 3"] | None = None) -> None:
    """Write a point cloud as PLY, whole or not at all.

    Args:
        points: Positions.
        path: The file, .ply.
        colors: Of each point in [0, 1].

    Raises:
        ValueError: if the suffix is another.
    """
    if path.suffix.lower() != ".ply":
        raise ValueError(f"cannot write {path}: a point cloud is written as .ply")
    shades = None if colors is None else _bytes(colors.detach().cpu().numpy())
    _write(path, ply_bytes(points.detach().cpu().numpy(), colors=shades))


def save_glb(meshes: Mapping[str, Mesh], path: Path) -> None:
    """Write meshes as one GLB scene, whole or not at all, with a node of its name for each.

    Coordinates are written as they are; programs that take y for up show a scene with z up on its side. GLB has single
    precision: what is too far from the origin for it has coordinates around its middle, where its node puts it.

    Raises:
        ValueError: if there is no triangle.
    """
    import trimesh

    # An object that is called like the root of the scene would lose its place.
    scene = trimesh.Scene(base_frame=next(root for root in _roots() if root not in meshes))
    for name, mesh in meshes.items():
        if len(mesh):
            place = np.eye(4)
            place[:3, 3] = mesh.bounds.mean(0) if needs_double(mesh.vertices) else 0
            local = replace(mesh, vertices=mesh.vertices - place[:3, 3])
            scene.add_geometry(_trimesh(local), node_name=name, geom_name=name, transform=place)
    if not scene.geometry:
        raise ValueError(f"there is no triangle to write to {path}")
    _write(path, scene.export(file_type="glb"))


def _roots() -> Iterator[str]:
    """Names for the root of a scene."""
    return ("world" + "_" * n for n in itertools.count())


def _trimesh(mesh: Mesh) -> Any:  # noqa: ANN401 - a mesh of trimesh
    import trimesh

    colors = None if mesh.colors is None else _bytes(mesh.colors)
    return trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colors, process=False)


def _bytes(colors: np.ndarray) -> np.ndarray:
    return (np.asarray(colors) * 255).round().clip(0, 255).astype(np.uint8)


def _write(path: Path, content: str | bytes) -> None:
    from separata import files

    with files.replacing(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
