"""Files of data: this package's .npz, and those of the paper's program, .mat for Darcy flow and .npz for Fisher's."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from separata import files
from separata.arrays import load_mat, load_npz

from .configs import FAMILIES
from .data import MultiTaskData, make_task
from .geometry import nodes
from .problems.fisher import fisher_points
from .sources import DEGREE

DARCY_KEYS = ("k_train", "u_train", "shape_train", "xx", "yy")
"""Arrays of the paper's files for Darcy flow; `test` may stand for `train`."""
MAT_KEYS = tuple(dict.fromkeys([*DARCY_KEYS, *(name.replace("train", "test") for name in DARCY_KEYS)]))
FISHER_KEYS = ("inputs", "outputs", "n_samples")
"""Arrays of the paper's files for the Fisher equation."""
NPZ_KEYS = ("functions", "points", "values", "mask", "codes", "task", "names", *FISHER_KEYS)
AGREED = 0.999
"""Share of the nodes with a solution that must be inside the mask, in the right order of memory."""


def save_data(data: MultiTaskData, path: Path | str) -> None:
    """Write data as .npz, whole or not at all, in single precision.

    Raises:
        ValueError: if the name does not end in .npz.
        OSError: if the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"data is written as .npz, not as {path.name}")
    arrays: dict[str, Any] = {
        name: getattr(data, name).cpu().float().numpy() for name in ("functions", "points", "values")
    }
    if data.mask is not None:
        arrays["mask"] = data.mask.cpu().numpy()
    if data.codes is not None:
        arrays["codes"] = data.codes.cpu().float().numpy()
    task: Tensor = data.task.cpu()  # type: ignore[union-attr] # set at first
    with files.replacing(path) as part:
        np.savez(part, **arrays, task=task.numpy(), names=np.array(data.names))


def load_data(path: Path | str) -> MultiTaskData:
    """Read data.

    | file | holds |
    | --- | --- |
    | .npz with `functions`, `points`, `values` | this package's; `mask`, `codes`, `task` and `names` may be missing |
    | .npz with `inputs`, `outputs`, `n_samples` | Fisher's: 4 coefficients and u(x, 0) a row; u(t, x); samples a law |
    | .mat with `k_train`, `u_train`, `shape_train`, `xx`, `yy` | Darcy's: k, u and masks on a grid; or with `test` |

    Values may be (n, points) or (n, rows, columns). Of a .mat, rows of numbers are reshaped as MATLAB orders them; the
    masks are read in that order of memory, MATLAB's or NumPy's, which agrees with where u is not zero. A .mat may be of
    version 5, or of 7.3 with the extra `mat`.

    Raises:
        FileNotFoundError: if there is no such file.
        MissingExtraError: if the extra `mat` is needed and not installed.
        ValueError: if it is no such file, a mask is not binary, or a number is not finite; one sentence.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    suffix = path.suffix.lower()
    if suffix not in {".npz", ".mat"}:
        raise ValueError(f"data is read from .npz and .mat, not from {path.name}")
    arrays = load_npz(path, NPZ_KEYS) if suffix == ".npz" else load_mat(path, MAT_KEYS, extra="mt-deeponet[mat]")
    try:
        return _of_arrays(arrays, path.stem) if suffix == ".npz" else _of_darcy(arrays, path.stem)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def load_all(paths: list[Path]) -> MultiTaskData:
    """Read several files and pool their tasks.

    Raises:
        FileNotFoundError: if one is missing.
        ValueError: if one is no such file, or their grids differ.
    """
    return MultiTaskData.concat([load_data(path) for path in paths])


