"""Divergence and collapse: noticed, and told where they begin."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

Row = Mapping[str, float]


class DivergenceError(FloatingPointError):
    """A loss or an activation is not finite; the message names the layer."""


@dataclass(frozen=True)
class DivergenceReport:
    """Activations of a forward pass.

    Attributes:
        layer: The first layer, in the order of computation, with an output that is not finite; else the one with the
            largest output. An empty name is the network itself.
        is_finite: Whether all outputs are finite.
        largest: Largest absolute output of each layer, in the order of computation.
    """

    layer: str
    is_finite: bool
    largest: dict[str, float]

    def __str__(self) -> str:
        layer = self.layer or "the network itself"
        if not self.is_finite:
            return f"activations are not finite from the layer {layer} on"
        return f"the largest activation, {self.largest[self.layer]:.3g}, is that of the layer {layer}"


class DivergenceMonitor:
    """Watches the outputs of all layers, to name the one where a training diverges.

        with DivergenceMonitor(model) as monitor:
            for x, y in loader:
                loss = cross_entropy(model(x), y)
                monitor.check(loss)  # raises a DivergenceError that names the layer
                ...

    The largest absolute output of each layer is kept on its device; only `check` waits for it. Layers are the modules
    without children, whose outputs are tensors.

    Args:
        model: Any network. Compile it afterwards, if at all.
    """

    def __init__(self, model: nn.Module) -> None:
        self._largest: dict[str, Tensor] = {}
        leaves = [(name, one) for name, one in model.named_modules() if next(one.children(), None) is None]
        self._hooks = [module.register_forward_hook(partial(self._keep, name)) for name, module in leaves]
        self._hooks.append(model.register_forward_pre_hook(self._begin, prepend=True))

    def _begin(self, *_: object) -> None:
        self._largest = {}

    def _keep(self, name: str, _: nn.Module, __: object, output: object) -> None:
        if isinstance(output, Tensor) and output.is_floating_point() and output.numel():
            # NaN is greater than all numbers here, so that it is kept.
            largest = output.detach().abs().amax().float()
            known = self._largest.get(name)
            self._largest[name] = largest if known is None else torch.maximum(known, largest)

    def report(self) -> DivergenceReport:
        """What the latest forward pass gave.

        Raises:
            ValueError: if there was none.
        """
        if not self._largest:
            raise ValueError("nothing was computed yet: call the network before the report")
        values = torch.stack([one.to(next(iter(self._largest.values())).device) for one in self._largest.values()])
        largest = dict(zip(self._largest, values.tolist(), strict=True))
        wrong = [name for name, value in largest.items() if not math.isfinite(value)]
        first = wrong[0] if wrong else max(largest, key=lambda name: largest[name])
        return DivergenceReport(first, not wrong, largest)

    def check(self, loss: Tensor | float | None = None) -> None:
        """See that the loss, and all activations of the latest forward pass, are finite.

        Raises:
            DivergenceError: if one is not; the message names the layer.
        """
        found = self.report()
        if loss is not None and not math.isfinite(float(loss)):
            raise DivergenceError(f"training diverged: the loss is {float(loss)}, and {found}; lower lr or gamma")
        if not found.is_finite:
            raise DivergenceError(f"training diverged: {found}; lower lr or gamma")

    def remove(self) -> None:
        """Watch no more."""
        for hook in self._hooks:
            hook.remove()

    def __enter__(self) -> "DivergenceMonitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


@torch.no_grad()
def check_divergence(model: nn.Module, *batch: Any) -> DivergenceReport:  # noqa: ANN401 - what the network takes
    """Call a network once, in the mode that it is in, and tell where its activations are largest, or not finite.

    Args:
        model: Any network.
        batch: What it is called with.
    """
    with DivergenceMonitor(model) as monitor:
        model(*batch)
        return monitor.report()


Reason = Literal["", "non-finite", "chance", "dead"]


@dataclass(frozen=True)
class CollapseReport:
    """Whether a training has collapsed.

    Attributes:
        reason: `non-finite` loss; a network that knows no more than `chance` at the end; `dead` gradients at the end
            with a loss that is not small; or nothing.
        step: Step of the row that shows it; None where there is no collapse.
    """

    reason: Reason
    step: float | None

    @property
    def is_collapsed(self) -> bool:
        """Whether it has."""
        return bool(self.reason)


def collapse(history: Iterable[Row], n_classes: int, *, tolerance: float = 0.1) -> CollapseReport:
    """Judge a classifier's training by its history.

    Args:
        history: Rows with "loss", the mean cross-entropy in nats, and perhaps "step", "accuracy" and "grad_norm"; a
            loss that is missing or None counts as not finite.
        n_classes: Classes; a network that knows nothing has the loss log(n_classes) and the accuracy 1 / n_classes.
        tolerance: Share of the way from there to perfection that is still chance. Where the last row has an accuracy,
            it decides, since a few batches can make the mean loss of a good network large.

    Raises:
        ValueError: if there are no rows, or fewer than two classes.
    """
    rows = list(history)
    if not rows or n_classes < 2:
        raise ValueError(f"collapse needs at least one row and two classes, not {len(rows)} and {n_classes}")
    for number, row in enumerate(rows):
        if not _is_finite(row.get("loss")):
            return CollapseReport("non-finite", row.get("step", number))
    last, chance = rows[-1], math.log(n_classes)
    step = last.get("step", len(rows) - 1)
    if last.get("accuracy") is None:
        is_chance = last["loss"] >= (1 - tolerance) * chance
    else:
        is_chance = last["accuracy"] <= tolerance + (1 - tolerance) / n_classes
    if is_chance:
        return CollapseReport("chance", step)
    if last["loss"] > chance / 2 and not last.get("grad_norm", 1.0) > 1e-8:
        return CollapseReport("dead", step)
    return CollapseReport("", None)


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
