"""The settings that each baseline is chosen from, on held-out data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from .configs import Cell, ModelConfig
from .trials import SequenceTrial, Trial

RESIDUAL = "128,128"
"""The published residual network: two blocks of this width."""


@dataclass(frozen=True)
class Networks:
    """Networks on the joined values of u and y: all combinations, with each learning rate."""

    depths: tuple[int, ...] = (2, 3, 4)
    """Layers with weights of a fully connected network; one more than the blocks of a residual one."""
    widths: tuple[int, ...] = (10, 100)
    rates: tuple[float, ...] = (1e-2, 1e-3)

    def candidates(self, trial: Trial, kind: Literal["fnn", "resnet"] = "fnn") -> list[Trial]:
        """The trial with each of them, evaluated on held-out data; the published residual network is among those."""
        hidden = [",".join([str(width)] * (depth - 1)) for depth, width in product(self.depths, self.widths)]
        if kind == "resnet":
            hidden.append(RESIDUAL)
        return [
            replace(one, model=ModelConfig(kind, widths))
            for widths in dict.fromkeys(hidden)
            for one in with_rates(trial, self.rates)
        ]


@dataclass(frozen=True)
class RecurrentNetworks:
    """Recurrent networks of each size, with each learning rate."""

    hidden_sizes: tuple[int, ...] = (5,)
    rates: tuple[float, ...] = (1e-2, 1e-3)

    def candidates(self, trial: Trial, cell: Cell) -> list[SequenceTrial]:
        """The trial with each of them, evaluated on held-out data."""
        return [SequenceTrial(one, cell, size) for size in self.hidden_sizes for one in with_rates(trial, self.rates)]


def with_rates(trial: Trial, rates: Sequence[float]) -> list[Trial]:
    """The trial with each learning rate, evaluated on held-out data."""
    return [replace(trial, train=replace(trial.train, lr=lr), is_held_out=True) for lr in rates]
