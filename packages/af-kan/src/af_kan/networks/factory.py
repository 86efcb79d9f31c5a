"""Networks of every kind from their settings."""

from dataclasses import replace
from typing import Any, get_args

import torch

from af_kan.baselines.bspline_kan import BSplineKAN
from af_kan.baselines.bsrbf_kan import BSRBFKAN
from af_kan.baselines.chebyshev_kan import ChebyshevKAN
from af_kan.baselines.faster_kan import FasterKAN
from af_kan.baselines.mlp import MLP
from af_kan.baselines.rbf_kan import RBFKAN
from af_kan.baselines.relu_kan import ReLUKAN
from af_kan.configs import ModelConfig, ReductionName, names, widths
from af_kan.stack import LayerStack
from separata.models import match_width

from .network import AFKAN, MethodEnsemble


def make_network(config: ModelConfig, in_features: int, out_features: int) -> LayerStack:
    """The network of a configuration; its weights are drawn from PyTorch's generator.

    Args:
        config: Kind, hidden widths, and settings of the layers.
        in_features: Width of the input.
        out_features: Width of the output.

    Raises:
        ValueError: if a setting is out of its range, or one feature would be normalized to a constant.
    """
    sizes = (in_features, *widths(config.hidden), out_features)
    layer, own = config.layer, config.baseline
    if config.kind == "af-kan":
        methods: Any = names(config.methods, get_args(ReductionName), "method")
        return MethodEnsemble(sizes, methods, config.combine, layer) if methods else AFKAN(sizes, layer)
    if config.kind == "mlp":
        return MLP(sizes, layer.activation, layer.norm, final_activation=own.final_activation)
    if config.kind == "relu-kan":
        return ReLUKAN(sizes, layer.grid_size, layer.order, layer.norm, trainable_grid=layer.trainable_grid)
    if config.kind == "bspline-kan":
        return BSplineKAN(sizes, own.intervals, own.spline_order)
    if config.kind == "bsrbf-kan":
        return BSRBFKAN(sizes, own.intervals, own.spline_order, layer.norm)
    if config.kind == "chebyshev-kan":
        return ChebyshevKAN(sizes, own.degree, layer.norm)
    return (RBFKAN if config.kind == "rbf-kan" else FasterKAN)(sizes, own.centers, layer.norm)


def n_parameters(config: ModelConfig, in_features: int, out_features: int) -> int:
    """Trainable numbers of the network of a configuration, without making room for them.

    Raises:
        ValueError: if there can be no such network.
    """
    with torch.device("meta"):
        network = make_network(config, in_features, out_features)
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def matched(config: ModelConfig, budget: int, in_features: int, out_features: int) -> ModelConfig:
    """The configuration with one hidden layer, as wide as a number of parameters allows.

    Args:
        config: Its hidden widths do not count.
        budget: Parameters; those of the network with the width are the nearest to it.
        in_features: Width of the input.
        out_features: Width of the output.

    Raises:
        ValueError: if the narrowest hidden layer already has over one and a half times as many.
    """

    def count(width: int) -> int:
        return n_parameters(replace(config, hidden=str(width)), in_features, out_features)

    # A single unit would be normalized to a constant.
    least = 2 if config.layer.norm == "layer" else 1
    return replace(config, hidden=str(match_width(count, budget, least=least)))
