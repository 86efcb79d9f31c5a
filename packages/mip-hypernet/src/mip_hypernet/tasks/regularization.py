"""A whole regularization path in one network: γ is the strength of the weight penalty."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mip_hypernet.configs import TaskConfig
from mip_hypernet.encoding import InputScaler
from mip_hypernet.initialization import is_bias
from mip_hypernet.networks import initialize_he
from separata.labeled import Splits
from separata.models import MLP

from .bayes import FAILURE
from .task import Batch, Part

STRENGTH = InputScaler(1e-4, 1e-1, "log")
"""From γ to the strength λ."""


@dataclass(frozen=True)
class Regularization:
    """Samples are classified with loss L = cross-entropy + λ/2 ‖W‖², λ = 10^(3γ − 4), over all weights but biases.

    The network for one γ is then what would be trained with that strength. Without a hidden layer the problem is convex
    and its solution known: multinomial logistic regression.

    Args:
        splits: Labeled samples.
        config: Units of the hidden layer; 0 for none.
    """

    splits: Splits
    config: TaskConfig

    def __post_init__(self) -> None:
        if self.config.dim != 1:
            raise ValueError(f"regularization has a single strength, so that dim must be 1, not {self.config.dim}")

    @property
    def dim(self) -> int:
        """Numbers in γ."""
        return 1

    @property
    def failure(self) -> float:
        """A loss hardly below that of chance; 2.2 for 10 classes."""
        return FAILURE * math.log(self.splits.train.n_classes)

    @property
    def target(self) -> float:
        """About halfway down, since the strongest penalties allow no lower loss."""
        return 0.6 * math.log(self.splits.train.n_classes)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of a sample."""
        return self.splits.train.sample_shape

    def to(self, device: str | torch.device) -> "Regularization":
        """The same with its data on a device."""
        return replace(self, splits=self.splits.to(device))

    def make_network(self) -> nn.Module:
        """A perceptron."""
        hidden = [self.config.width] if self.config.width else []
        network = MLP((math.prod(self.sample_shape), *hidden, self.splits.train.n_classes))
        initialize_he(network)
        return network

    def bind(self, network: nn.Module, gamma: Float[Tensor, "d"]) -> nn.Module:  # noqa: ARG002 - of every task
        """The network as it is."""
        return network

    def batch(self, n: int, generator: torch.Generator) -> Batch:
        """Samples and classes for training."""
        x, y = self.samples("train")
        index = torch.randint(len(y), (n,), generator=generator).to(y.device)
        return x[index], y[index]

    def samples(self, part: Part) -> Batch:
        """Samples and classes."""
        data = getattr(self.splits, part)
        return data.x, data.y

    def loss(
        self,
        call: Callable[..., Any],
        weights: Mapping[str, Tensor],
        batch: Batch,
        gamma: Float[Tensor, "d"],
    ) -> Float[Tensor, ""]:
        """Cross-entropy and penalty."""
        x, y = batch
        return cross_entropy(call(x), y) + _strength(gamma) / 2 * _square(weights)

    @torch.no_grad()
    def metrics(self, network: nn.Module, part: Part, gamma: Float[Tensor, "d"]) -> dict[str, float]:
        """`loss` with the penalty, `accuracy`, and the Euclidean `norm` of the weights."""
        x, y = self.samples(part)
        logits, weights = network(x), dict(network.named_parameters())
        value = self.loss(lambda _: logits, weights, (x, y), gamma)
        accuracy = (logits.argmax(1) == y).float().mean()
        return {"loss": float(value), "accuracy": float(accuracy), "norm": math.sqrt(float(_square(weights)))}


def _strength(gamma: Tensor) -> Tensor:
    return STRENGTH.inverse(gamma).squeeze()


def _square(weights: Mapping[str, Tensor]) -> Tensor:
    parts = [value.square().sum() for name, value in weights.items() if not is_bias(name)]
    return torch.stack(parts).sum()
