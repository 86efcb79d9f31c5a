"""What networks cost: parameters, and multiplications of a training step."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch.utils.flop_counter import FlopCounterMode

from separata.models import count_parameters

from .configs import Form
from .linear import QuadraticLinear
from .samples import fitting_parts

WIDTH, BATCH = 512, 64


def mlp_size(data: str, n_train: int | None = None, size: int | None = None) -> Callable[[Sequence[int], int], int]:
    """Parameters of a perceptron for a data set, by its hidden widths and the number of maps in each layer."""
    train, _ = fitting_parts(data, 0, is_held_out=True, n_train=n_train, size=size)
    n_inputs, n_classes = train.x[0].numel(), train.n_classes

    def count(hidden: Sequence[int], n_maps: int) -> int:
        return n_maps * sum((n_in + 1) * n_out for n_in, n_out in pairwise((n_inputs, *hidden, n_classes)))

    return count


def parameter_ratio() -> float:
    """Parameters of a layer of compact neurons, by those of full ones."""
    return _parameters("compact") / _parameters("full")


def operation_ratio() -> float:
    """Multiplications of a training step of a layer of compact neurons, by those of full ones, as they are counted."""
    return _operations("compact") / _operations("full")


def _parameters(form: Form) -> int:
    return count_parameters(QuadraticLinear(WIDTH, WIDTH, form=form))


def _operations(form: Form) -> int:
    layer = QuadraticLinear(WIDTH, WIDTH, form=form)
    x = torch.ones(BATCH, WIDTH, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        layer(x).sum().backward()
    return counter.get_total_flops()
