"""Methods of continual learning: HLOP and its baselines.

Each is told when a task begins and ends, and may change gradients in between. All freeze everything but weight matrices
after the first task, as the paper does.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .configs import MethodConfig
from .continual import ContinualLearner, Dims, freeze_all_but_matrices
from .networks import SpikingNetwork, activity
from .subspace import DivergenceError


class Method:
    """Sequential fine-tuning: train on each task in turn, regardless of the others. The other methods extend it.

    Args:
        model: The network.
    """

    def __init__(self, model: SpikingNetwork) -> None:
        self.model = model

    def begin_task(self, index: int) -> None:
        """Prepare for a task."""
        if index == 1:
            freeze_all_but_matrices(self.model)

    def adjust_gradients(self) -> None:
        """Change the gradients before the optimiser's step."""

    def guard(self, optimizer: torch.optim.Optimizer) -> None:
        """See that the optimiser does not undo what the method does."""

    def end_task(self, index: int, images: Tensor, labels: Tensor, head: int | None) -> None:
        """Keep what is needed of the learned task."""

    def resume(self, n_tasks: int) -> None:
        """Continue after this many tasks, with the model as it was then."""
        if n_tasks > 1:
            freeze_all_but_matrices(self.model)

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs besides the model."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what `state` gave."""


class HLOP(Method):
    """Hebbian learning based orthogonal projection.

    Args:
        model: The network.
        dims: Maps the number of a task to the dimensions that each layer's subspace gains, as far as it has room.
        seed: Seed of the initial lateral weights.
    """

    def __init__(self, model: SpikingNetwork, dims: Callable[[int], Dims], seed: int = 0) -> None:
        super().__init__(model)
        self.learner = ContinualLearner(model)
        self.dims = dims
        self.seed = seed

    def begin_task(self, index: int) -> None:
        """Grow the subspaces."""
        wanted = zip(self.learner.dims_of(self.dims(index)), self.learner.layers, strict=True)
        dims = [min(k, layer.subspace.n_features - layer.subspace.dim) for k, layer in wanted]
        self.learner.begin_task(dims, torch.Generator().manual_seed(1000 * self.seed + index))

    def guard(self, optimizer: torch.optim.Optimizer) -> None:
        """Refuse optimisers whose steps would leave the orthogonal space."""
        self.learner.guard(optimizer)

    def end_task(self, index: int, images: Tensor, labels: Tensor, head: int | None) -> None:  # noqa: ARG002
        """Fix the subspaces."""
        self.learner.end_task()

    def resume(self, n_tasks: int) -> None:
        """Continue after this many tasks."""
        self.learner.resume(n_tasks)


class GPM(Method):
    """Gradient projection memory (Saha et al. 2021): the same projection, on singular vectors of stored activity.

    After each task, the activity that its images cause is decomposed, and as many directions are kept as explain the
    share `threshold` of its energy together with those kept before. It needs stored activity and an exact
    decomposition, which HLOP replaces by neurons.

    Args:
        model: The network.
        threshold: Share of the energy, from 0 to 1.
        n_images: Images whose activity is decomposed.
    """

    def __init__(self, model: SpikingNetwork, threshold: float = 0.97, n_images: int = 256) -> None:
        super().__init__(model)
        if not 0 < threshold < 1:
            raise ValueError(f"the threshold is a share of energy between 0 and 1, not {threshold}")
        check_images(n_images)
        self.learner = ContinualLearner(model)
        self.threshold, self.n_images = threshold, n_images

    def begin_task(self, index: int) -> None:
        """Project from the second task on."""
        super().begin_task(index)
        for layer in self.learner.layers:
            layer.is_projecting = index > 0

    def guard(self, optimizer: torch.optim.Optimizer) -> None:
        """Refuse optimisers whose steps would leave the orthogonal space."""
        self.learner.guard(optimizer)

    def end_task(self, index: int, images: Tensor, labels: Tensor, head: int | None) -> None:  # noqa: ARG002
        """Extend each layer's subspace by the principal directions of what it does not explain."""
        for layer, samples in zip(
            self.learner.layers, activity(self.model, images[: self.n_images], head), strict=True
        ):
            layer.subspace.extend(principal_directions(samples, layer.subspace.fixed, self.threshold))


def check_images(n_images: int) -> None:
    """See that there are images to learn from.

    Raises:
        ValueError: if there is none.
    """
    if n_images < 1:
        raise ValueError(f"at least 1 image of each task is needed, not {n_images}")


def principal_directions(samples: Tensor, known: Tensor, threshold: float) -> Tensor:
    """Rows (k, features) that, with the `known` orthonormal ones, explain the share `threshold` of the energy.

    Raises:
        DivergenceError: if the samples are not finite.
    """
    if not torch.isfinite(samples).all():
        raise DivergenceError("the activity that is decomposed has NaN or infinite entries")
    total = samples.double().square().sum()
    unexplained = samples.double() - samples.double() @ known.double().T @ known.double()
    if len(samples) < samples.shape[1]:
        _, values, directions = torch.linalg.svd(unexplained, full_matrices=False)
        energy = values.square()
    else:  # the same, from the eigenvectors of the correlation matrix
        eigenvalues, vectors = torch.linalg.eigh(unexplained.T @ unexplained)
        energy, directions = eigenvalues.flip(0).clamp_min(0), vectors.flip(1).T
    missing = threshold * total - (total - energy.sum())
    k = int((energy.cumsum(0) < missing).sum()) + 1 if missing > 0 else 0
    return directions[: min(k, samples.shape[1] - len(known))].to(samples.dtype)


