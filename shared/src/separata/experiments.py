"""Experiments: the functions that measure claims, and their settings at each preset."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from .paper import PRESETS, Paper

if TYPE_CHECKING:
    from .run import Run

C = TypeVar("C")


@dataclass(frozen=True)
class Unmeasured:
    """In place of an experiment's settings at a preset: its claims are not measured there.

    Args:
        reason: Why, in a sentence; it becomes the claims' note at that preset.
    """

    reason: str


@dataclass(frozen=True)
class Experiment:
    """A function that measures claims, with one configuration for each preset."""

    function: Callable[..., None]
    claims: tuple[str, ...]
    presets: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The function's name, with hyphens."""
        return self.function.__name__.replace("_", "-")

    def __call__(self, config: Any, run: "Run") -> None:  # noqa: ANN401 - each experiment has its own configuration
        """Measure with the configuration, into the run."""
        self.function(config, run)


def experiment(
    *claims: str,
    smoke: C,
    quick: C | Unmeasured | None = None,
    gpu: C | Unmeasured | None = None,
    paper: C | Unmeasured | None = None,
) -> Callable[[Callable[[C, "Run"], None]], Experiment]:
    """Mark a function as the measurement of the claims of these ids.

    The function has the signature `(config, run) -> None`. Its configuration is a frozen dataclass, with one value for
    each preset; a preset that is left out has the value of the next smaller one. The function calls `run.measure` once
    for each claim and seed of `run.seeds`.
    """
    presets: dict[str, Any] = {}
    settings: Any = smoke
    for name, given in zip(PRESETS, (smoke, quick, gpu, paper), strict=True):
        settings = settings if given is None else given
        presets[name] = settings
    return lambda function: Experiment(function, claims, presets)


def of(paper: Paper) -> tuple[Experiment, ...]:
    """The experiments of a paper's package, in the order of its module `experiments`.

    Raises:
        ValueError: if one measures a claim that the paper does not make, or two measure the same.
    """
    module = import_module(f"{paper.package}.experiments")
    found = tuple(value for value in vars(module).values() if isinstance(value, Experiment))
    measured = [claim for one in found for claim in one.claims]
    for claim in measured:
        paper.claim(claim)
        if measured.count(claim) > 1:
            raise ValueError(f"the claim '{claim}' of {paper.name} is measured by more than one experiment")
    return found
