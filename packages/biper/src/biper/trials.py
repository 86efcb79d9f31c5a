"""One training and what is measured of it: what experiments repeat over seeds, methods and settings."""

import copy
import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from separata.labeled import Splits, load_splits
from separata.training import seeded

from .configs import DataShape, ModelConfig, TwoStageConfig
from .evaluation import evaluate
from .gradients import (
    cosine,
    deviation_that_flips,
    finite_difference_gradient,
    smoothed_gradient,
    surrogate_gradient,
    zero_gradient_share,
)
from .layers import SINE, SQUARE, BinaryLinear, BiPerLinear, PeriodicLayer, binary_layers
from .methods import METHODS
from .networks import make_network
from .quantization import fit_laplace, laplace_error, quantization_error
from .schedules import learning_rate
from .training import TwoStageTrainer

SCALES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
"""By which trained weights are multiplied."""
N_LAPLACE = 200_000
"""Weights that are drawn from a Laplace distribution, as many in each layer."""


@dataclass(frozen=True)
class Trial:
    """A training, with all that its numbers depend on.

    Args:
        dataset: Name of the data set.
        model: The network and the method.
        train: Its training, whose seed does not count.
        size: Height and width to which images are resized.
        n_train: Images for training; all by default.
        is_held_out: Evaluate on the validation part, by which settings are chosen, instead of the test part.
        seed: Of the weights, of the validation part and of the order of the images.
    """

    dataset: str = "mnist5k"
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TwoStageConfig = field(default_factory=TwoStageConfig)
    size: int | None = None
    n_train: int | None = None
    is_held_out: bool = False
    seed: int = 0

    def data(self, device: str) -> Splits:
        """The three parts; the test part is always the same."""
        return load_splits(self.dataset, seed=self.seed, size=self.size, n_train=self.n_train).to(device)

    def network(self, data: Splits, device: str) -> nn.Module:
        """The network before training."""
        channels, size, _ = data.train.sample_shape
        with seeded(self.seed):
            network = make_network(self.model, DataShape(channels, size, data.train.n_classes))
        return network.to(device)


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """Train and evaluate.

    Returns:
        `accuracy` after the last stage; `first`, that of the first stage's network, where there was one; `layers`, for
        each of BiPer's layers the mean magnitude of ωw. What diverged has no accuracy.
    """
    data = trial.data(device)
    network = trial.network(data, device)
    trainer = TwoStageTrainer(network, data.train, replace(trial.train, seed=trial.seed))
    tested = data.validation if trial.is_held_out else data.test
    try:
        trainer.fit()
    except FloatingPointError:
        return {"accuracy": None, "first": None, "phases": []}
    phases = [
        one.omega * one.weight.abs().mean().item()
        for _, one in binary_layers(network)
        if isinstance(one, PeriodicLayer)
    ]
    first = None
    if trainer.first_stage:
        twin = trial.network(data, device)
        twin.load_state_dict(trainer.first_stage)
        first = evaluate(twin, tested).accuracy
    return {"accuracy": evaluate(network, tested).accuracy, "first": first, "phases": phases}


@dataclass(frozen=True)
class ErrorTrial:
    """A training after which quantization errors are measured.

    Args:
        trial: The training.
        omegas: Angular frequencies.
        seed: Of the trial.
    """

    trial: Trial = field(default_factory=Trial)
    omegas: tuple[float, ...] = (1.0, 5.0, 10.0, 20.0, 40.0)
    seed: int = 0


