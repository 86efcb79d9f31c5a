"""Plain supervised training of classifiers, the same for every method that is compared."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .data import batches

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let what draws from PyTorch's global generator on the CPU, such as initial weights, draw from this seed.

    After the block, the generator is as it was before.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def fingerprint(*tensors: Tensor | None) -> str:
    """SHA-256 of tensors in their order: of the shape, the type and the numbers of each.

    The same on every device. None stands for a tensor that is not there, and adds nothing.
    """
    digest = hashlib.sha256()
    for tensor in tensors:
        if tensor is not None:
            digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
            plain = tensor.detach().cpu().resolve_conj().contiguous().flatten()
            digest.update(plain.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def accuracy(
    model: nn.Module, images: Shaped[Tensor, "n *sample"], labels: Int[Tensor, "n"], *, batch_size: int = 1024
) -> float:
    """Fraction of samples that are classified correctly, by the largest logit.

    The model runs in evaluation mode; afterwards, each of its modules is back in the mode it was in.

    Args:
        model: Maps a batch of samples to logits of shape (batch, classes).
        images: The samples, on the model's device.
        labels: The class of each sample.
        batch_size: Samples per forward pass.

    Raises:
        ValueError: if there are no samples, or not one label for each.
    """
    _check_samples(images, labels)
    correct = torch.zeros((), dtype=torch.long, device=labels.device)
    with torch.no_grad(), _evaluation_mode(model):
        for batch, classes in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            correct += _n_correct(model(batch), classes)
    return correct.item() / len(labels)


def train(
    model: nn.Module,
    images: Shaped[Tensor, "n *sample"],
    labels: Int[Tensor, "n"],
    *,
    epochs: int,
    batch_size: int,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    track: Callable[[Iterable[int], str], Iterable[int]] | None = None,
    fabric: "Fabric | None" = None,
) -> list[dict[str, Any]]:
    """Train a classifier by gradient descent on shuffled batches.

    The model is left in training mode. For what does not fit (augmentation, several losses, a learning rule other than
    back-propagation), write the loop: it is ten lines over `data.batches`.

    With a `fabric` of several processes, each batch is split among them, so that the gradients and the history are
    those of one process; the last, smaller batch of an epoch is then dropped. Batch normalisation sees its own share
    alone.

    Args:
        model: Maps a batch of samples to logits of shape (batch, classes).
        images: The samples, on the model's device; with several processes, all of them in each.
        labels: The class of each sample.
        epochs: Passes over the samples.
        batch_size: Samples per step, over all processes together.
        optimizer: Updates the model's parameters.
        generator: Draws the order of the samples; equally seeded in all processes.
        loss: Maps logits and labels to the mean loss of a batch.
        scheduler: Stepped after each epoch.
        track: Shows progress: called with the epochs and a description, it returns the epochs. `run.track` and
            `tqdm.tqdm` are two.
        fabric: Scales and synchronises the gradients; its `setup` has been applied to model and optimizer.

    Returns:
        One row per epoch: "step" (epochs done), "loss" and "accuracy" (means over the samples, each as its batch was
        trained on).

    Raises:
        ValueError: if there are no samples, not one label for each, or a batch cannot be shared out evenly.
    """
    _check_samples(images, labels)
    processes, rank = (fabric.world_size, fabric.global_rank) if fabric else (1, 0)
    if batch_size % processes or (processes > 1 and batch_size > len(labels)):
        raise ValueError(
            f"{processes} processes need a batch size that they divide and {len(labels)} samples fill, not {batch_size}"
        )
    backward = fabric.backward if fabric else torch.Tensor.backward
    history = []
    steps: Iterable[int] = range(1, epochs + 1)
    for step in track(steps, "epochs") if track else steps:
        model.train()
        totals = torch.zeros(3, device=images.device)
        for sample, classes in batches((images, labels), batch_size, generator, drop_last=processes > 1):
            mine = slice(rank, None, processes)
            totals += _update(model, sample[mine], classes[mine], optimizer, loss, backward)
        if scheduler is not None:
            scheduler.step()
        if fabric:
            totals = torch.as_tensor(fabric.all_reduce(totals, reduce_op="sum"))
        total_loss, correct, seen = totals.tolist()
        history.append({"step": step, "loss": total_loss / seen, "accuracy": correct / seen})
    return history


def _update(
    model: nn.Module,
    sample: Shaped[Tensor, "n *sample"],
    classes: Int[Tensor, "n"],
    optimizer: torch.optim.Optimizer,
    loss: Callable[[Tensor, Tensor], Tensor],
    backward: Callable[[Tensor], None],
) -> Float[Tensor, "3"]:
    """One step of the optimiser; the batch's summed loss, right answers and size, still on the device."""
    optimizer.zero_grad()
    logits = model(sample)
    value = loss(logits, classes)
    backward(value)
    optimizer.step()
    n = value.new_tensor(len(classes), dtype=torch.float32)
    return torch.stack([value.detach().float() * n, _n_correct(logits, classes).float(), n])


def _n_correct(logits: Float[Tensor, "n classes"], labels: Int[Tensor, "n"]) -> Int[Tensor, ""]:
    return (logits.argmax(1) == labels).sum()


def _check_samples(images: Tensor, labels: Tensor) -> None:
    if len(images) != len(labels) or len(labels) == 0:
        raise ValueError(f"expected one label for each of at least one sample, not {len(labels)} for {len(images)}")


@contextmanager
def _evaluation_mode(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
