"""Multi-tree search: several trees over the same problem at first, for their cuts; then the best of them goes on."""

from dataclasses import dataclass, field

import torch

from .bounder import BranchBounder
from .branches import Branches
from .branching import Decision
from .cut_inference import CutInference

ITERATIONS = 3
KEPT = 50
"""Branches that are split on after each iteration: those nearest to being refuted."""
TARGET = 200
"""Branches of one iteration."""


@dataclass
class TreeNode:
    """A branch of the forest.

    Args:
        depth: Splits on the way to it.
        refuted: Whether it was.
        place: Its row in the branches that are kept, if it is open.
        children: For each element that it was split at, the nodes below and above.
    """

    depth: int
    refuted: bool = False
    place: int = -1
    children: dict[tuple[int, int], tuple["TreeNode", "TreeNode"]] = field(default_factory=dict)

    def explored(self) -> float:
        """How many branches count as explored below it; a refuted one counts as if all that it could have were."""
        if self.refuted:
            return 2.0 ** (ITERATIONS + 1 - self.depth) - 1
        return 1 + max((low.explored() + high.explored() for low, high in self.children.values()), default=0.0)

    def leaves(self) -> list["TreeNode"]:
        """The open leaves of the best single tree: at each branch, of the split that explored most."""
        if self.refuted:
            return []
        if not self.children:
            return [self]
        low, high = max(self.children.values(), key=lambda pair: pair[0].explored() + pair[1].explored())
        return [*low.leaves(), *high.leaves()]


def multi_tree_search(bounder: BranchBounder, cuts: CutInference, roots: Branches) -> Branches:
    """Grow several trees for a few iterations, infer cuts from all that they refute, and keep the best.

    Only the leaves of one complete binary tree are enough to refute the whole; what other trees refuted counts through
    cuts alone.

    Args:
        bounder: Of the branches.
        cuts: Infers cuts from those that are refuted.
        roots: One branch, without splits.

    Returns:
        The open leaves of the best tree.
    """
    tree = TreeNode(0, place=0)
    every = [roots]
    frontier, nodes = roots, [tree]
    for depth in range(1, ITERATIONS + 1):
        if not len(frontier) or bounder.found or bounder.over():
            break
        target = min(TARGET, max(2, bounder.config.max_domains // (2 * ITERATIONS)))
        per_branch = max(1, target // (2 * len(frontier)))
        parents, decided = _alternatives(bounder, frontier, per_branch)
        if not len(parents):
            break
        trial = frontier[parents]
        trial.next = decided
        children = trial.children()
        still_open, refuted, index = bounder.bound_in_parts(children)
        status = {row: place for place, row in enumerate(index.tolist())}
        offset = sum(len(part) for part in every)
        opened: list[TreeNode | None] = [None] * len(still_open)
        half = len(trial)
        for i, parent in enumerate(parents.tolist()):
            pair = []
            for row in (i, i + half):
                node = TreeNode(depth, refuted=row not in status)
                if row in status:
                    node.place = offset + status[row]
                    opened[status[row]] = node
                pair.append(node)
            key = (int(decided.node[i]), int(decided.element[i]))
            nodes[parent].children[key] = (pair[0], pair[1])
        if cuts.infer(refuted, len(still_open), limited=False):
            return roots[torch.zeros(0, dtype=torch.long)]
        every.append(cuts.reset(still_open))
        keep = still_open.margin.argsort(descending=True)[:KEPT]
        frontier = cuts.reset(still_open[keep])
        nodes = [node for node in (opened[k] for k in keep.tolist()) if node is not None]
    leaves = tree.leaves()
    every = [cuts.reset(part) for part in every]
    chosen = torch.tensor([leaf.place for leaf in leaves], dtype=torch.long, device=roots.margin.device)
    return Branches.cat(every)[chosen]


def _alternatives(bounder: BranchBounder, branches: Branches, k: int) -> tuple[torch.Tensor, Decision]:
    """The k best splits of each branch: whose they are, and what."""
    found = bounder.alternatives(branches, k)
    decided = Decision.cat(found)
    parents = torch.arange(len(branches), device=branches.margin.device).repeat(len(found))
    useful = (decided.node >= 0).nonzero().squeeze(1)
    return parents[useful], decided[useful]
