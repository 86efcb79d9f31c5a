"""What branches cost before anything is trained."""

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from .conversion import remove_branches


@dataclass(frozen=True)
class OverheadReport:
    """Parameters, operations and time of a network with branches beside the same without."""

    plain_parameters: int
    added_parameters: int
    plain_flops: int
    """Of products of matrices, in a forward pass and its backward pass."""
    added_flops: int
    plain_seconds: float
    """Median of a forward and a backward pass."""
    branched_seconds: float

    @property
    def parameters_percent(self) -> float:
        """Parameters more."""
        return 100 * self.added_parameters / self.plain_parameters

    @property
    def flops_percent(self) -> float:
        """Operations more."""
        return 100 * self.added_flops / self.plain_flops

    @property
    def step_time_percent(self) -> float:
        """Time more."""
        return 100 * (self.branched_seconds / self.plain_seconds - 1)

    def as_dict(self) -> dict[str, float]:
        """All numbers by name."""
        shares = ("parameters_percent", "flops_percent", "step_time_percent")
        return asdict(self) | {name: getattr(self, name) for name in shares}


def overhead(
    model: nn.Module,
    sample: Tensor | Mapping[str, Any],
    *,
    forward: Callable[[nn.Module, Any], Any] | None = None,
    repeats: int = 10,
) -> OverheadReport:
    """Measure a network with branches beside the same without, turn by turn.

    What is differentiated is the sum of all that the network gives: a tensor, or tuples, lists and mappings of tensors,
    such as the outputs of transformers.

    Args:
        model: A network with branches; it is not changed.
        sample: A batch for it: a tensor, or arguments by name.
        forward: Gives the output from the network and the batch, where `model(sample)` or `model(**sample)` does not.
        repeats: Steps that are timed.

    Raises:
        ValueError: if the network has no branches, `repeats` is not positive, or nothing that the network gives can be
            differentiated.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be positive, not {repeats}")
    run = forward or _call
    plain = remove_branches(copy.deepcopy(model)).model
    branched = copy.deepcopy(model)
    n_plain, n_branched = (sum(p.numel() for p in network.parameters()) for network in (plain, branched))
    device = next(model.parameters()).device
    flops: list[int] = []
    seconds: tuple[list[float], list[float]] = ([], [])
    for network in (plain, branched):
        with FlopCounterMode(display=False) as counter:
            _step(network, sample, run)
        flops.append(counter.get_total_flops())
    for _ in range(repeats):
        for network, times in zip((plain, branched), seconds, strict=True):
            network.zero_grad()
            _synchronize(device)
            start = time.perf_counter()
            _step(network, sample, run)
            _synchronize(device)
            times.append(time.perf_counter() - start)
    times_of = [median(times) for times in seconds]
    return OverheadReport(n_plain, n_branched - n_plain, flops[0], flops[1] - flops[0], *times_of)


def _call(network: nn.Module, sample: Tensor | Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever a network gives
    return network(**sample) if isinstance(sample, Mapping) else network(sample)


def _step(network: nn.Module, sample: Any, run: Callable[[nn.Module, Any], Any]) -> None:  # noqa: ANN401
    output = run(network, sample)
    tensors = [one for one in _tensors(output) if one.requires_grad]
    if not tensors:
        raise ValueError(f"the network gives {type(output).__name__}, in which no tensor can be differentiated")
    torch.stack([one.float().sum() for one in tensors]).sum().backward()


def _tensors(output: Any) -> Iterator[Tensor]:  # noqa: ANN401 - whatever a network gives
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, (Mapping, list, tuple)):
        for one in output.values() if isinstance(output, Mapping) else output:
            yield from _tensors(one)


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
