"""The small networks that the experiments train and verify."""

import math
from collections.abc import Callable
from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bab_verify.bounds.adam import Adam
from bab_verify.frontends.onnx_shapes import shape
from separata import data
from separata.models import MLP

LINES = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (1, 3))
"""Buses that the lines of the power grid join; bus 0 feeds it."""
N_BUSES = 5
N_LOADS = 2 * (N_BUSES - 1)
CONDUCTANCE, SUSCEPTANCE = 1.0, -8.0
"""Of each line, per unit."""


class Sine(nn.Module):
    """The sine as an activation."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """sin(x)."""
        return x.sin()


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "sin": Sine,
    "gelu": nn.GELU,
}


class RowLSTM(nn.Module):
    """An LSTM that reads an image row by row, and a linear layer on its last state.

    Args:
        width: Pixels of a row.
        hidden: Size of the state.
        rows_at_once: Rows that one step of the LSTM takes.
    """

    def __init__(self, width: int = 8, hidden: int = 16, rows_at_once: int = 2) -> None:
        super().__init__()
        self.n_features = width * rows_at_once
        self.lstm = nn.LSTM(self.n_features, hidden, batch_first=True)
        self.classifier = nn.Linear(hidden, 10)

    def forward(self, x: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch 10"]:
        """The logits."""
        states, _ = self.lstm(x.flatten(1).unflatten(1, (-1, self.n_features)))
        return self.classifier(states[:, -1])


class Attention(nn.Module):
    """Self-attention of several heads.

    Args:
        dim: Size of a token.
        heads: Number of heads; they share out the size.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """The tokens that each attends to."""
        q, k, v = (f(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for f in (self.query, self.key, self.value))
        weights = torch.softmax(q @ k.transpose(2, 3) * self.scale, -1)
        return self.out((weights @ v).transpose(1, 2).flatten(2))


class TinyViT(nn.Module):
    """A vision transformer of few blocks, without normalisation.

    Args:
        image_size: Height and width of the image.
        patch: Height and width of a patch.
        dim: Size of a token.
        heads: Heads of the attention.
        blocks: Number of blocks.
        channels: Channels of the image.
    """

    def __init__(
        self, image_size: int = 8, patch: int = 4, dim: int = 16, heads: int = 2, blocks: int = 1, channels: int = 1
    ) -> None:
        super().__init__()
        self.embed = nn.Conv2d(channels, dim, patch, patch)
        self.position = nn.Parameter(0.1 * torch.randn((image_size // patch) ** 2, dim))
        self.attentions = nn.ModuleList(Attention(dim, heads) for _ in range(blocks))
        self.perceptrons = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim)) for _ in range(blocks)
        )
        self.classifier = nn.Linear(dim, 10)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 10"]:
        """The logits, of the mean token."""
        tokens = self.embed(x).flatten(2).transpose(1, 2) + self.position
        for attention, perceptron in zip(self.attentions, self.perceptrons, strict=True):
            tokens = tokens + attention(tokens)
            tokens = tokens + perceptron(tokens)
        return self.classifier(tokens.mean(1))


def make_convolutional(
    image_size: int, channels: int = 1, widths: tuple[int, int] = (8, 16), hidden: int = 50
) -> nn.Module:
    """Two convolutions that halve the image and two affine layers, with ReLUs.

    Args:
        image_size: Height and width of the image; a multiple of 4.
        channels: Channels of the image.
        widths: Channels of the convolutions.
        hidden: Size of the hidden affine layer.
    """
    return nn.Sequential(
        nn.Conv2d(channels, widths[0], 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(widths[0], widths[1], 4, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(widths[1] * (image_size // 4) ** 2, hidden),
        nn.ReLU(),
        nn.Linear(hidden, 10),
    )


def make_wide(image_size: int, width: int = 64) -> nn.Module:
    """A convolution at full resolution, which has most of the neurons, and two layers that shrink, with ReLUs.

    Args:
        image_size: Height and width of the image; a multiple of 4.
        width: Channels of the first convolution: 64 make 50,176 neurons of an image of 28 x 28.
    """
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, 8, 4, 4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * (image_size // 4) ** 2, 10),
    )


class PowerFlow(nn.Module):
    """A surrogate of a power grid: loads to voltages by a perceptron, and voltages to the flow through each line.

    The perceptron gives magnitudes V and angles theta of the buses; the flow of active power into a line of admittance
    g + jb from bus i to bus j is g V_i^2 - V_i V_j (g cos(theta_i - theta_j) + b sin(theta_i - theta_j)).

    Args:
        hidden: Size of the perceptron's hidden layer.
    """

    start: Tensor
    end: Tensor

    def __init__(self, hidden: int = 24) -> None:
        super().__init__()
        self.perceptron = MLP((N_LOADS, hidden, 2 * (N_BUSES - 1)), nn.Tanh)
        identity = torch.eye(N_BUSES)
        self.register_buffer("start", identity[:, [i for i, _ in LINES]])
        self.register_buffer("end", identity[:, [j for _, j in LINES]])

    def voltages(
        self, loads: Float[Tensor, "batch loads"]
    ) -> tuple[Float[Tensor, "batch buses"], Float[Tensor, "batch buses"]]:
        """Magnitudes and angles of the buses; those of bus 0 are 1 and 0."""
        found = torch.nn.functional.pad(0.3 * self.perceptron(loads), (1, 0))
        magnitudes, angles = found[:, :N_BUSES], torch.nn.functional.pad(found[:, N_BUSES:], (1, 0))
        return 1 + magnitudes, angles

    def forward(self, loads: Float[Tensor, "batch loads"]) -> Float[Tensor, "batch lines"]:
        """The active power that flows through each line."""
        magnitudes, angles = self.voltages(loads)
        first, second = magnitudes @ self.start, magnitudes @ self.end
        angle = angles @ self.start - angles @ self.end
        bent = CONDUCTANCE * angle.cos() + SUSCEPTANCE * angle.sin()
        return CONDUCTANCE * first * first - first * second * bent

    def mismatch(self, loads: Float[Tensor, "batch loads"]) -> Float[Tensor, "batch loads"]:
        """What flows into buses 1, 2, ... more than their loads: active and then reactive power."""
        magnitudes, angles = self.voltages(loads)
        g, b = CONDUCTANCE, SUSCEPTANCE
        flows = []
        for near, far in ((self.start, self.end), (self.end, self.start)):
            first, second, angle = magnitudes @ near, magnitudes @ far, angles @ near - angles @ far
            active = g * first * first - first * second * (g * angle.cos() + b * angle.sin())
            reactive = -b * first * first - first * second * (g * angle.sin() - b * angle.cos())
            flows.append(torch.stack([active @ near.T, reactive @ near.T], 1))
        return -(flows[0] + flows[1])[:, :, 1:].flatten(1) - loads


def nominal_loads(n: int, generator: torch.Generator) -> Float[Tensor, "n loads"]:
    """Loads of the buses after the first: active ones of 0.2 to 0.6, and a third of that as reactive ones."""
    active = 0.2 + 0.4 * torch.rand(n, N_BUSES - 1, generator=generator)
    return torch.cat([active, active / 3], 1)


def corners(center: Float[Tensor, "n"], radius: float) -> Float[Tensor, "corners n"]:
    """All corners of a box."""
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=len(center))))
    return center + radius * signs


def train_power_flow(model: PowerFlow, steps: int, generator: torch.Generator) -> float:
    """Teach a surrogate to balance power at every bus.

    Returns:
        The mean mismatch at the end, per unit.
    """
    parameters = list(model.parameters())
    adam = Adam([(parameter, 1e-2) for parameter in parameters])
    device = model.start.device
    for step in range(steps):
        loads = nominal_loads(128, generator)
        loads = loads + 0.1 * (torch.rand(loads.shape, generator=generator) - 0.5)
        loss = model.mismatch(loads.to(device)).square().mean()
        adam.step(torch.autograd.grad(loss, parameters), _cosine(step, steps))
    with torch.no_grad():
        return model.mismatch(nominal_loads(512, generator).to(device)).abs().mean().item()


def train_classifier(
    model: nn.Module,
    images: Float[Tensor, "n *shape"],
    labels: Int[Tensor, "n"],
    *,
    epochs: int,
    radius: float,
    generator: torch.Generator,
    batch_size: int = 64,
) -> None:
    """Train a classifier on images moved against it: one signed gradient step of length `radius` from a random start.

    Args:
        model: Maps images to logits; it is left in evaluation mode.
        images: Intensities in [0, 1].
        labels: Their classes.
        epochs: Passes over the images.
        radius: How far each pixel may move; 0 for plain training.
        generator: Draws the order and the starts.
        batch_size: Images in a step.
    """
    parameters = list(model.parameters())
    adam = Adam([(parameter, 2e-3) for parameter in parameters])
    model.train()
    for epoch in range(epochs):
        for x, y in data.batches((images, labels), batch_size, generator):
            moved = _moved(model, x, y, radius, generator) if radius else x
            loss = cross_entropy(model(moved), y)
            adam.step(torch.autograd.grad(loss, parameters), _cosine(epoch, epochs))
    model.eval()


def _cosine(step: int, steps: int) -> float:
    """Share of the learning rate at a step, counted from 0: it falls from 1 to 0 as half a period of the cosine."""
    return (1 + math.cos(math.pi * step / steps)) / 2


def _moved(model: nn.Module, x: Tensor, y: Tensor, radius: float, generator: torch.Generator) -> Tensor:
    noise = (2 * torch.rand(x.shape, generator=generator) - 1).to(x)
    start = (x + radius * noise).clamp(0, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(cross_entropy(model(start), y), start)
    step = (start + 1.25 * radius * gradient.sign() - x).clamp(-radius, radius)
    return (x + step).clamp(0, 1).detach()
