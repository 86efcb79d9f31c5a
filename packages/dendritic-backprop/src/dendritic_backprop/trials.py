"""One training and its error on unseen samples: what experiments and `compare` repeat over variants and seeds."""

import copy
import math
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from separata.labeled import Splits
from separata.training import accuracy, seeded

from .candidates import CorrelationTrainer
from .configs import CycleConfig, DendriteConfig, NetworkConfig, TrainConfig
from .correlation import patterns
from .module import DendriticModule
from .perforation import perforation_gap
from .spirals import load
from .training import Trainer, TrainingData, make_factory
from .variants import Variant, make_variant
from .wrapping import dendritic_modules

CYCLE = CycleConfig(
    first_epochs=60, neuron_epochs=30, dendrite_epochs=20, dendrite_patience=0, dendrite_threshold=0.0, rollback=False
)
"""Phases of fixed length, so that every variant has the same number of epochs."""
N_SAMPLES = 256
"""Samples on which features are compared."""


@dataclass(frozen=True)
class Trial:
    """Everything that a trained network depends on.

    Args:
        dataset: Name of the data, or a file.
        network: The network.
        variant: The method itself, or what it is compared with.
        dendrites: What dendrites are.
        cycle: Phases, of fixed length.
        train: How it is trained; its seed does not count.
        validation: Share of the training part by which weights are kept.
        size: Height and width that images are brought to.
        held_out: Give the error on the validation samples, by which settings are chosen, instead of the test samples.
        seed: Of the weights, the validation part and the order of samples.
    """

    dataset: str = "digits"
    network: NetworkConfig = field(default_factory=lambda: NetworkConfig(hidden=8))
    variant: Variant = "dendrites"
    dendrites: DendriteConfig = field(default_factory=DendriteConfig)
    cycle: CycleConfig = CYCLE
    train: TrainConfig = field(default_factory=lambda: TrainConfig(lr=3e-3, dendrite_lr=3e-2))
    validation: float = 0.2
    size: int | None = None
    held_out: bool = False
    seed: int = 0

    def splits(self) -> Splits:
        """The data."""
        return load(self.dataset, validation=self.validation, seed=self.seed, size=self.size)

    def make_model(self, splits: Splits) -> nn.Module:
        """The network before training: the same for all variants but `wider`."""
        with seeded(self.seed):
            return make_variant(self.network, self.dendrites, self.variant, splits.train, self.cycle.max_dendrites)


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """Train and test.

    Returns:
        `error` on the test samples (the validation samples if held out) of the network that was best on validation;
        `curve`, the same after each neuron phase, of the best network so far; `validation`, the best validation
        accuracy; `initial`, that before there were dendrites; `parameters`, `dendrites` and `epochs`; of the first
        cycle, where dendrites were trained, `correlation` and `untrained_correlation`, that of `error_correlation` on
        validation samples, and that of other dendrites with random weights. Of a training that diverged, the numbers
        are None.
    """
    splits = trial.splits().to(device)
    model = trial.make_model(splits).to(device)
    part = splits.validation if trial.held_out else splits.test
    trainer = make_trainer(trial, model, splits)
    best, curve = -math.inf, [math.nan]
    found: dict[str, float] = {}

    def accepted(cycle: int) -> None:  # noqa: ARG001 - what the trainer says
        nonlocal best
        # The phase's best weights are loaded; they count if validation says that they are the best so far.
        score = accuracy(model, splits.validation.x, splits.validation.y)
        better = score > best
        best = max(best, score)
        curve.append(1 - accuracy(model, part.x, part.y) if better else curve[-1])

    def grown(*_: float) -> None:
        if not found:
            held_out = splits.validation.x, splits.validation.y
            found["correlation"] = error_correlation(model, *held_out)
            found["untrained_correlation"] = error_correlation(redrawn(model, trial.seed), *held_out)

    trainer.controller.on_trained, trainer.on_dendrites = accepted, grown
    try:
        report = trainer.fit()
    except (FloatingPointError, ValueError):
        return {"error": None, "curve": None}
    return {
        "error": 1 - accuracy(model, part.x, part.y),
        "curve": curve[1:],
        "validation": report.score,
        "initial": report.initial_score,
        "parameters": report.n_parameters,
        "dendrites": report.n_dendrites,
        "epochs": report.n_epochs,
        **found,
    }


def make_trainer(trial: Trial, model: nn.Module, splits: Splits) -> Trainer:
    """What trains a trial's network."""
    return Trainer(model, TrainingData.of(splits), replace(trial.train, seed=trial.seed), cycle=trial.cycle)


