"""Folders of scenes: images of each view, the meshes, and a transforms.json that describes them."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fixer3d.configs import MAX_OBJECTS
from fixer3d.geometry.cameras import Intrinsics, check_rigid
from fixer3d.geometry.meshes import load_mesh, save_mesh

from .generation import SceneObject, SyntheticScene
from .images import INDEX_STEP, load_rgb
from .layout import Placement
from .pictures import open_image
from .rendering import FIRST_OBJECT, NOTHING, View
from .sidecars import TRANSFORMS

DEPTH_LEVELS = 65535
"""`depth = value / 65535 (max - min) + min`."""


def save_scene(scene: SyntheticScene, folder: Path) -> None:
    """Write a scene to a folder, whole or not at all.

    For each view NNN.png, NNN_depth.png (16 bits between the least and the greatest depth) and NNN_index.png (16 bits,
    index times 655.35); a PLY for each object in meshes; cameras, depth ranges and placements in transforms.json.

    Args:
        scene: The scene.
        folder: A folder that does not exist, is empty, or holds a scene, which is replaced.

    Raises:
        ValueError: if there are more objects than an index image can hold.
        FileExistsError: if something else is there.
        PermissionError: if it cannot be written.
    """
    if len(scene.objects) > MAX_OBJECTS:
        raise ValueError(f"a scene has at most {MAX_OBJECTS} objects, not {len(scene.objects)}")
    with _replacing_folder(folder) as part:
        (part / "meshes").mkdir()
        for name, _, mesh in scene.objects:
            save_mesh(mesh, part / "meshes" / f"{name}.ply")
        frames = [_save_view(view, part, f"{number:03d}") for number, view in enumerate(scene.views)]
        values = {"seed": scene.seed, "frames": frames, "objects": _objects(scene)}
        (part / TRANSFORMS).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _objects(scene: SyntheticScene) -> list[dict[str, Any]]:
    pairs = zip(scene.objects, scene.placements, strict=True)
    return [
        {
            "name": name,
            "category": category,
            "index": number + FIRST_OBJECT,
            "mesh_path": f"meshes/{name}.ply",
            "rand_scale": place.scale,
            "rand_rot": place.yaw,
            "rand_trans": list(place.translation),
        }
        for number, ((name, category, _), place) in enumerate(pairs)
    ]


def _save_view(view: View, folder: Path, stem: str) -> dict[str, Any]:
    """Write the images of a view, and say what transforms.json has of it."""
    from PIL import Image

    seen = view.depth[view.index != NOTHING]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)
    levels = (view.depth.double() - low) / max(high - low, 1e-9) * DEPTH_LEVELS
    images = {
        f"{stem}.png": view.rgb.numpy(),
        f"{stem}_depth.png": levels.round().clamp(0, DEPTH_LEVELS).numpy().astype(np.uint16),
        f"{stem}_index.png": (view.index * INDEX_STEP).round().numpy().astype(np.uint16),
    }
    for name, pixels in images.items():
        Image.fromarray(pixels).save(folder / name)
    paths = dict(zip(("file_path", "depth_path", "index_path"), images, strict=True))
    camera = {"camera_angle_x": view.intrinsics.fov_x, "transform_matrix": view.c2w.double().tolist()}
    return paths | camera | {"depth": {"min": low, "max": high}}


def load_scene(folder: Path) -> SyntheticScene:
    """Read a scene that `save_scene` wrote; depth is as exact as 16 bits are.

    Raises:
        FileNotFoundError: if a file of it is missing.
        ValueError: if one is damaged, or does not fit the others; the sentence names it.
    """
    from separata.files import read_json

    path = folder / TRANSFORMS
    values = read_json(path)
    try:
        entries = [_read_object(one) for one in values["objects"]]
        frames = [_Frame.from_json(frame) for frame in values["frames"]]
        seed = int(values.get("seed", 0))
        if len({name for name, *_ in entries}) < len(entries):
            raise ValueError("two objects have the same name")
    except KeyError as error:
        raise ValueError(f"{path} does not describe a scene: {error} is missing") from None
    except (TypeError, AttributeError):
        raise ValueError(f"{path} does not describe a scene: its entries have another form") from None
    except ValueError as error:
        raise ValueError(f"{path} does not describe a scene: {error}") from None
    objects = tuple(SceneObject(name, category, load_mesh(folder / mesh)) for name, category, mesh, _ in entries)
    views = tuple(_load_view(folder, frame, len(objects)) for frame in frames)
    return SyntheticScene(objects, views, tuple(where for *_, where in entries), seed)


def _read_object(values: Any) -> tuple[str, str, str, Placement]:  # noqa: ANN401 - whatever JSON holds
    """Name, category, mesh and placement of an object."""
    name, category, mesh = str(values["name"]), str(values["category"]), values["mesh_path"] + ""
    scale, yaw = float(_numbers(values, "rand_scale")), float(_numbers(values, "rand_rot"))
    x, y, z = _numbers(values, "rand_trans", 3).tolist()
    if not scale > 0:
        raise ValueError(f"rand_scale must be positive, not {scale:g}")
    return name, category, mesh, Placement(scale, yaw, (x, y, z))


def _numbers(values: Any, key: str, *shape: int) -> np.ndarray:  # noqa: ANN401 - whatever JSON holds
    """Finite numbers of a JSON object, in the shape that they must have."""
    value = values[key]
    try:
        found = np.asarray(value, float)
    except (TypeError, ValueError):
        found = np.full(shape, np.nan)
    if found.shape != shape or not np.isfinite(found).all():
        raise ValueError(f"{key} must be {'×'.join(map(str, shape)) or 'a'} finite number{'s' if shape else ''}")
    return found


@dataclass(frozen=True)
class _Frame:
    """What transforms.json says of a view: its images, the range of its depth, and its camera."""

    paths: tuple[str, str, str]
    low: float
    high: float
    camera: dict[str, Any]
    pose: Float[Tensor, "4 4"]

    @classmethod
    def from_json(cls, values: Any) -> "_Frame":  # noqa: ANN401 - whatever JSON holds
        low, high = (float(_numbers(values["depth"], key)) for key in ("min", "max"))
        if not 0 <= low <= high:
            raise ValueError(f"the depth must have 0 ≤ min ≤ max, not {low:g} and {high:g}")
        pose = torch.from_numpy(_numbers(values, "transform_matrix", 4, 4)).float()
        check_rigid(pose)
        Intrinsics.from_dict(values, 1, 1)
        rgb, depth, index = (values[key] + "" for key in _PATHS)
        return cls((rgb, depth, index), low, high, values, pose)


_PATHS = ("file_path", "depth_path", "index_path")


def _load_view(folder: Path, frame: _Frame, n_objects: int) -> View:
    """The images of a view; each must have the size of the first, and show objects that there are."""
    rgb_path, depth_path, index_path = (folder / path for path in frame.paths)
    rgb = load_rgb(rgb_path)
    height, width = rgb.shape[:2]
    levels, index = (_pixels(path, rgb_path, (height, width)) for path in (depth_path, index_path))
    index = (index / INDEX_STEP).round().long()
    if index.min() < 0 or index.max() >= FIRST_OBJECT + n_objects:
        last = FIRST_OBJECT + n_objects - 1
        raise ValueError(f"{index_path} has the index {int(index.max())}, but the scene's last object has {last}")
    depth = levels.double() / DEPTH_LEVELS * (frame.high - frame.low) + frame.low
    if not (depth[index != NOTHING] > 0).all():
        raise ValueError(f"{depth_path} has no depth at some pixels where {index_path.name} shows something")
    depth = torch.where(index != NOTHING, depth, 0).float()
    return View(rgb, depth, index, Intrinsics.from_dict(frame.camera, width, height), frame.pose)


def _pixels(path: Path, rgb: Path, size: tuple[int, int]) -> Int[Tensor, "h w"]:
    with open_image(path) as image:
        pixels = np.array(image)
    if pixels.shape != size:
        given = "×".join(map(str, pixels.shape[1::-1]))
        raise ValueError(
            f"{path} has {given} pixels{' in color' if pixels.ndim > 2 else ''}, but {rgb} has {size[1]}×{size[0]}; "
            "they must be of one size, in one channel"
        )
    return torch.from_numpy(pixels.astype(np.int64))


def fingerprint(folders: Sequence[Path]) -> str:
    """A hash of what scenes are: their descriptions, and the sizes of their files."""
    found = hashlib.sha256()
    for folder in folders:
        sizes = [f"{path.relative_to(folder)} {path.stat().st_size}" for path in sorted(folder.rglob("*.*"))]
        found.update("\n".join([folder.name, *sizes]).encode())
        found.update((folder / TRANSFORMS).read_bytes())
    return found.hexdigest()


def scene_folders(root: Path) -> list[Path]:
    """The scenes in a folder of folders, in the order of their names.

    Raises:
        FileNotFoundError: if there is none.
    """
    found = sorted(path.parent for path in root.glob(f"*/{TRANSFORMS}"))
    if not found:
        raise FileNotFoundError(f"{root} contains no scenes: no folder in it has a {TRANSFORMS}")
    return found


@contextmanager
def _replacing_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its place when the block ends without an error."""
    from separata import files

    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; name a folder for the scene")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / TRANSFORMS).is_file():
        raise FileExistsError(f"{folder} contains something other than a scene; name another folder")
    files.make_writable(folder.parent)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    part.mkdir()
    try:
        yield part
        if folder.exists():
            folder.replace(old)
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
