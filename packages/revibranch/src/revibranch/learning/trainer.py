"""Training: episodes of branch and bound, and double Q-learning on their paths."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import torch

from revibranch.configs import LARGEST_SEED, ScipConfig, TrainConfig
from revibranch.network.policy import ReviBranchPolicy
from revibranch.scip.rules import StrongBranchingRule
from revibranch.search.branching import PolicyRule, Rule
from revibranch.search.environment import Instance
from revibranch.search.rollouts import Job, RolloutPool
from revibranch.search.trees import Episode
from separata import states
from separata.runs import CHECKPOINT
from separata.training import seeded

from .forest import Tree
from .losses import imitation_loss, loss
from .replay import ReplayForest

N_TO_NORMALIZE = 100
"""Observations that features are normalized by."""
PASSES = 10
"""How often each demonstrated decision is imitated."""
SAVE_EVERY = 60.0
"""Seconds after which progress is written, also without an evaluation."""
REPLAY = "replay"
"""Folder of the trees, in that of the training."""
COUNTS = ("done", "position", "at_root", "n_updates", "n_trees", "n_decisions", "n_due", "is_normalized", "best_nodes")
"""What a checkpoint holds beside weights and trees."""
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
    where none are held out. The same seed and number of workers give the same training, also where it was interrupted
    and continued: with several workers as many episodes are explored by one policy before it learns from them.

    An instance that is solved at the root in the first pass over them teaches nothing, and is not chosen again.

    Args:
        policy: The network; it stays on its device.
        instances: What is solved, all of them before one is solved again.
        config: How it is trained.
        scip: How SCIP solves; trees are searched depth first, whatever it says, except on held-out instances.
        validation: Held-out instances.
        folder: Where progress is kept, to be continued from; None to keep none.
        track: Shows progress over episodes.
        log: Takes a row for each episode.

    Attributes:
        at_root: Numbers of the instances that were solved without a branching when they were first met.

    Raises:
        ValueError: if there are no instances, or the folder holds the progress of another training.
    """

    def __init__(
        self,
        policy: ReviBranchPolicy,
        instances: Sequence[Instance],
        config: TrainConfig = TrainConfig(),  # noqa: B008 - immutable
        *,
        scip: ScipConfig = ScipConfig(),  # noqa: B008 - immutable
        validation: Sequence[Instance] = (),
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
        self.replay = ReplayForest(config.capacity, memory_length, policy.config.trajectory)
        self.done, self.n_updates, self.n_trees, self.n_decisions, self.n_due = 0, 0, 0, 0, 0.0
        self.position = 0
        self.at_root: list[int] = []
        self.best: dict[str, torch.Tensor] | None = None
        self.best_nodes = math.inf
        self.is_normalized = False
        self._saved_at, self._is_evaluated = time.monotonic(), False
        self._restore()

    def fit(self) -> None:
        """Train to the last episode.

        Raises:
            FloatingPointError: if the loss is not finite.
            ValueError: if all instances are solved at the root.
        """
        config, size = self.config, max(1, self.config.n_workers)
        with RolloutPool(config.n_workers) as pool:
            if not self.done and config.n_demonstrations:
                self._demonstrate(pool)
            for start in self.track(range(self.done, config.n_episodes, size), "episodes"):
                numbers = range(start, min(start + size, config.n_episodes))
                positions = self._positions(self.position, len(numbers))
                rules = [PolicyRule(self.policy, self.epsilon(number), self._seed(number)) for number in numbers]
                jobs = [self._job(position, rule) for position, rule in zip(positions, rules, strict=True)]
                episodes = pool.run(jobs, self._searching)
                for number, position, episode in zip(numbers, positions, episodes, strict=True):
                    self._note(position, episode)
                    self._follow(number, episode, pool)
                if self._is_save_due():
                    self._save()
        if self.best is not None:
            self.policy.load_state_dict(self.best)
        self.policy.eval()

    def epsilon(self, number: int) -> float:
        """Share of random decisions in an episode: falls evenly over the first half of training."""
        share = min(1.0, 2 * number / self.config.n_episodes)
        return self.config.epsilon + share * (self.config.final_epsilon - self.config.epsilon)

    def evaluate(self, pool: RolloutPool) -> float:
        """Geometric mean of the nodes that the policy needs on the held-out instances."""
        jobs = [Job(instance, PolicyRule(self.policy)) for instance in self.validation]
        episodes = pool.run(jobs, replace(self.scip, depth_first=False), record=False)
        return geometric_mean([one.n_nodes for one in episodes])

    @property
    def _searching(self) -> ScipConfig:
        return replace(self.scip, depth_first=True)

    def _instance(self, position: int) -> int:
        """The number of the instance at a position in the passes over all of them, each in another order."""
        turn, place = divmod(position, len(self.instances))
        order = torch.randperm(len(self.instances), generator=torch.Generator().manual_seed(self._seed(turn)))
        return int(order[place])

    def _positions(self, start: int, n: int) -> list[int]:
        """The next positions of instances that are not known to be solved at the root."""
        if len(self.at_root) == len(self.instances):
            raise ValueError(
                "all instances are solved without branching, so there is nothing to learn: give harder ones"
            )
        rest = (position for position in count(start) if self._instance(position) not in self.at_root)
        return list(islice(rest, n))

    def _job(self, position: int, rule: Rule) -> Job:
        """Solve the instance at a position, in each pass with another seed of SCIP's."""
        turn = position // len(self.instances)
        return Job(self.instances[self._instance(position)], rule, (turn + self.config.seed) % (LARGEST_SEED + 1))

    def _note(self, position: int, episode: Episode) -> None:
        """Go on behind a position; remember in the first pass which instances are solved at the root."""
        self.position = position + 1
        instance = self._instance(position)
        is_at_root = episode.solved and not episode.decisions
        if is_at_root and position < len(self.instances) and instance not in self.at_root:
            self.at_root.append(instance)

    def _seed(self, *numbers: int) -> int:
        """A seed for each tuple of small numbers."""
        seed = self.config.seed
        for number in numbers:
            seed = seed * 1_000_003 + number + 1
        return seed % 2**31

    def _follow(self, number: int, episode: Episode, pool: RolloutPool) -> None:
        """Keep an episode, learn from the replay, and say how it goes."""
        self._keep(episode)
        row = {
            "episode": number,
            "nodes": episode.n_nodes,
            "lp_iterations": episode.n_lp_iterations,
            "epsilon": self.epsilon(number),
            "seconds": episode.seconds,
            "solved": int(episode.solved),
            "loss": self._learn(),
            "validation_nodes": math.nan,
        }
        self.done = number + 1
        is_last, every = self.done == self.config.n_episodes, self.config.evaluate_every
        if is_last or (every and self.done % every == 0):
            if self.validation:
                row["validation_nodes"] = self.evaluate(pool)
                if row["validation_nodes"] < self.best_nodes:
                    self.best_nodes = row["validation_nodes"]
                    self.best = {name: value.clone() for name, value in self.policy.state_dict().items()}
            self._is_evaluated = True
        self.log(row)

    def _is_save_due(self) -> bool:
        """After an evaluation or a while; only between batches of episodes, whose episodes one policy explores."""
        return self._is_evaluated or time.monotonic() - self._saved_at > SAVE_EVERY

    def _keep(self, episode: Episode) -> None:
        """Add an episode to the replay; one that was not solved does not tell how large its subtrees are."""
        if not episode.decisions or not episode.solved:
            return
        self.replay.add(episode)
        if self.folder is not None:
            self._tree_file(0).parent.mkdir(parents=True, exist_ok=True)
            states.save(self._tree_file(self.n_trees), self.replay.trees[-1].state())
        self.n_trees += 1
        self.n_decisions += len(episode.decisions)
        if self.n_decisions >= self.config.n_before:
            self.n_due += self.config.updates_per_decision * len(episode.decisions)

    def _learn(self) -> float:
        """Make the updates that are due; their mean loss."""
        losses = []
        while self.n_due >= 1:
            self.n_due -= 1
            losses.append(self._update())
        if not losses:
            return math.nan
        mean = torch.stack(losses).mean().item()
        if not math.isfinite(mean):
            raise FloatingPointError(f"training diverged after {self.n_updates} updates; lower the learning rate")
        return mean

    def _update(self, *, imitates: bool = False) -> torch.Tensor:
        """One step of the optimizer; the loss, still on the device."""
        self._normalize()
        seed = self._seed(self.n_updates, 1)
        batch = self.replay.sample_paths(self.config.batch_size, torch.Generator().manual_seed(seed))
        batch = batch.to(self.policy.device)
        self.policy.train()
        self.optimizer.zero_grad()
        with seeded(seed):
            value = (
                imitation_loss(self.policy, batch) if imitates else loss(self.policy, self.target, batch, self.config)
            )
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.config.max_norm)
        self.optimizer.step()
        self.n_updates += 1
        if self.n_updates % self.config.target_update == 0:
            self._copy_to_target()
        return value.detach()

    def _normalize(self) -> None:
        """Fit the normalization of features before the first update."""
        if self.is_normalized:
            return
        generator = torch.Generator().manual_seed(self._seed(0, 0))
        graphs = self.replay.sample_paths(min(N_TO_NORMALIZE, len(self.replay)), generator).all_graphs
        self.policy.encoder.fit_normalization(graphs.to(self.policy.device))
        self._copy_to_target()
        self.is_normalized = True

    def _copy_to_target(self) -> None:
        self.target.load_state_dict(self.policy.state_dict())

    def _demonstrate(self, pool: RolloutPool) -> None:
        """Let strong branching solve instances, and learn to choose as it does."""
        missing, at_once = self.config.n_demonstrations, len(self.instances)
        while missing:
            positions = self._positions(self.position, min(missing, at_once))
            jobs = [self._job(position, StrongBranchingRule()) for position in positions]
            for position, episode in zip(positions, pool.run(jobs, self._searching), strict=True):
                self._note(position, episode)
                self._keep(episode)
            missing -= len(positions)
        self.position = 0
        for _ in range(PASSES * len(self.replay) // self.config.batch_size):
            self._update(imitates=True)
        self._copy_to_target()
        self.n_due = 0.0

    def _save(self) -> None:
        """Write the progress, if it is kept."""
        self._saved_at, self._is_evaluated = time.monotonic(), False
        if self.folder is None:
            return
        numbers = {name: getattr(self, name) for name in COUNTS}
        states.save(
            self.folder / CHECKPOINT,
            {
                **numbers,
                "n_kept": len(self.replay.trees),
                "best": self.best,
                "policy": self.policy.state_dict(),
                "target": self.target.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            },
        )
        for number in range(self.n_trees - len(self.replay.trees)):
            self._tree_file(number).unlink(missing_ok=True)

    def _tree_file(self, number: int) -> Path:
        """Where a tree of the replay is, which is written once."""
        assert self.folder is not None  # noqa: S101 - for the type checker
        return self.folder / REPLAY / f"{number:06}.safetensors"

    def _restore(self) -> None:
        if self.folder is None or not (self.folder / CHECKPOINT).is_file():
            return
        state = states.load(self.folder / CHECKPOINT)
        try:
            for name in COUNTS:
                setattr(self, name, state[name])
            self.best = state["best"]
            self.policy.load_state_dict(state["policy"])
            self.target.load_state_dict(state["target"])
            self.optimizer.load_state_dict(state["optimizer"])
            for number in range(self.n_trees - state["n_kept"], self.n_trees):
                self.replay.add_tree(Tree.from_state(states.load(self._tree_file(number))))
        except (KeyError, TypeError, ValueError, RuntimeError):
            raise ValueError(f"{self.folder / CHECKPOINT} is not the progress of this training") from None
