"""Training networks that differ in their seeds alone."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from separata import training

from .configs import TrainConfig
from .networks import small_convnet


def make_network(seed: int, n_classes: int = 10, in_channels: int = 1, size: int = 28) -> nn.Module:
    """The small network with initial weights of a seed, untrained."""
    with training.seeded(seed):
        return small_convnet(n_classes, in_channels, size)


def train_network(
    images: Float[Tensor, "n channels height width"], labels: Int[Tensor, " n"], config: TrainConfig, seed: int
) -> nn.Module:
    """The small network, trained by Adam; the seed draws its initial weights and the order of images."""
    net = make_network(seed, int(labels.max()) + 1, images.shape[1], images.shape[-1]).to(images.device)
    training.train(
        net,
        images,
        labels,
        epochs=config.epochs,
        batch_size=config.batch_size,
        optimizer=torch.optim.Adam(net.parameters(), lr=config.lr),
        generator=torch.Generator().manual_seed(seed),
    )
    return net.eval()
