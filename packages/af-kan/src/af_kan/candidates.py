"""The networks that experiments compare, each with the same candidate learning rates."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from separata.configs import replaced

from .comparison import AXES, Axis
from .configs import ModelConfig, ModelKind
from .networks.factory import matched, n_parameters
from .paper import KANS, LABELS, LARGER
from .trials import Trial

RATES = (1e-3, 3e-3, 1e-2, 3e-2)
"""Of networks side by side."""
FEW_STEPS_RATES = (3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
"""Of ablations, on a smaller data set: a training takes fewer steps, which must be larger."""


def kind_of(key: str) -> ModelKind:
    """The kind of network that a key of a claim stands for."""
    kind: Any = key.replace("_", "-")
    return kind


@dataclass(frozen=True)
class Comparison:
    """AF-KAN, perceptrons of the same widths, and other networks with as many parameters, and of the same widths.

    Args:
        trial: That of AF-KAN.
        rates: Candidate learning rates of every network.
    """

    trial: Trial
    rates: tuple[float, ...] = RATES

    def networks(self) -> dict[str, ModelConfig]:
        """The networks by name: `small_` ones have AF-KAN's parameters, `large_` ones its widths."""
        model = self.trial.model
        shape = self.trial.data().shape
        sizes = shape.n_inputs, shape.n_outputs
        budget = n_parameters(model, *sizes)
        mlp = replace(model, kind="mlp")
        return {
            "af_kan": model,
            "mlp": mlp,
            "mlp_final": replaced(mlp, final_activation=True),
            **{f"small_{key}": matched(replace(model, kind=kind_of(key)), budget, *sizes) for key in KANS},
            **{f"large_{key}": replace(model, kind=kind_of(key)) for key in LARGER},
        }

    def candidates(self) -> dict[str, list[Trial]]:
        """For each network the trials from which its learning rate is chosen."""
        return {name: with_rates(self.trial, model, self.rates) for name, model in self.networks().items()}

    @staticmethod
    def label(name: str) -> str:
        """What a network is called."""
        size, _, key = name.partition("_")
        if size in {"small", "large"}:
            return LABELS[key] + (", narrow" if size == "small" else ", same width")
        return LABELS[name].partition(",")[0]


@dataclass(frozen=True)
class Ablation:
    """AF-KANs that differ from one in a single setting, and one without a reduction.

    Args:
        trial: That of the default configuration.
        rates: Candidate learning rates of every network.
    """

    trial: Trial
    rates: tuple[float, ...] = FEW_STEPS_RATES

    drawn: ClassVar[Mapping[Axis, tuple[str, ...]]] = {
        "activation": ("negative-values", "best-configuration"),
        "combination": ("best-configuration",),
        "grid": ("best-configuration",),
        "order": ("best-configuration",),
        "reduction": ("reduction",),
        "norm": ("best-configuration", "reduction"),
        "feature-norm": ("best-configuration", "reduction"),
    }
    """The claims to which the figure of an axis belongs."""

    def name(self, axis: Axis, value: Any) -> str:  # noqa: ANN401 - of several types
        """The name of the network with this value."""
        field, _ = AXES[axis]
        return "default" if getattr(self.trial.model.layer, field) == value else f"{axis} {value}"

    def names(self, axis: Axis) -> list[str]:
        """The names of the networks along an axis."""
        return [self.name(axis, value) for value in AXES[axis][1]]

    def value(self, axis: Axis, name: str) -> str:
        """The value of an axis that a network has."""
        field, _ = AXES[axis]
        return str(getattr(self.trial.model.layer, field)) if name == "default" else name.removeprefix(f"{axis} ")

    def networks(self) -> dict[str, ModelConfig]:
        """The networks by name."""
        model = self.trial.model
        varied = {
            self.name(axis, value): replaced(model, **{field: value})
            for axis, (field, values) in AXES.items()
            for value in values
        }
        return varied | {"default": model, "unreduced": replace(model, kind="relu-kan")}

    def candidates(self) -> dict[str, list[Trial]]:
        """For each network the trials from which its learning rate is chosen."""
        return {name: with_rates(self.trial, model, self.rates) for name, model in self.networks().items()}


def with_rates(trial: Trial, model: ModelConfig, rates: tuple[float, ...]) -> list[Trial]:
    """The trial of a network at each learning rate."""
    base = replace(trial, model=model)
    return [replace(base, train=replace(base.train, lr=rate)) for rate in rates]
