"""Learning curves of networks on partly wrong labels, for several seeds at once (sec. on deep networks, fig. 2)."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from separata import states
from separata.label_noise import noisy_labels
from separata.labeled import LabeledDataset
from separata.loop import step_generator

from .configs import NetworkConfig, TrainConfig
from .gradient_descent import log_steps
from .networks import make_networks

Track = Callable[[Iterable[int], str], Iterable[int]]

EVALUATED = 1024
"""Samples of a forward pass in evaluation."""
SHIFT = 4
"""Pixels by which images are shifted at most."""


class CurveTrainer:
    """Trains networks that differ in their seeds, and tests them at logarithmically spaced steps.

    Each has initial weights, noisy labels and batches of its own. Test labels are clean.

    Args:
        network: Kind and width.
        train: Training samples with clean labels.
        test: Test samples.
        config: How they are trained.
        checkpoint: File of the progress; the training goes on from it if it exists.
        track: Shows progress over steps.
        log: Called with each row: step; test_error and train_error, means over seeds, the latter against the noisy
            labels; test_error_<seed> of each.

    Attributes:
        done: Steps done.
        rows: The rows so far.

    Raises:
        ValueError: if the network does not fit the data, or the checkpoint is of another training.
    """

    def __init__(
        self,
        network: NetworkConfig,
        train: LabeledDataset,
        test: LabeledDataset,
        config: TrainConfig,
        *,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        self.config, self.train, self.test = config, train, test
        self.checkpoint, self.track, self.log = checkpoint, track, log
        self.seeds = range(config.seed, config.seed + config.n_seeds)
        if config.augment and train.x.ndim != 4:
            raise ValueError("only images can be shifted and mirrored; leave augment off")
        device = train.x.device
        self.model = make_networks(network, train.sample_shape, train.n_classes, self.seeds).to(device)
        self.labels = torch.stack(
            [
                noisy_labels(
                    train.y.cpu(),
                    config.label_noise,
                    train.n_classes,
                    torch.Generator().manual_seed(seed),
                    config.noise_mode,
                )[0]
                for seed in self.seeds
            ]
        ).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), config.lr, weight_decay=config.weight_decay)
        self.marks = set(log_steps(config.steps, config.n_points))
        self.done = 0
        self.rows: list[dict[str, float]] = []
        self._orders: dict[int, tuple[int, Tensor]] = {}
        self._restore()

    def fit(self) -> list[dict[str, float]]:
        """Train to the last step; the rows of the curve.

        Raises:
            FloatingPointError: if the loss is not finite at a point of the curve.
        """
        steps: Iterable[int] = range(self.done, self.config.steps)
        for step in self.track(steps, "steps") if self.track else steps:
            loss = self._step(step)
            self.done = step + 1
            if self.done in self.marks:
                if not bool(torch.isfinite(loss)):
                    raise FloatingPointError(
                        f"training diverged: the loss is not finite at step {self.done}; lower the learning rate"
                    )
                self._report()
        return self.rows

    def _step(self, step: int) -> Tensor:
        index = torch.stack([self._batch(seed, step) for seed in self.seeds]).to(self.train.x.device)
        x, y = self.train.x[index], self.labels.gather(1, index)
        if self.config.augment:
            x = augmented(x.flatten(0, 1), step_generator(self.config.seed + 1, step)).view_as(x)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.model(x)
        # The sum over networks, so that each has its own gradient.
        loss = cross_entropy(logits.flatten(0, 1), y.flatten()) * len(self.seeds)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def _batch(self, seed: int, step: int) -> Int[Tensor, " batch"]:
        """Samples of a step: epochs without replacement, each in an order of its own."""
        n, size = len(self.train), min(self.config.batch_size, len(self.train))
        per_epoch = n // size
        epoch, place = divmod(step, per_epoch)
        order = self._order(seed, epoch, n)
        return order[place * size : (place + 1) * size]

    def _order(self, seed: int, epoch: int, n: int) -> Int[Tensor, " n"]:
        if seed not in self._orders or self._orders[seed][0] != epoch:
            self._orders[seed] = epoch, torch.randperm(n, generator=step_generator(seed, epoch))
        return self._orders[seed][1]

    def _report(self) -> None:
        test = errors(self.model, self.test.x, self.test.y.expand(len(self.seeds), -1))
        train = errors(self.model, self.train.x, self.labels)
        row = {"step": self.done, "test_error": float(test.mean()), "train_error": float(train.mean())}
        row |= {f"test_error_{seed}": float(one) for seed, one in zip(self.seeds, test, strict=True)}
        self.rows.append(row)
        if self.log:
            self.log(row)
        if self.checkpoint is not None:
            states.save(self.checkpoint, self.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "done": self.done}

    def _restore(self) -> None:
        if self.checkpoint is None or not self.checkpoint.is_file():
            return
        state: Mapping[str, Any] = states.load(self.checkpoint)
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.done = int(state["done"])
        except (KeyError, ValueError, RuntimeError, TypeError):
            raise ValueError(f"{self.checkpoint} is not the checkpoint of this training") from None


def errors(
    model: torch.nn.Module, x: Float[Tensor, "n *sample"], y: Int[Tensor, "members n"]
) -> Float[Tensor, " members"]:
    """Share of the samples that each member classifies wrongly."""
    model.eval()
    wrong = torch.zeros(len(y), device=x.device)
    with torch.no_grad():
        for some, labels in zip(x.split(EVALUATED), y.split(EVALUATED, 1), strict=True):
            wrong += (model(some, is_shared=True).argmax(-1) != labels).sum(1)
    return wrong / len(x)


def augmented(
    x: Float[Tensor, "n channels height width"], generator: torch.Generator
) -> Float[Tensor, "n channels height width"]:
    """Images shifted by up to 4 pixels, with zeros at the edges, and half of them mirrored."""
    n, _, height, width = x.shape
    down, right = torch.randint(2 * SHIFT + 1, (2, n, 1), generator=generator).to(x.device)
    mirror = (torch.rand(n, generator=generator) < 0.5).to(x.device)
    rows = down + torch.arange(height, device=x.device)
    columns = torch.arange(width, device=x.device).expand(n, -1)
    columns = right + torch.where(mirror[:, None], columns.flip(1), columns)
    padded = pad(x, (SHIFT,) * 4)
    samples = torch.arange(n, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[samples, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)
