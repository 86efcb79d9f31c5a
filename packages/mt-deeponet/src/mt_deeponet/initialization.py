"""Initial weights as published: Glorot's normal distribution with small biases, or small normal numbers throughout."""

import torch
from torch import nn

BIAS_STD = 0.01
"""Of the biases of networks for source terms and shapes."""
SMALL_STD = 0.001
"""Of all numbers of networks for plates."""


@torch.no_grad()
def glorot(module: nn.Module) -> None:
    """Weights of affine and convolutional layers from Glorot's normal distribution, biases from N(0, 0.01²)."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.xavier_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.normal_(layer.bias, std=BIAS_STD)


@torch.no_grad()
def small(module: nn.Module) -> None:
    """Weights and biases of affine layers from N(0, 0.001²)."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=SMALL_STD)
            if layer.bias is not None:
                nn.init.normal_(layer.bias, std=SMALL_STD)
