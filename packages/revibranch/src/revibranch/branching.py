"""Branching rules in Python as a plugin of SCIP."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pyscipopt import SCIP_RESULT, Branchrule, Model

from .observation import BipartiteObservation, Observation

if TYPE_CHECKING:
    from .policy import ReviBranchPolicy

PRIORITY = 10**7
"""Above those of SCIP's own rules."""


@dataclass(frozen=True)
class Focus:
    """The node that is to be branched on, and what it can be branched on.

    Attributes:
        model: The model that is being solved.
        candidates: Integer variables that are fractional in the solution of the LP, those of the highest priority.
        values: Their values in the LP's solution.
        fractions: The fractional parts of these values.
        number: SCIP's number of the node.
        depth: Its depth; 0 for the root.
        parent: Number of its nearest ancestor that the same rule branched on, or None.
        extractor: Makes the observation.
    """

    model: Model
    candidates: list[Any]
    values: list[float]
    fractions: list[float]
    number: int
    depth: int
    parent: int | None
    extractor: BipartiteObservation

    @cached_property
    def observation(self) -> Observation:
        """The bipartite graph of the node; extracted when it is first asked for."""
        return self.extractor.extract(self.model)


@runtime_checkable
class Rule(Protocol):
    """Chooses the variable to branch on; may also have `begin(model)`, called when a solve begins."""

    name: str

    def choose(self, focus: Focus) -> int:
        """Position of the choice among `focus.candidates`."""
        ...


class BranchingPlugin(Branchrule):
    """Asks a rule for the variable at each node whose LP has a fractional solution, and branches on it.

    Where there is no such solution, SCIP's own rules act. An exception of the rule interrupts the solve; `check` raises
    it after `Model.optimize` has returned.

    Attributes:
        rule: The rule.
        branchings: Number of the node and name of the variable of each branching, in order.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.branchings: list[tuple[int, str]] = []
        self.seconds = 0.0
        """Spent in the rule, its observations included."""
        self.error: BaseException | None = None
        self.branched: set[int] = set()
        self.extractor = BipartiteObservation()

    def check(self) -> None:
        """Raise what the rule raised while SCIP was solving, if anything."""
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    def branchinitsol(self) -> None:
        """SCIP: the search begins."""
        self.branchings, self.branched, self.seconds = [], set(), 0.0
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

    def chosen(self, focus: Focus, action: int) -> None:
        """Called with each choice, before the children are made."""

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
        began = self.model.getTotalTime()
        focus = self._focus()
        if not focus.candidates:
            return None
        action = self.rule.choose(focus)
        if not 0 <= action < len(focus.candidates):
            raise ValueError(
                f"the rule {self.rule.name} chose candidate {action} of {len(focus.candidates)}, counted from 0"
            )
        self.chosen(focus, action)
        self.seconds += self.model.getTotalTime() - began
        self.model.branchVar(focus.candidates[action])
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


def install_policy(model: Model, policy: "ReviBranchPolicy", *, greedy: bool = True, seed: int = 0) -> BranchingPlugin:
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
    from .rules import PolicyRule

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
