"""What results of several rules say: means over problems, wins, and ratios with their uncertainty."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from revibranch.search.solving import finite_bounds
from separata.output import Output

from .outcomes import Outcome, save_outcomes
from .profiles import PerformanceProfile, performance_profile

Measure = Literal["nodes", "lp_iterations", "seconds"]
SHIFT = 1.0
N_RESAMPLES = 2000
TOLERANCE = 1e-5
"""Relative difference of two optima that SCIP's own tolerances allow."""


@dataclass(frozen=True)
class RuleSummary:
    """How a rule did.

    Args:
        rule: Its name.
        n_solved: Solves that came to the end, of all.
        n_runs: All solves.
        nodes: Shifted geometric mean of the nodes, over what is compared; None where nothing is.
        lp_iterations: The same of LP iterations.
        seconds: The same of seconds.
        wins: Solves with the fewest nodes of all rules, of what is compared; ties count for each.
        nodes_ratio: Mean of the nodes, relative to the reference's.
        nodes_low: Lower end of the ratio's 95 % bootstrap interval over problems; None where there is one problem.
        nodes_high: Upper end.
    """

    rule: str
    n_solved: int
    n_runs: int
    nodes: float | None
    lp_iterations: float | None
    seconds: float | None
    wins: int
    nodes_ratio: float | None
    nodes_low: float | None
    nodes_high: float | None


@dataclass(frozen=True)
class BranchingReport:
    """Results of several rules on the same problems with the same seeds.

    Args:
        rows: The results.
    """

    rows: tuple[Outcome, ...]

    @property
    def rules(self) -> list[str]:
        """Names of the rules, in the order in which they were given."""
        return list(dict.fromkeys(row.rule for row in self.rows))

    def pairs(self) -> list[tuple[str, int]]:
        """Problems and seeds that no rule is missing, nor finished at the root with all rules."""
        return [pair for pair, of in self._by_pair().items() if not self._is_trivial(of)]

    def compared(self) -> list[tuple[str, int]]:
        """Of these, the ones that all rules solved: what the means are over."""
        table = self._by_pair()
        return [pair for pair in self.pairs() if all(row.solved for row in table[pair].values())]

    def n_trivial(self) -> int:
        """How many problems and seeds all rules solved at the root, where nobody branches."""
        return sum(map(self._is_trivial, self._by_pair().values()))

    def disagreements(self) -> list[tuple[str, int]]:
        """Problems and seeds for which rules found different optima: what must not be.

        That one rule finds an optimum and another that there is none, or that the problem is unbounded, is so, too.
        """
        return [pair for pair, of in self._by_pair().items() if _disagree([row for row in of.values() if row.finished])]

    def summary(self, reference: str | None = None, seed: int = 0) -> list[RuleSummary]:
        """How each rule did: geometric means with shift 1 over what all rules solved, but not all at the root.

        Args:
            reference: The rule to which nodes are relative; the first one by default.
            seed: Random seed of the bootstrap, which draws problems with all their seeds.

        Raises:
            ValueError: if there is no such rule, or there are no results.
        """
        if not self.rows:
            raise ValueError("there are no results to sum up")
        reference = self.rules[0] if reference is None else reference
        if reference not in self.rules:
            raise ValueError(f"there is no rule {reference} in the results, only {', '.join(self.rules)}")
        pairs, table = self.compared(), self._by_pair()
        values = {
            measure: np.array([[getattr(table[pair][rule], measure) for pair in pairs] for rule in self.rules], float)
            for measure in ("nodes", "lp_iterations", "seconds")
        }
        names = [name for name, _ in pairs]
        of_reference = values["nodes"][self.rules.index(reference)]
        summaries = []
        for index, rule in enumerate(self.rules):
            mine = [row for row in self.rows if row.rule == rule]
            low, high = ratio_interval(values["nodes"][index], of_reference, names, seed)
            means = {measure: _mean(of[index]) for measure, of in values.items()}
            base = _mean(of_reference)
            summaries.append(
                RuleSummary(
                    rule=rule,
                    n_solved=sum(row.solved for row in mine),
                    n_runs=len(mine),
                    **means,
                    wins=int((values["nodes"][index] == values["nodes"].min(axis=0)).sum()) if pairs else 0,
                    nodes_ratio=means["nodes"] / base if base and means["nodes"] is not None else None,
                    nodes_low=low,
                    nodes_high=high,
                )
            )
        return summaries

    def profile(self, measure: Measure = "nodes") -> PerformanceProfile:
        """The performance profile over problems and seeds that are not all solved at the root.

        Raises:
            ValueError: if there are none.
        """
        pairs, table = self.pairs(), self._by_pair()
        if not pairs:
            raise ValueError("there is no problem on which rules could be compared: all are solved at the root")
        return performance_profile(
            {rule: [_cost(table[pair][rule], measure) for pair in pairs] for rule in self.rules},
        )

    def write_csv(self, path: Path) -> None:
        """Write the results, whole or not at all."""
        save_outcomes(path, self.rows)

    def to_output(self, reference: str | None = None) -> Output:
        """For people and for programs."""
        summaries = self.summary(reference)
        n_compared, n_trivial = len(self.compared()), self.n_trivial()
        value = {
            "reference": reference or self.rules[0],
            "n_compared": n_compared,
            "n_solved_at_root": n_trivial,
            "disagreements": [{"instance": name, "seed": seed} for name, seed in self.disagreements()],
            "rules": [asdict(one) for one in summaries],
            "rows": [_plain(row) for row in self.rows],
        }
        return Output(value, "\n".join(self._lines(summaries, reference or self.rules[0])))

    def _lines(self, summaries: Sequence[RuleSummary], reference: str) -> list[str]:
        heads = ["rule", "solved", "nodes", "LP iterations", "seconds", "wins", f"nodes relative to {reference}"]
        cells = [_cells(one) for one in summaries]
        widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
            for row in (heads, *cells)
        ]
        n_all = len(self._by_pair())
        lines.append(
            f"geometric means (shift 1) over the {len(self.compared())} of {n_all} runs that all rules solved, without "
            f"the {self.n_trivial()} that all solved at the root"
        )
        if found := self.disagreements():
            lines.append(f"warning: the rules' optima differ on {found[0][0]} with seed {found[0][1]}")
        return lines

    def _by_pair(self) -> dict[tuple[str, int], dict[str, Outcome]]:
        """Results by rule, for each problem and seed that all rules have."""
        table: dict[tuple[str, int], dict[str, Outcome]] = {}
        for row in self.rows:
            table.setdefault((row.instance, row.seed), {})[row.rule] = row
        return {pair: of for pair, of in table.items() if len(of) == len(self.rules)}

    @staticmethod
    def _is_trivial(of: Mapping[str, Outcome]) -> bool:
        return all(row.solved and row.nodes <= 1 for row in of.values())