def compare_features(trial: Trial, device: str) -> dict[str, float]:
    """Whether neurons code for the same features before and after dendrites were added.

    Returns:
        `similarity`, the correlation of each hidden neuron's activity on test samples before and after, mean over
        neurons; `similarity_other`, that with the neurons of a network trained from other weights, each with the one
        that fits it best; `gap`, how far what modules pass back is from what their neurons alone would, at most. These
        are of the network with all its dendrites, whether validation would keep them or not. `before`, the test error
        before there were dendrites; `after`, that with those that validation kept, and `dendrites`, how many these are.
    """
    splits = trial.splits().to(device)
    model = trial.make_model(splits).to(device)
    trainer = make_trainer(trial, model, splits)
    samples = splits.test.x[:N_SAMPLES]
    activity: list[Tensor] = []
    errors: list[float] = []
    gaps: dict[str, float] = {}

    def trained(cycle: int) -> None:
        activity.append(hidden_activity(model, samples))
        errors.append(1 - accuracy(model, splits.test.x, splits.test.y))
        if cycle:
            gaps.update(perforation_gap(model, samples, generator=torch.Generator().manual_seed(trial.seed)))

    trainer.controller.on_trained = trained
    report = trainer.fit()
    other = replace(trial, seed=trial.seed + 1, variant="continued")
    stranger = other.make_model(splits).to(device)
    make_trainer(other, stranger, splits).fit()
    return {
        "similarity": float(correlations(activity[0], activity[-1]).diagonal().mean()),
        "similarity_other": float(correlations(activity[0], hidden_activity(stranger, samples)).max(1).values.mean()),
        "gap": max(gaps.values()),
        "before": errors[0],
        "after": 1 - accuracy(model, splits.test.x, splits.test.y),
        "dendrites": report.n_dendrites,
    }


def error_correlation(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """|Pearson correlation| of each neuron's newest dendrite with its error, mean over layers and neurons."""
    model.eval()
    found: list[float] = []

    def see(module: DendriticModule, args: tuple[Tensor, ...], output: Any) -> None:  # noqa: ANN401 - as the module's
        v = patterns(module.values(*args)[-1].detach(), module.node_axis)

        def take(error: Tensor) -> None:
            e = patterns(error, module.node_axis)
            found.append(float(correlations(v, e).diagonal().abs().mean()))

        module.adapter.split(output).register_hook(take)

    modules = dendritic_modules(model)
    hooks = [module.register_forward_hook(see) for module in modules.values()]
    try:
        cross_entropy(model(x), y).backward()
    finally:
        for hook in hooks:
            hook.remove()
        model.zero_grad()
    return sum(found) / len(modules)


def redrawn(model: nn.Module, seed: int) -> nn.Module:
    """A copy of a network whose newest dendrites have the random weights of untrained ones."""
    model, generator = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    for module in dendritic_modules(model).values():
        module.truncate(module.num_dendrites - 1)
        module.start_candidates(1, generator)
        module.accept()
    return model


def switch_change(trial: Trial, device: str) -> float:
    """The largest change of any output when a network's first dendrites, trained for an epoch, are added."""
    splits = trial.splits().to(device)
    model = trial.make_model(splits).to(device).eval()
    x, y = splits.train.x[:N_SAMPLES], splits.train.y[:N_SAMPLES]
    with torch.no_grad():
        before = model(x)
    generator = torch.Generator().manual_seed(trial.seed)
    factory = make_factory(trial.train, trial.train.dendrite_lr or trial.train.lr)
    CorrelationTrainer(model, cross_entropy, factory, generator).run([(x, y)], 1)
    with torch.no_grad():
        return float((model(x) - before).abs().max())


def hidden_activity(model: nn.Module, samples: Tensor) -> Float[Tensor, "samples neurons"]:
    """What the neurons of the first wrapped module receive, before their nonlinearity."""
    first = next(iter(dendritic_modules(model).values()))
    found: list[Tensor] = []
    hook = first.register_forward_hook(lambda module, _, output: found.append(module.adapter.split(output)))
    model.eval()
    try:
        with torch.no_grad():
            model(samples)
    finally:
        hook.remove()
    return patterns(found[0], first.node_axis)


def correlations(
    a: Float[Tensor, "samples neurons"], b: Float[Tensor, "samples others"]
) -> Float[Tensor, "neurons others"]:
    """Pearson correlations of every column of one with every column of the other; 0 of a column that is constant."""
    a, b = a.double() - a.double().mean(0), b.double() - b.double().mean(0)
    norms = a.norm(dim=0)[:, None] * b.norm(dim=0)
    return torch.where(norms > 0, a.T @ b / norms.clamp(min=1e-300), 0.0)
