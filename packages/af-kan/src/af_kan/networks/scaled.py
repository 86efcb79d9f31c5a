"""A network with the scales of its inputs and outputs, so that it takes data as it is."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

IMAGE_AXES = 4


class ScaledNetwork(nn.Module):
    """output = shift_y + scale_y · network((x - shift) / scale), with samples flattened first.

    Args:
        network: From (batch, in_features) to (batch, out_features).
        n_inputs: Numbers of a sample.

    Attributes:
        input_shift, input_scale: One for each number of a sample.
        output_shift, output_scale: Numbers.
    """

    input_shift: Tensor
    input_scale: Tensor
    output_shift: Tensor
    output_scale: Tensor

    def __init__(self, network: nn.Module, n_inputs: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("input_shift", torch.zeros(n_inputs))
        self.register_buffer("input_scale", torch.ones(n_inputs))
        self.register_buffer("output_shift", torch.tensor(0.0))
        self.register_buffer("output_scale", torch.tensor(1.0))

    @torch.no_grad()
    def fit_inputs(self, x: Shaped[Tensor, "n *sample"]) -> None:
        """Scale inputs to [-1, 1].

        All numbers of images (n, channels, height, width) are scaled alike, from [0, 1] or else from their range; the
        numbers of other samples each by its own range.
        """
        rows = x.flatten(1)
        low, high = rows.amin(0), rows.amax(0)
        if x.ndim == IMAGE_AXES:
            is_unit = bool((low >= 0).all() and (high <= 1).all())
            low, high = (torch.tensor([0.0, 1.0]) if is_unit else torch.stack([low.min(), high.max()])).to(rows)
        half = (high - low) / 2
        self.input_shift.copy_((low + high) / 2)
        self.input_scale.copy_(torch.where(half > 0, half, 1.0))

    @torch.no_grad()
    def fit_outputs(self, y: Float[Tensor, "n"]) -> None:
        """Scale outputs to the mean and the standard deviation of y."""
        spread = y.double().std(correction=0)
        self.output_shift.copy_(y.double().mean())
        self.output_scale.copy_(torch.where(spread > 0, spread, 1.0))

    def forward(self, x: Shaped[Tensor, "batch *sample"]) -> Float[Tensor, "batch outputs"]:
        """Logits, or numbers in the unit of the data."""
        rows = (x.flatten(1) - self.input_shift) / self.input_scale
        return self.output_shift + self.output_scale * self.network(rows)
