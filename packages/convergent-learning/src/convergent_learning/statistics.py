"""Statistics of the units of several networks on the same data, in one pass (section 2 of the paper)."""

import json
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from separata import files
from separata.arrays import load_npz

from .activations import Axis, choose_positions, read_activations, take_positions
from .moments import Moments

DEAD = 1e-8
"""Standard deviation below which a unit is dead."""
Layer = str | tuple[str, ...]


@dataclass(frozen=True, eq=False)
class LayerStats:
    """Moments of one layer of all networks.

    Attributes:
        sizes: Units of each network.
        count: Samples: images times positions.
        mean: Mean of every unit, those of the first network first, float64.
        covariance: Covariance of all of them, divided by the count, float64.
        samples: Activations of some samples at random, for what moments cannot tell; may be empty.
    """

    sizes: tuple[int, ...]
    count: int
    mean: Float[Tensor, " units"]
    covariance: Float[Tensor, "units units"]
    samples: Float[Tensor, "kept units"]

    def of(self, net: int) -> slice:
        """Where the units of a network stand.

        Raises:
            ValueError: if there is no such network.
        """
        if not 0 <= net < len(self.sizes):
            raise ValueError(f"there are networks 0 to {len(self.sizes) - 1}, no network {net}")
        end = list(accumulate(self.sizes))[net]
        return slice(end - self.sizes[net], end)

    def std(self, net: int) -> Float[Tensor, " p"]:
        """Standard deviation of each unit of a network."""
        return self.covariance.diagonal()[self.of(net)].clamp(min=0).sqrt()

    def dead(self, net: int) -> Bool[Tensor, " p"]:
        """Which units of a network never change (standard deviation below 1e-8)."""
        return self.std(net) < DEAD

    def correlation(self, i: int, j: int) -> Float[Tensor, "p q"]:
        """Correlation of the units of network i with those of network j; 0 for dead units."""
        block = self.covariance[self.of(i), self.of(j)]
        scale = torch.outer(self.std(i), self.std(j))
        is_dead = self.dead(i)[:, None] | self.dead(j)
        return torch.where(is_dead, 0.0, block / scale.masked_fill(is_dead, 1)).clamp(-1, 1)


