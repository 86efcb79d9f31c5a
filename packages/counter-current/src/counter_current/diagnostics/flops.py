"""What a training step costs, in closed form for perceptrons and counted for any network and rule."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch.utils.flop_counter import FlopCounterMode

from counter_current.configs import RunConfig
from counter_current.networks.dual import CounterCurrentNetwork
from counter_current.rules.base import Rule
from counter_current.rules.registry import make_rule

PER_MAC = 2
"""Operations of a multiplication with its addition."""


def bp_flops(sizes: Sequence[int]) -> int:
    """Floating-point operations of back-propagation for each sample, in a perceptron without biases.

    2 (3 P - d_0 d_1), with P the number of weights: the forward product, the weights' gradient, and the gradient of
    each layer's input but the first.

    Args:
        sizes: Widths d_0 to d_L.
    """
    products = [below * above for below, above in pairwise(sizes)]
    return PER_MAC * (3 * sum(products) - products[0])


def ccl_flops(sizes: Sequence[int], batch_size: int) -> float:
    """Floating-point operations of counter-current learning for each sample, in a perceptron trained by the dot form.

    2 (2 P + 2 P C / batch + C (2 Σ_{l<L} d_l + Σ_{0<l<L} d_l)): forward products and weights' gradients; the same of
    the feedback network, which runs on the C classes once for a batch; and the pair losses, with their gradients in the
    feedback signals and in all activations but the sample.

    Args:
        sizes: Widths d_0 to d_L; C is d_L.
        batch_size: Samples of a step.
    """
    n_weights = sum(below * above for below, above in pairwise(sizes))
    n_classes = sizes[-1]
    pairs = n_classes * (2 * sum(sizes[:-1]) + sum(sizes[1:-1]))
    return PER_MAC * (2 * n_weights + 2 * n_weights * n_classes / batch_size + pairs)


def count_training_flops(
    network: CounterCurrentNetwork, batch_size: int, rule: Rule | RunConfig | None = None
) -> float:
    """Floating-point operations of a training step for each sample: all matrix products and convolutions, counted.

    What is done element by element, and the optimizer's step, do not count. Gradients of the network are cleared.

    Args:
        network: The network.
        batch_size: Samples of a step.
        rule: The rule, or the configuration of one; counter-current learning with the dot form if not given.

    Raises:
        ValueError: if the batch is empty, or the rule does not train such a network.
    """
    if batch_size < 1:
        raise ValueError(f"the batch size must be at least 1, not {batch_size}")
    if rule is None or isinstance(rule, RunConfig):
        rule = make_rule(network, rule or RunConfig())
    weight = next(network.parameters())
    x = torch.zeros(batch_size, *network.sample_shape, device=weight.device, dtype=weight.dtype)
    labels = None
    if network.n_classes is not None:
        labels = torch.arange(batch_size, device=weight.device) % network.n_classes
    states = {name: value.clone() for name, value in network.named_buffers()}
    counter = FlopCounterMode(display=False)
    with counter:
        rule.gradients(x, labels, torch.Generator().manual_seed(0))
    network.zero_grad()
    # Counting leaves the statistics of batch normalization as they were.
    with torch.no_grad():
        for name, value in network.named_buffers():
            value.copy_(states[name])
    return counter.get_total_flops() / batch_size
