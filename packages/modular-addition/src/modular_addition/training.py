"""Full-batch training of one network, or of many that differ in seeds, labels or splits, as one."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from separata.loop import Loop, Track

from .configs import TrainConfig
from .fourier import participation_ratio, spectrum
from .gradients import Batch, all_logits, loss_and_gradients
from .groups import PairData
from .network import ModularAdditionNet

BETAS = (0.9, 0.98)
METRICS = (
    "train_loss",
    "train_accuracy",
    "test_loss",
    "test_accuracy",
    "symmetric_accuracy",
    "single_accuracy",
    "ipr",
    "norm",
)
"""What is evaluated: losses and accuracies over training and test pairs; the accuracy over training pairs whose other
order is trained on, too (symmetric), and over the others (single); the inverse participation ratio, a mean over neurons
and layers; and the norm of all weights."""
Row = dict[str, float]


class Trainer:
    """Trains networks in place, by full-batch AdamW or SGD.

    Several networks of the same shape are trained as one, and each as if it were alone.

    Args:
        nets: The networks.
        data: The pairs of each, or of all.
        config: Optimizer and schedule.
        checkpoint: File of the progress; training goes on from it if it exists.
        track: Shows progress over steps.
        log: Takes a row every `log_every` steps: "step" (steps done), "loss", and the means of `METRICS` over the
            networks. Metrics of no pair are not a number.
        watch: Called with the trainer every `log_every` steps, and before the first.

    Attributes:
        steps: Steps at which the networks were evaluated, 0 among them.
        records: `METRICS` of each network at these steps.
        member_losses: Loss of each network at the last step, before its update.
        is_stopped: Networks that do not move any more.

    Raises:
        ValueError: if the networks differ in shape, the data does not fit, or the checkpoint is of another training.
    """

    def __init__(
        self,
        nets: ModularAdditionNet | Sequence[ModularAdditionNet],
        data: PairData | Sequence[PairData],
        config: TrainConfig = TrainConfig(),  # noqa: B008 - immutable
        *,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[Row], None] | None = None,
        watch: Callable[["Trainer"], None] | None = None,
    ) -> None:
        self.nets = [nets] if isinstance(nets, ModularAdditionNet) else list(nets)
        pairs = [data] * len(self.nets) if isinstance(data, PairData) else list(data)
        _check_alike(self.nets, pairs)
        self.config, self.watch = config, watch
        self.activation = self.nets[0].activation
        self.w_in, self.w_out = self._stacked("w_in"), self._stacked("w_out")
        self.w_embed = None if self.nets[0].w_embed is None else self._stacked("w_embed")
        self.batch = Batch.stack(pairs, self.w_in.device)
        self._share = self.batch.share
        self.member_losses = torch.full((len(self.nets),), torch.nan, dtype=torch.double)
        self.is_stopped = torch.zeros(len(self.nets), dtype=torch.bool, device=self.w_in.device)
        self._optimizer = self._make_optimizer()
        self.steps: list[int] = []
        self._records: list[Tensor] = []
        self.loop = Loop(
            self,
            config.steps,
            checkpoint=checkpoint,
            checkpoint_every=max(500, config.log_every),
            log_every=config.log_every,
            track=track,
            log=log,
        )

    def _stacked(self, name: str) -> Tensor:
        return torch.stack([getattr(net, name).detach() for net in self.nets]).requires_grad_()

    @property
    def _weights(self) -> list[Tensor]:
        return [self.w_in, self.w_out, *([] if self.w_embed is None else [self.w_embed])]

    def _make_optimizer(self) -> torch.optim.Optimizer:
        lr, decay = self.config.lr, self.config.weight_decay
        if self.config.optimizer == "adamw":
            return torch.optim.AdamW(self._weights, lr, BETAS, weight_decay=decay, fused=True)
        return torch.optim.SGD(self._weights, lr)

    @property
    def theta(self) -> Float[Tensor, "members width p"]:
        """Each neuron's weight of each number."""
        return self.w_in if self.w_embed is None else self.w_in @ self.w_embed

    @property
    def done(self) -> int:
        """Steps done."""
        return self.loop.done

    @property
    def records(self) -> dict[str, Float[Tensor, "evaluations members"]]:
        """`METRICS` of each network at `steps`."""
        whole = torch.stack(self._records) if self._records else torch.empty(0, len(self.nets), len(METRICS))
        return dict(zip(METRICS, whole.unbind(-1), strict=True))

    def fit(self) -> None:
        """Train to the last step, and leave the weights in the networks.

        Raises:
            FloatingPointError: if a loss is not finite, with the step and what to do.
        """
        if not self.steps:
            self._record(0)
        self.loop.run()
        self.write_back()

    def write_back(self) -> None:
        """Give the networks the weights as they are now."""
        with torch.no_grad():
            for number, net in enumerate(self.nets):
                for name in ("w_in", "w_out", "w_embed"):
                    if (target := getattr(net, name)) is not None:
                        target.copy_(getattr(self, name)[number])

    def losses(self) -> Float[Tensor, "members"]:
        """Leave the gradients, and give the loss of each network."""
        theta = self.theta
        loss, of_theta, of_out = loss_and_gradients(
            theta.detach(),
            self.w_out.detach(),
            self.batch,
            self.activation,
            share=self._share,
            precise=self.config.precise,
        )
        if self.w_embed is None:
            self.w_in.grad = of_theta.contiguous()
        else:
            self.w_in.grad = self.w_embed.grad = None
            theta.backward(of_theta)
        self.w_out.grad = of_out
        return loss

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step, for the loop."""
        warm = min(step / self.config.warmup, 1) if self.config.warmup else 1
        self._optimizer.param_groups[0]["lr"] = self.config.lr * warm
        self.member_losses = self.losses()
        return {"loss": self.member_losses.mean()}

    def update(self) -> None:
        """Update the weights, for the loop; those of networks that are stopped stay as they are."""
        kept = [(one, one.detach()[self.is_stopped]) for one in self._weights] if self.is_stopped.any() else []
        if self.config.optimizer == "sgd" and self.config.weight_decay:
            with torch.no_grad():
                for one in self._weights:
                    one.mul_(1 - self._optimizer.param_groups[0]["lr"] * self.config.weight_decay)
        self._optimizer.step()
        with torch.no_grad():
            for one, value in kept:
                one[self.is_stopped] = value

    def row(self, losses: dict[str, float]) -> Row:
        """A row of the history, for the loop."""
        self._record(self.loop.done)
        means = {name: float(value) for name, value in zip(METRICS, self._records[-1].mean(0), strict=True)}
        return losses | means

    def _record(self, step: int) -> None:
        self.steps.append(step)
        self._records.append(self.evaluate().cpu())
        if self.watch:
            self.watch(self)

    @torch.no_grad()
    def evaluate(self) -> Float[Tensor, "members metrics"]:
        """`METRICS` of each network, as it is now."""
        theta, batch = self.theta, self.batch
        logits = all_logits(theta, self.w_out, batch, self.activation)
        logs = torch.log_softmax(logits.double(), -1).gather(-1, batch.labels)
        is_right = (logits.argmax(-1, keepdim=True) == batch.labels).double()
        is_symmetric = (batch.train.sum(-1, keepdim=True) == 2).double()

        def mean(values: Tensor, weights: Tensor) -> Tensor:
            return (values * weights).sum((1, 2)) / weights.double().sum((1, 2))

        ipr = [participation_ratio(spectrum(one).magnitude).nanmean(-1) for one in (theta, self.w_out.mT)]
        return torch.stack(
            [
                mean(-logs, batch.train),
                mean(is_right, batch.train),
                mean(-logs, batch.test),
                mean(is_right, batch.test),
                mean(is_right, batch.train * is_symmetric),
                mean(is_right, batch.train * (1 - is_symmetric)),
                (ipr[0] + ipr[1]) / 2,
                torch.stack([one.double().square().sum((1, 2)) for one in self._weights]).sum(0).sqrt(),
            ],
            dim=1,
        )

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        return {
            "weights": [one.detach() for one in self._weights],
            "optimizer": self._optimizer.state_dict(),
            "steps": self.steps,
            "records": self._records,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: if it is of another training.
        """
        with torch.no_grad():
            for one, value in zip(self._weights, state["weights"], strict=True):
                one.copy_(value)
        self._optimizer.load_state_dict(state["optimizer"])
        self.steps, self._records = list(state["steps"]), list(state["records"])


def _check_alike(nets: Sequence[ModularAdditionNet], pairs: Sequence[PairData]) -> None:
    if not nets:
        raise ValueError("there is no network to train")
    if len({(net.w_in.shape, net.p, net.activation) for net in nets}) > 1:
        raise ValueError("networks that train together must have the same p, width, activation and embedding")
    if len(pairs) != len(nets) or any(one.p != nets[0].p for one in pairs):
        raise ValueError(f"the data must be of {len(nets)} networks with p = {nets[0].p}")


def train(
    nets: ModularAdditionNet | Sequence[ModularAdditionNet],
    data: PairData | Sequence[PairData],
    config: TrainConfig = TrainConfig(),  # noqa: B008 - immutable
    *,
    watch: Callable[[Trainer], None] | None = None,
    track: Track | None = None,
) -> Trainer:
    """Train networks in place.

    Returns:
        The trainer, with what was evaluated on the way.

    Raises:
        ValueError: if networks and data do not fit.
        FloatingPointError: if a loss is not finite, with the step and what to do.
    """
    trainer = Trainer(nets, data, config, watch=watch, track=track)
    trainer.fit()
    return trainer
