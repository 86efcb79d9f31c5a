"""Modules in evaluation mode, for as long as that is needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode within a block; after it, every module within is in the mode that it was in."""
    training = [one for one in module.modules() if one.training]
    module.eval()
    try:
        yield
    finally:
        for one in training:
            one.training = True


def like_parameters(module: nn.Module) -> Tensor:
    """A tensor of the type and on the device that a module takes its input in: those of its parameters, or buffers."""
    tensors = chain(module.parameters(), module.buffers())
    return next((x.detach() for x in tensors if x.is_floating_point()), torch.zeros(()))
