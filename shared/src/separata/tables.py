"""Tables of a user's own with a column to predict: words become classes or one-hot columns, numbers stay numbers."""

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

Task = Literal["auto", "regression", "classification"]

TARGETS = ("target", "label", "class", "y")
"""Columns that are predicted where none is named; the last column otherwise."""
MOST_CLASSES = 20
"""Different whole numbers in a target that are taken as classes; with more, it is a quantity."""
MOST_CATEGORIES = 100
"""Different words in a column that are encoded; a column with more is a name or a text, not a category."""
LARGEST = torch.finfo(torch.float32).max
MOST = 1e15
"""The largest number of a table: sums of squares of such numbers are finite in single precision."""
EMPTY = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
"""How a missing cell is written, in lower case."""


@dataclass(frozen=True)
class Column:
    """A column of features.

    Attributes:
        name: Its name in the header.
        categories: Its words in the order of the encoded features, one for each; None for a column of numbers.
    """

    name: str
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True)
class TableSchema:
    """How a table becomes features: what a model must remember to read another table in the same way.

    Attributes:
        columns: The columns that are features, in order.
        target: The column that is predicted.
        classes: Its classes; None if it is a quantity.
    """

    columns: tuple[Column, ...]
    target: str
    classes: tuple[str, ...] | None = None

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Names of the features: `age`, or `color=red` for one of several categories."""
        return tuple(
            name
            for column in self.columns
            for name in ([column.name] if column.categories is None else _names(column.name, column.categories))
        )

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.features)

    @property
    def is_regression(self) -> bool:
        """Whether the target is a quantity."""
        return self.classes is None

    def encode(self, path: Path) -> Float[Tensor, "n features"]:
        """The features of another table, which need not have the target, and whose other columns are ignored.

        Raises:
            FileNotFoundError: if there is none.
            ValueError: if it is no table, lacks a column, or has a cell that is neither a number nor a known category.
        """
        header, rows = read_cells(path)
        return self._encode(path, header, rows)

    def _encode(self, path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Float[Tensor, "n features"]:
        if missing := [column.name for column in self.columns if column.name not in header]:
            raise ValueError(f"{path} has no column {missing[0]}, which the model needs")
        parts = []
        for column in self.columns:
            cells = [row[header.index(column.name)] for row in rows]
            if column.categories is None:
                parts.append(numbers_of(path, [column.name], [[cell] for cell in cells]))
            else:
                parts.append(_one_hot(path, column.name, column.categories, cells))
        return torch.cat(parts, 1)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TableSchema":
        """The schema that `dataclasses.asdict` made these values of, as JSON gives them back.

        Raises:
            ValueError: if they are anything else.
        """
        try:
            columns = tuple(
                Column(str(one["name"]), None if one["categories"] is None else tuple(map(str, one["categories"])))
                for one in values["columns"]
            )
            classes = values["classes"]
            return cls(columns, str(values["target"]), None if classes is None else tuple(map(str, classes)))
        except (KeyError, TypeError):
            raise ValueError("what was stored of the table's columns is damaged") from None


@dataclass(frozen=True, eq=False)
class Table:
    """Features and what is to be predicted.

    Attributes:
        x: A sample in each row.
        y: Numbers, or the index of each sample's class, int64.
        schema: How the columns became features.
        notes: Sentences about what was done that a user would want to know.
    """

    x: Float[Tensor, "n features"]
    y: Float[Tensor, "n"] | Int[Tensor, "n"]
    schema: TableSchema
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.y)


def load_table(path: Path, target: str | None = None, task: Task = "auto") -> Table:
    """Read a table for regression or classification.

    Args:
        path: A .csv file with a header.
        target: The column to predict; by default the one called `target`, `label`, `class` or `y`, or else the last.
        task: What the target is. By default words, and at most 20 different whole numbers that each stand in two rows
            or more, are classes; anything else is a quantity.

    Returns:
        The table. Columns of words are one-hot encoded, and columns with a single value are dropped; its notes say
        which.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such table: no column of that name, a cell missing, nothing left to learn from; one
            sentence that says where.
    """
    header, rows = read_cells(path)
    if repeated := [name for name in header if header.count(name) > 1]:
        raise ValueError(f"{path} has two columns named {repeated[0]}")
    index = _target(path, header, target)
    for i, row in enumerate(rows, 2):
        for name, cell in zip(header, row, strict=True):
            if cell.lower() in EMPTY:
                raise ValueError(f"{path}: row {i} has nothing as {name}: fill it in or leave the row out")
    columns, notes = _columns(path, header, rows, index)
    y, classes = _values(path, header[index], [row[index] for row in rows], task)
    schema = TableSchema(columns, header[index], classes)
    return Table(schema._encode(path, header, rows), y, schema, notes)


def _target(path: Path, header: Sequence[str], target: str | None) -> int:
    if len(header) < 2:
        raise ValueError(f"{path} has a single column: a target and features are needed")
    if target is not None:
        if target not in header:
            raise ValueError(f"{path} has no column {target}; it has {', '.join(header)}")
        return header.index(target)
    named = [i for name in TARGETS for i, one in enumerate(header) if one.lower() == name]
    return named[0] if named else len(header) - 1


def _columns(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], target: int
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """The columns that are features, and what was done with them."""
    columns, notes = [], []
    for i, name in enumerate(header):
        cells = {row[i] for row in rows}
        if i == target:
            continue
        if len(cells) == 1:
            notes.append(f"The column {name} has one value only and was dropped.")
        elif all(map(_is_finite, cells)):
            columns.append(Column(name))
        elif len(cells) > MOST_CATEGORIES:
            raise ValueError(
                f"{path}: its column {name} has {len(cells)} different words, too many to be categories: leave it out"
            )
        elif sum(map(_is_finite, cells)) > len(cells) / 2:
            wrong = next((i, row) for i, row in enumerate((row[i] for row in rows), 2) if not _is_finite(row))
            raise ValueError(f"{path}: row {wrong[0]} has {wrong[1]} as {name}, which is no finite number")
        else:
            columns.append(Column(name, in_order(cells)))
            notes.append(f"The column {name} has {len(cells)} categories and was one-hot encoded.")
    if not columns:
        raise ValueError(f"{path} has no column of features with more than one value")
    return tuple(columns), tuple(notes)


def _values(
    path: Path, name: str, cells: Sequence[str], task: Task
) -> tuple[Float[Tensor, "n"] | Int[Tensor, "n"], tuple[str, ...] | None]:
    """What is predicted: numbers, or indices of classes with their names."""
    different = set(cells)
    if len(different) == 1:
        raise ValueError(f"{path}: its column {name} has one value only, so there is nothing to predict")
    if task == "regression" or (task == "auto" and not _are_classes(cells)):
        return numbers_of(path, [name], [[cell] for cell in cells])[:, 0], None
    if len(different) == len(cells) or len(different) > MOST_CATEGORIES * MOST_CATEGORIES:
        raise ValueError(f"{path}: its column {name} has a value of its own in each row, so these are no classes")
    classes = in_order(different)
    number = {name: i for i, name in enumerate(classes)}
    return torch.tensor([number[cell] for cell in cells]), classes


def _are_classes(cells: Sequence[str]) -> bool:
    different = set(cells)
    if not all(map(_is_finite, different)):
        return not any(map(_is_finite, different)) or len(different) <= MOST_CLASSES
    if len(different) > MOST_CLASSES or not all(float(cell).is_integer() for cell in different):
        return False
    return all(cells.count(cell) > 1 for cell in different)


def _names(column: str, categories: Sequence[str]) -> list[str]:
    return [f"{column}={category}" for category in categories]


def _one_hot(path: Path, name: str, categories: Sequence[str], cells: Sequence[str]) -> Float[Tensor, "n categories"]:
    number = {category: i for i, category in enumerate(categories)}
    for i, cell in enumerate(cells, 2):
        if cell not in number:
            known = ", ".join(categories[:10]) + (", ..." if len(categories) > 10 else "")
            raise ValueError(f"{path}: row {i} has {cell or 'nothing'} as {name}; the categories are {known}")
    indices = torch.tensor([number[cell] for cell in cells])
    return torch.nn.functional.one_hot(indices, len(categories)).float()


# ---- what is in the file


def read_cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header of a .csv file and the cells of its rows, as text without spaces around it.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not text, has no rows, or has rows of different lengths.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    except (UnicodeDecodeError, csv.Error):
        raise ValueError(f"{path} is not a table of text with commas") from None
    if len(rows) < 2:
        raise ValueError(f"{path} has no rows below its header")
    header = rows[0]
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            raise ValueError(f"{path}: row {number} has {len(row)} cells, but the header has {len(header)}")
    return header, rows[1:]


def numbers_of(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Float[Tensor, "n features"]:
    """Cells as numbers.

    Raises:
        ValueError: if one is no finite number, or too large; the sentence says where it stands.
    """

    def numbers() -> Iterator[list[float]]:
        for i, row in enumerate(rows, 2):
            for name, cell in zip(header, row, strict=True):
                if not _is_finite(cell):
                    raise ValueError(f"{path}: row {i} has {cell or 'nothing'} as {name}, which is no finite number")
                if abs(float(cell)) > MOST:
                    raise ValueError(f"{path}: row {i} has {cell} as {name}, beyond {MOST:g}: give it in larger units")
            yield [float(cell) for cell in row]

    return torch.tensor(list(numbers()))


def in_order(names: Collection[str]) -> tuple[str, ...]:
    """Names by their number where all are numbers, else in alphabetical order."""
    try:
        return tuple(sorted(names, key=float))
    except ValueError:
        return tuple(sorted(names))


def _is_finite(cell: str) -> bool:
    """Whether it is a number that single precision can hold."""
    try:
        return abs(float(cell)) <= LARGEST
    except ValueError:
        return False
