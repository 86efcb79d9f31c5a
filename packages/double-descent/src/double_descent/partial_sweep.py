"""A sweep on disk while it goes on, so that one that was interrupted repeats nothing."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from separata import files
from separata.configs import changed
from separata.progress import Reporter, stopped

Row = dict[str, Any]


class PartialSweep:
    """The rows of the widths that are done, kept beside the table that is to be written until that is whole.

    Args:
        place: The file that keeps them; None keeps nothing.
        config: All that the sweep depends on.
    """

    def __init__(self, place: Path | None, config: Mapping[str, Any]) -> None:
        self.place, self.config = place, dict(config)
        self._rows: dict[int, list[Row]] = {}

    @classmethod
    def begin(cls, out: Path | None, config: Mapping[str, Any], *, resume: bool) -> "PartialSweep":
        """A new sweep, or one that goes on where it was interrupted, if there is one to go on with.

        Raises:
            ValueError: if what is to be resumed is damaged, or was begun with other settings.
        """
        place = None if out is None else out.with_name(f"{out.name}.part.json")
        sweep = cls(place, config)
        if not resume or place is None or not place.is_file():
            return sweep
        kept = files.read_json(place)
        try:
            earlier, rows = kept["config"], {int(width): list(some) for width, some in kept["rows"].items()}
            for row in (row for some in rows.values() for row in some):
                row["steps"] = float(row["steps"])
                row.update({name: _finite_or_not(row[name]) for name in row.keys() - {"setting"}})
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ValueError(f"{place} does not hold a sweep that was interrupted; delete it") from None
        if names := changed(earlier, sweep.config):
            raise ValueError(
                f"the sweep in {place} was begun with another {' and '.join(names)}; resume it with the same"
            )
        sweep._rows = rows
        return sweep

    @property
    def widths(self) -> list[int]:
        """The widths that are done."""
        return list(self._rows)

    @property
    def rows(self) -> list[Row]:
        """All rows, in the order of widths."""
        return [row for width in sorted(self._rows) for row in self._rows[width]]

    def add(self, width: int, rows: list[Row]) -> None:
        """Keep the rows of a width."""
        self._rows[width] = rows
        if self.place is not None:
            plain = {
                str(one): [{name: _plain(value) for name, value in row.items()} for row in some]
                for one, some in self._rows.items()
            }
            files.write_json(self.place, {"config": self.config, "rows": plain})

    @contextmanager
    def kept(self, reporter: Reporter) -> Iterator[None]:
        """While the sweep goes on; says how to go on after Ctrl-C."""
        try:
            yield
        except KeyboardInterrupt:
            if self.place is not None and self._rows:
                reporter.say(f"interrupted; continue with: {stopped()}")
            raise

    def end(self) -> None:
        """Forget what was kept: the table is whole."""
        if self.place is not None:
            self.place.unlink(missing_ok=True)


def _plain(value: Any) -> Any:  # noqa: ANN401 - of a row
    """A value as JSON can hold it: numbers that are infinite or none are words."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _finite_or_not(value: Any) -> Any:  # noqa: ANN401 - of a row
    return float(value) if isinstance(value, str) else value
