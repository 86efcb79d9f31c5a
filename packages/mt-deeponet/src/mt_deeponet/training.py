"""Training on pooled tasks: every batch mixes them, and learning rates follow optimizer steps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from separata.loop import Loop, Track, step_generator
from separata.training import seeded

from .configs import TrainConfig
from .data import MultiTaskData
from .evaluation import evaluate
from .lion import Lion
from .losses import masked_mse, masked_relative_l2
from .surrogate import Surrogate

Row = dict[str, float]
LION_DECAY, LION_EVERY = 0.9, 100
"""Of Lion's learning rate."""


class Trainer:
    """Trains a surrogate on samples of one task or several, in place.

    Each step draws samples from all tasks together, and points from the grid if asked. With Adam, and with Lion for the
    last steps if asked. What does not require a gradient stays as it is, the statistics of batch normalization in it
    too. The same seed gives the same training, also where it was interrupted and continued.

    Args:
        model: Its normalizers are fitted already.
        data: What it is trained on.
        config: Optimizer and schedule.
        test: Data whose error is logged, too; it changes nothing else.
        checkpoint: File of the progress; training goes on from it if it exists.
        track: Shows progress over steps.
        log: Takes a row of the history.

    Raises:
        ValueError: if nothing is to be trained, or the checkpoint is that of another training.
    """

    def __init__(
        self,
        model: Surrogate,
        data: MultiTaskData,
        config: TrainConfig = TrainConfig(),  # noqa: B008 - immutable
        *,
        test: MultiTaskData | None = None,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[Row], None] | None = None,
    ) -> None:
        weight = next(model.network.parameters())
        self.model, self.config = model, config
        data = data.to(weight.device, weight.dtype)
        self.test = test
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not trained:
            raise ValueError("nothing is to be trained: no parameter requires a gradient")
        self.inputs = model.branch_input(data.functions, data.mask, data.codes)
        is_used = data.domain.any(0) if config.mask_in_loss else torch.ones_like(data.domain[0])
        self.points = model.scaled_points(data.points)[is_used]
        self.targets = model.values.encode(data.values)[:, is_used]
        self.mask = data.domain[:, is_used] if config.mask_in_loss and data.mask is not None else None
        branch = model.network.branch.named_parameters()
        self.kernels = [p for name, p in branch if name.endswith("weight") and p.ndim > 1 and p.requires_grad]
        self.adam = torch.optim.Adam(trained, config.lr, betas=(0.9, config.beta2), fused=True)
        self.lion = Lion(trained, config.lion_lr)
        self._is_lion = False
        self.loop = Loop(
            self,
            config.steps,
            checkpoint=checkpoint,
            checkpoint_every=config.check_every,
            log_every=config.check_every,
            track=track,
            log=log,
        )

    @property
    def done(self) -> int:
        """Steps done."""
        return self.loop.done

    def fit(self) -> None:
        """Train to the last step.

        Raises:
            FloatingPointError: if the loss is not finite; the last checkpoint is kept.
        """
        self._train()
        self.loop.run()
        self.model.eval()

    def _train(self) -> None:
        self.model.train()
        for module in self.model.modules():
            own = list(module.parameters(recurse=False))
            if isinstance(module, nn.BatchNorm1d) and not any(parameter.requires_grad for parameter in own):
                module.eval()

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step's batch, for the loop."""
        config = self.config
        self._schedule(step)
        generator = step_generator(config.seed % 2**40, step)
        rows = self._some(len(self.inputs), config.batch_size, generator)
        at = self._some(len(self.points), config.n_points, generator)
        mask = None if self.mask is None else self.mask[rows][:, at]
        # Dropout draws from PyTorch's own generator.
        with seeded(config.seed % 2**40 * 1_000_003 + step):
            pred = self.model.network(self.inputs[rows], self.points[at])
        try:
            loss = self._loss(pred, self.targets[rows][:, at], mask)
        except ValueError as error:
            if config.n_points is None:
                raise
            raise ValueError(
                f"the {config.n_points} points of a step left a sample without a solution: draw more ({error})"
            ) from None
        total = loss
        if config.l2:
            total = loss + config.l2 * torch.stack([kernel.square().sum() for kernel in self.kernels]).sum()
        (self.lion if self._is_lion else self.adam).zero_grad()
        total.backward()
        return {"loss": loss}

    def _loss(self, pred: Tensor, true: Tensor, mask: Tensor | None) -> Tensor:
        if self.config.loss == "mse":
            return masked_mse(pred, true, mask)
        decode = self.model.values.decode
        return masked_relative_l2(decode(pred), decode(true), mask).mean()

    def _some(self, n: int, size: int | None, generator: torch.Generator) -> Tensor | slice:
        """Numbers of some of n, drawn without replacement; all if there are no more."""
        if size is None or size >= n:
            return slice(None)
        return torch.randperm(n, generator=generator)[:size].to(self.inputs.device)

    def _schedule(self, step: int) -> None:
        first = self.config.steps - self.config.lion_steps
        self._is_lion = step >= first
        lr = self.config.lr_at(step)
        if self._is_lion:
            lr = self.config.lion_lr * LION_DECAY ** ((step - first) // LION_EVERY)
        for group in (self.lion if self._is_lion else self.adam).param_groups:
            group["lr"] = lr

    def update(self) -> None:
        """Update the weights, for the loop."""
        (self.lion if self._is_lion else self.adam).step()

    def row(self, losses: dict[str, float]) -> Row:
        """A row of the history, for the loop."""
        row = {**losses, "lr": (self.lion if self._is_lion else self.adam).param_groups[0]["lr"]}
        if self.test is not None:
            report = evaluate(self.model, self.test)
            row["test_error"] = report.relative_l2
            row |= {f"test_{name}": error for name, error in report.tasks.items()} if len(report.tasks) > 1 else {}
            self._train()
        return row

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        return {
            "model": self.model.state_dict(),
            "adam": self.adam.state_dict(),
            "lion": self.lion.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: if it is of another training.
        """
        self.model.load_state_dict(state["model"])
        self.adam.load_state_dict(state["adam"])
        self.lion.load_state_dict(state["lion"])
