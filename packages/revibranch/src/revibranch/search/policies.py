"""Who branches, by name: SCIP's own rules, the baselines, and policies that were trained."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revibranch.checkpoints import find, shipped

if TYPE_CHECKING:
    from revibranch.network.policy import ReviBranchPolicy

OWN_RULES = ("strong", "random", "mostfrac")
"""Rules of this package: full strong branching that only branches, a random candidate, the most fractional one."""
SCIP_RULES = ("scip", "pscost", "relpscost", "vanillafullstrong")
"""Rules of SCIP's: what it does by itself (reliability branching), and others by name."""
NAMES = ("scip", "pscost", "strong", "random", "mostfrac", "relpscost", "vanillafullstrong")


def check_policy(policy: str) -> str:
    """The policy, if it is the name of a rule, or a file, or comes with this package.

    Raises:
        ValueError: if it is none of these.
    """
    if policy not in NAMES and not find(policy).is_file():
        known = ", ".join([*NAMES, *shipped()])
        raise ValueError(f"there is no policy {policy}: it is neither a file nor one of {known}")
    return policy


def make_rule(policy: str, seed: int = 0) -> Any | None:  # noqa: ANN401 - anything that chooses
    """A new rule by its name, or a trained policy; None for one of SCIP's own.

    Args:
        policy: One of `NAMES`, the name of a policy that comes with this package, or the path of one.
        seed: Random seed of a rule that draws.

    Raises:
        ValueError: if it is none of these.
    """
    if check_policy(policy) in SCIP_RULES:
        return None
    from revibranch.scip import rules

    from . import branching

    if policy == "random":
        return rules.RandomRule(seed)
    if policy in OWN_RULES:
        return {"strong": rules.StrongBranchingRule, "mostfrac": rules.MostFractionalRule}[policy]()
    path = find(policy)
    return branching.PolicyRule(_loaded(path, path.stat().st_mtime_ns), seed=seed)


@lru_cache(maxsize=4)
def _loaded(path: Path, _: int) -> "ReviBranchPolicy":
    """A policy, read once for many problems as long as its file does not change."""
    from revibranch.network.policy import load

    return load(path).eval()
