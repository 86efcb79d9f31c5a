"""Are the outputs of a hypernetwork proportional to its input? Magnitudes over inputs, for any hypernetwork."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from separata.output import Output, finite, table

from .hypernetwork import HyperNetwork
from .model import HyperModel

Predictor = Callable[[Tensor], Any]
"""Maps an input of shape (d,) to the predicted tensors: a dict by name, a list, or one tensor."""
Quantity = Literal["weights", "gradients", "activations"]

POOLED = "all"
PROPORTIONAL, INVARIANT = 0.5, 0.05
"""Slopes from which on magnitudes are called proportional, and up to which invariant."""


@dataclass(frozen=True)
class MagnitudeReport:
    """Magnitudes over inputs.

    The magnitude of a tensor is the standard deviation of its numbers, and that of a single number its absolute value.
    The slope is that of the least-squares line of its logarithm over the logarithm of the input's norm ‖γ‖, without the
    inputs at which one of them is 0.

    Attributes:
        norms: ‖γ‖ of each input.
        stds: Magnitudes at each input, by tensor; under `all`, of all their numbers together.
        quantity: What was measured.
    """

    norms: tuple[float, ...]
    stds: dict[str, tuple[float, ...]]
    quantity: Quantity = "weights"

    @property
    def slopes(self) -> dict[str, float]:
        """By tensor: 1 if it grows in proportion to ‖γ‖, 0 if it does not depend on it; NaN where it is always 0."""
        return {name: loglog_slope(self.norms, values) for name, values in self.stds.items()}

    @property
    def ratios(self) -> dict[str, float]:
        """By tensor, the largest magnitude by the smallest; infinite if the smallest is 0, NaN if all are."""
        return {name: _ratio(values) for name, values in self.stds.items()}

    @property
    def slope(self) -> float:
        """That of all numbers together."""
        return self.slopes[POOLED]

    @property
    def ratio(self) -> float:
        """That of all numbers together."""
        return self.ratios[POOLED]

    @property
    def deviation(self) -> float:
        """The largest difference of any tensor's slope from 1."""
        return max(abs(slope - 1) for slope in self.slopes.values() if not math.isnan(slope))

    @property
    def verdict(self) -> Literal["proportional", "invariant", "in between"]:
        """What the slope of all numbers says: proportional from 0.5 on, invariant up to 0.05."""
        if abs(self.slope) >= PROPORTIONAL:
            return "proportional"
        return "invariant" if abs(self.slope) <= INVARIANT else "in between"

    def output(self) -> Output:
        """A table of the tensors with their smallest and largest magnitude, their ratio and slope, and the verdict."""
        rows = [
            {
                "tensor": name,
                "smallest": min(values),
                "largest": max(values),
                "ratio": finite(self.ratios[name]),
                "slope": finite(self.slopes[name]),
            }
            for name, values in self.stds.items()
        ]
        found = table(rows)
        value = {"quantity": self.quantity, "verdict": self.verdict, "norms": list(self.norms), **found.value}
        return Output(value, f"{found.text}\n{self.quantity}: {self.verdict} (slope {self.slope:.3f})")


def magnitude_report(
    hypernet: HyperNetwork | HyperModel | nn.Module | Predictor,
    gammas: Float[Tensor, "n d"] | Float[Tensor, "n"] | Sequence[float] | None = None,
) -> MagnitudeReport:
    """Magnitudes of what a hypernetwork predicts.

        report = magnitude_report(my_hypernetwork, torch.linspace(0.05, 1, 20))
        print(report.output().text)

    It works on ours, on `HyperNet` of hyperlight, on hypernetworks of hypnettorch, and on any function of one input
    that gives a dict, a list or a tensor. It computes without gradients, and in evaluation mode where it is a module.

    Args:
        hypernet: The hypernetwork.
        gammas: Inputs; by default 20 numbers from 0.05 to 1.

    Raises:
        ValueError: if inputs of fewer than two different norms above 0 are given, so that there is no slope, or what
            is predicted has no magnitude.
    """
    inputs = _inputs(gammas)
    predict = as_predictor(hypernet)
    with torch.no_grad(), _evaluation(hypernet):
        found = [_named(predict(gamma)) for gamma in inputs]
    return _report(inputs, found, "weights")


