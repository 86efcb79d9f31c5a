"""The learning rules by name."""

import torch

from counter_current.configs import RULES, RunConfig
from counter_current.networks.dual import CounterCurrentNetwork

from .base import Rule
from .bp import BackPropagation
from .ccl import CounterCurrent
from .direct_feedback_alignment import DirectFeedbackAlignment
from .drtp import DirectRandomTargetProjection
from .dtp import DifferenceTargetPropagation
from .feedback_alignment import FeedbackAlignment
from .fw_dtp import FixedWeightTargetPropagation
from .output_only import OutputOnly

STREAM = 7_919
"""Keeps the generator of random feedback apart from others of the same seed."""


def make_rule(network: CounterCurrentNetwork, config: RunConfig = RunConfig()) -> Rule:  # noqa: B008 - immutable
    """The learning rule of a configuration, for a network that is already on its device.

    What is random about it depends on the seed alone.

    Raises:
        ValueError: if there is no such rule, or it does not train such a network.
    """
    generator = torch.Generator().manual_seed((config.train.seed * 1_000_003 + STREAM) % 2**63)
    match config.rule:
        case "ccl":
            return CounterCurrent(network, config.loss)
        case "bp":
            return BackPropagation(network)
        case "fa":
            return FeedbackAlignment(network, generator)
        case "dfa":
            return DirectFeedbackAlignment(network, generator)
        case "drtp":
            return DirectRandomTargetProjection(network, generator)
        case "fw-dtp":
            return FixedWeightTargetPropagation(network, config.target)
        case "dtp":
            return DifferenceTargetPropagation(network, config.target)
        case "output-only":
            return OutputOnly(network)
    raise ValueError(f"the rule must be one of {', '.join(RULES)}, not '{config.rule}'")
