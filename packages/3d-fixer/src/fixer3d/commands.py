"""What the commands do."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from separata import files
from separata.configs import check_seed
from separata.output import Output, table
from separata.progress import Reporter

from .completion import drawing, monocular
from .completion.fixer import Fixer
from .completion.objects import SCENE, VISIBLE, CompletedObject, file_name, save_objects
from .completion.scene import Scene
from .completion.weights import folder_of
from .configs import ImageFiles, ModelConfig, SamplerConfig, SceneConfig, Stage, TrainConfig
from .geometry.cameras import Intrinsics, project
from .geometry.meshes import MESH_FORMATS, Mesh, load_mesh, load_parts, load_points, save_glb, save_mesh, save_points
from .geometry.metrics import ObjectReport, SceneReport, evaluate_scene
from .scenes.dataset import load_scene, save_scene
from .scenes.generation import generate_scene
from .scenes.images import load_intrinsics, load_masks, load_pose, load_rgb, load_rgbd
from .scenes.sidecars import TRANSFORMS
from .training import runs

INPUT, CAMERA = "input.png", "camera.json"
MODELS = {"tiny": ModelConfig, "toy": ModelConfig.toy}


@contextmanager
def told_warnings() -> Iterator[None]:
    """Tell each warning of the block once, as one line."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for message in dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, UserWarning)):
        Reporter().say(f"warning: {message}")


def complete(
    rgb: Path,
    source: ImageFiles,
    out: Path,
    *,
    ids: Sequence[str],
    weights: str,
    seed: int,
    sampler: SamplerConfig,
    texture: bool,
    device: str,
) -> Output:
    """Complete the objects of an image and write them to a folder."""
    with told_warnings():
        scene = _read_scene(rgb, source, device)
        fixer = Fixer.from_pretrained(weights, device)
        targets = fixer.targets(scene, ids or None)
        files.make_writable(out)
        objects = fixer.complete_targets(targets, seed=seed, sampler=_asked(sampler), texture=texture)
        earlier = _earlier_files(out)
        paths = save_objects(objects, out)
        _save_input(scene, out, [path.name for path in paths[1:]])
        for path in earlier - set(paths):
            path.unlink(missing_ok=True)
    value = {"out": str(out), "files": [path.name for path in paths], "objects": [_described(one) for one in objects]}
    return Output(value, "\n".join([_told(one) for one in objects] + [f"in {out / SCENE}"]))


def _read_scene(rgb: Path, source: ImageFiles, device: str) -> Scene:
    """The scene of an image with its depth, read or estimated."""
    if source.depth is not None:
        seen = load_rgbd(
            rgb, source.depth, source.masks, source.intrinsics, depth_scale=source.depth_scale, pose=source.pose
        )
        ratio = 1.0 if source.estimated else 0.0
        return Scene.from_rgbd(seen.rgb, seen.depth, seen.masks, seen.intrinsics, seen.c2w, depth_ratio=ratio)
    image, found = load_rgb(rgb), load_masks(source.masks)
    camera = load_intrinsics(source.intrinsics, image.shape[1], image.shape[0], rgb)
    pose = None if source.pose is None else load_pose(source.pose, rgb)
    depth = monocular.estimate(image, source.depth_model or "", "cuda" if device == "cuda" else "cpu")
    return Scene.from_rgbd(image, depth, found, camera, pose, depth_ratio=1.0)


