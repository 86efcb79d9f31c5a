"""Training: episodes of branch and bound, and double Q-learning on their paths."""

import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from separata import states
from separata.training import seeded

from .branching import PolicyRule
from .configs import ScipConfig, TrainConfig
from .forest import Tree
from .learning import imitation_loss, loss
from .policy import ReviBranchPolicy
from .replay import ReplayForest
from .rollouts import Job, RolloutPool
from .rules import StrongBranchingRule

if TYPE_CHECKING:
    from .environment import Instance
    from .trees import Episode

N_TO_NORMALIZE = 100
"""Observations that features are normalized by."""
PASSES = 10
"""How often each demonstrated decision is imitated."""
Track = Callable[[Iterable[int], str], Iterable[int]]
"""Wraps a loop to show its progress."""
Log = Callable[[dict[str, float]], None]
"""Takes the numbers of an episode."""


def geometric_mean(counts: Sequence[float], shift: float = 1.0) -> float:
    """The shifted geometric mean exp(mean(log(x + shift))) - shift, as usual for numbers of nodes."""
    return math.exp(sum(math.log(count + shift) for count in counts) / len(counts)) - shift


class Trainer:
    """Trains a policy on instances, in place.

    In turn, an instance is solved by the policy with some random decisions, its tree is kept, and paths drawn from all
    trees are learned from. Training ends with the weights that were best on held-out instances, or with the last ones
    where none are held out. The same seed gives the same training, also where it was interrupted and continued.

    Args:
        policy: The network; it stays on its device.
        instances: What is solved, all of them before one is solved again.
        config: How it is trained.
        scip: How SCIP solves; trees are searched depth first, whatever it says, except on held-out instances.
        validation: Held-out instances.
        folder: Where progress is kept, to be continued from; None to keep none.
        track: Shows progress over episodes.
        log: Takes a row for each episode.

    Raises:
        ValueError: if there are no instances, or the folder holds the progress of another training.
    """

    def __init__(
        self,
        policy: ReviBranchPolicy,
        instances: "Sequence[Instance]",
        config: TrainConfig = TrainConfig(),  # noqa: B008 - immutable
        *,
        scip: ScipConfig = ScipConfig(),  # noqa: B008 - immutable
        validation: "Sequence[Instance]" = (),
        folder: Path | None = None,
        track: Track | None = None,
        log: Log | None = None,
    ) -> None:
        if not instances:
            raise ValueError("there is nothing to train on: give at least one instance")
        self.policy, self.instances, self.config, self.validation = policy, instances, config, validation
        self.scip, self.folder = scip, folder
        self.track: Track = track or (lambda items, _: items)
        self.log: Log = log or (lambda _: None)
        self.target = deepcopy(policy).eval().requires_grad_(requires_grad=False)
        self.optimizer = torch.optim.Adam(policy.parameters(), config.lr, fused=True)
        memory_length = policy.config.memory_length if policy.config.revival else 0
        self.replay = ReplayForest(config.capacity, memory_length, config.trajectory)
        self.done, self.n_updates, self.n_decisions = 0, 0, 0
        self.due = 0.0
        self.best: dict[str, torch.Tensor] | None = None
        self.best_nodes = math.inf
        self.is_normalized = False
        self._restore()

    def fit(self) -> None:
        """Train to the last episode.

        Raises:
            FloatingPointError: if the loss is not finite.
        """
        config, size = self.config, max(1, self.config.n_workers)
        with RolloutPool(config.n_workers) as pool:
            if not self.done and config.n_demonstrations:
                self._demonstrate(pool)
            for start in self.track(range(self.done, config.n_episodes, size), "episodes"):
                numbers = range(start, min(start + size, config.n_episodes))
                rules = [self._exploring(number) for number in numbers]
                for number, episode in zip(numbers, self._solve(pool, rules, numbers), strict=True):
                    self._learn_from(number, episode, pool)
        if self.best is not None:
            self.policy.load_state_dict(self.best)
        self.policy.eval()

    def epsilon(self, number: int) -> float:
        """Share of random decisions in an episode: falls evenly over the first half of training."""
        share = min(1.0, number / max(1, self.config.n_episodes // 2))
        return self.config.epsilon + share * (self.config.final_epsilon - self.config.epsilon)

    def evaluate(self, pool: RolloutPool) -> float:
        """Geometric mean of the nodes that the policy needs on the held-out instances."""
        self.policy.eval()
        jobs = [Job(instance, PolicyRule(self.policy), seed) for seed, instance in enumerate(self.validation)]
        return geometric_mean([one.n_nodes for one in pool.run(jobs, replace(self.scip, depth_first=False), record=False)])
