"""The Fourier neural operator of Li et al. (2021), in its authors' present form."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .checks import check_input, check_sizes


def coordinates(height: int, width: int, like: Tensor) -> Float[Tensor, "2 height width"]:
    """The coordinates i/height and j/width of the points of a grid on the unit square."""
    axes = [torch.arange(n, device=like.device, dtype=like.dtype) / n for n in (height, width)]
    return torch.stack(torch.meshgrid(axes, indexing="ij"))


def pointwise_mlp(in_channels: int, hidden: int, out_channels: int) -> nn.Sequential:
    """The same perceptron of one hidden layer at every point."""
    return nn.Sequential(nn.Conv2d(in_channels, hidden, 1), nn.GELU(), nn.Conv2d(hidden, out_channels, 1))


class SpectralConv2d(nn.Module):
    r"""A linear map on the lowest Fourier modes (Li et al. 2021, section 4, equation 4).

    $\hat v_o(k) = \sum_i R_{io}(k) \hat u_i(k)$ for the wavenumbers -m_1 ≤ k_1 < m_1 and 0 ≤ k_2 < m_2, all others are
    zero, and a constant is added to each channel. On a grid that does not hold all of these modes, those that it holds
    are used. The transform is normalized by the number of points, so that the map is the same at all resolutions.

    The complex weights are kept as pairs of real numbers, which all optimizers and file formats take, and which count
    as two parameters, as in Li et al.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        n_modes: m_1 and m_2.
    """

    def __init__(self, in_channels: int, out_channels: int, n_modes: tuple[int, int]) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.n_modes = in_channels, out_channels, n_modes
        std = (2 / (in_channels + out_channels)) ** 0.5
        rows, columns = 2 * n_modes[0], n_modes[1]
        self.weight = nn.Parameter(torch.randn(rows, columns, in_channels, out_channels, 2) * std / 2**0.5)
        self.bias = nn.Parameter(torch.randn(out_channels, 1, 1) * std)

    def forward(self, u: Float[Tensor, "batch c_in height width"]) -> Float[Tensor, "batch c_out height width"]:
        """The map's value, computed in single precision at least, on the grid of u."""
        with torch.autocast(u.device.type, enabled=False):
            dtype = torch.promote_types(self.weight.dtype, torch.float32)
            return (self._map(u.to(dtype), self.weight.to(dtype)) + self.bias).to(u.dtype)

    def _map(self, u: Tensor, weight: Tensor) -> Tensor:
        height, width = u.shape[2:]
        below, above = min(self.n_modes[0], height // 2), min(self.n_modes[0], (height + 1) // 2)
        columns = min(self.n_modes[1], width // 2 + 1)
        center = self.n_modes[0]
        kept = torch.view_as_complex(weight[center - below : center + above, :columns].contiguous())

        modes = torch.fft.rfft(u, norm="forward")[..., :columns]
        modes = torch.fft.fft(modes, dim=2, norm="forward")
        modes = torch.cat([modes[:, :, height - below :], modes[:, :, :above]], 2)
        modes = torch.einsum("bixy,xyio->boxy", modes, kept)
        rest = modes.new_zeros(*modes.shape[:2], height - below - above, columns)
        modes = torch.cat([modes[:, :, below:], rest, modes[:, :, :below]], 2)
        modes = torch.fft.ifft(modes, dim=2, norm="forward")
        return torch.fft.irfft(modes, n=width, norm="forward")


class FourierLayer(nn.Module):
    """One layer on the hidden function: v = act(K u + W u), then act(MLP(v) + g u).

    K is the spectral convolution, W a matrix and MLP a perceptron at every point, and g a factor for each channel. The
    last layer of a network has no activations act.

    Args:
        width: Channels.
        n_modes: Modes of the spectral convolution along the two axes.
        hidden: Hidden units of the perceptron.
        is_last: Whether it is the last layer.
    """

    def __init__(self, width: int, n_modes: tuple[int, int], hidden: int, *, is_last: bool = False) -> None:
        super().__init__()
        self.spectral = SpectralConv2d(width, width, n_modes)
        self.skip = nn.Conv2d(width, width, 1, bias=False)
        self.mlp = pointwise_mlp(width, hidden, width)
        self.gate = nn.Parameter(torch.ones(width, 1, 1))
        self.activation = nn.Identity() if is_last else nn.GELU()

    def forward(self, u: Float[Tensor, "batch width h w"]) -> Float[Tensor, "batch width h w"]:
        """The next hidden function."""
        v = self.activation(self.spectral(u) + self.skip(u))
        return self.activation(self.mlp(v) + self.gate * u)


class FNO(nn.Module):
    """The Fourier neural operator: lifting, Fourier layers, projection (Li et al. 2021, arXiv 2010.08895, figure 2).

    The layers are those of the authors' library `neuraloperator` 2.0, with a perceptron in each (see `FourierLayer`),
    and equal its own where both are given the same weights. In the paper a layer is act(K u + W u) alone, the lifting
    is linear, and the projection has 128 hidden units; the number of parameters is nearly the same. Modes are counted
    as in the paper: `n_modes=12` is `n_modes=(24, 22)` of the library.

    It is periodic unless told where it is (`positional`) or given room beyond the boundary (`padding`), and sees only
    the modes that it keeps: for boundary layers and sharp interfaces, convolutions are better suited.

    Args:
        in_channels: Channels of the input function.
        out_channels: Channels of the output function.
        width: Channels of the hidden functions.
        n_modes: Positive wavenumbers that are kept, along both axes or along each. At a grid of fewer than 2 n_modes
            points, those that it holds are used.
        num_layers: Fourier layers.
        positional: Whether the points' coordinates, i/H and j/W, are two more input channels.
        padding: Zeros around the hidden function in the Fourier layers, as a share of the grid's size on each side;
            for functions that are not periodic.
        lifting_ratio: Hidden units of the lifting, in widths.
        projection_ratio: Hidden units of the projection, in widths.
        mlp_ratio: Hidden units of the layers' perceptrons, in widths.

    Raises:
        ValueError: if a size is not positive, or the padding is negative.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int = 32,
        n_modes: int | tuple[int, int] = 12,
        num_layers: int = 4,
        *,
        positional: bool = True,
        padding: float = 0.0,
        lifting_ratio: float = 2.0,
        projection_ratio: float = 2.0,
        mlp_ratio: float = 0.5,
    ) -> None:
        super().__init__()
        modes = (n_modes, n_modes) if isinstance(n_modes, int) else n_modes
        lifted, projected, hidden = (round(ratio * width) for ratio in (lifting_ratio, projection_ratio, mlp_ratio))
        check_sizes(in_channels=in_channels, out_channels=out_channels, width=width, num_layers=num_layers)
        check_sizes(n_modes=min(modes))
        check_sizes(**{"lifting_ratio * width": lifted, "projection_ratio * width": projected})
        check_sizes(**{"mlp_ratio * width": hidden})
        if padding < 0:
            raise ValueError(f"padding must be a share of the grid's size, not {padding}")
        self.in_channels, self.positional, self.padding = in_channels, positional, padding
        self.lifting = pointwise_mlp(in_channels + 2 * positional, lifted, width)
        self.layers = nn.Sequential(
            *(FourierLayer(width, modes, hidden, is_last=i == num_layers - 1) for i in range(num_layers))
        )
        self.projection = pointwise_mlp(width, projected, out_channels)

    def forward(self, x: Float[Tensor, "batch c_in h w"]) -> Float[Tensor, "batch c_out h w"]:
        """The output function on the grid of the input function.

        Raises:
            ValueError: if x has other channels.
        """
        check_input(x, self.in_channels)
        height, width = x.shape[2:]
        if self.positional:
            where = coordinates(height, width, like=x)
            x = torch.cat([x, where.expand(len(x), -1, -1, -1)], 1)
        v, down, across = self.lifting(x), round(self.padding * height), round(self.padding * width)
        v = self.layers(F.pad(v, (across, across, down, down)))
        return self.projection(v[:, :, down : down + height, across : across + width])
