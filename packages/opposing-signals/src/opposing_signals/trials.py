"""Trainings that experiments repeat over seeds and settings, and what is measured in them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from separata.training import seeded

from .alignment import feature_alignment
from .configs import DataConfig, ModelConfig, TrainConfig
from .gradients import group_gradients
from .groups import OpposingGroups
from .hessian import HessianOperator
from .linear import LinearOpposingModel, LinearTrajectory
from .networks import make_network
from .samples import Samples, bigram_samples, load_samples
from .training import Trainer

TUNING_SEEDS = 1_000_000
"""Added to the seed of a training in which rates are chosen, which thus sees other samples and weights."""


@dataclass(frozen=True)
class Trial:
    """A training by full-batch gradient descent on images known by name.

    Args:
        dataset: Name of the images.
        data: How many, and how they are prepared.
        model: The network.
        train: Loss, learning rate and steps; its seed does not count.
        spike_after: Step after which the largest spike is looked for.
        m: Examples of a group.
        without: Numbers of images that are left out.
        with_power: Estimate the sharpness by a few power iterations, too.
        seed: Chooses the images, and draws the weights.
    """

    dataset: str = "mnist5k"
    data: DataConfig = field(default_factory=lambda: DataConfig(1000, pool=2))
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    spike_after: int = 60
    m: int = 20
    without: tuple[int, ...] = ()
    with_power: bool = False
    seed: int = 0

    def samples(self) -> Samples:
        """The images, without those that are left out."""
        whole = load_samples(self.dataset, self.data, seed=self.seed)
        kept = torch.ones(len(whole), dtype=torch.bool)
        kept[list(self.without)] = False
        return replace(whole, x=whole.x[kept], y=whole.y[kept])

    def network(self, data: Samples) -> nn.Module:
        """The network with its first weights."""
        with seeded(self.seed):
            return make_network(self.model, data.x.shape[1:], len(data.classes))

    def random(self, n: int, k: int) -> tuple[int, ...]:
        """K random examples of n, the same for equal seeds."""
        generator = torch.Generator().manual_seed(self.seed + TUNING_SEEDS)
        return tuple(torch.randperm(n, generator=generator)[:k].tolist())


def follow(trainer: Trainer, n_steps: int, each: Callable[[int], None] | None = None) -> None:
    """Train for some steps, and call a function before each."""
    for step in range(n_steps):
        if each is not None:
            each(step)
        trainer.gradients(step)
        trainer.update()


def at_step(trial: Trial, data: Samples, step: int, device: str) -> nn.Module:
    """The network of a training as it is before a step, by training it again."""
    network = trial.network(data).to(device)
    follow(Trainer(network, data, replace(trial.train, sharpness_every=0)), step)
    return network


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """Train and find the groups.

    Returns:
        `loss` of every step, `sharpness` and `power` as pairs of step and value, `share` of the changes of loss in the
        1 % that change most (mean over steps), the `groups` at the largest spike, and mean losses `up` and `down` of
        them at every step.
    """
    data = trial.samples()
    network = trial.network(data).to(device)
    trainer = Trainer(network, data, trial.train)
    record, every = trainer.recorder, trial.train.sharpness_every
    vector: list[Tensor] = []

    def look(step: int) -> None:
        if trial.with_power and every and step % every == 0:
            operator = HessianOperator(network, trainer.data.x, trainer.data.y, trial.train.loss)
            value, found = few_power_iterations(operator, vector[0] if vector else None)
            vector[:] = [found]
            record.note(step, power=value)

    follow(trainer, trial.train.n_steps, look)
    record.note(trial.train.n_steps, sharpness=trainer.tracker.measure().value)
    groups = record.groups(after=trial.spike_after, m=trial.m)
    losses = record.losses
    changes = losses.diff(dim=0)[trial.spike_after :].abs()
    most = changes.topk(max(1, len(data) // 100), dim=1).values.sum(1) / changes.sum(1)
    return {
        "loss": record.mean_loss.tolist(),
        "sharpness": sorted(record.values["sharpness"].items()),
        "power": sorted(record.values.get("power", {}).items()),
        "share": float(most.mean()),
        "groups": _told(groups),
        "up": losses[:, groups.up].mean(1).tolist(),
        "down": losses[:, groups.down].mean(1).tolist(),
    }


def try_trial(trial: Trial, device: str) -> dict[str, Any]:
    """What `run_trial` gives; nothing where the training diverges."""
    try:
        return run_trial(trial, device)
    except FloatingPointError:
        return {}


def few_power_iterations(operator: HessianOperator, vector: Tensor | None, n: int = 5) -> tuple[float, Tensor]:
    """An estimate of the largest eigenvalue that is not converged: v'Hv after n products from a vector on, and v."""
    if vector is None:
        vector = torch.randn(operator.n_parameters, generator=torch.Generator().manual_seed(0)).to(operator.like)
    for _ in range(n):
        vector = torch.nn.functional.normalize(operator(vector), dim=0)
    return float(vector @ operator(vector)), vector


def _told(groups: OpposingGroups) -> dict[str, Any]:
    return {
        "step": groups.step,
        "up": groups.up.tolist(),
        "down": groups.down.tolist(),
        "correlation": groups.correlation,
        "alternation": groups.alternation,
        "swing": groups.swing,
    }


@dataclass(frozen=True)
class SpikeTrial:
    """What is measured of two groups in the network as it is at a spike."""

    trial: Trial
    step: int
    up: tuple[int, ...]
    down: tuple[int, ...]


