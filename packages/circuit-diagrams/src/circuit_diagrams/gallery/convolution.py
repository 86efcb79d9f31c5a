"""Convolution and its variants."""

from jaxtyping import Float
from torch import Tensor, nn


class Convolutions(nn.Module):
    """Strided, dilated, grouped and transposed convolutions in a row, with a pooling."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.strided = nn.Conv2d(3, channels, 3, stride=2, padding=1)
        self.dilated = nn.Conv2d(channels, channels, 3, padding=2, dilation=2)
        self.grouped = nn.Conv2d(channels, 2 * channels, 3, padding=1, groups=2)
        self.pool = nn.MaxPool2d(2)
        self.transposed = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c h2 w2"]:
        """What the network computes."""
        x = self.dilated(self.strided(x).relu()).relu()
        return self.transposed(self.pool(self.grouped(x).relu()))
