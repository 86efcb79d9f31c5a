"""Networks of AF-KAN layers."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from af_kan.configs import Combine, LayerConfig, ReductionName, check_name
from af_kan.layers.feature_norms import make_feature_norm
from af_kan.layers.linear import AFKANLinear
from af_kan.layers.norms import make_norm
from af_kan.layers.reductions import make_reduction
from af_kan.stack import LayerStack, check_widths


class AFKAN(LayerStack):
    """AF-KAN: layers one after another, with the same settings and no activation function between them.

    `AFKAN([784, 64, 10])` has 52,552 parameters, 40 more than a perceptron of the same widths with layer normalization.

    Args:
        widths: Width of the input, of each hidden layer, and of the output.
        config: The layers' settings.
        fused: As for `AFKANLinear`.
        settings: Fields of `LayerConfig`, in place of those of `config`: `AFKAN([784, 64, 10], activation="gelu")`.

    Raises:
        ValueError: if there are fewer than two widths, or a setting is out of its range.
    """

    def __init__(
        self,
        widths: Sequence[int],
        config: LayerConfig | None = None,
        *,
        fused: bool = True,
        **settings: Any,  # noqa: ANN401 - of several types
    ) -> None:
        pairs = check_widths(widths)
        super().__init__(widths, (AFKANLinear(*pair, config, fused=fused, **settings) for pair in pairs))


class MethodEnsemble(AFKAN):
    """The same layers run once for each of several reductions, side by side; their outputs are combined.

    The streams share grid, normalization and weights of each layer, as in the published code; each has its own
    reductions. Normalizations that remember what they saw in training, the norm `batch` and the feature norm `running`,
    are not shared either: the streams have other scales, and their mixture would be right for none in evaluation.

    | `combine` | output of the streams y_1, y_2, ... |
    | --- | --- |
    | `sum` | Σ y |
    | `product` | Π y |
    | `sum_product` | Σ y + Π y |
    | `quadratic` | Σ y + Π y + Σ y² |

    Args:
        widths: Width of the input, of each hidden layer, and of the output.
        reductions: Names of the reductions, at least one.
        combine: How the outputs are combined.
        config: The layers' settings, but for the reduction.
        fused: As for `AFKANLinear`.
        settings: Fields of `LayerConfig`, in place of those of `config`.

    Raises:
        ValueError: if there is no reduction, a name is unknown, or a setting is out of its range.
    """

    def __init__(
        self,
        widths: Sequence[int],
        reductions: Sequence[ReductionName] = ("global_attn", "spatial_attn"),
        combine: Combine = "sum",
        config: LayerConfig | None = None,
        *,
        fused: bool = True,
        **settings: Any,  # noqa: ANN401 - of several types
    ) -> None:
        if not reductions:
            raise ValueError("an ensemble of methods needs at least one reduction")
        check_name("combination of methods", combine, ("sum", "product", "sum_product", "quadratic"))
        super().__init__(widths, config, fused=fused, **(settings | {"reduction": reductions[0]}))
        self.combine = combine
        self.methods = tuple(reductions)
        self.streams = nn.ModuleList(
            nn.ModuleList(make_reduction(name, layer.in_features, layer.config.n_functions) for layer in self._layers())
            for name in reductions[1:]
        )
        self.own_norms = nn.ModuleList(nn.ModuleList(map(_own_norms, self._layers())) for _ in reductions[1:])

    def _layers(self) -> list[AFKANLinear]:
        return [layer for layer in self.layers if isinstance(layer, AFKANLinear)]

    def forward(self, x: Shaped[Tensor, "*batch features"]) -> Shaped[Tensor, "*samples outputs"]:
        """The combined outputs."""
        x = self.as_rows(x)
        outputs = [super().forward(x)]
        for reductions, norms in zip(self.streams, self.own_norms, strict=True):
            assert isinstance(reductions, nn.ModuleList)  # noqa: S101 - for the type checker
            assert isinstance(norms, nn.ModuleList)  # noqa: S101 - for the type checker
            h = x
            for layer, reduction, own in zip(self._layers(), reductions, norms, strict=True):
                assert isinstance(own, nn.ModuleDict)  # noqa: S101 - for the type checker
                h = layer(h, reduction, **own)
            outputs.append(h)
        return combined(outputs, self.combine)


def _own_norms(layer: AFKANLinear) -> nn.ModuleDict:
    """The normalizations of a layer that no two streams can share, anew."""
    own = nn.ModuleDict()
    if layer.config.norm == "batch":
        own["norm"] = make_norm("batch", layer.in_features, layer.config.norm_eps)
    if layer.config.feature_norm == "running":
        own["feature_norm"] = make_feature_norm("running")
    return own


def combined(outputs: Sequence[Float[Tensor, "*shape"]], combine: Combine) -> Float[Tensor, "*shape"]:
    """The outputs of several streams as one; see `MethodEnsemble`.

    Raises:
        ValueError: if there is no such combination.
    """
    check_name("combination of methods", combine, ("sum", "product", "sum_product", "quadratic"))
    stacked = torch.stack(list(outputs))
    if combine == "product":
        return stacked.prod(0)
    total = stacked.sum(0)
    if combine != "sum":
        total = total + stacked.prod(0)
    return total + stacked.square().sum(0) if combine == "quadratic" else total
