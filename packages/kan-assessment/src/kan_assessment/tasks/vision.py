"""Images, flattened: the pixels are the features."""

import torch

from separata import data

from .task import VALIDATION, Samples, Task

NAMES = ("mnist5k", "mnist", "fashion-mnist", "kmnist", "emnist", "cifar10", "cifar100", "svhn")
BUDGET, BUDGET_OF_PHOTOGRAPHS = 60_000, 150_000
PHOTOGRAPHS = ("cifar10", "cifar100", "svhn")


def load_vision(name: str, *, size: int | None = None, budget: int = 0, epochs: int = 20) -> Task:
    """Images of a data set that `separata.data` knows, or that lies in `$SEPARATA_DATA`, as rows of pixels in [0, 1].

    The test part is the data set's own; the validation part is drawn from the training part by the seed.

    Args:
        name: The data set; `mnist5k` and `digits` are always there.
        size: Height and width to which images are resized.
        budget: Trainable parameters that are proposed; 0 for those at which published sweeps are read here, 60,000, or
            150,000 for photographs.
        epochs: Epochs that are proposed: as many as published.

    Raises:
        ValueError: if the data set is unknown or damaged.
        FileNotFoundError: if it is not on this machine and cannot be downloaded.
    """
    train, test = (data.load(name, split=part, size=size) for part in ("train", "test"))
    x = torch.cat([train.images.flatten(1), test.images.flatten(1)])
    y = torch.cat([train.labels, test.labels])

    def draw(seed: int) -> Samples:
        kept, held_out = data.stratified(train.labels.numpy(), round(VALIDATION * len(train)), seed)
        last = torch.arange(len(train), len(x))
        return Samples(x, y, (torch.from_numpy(kept),), torch.from_numpy(held_out), last)

    budget = budget or (BUDGET_OF_PHOTOGRAPHS if name in PHOTOGRAPHS else BUDGET)
    return Task(name, "vision", "accuracy", x.shape[1], train.n_classes, draw, budget, epochs, is_standardized=False)
