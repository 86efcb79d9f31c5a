"""Targets of Q-learning where an action leads to several states: the children of a branch-and-bound node."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def segment_argmax(scores: Float[Tensor, "k"], segments: Int[Tensor, "k"], n_segments: int) -> Int[Tensor, "segments"]:
    """Position of the first largest score of each segment, which has a member; a NaN is less than any score."""
    scores = scores.nan_to_num(nan=-torch.inf)
    largest = torch.full((n_segments,), -torch.inf, device=scores.device).scatter_reduce(0, segments, scores, "amax")
    positions = torch.arange(len(scores), device=scores.device)
    positions = torch.where(scores == largest[segments], positions, len(scores))
    return torch.full_like(segments[:1], len(scores)).repeat(n_segments).scatter_reduce(0, segments, positions, "amin")


def double_q(
    online: Float[Tensor, "k"], target: Float[Tensor, "k"], segments: Int[Tensor, "k"], n_segments: int
) -> Float[Tensor, "segments"]:
    """Value of each state by double Q-learning: the target network's Q of the online network's best action.

    Args:
        online: Q of all actions of all states by the network that learns.
        target: The same by the target network.
        segments: State of each action.
        n_segments: Number of states.
    """
    return target[segment_argmax(online, segments, n_segments)]


def log_tree_size(values: Float[Tensor, "c"], parents: Int[Tensor, "c"], n_decisions: int) -> Float[Tensor, "b"]:
    """The tree-Bellman target log(1 + sum over children of exp(-Q(child))), the logarithm of a subtree's branchings.

    A child without a branching is a leaf and adds nothing. With one child, the next decision in time, it is the target
    of the temporal decision process.

    Args:
        values: Q of children, minus the logarithms of their subtrees' branchings.
        parents: Decision that each child belongs to.
        n_decisions: Number of decisions.
    """
    # log(e^0 + sum of e^-Q) with the largest exponent taken out.
    exponents = -values
    largest = torch.zeros(n_decisions, device=values.device).scatter_reduce(0, parents, exponents, "amax")
    total = (-largest).exp().index_add(0, parents, (exponents - largest[parents]).exp())
    return largest + total.log()
