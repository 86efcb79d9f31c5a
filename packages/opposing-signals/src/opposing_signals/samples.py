"""Samples for training: a data set by name or of the user's own, pooled and standardized."""

import string
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool2d

from separata.arrays import load_npz
from separata.labeled import load_samples as load_numbers
from separata.labeled import load_splits

from .configs import DataConfig

N_WORDS = 64
"""Words of the generated text."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of one shape with a class each.

    Attributes:
        x: The samples, standardized.
        y: Their classes, int64.
        classes: Names of the classes.
        mean: What was subtracted from all numbers.
        scale: What they were divided by.
    """

    x: Float[Tensor, "n *sample"]
    y: Int[Tensor, "n"]
    classes: tuple[str, ...]
    mean: float = 0.0
    scale: float = 1.0

    def __len__(self) -> int:
        return len(self.y)

    @property
    def is_image(self) -> bool:
        """Whether a sample can be shown as a picture: 1 or 3 channels of pixels."""
        return self.x.ndim == 4 and self.x.shape[1] in (1, 3)

    def to(self, device: str | torch.device) -> "Samples":
        """The same on a device."""
        return Samples(self.x.to(device), self.y.to(device), self.classes, self.mean, self.scale)

    def pictures(self, indices: Int[Tensor, "k"]) -> Float[Tensor, "k channels height width"]:
        """Intensities of some samples in [0, 1], as they were before they were standardized."""
        whole = self.x[indices.to(self.x.device)].cpu() * self.scale + self.mean
        return whole.clamp(0, 1) if whole.max() <= 1.5 else (whole / whole.max()).clamp(0, 1)


def load_samples(source: str | Path, config: DataConfig = DataConfig(), *, seed: int = 0) -> Samples:  # noqa: B008 - immutable
    """Training samples of a data set.

    Args:
        source: What `separata.labeled.load_splits` takes: a name, an .npz or .csv file, or a folder of images.
        config: How many, and how they are prepared.
        seed: Chooses them.

    Raises:
        ValueError: if the data is not laid out so, or pooling does not fit it.
        FileNotFoundError: if it is not there.
    """
    part = load_splits(source, seed=seed, size=config.size or None, n_train=config.n or None).train
    x = part.x
    if not bool(x.isfinite().all()):
        raise ValueError(f"{source} holds numbers that are not finite")
    if config.pool > 1:
        if x.ndim != 4 or min(x.shape[2:]) < config.pool:
            raise ValueError(
                f"pixels of {source} cannot be averaged in squares of {config.pool}: it has no such images"
            )
        x = avg_pool2d(x, config.pool)
    mean, scale = (float(x.mean()), float(x.std())) if config.standardize else (0.0, 1.0)
    if not scale > 0:
        raise ValueError(f"all numbers of {source} are the same, so that they cannot be standardized")
    return Samples((x - mean) / scale, part.y, part.classes, mean, scale)


def samples_in_order(path: str | Path) -> Samples:
    """All samples of a file in its own order, as they are, to look at beside losses that another program wrote.

    Args:
        path: An .npz file of `x` and `y`.

    Raises:
        ValueError: if it is none.
        FileNotFoundError: if it is not there.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise ValueError(
            f"{path} has an order of its own: beside losses, samples are an .npz file of x and y in the same order"
        )
    held = load_npz(path, ("x", "y"))
    x, y = held.get("x", np.zeros(0)), held.get("y", np.zeros(0))
    if x.ndim < 2 or y.shape != x.shape[:1] or y.dtype.kind not in "biu" or not len(y) or int(y.min()) < 0:
        raise ValueError(f"{path} must hold samples x and for each a class y, a whole number from 0 on")
    shape = x.shape[1:]
    if x.ndim == 3:
        shape = (1, *shape)
    elif x.ndim == 4 and shape[0] not in (1, 3) and shape[2] in (1, 3):
        shape = (shape[2], *shape[:2])
    samples = load_numbers(path, shape)
    classes = tuple(str(i) for i in range(int(y.max()) + 1))
    return Samples(samples, torch.from_numpy(y.astype(np.int64)), classes)


def bigram_samples(n: int, generator: torch.Generator, n_words: int = N_WORDS) -> Samples:
    """Generated text as pairs of a word, in one-hot code, and the next word.

    Words have the frequencies of Zipf's law. After each of the more frequent half, the next word is one of two with
    equal probability: opposing signals, since what serves one of the two continuations harms the other. After the rest
    it is always the same.

    Args:
        n: Pairs.
        generator: Draws them, and which words follow which.
        n_words: Words of the language.
    """
    frequency = 1 / torch.arange(1, n_words + 1).double()
    words = torch.multinomial(frequency, n, replacement=True, generator=generator)
    order = torch.Generator().manual_seed(0)
    following = torch.stack([torch.randperm(n_words, generator=order) for _ in range(2)])
    side = torch.randint(2, (n,), generator=generator) * (words < n_words // 2)
    names = tuple(f"{a}{b}" for a in string.ascii_lowercase for b in string.ascii_lowercase)[:n_words]
    return Samples(torch.nn.functional.one_hot(words, n_words).float(), following[side, words], names)
