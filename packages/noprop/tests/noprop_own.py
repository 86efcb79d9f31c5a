"""Blocks and data that the package did not make."""

import torch
from torch import nn
from torch.nn.functional import relu

from separata.labeled import LabeledDataset


class Residual(nn.Module):
    """A small residual network on images, with batch normalization."""

    def __init__(self, width=6):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.first = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        x = relu(self.stem(x))
        return relu(x + self.second(self.first(x))).mean((2, 3))


class OwnBlock(nn.Module):
    """A block of its own kind, without `encode`: the state is mixed in by a product."""

    def __init__(self, dim, n_outputs, width=6):
        super().__init__()
        self.backbone = Residual(width)
        self.gate = nn.Linear(dim, width)
        self.out = nn.Sequential(nn.Linear(2 * width, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, n_outputs))

    def forward(self, x, z):
        features = self.backbone(x)
        return self.out(torch.cat([features, features * torch.tanh(self.gate(z))], 1))


class Attentive(nn.Module):
    """A block without convolutions that is beyond any table of layers: attention over the features."""

    def __init__(self, dim, n_outputs, width=8):
        super().__init__()
        self.embed = nn.Parameter(torch.randn(6, width) / 3)
        self.state = nn.Linear(dim, width)
        self.out = nn.Linear(width, n_outputs)

    def forward(self, x, z):
        tokens = x[..., None] * self.embed
        weights = (tokens @ self.state(z)[:, :, None]).softmax(1)
        return self.out((weights * tokens).sum(1))


def blobs(n=300, n_features=6, n_classes=3, seed=0, spread=0.4):
    """Clusters of points, one a class."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % n_classes
    centers = torch.randn(n_classes, n_features, generator=torch.Generator().manual_seed(7))
    x = centers[y] + spread * torch.randn(n, n_features, generator=generator)
    return LabeledDataset(x, y, tuple(map(str, range(n_classes))))


def bars(n=120, seed=0):
    """Images of 8 x 8 pixels with a horizontal, a vertical or no bar."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 3
    x = 0.3 * torch.rand(n, 1, 8, 8, generator=generator)
    where = torch.randint(8, (n,), generator=generator)
    for i in range(n):
        if y[i] == 0:
            x[i, 0, where[i]] += 1
        elif y[i] == 1:
            x[i, 0, :, where[i]] += 1
    return LabeledDataset(x, y, ("horizontal", "vertical", "none"))
