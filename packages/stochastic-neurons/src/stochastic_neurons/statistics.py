"""Bias and variance of gradient estimators, measured with many samples at once."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .exact import Function, check_arguments, exact_gradient, values_of
from .neuron import StochasticNeuron
from .registry import BINARY, make_neuron
from .reinforce import UnbiasedBernoulli

CHUNK = 65_536
"""Samples that are drawn at once."""
N_PILOT = 40
"""Batches from which a baseline is found before samples count."""


@dataclass(frozen=True)
class EstimatorStatistics:
    """What an estimator of the gradient does, for each unit.

    Attributes:
        mean: Mean of the samples.
        standard_error: Of the mean.
        variance: Of single samples.
        target: The gradient that it should have: dE[L]/da.
        target_error: Standard error of the target; 0 where it is exact.
        n_samples: Number of samples.
    """

    mean: Float[Tensor, "units"]
    standard_error: Float[Tensor, "units"]
    variance: Float[Tensor, "units"]
    target: Float[Tensor, "units"]
    target_error: Float[Tensor, "units"]
    n_samples: int

    @property
    def bias(self) -> Float[Tensor, "units"]:
        """Mean less target."""
        return self.mean - self.target

    @property
    def z(self) -> Float[Tensor, "units"]:
        """The bias in standard errors; within ±4 for an unbiased estimator."""
        error = (self.standard_error.square() + self.target_error.square()).sqrt()
        exact = torch.where(self.bias.abs() < 1e-12, 0.0, torch.inf * self.bias.sign())
        return torch.where(error > 0, self.bias / error.clamp_min(1e-300), exact)

    @property
    def cosine(self) -> float:
        """Cosine of the mean with the target."""
        return float(torch.cosine_similarity(self.mean, self.target, dim=0))

    @property
    def sample_cosine(self) -> float:
        """|E[g]·g*| / sqrt(E|g|² |g*|²): how much of a single sample points along the target, on average."""
        square = (self.variance + self.mean.square()).sum() * self.target.square().sum()
        return float((self.mean @ self.target) / square.clamp_min(1e-300).sqrt())


def gradient_samples(
    f: Function,
    a: Float[Tensor, "units"],
    neuron: StochasticNeuron,
    n_samples: int,
) -> Float[Tensor, "samples units"]:
    """Samples of a neuron's estimate of dE[f(h)]/da, by the code that trains a network.

    They are independent. `UnbiasedBernoulli` takes its baseline as it is, and updates it afterwards.

    Args:
        f: The loss, from (samples, units) to (samples,).
        a: Pre-activations.
        neuron: The neurons, in training mode.
        n_samples: Number of samples.

    Raises:
        ValueError: if the function is not one of these units, or has no gradient where one is needed.
    """
    a = check_arguments(a)
    rows = a.expand(n_samples, -1).clone().requires_grad_()
    h = neuron.sample(rows)
    if isinstance(neuron, UnbiasedBernoulli):
        with torch.no_grad():
            loss = values_of(f, h)
        return n_samples * torch.autograd.grad(neuron.surrogate(loss), rows)[0]
    loss = values_of(f, h)
    if not loss.requires_grad:
        raise ValueError(
            "the function has no gradient, which this estimator passes on; use sbn-none, sbn-mean, sbn-optimal or "
            "sbn-learned"
        )
    return torch.autograd.grad(loss.sum(), rows)[0]


def pathwise_target(
    f: Function, a: Float[Tensor, "units"], neuron: StochasticNeuron, n_samples: int, seed: int, step: float = 1e-3
) -> tuple[Float[Tensor, "units"], Float[Tensor, "units"]]:
    """dE[f(h)]/da by central differences with the same noise on both sides, and its standard error.

    For neurons whose outputs cannot be enumerated. It needs no gradient of the neuron, and so can judge it.

    Raises:
        ValueError: if the function is not one of these units.
    """
    a, kept = check_arguments(a), neuron.generator
    mean, square = torch.zeros_like(a), torch.zeros_like(a)
    try:
        for i in range(len(a)):
            values = []
            for sign in (1.0, -1.0):
                moved = a.clone()
                moved[i] += sign * step
                neuron.generator = torch.Generator().manual_seed(seed + i)
                with torch.no_grad():
                    values.append(values_of(f, neuron.sample(moved.expand(n_samples, -1))))
            slope = (values[0] - values[1]) / (2 * step)
            mean[i], square[i] = slope.mean(), slope.var()
    finally:
        neuron.generator = kept
        if isinstance(neuron, UnbiasedBernoulli):
            neuron.reset()
    return mean, (square / n_samples).sqrt()


def estimator_statistics(
    f: Function,
    a: Float[Tensor, "units"],
    estimator: str,
    n_samples: int = 200_000,
    *,
    seed: int = 0,
    **settings: Any,  # noqa: ANN401
) -> EstimatorStatistics:
    """The bias and the variance of an estimator on a function of binary, or noisy, units.

    The target of binary neurons, of smooth times stochastic and of the relaxed ones is the exact gradient for units
    h ~ Bernoulli(sigm(a)); that of neurons with other outputs is the gradient of their own expectation, by central
    differences.

    Args:
        f: The loss, from (samples, units) to (samples,).
        a: Pre-activations, at most 16.
        estimator: A name of `available_neurons()`; for the unbiased one also `sbn-none`, `sbn-mean`, `sbn-optimal` and
            `sbn-learned`, whose baselines are first estimated, or trained, on a tenth as many samples of their own.
        n_samples: Number of samples.
        seed: Draws the noise.
        settings: Of the neuron.

    Raises:
        ValueError: if there is no such estimator, there are too many units, or the function is not one of them.
    """
    if n_samples < 2:
        raise ValueError(f"at least 2 samples are needed, not {n_samples}")
    a = check_arguments(a)
    name, _, baseline_name = estimator.partition("-") if estimator.startswith("sbn") else (estimator, "", "")
    if baseline_name:
        settings = settings | {"baseline": baseline_name}
    neuron = make_neuron(name, len(a), **settings).double().train()
    neuron.generator = torch.Generator().manual_seed(seed)
    if isinstance(neuron, UnbiasedBernoulli):
        _find_baseline(f, a, neuron, max(N_PILOT, n_samples // 10))
    total, square, done, shift = torch.zeros_like(a), torch.zeros_like(a), 0, torch.zeros_like(a)
    while done < n_samples:
        n = min(CHUNK, n_samples - done)
        samples = gradient_samples(f, a, neuron, n)
        shift = shift if done else samples.mean(0)
        total, square = total + (samples - shift).sum(0), square + (samples - shift).square().sum(0)
        done += n
    mean = total / n_samples
    variance = (square / n_samples - mean.square()).clamp_min(0) * (n_samples / (n_samples - 1))
    if name in (*BINARY, "sts", "relaxed"):
        target, target_error = exact_gradient(f, a), torch.zeros_like(a)
    else:
        target, target_error = pathwise_target(f, a, neuron, n_samples, seed + 1)
    return EstimatorStatistics(mean + shift, (variance / n_samples).sqrt(), variance, target, target_error, n_samples)


def _find_baseline(f: Function, a: Tensor, neuron: UnbiasedBernoulli, n: int) -> None:
    """Let a neuron find its baseline as in training, on samples that are used for nothing else."""
    optimizer = None
    if neuron.predictor is not None:
        # Of all steps the one that takes the prediction a fifth of the way to the mean loss of a batch.
        optimizer = torch.optim.SGD(neuron.predictor.parameters(), 0.1)
    for _ in range(N_PILOT):
        h = neuron.sample(a.expand(n // N_PILOT, -1))
        total = neuron.surrogate(values_of(f, h))
        if optimizer is not None:
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
