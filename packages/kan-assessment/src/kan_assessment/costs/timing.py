"""What a training step takes: seconds of its parts, and memory."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

WARM_UPS = 5


@dataclass(frozen=True)
class Timing:
    """Seconds of something that was repeated.

    Attributes:
        median: Median.
        low: First quartile.
        high: Third quartile.
        n: Repetitions.
    """

    median: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class StepProfile:
    """What a model's training step takes.

    Attributes:
        forward: Seconds of a forward pass without gradients, as in use.
        step: Seconds of forward pass, backward pass and update.
        memory: Bytes that a training step keeps from the forward pass for the backward pass, without parameters.
    """

    forward: Timing
    step: Timing
    memory: int

    def to_json(self) -> dict[str, object]:
        """Its numbers by name."""
        return asdict(self)


def _measure(action: Callable[[], object], n: int, device: torch.device) -> Timing:
    def once() -> float:
        begun = time.perf_counter()
        action()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - begun

    for _ in range(WARM_UPS):
        once()
    seconds = torch.tensor([once() for _ in range(n)], dtype=torch.float64)
    low, median, high = torch.quantile(seconds, torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)).tolist()
    return Timing(median, low, high, n)


def _stepper(model: nn.Module, in_features: int, batch_size: int) -> tuple[Callable[[], Tensor], Tensor]:
    """A training step by Adam on random data, to random targets."""
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    x = (2 * torch.rand(batch_size, in_features, generator=generator) - 1).to(device)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-3)
    with torch.no_grad():
        target = torch.randn(model(x).shape, generator=generator).to(device)

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = (model(x) - target).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    return step, x


def step_seconds(model: nn.Module, in_features: int, batch_size: int, n_steps: int = 20) -> Timing:
    """Seconds of a training step, after 5 warm-ups. The model's parameters change.

    Args:
        model: Maps (batch, in_features) to outputs.
        in_features: Number of inputs.
        batch_size: Samples of a step.
        n_steps: Repetitions.
    """
    step, x = _stepper(model.train(), in_features, batch_size)
    return _measure(step, n_steps, x.device)


def profile_step(model: nn.Module, in_features: int, batch_size: int = 128, n_steps: int = 20) -> StepProfile:
    """What a training step of a model takes, in time and memory. The model's parameters change.

    Args:
        model: Maps (batch, in_features) to outputs.
        in_features: Number of inputs.
        batch_size: Samples of a step.
        n_steps: Repetitions, after 5 warm-ups.

    Raises:
        ValueError: if a number is not positive.
    """
    if min(in_features, batch_size, n_steps) < 1:
        raise ValueError(f"sizes must be positive, not {in_features}, {batch_size}, {n_steps}")
    step, x = _stepper(model.train(), in_features, batch_size)
    of_step = _measure(step, n_steps, x.device)
    memory = _kept_bytes(model, step)
    model.eval()
    with torch.no_grad():
        of_forward = _measure(lambda: model(x), n_steps, x.device)
    model.train()
    return StepProfile(of_forward, of_step, memory)


def _kept_bytes(model: nn.Module, step: Callable[[], Tensor]) -> int:
    """Bytes of the tensors that a step keeps for its backward pass, each piece of memory once, parameters not."""
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        step()
    return sum(kept.values())
