"""Arrays in files of strangers, NumPy's and MATLAB's; nothing in a file is ever executed."""

import zipfile
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.lib.format import MAGIC_PREFIX, read_array

from .extras import require

ZIP = b"PK"
"""How an .npz file begins."""
HDF5 = b"\x89HDF\r\n\x1a\n"
"""How the content of a .mat file of version 7.3 begins, after a header of 512 bytes."""
HEADER = 512


def load_npy(path: Path) -> np.ndarray:
    """The array of an .npy file.

    Raises:
        FileNotFoundError: if there is no such file.
        OSError: if it cannot be opened.
        ValueError: if it is anything else, is damaged, or holds Python objects; one sentence.
    """
    _check_there(path)
    with path.open("rb") as file:
        start = file.read(len(MAGIC_PREFIX))
        file.seek(0)
        if start != MAGIC_PREFIX:
            hint = ", but an archive of arrays; save one as .npy" if start.startswith(ZIP) else ""
            raise ValueError(f"{path}: it is not an .npy file of numbers{hint}")
        try:
            return read_array(file, allow_pickle=False)
        except Exception as error:  # noqa: BLE001 - up to a lack of memory for a shape that is not true
            raise ValueError(_refusal(error, f"{path}: its array", f"{path}: it is not a whole .npy file")) from None


def load_npz(path: Path, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by their names.

    Args:
        path: The file.
        names: Those that are read where they are there; all by default.

    Raises:
        FileNotFoundError: if there is no such file.
        OSError: if it cannot be opened.
        ValueError: if it is anything else, or if what is read of it is damaged or Python objects; one sentence.
    """
    _check_there(path)
    with path.open("rb") as file:
        try:
            archive = zipfile.ZipFile(file)
        except Exception:  # noqa: BLE001 - zipfile raises whatever a damaged file makes it run into
            raise ValueError(f"{path}: it is not a whole .npz file") from None
        with archive:
            parts = {part.removesuffix(".npy"): part for part in archive.namelist()}
            return {
                name: _part(path, archive, name, part) for name, part in parts.items() if names is None or name in names
            }


def _part(path: Path, archive: zipfile.ZipFile, name: str, part: str) -> np.ndarray:
    try:
        with archive.open(part) as file:
            is_array = file.read(len(MAGIC_PREFIX)) == MAGIC_PREFIX
            file.seek(0)
            if is_array:
                return read_array(file, allow_pickle=False)
    except ValueError as error:
        array = f"{path}: its array {name}"
        raise ValueError(_refusal(error, array, f"{array} is damaged")) from None
    except Exception:  # noqa: BLE001 - from a wrong checksum to a lack of memory for a shape that is not true
        raise ValueError(f"{path}: it is not a whole .npz file; its array {name} is damaged") from None
    raise ValueError(f"{path}: its part {name} is no array of numbers")


def _refusal(error: Exception, array: str, damaged: str) -> str:
    if "allow_pickle" in str(error):
        return f"{array} is of Python objects, which are not read, since they can run code; save numbers"
    return damaged


def load_mat(path: Path, names: Collection[str], *, extra: str) -> dict[str, np.ndarray]:
    """Arrays of a .mat file of MATLAB's, of version 5 or 7.3, with the axes that they have in MATLAB.

    Args:
        path: The file.
        names: Those that are read where they are there. What is no array there has the type `object` or text.
        extra: What to install for files of version 7.3, `noprop[mat]`; it brings h5py.

    Raises:
        FileNotFoundError: if there is no such file.
        MissingExtraError: if the extra is needed and not installed.
        ValueError: if it is anything else or damaged; one sentence.
    """
    _check_there(path)
    with path.open("rb") as file:
        start = file.read(HEADER + len(HDF5))
    if HDF5 in {start[: len(HDF5)], start[HEADER:]}:
        return _load_mat73(path, names, extra)
    from scipy.io import loadmat

    try:
        held = loadmat(path, variable_names=list(names))
        return {name: np.asarray(value) for name, value in held.items() if name in names}
    except Exception:  # noqa: BLE001 - SciPy raises whatever a damaged file makes it run into
        raise ValueError(f"{path}: it is not a whole .mat file") from None


def _load_mat73(path: Path, names: Collection[str], extra: str) -> dict[str, np.ndarray]:
    require("h5py", extra=extra)
    import h5py

    try:
        with h5py.File(path, "r") as file:
            # MATLAB stores arrays column by column, so that their axes are the other way round here.
            held = {name: file[name][()] for name in names if isinstance(file.get(name), h5py.Dataset)}
            return {name: np.asarray(value).T for name, value in held.items()}
    except Exception:  # noqa: BLE001 - h5py raises whatever a damaged file makes it run into
        raise ValueError(f"{path}: it is not a whole .mat file of version 7.3") from None


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
