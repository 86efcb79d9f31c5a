"""Losses of single examples, in the mode in which the network trains."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

LossFunction = Callable[[Tensor, Tensor], Tensor]
"""From outputs and targets of a batch to one loss for each example, or more, whose mean counts."""


def squared_error(output: Float[Tensor, "n outputs"], y: Shaped[Tensor, "n *target"]) -> Float[Tensor, "n"]:
    """Half the squared error of each example, summed over the outputs.

    Args:
        output: Outputs of the network.
        y: Classes, of which the outputs are to be one-hot codes, or targets, as many as outputs.

    Raises:
        ValueError: if there is not one target for each output.
    """
    target = y if y.dtype.is_floating_point else one_hot(y.long(), output.shape[1])
    if target.numel() != output.numel() or len(target) != len(output):
        raise ValueError(f"targets of the shape {tuple(y.shape)} do not fit outputs of {tuple(output.shape)}")
    return 0.5 * (output - target.view_as(output).to(output.dtype)).square().sum(1)


def class_cross_entropy(output: Float[Tensor, "n classes"], y: Shaped[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Cross-entropy of each example."""
    return cross_entropy(output, y, reduction="none")


LOSSES: dict[str, LossFunction] = {"mse": squared_error, "cross-entropy": class_cross_entropy}


def loss_function(loss: str | LossFunction) -> LossFunction:
    """A loss by its name, `mse` or `cross-entropy`, or one of the user's own as it is.

    Raises:
        ValueError: if the name is unknown.
    """
    if not isinstance(loss, str):
        return loss
    if loss not in LOSSES:
        raise ValueError(f"the loss must be one of {', '.join(LOSSES)} or a function, not '{loss}'")
    return LOSSES[loss]


def one_each(losses: Shaped[Tensor, "..."], n: int) -> Float[Tensor, "n"]:
    """One loss for each of n examples; several of one example, as for several outputs, are averaged.

    Raises:
        ValueError: if there is not one row for each example.
    """
    if losses.ndim == 0 or len(losses) != n:
        shape = "a single number" if losses.ndim == 0 else f"the shape {tuple(losses.shape)}"
        raise ValueError(
            f"expected a loss for each of {n} examples, not {shape}: make the loss with reduction='none' and average "
            f"it after it is recorded"
        )
    return losses if losses.ndim == 1 else losses.flatten(1).mean(1)


def chunks(n: int, batch_size: int | None) -> Iterator[slice]:
    """Slices of n examples, `batch_size` in each, or all at once.

    Raises:
        ValueError: if the size is not positive.
    """
    size = max(n, 1) if batch_size is None else batch_size
    if size < 1:
        raise ValueError(f"batch_size must be at least 1, not {size}")
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def check_examples_apart(model: nn.Module) -> None:
    """See that the output for an example does not depend on the others.

    Raises:
        ValueError: if there is batch normalization in training mode.
    """
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
    if any(isinstance(one, kinds) and one.training for one in model.modules()):
        raise ValueError("batch normalization in training mode mixes the examples: call model.eval() before")


@contextmanager
def kept_buffers(model: nn.Module) -> Iterator[None]:
    """Let the model run in its own mode on copies of its buffers, so that its running statistics stay as they are."""
    own = [(module, name, one) for module in model.modules() for name, one in module.named_buffers(recurse=False)]
    for module, name, one in own:
        module._buffers[name] = one.clone()
    try:
        yield
    finally:
        # The originals come back, and are not written to: graphs made meanwhile may still need the copies.
        for module, name, one in own:
            module._buffers[name] = one


def per_example_loss(
    model: nn.Module,
    x: Shaped[Tensor, "n *sample"],
    y: Shaped[Tensor, "n *target"],
    loss: str | LossFunction = "cross-entropy",
    batch_size: int | None = None,
) -> Float[Tensor, "n"]:
    """The loss of every example with the parameters as they are, without gradients.

    The model keeps its mode: in training mode, batch normalization uses the statistics of each chunk, as it does in
    training, and its running statistics are left as they were. Dropout should be off.

    Args:
        model: From samples to outputs.
        x: Samples.
        y: Targets.
        loss: `mse`, `cross-entropy`, or a function of outputs and targets with one loss for each example.
        batch_size: Samples of a chunk; all at once by default.

    Raises:
        ValueError: if the loss gives one number for a batch.
    """
    function = loss_function(loss)
    with torch.no_grad(), kept_buffers(model):
        found = [one_each(function(model(x[part]), y[part]), len(x[part])) for part in chunks(len(x), batch_size)]
    return torch.cat(found) if found else x.new_zeros(0)