class EWC(Method):
    """Elastic weight consolidation (Kirkpatrick et al. 2017): weights are pulled to where earlier tasks left them.

    The pull is weighted by the diagonal of each task's Fisher information, with labels drawn from the network's own
    predictions. The quadratic penalties of all tasks are kept as their sum, which is exact. The step in the penalty is
    implicit, so that any strength is stable.

    Args:
        model: The network.
        strength: Weight of the penalty, λ.
        n_images: Images from which the Fisher information is estimated.
        seed: Seed of the drawn labels.
    """

    def __init__(self, model: SpikingNetwork, strength: float = 10.0, n_images: int = 200, seed: int = 0) -> None:
        super().__init__(model)
        if not 0 <= strength < math.inf:
            raise ValueError(f"the strength of the penalty must not be negative, but it is {strength}")
        check_images(n_images)
        self.strength, self.n_images, self.seed = strength, n_images, seed
        self._optimizer: torch.optim.Optimizer | None = None
        self.importance = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
        self.anchor = {name: torch.zeros_like(p) for name, p in model.named_parameters()}

    def guard(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the learning rate from the optimiser."""
        self._optimizer = optimizer

    def adjust_gradients(self) -> None:
        """Add the gradient of the penalty `λ/2 Σ F (θ - θ*)²`, as it is after a step of plain SGD."""
        if self._optimizer is None:
            raise ValueError("the penalty's step needs the learning rate; call guard(optimizer) for each task first")
        lr = self._optimizer.param_groups[0]["lr"]
        for name, parameter in self.model.named_parameters():
            if parameter.grad is not None:
                pull = self.importance[name] * parameter.detach() - self.anchor[name]
                damping = 1 + lr * self.strength * self.importance[name]
                parameter.grad.add_(pull, alpha=self.strength).div_(damping)

    def end_task(self, index: int, images: Tensor, labels: Tensor, head: int | None) -> None:  # noqa: ARG002
        """Add this task's importance, and where it left the weights."""
        for name, fisher in self._fisher(images[: self.n_images], head, self.seed + index).items():
            self.importance[name] += fisher
            self.anchor[name] += fisher * self.model.get_parameter(name).detach()

    def _fisher(self, images: Tensor, head: int | None, seed: int) -> dict[str, Tensor]:
        """Mean over images of the squared gradient of each one's log-likelihood."""
        fisher = {name: torch.zeros_like(p) for name, p in self.model.named_parameters()}
        generator = torch.Generator().manual_seed(seed)
        was_training = self.model.training
        self.model.eval()
        with torch.no_grad():
            chances = self.model(images, head).softmax(1).cpu()
        if not torch.isfinite(chances).all():
            raise DivergenceError("the network's outputs are NaN or infinite")
        drawn = torch.multinomial(chances, 1, generator=generator).to(images.device)
        for image, label in zip(images, drawn, strict=True):
            self.model.zero_grad()
            self.model.loss(image[None], label, head).backward()
            for name, parameter in self.model.named_parameters():
                if parameter.grad is not None:
                    fisher[name] += parameter.grad.square() / len(images)
        self.model.zero_grad()
        self.model.train(was_training)
        return fisher

    def state(self) -> dict[str, Any]:
        """The summed penalties."""
        return {"importance": self.importance, "anchor": self.anchor}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back the summed penalties."""
        for name in self.importance:
            self.importance[name].copy_(state["importance"][name])
            self.anchor[name].copy_(state["anchor"][name])


class Memory:
    """A few images of each class of each earlier task, for rehearsal.

    Args:
        per_class: Images of each class.
    """

    def __init__(self, per_class: int = 50) -> None:
        if per_class < 1:
            raise ValueError(f"rehearsal needs at least 1 image of each class, not {per_class}")
        self.per_class = per_class
        self.images: list[Tensor] = []
        self.labels: list[Tensor] = []

    def add(self, images: Tensor, labels: Tensor) -> None:
        """Keep the first images of each class of a task.

        Raises:
            ValueError: if a class has fewer.
        """
        chosen = self.choose(labels)
        self.images.append(images[chosen])
        self.labels.append(labels[chosen])

    def choose(self, labels: Tensor) -> Tensor:
        """Which of a task's images are kept.

        Raises:
            ValueError: if a class has fewer than are wanted.
        """
        found = [torch.nonzero(labels == label).flatten()[: self.per_class] for label in labels.unique()]
        fewest = min(len(indices) for indices in found)
        if fewest < self.per_class:
            raise ValueError(f"rehearsal wants {self.per_class} images of each class, but one class has only {fewest}")
        return torch.cat(found)

    def state(self) -> dict[str, Any]:
        """Its images and labels, for a checkpoint."""
        return {"images": self.images, "labels": self.labels}

    def restore(self, state: dict[str, Any], device: torch.device | str) -> None:
        """Take back what `state` gave."""
        self.images, self.labels = ([one.to(device) for one in state[key]] for key in ("images", "labels"))


def make_method(config: MethodConfig, model: SpikingNetwork, dims: Callable[[int], Dims], seed: int = 0) -> Method:
    """The method of a configuration: replay is fine-tuning with a memory, and joint training needs none of its own.

    Args:
        config: The method's name and settings.
        model: The network.
        dims: Maps the number of a task to the dimensions that HLOP's subspaces gain.
        seed: Seed of the method's randomness.
    """
    if config.method == "hlop":
        return HLOP(model, dims, seed)
    if config.method == "ewc":
        return EWC(model, config.strength, seed=seed)
    if config.method == "gpm":
        return GPM(model, config.threshold)
    return Method(model)


def pmnist_dims(index: int, first: Sequence[int] = (80, 200, 100)) -> list[int]:
    """The paper's dimensions for permuted MNIST: many for the first task, then 70, 50, 30 and 10 more."""
    return list(first) if index == 0 else [70 - 20 * (index // 3)] * 3
