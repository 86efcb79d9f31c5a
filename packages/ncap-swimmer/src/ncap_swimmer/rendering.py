"""MuJoCo's renderer, and what it draws with on a machine without a screen."""

import os
import warnings
from ctypes.util import find_library
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mujoco

CHOICES = (
    *("", "egl", "osmesa", "glfw", "glx", "cgl", "wgl"),
    *("enable", "enabled", "on", "true", "1", "disable", "disabled", "off", "false", "0"),
)
"""What MuJoCo knows as MUJOCO_GL."""

LIBRARIES = {"osmesa": "OSMesa", "egl": "EGL"}
"""What MuJoCo draws with where there is no screen."""

NO_RENDERER = (
    "MuJoCo finds no renderer on this machine: install OSMesa (Debian: apt-get install libosmesa6) or EGL with a "
    "graphics driver, and set MUJOCO_GL=osmesa or MUJOCO_GL=egl"
)


def choose_renderer() -> None:
    """Set MUJOCO_GL where no screen is and nobody has; MuJoCo reads it when it is first imported.

    Raises:
        ValueError: if there is no screen and neither OSMesa nor EGL, or the one that MUJOCO_GL names is not there.
    """
    chosen = os.environ.get("MUJOCO_GL", "").lower().strip()
    if chosen not in CHOICES:
        raise ValueError(f"MUJOCO_GL is {chosen}; unset it, or set it to egl, osmesa or glfw")
    if chosen in LIBRARIES and not find_library(LIBRARIES[chosen]):
        raise ValueError(f"MUJOCO_GL is {chosen}, but its library {LIBRARIES[chosen]} is not on this machine")
    if chosen or os.environ.get("DISPLAY") or os.name != "posix":
        return
    found = next((name for name, library in LIBRARIES.items() if find_library(library)), None)
    if found is None:
        raise ValueError(NO_RENDERER)
    os.environ["MUJOCO_GL"] = found


def make_renderer(model: "mujoco.MjModel", height: int = 280, width: int = 280) -> "mujoco.Renderer":
    """MuJoCo's renderer for a model.

    Raises:
        ValueError: if it does not work on this machine; with what to do.
    """
    import mujoco

    try:
        with warnings.catch_warnings(action="ignore"):  # GLFW says several times what is told below
            return mujoco.Renderer(model, height, width)
    except Exception as error:  # noqa: BLE001 (each back end fails in its own way)
        raise ValueError(f"{NO_RENDERER} ({type(error).__name__}: {error})".splitlines()[0]) from None
