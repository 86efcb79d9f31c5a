"""Performance profiles: how often each rule is within a factor of the best one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, product
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class PerformanceProfile:
    """Shares of problems that each solver solves within factors of the best one (Dolan and Moré 2002).

    Args:
        factors: Where the shares grow, ascending from 1.
        shares: Share of the problems by solver, at each factor.
    """

    factors: Float[np.ndarray, " k"]
    shares: Mapping[str, Float[np.ndarray, " k"]]

    def at(self, factor: float) -> dict[str, float]:
        """The share of each solver within a factor of at least 1."""
        index = int(np.searchsorted(self.factors, factor, side="right")) - 1
        return {name: float(share[index]) if index >= 0 else 0.0 for name, share in self.shares.items()}

    def figure(self, *, xlabel: str = "Factor of the best", title: str | None = None) -> "Figure":
        """Draw the profile as steps, the factors on a logarithmic axis."""
        from separata import canvas

        draw = canvas.in_house_style(_draw)
        return draw(self, xlabel, title)


def performance_profile(costs: Mapping[str, Sequence[float] | Float[np.ndarray, " problems"]]) -> PerformanceProfile:
    """Compare solvers by their costs on the same problems.

    With the ratio `r = cost / least cost of any solver` of each problem, the share of a solver at a factor tau is that
    of the problems with `r <= tau` (Dolan and Moré 2002, eq. 2.1). A problem that no solver solved counts for none.

    Args:
        costs: Costs of each solver, such as nodes or seconds, by problem; infinite or not a number where it did not
            solve the problem.

    Raises:
        ValueError: if there is nothing to compare, the solvers have different numbers of problems, or a cost is not
            positive.
    """
    lengths = {name: len(of) for name, of in costs.items()}
    if not lengths or 0 in lengths.values():
        raise ValueError("a performance profile needs at least one solver and one problem")
    if len(set(lengths.values())) > 1:
        raise ValueError(f"solvers must be compared on the same problems, but they have {_listed(lengths)} of them")
    table = np.array([np.asarray(of, dtype=float) for of in costs.values()])
    table = np.where(np.isnan(table), np.inf, table)
    if not (table > 0).all():
        raise ValueError(f"costs must be positive, not {table.min():g}; add a shift to costs that can be 0")
    best = table.min(axis=0)
    # Where nobody solves a problem, all are infinitely far from solving it.
    ratios = np.where(np.isinf(table), np.inf, table / np.where(np.isinf(best), 1, best))
    factors = np.unique(np.append(ratios[np.isfinite(ratios)], 1.0))
    shares = (ratios[:, :, None] <= factors).mean(axis=1)
    return PerformanceProfile(factors, dict(zip(costs, shares, strict=True)))


def _listed(lengths: Mapping[str, int]) -> str:
    return ", ".join(f"{n} ({name})" for name, n in lengths.items())


def _draw(profile: PerformanceProfile, xlabel: str, title: str | None) -> "Figure":
    from separata import canvas

    figure, axes = canvas.canvas(xlabel, "Share of the problems", title)
    # A little beyond the last step, so that it is seen.
    end = max(profile.factors[-1] * 1.05, 2.0)
    at = np.append(profile.factors, end)
    styles = cycle(product(("-", "--", ":", "-."), canvas.PALETTE))
    for (name, share), (line, color) in zip(profile.shares.items(), styles, strict=False):
        axes.step(at, np.append(share, share[-1]), line, where="post", color=color, label=name)
    axes.set_xscale("log", base=2)
    axes.set_xlim(1, end)
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_formatter("{x:g}")
    canvas.add_legend(figure, axes)
    return figure
