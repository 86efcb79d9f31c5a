"""Bytes that a training step holds for its backward pass."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Held:
    """What was saved for the backward pass.

    Attributes:
        bytes: Bytes of the storages, each counted once.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._seen: set[int] = set()
        # A storage that is gone could leave its address to another one.
        self._kept: list[Tensor] = []

    def add(self, tensor: Tensor) -> Tensor:
        """Count a tensor, and give it back."""
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._seen:
            self._seen.add(storage.data_ptr())
            self._kept.append(tensor.detach())
            self.bytes += storage.nbytes()
        return tensor

    def ignore(self, tensor: Tensor) -> None:
        """Do not count a tensor, such as a weight, which is there anyway."""
        self._seen.add(tensor.untyped_storage().data_ptr())


@contextmanager
def held_for_backward(*models: nn.Module, inputs: tuple[Tensor, ...] = ()) -> Iterator[Held]:
    """Count the bytes that autograd saves inside the block, without the models' own tensors and the inputs.

    Args:
        models: Whose parameters and buffers are not counted.
        inputs: Tensors that are not counted, such as the batch.

    Yields:
        What is counted.
    """
    held = Held()
    for model in models:
        for tensor in (*model.parameters(), *model.buffers()):
            held.ignore(tensor)
    for tensor in inputs:
        held.ignore(tensor)
    with torch.autograd.graph.saved_tensors_hooks(held.add, lambda tensor: tensor):
        yield held
    held._kept.clear()
