"""One network trained by one method on a sequence of permuted images, the unit that the experiments repeat."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .accuracy import AccuracyMatrix
from .benchmarks import HeldOut, TaskSequence, permuted_mnist
from .continual import ContinualLearner
from .methods import pmnist_dims
from .networks import SpikingMLP, SpikingNetwork, Synaptic, activity, seeded
from .rules import training_rule
from .schedule import Rehearsal, Training
from .subspace import DivergenceError, HebbianSubspace, SpikingLateral
from .training import run_benchmark


@dataclass(frozen=True)
class Trial:
    """Everything that the accuracy of a trained network depends on."""

    dataset: str = "mnist5k"
    n_tasks: int = 5
    widths: tuple[int, ...] = (784, 200, 200, 10)
    dims: tuple[tuple[int, ...], ...] = ((60, 54, 34), (40, 20, 14))
    """Dimensions of the layers' subspaces for the first task and for later ones; empty for the paper's schedule."""
    epochs: int = 3
    rule: str = "dsr"
    timesteps: int | None = None
    """Steps of simulation; None for the paper's number under the rule."""
    method: str = "hlop"
    feedback: str = "bp"
    spiking: bool = False
    """Whether lateral neurons are spiking."""
    lr: float = 0.1
    hebbian_lr: float = 0.01
    strength: float = 10.0
    threshold: float = 0.97
    rehearsal_epochs: int = 1
    rehearsal_lr: float = 0.01
    seed: int = 0
    held_out: bool = False
    """Test on a fifth of the training images instead of the test images, and train on the rest."""

    @property
    def sequence(self) -> TaskSequence:
        """The tasks."""
        tasks = permuted_mnist(self.dataset, self.n_tasks, self.seed)
        return HeldOut(tasks) if self.held_out else tasks

    def network(self, device: str) -> SpikingNetwork:
        """The network before training."""
        synaptic = Synaptic(
            feedback=self.feedback,  # type: ignore[arg-type]
            lr=self.hebbian_lr,
            input_lr=self.hebbian_lr / 10,
            spiking=SpikingLateral() if self.spiking else None,
        )
        rule = training_rule(self.rule, self.timesteps)
        return seeded(
            lambda rule, synaptic: SpikingMLP(self.widths, rule, synaptic=synaptic), rule, synaptic, self.seed
        ).to(device)

    def dims_of(self, index: int) -> list[int]:
        """Dimensions to add for a task."""
        return list(self.dims[min(index, 1)]) if self.dims else pmnist_dims(index)

    def train(self, model: SpikingNetwork) -> AccuracyMatrix:
        """Train the network on all tasks and test it.

        Raises:
            DivergenceError: if training diverges.
        """
        replays = self.method == "replay"
        return run_benchmark(
            self.sequence,
            model,
            self.method,
            Training(self.epochs, lr=self.lr),
            dims=self.dims_of,
            rehearsal=Rehearsal(epochs=self.rehearsal_epochs, lr=self.rehearsal_lr) if replays else None,
            seed=self.seed,
            strength=self.strength,
            threshold=self.threshold,
        )


def train_and_test(trial: Trial, device: str) -> list[list[float | None]] | None:
    """The accuracy matrix of a trial, as JSON has it; None if training diverged."""
    try:
        return trial.train(trial.network(device)).to_json()
    except DivergenceError:
        return None


def explained_energy(trial: Trial, device: str) -> dict[str, float]:
    """How much of a trained network's activity its subspaces explain, beside as many principal components.

    Returns:
        `explained` by the learned subspaces, in the layer where that is least, and `untrained_explained` by as many
        random directions, with which learning begins, where it is most; each as a share of what principal components
        explain.
    """
    model = trial.network(device)
    trial.train(model)
    learned, random = [], []
    generator = torch.Generator().manual_seed(trial.seed)
    images = trial.sequence[trial.n_tasks - 1].train_images.to(device)
    for layer, samples in zip(ContinualLearner(model).layers, activity(model, images), strict=True):
        untrained = HebbianSubspace(layer.subspace.n_features).to(samples)
        untrained.grow(layer.subspace.dim, generator)
        learned.append(share_of_principal_energy(layer.subspace, samples))
        random.append(share_of_principal_energy(untrained, samples))
    return {"explained": min(learned), "untrained_explained": max(random)}


def share_of_principal_energy(subspace: HebbianSubspace, samples: Float[Tensor, "samples features"]) -> float:
    """The energy that a subspace explains, as a share of what as many principal components explain."""
    energies = torch.linalg.eigvalsh(samples.double().T @ samples.double())
    return subspace.explained(samples) / (energies[-subspace.dim :].sum() / energies.sum()).item()
