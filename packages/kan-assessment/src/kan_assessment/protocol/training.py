"""The one training that all models get: Adam at a constant rate, evaluated now and then, nothing else."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from kan_assessment.configs import TrainConfig

from .members import MemberData, Members

EVALUATION_BATCH = 512


@dataclass
class Fit:
    """How the trainings of several seeds went; each list has one number a seed.

    Attributes:
        validation: Best value of the metric on validation samples.
        test: Value on test samples at that epoch.
        best_test: Best value on test samples, as the published protocol reports: optimistic.
        epoch: Epoch of the best validation value.
        final_test: Value on test samples in the end.
        steps: Training steps of each network.
    """

    validation: list[float]
    test: list[float]
    best_test: list[float]
    epoch: list[int]
    final_test: list[float]
    steps: int


def train_members(
    members: Members,
    data: MemberData,
    config: TrainConfig,
    epochs: int,
    make_optimizer: Callable[[], torch.optim.Optimizer],
    follow: Sequence[Callable[[float], bool]] = (),
) -> Fit:
    """Train the networks of several seeds.

    Args:
        members: The networks.
        data: Their samples.
        config: Batch size, and how often the networks are evaluated.
        epochs: Passes over each stage of the training samples.
        make_optimizer: Makes an optimizer of the networks' parameters.
        follow: What is told after each step how far the training is, from 0 to 1; one that answers that parameters are
            others now makes the optimizer begin anew, and the search for the best epoch, too.
    """
    is_lower_better = data.metric != "accuracy"
    best = _Best(len(data.center), is_lower_better=is_lower_better)
    optimizer = make_optimizer()
    total = epochs * len(data.stages)
    every = max(1, total // config.checks)
    steps = 0
    for stage in range(len(data.stages)):
        for epoch in range(1 + stage * epochs, 1 + (stage + 1) * epochs):
            batches = data.epoch(stage).split(config.batch_size, dim=1)
            for number, batch in enumerate(batches, 1):
                _step(members, data, batch, optimizer)
                steps += 1
                changed = [tell((epoch - 1 + number / len(batches)) / total) for tell in follow]
                if any(changed):
                    optimizer = make_optimizer()
                    # What was seen before was another network, such as one that had not been pruned to its budget.
                    best = _Best(len(data.center), is_lower_better=is_lower_better)
            if epoch % every == 0 or epoch == total:
                best.see(epoch, score(members, data, data.validation), score(members, data, data.test))
    # Of classes that arrive one after another, only the end counts: before it, most were never seen.
    return best.fit(steps, only_last=len(data.stages) > 1)


def _step(
    members: Members, data: MemberData, batch: Int[Tensor, "members batch"], optimizer: torch.optim.Optimizer
) -> None:
    optimizer.zero_grad(set_to_none=True)
    y = members(data.features(batch))
    targets = data.targets(batch)
    if data.metric == "accuracy":
        loss = cross_entropy(y.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)
    else:
        loss = (y[..., 0] - targets).square()
    # A sum over networks: each has the gradient of its own mean, whatever happens to the others.
    loss.mean(1).sum().backward()
    optimizer.step()


@torch.no_grad()
def score(
    members: Members, data: MemberData, part: tuple[Int[Tensor, "members n"], Float[Tensor, "members n"]]
) -> Float[Tensor, "members"]:
    """The metric of each network on a part of its samples, in the units of the task; not a number where it diverged."""
    indices, mask = part
    members.set_training(False)
    found = [members(data.features(some)) for some in indices.split(EVALUATION_BATCH, dim=1)]
    members.set_training(True)
    y = torch.cat(found, dim=1)
    if data.metric == "accuracy":
        right = (y.argmax(-1) == data.y[indices]).float()
        value = 100 * (right * mask).sum(1) / mask.sum(1)
        return torch.where(y.isfinite().all(-1).all(-1), value, math.nan)
    error = (y[..., 0] * data.y_spread + data.y_center - data.y[indices]).abs()
    if data.metric == "median error":
        return torch.nanquantile(torch.where(mask > 0, error, math.nan), 0.5, dim=1)
    power = 2 if data.metric == "rmse" else 1
    return ((error**power * mask).sum(1) / mask.sum(1)) ** (1 / power)


class _Best:
    """Keeps the best of what it is shown, for each network."""

    def __init__(self, n: int, *, is_lower_better: bool) -> None:
        self.sign = -1.0 if is_lower_better else 1.0
        self.validation, self.test, self.best_test = ([-math.inf] * n for _ in range(3))
        self.last, self.last_validation = [math.nan] * n, [math.nan] * n
        self.epoch, self.last_epoch = [0] * n, 0

    def see(self, epoch: int, validation: Tensor, test: Tensor) -> None:
        self.last_epoch = epoch
        for i, (v, t) in enumerate(zip(validation.tolist(), test.tolist(), strict=True)):
            self.last[i], self.last_validation[i] = t, v
            if self.sign * v > self.validation[i]:
                self.validation[i], self.test[i], self.epoch[i] = self.sign * v, t, epoch
            self.best_test[i] = max(self.best_test[i], self.sign * t)

    def fit(self, steps: int, *, only_last: bool) -> Fit:
        def number(value: float) -> float:
            return self.sign * value if math.isfinite(value) else math.nan

        if only_last:
            epochs = [self.last_epoch] * len(self.last)
            return Fit(self.last_validation, self.last, self.last, epochs, self.last, steps)
        tests = [t if e else math.nan for t, e in zip(self.test, self.epoch, strict=True)]
        best = list(map(number, self.best_test))
        return Fit(list(map(number, self.validation)), tests, best, self.epoch, self.last, steps)
