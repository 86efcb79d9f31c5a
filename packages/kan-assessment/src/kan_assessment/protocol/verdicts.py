"""Verdicts in words, and the rule when to use a model: both computed from comparisons, neither written beforehand."""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kan_assessment.configs import By

from .comparison import Comparison, Entry
from .statistics import BAND_POINTS, BAND_SHARE, band, wilcoxon

EQUAL: dict[str, str] = {
    "params": "equal parameters",
    "flops": "equal FLOPs",
    "flops-shared": "equal FLOPs with shared bases",
    "time": "equal time",
}
TRAITS = {
    "inputs": ("where there are at most {} inputs", "where there are more than {} inputs"),
    "outputs": ("where there are at most {} outputs", "where there are more than {} outputs"),
    "samples": ("where there are at most {} training samples", "where there are more than {} training samples"),
    "regression": ("where the target is a class", "where the target is a number"),
}
"""How a trait at most, or above, a threshold is called."""


@dataclass(frozen=True)
class Rule:
    """When a model is better than the reference, by one trait of the task.

    Attributes:
        trait: The trait; empty where the answer is the same for all tasks.
        threshold: Where the answer changes.
        above: Whether the model is the better one above the threshold, rather than up to it; without a trait, whether
            it is always the better one.
    """

    trait: str
    threshold: float
    above: bool

    def says(self, traits: Mapping[str, float]) -> bool:
        """Whether the model is better at a task."""
        if not self.trait:
            return self.above
        return (traits[self.trait] > self.threshold) == self.above

    def words(self) -> str:
        """The condition as a phrase."""
        if not self.trait:
            return "on all tasks" if self.above else "on none of the tasks"
        return TRAITS[self.trait][self.above].format(f"{self.threshold:,.0f}")


@dataclass(frozen=True)
class Case:
    """A task, and how much better a model is than the reference there, in units of the tie band."""

    traits: Mapping[str, float]
    margin: float


def fit_rule(cases: Sequence[Case]) -> Rule:
    """The rule that is right most often; among equals the one with less margin in the wrong, then the simpler one.

    Raises:
        ValueError: if there are no cases.
    """
    if not cases:
        raise ValueError("a rule needs at least one comparison")
    rules = [Rule("", 0.0, above=False), Rule("", 0.0, above=True)]
    for trait in TRAITS:
        levels = sorted({case.traits[trait] for case in cases})
        rules += [
            Rule(trait, (low * high) ** 0.5 if low > 0 else (low + high) / 2, above)
            for low, high in itertools.pairwise(levels)
            for above in (False, True)
        ]
    return min(rules, key=lambda rule: _wrong(rule, cases))


def _wrong(rule: Rule, cases: Sequence[Case]) -> tuple[int, float]:
    wrong = [case for case in cases if rule.says(case.traits) != (case.margin > 0)]
    return len(wrong), sum(abs(case.margin) for case in wrong)


def left_out_hits(cases: Sequence[Case]) -> int:
    """Of how many tasks a rule that was fitted to the others names the better model."""
    if len(cases) < 2:
        return 0
    others = [(case, [*cases[:i], *cases[i + 1 :]]) for i, case in enumerate(cases)]
    return sum(fit_rule(rest).says(case.traits) == (case.margin > 0) for case, rest in others)


