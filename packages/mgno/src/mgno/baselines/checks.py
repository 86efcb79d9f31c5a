"""What the baselines refuse: sizes that make no network, and inputs that do not fit one."""

from torch import Tensor


def check_sizes(**sizes: int) -> None:
    """Refuse a size of a network that is not positive.

    Raises:
        ValueError: naming the first one that is not.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, not {size}")


def check_input(x: Tensor, in_channels: int, least: int = 1, reason: str = "") -> None:
    """Refuse an input that a network cannot take.

    Args:
        x: The input.
        in_channels: Channels that the network takes.
        least: The smallest height and width that it takes.
        reason: Where these come from, as in `"with 4 levels"`.

    Raises:
        ValueError: if x is not of shape (batch, in_channels, height, width) with both at least `least`.
    """
    if x.ndim != 4:
        raise ValueError(f"the input must have shape (batch, channels, height, width), not {tuple(x.shape)}")
    if x.shape[1] != in_channels:
        raise ValueError(f"the network takes {in_channels} input channels, not {x.shape[1]}")
    if min(x.shape[2:]) < least:
        height, width = x.shape[2:]
        raise ValueError(f"the grid must be at least {least}x{least}{reason and f' {reason}'}, not {height}x{width}")
