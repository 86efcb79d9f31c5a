"""What a network has chosen."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from separata.models import count_parameters

from .networks import selectable_layers


@dataclass(frozen=True)
class LayerReport:
    """What the units of a layer have chosen.

    Attributes:
        n_in: Inputs.
        n_out: Nodes.
        unit: What chooses: node, edge or layer.
        chosen: The family of each unit.
        weights: The weight of each family, for each unit; 1 and 0 after pruning.
        is_pruned: Whether the others are gone.
        n_parameters: Parameters of the layer.
    """

    n_in: int
    n_out: int
    unit: str
    chosen: tuple[str, ...]
    weights: tuple[dict[str, float], ...]
    is_pruned: bool
    n_parameters: int

    def counts(self) -> dict[str, int]:
        """How many units have chosen each family, the most frequent first."""
        return dict(Counter(self.chosen).most_common())


@dataclass(frozen=True)
class SelectionReport:
    """What a network has chosen.

    Attributes:
        layers: Layer by layer.
    """

    layers: tuple[LayerReport, ...]

    def to_json(self) -> dict[str, Any]:
        """For JSON."""
        return {"layers": [{**asdict(layer), "counts": layer.counts()} for layer in self.layers]}

    def text(self) -> str:
        """For people: a line for each layer."""
        lines = []
        for number, layer in enumerate(self.layers, 1):
            counts = ", ".join(f"{n} {family}" for family, n in layer.counts().items())
            what = layer.unit if len(layer.chosen) == 1 else f"{layer.unit}s"
            state = "" if layer.is_pruned else " (not pruned yet)"
            lines.append(f"layer {number}, {layer.n_in} -> {layer.n_out}: {what} {counts}{state}")
            if 1 < len(layer.chosen) <= MOST_UNITS and len(layer.counts()) > 1:
                lines.append("  " + ", ".join(f"{i} {family}" for i, family in enumerate(layer.chosen)))
        return "\n".join(lines)


MOST_UNITS = 20
"""Units of a layer that a person is shown one by one."""


def selection_report(model: nn.Module) -> SelectionReport:
    """What the units of a network have chosen, before or after pruning.

    Args:
        model: Any module.

    Raises:
        ValueError: if none of its layers chooses among families.
    """
    layers = selectable_layers(model)
    if not layers:
        raise ValueError("this network has no layer that chooses among families")
    return SelectionReport(
        tuple(
            LayerReport(
                layer.n_in,
                layer.n_out,
                layer.unit,
                tuple(layer.chosen()),
                tuple(dict(zip(layer.names, column, strict=True)) for column in layer.selection().detach().T.tolist()),
                layer.is_pruned,
                count_parameters(layer),
            )
            for layer in layers
        )
    )
