"""Residual networks: with identity mappings, and ResNet-50."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn


class IdentityBlock(nn.Module):
    """A bottleneck in which normalization and nonlinearity come before each convolution, so that the sum is bare."""

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        width = n_out // 4
        self.residual = nn.Sequential(
            nn.BatchNorm2d(n_in),
            nn.ReLU(),
            nn.Conv2d(n_in, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, n_out, 1, bias=False),
        )
        is_same = n_in == n_out and stride == 1
        self.shortcut = nn.Identity() if is_same else nn.Conv2d(n_in, n_out, 1, stride, bias=False)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h2 w2"]:
        """What the network computes."""
        return self.shortcut(x) + self.residual(x)


class IdentityResNet(nn.Module):
    """ResNet with identity mappings for small images: three stages of n blocks."""

    def __init__(self, n_blocks: int = 3, widths: tuple[int, ...] = (16, 64, 128, 256), n_classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    IdentityBlock(n_in, n_out, stride=1 if i == 0 else 2),
                    *(IdentityBlock(n_out, n_out) for _ in range(n_blocks - 1)),
                )
                for i, (n_in, n_out) in enumerate(pairwise(widths))
            )
        )
        self.norm = nn.BatchNorm2d(widths[-1])
        self.head = nn.Linear(widths[-1], n_classes)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b classes"]:
        """What the network computes."""
        x = self.norm(self.stages(self.stem(x))).relu()
        return self.head(x.mean((-2, -1)))


class Bottleneck(nn.Module):
    """The block of ResNet-50."""

    def __init__(self, n_in: int, width: int, stride: int = 1) -> None:
        super().__init__()
        n_out = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(n_in, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, n_out, 1, bias=False), nn.BatchNorm2d(n_out)
        self.downsample = (
            nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))
            if n_in != n_out or stride > 1
            else nn.Identity()
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h2 w2"]:
        """What the network computes."""
        out = self.bn1(self.conv1(x)).relu()
        out = self.bn2(self.conv2(out)).relu()
        return (self.bn3(self.conv3(out)) + self.downsample(x)).relu()


class ResNet(nn.Module):
    """A residual network of bottlenecks; the default is ResNet-50, with its 25,557,032 parameters."""

    def __init__(self, depths: tuple[int, ...] = (3, 4, 6, 3), width: int = 64, n_classes: int = 1000) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, padding=3, bias=False), nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        stages, n_in = [], width
        for i, depth in enumerate(depths):
            inner = width * 2**i
            blocks = [Bottleneck(n_in, inner, stride=1 if i == 0 else 2)]
            blocks += [Bottleneck(4 * inner, inner) for _ in range(depth - 1)]
            stages.append(nn.Sequential(*blocks))
            n_in = 4 * inner
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(n_in, n_classes)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b classes"]:
        """What the network computes."""
        x = self.pool(self.bn1(self.conv1(x)).relu())
        return self.head(self.stages(x).mean((-2, -1)))