def gradient_report(
    model: HyperModel,
    loss: Callable[[HyperModel, dict[str, Tensor]], Float[Tensor, ""]],
    gammas: Float[Tensor, "n d"] | Float[Tensor, "n"] | Sequence[float] | None = None,
) -> MagnitudeReport:
    """Magnitudes of the gradients of a loss with respect to the hypernetwork's own weights.

    Args:
        model: The network with its hypernetwork.
        loss: Gives the loss from the model and the weights that it predicted.
        gammas: Inputs; by default 20 numbers from 0.05 to 1.

    Raises:
        ValueError: as `magnitude_report`.
    """
    inputs = _inputs(gammas)
    named = {name: value for name, value in model.hypernet.named_parameters() if value.requires_grad}
    found = []
    for gamma in inputs:
        value = loss(model, _predict(model, gamma))
        gradients = torch.autograd.grad(value, list(named.values()), allow_unused=True)
        found.append({name: one for name, one in zip(named, gradients, strict=True) if one is not None})
    return _report(inputs, found, "gradients")


def activation_report(
    model: HyperModel, x: Tensor, gammas: Float[Tensor, "n d"] | Float[Tensor, "n"] | Sequence[float] | None = None
) -> MagnitudeReport:
    """Magnitudes of the outputs of each layer of the primary network, those modules that hold no others.

    Args:
        model: The network with its hypernetwork.
        x: Samples.
        gammas: Inputs; by default 20 numbers from 0.05 to 1.

    Raises:
        ValueError: as `magnitude_report`.
    """
    inputs = _inputs(gammas)
    found: list[dict[str, Tensor]] = []
    leaves = {name: module for name, module in model.module.named_modules() if not list(module.children())}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: object, output: object) -> None:  # noqa: ARG001 - a forward hook's
            if isinstance(output, Tensor):
                found[-1][name or "output"] = output

        return hook

    hooks = [module.register_forward_hook(keep(name)) for name, module in leaves.items()]
    try:
        with torch.no_grad(), _evaluation(model):
            for gamma in inputs:
                found.append({})
                model.call(_predict(model, gamma), x)
    finally:
        for hook in hooks:
            hook.remove()
    return _report(inputs, found, "activations")


class MagnitudeMonitor:
    """Watches the magnitudes of a hypernetwork in a training loop.

        monitor = MagnitudeMonitor(model, every=50)
        for step in range(1000):
            ...
            monitor.step()
        print(monitor.history[-1]["slope"])

    Args:
        hypernet: As for `magnitude_report`.
        gammas: Inputs, as there.
        every: Steps between measurements; the first one is before the first step.

    Attributes:
        history: A row for each measurement: step, slope, ratio, smallest and largest, of all numbers together; and the
            slope of each tensor as `slope of <name>`.

    Raises:
        ValueError: as `magnitude_report`, or if `every` is not positive.
    """

    def __init__(
        self,
        hypernet: HyperNetwork | HyperModel | nn.Module | Predictor,
        gammas: Float[Tensor, "n d"] | Float[Tensor, "n"] | Sequence[float] | None = None,
        every: int = 50,
    ) -> None:
        if every < 1:
            raise ValueError(f"every must be at least 1, not {every}")
        self.hypernet, self.gammas, self.every = hypernet, gammas, every
        self.history: list[dict[str, float]] = []
        self._done = 0
        self._measure()

    def step(self) -> None:
        """Say that a step is done."""
        self._done += 1
        if self._done % self.every == 0:
            self._measure()

    def _measure(self) -> None:
        found = magnitude_report(self.hypernet, self.gammas)
        values = found.stds[POOLED]
        slopes = {f"slope of {name}": slope for name, slope in found.slopes.items() if name != POOLED}
        self.history.append(
            {
                "step": self._done,
                "slope": found.slope,
                "ratio": found.ratio,
                "smallest": min(values),
                "largest": max(values),
                **slopes,
            }
        )


def as_predictor(hypernet: HyperNetwork | HyperModel | nn.Module | Predictor) -> Predictor:
    """Any hypernetwork as a function of one input of shape (d,).

    Several inputs of ours or of hyperlight are taken from γ one after another, in the order of their names.
    """
    if isinstance(hypernet, HyperModel):
        return lambda gamma: _predict(hypernet, gamma)
    library = type(hypernet).__module__.split(".")[0]
    call: Any = hypernet
    if isinstance(hypernet, HyperNetwork) or library == "hyperlight":
        shapes: Mapping[str, Sequence[int]] = getattr(hypernet, "input_shapes", {})
        return lambda gamma: call(**_split(gamma, shapes))
    if library == "hypnettorch":
        return lambda gamma: call(uncond_input=gamma[None], ret_format="squeezed")
    return hypernet