def _of_arrays(arrays: Mapping[str, np.ndarray], stem: str) -> MultiTaskData:
    if set(FISHER_KEYS[:2]) <= arrays.keys():
        return _of_fisher(arrays)
    if missing := [name for name in ("functions", "points", "values") if name not in arrays]:
        raise ValueError(f"it has no array {missing[0]}: it needs functions, points and values, or inputs and outputs")
    functions, points, values = (_numbers(name, arrays[name]) for name in ("functions", "points", "values"))
    mask = _binary("mask", arrays["mask"]) if "mask" in arrays else None
    codes = _numbers("codes", arrays["codes"]) if "codes" in arrays else None
    task = _counts("task", arrays["task"]) if "task" in arrays else None
    names = tuple(map(str, np.atleast_1d(arrays["names"]))) if "names" in arrays else (stem,)
    if values.ndim < 2 or points.ndim < 2:
        raise ValueError(
            f"values are (n, points) and points (points, d), not {tuple(values.shape)} and {tuple(points.shape)}"
        )
    if codes is not None and codes.ndim != 2:
        raise ValueError(f"codes are (n, codes), not {tuple(codes.shape)}")
    n, flat = len(values), values.flatten(1)
    if mask is not None:
        mask = mask.reshape(-1)[None].expand(n, -1) if mask.numel() == flat.shape[1] else mask.flatten(1)
    return MultiTaskData(functions, points.flatten(0, -2), flat, mask, codes, task, names)


def _of_fisher(arrays: Mapping[str, np.ndarray]) -> MultiTaskData:
    inputs, outputs = (_numbers(name, arrays[name]) for name in FISHER_KEYS[:2])
    if inputs.ndim != 2 or outputs.ndim < 2 or len(outputs) != len(inputs) or inputs.shape[1] <= DEGREE:
        raise ValueError(f"inputs are rows of {DEGREE} coefficients and values, outputs as many solutions")
    n_space = inputs.shape[1] - DEGREE
    if outputs.ndim > 2 and outputs.shape[-1] != n_space:
        raise ValueError(
            f"outputs are (n, times, {n_space} places), as many as inputs tell, not {tuple(outputs.shape)}"
        )
    n_times, rest = divmod(outputs[0].numel(), n_space)
    if rest:
        raise ValueError(f"a solution of {outputs[0].numel()} values is none at {n_space} places")
    counts = _counts("n_samples", arrays["n_samples"]).tolist() if "n_samples" in arrays else []
    if sum(counts) != len(inputs) or min(counts) < 1:
        counts = [len(inputs)]
    names = tuple(FAMILIES) if len(counts) == len(FAMILIES) else tuple(f"law {i + 1}" for i in range(len(counts)))
    task = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    points = fisher_points(n_times, n_space).float()
    return MultiTaskData(
        inputs[:, DEGREE:], points, outputs.flatten(1), codes=inputs[:, :DEGREE], task=task, names=names
    )


def _of_darcy(arrays: Mapping[str, np.ndarray], stem: str) -> MultiTaskData:
    part = "train" if "k_train" in arrays else "test"
    keys = [name.replace("train", part) for name in DARCY_KEYS]
    if missing := [name for name in keys[:3] if name not in arrays]:
        raise ValueError(f"it has no array {missing[0]}: it needs {', '.join(DARCY_KEYS)}")
    k, u = (_numbers(name, arrays[name]) for name in keys[:2])
    shape = _binary(keys[2], arrays[keys[2]])
    x, y = _meshgrid(arrays)
    rows, columns = _grid(x, u)
    k, u, inside = _best_order(k, u, shape, rows, columns)
    if not bool((k[inside] > 0).all()):
        raise ValueError(f"{keys[0]} has a coefficient that is not positive inside the domain")
    log_k = torch.where(inside, k.clamp(min=1e-30).log(), 0.0)
    if x is None or y is None:
        points = nodes(rows, columns).float()
    else:
        points = torch.stack([_image(part[None], rows, columns, "F").flatten() for part in (x, y)], 1)
    return make_task(stem, log_k, points, u.flatten(1), inside.flatten(1))


