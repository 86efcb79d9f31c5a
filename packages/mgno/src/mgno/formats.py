"""Files of functions on grids: .npz, MATLAB's .mat of FNO's data sets, and neuraloperator's .pt."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from separata import files
from separata.arrays import load_mat, load_npy, load_npz

from .grids import GridDataset, TrajectoryDataset, check_finite

PAIRS = (("x", "y"), ("coeff", "sol"), ("a", "u"))
"""Names of given and wanted functions, in the order in which they are looked for."""
KNOWN = tuple(dict.fromkeys(["frames", *(name for pair in PAIRS for name in pair)]))


def save_data(data: GridDataset | TrajectoryDataset, path: Path | str) -> None:
    """Write data as .npz, whole or not at all, in single precision: `x` and `y`, or `frames`.

    Raises:
        ValueError: if the name does not end in .npz.
        OSError: if the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"data is written as .npz, not as {path.name}")
    parts = {"frames": data.frames} if isinstance(data, TrajectoryDataset) else {"x": data.x, "y": data.y}
    arrays: dict[str, Any] = {name: value.cpu().float().numpy() for name, value in parts.items()}
    with files.replacing(path) as part:
        np.savez(part, **arrays)


def load_data(path: Path | str, *, stride: int = 1, n: int | None = None) -> GridDataset | TrajectoryDataset:
    """Read functions on grids.

    | arrays | hold |
    | --- | --- |
    | `x` and `y`, or `coeff` and `sol` | pairs, (n, height, width) or (n, channels, height, width) |
    | `a` and `u` (n, height, width) | pairs |
    | `u` (n, height, width, times), perhaps with `a` before it | trajectories, as FNO's Navier-Stokes files have them |
    | `frames` (n, times, height, width) | trajectories |

    Args:
        path: .npz; .mat of version 5, or 7.3 with the extra `mat`; or .pt with a dict of tensors.
        stride: Take every stride-th point of the grid.
        n: Take the first n samples.

    Returns:
        Samples in single precision.

    Raises:
        FileNotFoundError: if there is no such file.
        MissingExtraError: if the extra `mat` is needed and not installed.
        ValueError: if it is no such file, or has numbers that are not finite; one sentence.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if stride < 1 or (n is not None and n < 1):
        raise ValueError(f"stride and number of samples must be at least 1, not {stride} and {n}")
    if path.suffix not in READERS:
        raise ValueError(f"data is read from {', '.join(READERS)}, not from {path.name}")
    arrays = READERS[path.suffix](path)
    try:
        data = _data(arrays)
        if n is not None and n > len(data):
            raise ValueError(f"it has {len(data)} samples, not {n}")
        data = data if n is None else data[:n]
        if stride == 1:
            return data
        if isinstance(data, TrajectoryDataset):
            return TrajectoryDataset(data.frames[..., ::stride, ::stride])
        return data.coarsened(stride)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def load_functions(path: Path | str) -> Tensor:
    """Given functions alone: (n, channels, height, width) from .npy, or `x` of a file that `load_data` reads.

    A .npy file may also hold (height, width), one function, or (n, height, width).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds anything else; one sentence.
    """
    path = Path(path)
    if path.suffix != ".npy":
        data = load_data(path)
        return data.x if isinstance(data, GridDataset) else data.frames[:, :1]
    array = load_npy(path)
    try:
        values = _tensor("its array", array)
        if values.ndim not in {2, 3, 4} or not values.numel():
            raise ValueError(
                f"functions are (height, width), (n, height, width) or (n, channels, height, width), not {array.shape}"
            )
        values = values[None] if values.ndim == 2 else values
        check_finite("it", values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return values[:, None] if values.ndim == 3 else values


def _pt(path: Path) -> dict[str, np.ndarray]:
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - PyTorch raises whatever a damaged or foreign file makes it run into
        raise ValueError(
            f"{path}: it is not a whole .pt file of tensors alone; other things are not read, since they can run code"
        ) from None
    if not isinstance(held, Mapping):
        raise ValueError(f"{path}: it must hold a dict with tensors x and y, not a {type(held).__name__}")
    return {name: _plain(held[name]) for name in KNOWN if isinstance(held.get(name), Tensor)}


READERS: Mapping[str, Callable[[Path], dict[str, np.ndarray]]] = {
    ".npz": partial(load_npz, names=KNOWN),
    ".mat": partial(load_mat, names=KNOWN, extra="mgno[mat]"),
    ".pt": _pt,
}


def _plain(tensor: Tensor) -> np.ndarray:
    """An array for NumPy, which knows neither gradients, nor sparse tensors, nor bfloat16."""
    dense = tensor.detach().to_dense()
    array: np.ndarray = (dense.float() if dense.is_floating_point() else dense).resolve_conj().numpy()
    return array


def _data(arrays: Mapping[str, np.ndarray]) -> GridDataset | TrajectoryDataset:
    tensors = {name: _tensor(name, array) for name, array in arrays.items()}
    if "frames" in tensors:
        return TrajectoryDataset(tensors["frames"])
    u = tensors.get("u")
    if u is not None and u.ndim == 4:
        return _trajectories(u, tensors.get("a"))
    for x, y in PAIRS:
        if x in tensors and y in tensors:
            return GridDataset(tensors[x], tensors[y])
    found = f"; it has {', '.join(tensors)}" if tensors else ""
    raise ValueError(f"it needs the arrays x and y, coeff and sol, a and u, or frames{found}")


def _trajectories(u: Tensor, a: Tensor | None) -> TrajectoryDataset:
    """Frames from times along the last axis, after the one at the beginning if there is one."""
    later = u.movedim(-1, 1)
    if a is None:
        return TrajectoryDataset(later.contiguous())
    if a.shape != later[:, 0].shape:
        raise ValueError(f"a must be {tuple(later[:, 0].shape)}, as u is at each time, not {tuple(a.shape)}")
    return TrajectoryDataset(torch.cat([a[:, None], later], 1))


def _tensor(name: str, array: np.ndarray) -> Tensor:
    """An array of numbers as a tensor in single precision."""
    if array.dtype.kind not in "fiub" or array.ndim == 0:
        raise ValueError(f"{name} is no array of numbers")
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
