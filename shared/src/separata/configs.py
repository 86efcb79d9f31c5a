"""Configurations on disk: frozen dataclasses as JSON, checked against their annotations when they are read."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

C = TypeVar("C")

LONGEST = 40
"""Characters of a wrong value that are shown."""


def plain(value: Any) -> Any:  # noqa: ANN401 - a configuration, or a part of one
    """A configuration as JSON can hold it: dataclasses as objects, tuples as lists, and paths and the like as text."""
    if _is_config(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def replaced(config: C, **settings: Any) -> C:  # noqa: ANN401 - values of fields
    """A configuration with other settings, wherever they stand in it: in its own fields or in those of its parts.

    Args:
        config: A dataclass, whose fields may be dataclasses.
        settings: The new values, by the names of their fields.

    Raises:
        TypeError: if there is no field of a name, or more than one.
    """
    counts = Counter(_names(config))
    for name in settings:
        if counts[name] != 1:
            raise TypeError(f"{type(config).__name__} has {counts[name] or 'no'} settings named {name}")
    return _replaced(config, settings)


def check_seed(seed: int) -> None:
    """See that PyTorch can draw random numbers from a seed.

    Raises:
        ValueError: if it is negative or has more than 63 bits.
    """
    if not 0 <= seed < 2**63:
        raise ValueError(f"the seed must be at least 0 and less than 2^63, not {seed}")


def check_positive(**values: float) -> None:
    """See that numbers are positive and finite.

    Raises:
        ValueError: if one is not; the sentence names it.
    """
    for name, value in values.items():
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"{name.replace('_', ' ')} must be positive, not {value}")


def _names(config: Any) -> Iterator[str]:  # noqa: ANN401 - a dataclass
    """The names of the fields of a dataclass and of its parts."""
    for field in fields(config):
        yield field.name
        if _is_config(value := getattr(config, field.name)):
            yield from _names(value)


def _replaced(config: Any, settings: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a dataclass
    changes = {field.name: settings[field.name] for field in fields(config) if field.name in settings}
    parts = {field.name: getattr(config, field.name) for field in fields(config) if field.name not in settings}
    changes |= {name: _replaced(part, settings) for name, part in parts.items() if _is_config(part)}
    return replace(config, **changes)


def _is_config(value: object) -> bool:
    return is_dataclass(value) and not isinstance(value, type)


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
    from pydantic import TypeAdapter, ValidationError

    def refuse(reason: str) -> ValueError:
        return ValueError(f"{source} does not hold the settings of this program: {reason}")

    try:
        config: C = TypeAdapter(kind).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        told = repr(first["input"])
        told = told if len(told) <= LONGEST else f"{told[:LONGEST]}..."
        reason = first["msg"].removeprefix("Value error, ").replace("Input should", f"{place} should")
        raise refuse(reason if first["type"] == "value_error" else f"{reason}, not {told}") from None
    if unknown := [key for key, _ in leaves(values) if key not in dict(leaves(plain(config)))]:
        raise refuse(f"it has no setting {unknown[0]}")
    return config


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
