"""Files that commands write."""

from pathlib import Path

from separata import files


def check_output(file: Path | None) -> None:
    """See that a file can be written, in a folder that is there, before the work whose result it is to hold.

    Args:
        file: The file; `None` is no file.

    Raises:
        FileNotFoundError: if its folder is not there.
        IsADirectoryError: if it is a folder.
        PermissionError: if its folder cannot be written to.
    """
    if file is not None and not file.parent.exists():
        raise FileNotFoundError(f"{file}: there is no folder {file.parent}; make it, or choose another one")
    files.check_writable(file)