def loglog_slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Slope of the least-squares line of log y over log x, without points at which one is 0; NaN without two left."""
    logs = np.array([(math.log(a), math.log(b)) for a, b in zip(x, y, strict=True) if a > 0 and b > 0])
    if len(logs) < 2 or np.ptp(logs[:, 0]) == 0:
        return math.nan
    centered = logs - logs.mean(0)
    return float(centered[:, 0] @ centered[:, 1] / (centered[:, 0] @ centered[:, 0]))


def _predict(model: HyperModel, gamma: Tensor) -> dict[str, Tensor]:
    return model.predicted(**_split(gamma, model.hypernet.input_shapes))


def _split(gamma: Tensor, shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    names = sorted(shapes)
    sizes = [math.prod(shapes[name]) for name in names]
    if sum(sizes) != len(gamma):
        raise ValueError(f"the hypernetwork takes {sum(sizes)} numbers, but inputs of {len(gamma)} were given")
    return {name: part.reshape(tuple(shapes[name])) for name, part in zip(names, gamma.split(sizes), strict=True)}


def _inputs(gammas: Tensor | Sequence[float] | None) -> Float[Tensor, "n d"]:
    given = torch.linspace(0.05, 1, 20) if gammas is None else torch.as_tensor(gammas)
    given = given if given.is_floating_point() else given.float()
    inputs = given[:, None] if given.ndim == 1 else given
    if inputs.ndim != 2:
        raise ValueError(f"the inputs must be (n, d) numbers, or n, not of shape {tuple(given.shape)}")
    norms = inputs.norm(dim=1)
    if len(set(norms[norms > 0].tolist())) < 2:
        raise ValueError("a slope needs inputs of two or more different norms above 0")
    return inputs


def _named(predicted: Any) -> dict[str, Tensor]:  # noqa: ANN401 - what a hypernetwork gives
    """Predicted tensors by name."""
    if isinstance(predicted, Tensor):
        return {"output": predicted}
    pairs: Iterable[tuple[Any, Any]]
    pairs = predicted.items() if isinstance(predicted, Mapping) else enumerate(predicted)
    found = {str(name): value for name, value in pairs}
    for name, value in found.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"a hypernetwork gives tensors, but its output {name} is a {type(value).__name__}")
    return found


def _report(inputs: Tensor, found: Sequence[Mapping[str, Tensor]], quantity: Quantity) -> MagnitudeReport:
    names = list(found[0])
    if not names:
        raise ValueError(f"there are no {quantity} whose magnitude could be measured")
    stds = {name: tuple(_magnitude(one[name]) for one in found) for name in names}
    pooled = tuple(
        _magnitude(torch.cat([value.detach().double().flatten() for value in one.values()])) for one in found
    )
    if not any(pooled):
        raise ValueError(f"the {quantity} are 0 at every input, so that there is no slope")
    if not all(map(math.isfinite, pooled)):
        raise ValueError(f"the {quantity} are not finite at every input, so that there is no slope")
    return MagnitudeReport(tuple(inputs.double().norm(dim=1).tolist()), {**stds, POOLED: pooled}, quantity)


def _magnitude(value: Tensor) -> float:
    value = value.detach().double()
    return float(value.abs().sum() if value.numel() == 1 else value.std(correction=0))


def _ratio(values: Sequence[float]) -> float:
    low, high = min(values), max(values)
    if low == 0:
        return math.nan if high == 0 else math.inf
    return high / low


class _evaluation:  # noqa: N801 - a context manager
    """Evaluation mode inside the block, of what is a module; afterwards, each part is as it was."""

    def __init__(self, what: object) -> None:
        self.modes = {part: part.training for part in what.modules()} if isinstance(what, nn.Module) else {}
        self.what = what

    def __enter__(self) -> None:
        if isinstance(self.what, nn.Module):
            self.what.eval()

    def __exit__(self, *error: object) -> None:
        for part, mode in self.modes.items():
            part.training = mode
