"""What is compared, at each preset: every factor of the abstract, and budgets chosen on validation data."""

import math
from dataclasses import dataclass, field, replace

from .configs import DataConfig, FeatureConfig, FitConfig, NetworkConfig
from .trials import LinearTrial, NetworkTrial

BUDGETS = ("1e2", "1e3", "1e4", "1e5", "1e6", "inf")
NOISE = DataConfig(n_train=300, n_test=2000, label_noise=0.2)


@dataclass(frozen=True)
class Linear:
    """Linear models on ReLU features of images with noisy labels, under each factor."""

    dataset: str = "mnist5k"
    data: DataConfig = NOISE
    widths: tuple[int, ...] = (30, 75, 150, 225, 270, 300, 330, 375, 450, 600, 900, 1500, 3000)
    """Of what has a closed form."""
    few: tuple[int, ...] = (75, 150, 225, 300, 400, 600, 900)
    """Of what is a loop."""
    steps: int = 3000
    """Of the comparisons of optimizers and of initializations."""
    rate_steps: str = "1e5"
    norm_steps: str = "1e4"
    epochs: int = 3000
    """Of the comparison of batch sizes; the learning rate is 0.1 / h_max."""
    stds: tuple[float, ...] = (0.0, 0.01, 0.1, 1.0)

    def trials(self, seeds: tuple[int, ...]) -> dict[str, LinearTrial]:
        """Every setting by its name."""
        closed = LinearTrial("gd", FitConfig(), BUDGETS, self.widths, self.data, self.dataset, seeds=seeds)
        n, steps = self.data.n_train or 300, str(self.steps)
        found = {"steps": closed}
        for name in ("gd", "momentum", "nesterov", "sgd", "adam", "cg", "lbfgs"):
            budgets = (steps,) if name not in {"cg", "lbfgs"} else (str(max(10, self.steps // 100)),)
            fit = FitConfig(name, batch_size=min(32, n))
            found[f"optimizer {name}"] = replace(closed, name=name, fit=fit, budgets=budgets, widths=self.few)
        for rate in (0.01, 0.1, 1.0):
            found[f"rate {rate:g}"] = replace(
                closed, name=f"{rate:g}", fit=FitConfig(lr=rate), budgets=(self.rate_steps,)
            )
        for size in (8, 32, n):
            total = str(self.epochs * math.ceil(n / size))
            # All samples at once are gradient descent, which has a closed form.
            fit = FitConfig("gd", lr=0.1) if size == n else FitConfig("sgd", batch_size=size)
            found[f"batch {size}"] = replace(closed, name=f"{size}", fit=fit, budgets=(total,), widths=self.few)
        for std in self.stds:
            found[f"init {std:g}"] = replace(closed, name=f"{std:g}", fit=FitConfig(init_std=std), budgets=(steps,))
        for kind in ("none", "center", "standardize"):
            found[f"norm {kind}"] = replace(
                closed, name=kind, features=FeatureConfig(normalize=kind), budgets=(self.norm_steps,)
            )
        return found


@dataclass(frozen=True)
class Networks:
    """Two-layer networks on small images with noisy labels, of all widths around p = N C."""

    dataset: str = "digits"
    data: DataConfig = field(default_factory=lambda: DataConfig(n_train=200, n_test=1000, label_noise=0.2))
    widths: tuple[int, ...] = (3, 6, 10, 15, 20, 26, 33, 45, 70, 130)
    adam: NetworkConfig = field(default_factory=lambda: NetworkConfig(optimizer="adam", lr=0.01))
    sgd: NetworkConfig = field(default_factory=lambda: NetworkConfig(optimizer="sgd", lr=0.1, batch_size=32))
    long: int = 1000
    short: int = 100

    def trials(self, seeds: tuple[int, ...]) -> dict[str, NetworkTrial]:
        """Every setting by its name."""
        adam = NetworkTrial("Adam", self.adam, (self.long,), self.widths, self.data, self.dataset, seeds)
        return {
            "Adam": adam,
            "SGD": replace(adam, name="SGD", train=self.sgd, epochs=(self.short,)),
            "batch": replace(adam, name="batch normalization", train=replace(self.adam, norm="batch")),
            "layer": replace(adam, name="layer normalization", train=replace(self.adam, norm="layer")),
        }


@dataclass(frozen=True)
class All:
    """Both kinds of models."""

    linear: Linear = field(default_factory=Linear)
    networks: Networks = field(default_factory=Networks)


SMOKE = All(
    Linear(
        "digits",
        DataConfig(n_train=40, n_test=200, label_noise=0.2),
        widths=(10, 20, 40, 80, 200),
        few=(10, 20, 40, 80, 200),
        steps=200,
        epochs=10,
    ),
    Networks(
        data=DataConfig(n_train=40, n_test=200, label_noise=0.2),
        widths=(1, 2, 5, 10, 20),
        sgd=NetworkConfig(optimizer="sgd", lr=0.1, batch_size=20),
        long=30,
        short=5,
    ),
)
GPU = All(
    Linear(
        "mnist",
        DataConfig(n_train=1000, n_test=10_000, label_noise=0.2),
        _scaled := tuple(10 * round(p / 3) for p in (30, 75, 150, 225, 270, 300, 330, 375, 450, 600, 900, 1500, 3000)),
        steps=10_000,
    ),
    Networks("mnist", DataConfig(n_train=1000, n_test=10_000, label_noise=0.2), (2, 4, 6, 8, 10, 12, 14, 18, 28, 50)),
)
FULL = All(
    Linear("mnist", DataConfig(n_train=4000, n_test=10_000, label_noise=0.2), tuple(4 * p for p in _scaled)),
    Networks(
        "cifar10",
        DataConfig(n_train=4000, n_test=10_000, label_noise=0.2),
        (2, 4, 6, 8, 10, 13, 16, 20, 30, 50, 100),
        long=10_000,
    ),
)


@dataclass(frozen=True)
class Stopped:
    """Linear models whose number of steps is chosen on validation data."""

    dataset: str = "mnist5k"
    data: DataConfig = field(default_factory=lambda: replace(NOISE, validation=0.5))
    widths: tuple[int, ...] = (75, 150, 225, 300, 400, 600, 900)
    budgets: tuple[str, ...] = ("10", "30", "100", "300", "1000", "3000")
    """Of loops; those with a closed form have 1e4, 1e5 and 1e6, too."""
    adam: tuple[str, ...] = ("3", "10", "30", "100", "300", "1000")

    def trials(self, seeds: tuple[int, ...]) -> dict[str, LinearTrial]:
        """Every optimizer by its name."""
        first = LinearTrial("gd", FitConfig(), self.budgets, self.widths, self.data, self.dataset, seeds=seeds)
        more = (*self.budgets, "1e4", "1e5", "1e6")
        return {
            "gd": replace(first, budgets=more),
            "momentum": replace(first, name="momentum", fit=FitConfig("momentum"), budgets=more),
            "sgd": replace(first, name="sgd", fit=FitConfig("sgd", batch_size=min(32, self.data.n_train or 32))),
            "adam": replace(first, name="adam", fit=FitConfig("adam"), budgets=self.adam),
            "unstopped": replace(first, name="unstopped", fit=FitConfig("exact"), budgets=("inf",)),
        }
