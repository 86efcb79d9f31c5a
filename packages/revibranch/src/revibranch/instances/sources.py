"""What a training reads: problems of files, or random ones of a family, and those of them that are held out."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from separata import configs
from separata.progress import Reporter

from .families import FAMILIES, FIRST_OF_TRAINING, RandomInstance
from .paths import problem_files

if TYPE_CHECKING:
    from revibranch.search.environment import Instance

N_RANDOM = 1000
"""Random problems that are trained on, where no number is given."""
SHARE, MOST = 0.1, 10
"""Share of the problems that are held out, where none is given, and the most of them."""


@dataclass(frozen=True)
class ProblemSet:
    """Problems to train on.

    Attributes:
        instances: The problems.
        names: What tells them from others: the names and the hashes of files, or a family with its settings.
    """

    instances: "tuple[Instance, ...]"
    names: tuple[str, ...]

    @classmethod
    def from_files(cls, paths: Sequence[Path], n: int | None, reporter: Reporter) -> "ProblemSet":
        """Problems of files and folders, each of which is read once to see that it can be.

        Args:
            paths: Files, and folders of them.
            n: How many of them, the first ones; None for all.
            reporter: Says how far it is.

        Raises:
            FileNotFoundError: if there is no such file or folder.
            ValueError: if a file is no mixed-integer linear problem.
        """
        from revibranch.scip.models import read_model

        found = problem_files(paths)[:n]
        for path in reporter.track(found, "problems read"):
            read_model(path).freeProb()
        return cls(tuple(found), tuple(f"{path.name} {_digest(path)}" for path in found))

    @classmethod
    def from_family(cls, config: Any, n: int | None, seed: int) -> "ProblemSet":  # noqa: ANN401 - of any family
        """Random problems of a family, which are others than those that `generate` writes for the same seed.

        Args:
            config: The family's configuration.
            n: How many; None for 1000.
            seed: Random seed.

        Raises:
            ValueError: if the settings make no problem.
        """
        kind = next(name for name, family in FAMILIES.items() if type(config) is type(family.sizes["train"]))
        numbers = range(FIRST_OF_TRAINING, FIRST_OF_TRAINING + (N_RANDOM if n is None else n))
        drawn = tuple(RandomInstance(config, seed, index) for index in numbers)
        drawn[0].to_scip().freeProb()  # settings that make none are refused
        settings = {**configs.plain(config), "seed": seed, "first": FIRST_OF_TRAINING, "n_instances": len(drawn)}
        return cls(drawn, (kind, *(f"{name}={value}" for name, value in settings.items())))

    def hold_out(self, share: float | None, seed: int) -> "tuple[ProblemSet, ProblemSet]":
        """The problems to train on, and the others, which are drawn from all; the first keep the name of all.

        Args:
            share: Share of the problems, of which at least one is held out and one is left; None for a tenth, but 10
                problems at most, and none of a single one.
            seed: Random seed.

        Raises:
            ValueError: if the share is not at least 0 and less than 1, or none would be left.
        """
        n = len(self.instances)
        if share is not None and not 0 <= share < 1:
            raise ValueError(f"the share of problems that are held out must be at least 0 and less than 1, not {share}")
        if share and n < 2:
            raise ValueError("a single problem cannot be shared between training and validation; give more problems")
        n_out = min(MOST, round(SHARE * n), n - 1) if share is None else min(round(share * n), n - 1)
        if n > 1 and share != 0:
            n_out = max(1, n_out)
        order = np.random.default_rng(seed).permutation(n)
        kept, out = (
            tuple(self.instances[i] for i in sorted(chosen.tolist())) for chosen in (order[n_out:], order[:n_out])
        )
        return ProblemSet(kept, self.names), ProblemSet(out, (f"{n_out} of the instances",) if n_out else ())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
