"""A network with its normalizations: from functions and masks as they are to solutions as they are."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from separata.pde import GaussianNormalizer, MinMaxNormalizer

from .branches import ConvBranch, MLPBranch
from .configs import Architecture, DataShape, ModelConfig, widths
from .data import MultiTaskData
from .network import MaskedDeepONet
from .trunks import ResidualTrunk, Trunk

EPS = 1e-9
"""Added to standard deviations."""
LEAST = 1e-6
"""Standard deviations below are those of something that does not vary."""
CHUNK = 1 << 22
"""Values that are predicted at once."""
DEFAULTS: dict[str, tuple[str, str, int, float]] = {
    "mlp": ("128,128", "128,128,128", 300, 0.0),
    "conv": ("128,128", "64,128,128,128", 150, 0.1),
    "residual": ("32,64,128,128", "32,64,64,64,128,128,128,128,128", 200, 0.1),
}
"""Of each architecture as published: hidden widths of branch and trunk, features, dropout."""
Normalizer = GaussianNormalizer | MinMaxNormalizer


class Surrogate(nn.Module):
    """A `MaskedDeepONet` between normalizers, which are fitted on the training data and saved with it.

    | architecture | functions | branch input | solutions |
    | --- | --- | --- | --- |
    | mlp | standardized at each point | codes, functions | standardized at each point |
    | conv | standardized at each node | functions; the mask | divided by their root mean square inside |
    | residual | to [0, 1] | functions | to [0, 1], by their extremes inside |

    Points are scaled to [-1, 1]. Solutions are zero outside the mask.

    Args:
        network: Branch, trunk and their product.
        architecture: One of the three.
        shape: Of the data.
        mask_in_branch: Of conv: whether the mask is a channel of the branch's input.

    Attributes:
        grid: The points of the training.
    """

    grid: Tensor

    def __init__(
        self,
        network: MaskedDeepONet,
        architecture: Literal["mlp", "conv", "residual"],
        shape: DataShape,
        *,
        mask_in_branch: bool = True,
    ) -> None:
        super().__init__()
        self.network, self.architecture, self.shape, self.mask_in_branch = network, architecture, shape, mask_in_branch
        self.functions: Normalizer
        self.values: Normalizer
        if architecture == "residual":
            self.functions, self.values = MinMaxNormalizer(shape.functions, eps=EPS), MinMaxNormalizer(eps=EPS)
        else:
            self.functions = GaussianNormalizer(shape.functions, eps=EPS)
            self.values = GaussianNormalizer((shape.n_points,) if architecture == "mlp" else (), eps=EPS)
        self.points = MinMaxNormalizer((shape.n_coordinates,))
        self.register_buffer("grid", torch.zeros(shape.n_points, shape.n_coordinates))

    def fit_normalizers(self, data: MultiTaskData) -> "Surrogate":
        """Take all statistics from training data; returns itself.

        Raises:
            ValueError: if there are fewer than two samples.
        """
        self.fit_functions(data)
        self.points.fit(data.points)
        self.grid = data.points.clone()
        inside = data.values[data.domain]
        if self.architecture == "conv":
            # Zero stays zero, as it is on the boundary and outside.
            self.values.scale = inside.square().mean().sqrt() + EPS
        else:
            self.values.fit(data.values if self.architecture == "mlp" else inside)
        self.to(self._weight)
        return self

    def fit_functions(self, data: MultiTaskData) -> None:
        """Take the statistics of the input functions only, as for a new shape.

        Raises:
            ValueError: if there are fewer than two samples.
        """
        if len(data) < 2:
            raise ValueError("normalization needs two or more samples")
        self.functions.fit(data.functions)
        # What never varies, as outside every shape, is left as it is, and stays small where it does vary later.
        self.functions.scale = torch.where(self.functions.scale < LEAST, 1.0, self.functions.scale)
        self.to(self._weight)

    @property
    def _weight(self) -> Tensor:
        return next(self.network.parameters())

    def branch_input(
        self,
        functions: Float[Tensor, "n *function"],
        mask: Bool[Tensor, "n points"] | None = None,
        codes: Float[Tensor, "n codes"] | None = None,
    ) -> Float[Tensor, "n *input"]:
        """What the branch takes, of functions, masks and codes as they are.

        Raises:
            ValueError: if functions or codes are of another shape than the training's, or codes are missing.
        """
        if tuple(functions.shape[1:]) != self.shape.functions:
            raise ValueError(f"the network takes functions of shape {self.shape.functions}, not {functions.shape[1:]}")
        n_codes = 0 if codes is None else codes.shape[1]
        if n_codes != self.shape.n_codes:
            raise ValueError(f"the network takes {self.shape.n_codes} codes, not {n_codes}")
        encoded = self.functions.encode(functions)
        if self.architecture != "conv":
            return encoded if codes is None else torch.cat([codes, encoded], 1)
        if not self.mask_in_branch:
            return encoded[:, None]
        inside = torch.ones_like(encoded) if mask is None else mask.reshape(encoded.shape).to(encoded)
        return torch.stack([encoded, inside], 1)

    def scaled_points(self, points: Float[Tensor, "points d"]) -> Float[Tensor, "points d"]:
        """Points in [-1, 1], as the trunk takes them."""
        return 2 * self.points.encode(points) - 1

    def decode(
        self, values: Float[Tensor, "n points"], mask: Bool[Tensor, "n points"] | None = None
    ) -> Float[Tensor, "n points"]:
        """Solutions as they are, of what the network gives."""
        decoded = self.values.decode(values)
        return decoded if mask is None else torch.where(mask, decoded, 0.0)

    def forward(
        self,
        functions: Float[Tensor, "n *function"],
        points: Float[Tensor, "points d"],
        mask: Bool[Tensor, "n points"] | None = None,
        codes: Float[Tensor, "n codes"] | None = None,
    ) -> Float[Tensor, "n points"]:
        """Solutions at the points, zero outside the masks.

        Args:
            functions: Input functions as in the data.
            points: The grid of points.
            mask: The domains.
            codes: Numbers that tell the task.

        Raises:
            ValueError: if a shape is another than in training.
        """
        values = self.network(self.branch_input(functions, mask, codes), self.scaled_points(points))
        return self.decode(values, mask)

    @torch.no_grad()
    def predict(self, data: MultiTaskData) -> Float[Tensor, "n points"]:
        """Solutions for all samples of a data set, in parts that fit in memory, without dropout."""
        was_training = self.training
        self.eval()
        data = data.to(self._weight.device, self._weight.dtype)
        size = max(1, CHUNK // len(data.points))
        parts = [data[start : start + size] for start in range(0, len(data), size)]
        found = torch.cat([self(part.functions, part.points, part.mask, part.codes) for part in parts])
        self.train(was_training)
        return found


def architecture_of(config: ModelConfig, shape: DataShape) -> Literal["mlp", "conv", "residual"]:
    """The architecture of a configuration, for data of a shape.

    Raises:
        ValueError: if the data does not fit it.
    """
    name: Architecture = config.architecture
    if name == "auto":
        name = "conv" if len(shape.functions) == 2 else "residual" if shape.n_coordinates == 3 else "mlp"
    if (name == "conv") != (len(shape.functions) == 2):
        wanted = "functions on a grid of a plane" if name == "conv" else "functions that are rows of numbers"
        raise ValueError(f"the architecture {name} takes {wanted}, not of shape {shape.functions}")
    return name


def make_model(config: ModelConfig, shape: DataShape) -> Surrogate:
    """The network of a configuration, for data of a shape; its weights are drawn from PyTorch's generator.

    Raises:
        ValueError: if the data does not fit it.
    """
    name = architecture_of(config, shape)
    branch_widths, trunk_widths, latent, dropout = DEFAULTS[name]
    hidden, of_trunk = widths(config.branch or branch_widths), widths(config.trunk or trunk_widths)
    p = config.latent or latent
    dropout = dropout if config.dropout is None else config.dropout
    branch: nn.Module
    if name == "conv":
        branch = ConvBranch(
            (shape.functions[0], shape.functions[1]),
            in_channels=1 + config.mask_in_branch,
            filters=widths(config.filters),
            kernel=config.kernel,
            hidden=hidden,
            n_out=p,
            dropout=dropout,
        )
    else:
        n_in = shape.functions[0] + shape.n_codes
        branch = MLPBranch(n_in, hidden, p, norm="layer" if name == "mlp" else "batch", dropout=dropout)
    trunk = ResidualTrunk if name == "residual" else Trunk
    network = MaskedDeepONet(branch, trunk(shape.n_coordinates, of_trunk, p))
    return Surrogate(network, name, shape, mask_in_branch=config.mask_in_branch)
