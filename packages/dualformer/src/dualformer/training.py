"""Training on planning data, on one device or many."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from separata import states

from .configs import TrainConfig
from .examples import Example, ExampleSource, buckets, collate

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Track = Callable[[Iterable[int], str], Iterable[int]]

FLOOR = 0.1
"""Share of the learning rate that the schedule ends with."""


def sequence_nll(
    logits: Float[Tensor, "batch length vocab"],
    target: Int[Tensor, "batch length"],
    target_mask: Bool[Tensor, "batch length"],
) -> Float[Tensor, "batch"]:
    """Negative log-likelihood of each sequence in nats, the mean over its tokens after bos.

    The training loss is its mean over sequences, so that a short sequence weighs as much as a long one.

    Args:
        logits: Logits of the token after each of the target's.
        target: From bos to eos, padded.
        target_mask: True where a target has a token.
    """
    mask = target_mask[:, 1:]
    nll = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), target[:, 1:].flatten(), reduction="none")
    return (nll.view(mask.shape) * mask).sum(1) / mask.sum(1)


def cosine_schedule(step: int, *, peak: float, warmup: int, steps: int) -> float:
    """Linear warm-up to the peak, then half a cosine to a tenth of it at the last step.

    Args:
        step: Steps done.
        peak: Largest rate.
        warmup: Steps until the peak.
        steps: Steps in all.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return peak * (FLOOR + 0.5 * (1 - FLOOR) * (1 + math.cos(math.pi * progress)))


