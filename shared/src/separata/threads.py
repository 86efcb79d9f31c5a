"""How many threads a process computes on: one, unless somebody asks for more. Cores are used by processes."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""What the numerical libraries read when they are loaded."""

HELP = "CPU threads per process; $OMP_NUM_THREADS, or 1, if not given."


def asked(threads: int | None = None) -> int:
    """The number of threads: the one given, or else `$OMP_NUM_THREADS`, or else one.

    Raises:
        ValueError: if the number given is not positive.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"--threads must be at least 1, not {threads}")
    outermost = os.environ.get(VARIABLES[0], "").split(",")[0].strip()
    return threads or (int(outermost) if outermost.isdecimal() else 0) or 1


@contextmanager
def limited(threads: int | None = None) -> Iterator[None]:
    """Inside the block, PyTorch computes on the number of threads that was asked for, loaded already or not.

    Raises:
        ValueError: if the number given is not positive.
    """
    n = asked(threads)
    before = {name: os.environ.get(name) for name in VARIABLES}
    changed = [name for name in VARIABLES if threads or not before[name]]
    os.environ.update(dict.fromkeys(changed, str(n)))
    torch = sys.modules.get("torch")
    n_before = torch.get_num_threads() if torch else None
    if torch:
        torch.set_num_threads(n)
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(n_before)
        for name in changed:
            _restore(name, before[name])


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
