"""What conditional computation saves: multiplications counted, and seconds measured."""

import time
from dataclasses import dataclass
from statistics import median

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .networks import ConditionalNetwork

REPEATS = 15


@dataclass(frozen=True)
class Cost:
    """Multiply-accumulate operations for one example.

    Attributes:
        experts: Of the experts and the output that are computed.
        gater: Of the gater.
        dense: Of the same experts and output without gates.
    """

    experts: float
    gater: float
    dense: float

    @property
    def total(self) -> float:
        """Experts and gater."""
        return self.experts + self.gater

    @property
    def ratio(self) -> float:
        """Total, relative to the network without gates."""
        return self.total / self.dense


def count_macs(model: ConditionalNetwork, activity: float) -> Cost:
    """Count the operations of a conditional network: rho E (D + C) + D G + G B.

    E experts of D inputs with C classes, a gater of G tanh units and B gates, a share rho of which is on.

    Args:
        model: The network.
        activity: rho.

    Raises:
        ValueError: if it is not within [0, 1].
    """
    if not 0 <= activity <= 1:
        raise ValueError(f"the share of active gates must lie within 0 and 1, not {activity}")
    layer = model.conditional
    dense = layer.out_features * (layer.in_features + model.n_classes)
    hidden = model.config.gater_hidden
    return Cost(activity * dense, layer.in_features * hidden + hidden * layer.n_blocks, dense)


@dataclass(frozen=True)
class Speed:
    """Median seconds of a forward pass.

    Attributes:
        batch_size: Examples of the pass.
        plain: Of the experts and the output without gates.
        masked: With gates, all experts computed.
        skipping: With gates, only those that are on.
        activity: Share of the gates that are on.
    """

    batch_size: int
    plain: float
    masked: float
    skipping: float
    activity: float

    @property
    def speedup(self) -> float:
        """Of skipping, over the network without gates."""
        return self.plain / self.skipping


@torch.no_grad()
def measure_speed(model: ConditionalNetwork, x: Float[Tensor, "batch *sample"], *, repeats: int = REPEATS) -> Speed:
    """Time a conditional network beside the same network without gates, in turns.

    Args:
        model: The network; left as it was. Its gates are drawn as its neurons are set to.
        x: The examples of a pass, on its device.
        repeats: Passes of each.

    Raises:
        ValueError: if there are no examples, or fewer than one pass.
    """
    if not len(x) or repeats < 1:
        raise ValueError(f"at least one example and one pass are needed, not {len(x)} and {repeats}")
    modes, skip = [(module, module.training) for module in model.modules()], model.conditional.skip
    plain = nn.Sequential(nn.Flatten(), model.conditional.experts, model.output)
    seconds: dict[str, list[float]] = {"plain": [], "masked": [], "skipping": []}
    try:
        model.eval()
        activity = float((model.gates(x) != 0).double().mean())
        for i in range(repeats + 2):
            for name, run in (("plain", plain), ("masked", model), ("skipping", model)):
                model.conditional.skip = name == "skipping"
                start = _now(x)
                run(x)
                if i >= 2:
                    seconds[name].append(_now(x) - start)
    finally:
        model.conditional.skip = skip
        for module, mode in modes:
            module.training = mode
    plain_time, masked, skipping = (median(seconds[name]) for name in ("plain", "masked", "skipping"))
    return Speed(len(x), plain_time, masked, skipping, activity)


def _now(x: Tensor) -> float:
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
    return time.perf_counter()


@torch.no_grad()
def set_activity(model: ConditionalNetwork, x: Float[Tensor, "n *sample"], share: float) -> None:
    """Shift the biases of the gates so that each is on, without noise, for a share of samples: to time a network.

    Args:
        model: The network; its biases are changed.
        x: Samples.
        share: Of the samples, between 0 and 1.

    Raises:
        ValueError: if it does not lie between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share must lie between 0 and 1, not {share}")
    gater = model.conditional.gater
    a = gater.gates(gater.hidden(x.flatten(1)))
    gater.gates.bias.sub_(a.quantile(1 - share, dim=0))
