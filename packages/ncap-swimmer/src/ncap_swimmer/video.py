"""Pictures of the swim, drawn by MuJoCo: a video, an animated GIF, or a strip of film."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import nn

from separata import files
from separata.extras import require

from .controllers import make_controller
from .rendering import make_renderer
from .rollouts import episode
from .tasks import EPISODE_STEPS, STEP_SECONDS

if TYPE_CHECKING:
    from .environments import SwimmerEnv

SUFFIXES = (".gif", ".mp4", ".png")

FIRST = 100
"""Step from which the command draws."""

STRIP = 6
"""Pictures of a strip."""


def frames(
    policy: nn.Module,
    env: "SwimmerEnv",
    *,
    seed: int = 0,
    first: int = 0,
    seconds: float = 6.0,
    n: int | None = None,
    height: int = 280,
    width: int = 280,
) -> Iterator[NDArray[np.uint8]]:
    """Pictures (height, width, 3) of an episode from above, one a control step, 33 a second.

    Args:
        policy: From an observation to torques.
        env: One of the swimmer's tasks.
        seed: Seed of the initial state.
        first: Step of the first picture.
        seconds: How long, of the 30 of an episode.
        n: How many pictures, evenly spread over that time; None: one a control step.
        height: In pixels.
        width: In pixels.

    Raises:
        ValueError: if there is no renderer.
    """
    fps = env.metadata["render_fps"]
    last = min(first + max(1, round(seconds * fps)), EPISODE_STEPS)
    steps = range(first, last)
    chosen = set(steps if n is None else np.linspace(first, last - 1, min(n, len(steps))).round().astype(int).tolist())
    drawn = make_renderer(env.model, height, width)
    try:
        for step, _ in enumerate(episode(make_controller(policy), env, seed)):
            if step >= last:
                break
            if step in chosen:
                drawn.update_scene(env.data, "above")
                yield drawn.render()
    finally:
        drawn.close()


def write(pictures: Iterator[NDArray[np.uint8]], path: Path, fps: int) -> None:
    """Write pictures as .gif, .mp4, or .png (six of them side by side), whole or not at all.

    Raises:
        ValueError: if the suffix is another.
        MissingExtraError: if .mp4 is asked for without the extra `video`.
    """
    check_suffix(path)
    if path.suffix == ".mp4":
        _write_mp4(pictures, path, fps)
    elif path.suffix == ".gif":
        _write_gif(pictures, path, fps)
    else:
        _write_strip(list(pictures), path)


def check(path: Path, seconds: float, height: int, width: int) -> None:
    """See that such pictures can be made and written under this name.

    Raises:
        ValueError: if the suffix is unknown or a number is out of range.
        MissingExtraError: if .mp4 is asked for without the extra `video`.
    """
    longest = EPISODE_STEPS * STEP_SECONDS - FIRST * STEP_SECONDS
    if not 0 < seconds <= longest:
        raise ValueError(
            f"a video has more than 0 and at most {longest:.0f} seconds, what an episode has from its third second on; "
            f"not {seconds}"
        )
    if not (16 <= height <= 2000 and 16 <= width <= 2000):
        raise ValueError(f"pictures are 16 to 2000 pixels high and wide, not {height} and {width}")
    check_suffix(path)


def check_suffix(path: Path) -> None:
    """See that a file can be written under this name.

    Raises:
        ValueError: if the suffix is unknown.
        MissingExtraError: if .mp4 is asked for without the extra `video`.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"the swim is written as {', '.join(SUFFIXES)}, not as {path.name}")
    if path.suffix == ".mp4":
        require("imageio_ffmpeg", extra="ncap-swimmer[video]")


def _write_mp4(pictures: Iterator[NDArray[np.uint8]], path: Path, fps: int) -> None:
    import imageio_ffmpeg

    first = next(pictures)
    height, width, _ = first.shape
    with files.replacing(path) as part:
        # The first `send` starts ffmpeg; sizes are rounded up to even numbers, which every player shows.
        sink = imageio_ffmpeg.write_frames(str(part), (width, height), fps=fps, macro_block_size=2)
        sink.send(None)
        for picture in chain((first,), pictures):
            sink.send(np.ascontiguousarray(picture))
        sink.close()


def _write_gif(pictures: Iterator[NDArray[np.uint8]], path: Path, fps: int) -> None:
    from PIL import Image

    # Browsers show no more than 50 frames a second, and every second one is smooth enough.
    shown = [
        Image.fromarray(picture).quantize(32, dither=Image.Dither.NONE)
        for i, picture in enumerate(pictures)
        if i % 2 == 0
    ]
    with files.replacing(path) as part:
        shown[0].save(part, save_all=True, append_images=shown[1:], duration=round(2000 / fps), loop=0, optimize=True)


def _write_strip(pictures: list[NDArray[np.uint8]], path: Path, n: int = STRIP) -> None:
    from PIL import Image

    chosen = np.linspace(0, len(pictures) - 1, min(n, len(pictures))).round().astype(int)
    gap = np.full((pictures[0].shape[0], 4, 3), 255, np.uint8)
    parts: list[NDArray[np.uint8]] = [part for index in chosen for part in (gap, pictures[index])][1:]
    with files.replacing(path) as part:
        Image.fromarray(np.concatenate(parts, axis=1)).save(part)
