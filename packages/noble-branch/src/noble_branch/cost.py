"""What branches cost before anything is trained."""

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from .branch import NonlinearLowRankBranch
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
    sample: Tensor,
    *,
    forward: Callable[[nn.Module, Tensor], Tensor] | None = None,
    repeats: int = 10,
) -> OverheadReport:
    """Measure a network with branches beside the same without, turn by turn.

    Args:
        model: A network with branches; it is not changed.
        sample: A batch for it.
        forward: Gives a tensor from the network and the batch, where `model(sample)` does not.
        repeats: Steps that are timed.

    Raises:
        ValueError: if the network has no branches.
    """
    run = forward or (lambda network, batch: network(batch))
    branched = copy.deepcopy(model)
    plain = remove_branches(copy.deepcopy(model)).model
    added = sum(
        parameter.numel()
        for module in model.modules()
        if isinstance(module, NonlinearLowRankBranch)
        for parameter in module.parameters()
    )
    flops: list[int] = []
    seconds: tuple[list[float], list[float]] = ([], [])
    for network in (plain, branched):
        with FlopCounterMode(display=False) as counter:
            run(network, sample).float().sum().backward()
        flops.append(counter.get_total_flops())
    for _ in range(repeats):
        for network, times in zip((plain, branched), seconds, strict=True):
            times.append(_timed(network, sample, run))
    n_plain = sum(parameter.numel() for parameter in plain.parameters())
    return OverheadReport(n_plain, added, flops[0], flops[1] - flops[0], median(seconds[0]), median(seconds[1]))


def _timed(network: nn.Module, sample: Tensor, run: Callable[[nn.Module, Tensor], Tensor]) -> float:
    network.zero_grad()
    _synchronize(sample)
    start = time.perf_counter()
    run(network, sample).float().sum().backward()
    _synchronize(sample)
    return time.perf_counter() - start


def _synchronize(sample: Tensor) -> None:
    if sample.is_cuda:
        torch.cuda.synchronize(sample.device)
