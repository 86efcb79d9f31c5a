"""Gradients of groups: do they oppose each other, and are they large?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from .losses import LossFunction, check_examples_apart, chunks, kept_buffers, loss_function, one_each


def trained_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that are trained.

    Raises:
        ValueError: if there are none.
    """
    found = [one for one in model.parameters() if one.requires_grad]
    if not found:
        raise ValueError("the model has no parameters that require gradients")
    return found


def flat(tensors: Sequence[Tensor]) -> Float[Tensor, "p"]:
    """All numbers of tensors in a row."""
    return torch.cat([one.reshape(-1) for one in tensors])


@dataclass(frozen=True, eq=False)
class GroupGradients:
    """Gradients of the mean loss of groups.

    Attributes:
        names: Of the groups.
        gradients: A row of all parameters for each.
        random_norm: Median gradient norm of random groups of the first group's size; NaN where none were drawn.
    """

    names: tuple[str, ...]
    gradients: Float[Tensor, "groups p"]
    random_norm: float

    @property
    def norms(self) -> dict[str, float]:
        """The norm of each gradient."""
        return dict(zip(self.names, self.gradients.norm(dim=1).tolist(), strict=True))

    def cosine(self, one: str = "up", other: str = "down") -> float:
        """Cosine of the angle between the gradients of two groups."""
        a, b = (self.gradients[self.names.index(name)] for name in (one, other))
        return float(torch.nn.functional.cosine_similarity(a, b, dim=0))

    @property
    def relative_norm(self) -> float:
        """The largest norm, relative to random groups; NaN where these have no gradient or none were drawn."""
        return max(self.norms.values()) / self.random_norm if self.random_norm else float("nan")

    @property
    def is_opposing(self) -> bool:
        """Whether the first two gradients point apart, and the largest is more than twice that of random groups."""
        return self.cosine(*self.names[:2]) < 0 and self.relative_norm > 2


def loss_gradient(
    model: nn.Module,
    x: Shaped[Tensor, "n *sample"],
    y: Shaped[Tensor, "n *target"],
    loss: str | LossFunction,
    batch_size: int | None = None,
) -> Float[Tensor, "p"]:
    """Gradient of the mean loss with respect to all trained parameters; the model is left as it is.

    Raises:
        ValueError: if nothing is trained, or the loss gives one number for a batch.
    """
    parameters, function = trained_parameters(model), loss_function(loss)
    total = torch.zeros(sum(one.numel() for one in parameters), device=parameters[0].device, dtype=parameters[0].dtype)
    with kept_buffers(model), torch.enable_grad():
        for part in chunks(len(x), batch_size):
            value = one_each(function(model(x[part]), y[part]), len(x[part])).sum() / len(x)
            found = torch.autograd.grad(value, parameters, allow_unused=True, materialize_grads=True)
            total += flat(found)
    return total


def group_gradients(
    model: nn.Module,
    x: Shaped[Tensor, "n *sample"],
    y: Shaped[Tensor, "n *target"],
    groups: Mapping[str, Int[Tensor, "_"]],
    loss: str | LossFunction = "cross-entropy",
    *,
    n_random: int = 10,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
) -> GroupGradients:
    """Gradients of the mean loss of groups, beside those of random groups of the same size.

    Args:
        model: The network.
        x: All samples.
        y: Their targets.
        groups: Examples of each group by name, `{"up": groups.up, "down": groups.down}`.
        loss: `mse`, `cross-entropy`, or a function with one loss for each example.
        n_random: Random groups.
        generator: Draws them; from the seed 0 by default.
        batch_size: Samples of a chunk; all of a group at once by default.

    Raises:
        ValueError: if there is no group, one is empty, or nothing is trained.
    """
    if not groups or any(len(one) == 0 for one in groups.values()):
        raise ValueError("gradients need at least one group, and none that is empty")
    found = [loss_gradient(model, x[one], y[one], loss, batch_size) for one in groups.values()]
    generator = generator or torch.Generator().manual_seed(0)
    m = len(next(iter(groups.values())))
    norms = []
    for _ in range(n_random):
        some = torch.randperm(len(x), generator=generator)[:m].to(x.device)
        norms.append(loss_gradient(model, x[some], y[some], loss, batch_size).norm())
    median = float(torch.stack(norms).median()) if norms else float("nan")
    return GroupGradients(tuple(groups), torch.stack(found), median)


def gradient_norms(
    model: nn.Module,
    x: Shaped[Tensor, "n *sample"],
    y: Shaped[Tensor, "n *target"],
    loss: str | LossFunction = "cross-entropy",
    chunk_size: int = 256,
) -> Float[Tensor, "n"]:
    """Gradient norm of every example's loss (GraNd), a ranking of examples to compare with.

    The model must run on single examples under `torch.func`, so it cannot have batch normalization in training mode.

    Raises:
        ValueError: if it has.
    """
    check_examples_apart(model)
    from torch.func import functional_call, grad, vmap

    function = loss_function(loss)
    trained = {name: one.detach() for name, one in model.named_parameters() if one.requires_grad}
    fixed = {name: one.detach() for name, one in model.named_parameters() if not one.requires_grad}
    fixed |= dict(model.named_buffers())

    def of_one(tensors: dict[str, Tensor], sample: Tensor, target: Tensor) -> Tensor:
        output = functional_call(model, {**tensors, **fixed}, (sample[None],))
        return one_each(function(output, target[None]), 1)[0]

    found = vmap(grad(of_one), in_dims=(None, 0, 0), chunk_size=chunk_size)(trained, x, y)
    return torch.stack([one.flatten(1).square().sum(1) for one in found.values()]).sum(0).sqrt()
