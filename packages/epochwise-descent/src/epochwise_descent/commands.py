"""What the commands do."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from separata import files
from separata.output import Output, finite
from separata.progress import Reporter

from .configs import RunConfig, TeacherStudent
from .curves import load_curve
from .detection import turn_sizes
from .deterministic_equivalent import deterministic_equivalent
from .order_parameters import Dynamics
from .simulation import Method, simulate, time_grid
from .theory import Only, two_scale_theory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Theory = Literal["replica", "deterministic-equivalent"]
TABLES = (".csv", ".npz")
COUNTS = 1e-3
"""Rise and fall of a theoretical curve that are told."""


def predict(
    setup: TeacherStudent,
    grid: Sequence[float],
    theory: Theory,
    only: Only | None,
    *,
    out: Path | None,
    plot: Path | None,
) -> Output:
    """The error over time in theory.

    Raises:
        ValueError: if a setting is wrong.
    """
    _check(out, plot)
    times = time_grid(grid[0], int(grid[1]))
    if theory == "deterministic-equivalent":
        if only is not None:
            raise ValueError("one group alone is known to the replica theory; leave --only or --theory out")
        found = deterministic_equivalent(setup, times)
    else:
        found = _quiet(two_scale_theory, setup, times, only)
    _write(found, out)
    if plot is not None:
        from .drawing import draw_prediction

        _save(draw_prediction({theory.replace("-", " "): found}, _title(setup)), plot)
    return _told(setup, {theory: found}, out)


def simulated(
    setup: TeacherStudent,
    n_draws: int,
    method: Method,
    grid: Sequence[float],
    *,
    seed: int,
    out: Path | None,
    plot: Path | None,
    device: str,
) -> Output:
    """Gradient descent on random draws beside theory.

    Raises:
        ValueError: if a setting is wrong.
    """
    from separata.run import Compute

    from .gradient_descent import log_steps

    _check(out, plot)
    times = time_grid(grid[0], int(grid[1]), 1.0)
    if method == "gd":
        times = np.array(log_steps(int(grid[0]), int(grid[1])), float)
    found = simulate(setup, n_draws, times, method, seed=seed, device=Compute(device).torch_device)
    closed = _quiet(two_scale_theory, setup, times)
    limit = deterministic_equivalent(setup, times)
    _write(found, out)
    if plot is not None:
        from .drawing import draw_overlay

        name = _title(setup)
        _save(draw_overlay({name: found}, {name: closed}, {name: limit}), plot)
    return _told(setup, {method: found, "replica": closed, "deterministic-equivalent": limit}, out)


def heatmap(
    setup: TeacherStudent,
    penalties: Sequence[float],
    grid: Sequence[float],
    theory: Theory,
    *,
    out: Path | None,
    plot: Path | None,
) -> Output:
    """The error over time and weight decay in theory.

    Args:
        setup: The other settings.
        penalties: Smallest, largest, and how many.
        grid: Last time, and how many.
        theory: Which one.
        out: Arrays to write.
        plot: Figure to write.

    Raises:
        ValueError: if a setting is wrong.
    """
    _check(out, plot)
    low, high, n = penalties
    if not 0 < low < high or n < 2:
        raise ValueError(f"weight decays go from a positive one to a larger one, not from {low:g} to {high:g}")
    times, l2 = time_grid(grid[0], int(grid[1])), np.geomspace(low, high, int(n))
    if theory == "deterministic-equivalent":
        error = np.stack([deterministic_equivalent(setup, times, l2=float(one)).error for one in l2])
    else:
        error = _quiet(two_scale_theory, setup, times, None, l2=l2).error
    row, column = np.unravel_index(np.where(np.isfinite(error), error, np.inf).argmin(), error.shape)
    if out is not None:
        _write_arrays(out, {"t": times, "l2": l2, "error": error})
    if plot is not None:
        from .drawing import draw_heatmap

        _save(draw_heatmap(times, l2, error, slices=tuple(np.geomspace(low, high, 5))), plot)
    best = {"l2": float(l2[row]), "t": float(times[column]), "error": float(error[row, column])}
    at_end = int(np.where(np.isfinite(error[:, -1]), error[:, -1], np.inf).argmin())
    to_end = {"l2": float(l2[at_end]), "error": finite(float(error[at_end, -1]))}
    text = (
        f"lowest error {best['error']:.4f}, at weight decay {best['l2']:.3g} and time {best['t']:,.4g}\n"
        f"at the end   {error[at_end, -1]:.4f}, at weight decay {l2[at_end]:.3g}"
    )
    return Output({"best": best, "at_the_end": to_end}, text)


def phase(setup: TeacherStudent, kappas: str, grid: Sequence[float], *, out: Path | None, plot: Path | None) -> Output:
    """Paths of the order parameters for several ratios of scales.

    Raises:
        ValueError: if a setting is wrong.
    """
    _check(out, plot)
    ratios = _numbers(kappas)
    per_decade = max(4, int(grid[1]) // 8)
    decades = np.log10(grid[0])
    if not decades > 0:
        raise ValueError(f"the last time must be above 1, not {grid[0]:g}")
    times = 10 ** np.append(np.arange(0, decades, 1 / per_decade), decades)
    members = [_quiet(two_scale_theory, replace(setup, kappa=kappa), times) for kappa in ratios]
    if out is not None:
        columns = {"t": times, "kappa": np.array(ratios)}
        found = {"R": np.stack([one.r for one in members]), "Q": np.stack([one.q for one in members])}
        _write_arrays(out, columns | found | {"error": np.stack([one.error for one in members])})
    if plot is not None:
        from .drawing import Family, draw_family

        _save(draw_family(Family(ratios, members)), plot)
    rows = [{"kappa": kappa, **_turn(one)} for kappa, one in zip(ratios, members, strict=True)]
    lines = [f"{'kappa':>9}  {'minimum':>8}  {'peak':>8}  {'rise':>8}  {'fall':>8}"]
    lines += [
        f"{row['kappa']:>9g}  {row['first_min']:>8.4f}  {row['peak']:>8.4f}  {row['rise']:>8.4f}  {row['fall']:>8.4f}"
        for row in rows
    ]
    return Output({"rows": rows}, "\n".join(lines))


def detect(
    path: Path,
    names: tuple[str | None, str | None, str | None],
    *,
    raw: bool,
    window: float,
    smallest: float | None,
    plot: Path | None,
) -> Output:
    """Where the descents of a learning curve begin and end.

    Args:
        path: What a training left.
        names: Of the times, the errors, and what tells seeds apart.
        raw: Take accuracies as they are.
        window: Of the smoothing.
        smallest: Rise that counts.
        plot: Figure to write.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no such curve.
    """
    files.check_figure(plot)
    x, y, by = names
    curve = load_curve(path, x=x, y=y, by=by, raw=raw)
    report = curve.find_double_descent(window=window, smallest=smallest)
    if plot is not None:
        from .descent_drawing import draw_descent

        _save(draw_descent(curve, report), plot)
    told = {"x": curve.time_name, "y": curve.error_name, "points": len(curve.t), "seeds": curve.n_seeds}
    head = f"{path}: {curve.error_name} by {curve.time_name}, {len(curve.t):,} points"
    seeds = f", {curve.n_seeds} seeds" if curve.n_seeds > 1 else ""
    return Output({**told, **report.to_json()}, f"{head}{seeds}\n{report.summary()}")


def train(source: str, out: Path, config: RunConfig, *, plot: Path | None, device: str, resume: bool) -> Output:
    """Measure the learning curve of a network.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or a file is wrong, the training diverges, or the folder holds another one.
    """
    from . import runs

    files.check_figure(plot)
    data = runs.load_data(source, config)
    report = runs.train_curve(data, out, config, device=device, resume=resume, reporter=Reporter())
    if plot is not None:
        from .descent_drawing import draw_descent

        _save(draw_descent(report.curve, report.report), plot)
    value = {"out": str(report.out), "steps": int(report.curve.t[-1]), **report.report.to_json()}
    return Output(value, f"{report.out}: {report.report.summary()}")


# ---- parts


def _check(out: Path | None, plot: Path | None) -> None:
    if out is not None:
        if out.suffix not in TABLES:
            raise ValueError(f"tables are written as .csv or .npz, not as {out.name}")
        files.check_writable(out)
    files.check_figure(plot)


def _quiet(theory: Any, *arguments: Any, **options: Any) -> Dynamics:  # noqa: ANN401 - passed on
    """The closed form; where it has no solution, a line on standard error says so."""
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found: Dynamics = theory(*arguments, **options)
    if caught:
        Reporter().say(str(caught[0].message))
    return found


def _write(found: Dynamics, out: Path | None) -> None:
    if out is not None:
        _write_arrays(out, found.to_columns())


def _write_arrays(out: Path, columns: dict[str, Any]) -> None:
    if out.suffix == ".npz":
        with files.replacing(out) as part, part.open("wb") as file:
            np.savez(file, **columns)
        return
    if any(np.ndim(one) != 1 or len(one) != len(columns["t"]) for one in columns.values()):
        raise ValueError(f"arrays of two dimensions are written as .npz, not as {out.name}")
    rows = [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
    files.write_text(out, files.to_csv(rows))


def _save(figure: "Figure", path: Path) -> None:
    from separata import plots

    plots.save(figure, path)


def _title(setup: TeacherStudent) -> str:
    return f"n = {setup.n}, d = {setup.d}, p = {setup.p}, κ = {setup.kappa:,g}"


def _turn(found: Dynamics) -> dict[str, float]:
    mean = np.where(np.isfinite(found.mean), found.mean, np.nanmax(found.mean[np.isfinite(found.mean)]))
    first, peak, rise, fall = turn_sizes(mean)
    return {
        "first_min": float(mean[first]),
        "first_min_t": float(found.t[first]),
        "peak": float(mean[peak]),
        "peak_t": float(found.t[peak]),
        "rise": rise,
        "fall": fall,
        "best": float(mean.min()),
        "best_t": float(found.t[mean.argmin()]),
        "end": float(mean[-1]),
    }


def _told(setup: TeacherStudent, found: dict[str, Dynamics], out: Path | None) -> Output:
    """The turns of each curve, and whether it is a double descent."""
    rows = {name: _turn(one) for name, one in found.items()}
    lines = [_title(setup)]
    for name, row in rows.items():
        label = f"{name}: " if len(rows) > 1 else ""
        if min(row["rise"], row["fall"]) > COUNTS:
            last = row["best"] if row["best_t"] > row["peak_t"] else row["end"]
            told = (
                f"double descent: falls to {row['first_min']:.4f} at {row['first_min_t']:,.4g} steps, rises to "
                f"{row['peak']:.4f} at {row['peak_t']:,.4g}, falls again to {last:.4f}"
            )
        elif row["rise"] > COUNTS:
            told = f"overfits: falls to {row['first_min']:.4f} at {row['first_min_t']:,.4g} steps"
            told += f", ends at {row['end']:.4f}"
        else:
            told = f"no double descent: falls to {row['end']:.4f}"
        lines.append(f"{label}{told}; best {row['best']:.4f} at {row['best_t']:,.4g} steps")
    written = [] if out is None else [f"written to {out}"]
    return Output({"curves": rows, "out": None if out is None else str(out)}, "\n".join([*lines, *written]))


def _numbers(text: str) -> list[float]:
    try:
        found = [float(one) for one in text.split(",") if one.strip()]
    except ValueError:
        found = []
    if not found:
        raise ValueError(f"numbers with commas between them are expected, such as 1,10,100, not '{text}'")
    return found
