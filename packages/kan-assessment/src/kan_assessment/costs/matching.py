"""Networks of equal cost: the width of the hidden layers that brings a family nearest to a budget."""

from dataclasses import dataclass
from typing import Any

from kan_assessment.configs import By
from kan_assessment.models.family import DEPTH, ModelFamily
from kan_assessment.models.formulas import Sharing
from separata.models import count_parameters, match_width

from .counting import Cost, count_family, measured_flops
from .timing import step_seconds

MOST = 16_384
"""Widest layers that are looked for."""
TOLERANCE = 0.05


SHARING: dict[By, Sharing] = {"flops": "naive", "flops-shared": "shared"}


class BudgetError(ValueError):
    """A budget is too small for any network of a family."""


@dataclass(frozen=True)
class Match:
    """A network of a family that costs nearly what it may.

    Attributes:
        hidden: Widths of its hidden layers, all equal.
        cost: What it costs.
        budget: What it may cost.
        by: In what.
        value: What it costs in that.
    """

    hidden: tuple[int, ...]
    cost: Cost
    budget: float
    by: By
    value: float

    @property
    def off(self) -> float:
        """How far it is from the budget, as a share of it; positive above."""
        return self.value / self.budget - 1

    @property
    def is_close(self) -> bool:
        """Whether it is within 5 % of the budget; very small networks cannot always be."""
        return abs(self.off) <= TOLERANCE


def cost_in(cost: Cost, by: By) -> float:
    """A cost in one of the countable measures."""
    return {"params": cost.params, "flops": cost.flops_naive, "flops-shared": cost.flops_shared}[by]


def match(
    family: ModelFamily,
    in_features: int,
    out_features: int,
    budget: float,
    by: By = "params",
    *,
    depth: int = 1,
    batch_size: int = 128,
    **settings: Any,  # noqa: ANN401 - a builder's
) -> Match:
    """The width at which a network of a family costs what is nearest to a budget.

    Args:
        family: The family.
        in_features: Inputs.
        out_features: Outputs.
        budget: Trainable parameters, FLOPs of a sample's forward pass, or seconds of a training step.
        by: Which of these.
        depth: Number of hidden layers, of equal width.
        batch_size: Samples of a training step, where its time counts.
        settings: Other settings of the family.

    Raises:
        BudgetError: if a network of width 1 costs too much; the sentence says how much.
        ValueError: if the budget is not positive, or the family has no such setting.
    """
    if budget <= 0 or depth < 1:
        raise ValueError(f"a budget and a depth must be positive, not {budget} and {depth}")
    values: dict[int, float] = {}

    def value_of(width: int) -> float:
        if width not in values:
            values[width] = _value(family, [in_features, *[width] * depth, out_features], by, batch_size, settings)
        return values[width]

    least = value_of(1)
    if least > 1.5 * budget:
        told = f"{least * 1e3:.2f} ms" if by == "time" else f"{least:,.0f}"
        asked = f"{budget * 1e3:.2f} ms" if by == "time" else f"{budget:,.0f}"
        raise BudgetError(f"{family.name} costs at least {told} ({by}) here, which is over the budget of {asked}")
    if by == "time":
        width = _width_in_time(value_of, budget)
    else:
        width = match_width(lambda one: round(value_of(one)), round(budget), MOST)
    hidden = (width,) * depth
    cost = count_family(family, in_features, hidden, out_features, **settings)
    return Match(hidden, cost, budget, by, value_of(width))


def _value(family: ModelFamily, widths: list[int], by: By, batch_size: int, settings: dict[str, Any]) -> float:
    """What a network costs in one measure, and no more of it than that takes."""
    if by in SHARING and family.flops is not None:
        return float(family.flops(widths, SHARING[by], **settings))
    model = family.build(widths[0], widths[1:-1], widths[-1], **settings)
    if by == "time":
        return step_seconds(model, widths[0], batch_size, n_steps=10).median
    model = model if family.final is None else family.final(model)
    return count_parameters(model) if by == "params" else sum(measured_flops(model, widths[0]))


def _width_in_time(value_of: Any, budget: float) -> int:  # noqa: ANN401 - a function of the width
    """Measure at doubled widths until it is too much, then interpolate; measured times are noise to a bisection."""
    width, before = 1, value_of(1)
    while width < MOST:
        after = value_of(2 * width)
        if after >= budget:
            share = min(1.0, max(0.0, (budget - before) / max(after - before, 1e-12)))
            return max(1, round(width * (1 + share)))
        width, before = 2 * width, after
    return width


def match_settings(
    family: ModelFamily, in_features: int, out_features: int, budget: float, by: By, settings: dict[str, Any]
) -> Match:
    """The same with the depth among the settings."""
    rest = {name: value for name, value in settings.items() if name != DEPTH}
    return match(family, in_features, out_features, budget, by, depth=settings.get(DEPTH, 1), **rest)
