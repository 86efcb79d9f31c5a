"""What dendrites are compared with: the ablations, and controls with the same epochs or the same parameters."""

from dataclasses import replace
from typing import Literal

from torch import nn

from separata.labeled import LabeledDataset

from .configs import DendriteConfig, NetworkConfig
from .networks import GROWING, equal_width, make_network
from .wrapping import add_dendrites, count_parameters, dendritic_modules

Variant = Literal["dendrites", "gradient", "random", "unperforated", "continued", "wider"]
VARIANTS: dict[str, str] = {
    "dendrites": "dendrites",
    "gradient": "gradient-trained dendrites",
    "random": "random dendrites",
    "unperforated": "dendrites seen by back-propagation",
    "continued": "no dendrites, same epochs",
    "wider": "wider network, same parameters",
}
"""Names of the variants, as tables and figures have them."""


def of_variant(config: DendriteConfig, variant: Variant) -> DendriteConfig:
    """The dendrites of a variant.

    Raises:
        ValueError: if there is no such variant.
    """
    if variant not in VARIANTS:
        raise ValueError(f"the variants are {', '.join(VARIANTS)}, not '{variant}'")
    if variant in {"continued", "wider"}:
        return replace(config, learning="none", n_candidates=1)
    if variant in {"gradient", "random"}:
        return replace(config, learning=variant, n_candidates=1)
    return replace(config, perforated=variant != "unperforated")


def grown_parameters(model: nn.Module, n_dendrites: int) -> int:
    """Numbers that a network from `add_dendrites`, without dendrites yet, has with so many dendrites a neuron."""
    total = count_parameters(model)
    for module in dendritic_modules(model).values():
        n_nodes, d = module.gain.shape[1], n_dendrites
        own = sum(parameter.numel() for parameter in module.module.parameters())
        total += d * (own + n_nodes) + (n_nodes * d * (d - 1) // 2 if module.config.cascade else 0)
    return total


def make_variant(
    network: NetworkConfig, dendrites: DendriteConfig, variant: Variant, data: LabeledDataset, max_dendrites: int
) -> nn.Module:
    """The network of a variant, before training; its weights are drawn from PyTorch's generator.

    Args:
        network: The network that dendrites are added to.
        dendrites: Those of the method itself.
        variant: What becomes of both; `wider` has at least the parameters of the network with all its dendrites.
        data: Says what samples and classes there are.
        max_dendrites: Dendrites of each neuron in the end.
    """
    config = of_variant(dendrites, variant)
    if variant == "wider":
        plain = add_dendrites(make_network(network, data.sample_shape, data.n_classes), types=GROWING, config=config)
        network = equal_width(network, grown_parameters(plain, max_dendrites), data)
    model = make_network(network, data.sample_shape, data.n_classes)
    return add_dendrites(model, types=GROWING, config=config)
