"""Branching rules in Python as a plugin of SCIP."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int64
from pyscipopt import SCIP_RESULT, Branchrule, Model
from torch import Tensor, nn

from revibranch.network.graphs import GraphBatch, collate
from revibranch.scip.models import Focus
from revibranch.scip.observation import BipartiteObservation, Observation

PRIORITY = 10**7
"""Above those of SCIP's own rules."""


@runtime_checkable
class Rule(Protocol):
    """Chooses the variable to branch on; may also have `begin(model)`, called when a solve begins."""

    name: str

    def choose(self, focus: Focus) -> int:
        """Position of the choice among `focus.candidates`."""
        ...


@runtime_checkable
class Policy(Protocol):
    """What values candidates by their graph and the path to it, as `ReviBranchPolicy` does; an `nn.Module`.

    Its `config` says whether the path is remembered (`revival`), how much of it (`memory_length`), and what it is
    (`trajectory`).
    """

    config: Any

    def parameters(self) -> Iterator[nn.Parameter]:
        """Its weights, all on one device."""
        ...

    def state_dict(self) -> Any:  # noqa: ANN401 - as `nn.Module` gives it
        """Its weights by name."""
        ...

    def eval(self) -> Any:  # noqa: ANN401 - the policy
        """Go over to evaluation mode."""
        ...

    def encode(self, graphs: GraphBatch) -> Float[Tensor, "variables width"]:
        """Embeddings of all variables."""
        ...

    def remember(
        self,
        embeddings: Float[Tensor, "variables width"],
        graphs: GraphBatch,
        actions: Int64[Tensor, "graphs"],
        depths: Int64[Tensor, "graphs"],
    ) -> Float[Tensor, "graphs width"]:
        """Embeddings of decisions, given the columns that were branched on and the depths of the nodes."""
        ...

    def decide(
        self, observation: Observation, memory: Float[Tensor, "steps width"] | None
    ) -> tuple[Float[Tensor, "candidates"], Float[Tensor, "variables width"]]:
        """Values of the candidates after a path, and embeddings of all variables."""
        ...


