"""Settings of the experiments, one value for each preset."""

from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from .configs import HyperConfig, Optimizer, TaskConfig, TaskName, TrainConfig
from .paper import FACTORS
from .trials import CostTrial, SlopeTrial, Trial


@dataclass(frozen=True)
class Method:
    """A way to parametrize a hypernetwork; None is the network alone."""

    label: str
    hyper: HyperConfig | None


DEFAULT = HyperConfig("default", initialization="hyperfan")
TORCH = HyperConfig("default", initialization="default", output_bias=True)
METHODS = {
    "mip": Method("MIP", HyperConfig("mip")),
    "default": Method("default", DEFAULT),
    "torch": Method("PyTorch's initialization", TORCH),
    "biased": Method("output bias", replace(DEFAULT, output_bias=True)),
    "plain": Method("no hypernetwork", None),
}
PARTS = {
    "encoding": HyperConfig("encoding", initialization="hyperfan"),
    "residual": HyperConfig("residual"),
    "sliced": HyperConfig("default", initialization="slices"),
}
"""One of MIP's two changes each, and neither of them with MIP's initialization, as hyperlight has it without MIP."""

ADAM, SGD = (3e-4, 1e-3, 3e-3), (1e-3, 1e-2, 1e-1)
FIXED: dict[Optimizer, float] = {"adam": 1e-3, "sgd": 1e-2}


@dataclass(frozen=True)
class Comparison:
    """Classification of images for every γ, by all parametrizations.

    Args:
        task_config: Data and network.
        steps: Of each training.
        adam: Candidate learning rates of Adam.
        sgd: And of SGD with momentum.
        hidden: Widths of the hypernetwork.
        batch_size: Samples in a step.
    """

    task_config: TaskConfig = field(default_factory=lambda: TaskConfig("mnist5k"))
    steps: int = 1000
    adam: tuple[float, ...] = ADAM
    sgd: tuple[float, ...] = SGD
    hidden: str = "16,128"
    batch_size: int = 64

    def candidates(self, name: str, seed: int) -> list[Trial]:
        """The settings that a method is tuned over."""
        rates: dict[Optimizer, tuple[float, ...]] = {"adam": self.adam, "sgd": self.sgd}
        return [
            replace(self._trial(METHODS[name].hyper, optimizer, rate), seed=seed)
            for optimizer, own in rates.items()
            for rate in own
        ]

    def fixed(self, name: str, optimizer: Optimizer) -> Trial:
        """The setting with the learning rate that all share."""
        hyper = PARTS[name] if name in PARTS else METHODS[name].hyper
        return self._trial(hyper, optimizer, FIXED[optimizer])

    def _trial(self, hyper: HyperConfig | None, optimizer: Optimizer, rate: float) -> Trial:
        own = None if hyper is None else replace(hyper, hidden=self.hidden)
        return Trial(
            "bayes", self.task_config, own, TrainConfig(self.steps, rate, optimizer, batch_size=self.batch_size)
        )


@dataclass(frozen=True)
class Slopes:
    """Magnitudes of predicted weights."""

    task_config: TaskConfig = field(default_factory=lambda: TaskConfig("mnist5k"))
    hidden: str = "16,128"
    dims: tuple[int, ...] = (1, 4, 16)
    train: TrainConfig = field(default_factory=lambda: TrainConfig(200))

    def trials(self) -> dict[str, SlopeTrial]:
        """Of the default and of MIP."""
        return {
            name: SlopeTrial(
                self.task_config,
                replace(METHODS[name].hyper or HyperConfig(), hidden=self.hidden),
                self.dims,
                self.train,
            )
            for name in ("default", "mip")
        }


@dataclass(frozen=True)
class Tasks:
    """Three tasks by three parametrizations."""

    steps: int = 300
    rates: tuple[float, ...] = ADAM
    batch_size: int = 16
    hidden: str = "16,128"
    configs: dict[str, TaskConfig] = field(
        default_factory=lambda: {
            "regularization": TaskConfig(width=32),
            "registration": TaskConfig(width=8),
            "scale_space": TaskConfig(width=8),
        }
    )

    def candidates(self, seed: int) -> dict[str, list[Trial]]:
        """Settings by task and parametrization."""
        names: dict[str, TaskName] = {"scale_space": "scale-space"}
        return {
            f"{task} {name}": [
                Trial(
                    names.get(task, task),  # type: ignore[arg-type] # a name of a task
                    config,
                    replace(METHODS[name].hyper or HyperConfig(), hidden=self.hidden),
                    TrainConfig(self.steps, rate, batch_size=self.batch_size),
                    seed,
                )
                for rate in self.rates
            ]
            for task, config in self.configs.items()
            for name in ("mip", "default", "torch")
        }


Cell = dict[str, Any]
"""Changes of a setting: activation, normalization, norm, dim, hidden, heads, optimizer."""


