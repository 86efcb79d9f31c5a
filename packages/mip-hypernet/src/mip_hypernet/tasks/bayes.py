"""Classification by weights that γ, uniform on [0, 1]^d, samples: a Bayesian hypernetwork without its prior term."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mip_hypernet.configs import TaskConfig
from mip_hypernet.networks import ConvNet
from separata.labeled import Splits

from .task import Batch, Part

FAILURE = 2.2 / math.log(10)
"""Of the loss of chance."""


@dataclass(frozen=True)
class Bayes:
    """Images are classified for every γ; each of them should do equally well.

    Args:
        splits: Labeled images.
        config: The numbers in γ, and the network.

    Raises:
        ValueError: if the samples are no images.
    """

    splits: Splits
    config: TaskConfig

    def __post_init__(self) -> None:
        if len(self.splits.train.sample_shape) != 3:
            raise ValueError(f"bayes takes images, not samples of shape {self.splits.train.sample_shape}")
        self.make_network()

    @property
    def dim(self) -> int:
        """Numbers in γ."""
        return self.config.dim

    @property
    def failure(self) -> float:
        """A loss hardly below that of chance; 2.2 for 10 classes."""
        return FAILURE * math.log(self.splits.train.n_classes)

    @property
    def target(self) -> float:
        """A loss that is good enough: a fifth of that of chance, 0.5 for 10 classes."""
        return 0.5 / math.log(10) * math.log(self.splits.train.n_classes)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of an image."""
        return self.splits.train.sample_shape

    def to(self, device: str | torch.device) -> "Bayes":
        """The same with its data on a device."""
        return replace(self, splits=self.splits.to(device))

    def make_network(self) -> nn.Module:
        """A small convolutional network."""
        channels, height, width = self.sample_shape
        return ConvNet(channels, self.splits.train.n_classes, (height, width), self.config.width, self.config.norm)

    def bind(self, network: nn.Module, gamma: Float[Tensor, "d"]) -> nn.Module:  # noqa: ARG002 - of every task
        """The network as it is."""
        return network

    def batch(self, n: int, generator: torch.Generator) -> Batch:
        """Images and classes for training."""
        x, y = self.samples("train")
        index = torch.randint(len(y), (n,), generator=generator).to(y.device)
        return x[index], y[index]

    def samples(self, part: Part) -> Batch:
        """Images and classes."""
        data = getattr(self.splits, part)
        return data.x, data.y

    def loss(
        self,
        call: Callable[..., Any],
        weights: Mapping[str, Tensor],  # noqa: ARG002 - of every task
        batch: Batch,
        gamma: Float[Tensor, "d"],  # noqa: ARG002
    ) -> Float[Tensor, ""]:
        """The cross-entropy."""
        x, y = batch
        return cross_entropy(call(x), y)

    @torch.no_grad()
    def metrics(self, network: nn.Module, part: Part, gamma: Float[Tensor, "d"]) -> dict[str, float]:
        """`loss` and `accuracy`."""
        x, y = self.samples(part)
        logits = network(x)
        value = self.loss(lambda _: logits, {}, (x, y), gamma)
        return {"loss": float(value), "accuracy": float((logits.argmax(1) == y).float().mean())}
