"""Any network of this package with the normalizations of its functions, made from its settings."""

from jaxtyping import Float
from torch import Tensor, nn

from separata.pde import GaussianNormalizer

from .baselines.dilated_resnet import DilatedResNet
from .baselines.fno import FNO
from .baselines.unet import UNet
from .configs import DataShape, ModelConfig, NormalizerName, cycles_of
from .grids import GridDataset
from .multigrid import cycles_for
from .network import MgNO

WIDTHS = {"mgno": 24, "fno": 32, "unet": 32, "dilated-resnet": 48}


class Operator(nn.Module):
    """A network between normalized functions, given and taken in physical units.

    Losses are then in physical units, too, as published. Normalizers for each point fix the resolution.

    Args:
        network: Called as `network(x)` with (batch, channels, height, width).
        x_normalizer: Applied to the given functions, if any.
        y_normalizer: Undone on the network's functions, if any.
        config: The settings that it was made from, for `save`.
        shape: The data that it was made for.
    """

    def __init__(
        self,
        network: nn.Module,
        x_normalizer: GaussianNormalizer | None = None,
        y_normalizer: GaussianNormalizer | None = None,
        *,
        config: ModelConfig | None = None,
        shape: DataShape | None = None,
    ) -> None:
        super().__init__()
        self.network, self.x_normalizer, self.y_normalizer = network, x_normalizer, y_normalizer
        self.config, self.shape = config, shape

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """The wanted functions.

        Raises:
            ValueError: if the functions have another resolution than the normalizers, or do not fit the network.
        """
        x = x if self.x_normalizer is None else self.x_normalizer.encode(x)
        y: Tensor = self.network(x)
        return y if self.y_normalizer is None else self.y_normalizer.decode(y)

    def fit_normalizers(self, data: GridDataset) -> None:
        """Take means and deviations from training data, in the type of the network's weights and on its device."""
        weight = next(self.network.parameters())
        data = data.to(weight.device, weight.dtype)
        for normalizer, samples in ((self.x_normalizer, data.x), (self.y_normalizer, data.y)):
            if normalizer is not None:
                normalizer.fit(samples)


def make_operator(config: ModelConfig, shape: DataShape, data: GridDataset | None = None) -> Operator:
    """The network of a configuration, for data of a shape; its weights are drawn from PyTorch's generator.

    Args:
        config: The network.
        shape: What the data says of it.
        data: Training data, from which the normalizers are fitted.

    Raises:
        ValueError: if the settings do not fit each other or the grid.
    """
    operator = Operator(
        make_network(config, shape),
        _normalizer(config.x_normalizer, shape.in_channels, shape),
        _normalizer(config.y_normalizer, shape.out_channels, shape),
        config=config,
        shape=shape,
    )
    if data is not None:
        operator.fit_normalizers(data)
    return operator


def make_network(config: ModelConfig, shape: DataShape) -> nn.Module:
    """The same without normalizers.

    Raises:
        ValueError: if the settings do not fit each other or the grid.
    """
    ends = shape.in_channels, shape.out_channels
    width = config.width or WIDTHS[config.kind]
    _refuse_idle(config)
    if config.kind == "fno":
        return FNO(*ends, width, config.n_modes, config.num_layers)
    if config.kind == "unet":
        return UNet(*ends, width, config.num_layers, config.padding_mode)
    if config.kind == "dilated-resnet":
        return DilatedResNet(*ends, width, config.num_layers, config.padding_mode)
    network = MgNO(
        *ends,
        width,
        config.num_layers,
        cycles_for(min(shape.size)) if config.cycles is None else cycles_of(config.cycles),
        config.padding_mode,
        activation=config.activation,
        pointwise_skip=config.pointwise_skip,
        residual=config.residual,
        norm=config.norm,
        bias=config.bias,
        head=config.head,
        operator_bias=config.operator_bias,
        lift_project=config.lift_project,
        growth=config.growth,
        transfer=config.transfer,
    )
    if min(shape.size) < network.least_size:
        raise ValueError(
            f"these cycles need at least {network.least_size} points along each side, and the grid has "
            f"{min(shape.size)}; use fewer levels"
        )
    return network


def _normalizer(name: NormalizerName, channels: int, shape: DataShape) -> GaussianNormalizer | None:
    if name == "none":
        return None
    return GaussianNormalizer((channels, 1, 1) if name == "global" else (channels, *shape.size))


def _refuse_idle(config: ModelConfig) -> None:
    """Refuse settings of MgNO for a baseline, and the other way round.

    Raises:
        ValueError: naming the first of them.
    """
    of_all = {"kind", "width", "num_layers", "x_normalizer", "y_normalizer"}
    used = {
        "mgno": set(ModelConfig.__dataclass_fields__) - {"n_modes"},
        "fno": of_all | {"n_modes"},
        "unet": of_all | {"padding_mode"},
        "dilated-resnet": of_all | {"padding_mode"},
    }[config.kind]
    default = ModelConfig()
    for name in ModelConfig.__dataclass_fields__:
        if name not in used and getattr(config, name) != getattr(default, name):
            raise ValueError(f"{name.replace('_', ' ')} does not apply to {config.kind}")
