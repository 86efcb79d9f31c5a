"""Arrays in files of strangers, NumPy's and MATLAB's; nothing in a file is ever executed."""

import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from .extras import require

HDF5 = b"\x89HDF\r\n\x1a\n"
"""How the content of a .mat file of version 7.3 begins, after a header of 512 bytes."""
HEADER = 512
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, LookupError, OverflowError)
"""What an archive that is damaged, encrypted, or compressed in a way that is not known here makes NumPy raise."""


def load_npy(path: Path) -> np.ndarray:
    """The array of an .npy file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is anything else; one sentence.
    """
    _check_there(path)
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, *DAMAGED):
        raise ValueError(f"{path}: it is not an .npy file of numbers") from None
    # NumPy goes by the content.
    if not isinstance(array, np.ndarray):
        array.close()
        raise ValueError(f"{path}: it is not an .npy file of numbers, but an archive of arrays; save one as .npy")
    return array


def load_npz(path: Path, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by their names.

    Args:
        path: The file.
        names: Those that are read where they are there; all by default.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is anything else, is damaged, or holds Python objects; one sentence.
    """
    _check_there(path)
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: it is not a whole .npz file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            wanted = [name for name in archive.files if names is None or name in names]
            return {name: _part(path, archive, name) for name in wanted}
    except DAMAGED:
        raise ValueError(f"{path}: it is not a whole .npz file") from None


def _part(path: Path, archive: "np.lib.npyio.NpzFile", name: str) -> np.ndarray:
    try:
        array = archive[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise ValueError(f"{path}: its array {name} is damaged") from None
        raise ValueError(
            f"{path}: its array {name} is of Python objects, which are not read, since they can run code; save numbers"
        ) from None
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{path}: its part {name} is no array of numbers")
    return array


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
