"""The small convolutional network of the experiments."""

from collections import OrderedDict

from torch import nn


def small_convnet(n_classes: int = 10, in_channels: int = 1, size: int = 28) -> nn.Sequential:
    """Three convolutions of 16, 32 and 32 channels with ReLU, two poolings, and a hidden affine layer of 64 units.

    The layers are `conv1`, `relu1`, `pool1`, `conv2`, ..., `fc4`, `relu4` and `out`.

    Args:
        n_classes: Number of logits.
        in_channels: Channels of the images.
        size: Height and width of the images.

    Raises:
        ValueError: if the images are smaller than 4 pixels.
    """
    if size < 4:
        raise ValueError(f"the network pools twice and needs images of 4 or more pixels, not {size}")
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(in_channels, 16, 5, padding=2),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(16, 32, 5, padding=2),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            conv3=nn.Conv2d(32, 32, 3, padding=1),
            relu3=nn.ReLU(),
            flatten=nn.Flatten(),
            fc4=nn.Linear(32 * (size // 4) ** 2, 64),
            relu4=nn.ReLU(),
            out=nn.Linear(64, n_classes),
        )
    )