@dataclass(frozen=True, eq=False)
class ActivationStats:
    """Statistics of layers, by name."""

    layers: dict[str, LayerStats] = field(default_factory=dict)

    def __getitem__(self, layer: str) -> LayerStats:
        """A layer's.

        Raises:
            ValueError: if it was not collected.
        """
        if layer not in self.layers:
            raise ValueError(f"there are no statistics of a layer {layer!r}, only of {', '.join(self.layers)}")
        return self.layers[layer]

    def within(self, layer: str, net: int) -> Float[Tensor, "p p"]:
        """Correlations of the units of a layer with one another."""
        return self[layer].correlation(net, net)

    def cross(self, layer: str, i: int = 0, j: int = 1) -> Float[Tensor, "p q"]:
        """Correlations of the units of network i with those of network j."""
        return self[layer].correlation(i, j)

    def save(self, path: Path) -> None:
        """Write them as an .npz file of numbers, whole or not at all."""
        arrays: dict[str, Any] = {"layers": np.frombuffer(json.dumps(list(self.layers)).encode(), np.uint8)}
        for i, one in enumerate(self.layers.values()):
            arrays |= {
                f"sizes{i}": np.array(one.sizes),
                f"count{i}": np.array(one.count),
                f"mean{i}": one.mean.cpu().numpy(),
                f"covariance{i}": one.covariance.cpu().numpy(),
                f"samples{i}": one.samples.cpu().numpy(),
            }
        with files.replacing(path) as part, part.open("wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> "ActivationStats":
        """Read what `save` wrote; nothing in the file is executed.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it holds anything else.
        """
        held = load_npz(path)
        try:
            names = json.loads(held["layers"].tobytes().decode())
            layers = {str(name): _layer_of(held, i) for i, name in enumerate(names)}
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
            raise ValueError(f"{path} does not hold the statistics that `collect` writes") from None
        return cls(layers)


def _layer_of(held: dict[str, np.ndarray], i: int) -> LayerStats:
    sizes, count = tuple(int(n) for n in held[f"sizes{i}"]), int(held[f"count{i}"])
    mean, covariance, samples = (
        torch.from_numpy(held[f"{name}{i}"].astype(dtype))
        for name, dtype in (("mean", np.float64), ("covariance", np.float64), ("samples", np.float32))
    )
    n = sum(sizes)
    is_right = mean.shape == (n,) and covariance.shape == (n, n) and samples.ndim == 2 and samples.shape[1] == n
    is_right &= bool((covariance.diagonal() >= 0).all()) if is_right else False
    is_finite = all(bool(one.isfinite().all()) for one in (mean, covariance, samples))
    if not (is_right and is_finite and count > 0 and min(sizes) > 0 and torch.equal(covariance, covariance.T)):
        raise ValueError("the arrays do not belong together")
    return LayerStats(sizes, count, mean, covariance, samples)


def collect(
    nets: Sequence[nn.Module],
    loader: Iterable[Any],
    layers: Sequence[Layer],
    *,
    max_positions: int | None = None,
    keep: int = 0,
    after: Literal["relu"] | None = None,
    precise: bool = False,
    repeated: bool = False,
    axis: Axis | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
) -> ActivationStats:
    """Collect means, covariances and correlations of the units of layers, within and between networks.

    Each batch passes through all networks before the next is read, so that samples are paired whatever the order of the
    loader. Networks in training mode are switched to evaluation mode for the time, with a warning.

    Args:
        nets: One or more networks that take the same inputs.
        loader: Batches: tensors, or tuples or lists whose first entry is one.
        layers: Names of modules. Where networks name theirs differently, a tuple with a name for each; its statistics
            are then called by these names with "=" between.
        max_positions: Random positions that are read of each sample, the same in all networks; all by default.
        keep: Samples to keep at random as they are, for mutual information.
        after: "relu" rectifies what the layers answer.
        precise: Multiply in float64; see `Moments`.
        repeated: Allow layers that run several times in a forward pass; each time adds positions.
        axis: Where units stand in arrays of three or more axes, if not as the layers tell; see `read_activations`.
        seed: Draws positions and samples.
        device: Where the networks are and compute; by default where the parameters of the first are.

    Raises:
        ValueError: if a layer is missing, has other positions in another network, answers what is not finite, or is
            dead in all units of a network; or if there is no batch.
    """
    if not nets or not layers:
        raise ValueError("statistics need at least one network and one layer")
    named = {one if isinstance(one, str) else "=".join(one): one for one in layers}
    for name, one in named.items():
        if not isinstance(one, str) and len(one) != len(nets):
            raise ValueError(f"layer {name} has {len(one)} names for {len(nets)} networks; give one for each")
    if device is None:
        device = next((parameter.device for net in nets for parameter in net.parameters()), torch.device("cpu"))
    generator = torch.Generator().manual_seed(seed)
    gathered = {name: _Gathering(name, keep, precise, generator) for name in named}
    modes = [{module: module.training for module in net.modules()} for net in nets]
    if any(any(mode.values()) for mode in modes):
        warnings.warn("networks in training mode are evaluated in evaluation mode", stacklevel=2)
    try:
        for net in nets:
            net.eval()
        for batch in loader:
            x = batch[0] if isinstance(batch, (tuple, list)) and batch else batch
            if not isinstance(x, Tensor):
                raise ValueError(
                    f"a batch is a tensor, or a tuple or list that begins with one, not {type(x).__name__}"
                )
            x = x.to(device)
            read = [
                read_activations(
                    net,
                    x,
                    [one if isinstance(one, str) else one[i] for one in named.values()],
                    after=after,
                    repeated=repeated,
                    axis=axis,
                )
                for i, net in enumerate(nets)
            ]
            for name, one in named.items():
                parts = [acts[one if isinstance(one, str) else one[i]] for i, acts in enumerate(read)]
                gathered[name].add(parts, max_positions)
    finally:
        for mode in modes:
            for module, was in mode.items():
                module.training = was
    return ActivationStats({name: one.finish() for name, one in gathered.items()})


@dataclass
class _Gathering:
    """What is known of a layer so far."""

    name: str
    keep: int
    precise: bool
    generator: torch.Generator
    moments: Moments | None = None
    samples: Tensor | None = None
    keys: Tensor = field(default_factory=lambda: torch.empty(0))

    def add(self, parts: Sequence[Float[Tensor, "batch positions _"]], max_positions: int | None) -> None:
        shapes = [(part.shape[0], part.shape[1]) for part in parts]
        if len(set(shapes)) > 1:
            raise ValueError(f"layer {self.name} has other samples or positions in another network: {shapes}")
        chosen = choose_positions(shapes[0], max_positions, self.generator)
        rows = [take_positions(part, chosen) for part in parts]
        for i, part in enumerate(rows):
            if not bool(part.isfinite().all()):
                raise ValueError(f"layer {self.name} of network {i} answers NaN or infinity")
        if self.moments is None:
            self.moments = Moments([part.shape[1] for part in rows], precise=self.precise)
        self.moments.update(rows)
        if self.keep:
            self._sample(torch.cat([part.float().cpu() for part in rows], 1))

    def _sample(self, rows: Float[Tensor, "rows units"]) -> None:
        """Keep the rows of the largest random keys: a uniform sample of all that were seen."""
        keys = torch.cat([self.keys, torch.rand(len(rows), generator=self.generator)])
        rows = rows if self.samples is None else torch.cat([self.samples, rows])
        self.keys, best = keys.topk(min(self.keep, len(keys)))
        self.samples = rows[best]

    def finish(self) -> LayerStats:
        if self.moments is None or not self.moments.count:
            raise ValueError("there is no batch in the loader")
        moments, n_units = self.moments, sum(self.moments.sizes)
        samples = torch.empty(0, n_units) if self.samples is None else self.samples
        found = LayerStats(moments.sizes, moments.count, moments.mean, moments.scatter / moments.count, samples)
        for net, size in enumerate(moments.sizes):
            if bool(found.dead(net).all()):
                raise ValueError(f"all units of layer {self.name} of network {net} are dead")
            if moments.count < size:
                warnings.warn(
                    f"layer {self.name} has {size} units but only {moments.count} samples: covariances lack rank",
                    stacklevel=3,
                )
        return found