def _disagree(rows: Sequence[Outcome]) -> bool:
    """Whether solves that came to the end found different things."""
    values = [row.objective for row in rows if row.objective is not None]
    if 0 < len(values) < len(rows) or {"infeasible", "unbounded"} <= {row.status for row in rows}:
        return True
    return bool(values) and max(values) - min(values) > TOLERANCE * max([1.0, *map(abs, values)])


def _cost(row: Outcome, measure: Measure) -> float:
    """Of a performance profile, with the shift of the means, since seconds can be 0."""
    return getattr(row, measure) + (SHIFT if measure == "seconds" else 0.0) if row.solved else math.inf


def _mean(values: Float[np.ndarray, " k"]) -> float | None:
    """The shifted geometric mean; None of nothing."""
    return float(np.exp(np.log(values + SHIFT).mean()) - SHIFT) if len(values) else None


def ratio_interval(
    values: Float[np.ndarray, " k"], base: Float[np.ndarray, " k"], names: Sequence[str], seed: int = 0
) -> tuple[float | None, float | None]:
    """The 95 % bootstrap interval of the ratio of two shifted geometric means, problems drawn with all their seeds."""
    which: Bool[np.ndarray, "problems k"] = np.array([[one == name for one in names] for name in dict.fromkeys(names)])
    if len(which) < 2:
        return None, None
    drawn = np.random.default_rng(seed).integers(len(which), size=(N_RESAMPLES, len(which)))
    counts = which.sum(axis=1)[drawn].sum(axis=1)
    means = [np.exp((which @ np.log(of + SHIFT))[drawn].sum(axis=1) / counts) - SHIFT for of in (values, base)]
    if not means[1].all():
        # The reference needs no node at all.
        return None, None
    low, high = np.quantile(means[0] / means[1], (0.025, 0.975))
    return float(low), float(high)


def _cells(one: RuleSummary) -> list[str]:
    ratio = "-" if one.nodes_ratio is None else f"{one.nodes_ratio:.3f}"
    if one.nodes_ratio is not None and one.nodes_low is not None:
        ratio += f" [{one.nodes_low:.3f}, {one.nodes_high:.3f}]"
    means = [_short(value) for value in (one.nodes, one.lp_iterations, one.seconds)]
    return [one.rule, f"{one.n_solved}/{one.n_runs}", *means, str(one.wins), ratio]


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _plain(row: Outcome) -> dict[str, Any]:
    """A result as JSON can hold it."""
    return {**asdict(row), **finite_bounds(row.dual_bound, row.gap), "solved": row.solved}
