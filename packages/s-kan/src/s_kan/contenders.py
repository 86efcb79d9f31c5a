"""S-KAN and what it is compared with, on the same samples with the same budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from separata.loop import Track
from separata.models import MLP, count_parameters, match_width
from separata.training import seeded

from .baselines.kan import KAN
from .configs import LayerConfig, ModelConfig, StageConfig, TrainConfig, names, widths
from .networks import SKAN
from .samples import Samples
from .scaling import Scaled, standardized_mse
from .training.strategies import Fit, Job, train
from .training.trainer import Loss, Trainer

Kind = Literal["s-kan", "kan", "mlp"]
Size = Literal["pruned", "unpruned"]


@dataclass(frozen=True)
class Contender:
    """A kind of network.

    Args:
        kind: S-KAN, a KAN of one family, or a multilayer perceptron with two hidden layers and SiLU.
        basis: The family of a KAN.
        size: Of a perceptron: as many parameters as S-KAN has after pruning, or before.
    """

    kind: Kind = "s-kan"
    basis: str = "bspline"
    size: Size = "pruned"

    @property
    def label(self) -> str:
        """A name for people."""
        return {"s-kan": "S-KAN", "kan": f"KAN, {self.basis}", "mlp": f"MLP, {self.size} size"}[self.kind]


def contenders(pool: str) -> list[Contender]:
    """S-KAN, a KAN of each family of its pool, and two perceptrons."""
    single = [Contender("kan", name) for name in names(pool)]
    return [Contender(), *single, Contender("mlp"), Contender("mlp", size="unpruned")]


def make_network(config: ModelConfig, n_in: int, n_out: int, pools: Sequence[Sequence[str]] | None = None) -> SKAN:
    """An S-KAN for rows of features.

    Args:
        config: Its layers.
        n_in: Features.
        n_out: Outputs.
        pools: Families of each layer, instead of those of the settings.

    Raises:
        ValueError: if the settings do not fit.
    """
    layer = config.layer
    pool = names(layer.pool) if pools is None else pools
    sizes = [n_in, *widths(config.hidden), n_out]
    return SKAN(sizes, pool, layer.n_basis, layer.unit, layer.base, layer.normalization)


def make_contender(contender: Contender, config: ModelConfig, n_in: int, n_out: int) -> nn.Module:
    """A network to compare with S-KAN of these settings.

    Raises:
        ValueError: if the settings do not fit.
    """
    sizes = [n_in, *widths(config.hidden), n_out]
    if contender.kind == "s-kan":
        return make_network(config, n_in, n_out)
    if contender.kind == "kan":
        return _kan(sizes, contender.basis, config.layer)
    with seeded(0):
        whole = make_network(config, n_in, n_out)
        like = whole if contender.size == "unpruned" else _kan(sizes, names(config.layer.pool)[0], config.layer)
    budget = count_parameters(like)
    width = match_width(lambda n: count_parameters(_mlp(n_in, n, n_out)), budget)
    return _mlp(n_in, width, n_out)


def _kan(sizes: Sequence[int], basis: str, layer: LayerConfig) -> KAN:
    return KAN(sizes, basis, layer.n_basis, layer.base, layer.normalization)


def _mlp(n_in: int, width: int, n_out: int) -> MLP:
    return MLP((n_in, width, width, n_out), nn.SiLU)


@dataclass(frozen=True)
class Setting:
    """How a contender is trained.

    Args:
        model: The settings of S-KAN, which give the others their sizes.
        stages: Of S-KAN.
        train: Optimizer and schedule.
    """

    model: ModelConfig
    stages: StageConfig
    train: TrainConfig


def train_contender(
    contender: Contender,
    data: Samples,
    n_out: int,
    setting: Setting,
    *,
    validation: Samples | None = None,
    device: str = "cpu",
    track: Track | None = None,
) -> Fit:
    """Train a contender on rows of features: all with inputs and targets scaled alike, in the same way.

    Args:
        contender: What to train.
        data: Samples for training.
        n_out: Outputs, or classes.
        setting: How.
        validation: Held-out samples, for strategies that need some.
        device: Where to train.
        track: Shows progress over steps.

    Raises:
        ValueError: if the settings do not fit.
        FloatingPointError: if the training diverges.
    """
    data = data.to(device)
    n_in = data.x.shape[1]
    loss = loss_of(data)

    def scaled(network: nn.Module) -> Scaled:
        return Scaled(network, n_in, n_out).to(device).calibrate(data.x, data.y)

    if contender.kind == "s-kan":
        make: Callable[..., nn.Module] = lambda pools: scaled(make_network(setting.model, n_in, n_out, pools))  # noqa: E731
        job = Job(make, data, setting.train, setting.stages, validation, loss, track=track)
        return train(job)
    with seeded(setting.train.seed):
        model = scaled(make_contender(contender, setting.model, n_in, n_out))
    Trainer(model, data, setting.train, loss=loss, track=track).fit()
    return Fit(model, setting.train.epochs, [], {})


def loss_of(data: Samples) -> Loss | None:
    """What networks in the units of the data are trained with: squared errors in units of the targets' variance."""
    return standardized_mse(data.y) if data.is_regression else None
