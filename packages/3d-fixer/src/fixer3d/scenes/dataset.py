"""Folders of scenes: images of each view, the meshes, and a transforms.json that describes them."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fixer3d.geometry.cameras import Intrinsics
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
        FileExistsError: if something else is there.
        PermissionError: if it cannot be written.
    """
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
        ValueError: if one cannot be read; the sentence names it.
    """
    from separata.files import read_json

    path = folder / TRANSFORMS
    values = read_json(path)
    try:
        entries = [
            (one["name"], one["category"], folder / one["mesh_path"], _placement(one)) for one in values["objects"]
        ]
        frames = [(frame, *(folder / frame[key] for key in _PATHS)) for frame in values["frames"]]
        views = tuple(_load_view(*frame) for frame in frames)
        seed = int(values.get("seed", 0))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} does not describe a scene: {error} is missing or no such thing") from None
    objects = tuple(SceneObject(name, category, load_mesh(mesh)) for name, category, mesh, _ in entries)
    return SyntheticScene(objects, views, tuple(place for *_, place in entries), seed)


_PATHS = ("file_path", "depth_path", "index_path")


def _placement(values: dict[str, Any]) -> Placement:
    x, y, z = values["rand_trans"]
    return Placement(float(values["rand_scale"]), float(values["rand_rot"]), (float(x), float(y), float(z)))


def _load_view(frame: dict[str, Any], rgb_path: Path, depth_path: Path, index_path: Path) -> View:
    rgb = load_rgb(rgb_path)
    low, high = float(frame["depth"]["min"]), float(frame["depth"]["max"])
    levels, index = (_pixels(path) for path in (depth_path, index_path))
    index = (index / INDEX_STEP).round().long()
    depth = levels.double() / DEPTH_LEVELS * (high - low) + low
    intrinsics = Intrinsics.from_dict(frame, rgb.shape[1], rgb.shape[0])
    pose = torch.tensor(frame["transform_matrix"], dtype=torch.float32)
    return View(rgb, torch.where(index != NOTHING, depth, 0).float(), index, intrinsics, pose)


def _pixels(path: Path) -> torch.Tensor:
    with open_image(path) as image:
        return torch.from_numpy(np.array(image).astype(np.int64))


def scene_folders(root: Path) -> list[Path]:
    """The scenes in a folder of folders, in the order of their names.

    Raises:
        FileNotFoundError: if there is none.
    """
    found = sorted(path.parent for path in root.glob(f"*/{TRANSFORMS}"))
    if not found:
        raise FileNotFoundError(f"{root} holds no scene: no folder in it has a {TRANSFORMS}")
    return found


@contextmanager
def _replacing_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its place when the block ends without an error."""
    from separata import files

    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; name a folder for the scene")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / TRANSFORMS).is_file():
        raise FileExistsError(f"{folder} holds something else than a scene; name another folder")
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
