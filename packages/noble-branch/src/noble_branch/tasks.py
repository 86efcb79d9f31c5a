"""What networks are trained on: text, pixels, images and a curve."""

import math
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from separata import data
from separata.training import fingerprint

from .configs import NetworkConfig, TaskConfig
from .mixing import cutmix, mixup
from .regression import multi_frequency, power_spectrum
from .text import Corpus, corpus_from_text, find_text, read_text, standard_library

Split = Literal["train", "validation", "test"]

MASKED = 0.15
"""Share of places that a masked model is to fill in."""
N_GRAY = 16
"""Gray levels of pixels as tokens."""
N_EVALUATED = 64
"""Contexts of text, and images as pixels, on which an evaluation takes the mean."""
N_CLASSIFIED = 500
"""Images that an evaluation classifies."""


@runtime_checkable
class Task(Protocol):
    """Something to learn."""

    network: NetworkConfig
    """Inputs and outputs of its network."""
    fingerprint: str
    """A digest of its data."""

    def loss(self, model: nn.Module, batch_size: int, generator: torch.Generator) -> Tensor:
        """Mean loss on a batch of the training data."""

    def evaluate(self, model: nn.Module, split: Split) -> float:
        """Mean loss on data that is held out."""


class Characters:
    """The next character of a text, or masked ones.

    Args:
        corpus: The text.
        length: Context, in characters.
        causal: Whether the next character is to be told, instead of masked ones.
        device: Where the text lives.
    """

    def __init__(self, corpus: Corpus, length: int, *, causal: bool, device: str = "cpu") -> None:
        self.corpus, self.length, self.causal = corpus, length, causal
        self.parts = {name: corpus.split(name).to(device) for name in ("train", "validation", "test")}
        self.mask = len(corpus.vocabulary)
        self.network = NetworkConfig("next" if causal else "masked", self.mask + 1, length)
        self.fingerprint = fingerprint(corpus.tokens)

    def loss(self, model: nn.Module, batch_size: int, generator: torch.Generator) -> Tensor:
        """Cross-entropy per character, in nats."""
        part = self.parts["train"]
        starts = torch.randint(len(part) - self.length, (batch_size,), generator=generator)
        return self._loss(model, part, starts, generator)

    def evaluate(self, model: nn.Module, split: Split) -> float:
        """On contexts that are spread evenly over the part, with the same masks each time."""
        part = self.parts[split]
        starts = torch.linspace(0, len(part) - self.length - 1, min(N_EVALUATED, len(part) // self.length)).long()
        return self._loss(model, part, starts, torch.Generator().manual_seed(0)).item()

    def _loss(self, model: nn.Module, part: Tensor, starts: Tensor, generator: torch.Generator) -> Tensor:
        windows = part[(starts[:, None] + torch.arange(self.length + 1)).to(part.device)]
        if self.causal:
            return F.cross_entropy(model(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())
        tokens = windows[:, :-1]
        shown, hidden = mask_tokens(tokens, self.mask, generator)
        return F.cross_entropy(model(shown)[hidden], tokens[hidden])


def mask_tokens(tokens: Tensor, mask: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Hide places as BERT does: of 15 %, 80 % become the mask, 10 % a random token, 10 % stay.

    Args:
        tokens: Of shape (batch, length), all below `mask`.
        mask: The number of the mask token, and of the others.
        generator: On the CPU.

    Returns:
        The tokens to show, and which places are to be filled in.
    """
    draw = torch.rand(tokens.shape, generator=generator).to(tokens.device)
    noise = torch.randint(mask, tokens.shape, generator=generator).to(tokens.device)
    shown = torch.where(draw < MASKED * 0.8, mask, torch.where(draw < MASKED * 0.9, noise, tokens))
    return shown, draw < MASKED


class _Images:
    """A data set of images, of which a tenth of the training images is for validation."""

    def __init__(self, name: str, device: str) -> None:
        train, test = data.load(name, device=device), data.load(name, split="test", device=device)
        order = torch.randperm(len(train.labels), generator=torch.Generator().manual_seed(0)).to(train.labels.device)
        held = len(order) // 10
        self.parts = {
            "train": (train.images[order[held:]], train.labels[order[held:]]),
            "validation": (train.images[order[:held]], train.labels[order[:held]]),
            "test": (test.images, test.labels),
        }
        self.n_classes = int(train.labels.max()) + 1
        self.fingerprint = fingerprint(train.images, train.labels)

    def batch(self, batch_size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        images, labels = self.parts["train"]
        chosen = torch.randint(len(labels), (batch_size,), generator=generator).to(labels.device)
        return images[chosen], labels[chosen]

    def some(self, split: Split, n: int) -> tuple[Tensor, Tensor]:
        images, labels = self.parts[split]
        chosen = torch.linspace(0, len(labels) - 1, min(n, len(labels))).long().to(labels.device)
        return images[chosen], labels[chosen]


class Pixels:
    """The next pixel of an image, from the top left, in 16 gray levels."""

    def __init__(self, name: str, device: str = "cpu") -> None:
        self.images = _Images(name, device)
        # One token more than gray levels, for the start.
        self.network = NetworkConfig("next", N_GRAY + 1, self.images.parts["test"][0][0, 0].numel())
        self.fingerprint = self.images.fingerprint

    def loss(self, model: nn.Module, batch_size: int, generator: torch.Generator) -> Tensor:
        """Cross-entropy per pixel, in nats."""
        return self._loss(model, self.images.batch(batch_size, generator)[0])

    def evaluate(self, model: nn.Module, split: Split) -> float:
        """On images that are spread evenly over the part."""
        return self._loss(model, self.images.some(split, N_EVALUATED)[0]).item()

    def _loss(self, model: nn.Module, images: Tensor) -> Tensor:
        pixels = (images.mean(1).flatten(1) * (N_GRAY - 1)).round().long()
        return F.cross_entropy(model(F.pad(pixels, (1, 0), value=N_GRAY)[:, :-1]).flatten(0, 1), pixels.flatten())


class Classes:
    """The class of an image."""

    def __init__(self, name: str, patch: int, augmentation: str, device: str = "cpu") -> None:
        self.images, self.augmentation = _Images(name, device), augmentation
        channels, size = self.images.parts["test"][0].shape[1:3]
        self.network = NetworkConfig("classes", self.images.n_classes, size, channels, patch)
        self.fingerprint = self.images.fingerprint

    def loss(self, model: nn.Module, batch_size: int, generator: torch.Generator) -> Tensor:
        """Cross-entropy; of both labels, by their shares, where images are mixed."""
        images, labels = self.images.batch(batch_size, generator)
        if self.augmentation == "none":
            return F.cross_entropy(model(images), labels)
        mix, alpha = (mixup, 0.2) if self.augmentation == "mixup" else (cutmix, 1.0)
        images, partner, share = mix(images, alpha, generator)
        logits = model(images)
        return share * F.cross_entropy(logits, labels) + (1 - share) * F.cross_entropy(logits, labels[partner])

    def evaluate(self, model: nn.Module, split: Split) -> float:
        """Cross-entropy on images that are spread evenly over the part."""
        images, labels = self.images.some(split, N_CLASSIFIED)
        return F.cross_entropy(model(images), labels).item()


class Regression:
    """A sum of sines of six frequencies on [-1, 1], with random phases."""

    n_grid = 1024

    def __init__(self, seed: int, device: str = "cpu") -> None:
        self.device = device
        self.phases = 2 * math.pi * torch.rand(6, generator=torch.Generator().manual_seed(seed))
        self.network = NetworkConfig("curve")
        self.fingerprint = fingerprint(self.phases)

    def loss(self, model: nn.Module, batch_size: int, generator: torch.Generator) -> Tensor:
        """Mean square error at random points."""
        return self._residual(model, 2 * torch.rand(batch_size, generator=generator) - 1).square().mean()

    def evaluate(self, model: nn.Module, split: Split) -> float:
        """On an even grid; those of the parts lie between each other."""
        return self._residual(model, self._grid(split)).square().mean().item()

    def fit(self, model: nn.Module) -> dict[str, list[float]]:
        """The curve and what the network makes of it, at 256 points."""
        x = self._grid("test")[::4].to(self.device)
        with torch.no_grad():
            fitted = model(x[:, None])[:, 0]
        return {"x": x.tolist(), "target": multi_frequency(x, self.phases).tolist(), "fit": fitted.tolist()}

    def residual_spectrum(self, model: nn.Module) -> Tensor:
        """Power of what the network leaves of the curve, by frequency, as `power_spectrum` has it."""
        with torch.no_grad():
            return power_spectrum(self._residual(model, self._grid("test")))

    def _grid(self, split: Split) -> Tensor:
        return (torch.arange(self.n_grid) + (0.5 if split == "validation" else 0)) * 2 / self.n_grid - 1

    def _residual(self, model: nn.Module, x: Tensor) -> Tensor:
        x = x.to(self.device)
        return model(x[:, None])[:, 0] - multi_frequency(x, self.phases)


def make_task(config: TaskConfig, seed: int = 0, device: str = "cpu") -> Task:
    """The task of a configuration.

    Args:
        config: Which.
        seed: Draws the curve of a regression; the others are the same for each.
        device: Where its data lives.

    Raises:
        ValueError: if the text is too short, or the data set is not known.
        OSError: if a file cannot be read.
    """
    if config.name == "regression":
        return Regression(seed, device)
    if config.name == "pixels":
        return Pixels(config.data or "digits", device)
    if config.name == "vit":
        return Classes(config.data or "digits", config.patch, config.augmentation, device)
    text = read_text(find_text(config.data)) if config.data else standard_library(config.n_characters)
    corpus = corpus_from_text(text, length=config.length)
    return Characters(corpus, config.length, causal=config.name != "mlm", device=device)
