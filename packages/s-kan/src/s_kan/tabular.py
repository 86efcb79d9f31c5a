"""Tables and formulas as samples."""

from dataclasses import dataclass
from pathlib import Path

import torch

from separata.formulas import Formula, parse
from separata.tables import TableSchema, Task, load_table

from .configs import DataConfig
from .samples import Samples

NOISE, TRAIN, TEST = 0, 1, 2
"""Streams of random numbers. Noise has one of its own: from that of the points, it would be a function of these."""
FEWEST = 10
"""Rows of a table."""


@dataclass(frozen=True, eq=False)
class TableData:
    """Samples for training and validation, and for testing if there are any.

    Attributes:
        train, validation, test: The samples.
        features: Names of the features.
        schema: How a table became features; None of a formula.
        formula: The formula; None of a table.
        notes: What was done with a table.
    """

    train: Samples
    validation: Samples
    test: Samples | None
    features: tuple[str, ...]
    schema: TableSchema | None = None
    formula: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def n_outputs(self) -> int:
        """Outputs of a network for it."""
        return 1 if self.schema is None or self.schema.classes is None else len(self.schema.classes)


def sample_formula(formula: Formula, n: int, config: DataConfig, seed: int) -> Samples:
    """A formula's values at uniform random points.

    Raises:
        ValueError: if it has no finite value at one of them.
    """
    generator = torch.Generator().manual_seed(seed)
    x = config.low + (config.high - config.low) * torch.rand(n, len(formula.variables), generator=generator)
    y = formula(x.double()).float()
    if not bool(y.isfinite().all()):
        at = x[~y.isfinite()][0].tolist()
        point = ", ".join(f"{name}={value:.3g}" for name, value in zip(formula.variables, at, strict=True))
        raise ValueError(f"{formula.text} has no finite value at {point}; choose other values of --low and --high")
    return Samples(x, y)


def from_formula(text: str, config: DataConfig, seed: int = 0) -> TableData:
    """Samples of a formula that a user typed.

    Args:
        text: The formula, such as exp(sin(pi*x) + y**2).
        config: Numbers of points, their range, and noise on the training values.
        seed: Draws the points.

    Raises:
        ValueError: if it is no formula, or has no finite value somewhere.
    """
    formula = parse(text)
    whole = sample_formula(formula, config.n_train, config, 4 * seed + TRAIN)
    noise = torch.randn(whole.y.shape, generator=torch.Generator().manual_seed(4 * seed + NOISE))
    train, validation = Samples(whole.x, whole.y + config.noise * noise).split(config.validation, seed)
    test = sample_formula(formula, config.n_test, config, 4 * seed + TEST)
    return TableData(train, validation, test, formula.variables, formula=text)


def from_table(
    path: Path, config: DataConfig, *, target: str | None = None, task: Task = "auto", seed: int = 0
) -> TableData:
    """Samples of a table in a .csv file.

    Args:
        path: The file.
        config: Has the share that is held out for validation.
        target: The column that is predicted.
        task: What it is.
        seed: Draws the validation part.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such table, or has too few rows.
    """
    table = load_table(path, target, task)
    if len(table) < FEWEST:
        raise ValueError(f"{path} has {len(table)} rows; at least {FEWEST} are needed")
    train, validation = Samples(table.x, table.y).split(config.validation, seed)
    return TableData(train, validation, None, table.schema.features, table.schema, notes=table.notes)