def run_errors(errors: ErrorTrial, device: str) -> dict[str, Any]:
    """Train, and measure quantization errors at frequencies and scales, means over the layers.

    Returns:
        `measured`, `closed` and `laplace`: errors of the trained weights, of the closed form, and of weights drawn from
        the same Laplace distributions, at each frequency; `gap` and `gap_laplace`: largest relative difference from the
        closed form, over layers and frequencies; `periodic`, `sign` and `bound`: largest errors of the square wave and
        the sign, and of the closed form, at each scale.
    """
    trial = replace(errors.trial, seed=errors.seed)
    data = trial.data(device)
    network = trial.network(data, device)
    TwoStageTrainer(network, data.train, replace(trial.train, seed=trial.seed)).fit()
    layers = [one for _, one in binary_layers(network) if isinstance(one, PeriodicLayer)]
    weights = [one.weight.detach().double().cpu() for one in layers]
    scales = [fit_laplace(weight) for weight in weights]
    generator = torch.Generator().manual_seed(trial.seed)
    drawn = [_laplace(b, generator) for b in scales]
    tables = {
        "measured": [[quantization_error(weight, omega) for weight in weights] for omega in errors.omegas],
        "laplace": [[quantization_error(weight, omega) for weight in drawn] for omega in errors.omegas],
        "closed": [[laplace_error(omega, b) for b in scales] for omega in errors.omegas],
    }
    found: dict[str, Any] = {name: [_mean(row) for row in rows] for name, rows in tables.items()}
    for key, name in (("gap", "measured"), ("gap_laplace", "laplace")):
        found[key] = max(
            abs(one - closed) / closed
            for row, closed_row in zip(tables[name], tables["closed"], strict=True)
            for one, closed in zip(row, closed_row, strict=True)
        )
    omega = trial.model.omega
    for key, error in (("periodic", omega), ("sign", None)):
        found[key] = [max(quantization_error(scale * one, error) for one in weights) for scale in SCALES]
    found["bound"] = [max(laplace_error(omega, scale * b) for b in scales) for scale in SCALES]
    return found


def _laplace(b: float, generator: torch.Generator) -> Tensor:
    uniform = torch.rand(N_LAPLACE, generator=generator, dtype=torch.float64) - 0.5
    return -b * uniform.sign() * torch.log1p(-2 * uniform.abs())


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


@dataclass(frozen=True)
class GradientTrial:
    """A small network whose gradients are compared at several points of its training.

    Args:
        method: sine, BiPer's first stage; biper, its square wave; or ste.
        hidden: Binary units.
        omega: Angular frequency.
        n_steps: Steps of the training, whose rate falls to 0.
        rates: Learning rates; the training with the lowest loss on held-out images is the one that counts.
        n_points: Points at which gradients are compared, evenly spaced from before the first step to after the last.
        n_images: Images of the loss, and of each step.
        shares: Shares of signs that the noise turns.
        n_samples: Pairs of losses of each smoothed gradient.
        seed: Of weights and noise.
    """

    method: Literal["sine", "biper", "ste"] = "biper"
    hidden: int = 10
    omega: float = 20.0
    n_steps: int = 300
    rates: tuple[float, ...] = (0.02, 0.1, 0.5, 2.5)
    n_points: int = 5
    n_images: int = 64
    shares: tuple[float, ...] = (0.03, 0.1, 0.3)
    n_samples: int = 10_000
    seed: int = 0


def run_gradients(trial: GradientTrial, device: str) -> dict[str, Any]:
    """Cosines between the gradient that training follows and those of the loss, means over the points of a training.

    The network has one layer of binary weights on real inputs, a hyperbolic tangent and a real output layer.

    Returns:
        `rate`, the learning rate that was chosen. Of the sine, `sine`: the cosine with finite differences. Of the
        others, `cosines` at each share of turned signs, of the surrogate gradient and the smoothed one, and `at_points`
        for each point; `random`, those of a random direction; `zero`, the share of weights without a gradient, where
        they are of unit variance.
    """
    data = load_splits("digits", seed=trial.seed)
    mean = data.train.x.flatten(1).double().mean(0)
    parts = [(part.x.flatten(1).double() - mean, part.y) for part in (data.train, data.validation)]
    train, held_out = [(x.to(device), y.to(device)) for x, y in parts]
    trained = {rate: gradient_training(trial, rate, train, data.train.n_classes) for rate in trial.rates}
    losses = {one: _held_out(points[-1], held_out) for one, points in trained.items()}
    rate = min(losses, key=lambda one: losses[one] if math.isfinite(losses[one]) else math.inf)
    x, y = (some[: trial.n_images] for some in train)
    generator = torch.Generator().manual_seed(trial.seed)
    if trial.method == "sine":
        return {"rate": rate, "sine": _mean([_cosine_of_sine(model, x, y) for model in trained[rate]])}
    points = [_cosines(model, x, y, trial, generator) for model in trained[rate]]
    unit = torch.randn(10_000, generator=generator, dtype=torch.float64)
    return {
        "rate": rate,
        "at_points": [cosines for cosines, _ in points],
        "cosines": [_mean(list(some)) for some in zip(*(cosines for cosines, _ in points), strict=True)],
        "random": [_mean(list(some)) for some in zip(*(random for _, random in points), strict=True)],
        "zero": zero_gradient_share(_binarizer(_hidden(trained[rate][0])), unit.view(1, -1)),
    }


