"""How a verification goes, told while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from bab_verify.search.verifier import Progress
from separata.progress import SECONDS_BETWEEN_LINES, Reporter


@contextmanager
def watching(reporter: Reporter) -> Iterator[Progress]:
    """What tells on standard error how a verification goes: a line that changes on a terminal, some lines elsewhere."""
    if not reporter.console.is_terminal:
        yield telling(reporter)
        return
    with reporter.console.status("") as status:
        yield lambda *state: status.update(_state(*state))


def telling(reporter: Reporter) -> Progress:
    """What prints a line now and then."""
    last = 0.0

    def tell(seconds: float, visited: int, open_branches: int, margin: float) -> None:
        nonlocal last
        if seconds - last >= SECONDS_BETWEEN_LINES:
            last = seconds
            reporter.say(_state(seconds, visited, open_branches, margin))

    return tell


def _state(seconds: float, visited: int, open_branches: int, margin: float) -> str:
    return f"{seconds:.0f} s: {visited} branches, {open_branches} open, least margin {margin:.4g}"