@dataclass(frozen=True)
class Verdict:
    """What all comparisons say of a model against the reference at one kind of budget.

    Attributes:
        model: The model.
        reference: What it is compared with.
        by: What was equal.
        outcomes: For each domain how many wins, ties and losses.
        p_value: Of Wilcoxon's signed-rank test over the tasks; None with fewer than 5.
        rule: When the model is better; None with fewer than 3 tasks.
        hits: Of how many tasks the rule names the better model.
        left_out: The same for a rule that was fitted to the other tasks.
        n: Tasks.
        lines: One line for each task.
    """

    model: str
    reference: str
    by: By
    outcomes: dict[str, dict[str, int]]
    p_value: float | None
    rule: Rule | None
    hits: int
    left_out: int
    n: int
    lines: tuple[str, ...] = field(default=())

    def text(self) -> str:
        """The verdict in words."""
        totals: Counter[str] = Counter()
        for counts in self.outcomes.values():
            totals.update(counts)
        head = (
            f"{self.model} against {self.reference} at {EQUAL[self.by]}: {_counted(totals)} on {self.n} "
            f"task{'s' * (self.n != 1)}"
        )
        parts = [f"{domain} {_counted(Counter(counts))}" for domain, counts in self.outcomes.items()]
        lines = [head + (f" ({'; '.join(parts)})." if len(parts) > 1 else ".")]
        if self.p_value is not None:
            lines.append(f"Over tasks, Wilcoxon's test gives p = {self.p_value:.3g}.")
        if self.rule is not None:
            lines.append(
                f"By these data, {self.model} is the better choice {self.rule.words()}: right on {self.hits} of "
                f"{self.n} tasks, and on {self.left_out} when fitted to the others."
            )
        return " ".join(lines)


def _counted(counts: Counter[str]) -> str:
    names = {"win": "wins", "tie": "ties", "loss": "losses"}
    return ", ".join(f"{counts[key]} {key if counts[key] == 1 else plural}" for key, plural in names.items())


def margin(comparison: Comparison, entry: Entry) -> float | None:
    """The advantage over the reference in units of the tie band."""
    if entry.advantage is None:
        return None
    return entry.advantage.mean / band(is_lower_better=comparison.is_lower_better)


def judge(comparisons: Sequence[Comparison], model: str, by: By = "params") -> Verdict:
    """What comparisons say of a model.

    Raises:
        ValueError: if none has the model at such a budget with two seeds or more.
    """
    found = [
        (comparison, entry, value)
        for comparison in comparisons
        if (entry := comparison.entry(model, by)) is not None
        and entry.outcome is not None
        and (value := margin(comparison, entry)) is not None
    ]
    if not found:
        raise ValueError(f"nothing was compared with {model} at {EQUAL[by]} with two seeds or more")
    outcomes: dict[str, dict[str, int]] = {}
    for comparison, entry, _ in found:
        counts = outcomes.setdefault(comparison.domain, {"win": 0, "tie": 0, "loss": 0})
        counts[str(entry.outcome)] += 1
    cases = [Case(comparison.traits, value) for comparison, _, value in found]
    rule = fit_rule(cases) if len(cases) >= 3 else None
    return Verdict(
        model,
        found[0][0].reference,
        by,
        outcomes,
        wilcoxon([value for *_, value in found]) if len(found) >= 5 else None,
        rule,
        0 if rule is None else sum(rule.says(case.traits) == (case.margin > 0) for case in cases),
        left_out_hits(cases) if rule is not None else 0,
        len(cases),
        tuple(sentence(comparison, entry) for comparison, entry, _ in found),
    )


def sentence(comparison: Comparison, entry: Entry) -> str:
    """What one comparison says, in a sentence."""
    found = entry.advantage
    if found is None:
        return f"{comparison.task}: {entry.model} has no interval."
    does = {"win": "beats", "loss": "loses to", "tie": "ties with"}[str(entry.outcome)]
    head = f"{comparison.task}: at {EQUAL[entry.by]}, {entry.model} {does} {comparison.reference}"
    if comparison.is_lower_better:
        shares = [-100 * (1 - math.exp(-v)) for v in (found.mean, found.low, found.high)]
        told = f"{shares[0]:+.1f} % {comparison.metric} (95 % interval {shares[2]:+.1f} to {shares[1]:+.1f} %)"
        return f"{head}: {told}; a tie is anything within {100 * BAND_SHARE:.0f} %."
    told = f"{found.mean:+.2f} points (95 % interval {found.low:+.2f} to {found.high:+.2f})"
    return f"{head}: {told}; a tie is anything within {BAND_POINTS} points."
