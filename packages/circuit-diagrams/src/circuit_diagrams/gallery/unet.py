"""The U-Net."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class DoubleConvolution(nn.Sequential):
    """Two convolutions, each followed by a rectifier."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(
            nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU(), nn.Conv2d(n_out, n_out, 3, padding=1), nn.ReLU()
        )


class UNet(nn.Module):
    """Contracts and expands; what each level saw on its way down is joined to it on its way up.

    Height and width must be divisible by 2 to the power of the levels.
    """

    def __init__(self, n_in: int = 1, n_out: int = 2, widths: tuple[int, ...] = (8, 16, 32)) -> None:
        super().__init__()
        ins = (n_in, *widths)
        self.down = nn.ModuleList(DoubleConvolution(a, b) for a, b in zip(ins, widths, strict=False))
        self.pool = nn.MaxPool2d(2)
        self.bottom = DoubleConvolution(widths[-1], 2 * widths[-1])
        self.lift = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in reversed(widths))
        self.up = nn.ModuleList(DoubleConvolution(2 * width, width) for width in reversed(widths))
        self.head = nn.Conv2d(widths[0], n_out, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes h w"]:
        """What the network computes."""
        saved = []
        for block in self.down:
            x = block(x)
            saved.append(x)
            x = self.pool(x)
        x = self.bottom(x)
        for lift, block in zip(self.lift, self.up, strict=True):
            x = block(torch.cat((saved.pop(), lift(x)), 1))
        return self.head(x)
