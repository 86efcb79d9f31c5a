"""The unbiased estimator of stochastic binary neurons, REINFORCE with a baseline for each unit (theorem 1)."""

import math
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .neuron import StochasticNeuron

Baseline = Literal["optimal", "mean", "learned", "none"]
BASELINES: tuple[Baseline, ...] = ("optimal", "mean", "learned", "none")


class _Draw(NamedTuple):
    """What a neuron has drawn, until the loss is known."""

    a: Tensor
    p: Tensor
    h: Tensor


class UnbiasedBernoulli(StochasticNeuron):
    """A binary neuron h ~ Bernoulli(sigm(a)) that learns from the loss alone: no gradient passes through h.

    Its gradient is (h − p)(L − b) for a loss L of each example and a baseline b, which is unbiased for any b that does
    not depend on the unit's own h. It is left by `stochastic_backward`, or by the `score_function_loss` that is added
    to the loss. The variance grows with the number of units and with |L|; use `StraightThroughBernoulli` where a bias
    does less harm than that. Keeps a record from the forward pass to the loss, where `torch.compile` breaks the graph.

    Args:
        shape: Shape of the units, without the batch; for a layer of vectors their number.
        baseline: `"optimal"`, E[(h − p)² L] / E[(h − p)²] of each unit, which has the least variance; `"mean"`, E[L];
            `"learned"`, a linear function of the pre-activations that is trained to predict L; or `"none"`.
        decay: Of the moving averages over batches that estimate the expectations. They are updated after they are used.
        uses: How often the neuron is called before there is a loss; more than once in recurrent networks.
        settings: `inference` and `generator`, as of every stochastic neuron.

    Raises:
        ValueError: if there is no such baseline, the decay is not within [0, 1), or the shape is empty.
    """

    numerator: Tensor
    denominator: Tensor
    mean_loss: Tensor
    n_updates: Tensor

    def __init__(
        self,
        shape: int | Sequence[int],
        *,
        baseline: Baseline = "optimal",
        decay: float = 0.9,
        uses: int = 1,
        **settings: Any,  # noqa: ANN401 - passed on
    ) -> None:
        super().__init__(**settings)
        if baseline not in BASELINES:
            raise ValueError(f"the baseline must be {', '.join(BASELINES)}, not {baseline!r}")
        if not 0 <= decay < 1:
            raise ValueError(f"the decay must be at least 0 and below 1, not {decay}")
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        if not self.shape or min(self.shape) < 1 or uses < 1:
            raise ValueError(f"the units and their uses must be at least one, not of shape {self.shape} and {uses}")
        self.baseline, self.decay, self.uses = baseline, decay, uses
        self.register_buffer("numerator", torch.zeros(self.shape))
        self.register_buffer("denominator", torch.zeros(self.shape))
        self.register_buffer("mean_loss", torch.zeros(()))
        self.register_buffer("n_updates", torch.zeros((), dtype=torch.long))
        self.predictor: nn.Linear | None = None
        if baseline == "learned":
            self.predictor = nn.Linear(math.prod(self.shape), 1)
            # As the averages, it begins at 0: a random part that the inputs do not reach would stay as noise.
            nn.init.zeros_(self.predictor.weight)
            nn.init.zeros_(self.predictor.bias)
        self._draws: list[_Draw] = []
        self._has_warned = False

    def sample(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """0 or 1, without a gradient; kept until the loss is known where one is wanted."""
        if a.shape[1:] != self.shape:
            raise ValueError(f"these neurons have the shape {self.shape}, but got inputs of shape {tuple(a.shape)}")
        p = a.detach().sigmoid()
        # NaN is not below anything: without the second term it would turn the unit off silently.
        h = (self.uniform(p) < p).to(a.dtype) + 0 * p
        if self.training and torch.is_grad_enabled():
            self._keep(_Draw(a, p, h))
        return h

    def _keep(self, draw: _Draw) -> None:
        if len(self._draws) >= self.uses:
            is_lost = any(draw.a.requires_grad for draw in self._draws)
            self._draws.clear()
            if is_lost and not self._has_warned:
                self._has_warned = True
                warnings.warn(
                    "an UnbiasedBernoulli was called again before its loss was known, so that what is before it learns "
                    "nothing: call stochastic_backward(losses, model), or add score_function_loss(losses, model)",
                    stacklevel=5,
                )
        self._draws.append(draw)

    def surrogate(self, losses: Float[Tensor, "batch"]) -> Float[Tensor, ""]:
        """A number whose gradient is the estimate (h − p)(L − b), averaged over the batch; forgets what was drawn.

        With a learned baseline, its squared error over 1 + |a|² is added, whose gradient reaches the baseline alone.

        Raises:
            ValueError: if nothing was drawn, or for another number of examples.
        """
        if not self._draws:
            raise ValueError("these neurons have drawn nothing yet: run the network in training mode first")
        draws, self._draws = self._draws, []
        losses = losses.detach()
        total = losses.new_zeros(())
        for a, p, h in draws:
            if len(a) != len(losses):
                raise ValueError(f"there are losses of {len(losses)} examples, but neurons drew for {len(a)}")
            loss = losses.to(a.dtype).view(-1, *[1] * len(self.shape))
            predicted = self._baseline(a, loss)
            total = total + ((h - p) * (loss - predicted.detach()) * a).flatten(1).sum(1).mean()
            if self.predictor is not None:
                # Normalized least mean squares: the curvature grows with |a|², and SGD would diverge for wide layers.
                size = 1 + a.detach().flatten(1).square().sum(1).view_as(loss)
                total = total + ((predicted - loss).square() / size).mean()
        # All uses share one loss, so no baseline may be updated before the last of them has been used.
        for a, p, h in draws:
            self._update(h, p, losses.to(a.dtype).view(-1, *[1] * len(self.shape)))
        return total

    def _baseline(self, a: Tensor, loss: Tensor) -> Tensor:
        """b, of the shape (1 or batch, *units or ones), from losses of before."""
        if self.predictor is not None:
            return self.predictor(a.detach().flatten(1).to(self.predictor.weight.dtype)).view_as(loss).to(a.dtype)
        if self.baseline == "none" or int(self.n_updates) == 0:
            return torch.zeros_like(loss[:1])
        if self.baseline == "mean":
            return (self.mean_loss / (1 - self.decay ** float(self.n_updates))).to(a.dtype).view_as(loss[:1])
        ratio = self.numerator / self.denominator.clamp_min(torch.finfo(self.denominator.dtype).tiny)
        return torch.where(self.denominator > 0, ratio, 0.0).to(a.dtype)[None]

    def _update(self, h: Tensor, p: Tensor, loss: Tensor) -> None:
        square = (h - p).square()
        for average, value in (
            (self.numerator, (square * loss).mean(0)),
            (self.denominator, square.mean(0)),
            (self.mean_loss, loss.mean()),
        ):
            average.lerp_(value.to(average.dtype), 1 - self.decay)
        self.n_updates += 1

    def __getstate__(self) -> dict[str, Any]:
        """Without what was drawn, so that the network can be copied."""
        return self.__dict__ | {"_draws": []}

    def reset(self) -> None:
        """Forget what was drawn, where its loss will not come."""
        self._draws.clear()

    def expected(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """sigm(a)."""
        return a.sigmoid()

    def probability(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """sigm(a), with a gradient."""
        return a.sigmoid()

    def extra_repr(self) -> str:
        """What is shown of it."""
        return f"{self.shape}, baseline={self.baseline!r}, decay={self.decay}, {super().extra_repr()}"


def unbiased_neurons(model: nn.Module | Iterable[nn.Module]) -> list[UnbiasedBernoulli]:
    """The neurons of a network, or of several modules, that learn from the loss alone."""
    modules = [model] if isinstance(model, nn.Module) else list(model)
    found = {id(one): one for module in modules for one in module.modules() if isinstance(one, UnbiasedBernoulli)}
    return list(found.values())


def score_function_loss(losses: Float[Tensor, "batch"], model: nn.Module | Iterable[nn.Module]) -> Float[Tensor, ""]:
    """What is added to the mean loss so that its gradient reaches what is before the `UnbiasedBernoulli` neurons.

        losses = cross_entropy(model(x), y, reduction="none")
        (losses.mean() + score_function_loss(losses, model)).backward()

    Its value means nothing; its gradient is the estimator of theorem 1, averaged over the batch.

    Args:
        losses: The loss of each example.
        model: The network, or modules, which has just been run in training mode.

    Returns:
        A number; 0 where the network has no such neurons.

    Raises:
        ValueError: if there is not a loss for each example, or the network has not been run.
    """
    if losses.ndim != 1:
        raise ValueError(
            f"the loss of each example is needed, of shape (N,), not of shape {tuple(losses.shape)}: use "
            "reduction='none', and mean over all but the batch"
        )
    total = losses.new_zeros(())
    for neuron in unbiased_neurons(model):
        total = total + neuron.surrogate(losses).to(total.dtype)
    return total


def stochastic_backward(losses: Float[Tensor, "batch"], model: nn.Module | Iterable[nn.Module]) -> None:
    """Back-propagate the mean loss, and the estimate of theorem 1 for what is before `UnbiasedBernoulli` neurons.

    For a network without such neurons it is `losses.mean().backward()`.

    Raises:
        ValueError: as `score_function_loss`.
    """
    total = losses.mean() + score_function_loss(losses, model)
    total.backward()


def optimal_baseline(
    h: Float[Tensor, "batch units"],
    p: Float[Tensor, "batch units"] | Float[Tensor, "units"],
    loss: Float[Tensor, "batch"],
) -> Float[Tensor, "units"]:
    """The baseline of least variance of each unit, E[(h − p)² L] / E[(h − p)²], estimated from samples.

    Args:
        h: Outputs, 0 or 1.
        p: Probabilities.
        loss: Loss of each sample.

    Returns:
        The baselines; the mean loss where a unit never varies.
    """
    square = (h - p).square()
    below = square.mean(0)
    ratio = (square * loss[:, None]).mean(0) / below.clamp_min(torch.finfo(h.dtype).tiny)
    return torch.where(below > 0, ratio, loss.mean())