class Trainer:
    """Trains an encoder-decoder on planning data, or on data of your own.

    Args:
        model: Called with (prompt, prompt_mask, target), gives logits (batch, length, vocab). Trained in place.
        data: `PlanningData`, or an `ExampleSource` of your own.
        config: Optimizer and schedule.
        fabric: Lightning Fabric, launched, for other precisions or several devices. Each process takes its share of
            every batch.
        checkpoint: File of the progress; training resumes from it if it exists.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between rows of the history.
        validation: Examples whose loss is logged too.
        track: Shows progress over steps.
        log: Called with each row of the history.

    Raises:
        ValueError: if the batch cannot be shared out evenly among the processes, or the checkpoint is of another model.
    """

    def __init__(
        self,
        model: nn.Module,
        data: ExampleSource,
        config: TrainConfig,
        *,
        fabric: "Fabric | None" = None,
        checkpoint: Path | None = None,
        checkpoint_every: int = 500,
        log_every: int = 50,
        validation: list[Example] | None = None,
        track: Track | None = None,
        log: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        self.processes, self.rank = (fabric.world_size, fabric.global_rank) if fabric else (1, 0)
        if config.batch_size % self.processes:
            raise ValueError(f"{self.processes} processes need a batch size that they divide, not {config.batch_size}")
        self.model, self.data, self.config, self.fabric = model, data, config, fabric
        self.checkpoint, self.checkpoint_every = checkpoint, checkpoint_every
        self.log_every, self.validation = log_every, validation
        self.track, self.log = track, log
        self.optimizer = torch.optim.AdamW(
            model.parameters(), config.lr, betas=(0.9, 0.99), weight_decay=config.weight_decay, fused=True
        )
        self.done, self.sequences, self.tokens = 0, 0, 0
        self._losses: list[Tensor] = []
        self._is_between_steps = True
        self._forward: Any = model
        if fabric:
            self._forward, self._optimizer = fabric.setup(model, self.optimizer)
        else:
            self._optimizer = self.optimizer
        self.device = next(model.parameters()).device
        self._restore()

    def fit(self) -> None:
        """Train to the last step.

        Raises:
            FloatingPointError: if the loss is not finite; the last checkpoint is kept.
            KeyboardInterrupt: after the progress is saved, unless an update of the weights was interrupted.
        """
        self._forward.train()
        steps: Iterable[int] = range(self.done, self.config.steps)
        try:
            for step in self.track(steps, "steps") if self.track else steps:
                self._step(step)
                if self._is_due(self.checkpoint_every):
                    self.save()
        except KeyboardInterrupt:
            # In the middle of an update, weights, counts and history belong to different steps.
            if self._is_between_steps:
                self.save()
            raise

    def _is_due(self, every: int) -> bool:
        return self.done % every == 0 or self.done == self.config.steps

    def _step(self, step: int) -> None:
        """One optimizer step, and the row of the history that it completes."""
        config = self.config
        examples = self.data.step(step, config.batch_size, config.seed)
        for group in self.optimizer.param_groups:
            group["lr"] = cosine_schedule(step, peak=config.lr, warmup=config.warmup_steps, steps=config.steps)
        loss = self._gradients(examples)
        self._is_between_steps = False
        self._optimizer.step()
        self.done = step + 1
        self.sequences += len(examples)
        self.tokens += sum(len(one.target) for one in examples)
        self._losses.append(loss)
        if self._is_due(self.log_every):
            self._report()
        self._is_between_steps = True

    def _gradients(self, examples: list[Example]) -> Tensor:
        """Leave the gradients of the batch; its mean loss on this process, still on the device."""
        # Longest first, dealt out in turn: equal work for all processes.
        mine = sorted(examples, key=len, reverse=True)[self.rank :: self.processes]
        self._optimizer.zero_grad()
        total = torch.zeros((), device=self.device)
        groups = list(buckets(mine, self.config.max_tokens))
        for number, part in enumerate(groups, 1):
            loss = self._loss(part).sum() / len(mine)
            self._backward(loss, is_last=number == len(groups))
            total += loss.detach()
        return total

    def _loss(self, examples: list[Example]) -> Float[Tensor, "batch"]:
        batch = collate(examples).to(self.device)
        return sequence_nll(
            self._forward(batch.prompt, batch.prompt_mask, batch.target), batch.target, batch.target_mask
        )

    def _backward(self, loss: Tensor, *, is_last: bool) -> None:
        """Add up gradients; processes exchange them once a step."""
        if self.fabric is None:
            loss.backward()
            return
        with self.fabric.no_backward_sync(self._forward, enabled=not is_last and self.processes > 1):
            self.fabric.backward(loss)

    def _report(self) -> None:
        loss = torch.stack(self._losses).mean()
        self._losses = []
        if self.fabric and self.processes > 1:
            loss = torch.as_tensor(self.fabric.all_reduce(loss, reduce_op="mean"))
        if not math.isfinite(loss.item()):
            raise FloatingPointError(
                f"training diverged: the loss is not finite before step {self.done}; lower the learning rate"
            )
        row: dict[str, float] = {
            "step": self.done,
            "sequences": self.sequences,
            "tokens": self.tokens,
            "lr": self.optimizer.param_groups[0]["lr"],
            "loss": loss.item(),
        }
        if self.validation is not None:
            row["validation_loss"] = self.validation_loss()
        if self.log and self.rank == 0:
            self.log(row)

    @torch.no_grad()
    def validation_loss(self) -> float:
        """Mean loss on the validation examples."""
        self._forward.eval()
        groups = buckets(self.validation or [], self.config.max_tokens)
        losses = torch.cat([self._loss(group) for group in groups])
        self._forward.train()
        return losses.mean().item()

    def save(self) -> None:
        """Write the progress to the checkpoint, if there is to be one."""
        if self.checkpoint is None or self.rank:
            return
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "losses": self._losses,
            "done": self.done,
            "sequences": self.sequences,
            "tokens": self.tokens,
        }
        states.save(self.checkpoint, state)

    def _restore(self) -> None:
        if self.checkpoint is None or not self.checkpoint.is_file():
            return
        state = states.load(self.checkpoint)
        try:
            self.done, self.sequences, self.tokens = state["done"], state["sequences"], state["tokens"]
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self._losses = [loss.to(self.device) for loss in state["losses"]]
        except (KeyError, ValueError, RuntimeError):
            raise ValueError(f"{self.checkpoint} is not the checkpoint of this training") from None
