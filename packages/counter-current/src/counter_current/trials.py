"""One training and what is measured of it: what experiments repeat over seeds, rules and settings."""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from separata.labeled import Splits, load_splits
from separata.output import finite
from separata.training import seeded

from .configs import DataShape, RunConfig
from .diagnostics.alignment import alignment_map, class_matched, top_alignment
from .evaluation import evaluate
from .networks.architectures import make_network
from .networks.dual import CounterCurrentNetwork
from .rules.base import Rule
from .rules.registry import make_rule
from .training import Trainer

N_COMPARED = 256
"""Test samples on which the two directions are compared."""
N_SHOWN = 8
"""Reconstructed images that are kept."""


@dataclass(frozen=True)
class Trial:
    """A training, with all that its numbers depend on.

    Args:
        dataset: Name of the data set.
        config: The network, the rule and the training, whose seed does not count.
        size: Height and width to which images are resized.
        n_train: Samples for training; all by default.
        is_held_out: Evaluate on the validation part, by which settings are chosen, instead of the test part.
        seed: Of the weights, of the validation part and of the order of the samples.
    """

    dataset: str = "mnist5k"
    config: RunConfig = field(default_factory=RunConfig)
    size: int | None = None
    n_train: int | None = None
    is_held_out: bool = False
    seed: int = 0

    @property
    def run_config(self) -> RunConfig:
        """The configuration with the trial's seed."""
        return replace(self.config, train=replace(self.config.train, seed=self.seed))

    def data(self, device: str) -> Splits:
        """The three parts; the test part is always the same."""
        return load_splits(self.dataset, seed=self.seed, size=self.size, n_train=self.n_train).to(device)

    def network(self, data: Splits, device: str) -> CounterCurrentNetwork:
        """The network before training."""
        n_classes = None if self.config.is_autoencoder else data.train.n_classes
        with seeded(self.seed):
            network = make_network(self.config.network, DataShape(data.train.sample_shape, n_classes))
        return network.to(device)


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """Train and evaluate.

    Returns:
        `loss`, and `accuracy` of a classifier; for an autoencoder `mean`, the error of the mean of the training images,
        and pictures. What diverged has no numbers.
    """
    data = trial.data(device)
    network = trial.network(data, device)
    config = trial.run_config
    trainer = Trainer(network, data.train, config.train, make_rule(network, config), validation=data.validation)
    tested = data.validation if trial.is_held_out else data.test
    found: dict[str, Any] = {"loss": None, "accuracy": None}
    if config.is_autoencoder:
        found["mean"] = (tested.x - data.train.x.mean(0)).square().mean().item()
    try:
        trainer.fit()
    except FloatingPointError:
        return found
    report = evaluate(network, tested)
    found |= {"loss": finite(report.loss), "accuracy": report.accuracy}
    if config.is_autoencoder:
        shown = tested.x[:N_SHOWN]
        with torch.no_grad():
            found["pictures"] = {"sample": _rounded(shown), "reconstruction": _rounded(network(shown))}
    return found


def _rounded(images: Tensor) -> list[Any]:
    return (images.clamp(0, 1) * 255).round().int().tolist()


@dataclass(frozen=True)
class AlignmentTrial:
    """A short training during which the two directions are compared.

    Args:
        trial: The training.
        steps: After how many steps they are compared.
        seed: Of the trial.
    """

    trial: Trial
    steps: tuple[int, ...] = (0, 40, 160)
    seed: int = 0


def run_alignment(alignment: AlignmentTrial, device: str) -> dict[str, Any]:
    """Train, and compare the two directions on test samples.

    Returns:
        `maps`: for each number of steps the linear CKA of every pair; `top`: the mean of the pairs next to the labels.
    """
    trial = replace(alignment.trial, seed=alignment.seed)
    data = trial.data(device)
    network = trial.network(data, device)
    config = trial.run_config
    trainer = Trainer(network, data.train, config.train, make_rule(network, config))
    some = class_matched(data.test, N_COMPARED)
    maps = []
    network.train()
    for step in range(max(alignment.steps) + 1):
        if step in alignment.steps:
            maps.append(alignment_map(network, some.x, some.y))
        trainer.gradients(step)
        trainer.update()
    return {"maps": [one.tolist() for one in maps], "top": [top_alignment(one) for one in maps]}


def run_locality(trial: Trial, device: str) -> dict[str, float]:
    """How much a layer's gradient depends on the forward weights of the layers above it.

    Returns:
        `change`: the largest relative change over the hidden layers when all weights above are drawn anew; NaN if a
        layer has no gradient.
    """
    data = trial.data(device)
    network = trial.network(data, device)
    config = trial.run_config
    rule = make_rule(network, config)
    batch = data.train.subset(range(min(config.train.batch_size, len(data.train))))
    layers = list(network.dual_layers())
    changes = []
    for number, layer in enumerate(layers[:-1]):
        before = _gradient(rule, network, layer.forward_module, batch.x, batch.y)
        kept = {name: value.clone() for name, value in network.state_dict().items()}
        with seeded(trial.seed + number + 1):
            for above in layers[number + 1 :]:
                above.forward_module.apply(_draw_anew)
        after = _gradient(rule, network, layer.forward_module, batch.x, batch.y)
        network.load_state_dict(kept)
        changes.append((torch.dist(before, after) / before.norm()).item())
    return {"change": torch.tensor(changes, dtype=torch.double).max().item()}


def _gradient(rule: Rule, network: nn.Module, module: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    network.zero_grad()
    rule.gradients(x, labels, torch.Generator().manual_seed(0))
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in module.parameters()]
    return torch.cat([gradient.flatten() for gradient in gradients])


def _draw_anew(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        module.reset_parameters()
