"""Learning rates and thresholds over the epochs of a training, as the official code has them."""

import math


def exponential(start: float, end: float, progress: float) -> float:
    """A e^progress + B, from `start` at progress 0 to `end` at 1: the schedule of tau."""
    factor = (end - start) / (math.e - 1)
    return factor * math.exp(progress) + start - factor


def learning_rate(lr: float, epoch: int, epochs: int, warmup: int) -> float:
    """The learning rate of an epoch: a linear warm-up to `lr`, and a cosine to 0.

    Args:
        lr: The highest rate.
        epoch: The epoch, from 0.
        epochs: Epochs in all; the rate would be 0 in the one after the last.
        warmup: Epochs of warm-up, lr (epoch + 1) / warmup.
    """
    if epoch < warmup:
        return lr * (epoch + 1) / warmup
    before = max(warmup - 1, 0)
    return 0.5 * lr * (1 + math.cos(math.pi * (epoch - before) / max(epochs - before, 1)))
