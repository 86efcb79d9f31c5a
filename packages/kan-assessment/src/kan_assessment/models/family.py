"""A family of models: how a network of given sizes is made, what it costs, and which settings are worth trying."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

Builder = Callable[..., nn.Module]
"""`(in_features, hidden, out_features, **settings) -> nn.Module`, with `hidden` the widths of the hidden layers."""
FlopsFunction = Callable[..., float]
"""`(widths, sharing="naive" | "shared", **settings) -> float`: FLOPs of a forward pass of one sample."""
Follow = Callable[[float], bool]
"""Told the share of the training that is over; says whether the model's parameters are others now."""
Settings = Mapping[str, Any]

DEPTH = "depth"
"""The setting that every family has: number of hidden layers."""


@dataclass(frozen=True)
class ModelFamily:
    """Models of one kind, of any width and depth.

    Args:
        name: What it is called on the command line.
        builder: Makes a network.
        label: What it is called in tables and figures.
        flops: FLOPs by a formula; measured where there is none.
        space: For each setting the values that are worth trying, the usual one first; `depth` among them.
        is_batched: Whether several networks can be trained side by side as one, by `torch.func.vmap`.
        follow: For a model that changes while it is trained: given the model, what is told how far training is.
        groups: Given the model and a learning rate, parameter groups for an optimizer, where not all learn alike.
        final: Given such a model before training, a copy that costs what is left of it afterwards: what is counted.
    """

    name: str
    builder: Builder
    label: str = ""
    flops: FlopsFunction | None = None
    space: Mapping[str, Sequence[Any]] = field(default_factory=lambda: {DEPTH: (1, 2, 3)})
    is_batched: bool = False
    follow: Callable[[nn.Module], Follow] | None = None
    groups: Callable[[nn.Module, float], list[dict[str, Any]]] | None = None
    final: Callable[[nn.Module], nn.Module] | None = None

    @property
    def usual(self) -> dict[str, Any]:
        """The usual settings."""
        return {name: values[0] for name, values in self.space.items()}

    def takes(self, settings: Settings) -> dict[str, Any]:
        """Those of the settings that the builder knows."""
        known = inspect.signature(self.builder).parameters
        if any(one.kind is one.VAR_KEYWORD for one in known.values()):
            return dict(settings)
        return {name: value for name, value in settings.items() if name in known}

    def build(self, in_features: int, hidden: Sequence[int], out_features: int, **settings: object) -> nn.Module:
        """A network.

        Args:
            in_features: Inputs.
            hidden: Widths of the hidden layers.
            out_features: Outputs.
            settings: What the builder takes besides.

        Raises:
            ValueError: if the builder does not know a setting, what it makes is no module, or the module's outputs are
                not (batch, out_features).
        """
        settings = {name: value for name, value in settings.items() if name != DEPTH}
        if unknown := settings.keys() - self.takes(settings).keys():
            raise ValueError(f"the model {self.name} has no setting {', '.join(sorted(unknown))}")
        try:
            model = self.builder(in_features, list(hidden), out_features, **settings)
        except TypeError as error:
            raise ValueError(f"the model {self.name} cannot be made from (inputs, hidden, outputs): {error}") from None
        if not isinstance(model, nn.Module):
            raise ValueError(f"the model {self.name} makes a {type(model).__name__}, not a torch.nn.Module")
        return model


def check_outputs(model: nn.Module, name: str, in_features: int, out_features: int) -> None:
    """See that a model maps (batch, inputs) to (batch, outputs).

    Raises:
        ValueError: if it does not; the sentence says what it gives.
    """
    was_training = model.training
    model.eval()
    with torch.no_grad():
        try:
            y = model(torch.zeros(3, in_features))
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"the model {name} does not take inputs of shape (3, {in_features}): {reason}") from None
    model.train(was_training)
    given = tuple(y.shape) if isinstance(y, torch.Tensor) else type(y).__name__
    if given != (3, out_features):
        raise ValueError(f"the model {name} gives {given} for 3 samples, not (3, {out_features})")
