"""Branching rules: the classical ones, SCIP's own by name, and the learned one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from pyscipopt import Model
from torch import Tensor

from .branching import Focus
from .graphs import collate
from .observation import Observation

if TYPE_CHECKING:
    from .policy import ReviBranchPolicy

BUILT_IN = {
    "scip": None,
    "relpscost": "relpscost",
    "pscost": "pscost",
    "vanillafullstrong": "vanillafullstrong",
    "fullstrong": "fullstrong",
    "mostinf": "mostinf",
    "inference": "inference",
    "random": "random",
}
"""SCIP's own rules, by name: its plugin, or None for what it does by default."""
ITERATION_LIMIT = 2**31 - 1
"""Of a strong-branching LP; none, in effect."""


def set_built_in(model: Model, name: str) -> None:
    """Let one of SCIP's own rules do the branching.

    Raises:
        ValueError: if there is no such rule.
    """
    if name not in BUILT_IN:
        raise ValueError(f"{name!r} is no rule of SCIP's; choose from {', '.join(BUILT_IN)}")
    if BUILT_IN[name] is not None:
        model.setParam(f"branching/{BUILT_IN[name]}/priority", 10**6)


class RandomRule:
    """Any candidate, each as likely; every solve draws the same numbers again.

    Args:
        seed: Of the draws.
    """

    name = "random"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._generator = np.random.default_rng(seed)

    def begin(self, model: Model) -> None:  # noqa: ARG002
        """Begin the draws anew."""
        self._generator = np.random.default_rng(self.seed)

    def choose(self, focus: Focus) -> int:
        """Draw a candidate."""
        return int(self._generator.integers(len(focus.candidates)))


class MostFractionalRule:
    """The candidate whose fractional part is nearest to one half; the first of several."""

    name = "mostfrac"

    def choose(self, focus: Focus) -> int:
        """The most fractional candidate."""
        return int(np.argmin(np.abs(np.asarray(focus.fractions) - 0.5)))


class PseudocostRule:
    """The candidate with the greatest of SCIP's pseudocost scores; the first of several."""

    name = "pseudocost"

    def choose(self, focus: Focus) -> int:
        """The candidate with the greatest pseudocost score."""
        score = focus.model.getVarPseudocostScore
        pairs = zip(focus.candidates, focus.values, strict=True)
        return int(np.argmax([score(variable, value) for variable, value in pairs]))


class StrongBranchingRule:
    """Full strong branching: the candidate with the greatest product score of the gains of both children's LPs.

    All LPs are solved to the end and SCIP's state stays as it is. As SCIP does, the gain of an infeasible child reaches to
    the cutoff bound, and a candidate whose children are both infeasible is taken at once. It is a plain branching all the
    same: no bound is tightened and no node cut off, so that numbers of nodes can be compared with those of other rules.
    """

    name = "strong"

    def choose(self, focus: Focus) -> int:
        """The candidate with the greatest strong-branching score."""
        model = focus.model
        bound = model.getLPObjVal()
        scores = np.full(len(focus.candidates), -np.inf)
        model.startStrongbranch()
        try:
            for index, variable in enumerate(focus.candidates):
                down, up, _, _, is_down_infeasible, is_up_infeasible, _, _, failed = model.getVarStrongbranch(
                    variable, ITERATION_LIMIT, idempotent=True
                )
                if failed:
                    continue
                if is_down_infeasible and is_up_infeasible:
                    return index
                gains = [max(down - bound, 0.0), max(up - bound, 0.0)]
                scores[index] = model.getBranchScoreMultiple(variable, gains)
        finally:
            model.endStrongbranch()
        return int(np.argmax(scores))


@dataclass
class _Step:
    """A decision on the path: what it was, and its embedding once a descendant asks for it."""

    observation: Observation | None
    action: int
    depth: int
    parent: int | None
    embedding: Float[Tensor, "width"] | None = None


class PolicyRule:
    """A policy with the memory of the path that leads to each node.

    Each decision's embedding is kept under the number of its node, so that a past graph is encoded once: a node's memory is
    that of its ancestors, the last `memory_length` of them.

    Args:
        policy: Gives the value of each candidate; used without gradients, and in evaluation mode.
        epsilon: Share of decisions that are drawn evenly instead.
        seed: Of all draws; every solve draws the same numbers again.
        greedy: Take the candidate with the greatest value; else draw from the softmax of the values.
    """

    name = "revibranch"

    def __init__(self, policy: "ReviBranchPolicy", epsilon: float = 0.0, seed: int = 0, *, greedy: bool = True) -> None:
        if not 0 <= epsilon <= 1:
            raise ValueError(f"epsilon must be between 0 and 1, not {epsilon}")
        self.policy, self.epsilon, self.seed, self.greedy = policy, epsilon, seed, greedy
        self._device = next(policy.parameters()).device
        self.begin()

    def begin(self, model: Model | None = None) -> None:  # noqa: ARG002
        """Forget all paths, and begin the draws anew."""
        self._steps: dict[int, _Step] = {}
        self._generator = np.random.default_rng(self.seed)
        self.policy.eval()

    @torch.inference_mode()
    def choose(self, focus: Focus) -> int:
        """The policy's candidate."""
        step = _Step(focus.observation, 0, focus.depth, focus.parent)
        if self.epsilon > 0 and self._generator.random() < self.epsilon:
            step.action = int(self._generator.integers(len(focus.candidates)))
        else:
            observation = focus.observation.to(self._device)
            values, embeddings = self.policy.decide(observation, self.memory(focus.parent))
            step.action = self._pick(values)
            self._remember(step, observation, embeddings)
        if self.policy.config.revival:
            self._steps[focus.number] = step
        return step.action

    def memory(self, parent: int | None) -> Float[Tensor, "steps width"] | None:
        """Embeddings of the decisions on the path that ends with a node, from the top down; None if there are none.

        Args:
            parent: Number of the node.
        """
        path: list[Tensor] = []
        while parent in self._steps and len(path) < self.policy.config.memory_length:
            step = self._steps[parent]
            if step.embedding is None:
                observation = step.observation.to(self._device)
                self._remember(step, observation, self.policy.encode(collate([observation])))
            path.append(step.embedding)
            parent = step.parent
        return torch.stack(path[::-1]) if path else None

    def _pick(self, values: Float[Tensor, "candidates"]) -> int:
        if self.greedy:
            return int(values.argmax())
        shares = torch.softmax(values.double(), 0).cpu().numpy()
        return int(self._generator.choice(len(shares), p=shares / shares.sum()))

    def _remember(self, step: _Step, observation: Observation, embeddings: Float[Tensor, "variables width"]) -> None:
        """Embed a decision, and let its graph go."""
        if not self.policy.config.revival:
            return
        action = observation.candidates[step.action : step.action + 1]
        depth = torch.tensor([step.depth], device=self._device)
        step.embedding = self.policy.remember(embeddings, collate([observation]), action, depth)[0]
        step.observation = None
