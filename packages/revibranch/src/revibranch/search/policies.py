"""Who branches, by name: SCIP's own rules, the baselines, and policies that were trained."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from revibranch.network.policy import ReviBranchPolicy

OWN_RULES = ("strong", "random", "mostfrac")
"""Rules of this package: full strong branching that only branches, a random candidate, the most fractional one."""
SCIP_RULES = ("scip", "pscost", "relpscost", "vanillafullstrong")
"""Rules of SCIP's: what it does by itself (reliability branching), and others by name."""
NAMES = ("scip", "pscost", "strong", "random", "mostfrac", "relpscost", "vanillafullstrong")


def check_policy(policy: str) -> str:
    """The policy, if it is a name or a file.

    Raises:
        ValueError: if it is neither.
    """
    if policy not in NAMES and not Path(policy).is_file():
        raise ValueError(f"there is no policy {policy}: it is neither a file nor one of {', '.join(NAMES)}")
    return policy


def make_rule(policy: str, seed: int = 0) -> Any | None:  # noqa: ANN401 - anything that chooses
    """A new rule by its name, or the policy in a file that training wrote; None for one of SCIP's own.

    Args:
        policy: One of `NAMES`, or the path of a policy.
        seed: Random seed of a rule that draws.

    Raises:
        ValueError: if it is neither.
    """
    if check_policy(policy) in SCIP_RULES:
        return None
    from revibranch.scip import rules

    from . import branching

    if policy == "random":
        return rules.RandomRule(seed)
    if policy in OWN_RULES:
        return {"strong": rules.StrongBranchingRule, "mostfrac": rules.MostFractionalRule}[policy]()
    path = Path(policy)
    return branching.PolicyRule(_loaded(path, path.stat().st_mtime_ns), seed=seed)


@lru_cache(maxsize=4)
def _loaded(path: Path, _: int) -> "ReviBranchPolicy":
    """A policy, read once for many problems as long as its file does not change."""
    from revibranch.network.policy import load

    return load(path).eval()
