"""How good a conditional network is: with one sample of its gates, with the mean over several, or without noise."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from separata.labeled import LabeledDataset

from .networks import ConditionalNetwork
from .neuron import Inference, seed_neurons, set_inference, stochastic_neurons
from .sparsity import GateActivity, distinct_patterns, gate_activity

BATCH = 1000


@dataclass(frozen=True)
class EvaluationReport:
    """How a network does on labeled samples.

    Attributes:
        loss: Mean cross-entropy, in nats; of averaged probabilities where several samples are drawn.
        error: Share of samples that are classified wrongly.
        activity: Share of gates that are not 0, over gates and samples.
        n_patterns: Number of different sets of active gates.
        n_dead: Gates that are never active.
        n: Number of samples.
    """

    loss: float
    error: float
    activity: float
    n_patterns: int
    n_dead: int
    n: int


@torch.no_grad()
def predict(
    model: nn.Module,
    x: Float[Tensor, "n *sample"],
    *,
    inference: Inference = "sample",
    n_draws: int = 1,
    seed: int = 0,
) -> Float[Tensor, "n classes"]:
    """Class probabilities of a network with stochastic neurons; of any logits, by a softmax.

    Args:
        model: The network; its mode, and what its neurons do at inference, are left as they were.
        x: Samples, on its device.
        inference: What its neurons do.
        n_draws: Samples of the noise whose probabilities are averaged, with `"sample"`.
        seed: Draws the noise.

    Raises:
        ValueError: if fewer than one sample is to be drawn, or several where nothing is drawn.
    """
    if n_draws < 1:
        raise ValueError(f"at least one draw is needed, not {n_draws}")
    if n_draws > 1 and inference != "sample":
        raise ValueError(f"{n_draws} draws need inference 'sample': nothing is drawn with {inference!r}")
    with _answering(model, inference, seed):
        total = torch.zeros(())
        for _ in range(n_draws):
            parts = [model(some).softmax(1) for some in x.split(BATCH)]
            total = total.to(parts[0]) + torch.cat(parts)
    return total / n_draws


@contextmanager
def _answering(model: nn.Module, inference: Inference, seed: int) -> Iterator[None]:
    """A network in evaluation mode with seeded neurons; as it was before, afterwards."""
    neurons = [(one, one.inference, one.generator) for one in stochastic_neurons(model)]
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    set_inference(model, inference)
    seed_neurons(model, torch.Generator().manual_seed(seed))
    try:
        yield
    finally:
        for neuron, before, generator in neurons:
            neuron.inference, neuron.generator = before, generator
        for module, mode in modes:
            module.training = mode


@torch.no_grad()
def gates_of(
    model: ConditionalNetwork, x: Float[Tensor, "n *sample"], *, inference: Inference = "sample", seed: int = 0
) -> Float[Tensor, "n gates"]:
    """The gates of a network for each sample."""
    with _answering(model, inference, seed):
        return torch.cat([model.gates(some) for some in x.split(BATCH)])


def activity_of(
    model: ConditionalNetwork, x: Float[Tensor, "n *sample"], *, inference: Inference = "sample", seed: int = 0
) -> GateActivity:
    """How often each gate is not 0."""
    return gate_activity(gates_of(model, x, inference=inference, seed=seed))


def evaluate(
    model: ConditionalNetwork,
    data: LabeledDataset,
    *,
    inference: Inference = "sample",
    n_draws: int = 1,
    seed: int = 0,
) -> EvaluationReport:
    """Test a network.

    Args:
        model: The network; left as it was.
        data: Labeled samples, on its device.
        inference: What its neurons do: `"sample"` as the paper, `"mean"` or `"threshold"`.
        n_draws: Samples of the noise whose class probabilities are averaged.
        seed: Draws the noise.

    Raises:
        ValueError: if the samples or the labels are not those of such a network.
    """
    check_samples(model, data.x, data.y)
    p = predict(model, data.x, inference=inference, n_draws=n_draws, seed=seed)
    gates = gates_of(model, data.x, inference=inference, seed=seed)
    activity = gate_activity(gates)
    loss = -p.gather(1, data.y[:, None]).clamp_min(1e-30).log().mean()
    error = (p.argmax(1) != data.y).double().mean()
    return EvaluationReport(
        float(loss), float(error), activity.mean, distinct_patterns(gates), activity.n_dead, len(data.y)
    )


def check_samples(model: ConditionalNetwork, x: Tensor, y: Int[Tensor, "n"]) -> None:
    """See that samples are those of such a network.

    Raises:
        ValueError: if they are not.
    """
    check_shape(model, x)
    if int(y.max()) >= model.n_classes:
        raise ValueError(f"the network has {model.n_classes} classes, and the data at least {int(y.max()) + 1}")


def check_shape(model: ConditionalNetwork, x: Tensor) -> None:
    """See that there are samples, of the size that a network takes.

    Raises:
        ValueError: if there are none, or of another size.
    """
    if not len(x):
        raise ValueError("there are no samples")
    if x[0].numel() != model.in_features:
        raise ValueError(f"the network takes samples of {model.in_features} numbers, not of shape {tuple(x.shape[1:])}")
