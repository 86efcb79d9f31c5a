"""Networks that are trained, and properties of them."""

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bab_verify.properties.specification import Clause, Query, Specification, make_robustness
from separata import data
from separata.models import MLP

from . import networks
from .radius import Property

SPARE = 0.02
"""By how much the limit of a line exceeds its largest flow at the corners of the box, as a share of the range there."""


@dataclass(frozen=True)
class Recipe:
    """A network to train: everything that it depends on but the seed."""

    network: str = "mlp"
    """mlp, cnn, wide, lstm, vit, or power."""
    activation: str = "relu"
    """Of the mlp."""
    dataset: str = "digits"
    size: int | None = None
    """Height and width that images are resized to."""
    hidden: tuple[int, ...] = (50, 50)
    """Of the mlp; the two convolutions' channels of the cnn, those of the first of wide; tokens and blocks of vit."""
    epochs: int = 40
    """Passes over the images; of power, hundreds of steps."""
    radius: float = 0.1
    """Of the perturbations in training."""
    start: float = 0.08
    """The first radius that is tried for verification."""


class Numbers(NamedTuple):
    """How many properties: those that are to be decided, and others to choose a radius on."""

    properties: int
    validation: int


class Made(NamedTuple):
    """A trained network's properties.

    Args:
        quality: How good the network is.
        properties: Those that are to be decided.
        validation: Those to choose the radius on.
        example: An input of the network.
    """

    quality: float
    properties: list[Property]
    validation: list[Property]
    example: Tensor


def make_network(recipe: Recipe) -> nn.Module:
    """The network of a recipe, untrained."""
    if recipe.network == "power":
        return networks.PowerFlow(*recipe.hidden[:1])
    channels, height, width = _images(recipe, "train").images.shape[1:]
    if recipe.network == "mlp":
        return MLP((channels * height * width, *recipe.hidden, 10), networks.ACTIVATIONS[recipe.activation])
    if recipe.network == "lstm":
        return networks.RowLSTM(width, recipe.hidden[0])
    if recipe.network == "vit":
        dim, blocks = recipe.hidden
        return networks.TinyViT(height, dim=dim, blocks=blocks, channels=channels)
    if recipe.network == "wide":
        return networks.make_wide(height, recipe.hidden[0])
    return networks.make_convolutional(height, channels, (recipe.hidden[0], recipe.hidden[1]))


def make_properties(recipe: Recipe, module: nn.Module, numbers: Numbers, generator: torch.Generator) -> Made:
    """Train the network of a recipe, and make properties of it."""
    make = _power if recipe.network == "power" else _classifier
    return make(recipe, module, numbers, generator)


def _images(recipe: Recipe, split: str) -> data.ImageDataset:
    return data.load(recipe.dataset, split=split, size=recipe.size)


def _classifier(recipe: Recipe, module: nn.Module, numbers: Numbers, generator: torch.Generator) -> Made:
    device = next(module.parameters()).device
    train, test = (_images(recipe, split) for split in ("train", "test"))
    order = torch.randperm(len(train), generator=generator)
    n_held = min(len(train) // 5, 20 * numbers.validation)
    held, used = train.subset(order[:n_held]), train.subset(order[n_held:]).to(device)
    networks.train_classifier(
        module,
        used.images,
        used.labels,
        epochs=recipe.epochs,
        radius=recipe.radius,
        generator=generator,
    )
    test = test.subset(torch.randperm(len(test), generator=generator))
    right = _is_right(module, test)
    properties = _robustness(test.subset(right.nonzero().squeeze(1)[: numbers.properties]))
    validation = _robustness(held.subset(_is_right(module, held).nonzero().squeeze(1)[: numbers.validation]))
    return Made(right.float().mean().item(), properties, validation, test.images[:1])


@torch.no_grad()
def _is_right(module: nn.Module, images: data.ImageDataset) -> Tensor:
    device = next(module.parameters()).device
    found = torch.cat([module(batch.to(device)).argmax(1).cpu() for batch in images.images.split(512)])
    return found == images.labels


def _robustness(images: data.ImageDataset) -> list[Property]:
    def one(image: Tensor, label: int) -> Property:
        return lambda radius: make_robustness(image, label, radius, images.n_classes)

    return [one(*pair) for pair in zip(images.images, images.labels.tolist(), strict=True)]


def _power(recipe: Recipe, module: nn.Module, numbers: Numbers, generator: torch.Generator) -> Made:
    """For nominal loads and each line: the flow stays within a limit, whatever the loads in a box."""
    assert isinstance(module, networks.PowerFlow)  # noqa: S101
    mismatch = networks.train_power_flow(module, 100 * recipe.epochs, generator)
    module = module.cpu()
    loads = networks.nominal_loads(numbers.properties + numbers.validation, generator)
    found = [[_flow_limit(module, center, line) for line in range(len(networks.LINES))] for center in loads]
    properties, validation = (
        list(itertools.chain.from_iterable(part)) for part in (found[: numbers.properties], found[numbers.properties :])
    )
    return Made(mismatch, properties, validation, loads[:1])


def _flow_limit(module: networks.PowerFlow, center: Tensor, line: int) -> Property:
    @torch.no_grad()
    def prop(radius: float) -> Specification:
        flow = module(networks.corners(center, radius))[:, line]
        limit = (flow.abs().max() + SPARE * (flow.max() - flow.min())).reshape(1)
        c = torch.zeros(1, len(networks.LINES))
        c[0, line] = 1
        return Specification((Query(center - radius, center + radius, (Clause(c, -limit), Clause(-c, -limit))),))

    return prop