def _meshgrid(arrays: Mapping[str, np.ndarray]) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """Coordinates of the nodes, as grids or, in the order of MATLAB's memory, as vectors; of two axes, their grid."""
    if not {"xx", "yy"} <= arrays.keys():
        return None, None
    x, y = (_numbers(name, arrays[name]) for name in ("xx", "yy"))
    if x.shape == y.shape and x.ndim == 2 and min(x.shape) > 1:
        return x, y
    if x.numel() not in {max(x.shape), 1} or y.numel() not in {max(y.shape), 1}:
        raise ValueError(
            f"xx and yy are two grids of one shape, or two vectors, not {arrays['xx'].shape} and {arrays['yy'].shape}"
        )
    x, y = x.flatten(), y.flatten()
    is_axes = len(x.unique()) == len(x) and len(y.unique()) == len(y)
    return (x.expand(len(y), -1), y[:, None].expand(-1, len(x))) if is_axes else (x, y)


def _grid(x: Tensor | None, u: Tensor) -> tuple[int, int]:
    if x is not None and x.numel() != u[0].numel():
        raise ValueError(f"solutions have {u[0].numel()} values, and xx and yy are of {x.numel()} nodes")
    if u.ndim == 3:
        if x is not None and x.ndim == 2 and x.shape != u.shape[1:]:
            raise ValueError(
                f"solutions are on a grid of {tuple(u.shape[1:])}, and xx and yy on one of {tuple(x.shape)}"
            )
        return u.shape[1], u.shape[2]
    if x is not None and x.ndim == 2:
        return x.shape[0], x.shape[1]
    side = math.isqrt(u[0].numel())
    if side * side != u[0].numel():
        raise ValueError(f"solutions of {u[0].numel()} values are on no square grid, and xx is no grid")
    return side, side


def _best_order(k: Tensor, u: Tensor, shape: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor]:
    """Images of k, u and the mask, whose numbers may be in another order of memory than those of u."""
    k, u = (_image(part, rows, columns, "F") for part in (k, u))
    if not bool(u.any()):
        raise ValueError("the solutions are zero everywhere")
    if shape.numel() == rows * columns:
        shape = shape.reshape(1, -1)
    shape = shape.expand(len(u), *shape.shape[1:]) if len(shape) == 1 else shape
    if not len(k) == len(u) == len(shape):
        raise ValueError(f"there are {len(k)} coefficients, {len(u)} solutions and {len(shape)} masks: as many of each")
    found = []
    for order in "FC" if shape.ndim == 2 else "CF":
        inside = _image(shape.flatten(1).float(), rows, columns, order) > 0.5
        found.append((float(inside[u != 0].float().mean()), inside))
    agreed, inside = max(found, key=lambda one: one[0])
    if not agreed >= AGREED:
        raise ValueError(
            f"masks and solutions do not agree in either order of memory: {1 - agreed:.1%} of the nodes where u is not "
            "zero are outside"
        )
    return k, u, inside


def _image(part: Tensor, rows: int, columns: int, order: str) -> Tensor:
    if part.ndim == 3 and part.shape[1:] == (rows, columns):
        return part
    if part.ndim == 3:
        raise ValueError(f"one array is on a grid of {tuple(part.shape[1:])} nodes, and another of {(rows, columns)}")
    if part.ndim > 3 or part[0].numel() != rows * columns:
        raise ValueError(f"rows of {part[0].numel()} numbers do not fit a grid of {rows} x {columns}")
    return part.reshape(-1, rows, columns) if order == "C" else part.reshape(-1, columns, rows).mT.contiguous()


def _numbers(name: str, array: np.ndarray) -> Tensor:
    """An array of numbers in single precision."""
    if array.dtype.kind not in "fiub" or array.ndim == 0 or not array.size:
        raise ValueError(f"{name} is no array of numbers")
    with np.errstate(over="ignore"):
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _counts(name: str, array: np.ndarray) -> Tensor:
    """An array of whole numbers, as a row."""
    values = _numbers(name, np.atleast_1d(array)).double().flatten()
    if not torch.equal(values, values.round()):
        raise ValueError(f"{name} has a value that is no whole number")
    return values.long()


def _binary(name: str, array: np.ndarray) -> Tensor:
    """An array of zeros and ones."""
    values = _numbers(name, array)
    is_bad = (values != 0) & (values != 1)
    if bool(is_bad.any()):
        raise ValueError(f"{name} has a value that is neither 0 nor 1 in sample {int(is_bad.nonzero()[0, 0])} (from 0)")
    return values.bool()
