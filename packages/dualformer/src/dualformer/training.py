"""Training on planning data, on one device or many."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from separata import files

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


def learning_rate(step: int, *, peak: float, warmup: int, steps: int) -> float:
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


@dataclass(frozen=True)
class Training:
    """Optimizer and schedule; the defaults are the paper's for mazes.

    Args:
        steps: Optimizer steps.
        batch_size: Sequences in a step, over all processes.
        lr: Largest learning rate.
        warmup: Steps of linear warm-up; if not given, 2000 or a twentieth of the steps, whichever is less.
        weight_decay: Weight decay of AdamW.
        max_tokens: Most tokens, padding included, in one pass of a process. A larger step is split into parts of
            similar lengths whose gradients are accumulated, which changes memory and speed, not the result.
        seed: Random seed of initialization, order of tasks and dropping.

    Raises:
        ValueError: if a number is out of range.
    """

    steps: int = 400_000
    batch_size: int = 64
    lr: float = 2.5e-4
    warmup: int | None = None
    weight_decay: float = 0.01
    max_tokens: int = 16_384
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "max_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name.replace('_', ' ')} must be at least 1, not {getattr(self, name)}")
        if not (self.lr > 0 and math.isfinite(self.lr)):
            raise ValueError(f"the learning rate must be positive, not {self.lr}")
        if not (self.weight_decay >= 0 and math.isfinite(self.weight_decay)):
            raise ValueError(f"the weight decay must not be negative, but it is {self.weight_decay}")
        if self.warmup is not None and self.warmup < 0:
            raise ValueError(f"the steps of warm-up must not be negative, but they are {self.warmup}")
        if self.seed < 0:
            raise ValueError(f"the seed must be at least 0, not {self.seed}")

    @property
    def warmup_steps(self) -> int:
        """Steps of warm-up, given or by default."""
        return min(2000, self.steps // 20) if self.warmup is None else self.warmup


class Trainer:
    """Trains an encoder-decoder on planning data, or on data of your own.

    Args:
        model: Called with (prompt, prompt_mask, target), gives logits (batch, length, vocab). Trained in place.
        data: `PlanningData`, or an `ExampleSource` of your own.
        training: Optimizer and schedule.
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
        training: Training,
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
        if training.batch_size % self.processes:
            raise ValueError(
                f"{self.processes} processes need a batch size that they divide, not {training.batch_size}"
            )
        self.model, self.data, self.training, self.fabric = model, data, training, fabric
        self.checkpoint, self.checkpoint_every = checkpoint, checkpoint_every
        self.log_every, self.validation = log_every, validation
        self.track, self.log = track, log
        self.optimizer = torch.optim.AdamW(
            model.parameters(), training.lr, betas=(0.9, 0.99), weight_decay=training.weight_decay, fused=True
        )
        self.done, self.sequences, self.tokens = 0, 0, 0
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
            KeyboardInterrupt: after the progress is saved.
        """
        self._forward.train()
        steps: Iterable[int] = range(self.done, self.training.steps)
        losses: list[Tensor] = []
        try:
            for step in self.track(steps, "steps") if self.track else steps:
                losses.append(self._step(step))
                self.done = step + 1
                if self.done % self.log_every == 0 or self.done == self.training.steps:
                    self._report(losses)
                    losses = []
                if self.done % self.checkpoint_every == 0 or self.done == self.training.steps:
                    self.save()
        except KeyboardInterrupt:
            self.save()
            raise

    def _step(self, step: int) -> Tensor:
        """One optimizer step; the batch's mean loss on this process, still on the device."""
        config = self.training
        examples = self.data.step(step, config.batch_size, config.seed)
        self.sequences += len(examples)
        self.tokens += sum(len(one.target) for one in examples)
        # Longest first, dealt out in turn: equal work for all processes.
        mine = sorted(examples, key=len, reverse=True)[self.rank :: self.processes]
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, peak=config.lr, warmup=config.warmup_steps, steps=config.steps)
        self._optimizer.zero_grad()
        total = torch.zeros((), device=self.device)
        groups = list(buckets(mine, config.max_tokens))
        for number, part in enumerate(groups, 1):
            loss = self._loss(part).sum() / len(mine)
            self._backward(loss, is_last=number == len(groups))
            total += loss.detach()
        self._optimizer.step()
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

    def _report(self, losses: list[Tensor]) -> None:
        loss = torch.stack(losses).mean()
        if self.fabric and self.processes > 1:
            loss = torch.as_tensor(self.fabric.all_reduce(loss, reduce_op="mean"))
        if not math.isfinite(loss.item()):
            raise FloatingPointError(
                f"training diverged: the loss is not finite before step {self.done}; lower the learning rate"
            )
        row = {
            "step": float(self.done),
            "sequences": float(self.sequences),
            "tokens": float(self.tokens),
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
        groups = buckets(self.validation or [], self.training.max_tokens)
        losses = torch.cat([self._loss(group) for group in groups])
        self._forward.train()
        return losses.mean().item()

    def save(self) -> None:
        """Write the progress to the checkpoint, if there is to be one."""
        if self.checkpoint is None or self.rank:
            return
        tensors = {f"model.{key}": value for key, value in self.model.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{name}"] = value
        metadata = {"done": self.done, "sequences": self.sequences, "tokens": self.tokens}
        files.save_tensors(self.checkpoint, tensors, {key: str(value) for key, value in metadata.items()})

    def _restore(self) -> None:
        if self.checkpoint is None or not self.checkpoint.is_file():
            return
        tensors, metadata = files.load_tensors(self.checkpoint)
        keys = ("exp_avg", "exp_avg_sq", "step")
        try:
            self.done, self.sequences, self.tokens = (int(metadata[key]) for key in ("done", "sequences", "tokens"))
            self.model.load_state_dict(
                {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
            )
            for name, parameter in self.model.named_parameters():
                state = {key: tensors[f"optimizer.{key}.{name}"] for key in keys}
                self.optimizer.state[parameter] = {
                    key: value.to(parameter.device) if key != "step" else value for key, value in state.items()
                }
        except (KeyError, ValueError, RuntimeError):
            raise ValueError(f"{self.checkpoint} is not the checkpoint of this training") from None
