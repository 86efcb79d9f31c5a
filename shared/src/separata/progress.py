"""Progress on standard error: a bar with the time left on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

T = TypeVar("T")

SECONDS_BETWEEN_LINES = 10.0


class Reporter:
    """Reports progress to a person who is waiting."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = Console(stderr=True, highlight=False)
        self._bars: Progress | None = None

    def say(self, message: str) -> None:
        """Print one line."""
        if not self.quiet:
            self.console.print(message, markup=False, soft_wrap=True)

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        """Go through `items`, showing how far it is. Loops may be nested."""
        if total is None and isinstance(items, Sized):
            total = len(items)
        if self.quiet:
            return iter(items)
        if self.console.is_terminal:
            return self._track_with_bar(items, description, total)
        return self._track_with_lines(items, description, total)

    def _track_with_bar(self, items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
        outermost = self._bars is None
        if self._bars is None:
            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self.console,
                transient=True,
            )
            self._bars.start()
        bars, task = self._bars, self._bars.add_task(description, total=total)
        try:
            for item in items:
                yield item
                bars.advance(task)
        finally:
            bars.remove_task(task)
            if outermost:
                bars.stop()
                self._bars = None

    def _track_with_lines(self, items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
        start = last = time.monotonic()
        for done, item in enumerate(items, 1):
            yield item
            now = time.monotonic()
            if now - last >= SECONDS_BETWEEN_LINES and done != total:
                last = now
                left = f", {(now - start) / done * (total - done):.0f} s left" if total else ""
                self.say(f"  {description}: {done}{f'/{total}' if total else ''}, {now - start:.0f} s{left}")


def stopped(command: list[str] | None = None) -> str:
    """The command that continues an interrupted run."""
    words = command or sys.argv
    name = words[0].rsplit("/", 1)[-1]
    return " ".join([name, *words[1:], *([] if "--resume" in words else ["--resume"])])
