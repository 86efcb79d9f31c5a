"""S-KAN beside KANs of one family and perceptrons on a user's data, each with its best learning rate."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from matplotlib.figure import Figure

from separata import plots
from separata.models import count_parameters
from separata.output import Output, finite, table
from separata.run import Compute

from .configs import DataConfig, RunConfig
from .contenders import Contender, Setting, train_contender
from .evaluation import EvaluationReport, evaluate
from .functions import Target
from .tabular import TEST, TRAIN, TableData

TEST_SHARE = 0.2
"""Share of a table that is kept for testing."""
Track = Callable[[Iterable[Any], str], Iterable[Any]]


@dataclass(frozen=True)
class Result:
    """How a contender did.

    Attributes:
        contender: Which it is.
        lr: The learning rate that was best on validation data.
        n_parameters: Its parameters.
        epochs: Passes over the data.
        test: Errors on test data.
    """

    contender: Contender
    lr: float
    n_parameters: int
    epochs: int
    test: EvaluationReport


def rates_of(text: str) -> tuple[float, ...]:
    """Learning rates from their text, `0.003,0.01`.

    Raises:
        ValueError: if they are not numbers above 0 and at most 1.
    """
    try:
        found = tuple(float(word) for word in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(0 < rate <= 1 for rate in found):
        raise ValueError(f"learning rates are numbers above 0 and at most 1 with commas between them, not '{text}'")
    return found


def of_function(target: Target, config: DataConfig, seed: int) -> TableData:
    """Samples of one of the seven functions."""
    whole = target.sample(config.n_train, torch.Generator().manual_seed(4 * seed + TRAIN))
    train, validation = whole.split(config.validation, seed)
    test = target.sample(config.n_test, torch.Generator().manual_seed(4 * seed + TEST))
    return TableData(train, validation, test, tuple(f"x{i}" for i in range(target.n_variables)))


def with_test(data: TableData, seed: int) -> TableData:
    """The same with a part for testing, split off from a table's training part where it has none.

    Raises:
        ValueError: if there are too few samples.
    """
    if data.test is not None:
        return data
    train, test = data.train.split(TEST_SHARE, seed + 1)
    return replace(data, train=train, test=test)


def compare(
    tasks: Mapping[str, TableData],
    contenders: Sequence[Contender],
    config: RunConfig,
    rates: Sequence[float],
    *,
    device: str = "auto",
    track: Track | None = None,
) -> dict[str, list[Result]]:
    """Train every contender on every task, with each learning rate; the best on validation data is tested.

    All have as many epochs after pruning: those of S-KAN's last stage are the others' in all.

    Args:
        tasks: Samples by name, with parts for testing.
        contenders: What is compared.
        config: The network and the training.
        rates: Learning rates.
        device: Where to train.
        track: Shows progress over trainings.

    Raises:
        ValueError: if a setting does not fit.
    """
    target = str(Compute(device).torch_device)
    todo = [(name, one) for name in tasks for one in contenders]
    results: dict[str, list[Result]] = {name: [] for name in tasks}
    for name, one in track(todo, "networks") if track else todo:
        results[name].append(_best(tasks[name], one, config, rates, target))
    return results


def _best(data: TableData, contender: Contender, config: RunConfig, rates: Sequence[float], device: str) -> Result:
    assert data.test is not None  # noqa: S101 - `with_test` has made one
    found: list[tuple[float, Result]] = []
    for lr in rates:
        training = replace(config.train, lr=lr, epochs=epochs_of(contender, config))
        setting = Setting(config.model, config.stages, training)
        try:
            fitted = train_contender(
                contender, data.train, data.n_outputs, setting, validation=data.validation, device=device
            )
        except FloatingPointError:
            continue
        score = evaluate(fitted.model, data.validation).score
        n = count_parameters(fitted.model)
        found.append((score, Result(contender, lr, n, fitted.epochs, evaluate(fitted.model, data.test))))
    if not found:
        raise ValueError(f"the training of {contender.label} diverged with every learning rate; give lower --rates")
    return max(found, key=lambda one: one[0])[1]


def epochs_of(contender: Contender, config: RunConfig) -> int:
    """Epochs of a contender, such as those of S-KAN's last stage are all of the others'."""
    share = 1 - config.stages.full - config.stages.selective
    if contender.kind != "s-kan" or share <= 0:
        return config.train.epochs
    return round(config.train.epochs / share)


def output(results: Mapping[str, Sequence[Result]]) -> Output:
    """The results as a table."""
    rows = [
        {
            **({"task": name} if len(results) > 1 else {}),
            "network": one.contender.label,
            **_error(one.test),
            "parameters": one.n_parameters,
            "epochs": one.epochs,
            "lr": f"{one.lr:g}",
        }
        for name, some in results.items()
        for one in sorted(some, key=lambda one: -one.test.score)
    ]
    return table(rows)


def _error(report: EvaluationReport) -> dict[str, Any]:
    if report.rmse is not None:
        return {"test RMSE": f"{report.rmse:.3e}"}
    return {"test accuracy": finite(report.accuracy or 0.0)}


def draw(results: Mapping[str, Sequence[Result]]) -> Figure:
    """Draw the results as bars: a group for each task."""
    is_error = all(one.test.rmse is not None for some in results.values() for one in some)
    values = {name: {one.contender.label: abs(one.test.score) for one in some} for name, some in results.items()}
    return plots.bars(values, ylabel="test RMSE" if is_error else "test accuracy", log=is_error, fmt=None)