def gradient_training(
    trial: GradientTrial, rate: float, data: tuple[Tensor, Tensor], n_classes: int
) -> list[nn.Sequential]:
    """The network at each of the points of its training on images, flattened, and labels."""
    images, labels = data
    order = torch.Generator().manual_seed(trial.seed)
    with seeded(trial.seed):
        plain = nn.Linear(images.shape[1], trial.hidden, bias=False)
        last = nn.Linear(trial.hidden, n_classes)
        if trial.method == "ste":
            layer = METHODS["ste"].linear.from_float(plain, binarize_input=False)
        else:
            stage = SINE if trial.method == "sine" else SQUARE
            layer = BiPerLinear.from_float(plain, binarize_input=False, omega=trial.omega, stage=stage)
    model = nn.Sequential(layer, nn.Tanh(), last).double().to(images.device)
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9)
    at = {round(number * trial.n_steps / (trial.n_points - 1)) for number in range(trial.n_points)}
    points = [copy.deepcopy(model)]
    for step in range(trial.n_steps):
        optimizer.param_groups[0]["lr"] = learning_rate(rate, step, trial.n_steps, 0)
        optimizer.zero_grad()
        # Of all images: on the few of the loss alone, training would end where there is no gradient to compare.
        index = torch.randint(len(labels), (trial.n_images,), generator=order).to(images.device)
        cross_entropy(model(images[index]), labels[index]).backward()
        optimizer.step()
        layer.after_update()
        if step + 1 in at:
            points.append(copy.deepcopy(model))
    return points


def _held_out(model: nn.Module, data: tuple[Tensor, Tensor]) -> float:
    with torch.no_grad():
        return cross_entropy(model(data[0]), data[1]).item()


def _cosines(
    model: nn.Sequential, x: Tensor, y: Tensor, trial: GradientTrial, generator: torch.Generator
) -> tuple[list[float], list[float]]:
    """Cosines with the smoothed gradient at each share of turned signs: of the surrogate, and of a random direction."""
    layer = _hidden(model)
    loss, w, binarize = _loss_of(model, x, y), layer.weight.detach(), _binarizer(layer)
    surrogate = surrogate_gradient(loss, w)
    cosines, random = [], []
    for share in trial.shares:
        deviation = deviation_that_flips(binarize, w, share, generator)
        smoothed = smoothed_gradient(loss, w, deviation, trial.n_samples, generator)
        cosines.append(cosine(surrogate, smoothed))
        direction = torch.randn(w.shape, generator=generator, dtype=w.dtype).to(w.device)
        random.append(abs(cosine(direction, smoothed)))
    return cosines, random


def _hidden(model: nn.Sequential) -> BinaryLinear:
    layer: Any = model[0]
    return layer


def _cosine_of_sine(model: nn.Sequential, x: Tensor, y: Tensor) -> float:
    loss, w = _loss_of(model, x, y), _hidden(model).weight.detach()
    return cosine(surrogate_gradient(loss, w), finite_difference_gradient(loss, w))


def _loss_of(model: nn.Module, x: Tensor, y: Tensor) -> Any:  # noqa: ANN401 - a function of weights
    def loss(w: Tensor) -> Tensor:
        return cross_entropy(torch.func.functional_call(model, {"0.weight": w}, (x,)), y)

    return loss


def _binarizer(layer: BinaryLinear) -> Any:  # noqa: ANN401 - a function of weights
    """The binarization of a layer as a function of latent weights."""

    def binarize(w: Tensor) -> Tensor:
        return torch.func.functional_call(_Effective(layer), {"layer.weight": w}, ())

    return binarize


class _Effective(nn.Module):
    """Gives the weights that an input of a layer meets."""

    def __init__(self, layer: BinaryLinear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self) -> Tensor:
        return self.layer.effective_weight()
