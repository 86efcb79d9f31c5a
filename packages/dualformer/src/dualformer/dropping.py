"""Structured trace dropping: randomly drops parts of a search trace each time a model trains on it."""

import math
from collections.abc import Hashable, Sequence
from typing import Literal, TypeVar, get_args

import numpy as np

from .tokenizer import CLOSE, CREATE

Token = TypeVar("Token", bound=Hashable)
Variant = Literal["paper", "released", "released-sokoban"]

VARIANTS = get_args(Variant)
N_COSTS = 2
"""Tokens at the end of a clause that say its costs."""

PROBABILITIES: dict[str, tuple[float, float, float, float, float]] = {
    "maze": (0.45, 1 / 6, 1 / 6, 1 / 6, 0.05),
    "sokoban": (0.80, 0.05, 0.05, 0.05, 0.05),
    "complete-trace": (1, 0, 0, 0, 0),
    "solution-only": (0, 0, 0, 0, 1),
    "level-1": (0.5, 0.5, 0, 0, 0),
    "levels-1-2": (0.5, 0.25, 0.25, 0, 0),
    "levels-1-2-3": (0.5, 1 / 6, 1 / 6, 1 / 6, 0),
}
"""Shares of the levels 0 to 4 by name: the paper's for each kind of task, the two baselines, and ablations."""


def mix(p: float) -> tuple[float, float, float, float, float]:
    """Shares of the baseline Mix-p: the plan alone with probability p, otherwise with the whole trace.

    Raises:
        ValueError: if p is not a probability.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"the share of Mix-p must be between 0 and 1, not {p}")
    return (1 - p, 0.0, 0.0, 0.0, float(p))


def level_shares(text: str) -> tuple[float, float, float, float, float]:
    """The shares of the five levels: a name of `PROBABILITIES`, `mix-0.3`, or five numbers with commas.

    Raises:
        ValueError: if it is none of these, or the numbers are not five shares that sum to 1.
    """
    if text in PROBABILITIES:
        return PROBABILITIES[text]
    try:
        if text.startswith("mix-"):
            return mix(float(text.removeprefix("mix-")))
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError as error:
        if "Mix-p" in str(error):
            raise
        raise ValueError(
            f"the shares of the levels must be {', '.join(PROBABILITIES)}, mix-P or five numbers with commas, "
            f"not '{text}'"
        ) from None
    return _checked(numbers)


def _checked(probs: Sequence[float]) -> tuple[float, float, float, float, float]:
    if len(probs) != 5 or not all(p >= 0 for p in probs) or not math.isclose(sum(probs), 1, abs_tol=1e-6):
        told = ", ".join(f"{p:g}" for p in probs)
        raise ValueError(f"the shares of the levels 0 to 4 must be five numbers from 0 that sum to 1, not ({told})")
    a, b, c, d, e = map(float, probs)
    return a, b, c, d, e


class TraceDropper:
    """Drops parts of a trace at a level drawn at random (section 4 of the paper).

    Level 0 keeps all; 1 drops every `close` clause; 2 also the two cost tokens of every `create`; 3 also a share
    `create_drop` of the remaining clauses; 4 the whole trace. The plan is never touched: it is not passed.

    Works on tokens of any kind, words or numbers: a clause begins with `create` or `close` and ends before the next,
    with two cost tokens at its end.

    Args:
        probs: Shares of the levels 0 to 4; the default is the paper's for mazes, see `PROBABILITIES`.
        create_drop: Share of clauses that level 3 drops: exactly round(share · n) of n.
        variant: `paper`, or what the released code does instead at level 3: `released` keeps the costs and drops
            floor(n·q/100) clauses with q uniform in 10 to 40; `released-sokoban` drops each clause independently with
            probability `create_drop`.
        create: The token that begins a creation.
        close: The token that begins a closing.

    Raises:
        ValueError: if the shares are not five that sum to 1, `create_drop` is not between 0 and 1, or there is no such
            variant.
    """

    def __init__(
        self,
        probs: Sequence[float] = PROBABILITIES["maze"],
        create_drop: float = 0.3,
        variant: Variant = "paper",
        *,
        create: Hashable = CREATE,
        close: Hashable = CLOSE,
    ) -> None:
        self.probs = _checked(probs)
        if not 0 <= create_drop <= 1:
            raise ValueError(f"the share of clauses to drop must be between 0 and 1, not {create_drop}")
        if variant not in VARIANTS:
            raise ValueError(f"the variant must be one of {', '.join(VARIANTS)}, not '{variant}'")
        self.create_drop, self.variant, self.create, self.close = create_drop, variant, create, close
        self._ends = np.cumsum(self.probs)

    def __call__(self, trace: Sequence[Token], rng: np.random.Generator) -> tuple[list[Token], int]:
        """Drop at a random level; returns the remaining tokens and the level."""
        level = self.sample_level(rng)
        return self.at_level(trace, level, rng), level

    def sample_level(self, rng: np.random.Generator) -> int:
        """A level, by the shares."""
        level = int(np.searchsorted(self._ends, rng.random() * self._ends[-1], side="right"))
        return min(level, max(i for i, p in enumerate(self.probs) if p))

    def at_level(self, trace: Sequence[Token], level: int, rng: np.random.Generator) -> list[Token]:
        """What remains of a trace at a level; only level 3 is random.

        Raises:
            ValueError: if there is no such level, or the tokens are not a trace.
        """
        if level not in range(5):
            raise ValueError(f"the level must be 0, 1, 2, 3 or 4, not {level}")
        if level == 0:
            return list(trace)
        if level == 4:
            return []
        kept = [clause for clause in self.clauses(trace) if clause[0] == self.create]
        if level == 2 or (level == 3 and self.variant != "released"):
            kept = [clause[:-N_COSTS] for clause in kept]
        if level == 3:
            kept = self._thin(kept, rng)
        return [token for clause in kept for token in clause]

    def clauses(self, trace: Sequence[Token]) -> list[list[Token]]:
        """The clauses of a trace.

        Raises:
            ValueError: if it does not begin with a clause.
        """
        found: list[list[Token]] = []
        for token in trace:
            if token in (self.create, self.close):
                found.append([])
            elif not found:
                raise ValueError(f"a trace begins with '{self.create}' or '{self.close}', not with '{token}'")
            found[-1].append(token)
        return found

    def _thin(self, clauses: list[list[Token]], rng: np.random.Generator) -> list[list[Token]]:
        n = len(clauses)
        if self.variant == "released-sokoban":
            return [clause for clause, u in zip(clauses, rng.random(n).tolist(), strict=True) if u >= self.create_drop]
        n_dropped = round(self.create_drop * n) if self.variant == "paper" else n * int(rng.integers(10, 41)) // 100
        dropped = set(rng.permutation(n)[:n_dropped].tolist())
        return [clause for i, clause in enumerate(clauses) if i not in dropped]
