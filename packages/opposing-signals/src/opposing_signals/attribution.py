"""Which examples make the loss sharp: curvature and slope of groups, and of single examples, along a direction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.func import functional_call, jvp

from .gradients import loss_gradient
from .hessian import HessianOperator
from .losses import LossFunction, check_examples_apart, chunks, kept_buffers, loss_function, one_each

REST = "rest"


@dataclass(frozen=True)
class GroupCurvature:
    """A group's part of the curvature along a unit vector v.

    Attributes:
        size: Its examples.
        curvature: c_G, the mean of v' H_i v over its examples.
        share: size c_G / (n v' H v); the shares of all groups and the rest add up to 1.
        slope: Mean of g_i' v over its examples; opposing groups have slopes of opposite signs.
    """

    size: int
    curvature: float
    share: float
    slope: float


def curvature_shares(
    model: nn.Module,
    x: Shaped[Tensor, "n *sample"],
    y: Shaped[Tensor, "n *target"],
    v: Float[Tensor, "p"],
    groups: Mapping[str, Int[Tensor, "_"]],
    loss: str | LossFunction = "cross-entropy",
    batch_size: int | None = None,
) -> dict[str, GroupCurvature]:
    """How much each group, and all other examples as `rest`, contribute to the curvature along a direction.

    Args:
        model: The network, without batch normalization in training mode, which mixes the examples.
        x: All samples.
        y: Their targets.
        v: The direction, such as the leading eigenvector of `sharpness`.
        groups: Disjoint groups of examples by name.
        loss: `mse`, `cross-entropy`, or a function with one loss for each example.
        batch_size: Samples of a chunk.

    Raises:
        ValueError: if groups overlap, one is empty, one is named `rest`, or batch normalization mixes the examples.
    """
    check_examples_apart(model)
    members = torch.cat([one.to(x.device) for one in groups.values()]) if groups else torch.zeros(0, dtype=torch.long)
    if len(members.unique()) != len(members) or REST in groups or any(len(one) == 0 for one in groups.values()):
        raise ValueError(f"groups must not be empty nor overlap, and none may be named {REST}")
    others = torch.ones(len(x), dtype=torch.bool, device=x.device)
    others[members] = False
    parts = {**groups, **({REST: others.nonzero().flatten()} if others.any() else {})}
    v = v / v.norm()
    found = {}
    for name, part in parts.items():
        operator = HessianOperator(model, x[part], y[part], loss, batch_size)
        curvature = float(v @ operator(v))
        operator.close()
        slope = float(v @ loss_gradient(model, x[part], y[part], loss, batch_size))
        found[name] = (len(part), curvature, slope)
    total = sum(size * curvature for size, curvature, _ in found.values())
    return {
        name: GroupCurvature(size, curvature, size * curvature / total if total else float("nan"), slope)
        for name, (size, curvature, slope) in found.items()
    }


def example_curvatures(
    model: nn.Module,
    x: Shaped[Tensor, "n *sample"],
    y: Shaped[Tensor, "n *target"],
    v: Float[Tensor, "p"],
    loss: str | LossFunction = "cross-entropy",
    batch_size: int | None = None,
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """Slope g_i' v and curvature v' H_i v of every example along a unit vector, by forward-mode differentiation.

    One pass gives all examples; it needs operations that PyTorch can differentiate forward.

    Returns:
        Slopes and curvatures. Their means are those of the mean loss.

    Raises:
        ValueError: if batch normalization mixes the examples.
    """
    check_examples_apart(model)
    function = loss_function(loss)
    v = v / v.norm()
    trained = {name: one.detach() for name, one in model.named_parameters() if one.requires_grad}
    pieces = torch.split(v, [one.numel() for one in trained.values()])
    tangents = {name: piece.view_as(one) for (name, one), piece in zip(trained.items(), pieces, strict=True)}
    slopes, curvatures = [], []
    with kept_buffers(model):
        for part in chunks(len(x), batch_size):

            def along(tensors: dict[str, Tensor], part: slice = part) -> Tensor:
                return one_each(function(functional_call(model, tensors, (x[part],)), y[part]), len(x[part]))

            def slope(tensors: dict[str, Tensor], along: Callable[[dict[str, Tensor]], Tensor] = along) -> Tensor:
                return jvp(along, (tensors,), (tangents,))[1]

            both = jvp(slope, (trained,), (tangents,))
            slopes.append(both[0].detach())
            curvatures.append(both[1].detach())
    return torch.cat(slopes), torch.cat(curvatures)