def _earlier_files(out: Path) -> set[Path]:
    """The PLY files of objects that an earlier completion wrote to a folder, as it noted them there."""
    try:
        noted = files.read_json(out / CAMERA)["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    names = [name for name in noted if isinstance(name, str)] if isinstance(noted, list) else []
    return {out / name for name in names if name == Path(name).name and name.endswith(".ply")}


def _save_input(scene: Scene, out: Path, names: Sequence[str]) -> None:
    """Write what `render` shows beside the result, and note the names of the objects' files."""
    points, colors = scene.points()
    save_points(points, out / VISIBLE, colors)
    drawing.save_picture(scene.rgb, out / INPUT)
    camera = {**vars(scene.intrinsics), "transform_matrix": scene.c2w.double().tolist(), "files": list(names)}
    files.write_json(out / CAMERA, camera)


def _described(one: CompletedObject) -> dict[str, Any]:
    bounds = one.mesh.bounds.tolist() if len(one.mesh) else None
    return {
        "name": one.name,
        "n_vertices": len(one.mesh.vertices),
        "n_faces": len(one.mesh),
        "bounds": bounds,
        "center": one.frame.center.tolist(),
        "scale": float(one.frame.scale),
    }


def _told(one: CompletedObject) -> str:
    scale = float(one.frame.scale)
    digits = max(0, 2 - math.floor(math.log10(scale)))
    x, y, z = (f"{value:.{digits}f}" for value in one.frame.center.tolist())
    return f"{one.name}: {len(one.mesh):,} triangles, {scale:.3g} long, at ({x}, {y}, {z})"


def _asked(sampler: SamplerConfig) -> SamplerConfig | None:
    """The sampler if it is not the usual one; weights may come with their own."""
    return None if sampler == SamplerConfig() else sampler


def complete_points(cloud: Path, out: Path, *, weights: str, seed: int, sampler: SamplerConfig, device: str) -> Output:
    """Complete a cloud and write its mesh."""
    check_mesh_path(out)
    points = load_points(cloud)
    fixer = Fixer.from_pretrained(weights, device)
    files.check_writable(out)
    with told_warnings():
        one = fixer.complete_points(points, name=file_name(cloud.stem), seed=seed, sampler=_asked(sampler))
    save_glb({one.name: one.mesh}, out) if out.suffix.lower() == ".glb" else save_mesh(one.mesh, out)
    return Output({"out": str(out), **_described(one)}, f"{_told(one)}, in {out}")


def check_mesh_path(path: Path) -> None:
    """See that a file has a format that meshes are written in.

    Raises:
        ValueError: if not.
    """
    if path.suffix.lower() not in set(MESH_FORMATS) - {".gltf"}:
        raise ValueError(f"{path} must end with .ply, .glb, .obj, .stl or .off")


def render(source: Path, out: Path, *, size: int) -> Output:
    """Draw a scene: what was seen, if it is there, and the result from two views.

    Rendering has single precision: everything is drawn around the middle of the meshes.
    """
    if size < 16:
        raise ValueError(f"the size must be at least 16 pixels, not {size}")
    if out.suffix.lower() != ".png":
        raise ValueError(f"{out} must end with .png")
    folder = source if source.is_dir() else source.parent
    meshes = list(load_parts(source / SCENE if source.is_dir() else source).values())
    files.check_writable(out)
    is_own = source.is_dir() and (folder / CAMERA).is_file()
    origin = drawing.middle(meshes)
    meshes = [mesh.mapped(np.eye(3), -origin.numpy()) for mesh in meshes]
    camera, pose = _camera(folder, size, origin) if is_own else drawing.around(meshes, size)
    views = [pose, drawing.turned(pose, drawing.middle(meshes).to(pose))]
    images = [load_rgb(folder / INPUT), _draw_cloud(folder, camera, views, origin)] if is_own else []
    images += [drawing.draw_meshes(meshes, camera, view) for view in views]
    picture = drawing.row(images, size)
    drawing.save_picture(picture, out)
    shape = {"width": picture.shape[1], "height": picture.shape[0]}
    return Output({"out": str(out), "n_pictures": len(images), **shape}, f"{len(images)} pictures in {out}")


def _camera(folder: Path, size: int, origin: Tensor) -> tuple[Intrinsics, Tensor]:
    """The camera that `complete` saw a scene with, for pictures of a size, seen from an origin."""
    height, width = load_rgb(folder / INPUT).shape[:2]
    height, width = (max(1, round(side * size / max(height, width))) for side in (height, width))
    pose = load_pose(folder / CAMERA)
    pose[:3, 3] -= origin
    return Intrinsics.from_json(folder / CAMERA, width, height), pose.float()


def _draw_cloud(folder: Path, camera: Intrinsics, views: Sequence[Tensor], origin: Tensor) -> Tensor:
    """The partial cloud from the second view, in the colors that the first one sees."""
    points, image = (load_points(folder / VISIBLE) - origin).float(), load_rgb(folder / INPUT)
    scale = image.shape[1] / camera.width
    x, y = (project(points, camera, views[0])[0] * scale).floor().long().unbind(-1)
    colors = image[y.clamp(0, image.shape[0] - 1), x.clamp(0, image.shape[1] - 1)].float() / 255
    return drawing.draw_points(points, colors, camera, views[1])


def generate_scenes(out: Path, n: int, config: SceneConfig, *, meshes: Path | None, seed: int) -> Output:
    """Generate scenes and write each to a folder of its own; scenes that are there are kept."""
    if n < 1:
        raise ValueError(f"the number of scenes must be at least 1, not {n}")
    if seed < 0:
        raise ValueError(f"the seed must not be negative, but it is {seed}")
    own = None if meshes is None else _own_meshes(meshes)
    files.make_writable(out)
    made = objects = 0
    for number in Reporter().track(range(seed, seed + n), "scenes"):
        folder = out / f"{number:06d}"
        if (folder / TRANSFORMS).is_file():
            continue
        scene = generate_scene(config, number, own)
        save_scene(scene, folder)
        made, objects = made + 1, objects + len(scene.objects)
    value = {"out": str(out), "made": made, "kept": n - made, "objects": objects, "images": made * config.n_views}
    kept = f"; {n - made} were there" if n - made else ""
    return Output(value, f"{made} scenes with {objects} objects in {value['images']} images, in {out}{kept}")


def _own_meshes(folder: Path) -> dict[str, Mesh]:
    """The meshes of a folder by name, with z up."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    paths = [path for path in sorted(folder.iterdir()) if path.name.lower().removesuffix(".gz").endswith(MESH_FORMATS)]
    if not paths:
        raise FileNotFoundError(f"{folder} contains no meshes ({', '.join(MESH_FORMATS)}, also compressed as .gz)")
    stems = [Path(path.name[:-3] if path.suffix.lower() == ".gz" else path.name).stem for path in paths]
    if len(set(stems)) < len(stems):
        raise ValueError(f"{folder} contains two meshes of the name {max(stems, key=stems.count)}; rename one")
    return {stem: _own_mesh(path) for stem, path in zip(stems, paths, strict=True)}


def _own_mesh(path: Path) -> Mesh:
    try:
        return load_mesh(path).upright("y").normalized()
    except ValueError as error:
        raise error if str(path) in str(error) else ValueError(f"{path}: {error}") from None


def train(
    stage: Stage,
    data: Path,
    out: Path,
    config: TrainConfig,
    *,
    start_from: Path | None,
    size: str | None,
    max_scenes: int | None,
    device: str,
    resume: bool,
) -> Output:
    """Train a stage."""
    if max_scenes is not None and max_scenes < 1:
        raise ValueError(f"the number of scenes must be at least 1, not {max_scenes}")
    if config.steps < 1:
        raise ValueError(f"the number of steps must be at least 1, not {config.steps}")
    model = None if size is None else MODELS[size]()
    result = runs.train_stage(
        stage,
        data,
        config,
        out,
        model=model,
        start_from=None if start_from is None else folder_of(str(start_from)),
        max_scenes=max_scenes,
        device=device,
        resume=resume,
    )
    return Output(result.to_json(), result.summary())


def changed(config: TrainConfig, given: dict[str, Any]) -> TrainConfig:
    """The settings of a preset, with those that were given instead."""
    return replace(config, **{name: value for name, value in given.items() if value is not None})


def evaluate(predicted: Path, truth: Path, *, n_points: int, seed: int) -> Output:
    """Compare completed objects with true ones of the same names, and, if some were not predicted, with all of them."""
    if n_points < 1:
        raise ValueError(f"the number of points must be at least 1, not {n_points}")
    check_seed(seed)
    found, (true, scales) = _predicted(predicted), _truth(truth)
    common = {name: mesh for name, mesh in true.items() if name in found}
    if not common:
        raise ValueError(
            f"no object has the same name in both: {predicted} has {', '.join(found)}, {truth} has {', '.join(true)}"
        )
    for path, meshes in ((predicted, found), (truth, true)):
        _check_surfaces(meshes, path)
    # Points are sampled in single precision.
    origin = drawing.middle(list(true.values())).numpy()
    found, true, common = (_moved(meshes, -origin) for meshes in (found, true, common))
    report = _compare(found, common, scales, n_points, seed)
    rows = [
        {"": name, **{key: getattr(one, key) for key in ObjectReport.__dataclass_fields__}}
        for name, one in report.objects.items()
    ]
    text = table(rows, {"scene chamfer": report.chamfer, "scene fscore": report.fscore}).text
    value = {**report.as_dict(), "not_predicted": sorted(true.keys() - found.keys())}
    if value["not_predicted"]:
        every = _compare(found, true, scales, n_points, seed)
        value["with_not_predicted"] = every.as_dict()
        text += (
            f"\nnot predicted, and left out above: {', '.join(value['not_predicted'])}"
            f"\nwith them, as objects that are missing: scene chamfer {every.chamfer:.4f}, "
            f"scene fscore {every.fscore:.4f}, object fscore {every.mean('fscore'):.4f}"
        )
    return Output(value, text)


def _check_surfaces(meshes: Mapping[str, Mesh], path: Path) -> None:
    flat = [name for name, mesh in meshes.items() if not mesh.areas.sum() > 0]
    if flat:
        raise ValueError(f"the object {flat[0]} of {path} has no surface")


def _moved(meshes: Mapping[str, Mesh], shift: np.ndarray) -> dict[str, Mesh]:
    return {name: mesh.mapped(np.eye(3), shift) for name, mesh in meshes.items()}


def _compare(
    found: Mapping[str, Mesh], true: Mapping[str, Mesh], scales: Mapping[str, float] | None, n_points: int, seed: int
) -> SceneReport:
    return evaluate_scene(found, true, torch.Generator().manual_seed(seed), scales=scales, n_points=n_points)


def _predicted(path: Path) -> dict[str, Mesh]:
    """Meshes by name: of a scene in a GLB file, or of a folder with one, or with a mesh for each object."""
    if path.is_dir():
        if (path / SCENE).is_file():
            return load_parts(path / SCENE)
        return _folder_meshes(path)
    return load_parts(path)


def _truth(path: Path) -> tuple[dict[str, Mesh], dict[str, float] | None]:
    """True meshes by name, and their sizes before they were turned, where a generated scene says them."""
    if path.is_dir() and (path / TRANSFORMS).is_file():
        scene = load_scene(path)
        return scene.meshes, scene.scales
    return _predicted(path), None


def _folder_meshes(folder: Path) -> dict[str, Mesh]:
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in MESH_FORMATS and path.name != VISIBLE]
    if not paths:
        raise FileNotFoundError(f"{folder} contains neither {SCENE} nor a mesh")
    return {path.stem: load_mesh(path) for path in paths}
