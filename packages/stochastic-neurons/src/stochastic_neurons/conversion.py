"""Stochastic neurons and gates in a network of the user's."""

from collections.abc import Callable, Sequence
from typing import cast

from torch import nn

from separata.conversion import Conversion, Targets, convert

from .conditional import ConditionalLinear
from .neuron import StochasticNeuron

ACTIVATION_KINDS: tuple[type[nn.Module], ...] = (
    nn.ReLU,
    nn.Sigmoid,
    nn.Tanh,
    nn.GELU,
    nn.SiLU,
    nn.LeakyReLU,
    nn.Hardsigmoid,
)
"""Activations that `replace_activations` looks for."""


def replace_activations(
    model: nn.Module,
    make: Callable[[], StochasticNeuron],
    *,
    targets: Targets = "*",
    skip: str | Sequence[str] = (),
    kinds: Sequence[type[nn.Module]] = ACTIVATION_KINDS,
) -> Conversion:
    """Stochastic neurons in the place of a network's activations, in place.

        replace_activations(model, StraightThroughBernoulli, targets="features.*")

    Functions that a network calls, such as `torch.relu`, are no modules and stay. `UnbiasedBernoulli` must be given the
    shape of its units: `lambda: UnbiasedBernoulli(64)`.

    Args:
        model: The network; parameters and their names stay as they are.
        make: Makes a layer of neurons; called once for each activation.
        targets: Which activations: globs over their names, or a function of name and module.
        skip: Globs of those that stay, and `"first"` and `"last"`.
        kinds: Types of modules that are replaced.

    Returns:
        What was replaced, and what was left and why.

    Raises:
        ValueError: if nothing is left to replace, or a glob matches nothing.
    """
    return convert(model, lambda _, layer: make().train(layer.training), kinds, targets=targets, skip=skip)


def add_gates(
    model: nn.Module,
    *,
    gater_hidden: int = 64,
    gate: str = "st",
    block_size: int = 1,
    activity: float = 0.5,
    targets: Targets = "*",
    skip: str | Sequence[str] = ("last",),
) -> Conversion:
    """Gaters for a network's affine layers, in place: each `nn.Linear` becomes a `ConditionalLinear` with its weights.

    Args:
        model: The network.
        gater_hidden: Number of tanh units of each gater; 0 for a single affine map.
        gate: A name of `available_neurons()`.
        block_size: Outputs that share a gate.
        activity: Probability with which a gate is active at first; near 1, the network begins nearly as it was.
        targets: Which layers: globs over their names, or a function of name and module.
        skip: Globs of those that stay; the last layer by default, which gives the outputs.

    Returns:
        What was converted, and what was left and why.

    Raises:
        ValueError: if nothing is left to convert, a glob matches nothing, or a layer's outputs are no whole number of
            blocks.
    """

    def make(name: str, layer: nn.Module) -> nn.Module:
        try:
            return ConditionalLinear.from_linear(
                cast("nn.Linear", layer), gater_hidden, gate, block_size=block_size, activity=activity
            )
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None

    return convert(model, make, (nn.Linear,), targets=targets, skip=skip, opaque=(ConditionalLinear,))
