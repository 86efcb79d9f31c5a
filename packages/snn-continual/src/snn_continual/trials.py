"""One network trained by one method on a sequence of permuted images, the unit that the experiments repeat."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from .accuracy import AccuracyMatrix
from .benchmarks import HeldOut, TaskSequence, make_permuted_mnist
from .configs import MethodConfig, NetworkConfig
from .continual import ContinualLearner
from .methods import pmnist_dims
from .networks import SpikingMLP, SpikingNetwork, activity, make_network
from .schedule import RehearsalConfig, TrainConfig
from .subspace import DivergenceError, HebbianSubspace
from .training import train


@dataclass(frozen=True)
class Trial:
    """Everything that the accuracy of a trained network depends on."""

    dataset: str = "mnist5k"
    n_tasks: int = 5
    widths: tuple[int, ...] = (784, 200, 200, 10)
    dims: tuple[tuple[int, ...], ...] = ((60, 54, 34), (40, 20, 14))
    """Dimensions of the layers' subspaces for the first task and for later ones; empty for the paper's schedule."""
    learner: MethodConfig = field(default_factory=MethodConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    train: TrainConfig = field(default_factory=lambda: TrainConfig(epochs=3))
    rehearsal: RehearsalConfig = field(default_factory=RehearsalConfig)
    """Under the method `replay`."""
    seed: int = 0
    held_out: bool = False
    """Test on a fifth of the training images instead of the test images, and train on the rest."""

    @property
    def sequence(self) -> TaskSequence:
        """The tasks."""
        tasks = make_permuted_mnist(self.dataset, self.n_tasks, self.seed)
        return HeldOut(tasks) if self.held_out else tasks

    def make_model(self, device: str) -> SpikingNetwork:
        """The network before training."""
        return make_network(lambda rule, hlop: SpikingMLP(self.widths, rule, hlop=hlop), self.network, self.seed).to(
            device
        )

    def dims_of(self, index: int) -> list[int]:
        """Dimensions to add for a task."""
        return list(self.dims[min(index, 1)]) if self.dims else pmnist_dims(index)

    def fit(self, model: SpikingNetwork) -> AccuracyMatrix:
        """Train the network on all tasks and test it.

        Raises:
            DivergenceError: if training diverges.
        """
        return train(
            model,
            self.sequence,
            self.train,
            learner=self.learner,
            dims=self.dims_of,
            rehearsal=self.rehearsal if self.learner.method == "replay" else None,
            seed=self.seed,
        )


def train_and_test(trial: Trial, device: str) -> list[list[float | None]] | None:
    """The accuracy matrix of a trial, as JSON has it; None if training diverged."""
    try:
        return trial.fit(trial.make_model(device)).to_json()
    except DivergenceError:
        return None


def explained_energy(trial: Trial, device: str) -> dict[str, float]:
    """How much of a trained network's activity its subspaces explain, beside as many principal components.

    Returns:
        `explained` by the learned subspaces, in the layer where that is least, and `untrained_explained` by as many
        random directions, with which learning begins, where it is most; each as a share of what principal components
        explain.
    """
    model = trial.make_model(device)
    trial.fit(model)
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