@dataclass(frozen=True)
class Ablations:
    """MIP and the default, with one setting changed at a time, and in a grid of several.

    Args:
        task_config: Data and network.
        steps: Of each training.
        batch_size: Samples in a step.
        values: The values of each factor.
        grid: Values of the factors that are combined with each other.
    """

    task_config: TaskConfig = field(default_factory=lambda: TaskConfig("digits", width=4))
    steps: int = 300
    batch_size: int = 32
    values: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "activation": ("leaky_relu", "relu", "tanh", "gelu", "silu"),
            "normalization": ("none", "layer", "weight", "primary batch", "primary layer"),
            "dimension": ("1", "2", "4", "8", "16"),
            "architecture": ("16", "16,128", "16,64,128", "64,64", "16,128 low-rank", "16,128 chunked"),
            "optimizer": ("adam", "sgd"),
        }
    )
    grid: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "activation": ("relu", "tanh", "gelu"),
            "normalization": ("none", "layer"),
            "dimension": ("1", "16"),
            "architecture": ("16,64", "16,128"),
        }
    )

    def cells(self) -> dict[str, Cell]:
        """All settings by name."""
        cells = {name: cell for factor in FACTORS for name, cell in self._of(factor).items()}
        for values in product(*self.grid.values()):
            cell: Cell = {}
            for factor, value in zip(self.grid, values, strict=True):
                cell |= change(factor, value)
            cells[" / ".join(values)] = cell
        return cells

    def distinct(self) -> list[str]:
        """Names of settings that differ from each other: the usual one, under the name of every factor, counts once."""
        names: dict[Trial, str] = {}
        for name, cell in self.cells().items():
            names.setdefault(self.trial(cell, "mip"), name)
        return list(names.values())

    def names_of(self, factor: str) -> list[str]:
        """Names of the settings in which a factor alone is changed."""
        return list(self._of(factor))

    def _of(self, factor: str) -> dict[str, Cell]:
        return {f"{factor}: {value}": change(factor, value) for value in self.values.get(factor, ())}

    def trial(self, cell: Cell, which: str) -> Trial:
        """The training of a setting."""
        method = METHODS[which].hyper or HyperConfig()
        hyper = replace(
            method, **{key: cell[key] for key in ("activation", "normalization", "hidden", "heads") if key in cell}
        )
        task = replace(self.task_config, **{key: cell[key] for key in ("dim", "norm") if key in cell})
        optimizer: Optimizer = cell.get("optimizer", "adam")
        return Trial(
            "bayes", task, hyper, TrainConfig(self.steps, FIXED[optimizer], optimizer, batch_size=self.batch_size)
        )


def change(factor: str, value: str) -> Cell:
    """What a value of a factor changes."""
    if factor == "normalization" and value.startswith("primary "):
        return {"norm": value.removeprefix("primary ")}
    if factor == "dimension":
        return {"dim": int(value)}
    if factor == "architecture":
        hidden, _, heads = value.partition(" ")
        return {"hidden": hidden, "heads": heads} if heads else {"hidden": hidden}
    return {factor: value}


@dataclass(frozen=True)
class Costs:
    """Time, size and conversion."""

    trial: CostTrial = field(default_factory=lambda: CostTrial(TaskConfig("mnist5k"), HyperConfig(hidden="16,128")))


_TINY = TaskConfig("digits", width=2, n_train=200)
_FEW: dict[str, tuple[str, ...]] = dict.fromkeys(FACTORS, ())

COMPARISONS: dict[str, Any] = {
    "smoke": Comparison(_TINY, steps=60, adam=(1e-3,), sgd=(1e-2,), hidden="8,16", batch_size=16),
    "quick": Comparison(),
    "gpu": Comparison(TaskConfig("mnist", width=16), hidden="16,64,128", steps=3000),
    "paper": Comparison(TaskConfig("mnist", width=32), hidden="16,64,128", steps=20_000),
}
SLOPES: dict[str, Any] = {
    "smoke": Slopes(_TINY, "8,16", (1, 4), TrainConfig(20)),
    "quick": Slopes(),
    "gpu": Slopes(TaskConfig("mnist", width=16), "16,64,128"),
    "paper": Slopes(TaskConfig("mnist", width=32), "16,64,128", train=TrainConfig(2000)),
}
TASK_PRESETS: dict[str, Any] = {
    "smoke": Tasks(
        steps=20,
        rates=(1e-3,),
        batch_size=8,
        hidden="8",
        configs={
            "regularization": TaskConfig(width=4, n_train=100),
            "registration": TaskConfig(width=2, size=8, n_train=40),
            "scale_space": TaskConfig(width=2, size=12, n_train=40),
        },
    ),
    "quick": Tasks(),
    "gpu": Tasks(
        steps=2000,
        hidden="16,64,128",
        configs={
            "regularization": TaskConfig("mnist", width=64),
            "registration": TaskConfig("mnist", width=16, n_train=10_000),
            "scale_space": TaskConfig(width=16, size=64, n_train=2000),
        },
    ),
}
ABLATIONS: dict[str, Any] = {
    "smoke": Ablations(
        _TINY,
        steps=40,
        batch_size=16,
        values=_FEW
        | {
            "activation": ("tanh",),
            "normalization": ("primary batch",),
            "dimension": ("4",),
            "architecture": ("8 low-rank",),
            "optimizer": ("sgd",),
        },
        grid={"activation": ("relu",), "architecture": ("8",)},
    ),
    "quick": Ablations(),
    "gpu": Ablations(TaskConfig("mnist", width=16), steps=2000, batch_size=64),
}
COSTS: dict[str, Any] = {
    "smoke": Costs(CostTrial(_TINY, HyperConfig(hidden="8,16"), 16, blocks=2, block=2, depth=8)),
    "quick": Costs(),
    "gpu": Costs(CostTrial(TaskConfig("mnist", width=32), HyperConfig(hidden="16,64,128"), 256, depth=56)),
}
