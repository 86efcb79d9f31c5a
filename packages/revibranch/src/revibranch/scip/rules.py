"""Branching rules: the classical ones and SCIP's own by name."""

import numpy as np
from pyscipopt import Model

from .models import Focus

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

    All LPs are solved to the end and SCIP's state stays as it is. As in SCIP, the gain of an infeasible child reaches
    to the cutoff bound, and a candidate whose children are both infeasible is taken at once. It is a plain branching
    all the same: no bound is tightened and no node cut off, so that nodes count as with other rules.
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
