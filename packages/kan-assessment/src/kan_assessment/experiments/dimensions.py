"""How errors fall with the size of a network in few and in many dimensions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kan_assessment.configs import SearchConfig
from kan_assessment.models.registry import get_family
from kan_assessment.protocol.growth import Growth, grow, growth_trials
from kan_assessment.protocol.trials import run_trial
from kan_assessment.report.drawing import draw_scaling
from separata import Run, experiment


@dataclass(frozen=True)
class DimensionsConfig:
    """Errors of growing networks on targets of growing dimension."""

    dimensions: tuple[int, ...]
    sizes: tuple[int, ...]
    search: SearchConfig
    epochs: int
    n_train: int = 0


SMOKE_DIMENSIONS = DimensionsConfig((1, 2), (60, 120), SearchConfig(trials=1), epochs=1, n_train=128)
QUICK_DIMENSIONS = DimensionsConfig((2, 4, 8), (100, 200, 400, 800), SearchConfig(trials=2), epochs=20)
GPU_DIMENSIONS = DimensionsConfig((1, 2, 4, 8), (100, 200, 400, 800, 1600, 3200), SearchConfig(trials=3), epochs=200)


@experiment("dimensionality", smoke=SMOKE_DIMENSIONS, quick=QUICK_DIMENSIONS, gpu=GPU_DIMENSIONS)
def dimensions(config: DimensionsConfig, run: Run) -> None:
    planned = growth_trials(
        ("mlp", "bspline_kan"),
        ("generic", "compositional"),
        config.dimensions,
        config.sizes,
        config.search,
        run.seeds,
        epochs=config.epochs,
        n_train=config.n_train,
    )
    found = {
        (one.kind, one.n_dimensions, one.model): one
        for one in grow(planned, lambda trials: run.map(run_trial, list(trials), "growing networks"))
    }
    low, high = config.dimensions[0], config.dimensions[-1]

    def alpha(kind: str, d: int, model: str, seed: int) -> float:
        return found[kind, d, model].exponent(seed).alpha

    for number, _ in enumerate(run.seeds):
        run.measure(
            "dimensionality",
            kan_generic_low=alpha("generic", low, "bspline_kan", number),
            kan_generic_high=alpha("generic", high, "bspline_kan", number),
            mlp_generic_low=alpha("generic", low, "mlp", number),
            mlp_generic_high=alpha("generic", high, "mlp", number),
            kan_composed_low=alpha("compositional", low, "bspline_kan", number),
            kan_composed_high=alpha("compositional", high, "bspline_kan", number),
        )
    run.note("dimensionality", f"Dimensions {low} to {high}; {', '.join(map(str, config.sizes))} parameters.")
    for kind in ("generic", "compositional"):
        run.figure(f"scaling-{kind}", _scaling_figure(found, kind), caption=f"Test error on {kind} targets by size.")


def _scaling_figure(found: Mapping[tuple[str, int, str], Growth], kind: str) -> Any:  # noqa: ANN401 - a figure
    return draw_scaling(
        {
            f"{get_family(model).label}, d = {d}": one.errors
            for (of_kind, d, model), one in found.items()
            if of_kind == kind
        }
    )
