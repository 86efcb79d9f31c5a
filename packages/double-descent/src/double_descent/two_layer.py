"""Two-layer networks of which all weights are trained, the seeds as one batched computation."""

import math
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from separata.ensembles import Ensemble

from .configs import NetworkConfig

EPS = 1e-5


class TwoLayerNet(nn.Module):
    """f(x) = W₁ φ(norm(W₀ x + b₀)) + b₁ in double precision.

    Batch normalization keeps no running statistics: those of the training samples are computed from these, which are
    given as `reference` when other samples are to be predicted. Nothing changes but the weights, so that networks of
    several seeds can be trained as one.

    Args:
        d: Inputs, D.
        width: Hidden units, H.
        classes: Outputs, C.
        norm: none, batch or layer; with a learned scale and shift.
        activation: relu or tanh.
        init_scale: Factor of PyTorch's default initialization.
        seed: Draws the weights.

    Raises:
        ValueError: if a size is not positive or a name unknown.
    """

    def __init__(
        self,
        d: int,
        width: int,
        classes: int,
        norm: str = "none",
        activation: str = "relu",
        init_scale: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if min(d, width, classes) < 1:
            raise ValueError(f"inputs, width and classes must be positive, not {d}, {width} and {classes}")
        NetworkConfig(activation=activation, norm=norm, init_scale=init_scale)  # type: ignore[arg-type]
        self.norm, self.activation = norm, activation
        self.hidden = nn.Linear(d, width, dtype=torch.float64)
        self.out = nn.Linear(width, classes, dtype=torch.float64)
        random = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for layer in (self.hidden, self.out):
                bound = init_scale / math.sqrt(layer.in_features)
                for parameter in layer.parameters():
                    drawn = torch.rand(parameter.shape, generator=random, dtype=torch.float64)
                    parameter.copy_(bound * (2 * drawn - 1))
        if norm != "none":
            self.gain = nn.Parameter(torch.ones(width, dtype=torch.float64))
            self.shift = nn.Parameter(torch.zeros(width, dtype=torch.float64))

    def features(
        self, x: Float64[Tensor, "n d"], reference: Float64[Tensor, "m d"] | None = None
    ) -> Float64[Tensor, "n h"]:
        """The penultimate features φ(norm(W₀ x + b₀)).

        Args:
            x: Inputs.
            reference: Of batch normalization: the samples whose mean and variance are used; `x` by default.
        """
        inner = self.hidden(x)
        if self.norm == "batch":
            of = inner if reference is None else self.hidden(reference)
            inner = (inner - of.mean(0)) * torch.rsqrt(of.var(0, correction=0) + EPS)
        elif self.norm == "layer":
            inner = (inner - inner.mean(1, keepdim=True)) * torch.rsqrt(inner.var(1, correction=0, keepdim=True) + EPS)
        if self.norm != "none":
            inner = self.gain * inner + self.shift
        return torch.relu(inner) if self.activation == "relu" else torch.tanh(inner)

    def forward(
        self, x: Float64[Tensor, "n d"], reference: Float64[Tensor, "m d"] | None = None
    ) -> Float64[Tensor, "n c"]:
        """The outputs; `reference` as for `features`."""
        outputs: Tensor = self.out(self.features(x, reference))
        return outputs


def n_parameters(d: int, width: int, classes: int) -> int:
    """Parameters of a network without normalization, p = H (D + 1) + C (H + 1)."""
    return width * (d + 1) + classes * (width + 1)


def train_two_layer(
    networks: Sequence[TwoLayerNet],
    x: Float64[Tensor, "seeds n d"],
    y: Float64[Tensor, "seeds n c"],
    config: NetworkConfig,
    seeds: Sequence[int],
    epochs: Sequence[int] | None = None,
) -> Iterator[tuple[int, Ensemble]]:
    """Train networks that differ in seeds alone as one, and stop over after some numbers of epochs.

    Args:
        networks: One for each seed, of the same sizes.
        x: Inputs of each seed.
        y: Their targets; one-hot for cross-entropy.
        config: How they are trained.
        seeds: Draw the batches.
        epochs: Numbers of epochs in increasing order; those of `config` by default.

    Yields:
        The number of epochs, and the ensemble as it is then.

    Raises:
        ValueError: if a batch is larger than N, or training diverges.
    """
    n = x.shape[1]
    size = config.batch_size or n
    if size > n:
        raise ValueError(f"a batch of {size} is larger than the {n} samples")
    ensemble = Ensemble(networks).to(x.device)
    optimizer = _optimizer(ensemble, config)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    rows = torch.arange(len(networks), device=x.device)[:, None]
    done = 0
    for end in epochs if epochs is not None else (config.epochs,):
        while done < end:
            done += 1
            if size == n:
                _step(ensemble, optimizer, x, y, config)
                continue
            orders = torch.stack([torch.randperm(n, generator=one) for one in generators]).to(x.device)
            for index in orders.split(size, dim=1):
                if config.norm != "batch" or index.shape[1] > 1:
                    _step(ensemble, optimizer, x[rows, index], y[rows, index], config)
        if not all(bool(parameter.isfinite().all()) for parameter in ensemble.parameters()):
            raise ValueError(f"training with a learning rate of {config.rate:g} diverges; lower it")
        yield end, ensemble


def _optimizer(ensemble: Ensemble, config: NetworkConfig) -> torch.optim.Optimizer:
    parameters = list(ensemble.parameters())
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, config.rate)
    return torch.optim.SGD(parameters, config.rate, momentum=0.9 if config.optimizer == "momentum" else 0.0)


def _step(ensemble: Ensemble, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, config: NetworkConfig) -> None:
    optimizer.zero_grad()
    losses(ensemble(x), y, config.loss).sum().backward()
    optimizer.step()


def losses(
    outputs: Float64[Tensor, "seeds n c"], y: Float64[Tensor, "seeds n c"], loss: str
) -> Float64[Tensor, " seeds"]:
    """The loss of each member: ||f − Y||² / 2N, or cross-entropy."""
    if loss == "mse":
        return (outputs - y).square().sum((1, 2)) / (2 * outputs.shape[1])
    return -(y * outputs.log_softmax(2)).sum((1, 2)) / outputs.shape[1]
