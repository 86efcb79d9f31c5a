"""Training on planning data, on one device or many."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from separata.loop import Loop, Track

from .configs import TrainConfig
from .examples import Example, ExampleSource, buckets, collate

if TYPE_CHECKING:
    from lightning_fabric import Fabric

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
        self.validation = validation
        self.optimizer = torch.optim.AdamW(
            model.parameters(), config.lr, betas=(0.9, 0.99), weight_decay=config.weight_decay, fused=True
        )
        self.sequences, self.tokens, self._targets = 0, 0, (0, 0)
        self._forward: Any = model
        if fabric:
            self._forward, self._optimizer = fabric.setup(model, self.optimizer)
        else:
            self._optimizer = self.optimizer
        self.device = next(model.parameters()).device
        self.loop = Loop(
            self,
            config.steps,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            log_every=log_every,
            track=track,
            log=log,
            fabric=fabric,
        )

    @property
    def done(self) -> int:
        """Steps done."""
        return self.loop.done

    def fit(self) -> None:
        """Train to the last step.

        Raises:
            FloatingPointError: if the loss is not finite; the last checkpoint is kept.
            KeyboardInterrupt: after the progress is saved, unless an update of the weights was interrupted.
        """
        self._forward.train()
        self.loop.run()

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step's batch, for the loop."""
        config = self.config
        examples = self.data.step(step, config.batch_size, config.seed)
        for group in self.optimizer.param_groups:
            group["lr"] = cosine_schedule(step, peak=config.lr, warmup=config.warmup_steps, steps=config.steps)
        self._targets = len(examples), sum(len(one.target) for one in examples)
        return {"loss": self._gradients(examples)}

    def update(self) -> None:
        """Update the weights, for the loop."""
        self._optimizer.step()
        self.sequences += self._targets[0]
        self.tokens += self._targets[1]

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

    def row(self, losses: dict[str, float]) -> dict[str, float]:
        """A row of the history, for the loop."""
        lr = self.optimizer.param_groups[0]["lr"]
        row = {"sequences": self.sequences, "tokens": self.tokens, "lr": lr, **losses}
        return row if self.validation is None else {**row, "validation_loss": self.validation_loss()}

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
        self.loop.save()

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        counts = {"sequences": self.sequences, "tokens": self.tokens}
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), **counts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            KeyError, ValueError, RuntimeError: if it is of another training.
        """
        self.sequences, self.tokens = state["sequences"], state["tokens"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
