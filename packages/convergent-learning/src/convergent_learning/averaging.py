"""Averaging networks whose units stand in the same order: what an alignment is good for."""

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

Net = TypeVar("Net", bound=nn.Module)


def average(models: Sequence[Net], weights: Sequence[float] | None = None) -> Net:
    """The network whose parameters and buffers are the averages of others'; counters are the first one's.

    The statistics of BatchNorm are not those of the averaged network: see `reestimate_batchnorm`.

    Args:
        models: Networks of one architecture, aligned; they are not changed.
        weights: Weight of each; equal ones by default. They need not add up to one.

    Raises:
        ValueError: if there is no network, they differ in names or shapes, or the weights do not fit.
    """
    if not models:
        raise ValueError("there is no network to average")
    shares = [1.0] * len(models) if weights is None else list(weights)
    if len(shares) != len(models) or not math.isfinite(sum(shares)) or sum(shares) == 0:
        raise ValueError(f"{len(models)} networks need as many weights, of a finite sum that is not 0, not {shares}")
    states = [model.state_dict() for model in models]
    shapes = [{name: tensor.shape for name, tensor in state.items()} for state in states]
    for i, one in enumerate(shapes[1:], 1):
        if one != shapes[0]:
            wrong = min(set(one.items()) ^ set(shapes[0].items()))[0]
            raise ValueError(f"networks can only be averaged within one architecture; network {i} differs in {wrong}")
    merged = copy.deepcopy(models[0])
    state = {
        name: sum(
            share / sum(shares) * other[name].to(tensor.device, torch.promote_types(tensor.dtype, torch.float64))
            for share, other in zip(shares, states, strict=True)
        ).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in states[0].items()
    }
    merged.load_state_dict(state)
    return merged


def reestimate_batchnorm(model: nn.Module, loader: Iterable[Any]) -> None:
    """Replace the running statistics of BatchNorm by the means over batches; the network's modes stay.

    Args:
        model: The network; changed in place.
        loader: Batches: tensors, or tuples or lists whose first entry is one.

    Raises:
        ValueError: if there is no batch.
    """
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    if not norms:
        return
    modes = {module: module.training for module in model.modules()}
    momenta = {norm: norm.momentum for norm in norms}
    model.eval()
    batches = iter(loader)
    first = next(batches, None)
    if first is None:
        raise ValueError("there is no batch in the loader")
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    try:
        with torch.no_grad():
            for batch in (first, *batches):
                model(batch[0] if isinstance(batch, (tuple, list)) else batch)
    finally:
        for module, was in modes.items():
            module.training = was
        for norm, momentum in momenta.items():
            norm.momentum = momentum


def interpolation_path(
    a: Net, b: Net, evaluate: Callable[[Net], float], n: int = 11, *, loader: Sequence[Any] | None = None
) -> list[tuple[float, float]]:
    """What networks on the line from a to b are worth: pairs of the share of b and the value.

    Args:
        a: The first network.
        b: The second, in the order of the first.
        evaluate: Gives a network's accuracy, or loss.
        n: Number of points, ends included.
        loader: Where given, BatchNorm's statistics are estimated anew at every point.

    Raises:
        ValueError: if there are fewer than 2 points, or the networks cannot be averaged.
    """
    if n < 2:
        raise ValueError(f"a path needs 2 or more points, not {n}")
    values = []
    for i in range(n):
        share = i / (n - 1)
        model = average([a, b], [1 - share, share])
        if loader is not None:
            reestimate_batchnorm(model, loader)
        values.append((share, float(evaluate(model))))
    return values
