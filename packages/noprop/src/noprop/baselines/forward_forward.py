"""Forward-Forward (Hinton 2022): each layer tells right from wrong labels by its own activity."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import one_hot, relu, softplus

SMALL = 1e-6


class ForwardForward(nn.Module):
    """A network whose layers are trained one by one, to be active for right labels and silent for wrong ones.

    Features and the label enter side by side. A layer's goodness is the mean of its squared activities; its loss is
    softplus(threshold - goodness) for the right label and softplus(goodness - threshold) for a wrong one. Activities
    are normalized before the next layer, which so sees their direction alone. A sample is classified by the label with
    the highest goodness, summed over all layers but the first, as published, where there are several.

    Args:
        n_features: Numbers of a sample.
        n_classes: Number of classes.
        widths: Units of each layer.
        threshold: Goodness between right and wrong.
        label_scale: How large the label is beside the features.

    Raises:
        ValueError: if there is no layer.
    """

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        widths: Sequence[int] = (500, 500),
        *,
        threshold: float = 2.0,
        label_scale: float = 1.0,
    ) -> None:
        super().__init__()
        if not widths:
            raise ValueError("Forward-Forward needs at least 1 layer")
        self.n_classes, self.threshold, self.label_scale = n_classes, threshold, label_scale
        self.layers = nn.ModuleList(nn.Linear(n, m) for n, m in pairwise((n_features + n_classes, *widths)))

    def _input(self, x: Float[Tensor, "batch *sample"], y: Int[Tensor, "batch"]) -> Float[Tensor, "batch inputs"]:
        label = self.label_scale * one_hot(y, self.n_classes).to(x.dtype)
        return torch.cat([x.flatten(1), label], 1)

    def layer_losses(
        self, x: Float[Tensor, "batch *sample"], y: Int[Tensor, "batch"], generator: torch.Generator | None = None
    ) -> list[Float[Tensor, ""]]:
        """The loss of each layer; none has a gradient in another one.

        Args:
            x: Samples.
            y: Their classes.
            generator: Draws a wrong label for each sample.
        """
        device = y.device if generator is None else generator.device
        shift = torch.randint(1, self.n_classes, y.shape, generator=generator, device=device).to(y.device)
        wrong = (y + shift) % self.n_classes
        h = torch.cat([self._input(x, y), self._input(x, wrong)])
        sign = torch.cat([x.new_ones(len(x)), -x.new_ones(len(x))])
        losses = []
        for layer in self.layers:
            a = relu(layer(_direction(h)))
            losses.append(softplus(sign * (self.threshold - a.square().mean(1))).mean())
            h = a.detach()
        return losses

    def loss(
        self, x: Float[Tensor, "batch *sample"], y: Int[Tensor, "batch"], generator: torch.Generator | None = None
    ) -> Float[Tensor, ""]:
        """The sum of the losses of all layers, whose gradients are the same as layer by layer."""
        return torch.stack(self.layer_losses(x, y, generator)).sum()

    def forward(self, x: Float[Tensor, "batch *sample"]) -> Float[Tensor, "batch classes"]:
        """The goodness of each label: all labels of all samples in one batch."""
        labels = torch.arange(self.n_classes, device=x.device)
        h = self._input(x.flatten(1).repeat_interleave(self.n_classes, 0), labels.repeat(len(x)))
        total = h.new_zeros(len(h))
        for number, layer in enumerate(self.layers):
            h = relu(layer(_direction(h)))
            if number or len(self.layers) == 1:
                total = total + h.square().mean(1)
        return total.view(len(x), self.n_classes)


def _direction(h: Float[Tensor, "batch units"]) -> Float[Tensor, "batch units"]:
    """Activities with a mean square of one."""
    return h / (h.square().mean(1, keepdim=True).sqrt() + SMALL)
