"""Pairs of integers mod p, their labels, and which of them are trained on."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .configs import DataConfig, Target

IN_BOTH_ORDERS = 2
"""Ordered pairs that one unordered pair stands for."""


def all_pairs(p: int) -> Int[Tensor, "pairs 2"]:
    """All p² ordered pairs (x, y), y running fastest."""
    x = torch.arange(p)
    return torch.cartesian_prod(x, x)


def label_table(p: int, target: Target = "addition", seed: int = 0) -> Int[Tensor, "p p"]:
    """The label of each ordered pair (x, y), in row x and column y.

    Args:
        p: Size of the group.
        target: `addition`, `subtraction`, or `random`: labels without structure, which both orders of a pair share,
            since a network whose input is the sum of two one-hot vectors cannot tell them apart. For the same reason it
            can be right about subtraction for at most (p + 1) / 2p of the pairs.
        seed: Of a random table.
    """
    x = torch.arange(p)
    if target == "addition":
        return (x[:, None] + x) % p
    if target == "subtraction":
        return (x[:, None] - x) % p
    upper = torch.randint(p, (p, p), generator=torch.Generator().manual_seed(seed)).triu()
    return upper + upper.triu(1).T


def split(p: int, train_fraction: float, seed: int) -> Bool[Tensor, "p p"]:
    """Which ordered pairs are trained on: the first ⌊fraction p²⌋ of a random permutation.

    Raises:
        ValueError: if the fraction is not in (0, 1], or so small that no pair is left.
    """
    config = DataConfig(train_fraction=train_fraction)
    n_train = int(config.train_fraction * p * p)
    if not n_train:
        raise ValueError(f"a train fraction of {train_fraction} leaves none of the {p * p} pairs to train on")
    order = torch.randperm(p * p, generator=torch.Generator().manual_seed(seed))
    chosen = torch.zeros(p * p, dtype=torch.bool)
    chosen[order[:n_train]] = True
    return chosen.reshape(p, p)


@dataclass(frozen=True)
class PairData:
    """The labeled pairs of a training, unordered, since the network gives both orders the same logits.

    Every unordered pair x ≤ y stands once, with the labels and the weights of its two orders. Weights are 1 for an
    ordered pair that counts and 0 for another; the second order of a pair x = y never counts.

    Attributes:
        p: Size of the group.
        x: The smaller number of each pair.
        y: The larger one.
        labels: Labels of (x, y) and (y, x).
        train: Weights in training.
        test: Weights in testing.
    """

    p: int
    x: Int[Tensor, "pairs"]
    y: Int[Tensor, "pairs"]
    labels: Int[Tensor, "pairs 2"]
    train: Float[Tensor, "pairs 2"]
    test: Float[Tensor, "pairs 2"]

    @classmethod
    def from_table(cls, table: Int[Tensor, "p p"], is_trained: Bool[Tensor, "p p"]) -> "PairData":
        """The data of a label and a choice for each ordered pair; a table of one's own, too.

        Raises:
            ValueError: if a label is not in 0 .. p - 1.
        """
        p = len(table)
        if table.min() < 0 or table.max() >= p:
            raise ValueError(f"labels must be in 0 .. {p - 1}")
        x, y = torch.triu_indices(p, p)
        exists = torch.stack([torch.ones(len(x), dtype=torch.bool), x != y], dim=1)
        labels = torch.stack([table[x, y], table[y, x]], dim=1)
        chosen = torch.stack([is_trained[x, y], is_trained[y, x]], dim=1)
        return cls(p, x, y, labels, (exists & chosen).float(), (exists & ~chosen).float())

    @classmethod
    def make(cls, p: int, config: DataConfig = DataConfig(), seed: int = 0) -> "PairData":  # noqa: B008 - immutable
        """The data of a configuration.

        Raises:
            ValueError: if no pair is left to train on.
        """
        return cls.from_table(label_table(p, config.target, seed), split(p, config.train_fraction, seed))

    @property
    def is_symmetric(self) -> Bool[Tensor, "pairs"]:
        """Pairs both orders of which are trained on: the common ones. Those x = y have one order only."""
        return self.train.sum(1) == IN_BOTH_ORDERS

    @property
    def has_test(self) -> bool:
        """Whether there are pairs that are not trained on."""
        return bool(self.test.any())
