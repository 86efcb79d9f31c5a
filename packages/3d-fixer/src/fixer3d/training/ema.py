"""The exponential moving average of weights."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor


class EMA:
    """The exponential moving average of parameters.

    In the first steps it decays faster, by `(1 + n) / (10 + n)` after n of them, so that it forgets how the parameters
    began.

    Args:
        parameters: The parameters.
        decay: What is kept of the average in a step.
    """

    def __init__(self, parameters: Iterable[Tensor], decay: float) -> None:
        self.parameters = list(parameters)
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.decay, self.n_steps = decay, 0

    @torch.no_grad()
    def update(self) -> None:
        """Take in the parameters after a step."""
        decay = min(self.decay, (1 + self.n_steps) / (10 + self.n_steps))
        self.n_steps += 1
        torch._foreach_lerp_(self.average, self.parameters, 1 - decay)

    @torch.no_grad()
    def apply(self) -> None:
        """Give the parameters their average."""
        torch._foreach_copy_(self.parameters, self.average)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Use the average inside the block."""
        kept = [parameter.detach().clone() for parameter in self.parameters]
        self.apply()
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self.parameters, kept)

    def load(self, average: Sequence[Tensor], n_steps: int) -> None:
        """Go on from an earlier average.

        Raises:
            ValueError: if it is one of other parameters.
        """
        if [one.shape for one in average] != [one.shape for one in self.average]:
            raise ValueError("the average is one of other parameters")
        torch._foreach_copy_(self.average, list(average))
        self.n_steps = n_steps
