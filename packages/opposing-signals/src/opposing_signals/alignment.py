"""Consistent features: the direction that groups share, and how far out their examples lie along it."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from .losses import chunks, kept_buffers


@dataclass(frozen=True, eq=False)
class FeatureAlignment:
    """The leading feature direction of some examples.

    Attributes:
        direction: Top right singular vector v of their features, of unit norm.
        projections: phi(x) . v of every example.
        tail: For each group the mean percentile, in [0, 1], of its examples' |phi(x) . v| among all; 0.5 by chance.
        ratio: Mean |phi(x) . v| of the examples of all groups, relative to that of all examples.
    """

    direction: Float[Tensor, "features"]
    projections: Float[Tensor, "n"]
    tail: dict[str, float]
    ratio: float


def layer_features(
    model: nn.Module, layer: nn.Module | str, x: Shaped[Tensor, "n *sample"], batch_size: int | None = None
) -> Float[Tensor, "n features"]:
    """Inputs of a layer for all samples, flattened; of the last linear layer these are the penultimate features.

    Args:
        model: The network.
        layer: The module, its name, or `input` for the samples themselves.
        x: Samples.
        batch_size: Samples of a chunk.

    Raises:
        ValueError: if the network has no such layer, or does not call it.
    """
    if layer == "input":
        return x.flatten(1)
    seen: list[Tensor] = []
    hook = _module(model, layer).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().flatten(1)))
    try:
        with torch.no_grad(), kept_buffers(model):
            for part in chunks(len(x), batch_size):
                model(x[part])
    finally:
        hook.remove()
    if sum(map(len, seen)) != len(x):
        raise ValueError("the layer is not called once, with a row for each sample, in a pass of the network")
    return torch.cat(seen)


def _module(model: nn.Module, layer: nn.Module | str) -> nn.Module:
    if not isinstance(layer, str):
        return layer
    named = dict(model.named_modules())
    if layer not in named:
        raise ValueError(f"the network has no layer {layer}; it has {', '.join(name for name in named if name)}")
    return named[layer]


def last_linear(model: nn.Module) -> nn.Module:
    """The last linear layer of a network.

    Raises:
        ValueError: if it has none.
    """
    found = [one for one in model.modules() if isinstance(one, nn.Linear)]
    if not found:
        raise ValueError("the network has no linear layer; name the layer whose features are meant")
    return found[-1]


def feature_alignment(
    model: nn.Module,
    x: Shaped[Tensor, "n *sample"],
    groups: Mapping[str, Int[Tensor, "_"]],
    layer: nn.Module | str | None = None,
    batch_size: int | None = None,
) -> FeatureAlignment:
    """The feature direction that groups share, and where in the tail of its distribution they lie.

    Args:
        model: The network.
        x: All samples.
        groups: Examples of each group by name.
        layer: Layer whose inputs are the features, or its name, or `input`; the last linear layer by default.
        batch_size: Samples of a chunk.

    Raises:
        ValueError: if there is no group, or no such layer.
    """
    if not groups:
        raise ValueError("alignment needs at least one group")
    features = layer_features(model, last_linear(model) if layer is None else layer, x, batch_size).float()
    members = torch.cat([one.to(x.device) for one in groups.values()])
    direction = torch.linalg.svd(features[members], full_matrices=False).Vh[0]
    projections = features @ direction
    size = projections.abs()
    ranks = size.argsort().argsort().double() / max(len(size) - 1, 1)
    tail = {name: float(ranks[one.to(x.device)].mean()) for name, one in groups.items()}
    mean = float(size.mean())
    return FeatureAlignment(direction, projections, tail, float(size[members].mean()) / mean if mean else float("nan"))
