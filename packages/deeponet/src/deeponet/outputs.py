"""How branch and trunk give several outputs: the four strategies of DeepXDE, and the products that they end in."""

from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from .configs import Strategy


def groups(strategy: Strategy, n_outputs: int) -> tuple[int, int]:
    """In how many groups of p the features of branch and trunk come.

    | strategy | branch | trunk |
    | --- | --- | --- |
    | `independent` | n networks | n networks |
    | `split_both` | one network of width n p | one network of width n p |
    | `split_branch` | one network of width n p | one network of width p, for all outputs |
    | `split_trunk` | one network of width p, for all outputs | one network of width n p |

    Raises:
        ValueError: if there is no such strategy, or the number of outputs is not positive.
    """
    if strategy not in get_args(Strategy):
        raise ValueError(f"the strategy must be one of {', '.join(get_args(Strategy))}, not '{strategy}'")
    if n_outputs < 1:
        raise ValueError(f"a network has at least one output, not {n_outputs}")
    return (
        1 if strategy == "split_trunk" else n_outputs,
        1 if strategy == "split_branch" else n_outputs,
    )


def features_per_output(strategy: Strategy, n_outputs: int, branch: int, trunk: int) -> int:
    """The p of the groups in which features of these widths come.

    Args:
        strategy: The strategy; with `independent`, the widths are those of one network.
        n_outputs: Number of outputs.
        branch: Width of the branch's features.
        trunk: Width of the trunk's features.

    Raises:
        ValueError: if the widths do not fit each other, or cannot be split; the sentence names both.
    """
    of_branch, of_trunk = (1, 1) if strategy == "independent" else groups(strategy, n_outputs)
    for name, width, n in (("branch", branch, of_branch), ("trunk", trunk, of_trunk)):
        if width % n:
            raise ValueError(f"the {name}'s last width, {width}, cannot be split among {n_outputs} outputs")
    if branch // of_branch != trunk // of_trunk:
        per_output = f"; {strategy} with {n_outputs} outputs needs " if n_outputs > 1 else "; they must be equal"
        if n_outputs > 1:
            per_output += {
                "split_branch": f"a branch {n_outputs} times as wide as the trunk",
                "split_trunk": f"a trunk {n_outputs} times as wide as the branch",
            }.get(strategy, "equal ones")
        raise ValueError(f"the last widths are {branch} of the branch and {trunk} of the trunk{per_output}")
    return branch // of_branch


def merge_rows(
    branch: Float[Tensor, "batch of_branch p"], trunk: Float[Tensor, "batch *points of_trunk p"]
) -> Float[Tensor, "batch *points outputs"]:
    """sum_k b_k t_k for each function at its own points."""
    # A sum of products is faster than as many products of matrices with one row.
    if trunk.ndim == 4 and trunk.shape[1] > 1:
        n = max(branch.shape[1], trunk.shape[2])
        of_branch, of_trunk = branch.expand(-1, n, -1), trunk.expand(-1, -1, n, -1)
        return torch.einsum("bnk,bqnk->bqn", of_branch, of_trunk)
    return ((branch[:, None] if trunk.ndim == 4 else branch) * trunk).sum(-1)


def merge_grid(
    branch: Float[Tensor, "batch of_branch p"], trunk: Float[Tensor, "points of_trunk p"]
) -> Float[Tensor, "batch points outputs"]:
    """sum_k b_k t_k of every function at every point."""
    n = max(branch.shape[1], trunk.shape[1])
    if n == 1:
        return (branch[:, 0] @ trunk[:, 0].T)[..., None]
    return torch.einsum("bnk,qnk->bqn", branch.expand(-1, n, -1), trunk.expand(-1, n, -1))