class BranchingPlugin(Branchrule):
    """Asks a rule for the variable at each node whose LP has a fractional solution, and branches on it.

    Where there is no such solution, SCIP's own rules act. An exception of the rule interrupts the solve; `check` raises
    it after `Model.optimize` has returned.

    Attributes:
        rule: The rule.
        branchings: Number of the node and name of the variable of each branching, in order; after a restart SCIP counts
            its nodes from 1 again.
        seconds: Spent in the rule, its observations included.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.branchings: list[tuple[int, str]] = []
        self.seconds = 0.0
        self.error: BaseException | None = None
        self.branched: set[int] = set()
        self.extractor = BipartiteObservation()

    def check(self) -> None:
        """Raise what the rule raised while SCIP was solving, if anything."""
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    def branchinit(self) -> None:
        """SCIP: the problem was transformed, and is about to be solved."""
        self.branchings, self.seconds = [], 0.0

    def branchinitsol(self) -> None:
        """SCIP: the search begins, maybe after a restart."""
        self.branched = set()
        self.extractor = BipartiteObservation()
        begin = getattr(self.rule, "begin", None)
        if begin is not None:
            self._guard(begin, self.model)

    def branchexeclp(self, allowaddcons: bool) -> dict[str, Any]:  # noqa: ARG002
        """SCIP: branch on the fractional solution of an LP."""
        return self._guard(self._branch) or {"result": SCIP_RESULT.DIDNOTRUN}

    def branchexecext(self, allowaddcons: bool) -> dict[str, Any]:  # noqa: ARG002
        """SCIP: branch on candidates of another relaxation, which is left to SCIP."""
        return {"result": SCIP_RESULT.DIDNOTRUN}

    def branchexecps(self, allowaddcons: bool) -> dict[str, Any]:  # noqa: ARG002
        """SCIP: branch without a solution of the LP, which is left to SCIP."""
        return {"result": SCIP_RESULT.DIDNOTRUN}

    def focused(self, focus: Focus) -> None:
        """Called with each node, before the rule is asked."""

    def made(self, focus: Focus, action: int, children: Sequence[Any]) -> None:
        """Called with each choice, and the nodes that it made: down, and up."""

    def _guard(self, function: Any, *arguments: Any) -> Any:  # noqa: ANN401
        """Call a function; keep its exception and end the solve, since nothing may be raised through SCIP."""
        if self.error is not None:
            return None
        try:
            return function(*arguments)
        except BaseException as error:  # noqa: BLE001
            self.error = error
            self.model.interruptSolve()
            return None

    def _branch(self) -> dict[str, Any] | None:
        began = perf_counter()
        focus = self._focus()
        if not focus.candidates:
            return None
        self.focused(focus)
        action = int(self.rule.choose(focus))
        if not 0 <= action < len(focus.candidates):
            raise ValueError(
                f"the rule {self.rule.name} chose candidate {action} of {len(focus.candidates)}, counted from 0"
            )
        self.seconds += perf_counter() - began
        down, _, up = self.model.branchVar(focus.candidates[action])
        self.made(focus, action, (down, up))
        self.branchings.append((focus.number, focus.candidates[action].name))
        self.branched.add(focus.number)
        return {"result": SCIP_RESULT.BRANCHED}

    def _focus(self) -> Focus:
        variables, values, fractions, _, n_first, _ = self.model.getLPBranchCands()
        node = self.model.getCurrentNode()
        ancestor = node.getParent()
        while ancestor is not None and ancestor.getNumber() not in self.branched:
            ancestor = ancestor.getParent()
        return Focus(
            self.model,
            variables[:n_first],
            values[:n_first],
            fractions[:n_first],
            node.getNumber(),
            node.getDepth(),
            None if ancestor is None else ancestor.getNumber(),
            self.extractor,
        )


@dataclass
class _Step:
    """A decision: what it was, and its embedding once a later node asks for it."""

    observation: Observation | None
    action: int
    depth: int
    parent: int | None
    embedding: Float[Tensor, "width"] | None = None


class PolicyRule:
    """A policy with the memory of what leads to each node.

    What is remembered follows the policy's `config.trajectory`, as in training: with `tree` the decisions at the node's
    ancestors; with `shuffled` the same in an order drawn for each node, all at depth 0, so that nothing tells which was
    first; and with `temporal` the decisions made before in time, wherever in the tree; always the last `memory_length`
    of them. A past graph is encoded once: the embedding of each decision is kept under the number of its node.

    Args:
        policy: Gives the value of each candidate; used without gradients, and in evaluation mode.
        epsilon: Share of decisions that are drawn evenly instead.
        seed: Of all draws; every solve draws the same numbers again.
        greedy: Take the candidate with the greatest value; else draw from the softmax of the values.
    """

    name = "revibranch"

    def __init__(self, policy: Policy, epsilon: float = 0.0, seed: int = 0, *, greedy: bool = True) -> None:
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
        config = self.policy.config
        depths = {"tree": focus.depth, "temporal": len(self._steps), "shuffled": 0}
        step = _Step(focus.observation, 0, depths[config.trajectory], focus.parent)
        if self.epsilon > 0 and self._generator.random() < self.epsilon:
            step.action = int(self._generator.integers(len(focus.candidates)))
        else:
            observation = focus.observation.to(self._device)
            values, embeddings = self.policy.decide(observation, self.memory(focus.parent))
            step.action = self._pick(values)
            if config.revival:
                self._embed(step, observation, embeddings)
        if config.revival:
            self._steps[focus.number] = step
        return step.action

    @torch.inference_mode()
    def memory(self, parent: int | None) -> Float[Tensor, "steps width"] | None:
        """Embeddings of the decisions that lead to a node, the first one first; None if there are none.

        Args:
            parent: Number of the node at the end of its path; of no matter in order of time.
        """
        config = self.policy.config
        if config.trajectory == "temporal":
            numbers = list(islice(reversed(self._steps), config.memory_length))[::-1]
        else:
            numbers = self._path(parent)
        if not numbers:
            return None
        if config.trajectory == "shuffled":
            numbers = np.random.default_rng((self.seed, numbers[-1])).permutation(numbers).tolist()
        return torch.stack([self._embedding(self._steps[number]) for number in numbers])

    def _path(self, number: int | None) -> list[int]:
        """Numbers of the last nodes on a path, from the top down."""
        path: list[int] = []
        while number in self._steps and len(path) < self.policy.config.memory_length:
            path.append(number)
            number = self._steps[number].parent
        return path[::-1]

    def _pick(self, values: Float[Tensor, "candidates"]) -> int:
        if not values.isfinite().all():
            raise ValueError("the policy's values of candidates are not finite: its weights are too large or damaged")
        if self.greedy:
            return int(values.argmax())
        shares = torch.softmax(values.double(), 0).cpu().numpy()
        return int(self._generator.choice(len(shares), p=shares / shares.sum()))

    def _seen(self, step: _Step) -> Observation:
        """The graph of a decision that is not embedded yet."""
        assert step.observation is not None  # noqa: S101 - for the type checker
        return step.observation.to(self._device)

    def _embedding(self, step: _Step) -> Float[Tensor, "width"]:
        """The embedding of a decision, computed when it is first asked for."""
        if step.embedding is not None:
            return step.embedding
        observation = self._seen(step)
        return self._embed(step, observation, self.policy.encode(collate([observation])))

    def _embed(
        self, step: _Step, observation: Observation, embeddings: Float[Tensor, "variables width"]
    ) -> Float[Tensor, "width"]:
        """Embed a decision, and let its graph go."""
        action = observation.candidates[step.action : step.action + 1]
        depth = torch.tensor([step.depth], device=self._device)
        step.embedding = self.policy.remember(embeddings, collate([observation]), action, depth)[0]
        step.observation = None
        return step.embedding


def install_rule(model: Model, rule: Rule) -> BranchingPlugin:
    """Let a rule do the branching of a model.

    >>> plugin = install_rule(model, MostFractionalRule())
    >>> model.optimize()
    >>> plugin.check()

    Args:
        model: Not solved yet. It keeps the plugin alive, and the plugin keeps it: `model.free()` ends both.
        rule: Chooses the variables.

    Returns:
        The plugin; call its `check` after `model.optimize()`.

    Raises:
        ValueError: if the model has such a rule already, or is being solved.
    """
    return include(model, BranchingPlugin(rule))


def install_policy(model: Model, policy: Policy, *, greedy: bool = True, seed: int = 0) -> BranchingPlugin:
    """Let a trained policy do the branching of a model.

    Args:
        model: Not solved yet.
        policy: As `load` gives it; it is not changed.
        greedy: Always take the candidate with the greatest value; else draw from the softmax of the values.
        seed: Of these draws.

    Returns:
        The plugin; call its `check` after `model.optimize()`.

    Raises:
        ValueError: if the model has such a rule already, or is being solved.
    """
    return install_rule(model, PolicyRule(policy, seed=seed, greedy=greedy))


def include(model: Model, plugin: BranchingPlugin) -> BranchingPlugin:
    """Add a plugin to a model under the name `revibranch`.

    Raises:
        ValueError: if the model has one already, or is being solved.
    """
    if "branching/revibranch/priority" in model.getParams():
        raise ValueError("this model has a branching rule of revibranch already: make another model for another rule")
    if model.getStageName() != "PROBLEM":
        raise ValueError(
            "a branching rule must be installed before the model is solved; model.freeTransform() undoes it"
        )
    model.includeBranchrule(plugin, "revibranch", f"revibranch: {plugin.rule.name}", PRIORITY, -1, 1.0)
    return plugin
