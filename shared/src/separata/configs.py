"""Configurations on disk: frozen dataclasses as JSON, checked against their annotations when they are read."""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

C = TypeVar("C")


def plain(value: Any) -> Any:  # noqa: ANN401 - a configuration, or a part of one
    """A configuration as JSON can hold it: dataclasses as objects, tuples as lists, paths as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def from_plain(kind: type[C], values: Any, source: Path) -> C:  # noqa: ANN401 - what JSON holds
    """The configuration that `plain` made these values of.

    Every value must be of the type that its field is annotated with, and every key must be that of a field; a field
    without a key takes its default.

    Args:
        kind: The dataclass.
        values: What a JSON file holds.
        source: The file, for errors.

    Raises:
        ValueError: if they do not fit; one sentence that names the first that does not.
    """
    from pydantic import ValidationError

    def refuse(reason: str) -> ValueError:
        return ValueError(f"{source} does not hold the settings of this program: {reason}")

    try:
        config = _adapter(kind).validate_json(json.dumps(values), strict=True)  # type: ignore[arg-type] # classes hash
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise refuse(f"{place}: {first['msg']}" if place else first["msg"].removeprefix("Value error, ")) from None
    if unknown := [key for key, _ in leaves(values) if key not in dict(leaves(plain(config)))]:
        raise refuse(f"it has no setting {unknown[0]}")
    return config


@functools.cache
def _adapter(kind: type[C]) -> "TypeAdapter[C]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def leaves(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - what JSON holds
    """Every value that is not an object, with the keys that lead to it joined by dots."""
    if not isinstance(values, Mapping) or (prefix and not values):
        yield prefix, values
        return
    for key, item in values.items():
        yield from leaves(item, f"{prefix}.{key}" if prefix else key)


def changed(earlier: Any, now: Any) -> list[str]:  # noqa: ANN401 - what JSON holds
    """The names of settings that differ between two configurations as JSON has them; without what leads to them."""
    before, after = dict(leaves(earlier)), dict(leaves(now))
    missing = object()
    names = [key for key in {**after, **before} if before.get(key, missing) != after.get(key, missing)]
    return list(dict.fromkeys(name.rpartition(".")[2] for name in names))
