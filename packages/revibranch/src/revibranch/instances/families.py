"""The families of problems by name, with the sizes that are published."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .combinatorial_auction import make_combinatorial_auction
from .configs import AuctionConfig, FacilityLocationConfig, IndependentSetConfig, KnapsackConfig, SetCoverConfig, Size
from .facility_location import make_facility_location
from .independent_set import make_independent_set
from .milp import MILP
from .multiple_knapsack import make_multiple_knapsack
from .set_cover import make_set_cover

if TYPE_CHECKING:
    from pyscipopt import Model


FIRST_OF_TRAINING = 1_000_000
"""Number of the first problem that `train` draws of a seed, so that `generate` never writes what is trained on."""


@dataclass(frozen=True)
class Family:
    """A family of problems.

    Args:
        make: Draws one: from its configuration and a generator.
        sizes: Configurations by size: small ones take seconds, `train` is what is trained on, and a policy is tested on
            large ones, too.
    """

    make: Callable[[Any, np.random.Generator], MILP]
    sizes: Mapping[Size, Any]


FAMILIES: dict[str, Family] = {
    "setcover": Family(
        make_set_cover,
        {"small": SetCoverConfig(200, 400), "train": SetCoverConfig(), "large": SetCoverConfig(500, 1000)},
    ),
    "auction": Family(
        make_combinatorial_auction,
        {"small": AuctionConfig(50, 150), "train": AuctionConfig(), "large": AuctionConfig(200, 1000)},
    ),
    "indset": Family(
        make_independent_set,
        {"small": IndependentSetConfig(100), "train": IndependentSetConfig(), "large": IndependentSetConfig(1000)},
    ),
    "facilities": Family(
        make_facility_location,
        {
            "small": FacilityLocationConfig(15, 15),
            "train": FacilityLocationConfig(),
            "large": FacilityLocationConfig(60, 35),
        },
    ),
    "knapsack": Family(
        make_multiple_knapsack,
        {"small": KnapsackConfig(30, 3), "train": KnapsackConfig(), "large": KnapsackConfig(100, 12)},
    ),
}


def family_config(kind: str, size: Size = "train", **settings: Any) -> Any:  # noqa: ANN401 - of any family
    """The configuration of a family at a size, with other settings.

    Raises:
        ValueError: if there is no such family or size, or a setting is not one of the family's.
    """
    if kind not in FAMILIES:
        raise ValueError(f"there is no family {kind!r} of problems; there are {', '.join(FAMILIES)}")
    sizes = FAMILIES[kind].sizes
    if size not in sizes:
        raise ValueError(f"there is no size {size!r}; there are {', '.join(sizes)}")
    known = [field.name for field in fields(sizes[size])]
    if unknown := [name for name in settings if name not in known]:
        raise ValueError(f"{kind} has no setting {unknown[0]}; it has {', '.join(known)}")
    return replace(sizes[size], **settings)


def make_instance(config: Any, seed: int, index: int = 0) -> MILP:  # noqa: ANN401 - of any family
    """One problem of the family to which a configuration belongs: that with a number, of those of a seed.

    Raises:
        TypeError: if it is no configuration of a family.
        ValueError: if its settings make no problem.
    """
    for family in FAMILIES.values():
        if type(config) is type(family.sizes["train"]):
            problem = family.make(config, np.random.default_rng([seed, index]))
            return replace(problem, name=f"{problem.name}_{seed}_{index}")
    raise TypeError(f"{type(config).__name__} is no configuration of a family of problems")


def make_instances(config: Any, n: int, seed: int = 0) -> Iterator[MILP]:  # noqa: ANN401 - of any family
    """So many problems of a family, each drawn by itself: the first are the same however many there are.

    Args:
        config: Configuration of a family, such as `SetCoverConfig()` or `family_config("setcover", "large")`.
        n: Number of problems.
        seed: Random seed.
    """
    return (make_instance(config, seed, index) for index in range(n))


@dataclass(frozen=True)
class RandomInstance:
    """A problem of a family that is drawn when it is needed: thousands of them take no memory.

    Args:
        config: Configuration of the family.
        seed: Random seed.
        index: Its number among those of the seed.
    """

    config: Any
    seed: int = 0
    index: int = 0

    def to_scip(self) -> "Model":
        """A new model of the problem, of `make_instance`."""
        return make_instance(self.config, self.seed, self.index).to_scip()
