"""The Euler sampler with rescaled times, and classifier-free guidance within an interval of them."""

import functools
import itertools
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fixer3d.configs import SamplerConfig
from fixer3d.network.conditions import Conditions
from fixer3d.network.control import DualBranchFlow
from fixer3d.network.trunk import FlowTrunk

Velocity = Callable[[Tensor, Tensor, bool], Tensor]
"""What is integrated: from samples, as many times of 0 (clean) to 1000 (noise), and whether there is guidance, to the
velocities. With guidance, the batch holds all samples twice, and the second half is to be unconditional."""


def times(config: SamplerConfig) -> list[float]:
    """The times of the steps from 1 to 0: equally spaced ones rescaled by `t' = r t / (1 + (r - 1) t)`."""
    r, n = config.rescale, config.n_steps
    return [r * t / (1 + (r - 1) * t) for t in (1 - i / n for i in range(n + 1))]


@torch.no_grad()
def sample(
    velocity: Velocity, noise: Float[Tensor, "batch *shape"], config: SamplerConfig
) -> Float[Tensor, "batch *shape"]:
    """Integrate a flow from noise to data with Euler steps, `x - (t - t_next) v`.

    At times within the interval, `v = (1 + s) v_cond - s v_uncond`, with both in one pass; at others, and for a
    guidance s of 0, `v = v_cond`.

    Args:
        velocity: The flow; see `make_velocity` for that of a network.
        noise: Standard normal noise.
        config: Steps, guidance and rescaling.

    Returns:
        Samples, one for each of the noise.
    """
    x, steps = noise, times(config)
    for t, following in itertools.pairwise(steps):
        x = x - (t - following) * _guided(velocity, x, t, config)
    return x


def _guided(velocity: Velocity, x: Tensor, t: float, config: SamplerConfig) -> Tensor:
    s = config.guidance
    guided = s > 0 and config.interval[0] <= t <= config.interval[1]
    batch = torch.cat([x, x]) if guided else x
    v = velocity(batch, torch.full((len(batch),), 1000 * t, device=x.device), guided)
    if not guided:
        return v
    conditional, unconditional = v.chunk(2)
    return (1 + s) * conditional - s * unconditional


def make_velocity(flow: nn.Module, conditions: Conditions | Float[Tensor, "batch *shape"]) -> Velocity:
    """The flow of a network under conditions, unconditional where they are zeros.

    What our own networks make of the conditions alone is computed once for all steps; the weights must not change in
    between.

    Args:
        flow: `DualBranchFlow` with `Conditions`, or `FlowTrunk` with image tokens; or any module of the same form,
            `flow(x, t, conditions)`.
        conditions: What each sample is conditioned on.
    """

    # Guidance ends once: of what is prepared with it and without, only one is held at a time.
    @functools.lru_cache(maxsize=1)
    def given(guided: bool) -> object:
        both = _with_unconditional(conditions) if guided else conditions
        if isinstance(flow, DualBranchFlow) and isinstance(both, Conditions):
            return flow.prepare(both)
        return flow.prepare(both) if isinstance(flow, FlowTrunk) and isinstance(both, Tensor) else both

    def velocity(x: Tensor, t: Tensor, guided: bool) -> Tensor:
        return flow(x, t, given(guided))

    return velocity


def _with_unconditional(conditions: Conditions | Tensor) -> Conditions | Tensor:
    if isinstance(conditions, Conditions):
        return Conditions.cat([conditions, conditions.zeroed()])
    return torch.cat([conditions, torch.zeros_like(conditions)])
