"""The command line `3d-fixer`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .configs import PRESETS, ImageFiles, SamplerConfig, SceneConfig, Stage
from .paper import PAPER

SAMPLER = SamplerConfig()
SCENES = SceneConfig()
TINY = "tiny"


def complete(
    rgb: Path,
    /,
    source: ImageFiles,
    *,
    out: Path,
    weights: str = TINY,
    ids: tuple[str, ...] = (),
    seed: int = 0,
    sampler: SamplerConfig = SAMPLER,
    texture: bool = True,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Complete the objects of an RGB-D image at their places.

    Writes scene.glb, with a named node for each object, a PLY file for each, and what `render` needs.

    Args:
        rgb: The image, PNG or JPEG.
        source: What belongs to it.
        out: Folder for the result.
        weights: Folder that `train` wrote, or one in the layout of TRELLIS; `tiny` comes with the package.
        ids: Names of the objects to complete; all if not given.
        seed: Random seed.
        sampler: How shapes are sampled.
        texture: Color what is not seen by the texturing stage, if the weights have it.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    done = commands.complete(
        rgb, source, out, ids=ids, weights=weights, seed=seed, sampler=sampler, texture=texture, device=device
    )
    done.show(as_json=json)


def complete_points(
    cloud: Path,
    /,
    *,
    out: Path,
    weights: str = TINY,
    seed: int = 0,
    sampler: SamplerConfig = SAMPLER,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Complete one partial point cloud at its place.

    Args:
        cloud: Visible points: PLY, OBJ, GLB or NPY.
        out: File for the mesh: .ply, .glb, .obj, .stl or .off.
        weights: Folder that `train` wrote; `tiny` comes with the package.
        seed: Random seed.
        sampler: How shapes are sampled.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    done = commands.complete_points(cloud, out, weights=weights, seed=seed, sampler=sampler, device=device)
    done.show(as_json=json)


def render(source: Path, /, *, out: Path, size: int = 256, json: bool = False) -> None:
    """Draw a scene from two views, beside what was seen of it.

    Args:
        source: Folder that `complete` wrote, or a GLB, PLY or OBJ file (with z up).
        out: File for the picture, .png.
        size: Pixels along each side of a picture of the row.
        json: Print as JSON.
    """
    from . import commands

    commands.render(source, out, size=size).show(as_json=json)


def scenes(
    action: Literal["generate"],
    /,
    *,
    out: Path,
    n: int = 200,
    config: SceneConfig = SCENES,
    meshes: Path | None = None,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Generate random scenes with images, depth, masks and meshes.

    Args:
        action: What to do: generate.
        out: Folder for the scenes, each in a folder named by its seed; scenes that are there are kept.
        n: Number of scenes.
        config: What is in a scene.
        meshes: Folder of meshes (y up) to use as objects, instead of those of the categories.
        seed: Seed of the first scene.
        json: Print as JSON.
    """
    from . import commands

    del action
    commands.generate_scenes(out, n, config, meshes=meshes, seed=seed).show(as_json=json)


def train(
    stage: Stage,
    /,
    *,
    data: Path,
    out: Path,
    start_from: Path | None = None,
    preset: Literal["tiny", "paper"] = "tiny",
    size: Literal["tiny", "toy"] | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    alignment: float | None = None,
    n_variants: int | None = None,
    max_scenes: int | None = None,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train a stage on generated scenes.

    Args:
        stage: vae, then upright, prior, control-pre, and from it coarse and fine; texture after fine.
        data: Folder of scenes that `scenes generate` wrote.
        out: Folder for the networks, their settings and the history.
        start_from: Folder of the stage before, or `upright`, whose weights come with the package; for fine, that of
            coarse, so that both are in one folder.
        preset: Schedule: that of the small model, or the paper's.
        size: Sizes of the networks; those of the stage before, or tiny for the first, if not given.
        steps: Optimizer steps, if not those of the preset.
        batch_size: Examples of a step, if not those of the preset.
        lr: Learning rate, if not that of the preset.
        alignment: Weight of the alignment of features (ORFA), if not that of the preset.
        n_variants: Augmented variants of each example, if not those of the preset.
        max_scenes: Scenes to use, from the first; all if not given.
        seed: Random seed.
        device: Where to compute: auto, cpu or cuda.
        resume: Resume an interrupted training in the same folder.
        json: Print a summary as JSON.
    """
    from . import commands

    given = {"steps": steps, "batch_size": batch_size, "lr": lr, "alignment": alignment, "n_variants": n_variants}
    config = commands.changed(PRESETS[preset][stage], {**given, "seed": seed})
    commands.train(
        stage,
        data,
        out,
        config,
        start_from=start_from,
        size=size,
        max_scenes=max_scenes,
        device=device,
        resume=resume,
    ).show(as_json=json)


def evaluate(predicted: Path, truth: Path, /, *, n_points: int = 20_480, seed: int = 0, json: bool = False) -> None:
    """Compare completed objects with the truth.

    Args:
        predicted: Folder that `complete` wrote, a folder of meshes, or a GLB file with named nodes.
        truth: Folder of a generated scene, a folder of meshes, or a GLB file; objects are matched by name.
        n_points: Points on each mesh.
        seed: Seed of the points.
        json: Print as JSON.
    """
    from . import commands

    commands.evaluate(predicted, truth, n_points=n_points, seed=seed).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [complete, complete_points, render, scenes, train, evaluate])
