"""What users hand over, arrays or tensors, as matrices of double precision."""

import numpy as np
import torch
from jaxtyping import Float64, Shaped
from torch import Tensor

Array = Shaped[Tensor, "..."] | Shaped[np.ndarray, "..."]
"""Numbers, NumPy's or PyTorch's."""

WHY_FLOAT64 = (
    "at the threshold the smallest singular values decide the height of the peak, and float32 rounds away all that is "
    "below 1e-7 of the largest"
)
"""Why single precision is not offered."""
MOST_CLASSES = 10_000
"""Of labels, if there are not more samples."""


def as_matrix(values: Array, name: str = "features") -> Float64[Tensor, "n p"]:
    """Numbers in rows as a matrix of double precision; what has no second axis is one column.

    Raises:
        ValueError: if they are no numbers, not in rows, none at all, or one is not finite.
    """
    tensor = as_tensor(values, name)
    if tensor.ndim == 1:
        tensor = tensor[:, None]
    if tensor.ndim != 2 or not tensor.numel():
        raise ValueError(f"the {name} must be a matrix (samples, columns), not of shape {tuple(tensor.shape)}")
    tensor = tensor.double()
    if not bool(tensor.isfinite().all()):
        row, column = (~tensor.isfinite()).nonzero()[0].tolist()
        raise ValueError(f"the {name} have a number that is NaN or infinite, in row {row + 1}, column {column + 1}")
    return tensor


def as_targets(values: Array, n_samples: int, n_classes: int | None = None) -> Float64[Tensor, "n c"]:
    """Targets as a matrix: labels (whole numbers along one axis) become one-hot, other numbers stay.

    Args:
        values: Labels (n,), or numbers (n,) or (n, c).
        n_samples: How many there must be.
        n_classes: Of labels; by default one more than the largest.

    Raises:
        ValueError: if there are not as many, a label is not a class, or all are of a single class.
    """
    tensor = as_tensor(values, "targets")
    if tensor.ndim not in {1, 2} or len(tensor) != n_samples:
        raise ValueError(f"there must be a target for each of {n_samples} samples, not targets {tuple(tensor.shape)}")
    if tensor.ndim == 1 and not tensor.is_floating_point():
        if int(tensor.min()) < 0:
            raise ValueError(f"labels are whole numbers from 0 on, not {int(tensor.min())}")
        if n_classes is None and bool((tensor == tensor[0]).all()):
            raise ValueError(f"all samples are of the single class {int(tensor[0])}, so that there is nothing to learn")
        count = n_classes or int(tensor.max()) + 1
        if count > max(MOST_CLASSES, n_samples):
            raise ValueError(
                f"a label of {count - 1:,} makes {count:,} classes of {n_samples:,} samples; if the whole numbers are "
                "to be regressed on, give them as floating-point numbers"
            )
        if int(tensor.max()) >= count:
            raise ValueError(f"the label {int(tensor.max())} is not among the {count} classes")
        return torch.nn.functional.one_hot(tensor.long(), count).double()
    return as_matrix(tensor, "targets")


def is_single(values: Array) -> bool:
    """Whether numbers have single precision or less."""
    if isinstance(values, Tensor):
        return values.is_floating_point() and values.dtype != torch.float64
    kind = np.asarray(values).dtype
    return np.issubdtype(kind, np.floating) and np.finfo(kind).bits < 64


def as_tensor(values: Array, name: str) -> Shaped[Tensor, "..."]:
    """Numbers as a tensor of their own type.

    Raises:
        ValueError: if they are no numbers.
    """
    if isinstance(values, Tensor):
        if values.is_complex():
            raise ValueError(f"the {name} are of type {values.dtype}, which are no real numbers")
        return values.detach()
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"the {name} are of type {array.dtype}, which are no numbers")
    if array.dtype.kind == "u":
        array = array.astype(np.int64)
    elif array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    # PyTorch shares the memory of an array, for which it must be writable and in the machine's byte order.
    array = array.astype(array.dtype.newbyteorder("="), copy=not array.flags.writeable)
    return torch.from_numpy(np.ascontiguousarray(array))
