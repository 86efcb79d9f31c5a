"""Libraries that are slow to import, or that not every platform has; loaded on first use."""

import importlib
from types import ModuleType


def open3d() -> ModuleType:
    """Open3D, for ray casting and iterative closest points; the wheels `open3d` and `open3d-cpu` both provide it.

    Raises:
        ModuleNotFoundError: if neither is installed.
    """
    try:
        import open3d as library
    except ModuleNotFoundError as error:
        if error.name != "open3d":
            raise
        raise ModuleNotFoundError(
            "rendering scenes and aligning meshes need Open3D; pip install open3d-cpu (or open3d)", name="open3d"
        ) from None
    return library


def pytorch3d_ops() -> ModuleType | None:
    """The operations of PyTorch3D where it is installed, otherwise None."""
    try:
        return importlib.import_module("pytorch3d.ops")
    except ImportError:
        return None