def run_spike(spike: SpikeTrial, device: str) -> dict[str, float]:
    """Gradients and features of the groups, beside random ones.

    Returns:
        `cosine` and `norm` (the larger one relative to random groups; mean of this and the next step), and for the
        features `input` and `last` the ratio of the groups' projections, and of as many random examples'.
    """
    trial, data = spike.trial, spike.trial.samples().to(device)
    groups = {"up": torch.tensor(spike.up), "down": torch.tensor(spike.down)}
    found = []
    for step in (spike.step, spike.step + 1):
        network = at_step(trial, data, step, device)
        found.append(group_gradients(network, data.x, data.y, groups, trial.train.loss))
    network = at_step(trial, data, spike.step, device)
    random = {"random": torch.tensor(trial.random(len(data), len(spike.up) + len(spike.down)))}
    ratios: dict[str, float] = {}
    for name, layer in (("input", "input"), ("last", None)):
        ratios[f"groups_{name}"] = feature_alignment(network, data.x, groups, layer).ratio
        ratios[f"random_{name}"] = feature_alignment(network, data.x, random, layer).ratio
    return {
        "cosine": float(np.mean([one.cosine() for one in found])),
        "norm": float(np.mean([one.relative_norm for one in found])),
        **ratios,
    }


@dataclass(frozen=True)
class LinearTrial:
    """The two-layer linear network.

    Args:
        d1: Inputs of the signal.
        d2: Inputs of the outliers.
        alpha: Size of the outliers.
        p: Their probability.
        eta_stable: Step size below the edge of stability.
        eta: Step size above it.
        steps: Steps.
        n: Sampled examples.
        seed: Draws the target's weights and the examples.
    """

    d1: int = 5
    d2: int = 4
    alpha: float = 20.0
    p: float = 0.1
    eta_stable: float = 0.05
    eta: float = 0.12
    steps: int = 2000
    n: int = 20_000
    seed: int = 0


def run_linear(trial: LinearTrial, device: str) -> dict[str, Any]:  # noqa: ARG001 - computed by NumPy
    """All that is measured of the linear network; `keys` of the claim, and `curves` to draw."""
    rng = np.random.default_rng(trial.seed)
    beta = rng.normal(size=trial.d1)
    model = LinearOpposingModel(trial.d1, trial.d2, trial.alpha, trial.p, beta / np.linalg.norm(beta))
    stable, edge = model.run_gd(trial.eta_stable, trial.steps), model.run_gd(trial.eta, trial.steps)
    one_layer = model.run_gd(trial.eta_stable, trial.steps, is_one_layer=True)
    slow = model.run_gd(0.001, 15_000)
    flow = model.gradient_flow(0.001 * slow.times)
    sampled = model.run_gd_on(*model.sample(trial.n, rng), trial.eta_stable, trial.steps)
    first = stable.curvature[0]
    return {
        "sharpness": stable.curvature[-1] / trial.alpha,
        "dip": stable.curvature.min() / first,
        "stable_rises": stable.n_increases,
        "rises": edge.n_increases,
        "settled": edge.curvature[-1] * trial.eta / 2,
        "flow": float(np.abs(slow.curvature / flow.curvature - 1).max()),
        "sampled": sampled.curvature[-1] / stable.curvature[-1],
        "one_layer": rise(one_layer.curvature.tolist()),
        "two_layers": rise(stable.curvature.tolist()),
        "curves": {"stable": _curves(stable), "edge": _curves(edge)},
    }


def _curves(found: LinearTrajectory, most: int = 300) -> dict[str, list[float]]:
    return {name: getattr(found, name)[:most].tolist() for name in ("loss", "curvature", "o", "c")}


def rise(series: list[float]) -> float:
    """The largest number relative to the lowest before it."""
    lowest = np.minimum.accumulate(series)
    return float((np.asarray(series) / lowest).max())


@dataclass(frozen=True)
class OptimizerTrial:
    """A training in minibatches, on images or on generated text.

    Args:
        dataset: `text`, or the name of images.
        data: How many.
        model: The network.
        train: Optimizer, loss and steps; its seed does not count.
        is_tuning: See other samples than those on which a claim is measured.
        patience: Go on for so many times the steps, to see when a loss is reached that was not in time.
        seed: Of samples, weights and batches.
    """

    dataset: str
    data: DataConfig
    model: ModelConfig
    train: TrainConfig
    is_tuning: bool = False
    patience: int = 1
    seed: int = 0


def run_optimizer(trial: OptimizerTrial, device: str) -> dict[str, Any]:
    """Train.

    Returns:
        `steps` and the training `loss` of all samples at these; `final`, the mean of the last three up to
        `train.n_steps`, however long it goes on, None if the training diverged.
    """
    seed = trial.seed + TUNING_SEEDS * trial.is_tuning
    if trial.dataset == "text":
        data = bigram_samples(trial.data.n, torch.Generator().manual_seed(seed))
    else:
        data = load_samples(trial.dataset, trial.data, seed=seed)
    with seeded(seed):
        network = make_network(trial.model, data.x.shape[1:], len(data.classes)).to(device)
    n_steps = trial.patience * trial.train.n_steps
    trainer = Trainer(network, data, replace(trial.train, seed=seed, n_steps=n_steps))
    try:
        follow(trainer, n_steps)
        trainer.recorder.watch(n_steps, network, trainer.data.x, trainer.data.y, trial.train.loss)
    except FloatingPointError:
        return {"steps": [], "loss": [], "final": None}
    steps, loss = trainer.recorder.steps, trainer.recorder.mean_loss.tolist()
    in_time = [value for step, value in zip(steps, loss, strict=True) if step <= trial.train.n_steps]
    final = float(np.mean(in_time[-3:]))
    return {"steps": steps, "loss": loss, "final": final if math.isfinite(final) else None}
