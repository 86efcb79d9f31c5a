"""Several networks of one shape, one for each seed, that are trained side by side on samples of their own."""

import copy
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from kan_assessment.tasks.task import Samples, Task


@runtime_checkable
class Members(Protocol):
    """Networks, called together."""

    def parameters(self) -> list[Tensor]:
        """What is trained."""

    def __call__(self, x: Float[Tensor, "members batch features"]) -> Float[Tensor, "members batch outputs"]:
        """The outputs of each for its own samples."""

    def set_training(self, training: bool) -> None:
        """Switch between training and evaluation."""


class Stacked:
    """Networks with stacked parameters, so that one batched computation serves all.

    Small networks then cost little more than one of them. For modules of plain tensor operations without state that
    changes.

    Args:
        models: The networks, of one shape.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        self._params, self._buffers = stack_module_state(list(models))
        self._base = copy.deepcopy(models[0])

    def parameters(self) -> list[Tensor]:
        """What is trained: each parameter of all networks as one tensor."""
        return [p for p in self._params.values() if p.requires_grad]

    def __call__(self, x: Float[Tensor, "members batch features"]) -> Float[Tensor, "members batch outputs"]:
        """The outputs of each for its own samples."""

        def call(params: dict[str, Tensor], buffers: dict[str, Tensor], one: Tensor) -> Tensor:
            return functional_call(self._base, (params, buffers), (one,))

        return vmap(call)(self._params, self._buffers, x)

    def set_training(self, training: bool) -> None:
        """Switch between training and evaluation."""
        self._base.train(training)


class Separate:
    """Networks that are called one after another, whatever they are made of.

    Args:
        models: The networks.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        self.models = list(models)

    def parameters(self) -> list[Tensor]:
        """What is trained."""
        return [p for model in self.models for p in model.parameters() if p.requires_grad]

    def __call__(self, x: Float[Tensor, "members batch features"]) -> Float[Tensor, "members batch outputs"]:
        """The outputs of each for its own samples."""
        return torch.stack([model(one) for model, one in zip(self.models, x, strict=True)])

    def set_training(self, training: bool) -> None:
        """Switch between training and evaluation."""
        for model in self.models:
            model.train(training)


class MemberData:
    """The samples of a task as several seeds see them, as batches with a first dimension of seeds.

    Where seeds have different numbers of samples for training, which happens where whole files are drawn, each epoch
    passes over as many as the smallest has, others each time.

    Args:
        task: The task.
        seeds: The seeds.
        device: Where to compute.
        n_train: Samples for training in each stage; 0 for all.

    Raises:
        ValueError: if there are fewer samples for training than outputs.
    """

    def __init__(self, task: Task, seeds: Sequence[int], device: str = "cpu", n_train: int = 0) -> None:
        drawn = [task.draw(seed) for seed in seeds]
        is_shared = all(one.x is drawn[0].x for one in drawn)
        self.x = (drawn[0].x if is_shared else torch.cat([one.x for one in drawn])).to(device)
        self.y = (drawn[0].y if is_shared else torch.cat([one.y for one in drawn])).to(device)
        offsets = [0 if is_shared else i * len(drawn[0].x) for i in range(len(drawn))]
        self.stages = [
            [
                self._limited(one.stages[stage] + offset, n_train).to(device)
                for one, offset in zip(drawn, offsets, strict=True)
            ]
            for stage in range(len(drawn[0].stages))
        ]
        self.validation = self._padded([one.validation + offset for one, offset in zip(drawn, offsets, strict=True)])
        self.test = self._padded([one.test + offset for one, offset in zip(drawn, offsets, strict=True)])
        self.metric = task.metric
        self._scale(drawn, is_regression=task.is_regression, is_standardized=task.is_standardized)
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    @staticmethod
    def _limited(indices: Tensor, n: int) -> Tensor:
        return indices[:n] if n else indices

    def _padded(self, parts: Sequence[Tensor]) -> tuple[Int[Tensor, "members n"], Float[Tensor, "members n"]]:
        """Indices of equal numbers, and 1 for those that count."""
        n = max(len(part) for part in parts)
        indices = torch.stack([torch.cat([part, part[:1].expand(n - len(part))]) for part in parts])
        counts = torch.tensor([len(part) for part in parts])
        mask = (torch.arange(n) < counts[:, None]).float()
        return indices.to(self.x.device), mask.to(self.x.device)

    def _scale(self, drawn: Sequence[Samples], *, is_regression: bool, is_standardized: bool) -> None:
        """Centers and scales of features and values, by the training samples of each seed."""
        n, device = len(drawn), self.x.device
        self.center = torch.zeros(n, 1, self.x.shape[1], device=device)
        self.spread = torch.ones(n, 1, self.x.shape[1], device=device)
        self.y_center, self.y_spread = torch.zeros(n, 1, device=device), torch.ones(n, 1, device=device)
        for member in range(n):
            of_training = torch.cat([stage[member] for stage in self.stages])
            if is_standardized:
                features = self.x[of_training]
                self.center[member], spread = features.mean(0), features.std(0)
                self.spread[member] = torch.where(spread > 0, spread, 1.0)
            if is_regression:
                values = self.y[of_training]
                self.y_center[member] = values.mean()
                self.y_spread[member] = values.std() if values.std() > 0 else 1.0

    def features(self, indices: Int[Tensor, "members batch"]) -> Float[Tensor, "members batch features"]:
        """The features of samples, centered and scaled."""
        return (self.x[indices] - self.center) / self.spread

    def targets(self, indices: Int[Tensor, "members batch"]) -> Shaped[Tensor, "members batch"]:
        """The classes of samples, or their values, centered and scaled."""
        return self.y[indices] if self.metric == "accuracy" else (self.y[indices] - self.y_center) / self.y_spread

    def epoch(self, stage: int) -> Int[Tensor, "members n"]:
        """The training samples of a stage in a random order, which is the same for every model of a seed."""
        parts = self.stages[stage]
        n = min(len(part) for part in parts)
        orders = [
            part[torch.randperm(len(part), generator=generator)[:n].to(part.device)]
            for part, generator in zip(parts, self._generators, strict=True)
        ]
        return torch.stack(orders)
