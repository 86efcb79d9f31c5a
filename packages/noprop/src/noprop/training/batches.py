"""Batches and noise that depend on numbers alone.

Batches depend on the seed and the epoch, and the noise of a block on the seed, the block and the step: so a block gets
the same weights in whatever order, process or company it is trained.
"""

import torch
from torch import Tensor

from noprop.configs import TrainConfig
from separata.labeled import LabeledDataset
from separata.loop import step_generator

STREAMS = 4099
"""Streams of random numbers of a seed: batches, the head, and each block; the last one, the order of blocks."""
BATCHES, HEAD = 0, 1


class Batches:
    """Shuffled batches of full size, by the number of a step."""

    def __init__(self, data: LabeledDataset, config: TrainConfig) -> None:
        self.data, self.config = data, config
        self.size = min(config.batch_size, len(data))
        self.per_epoch = len(data) // self.size
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.long)

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """The samples and classes of a step."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            order = torch.randperm(len(self.data), generator=self.generator(BATCHES, epoch))
            self._epoch, self._order = epoch, order.to(self.data.y.device)
        index = self._order[place * self.size : (place + 1) * self.size]
        x = self.data.x[index]
        return x.to(memory_format=torch.channels_last) if x.ndim == 4 else x, self.data.y[index]

    def generator(self, stream: int, step: int) -> torch.Generator:
        """The randomness of a step in a stream."""
        return step_generator(self.config.seed * STREAMS + stream, step)

    def of_block(self, t: int, step: int) -> torch.Generator:
        """The noise of block t, or of the head for t = 0."""
        return self.generator(HEAD + t, step)
