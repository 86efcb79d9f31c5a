"""The commands, over the public API; `cli` is their names and options."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from separata import files, plots
from separata.labeled import load_splits
from separata.output import Output
from separata.training import accuracy

from .activations import Axis
from .alignment import align as align_networks
from .averaging import average as average_networks
from .averaging import reestimate_batchnorm
from .clustering import cluster_units, joint_similarity
from .drawing import draw_blocks, draw_correlations, draw_matrices
from .matching import Matching, match_units
from .mutual_information import mutual_information
from .sources import load_inputs, load_network
from .sparse import sparse_mapping
from .statistics import ActivationStats
from .statistics import collect as collect_statistics

BATCH = 256
AXES: dict[str, Axis | None] = {"auto": None, "channels": "channels", "last": "last"}


def _number(value: float) -> float | None:
    """A number for JSON, which has no NaN."""
    return float(value) if math.isfinite(value) else None


def collect(
    networks: Sequence[Path],
    arch: tuple[str, str],
    data: str,
    layers: str,
    out: Path,
    *,
    after: str,
    axis: str,
    limit: int | None,
    max_positions: int | None,
    keep: int,
    seed: int,
) -> Output:
    """Statistics of layers of networks, as a file."""
    if out.suffix != ".npz":
        raise ValueError(f"statistics are written as .npz, not as {out.name}")
    files.check_writable(out)
    if keep < 0 or (max_positions is not None and max_positions < 1):
        raise ValueError(f"keep must be at least 0 and max-positions at least 1, not {keep} and {max_positions}")
    names = [name.strip() for name in layers.split(",") if name.strip()]
    nets = [load_network(path, *arch) for path in networks]
    x = load_inputs(data, limit)
    try:
        stats = collect_statistics(
            nets, x.split(BATCH), names, max_positions=max_positions, keep=keep,
            after="relu" if after == "relu" else None, axis=AXES[axis], seed=seed,
        )  # fmt: skip
    except (RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the network does not take samples {tuple(x.shape[1:])} of {data}: {reason}") from None
    stats.save(out)
    rows = []
    lines = [f"{len(x)} samples; statistics of {len(nets)} networks in {out}"]
    for name, one in stats.layers.items():
        dead = [torch.nonzero(one.dead(net))[:, 0].tolist() for net in range(len(nets))]
        rows.append({"layer": name, "units": list(one.sizes), "samples": one.count, "dead": dead})
        told = ", ".join(f"{size} units ({len(some)} dead)" for size, some in zip(one.sizes, dead, strict=True))
        lines.append(f"  {name}: {told}, {one.count} samples")
    return Output({"out": str(out), "layers": rows}, "\n".join(lines))


def _similarity(stats: ActivationStats, layer: str, nets: tuple[int, int], by: str) -> Tensor:
    one = stats[layer]
    first, second = (one.of(net) for net in nets)
    if by == "correlation":
        return one.correlation(*nets)
    if len(one.samples) < 2:
        raise ValueError("mutual information needs samples, which are not kept: run collect with --keep 10000")
    return mutual_information(one.samples[:, first], one.samples[:, second])


def match(
    path: Path,
    layer: str,
    *,
    method: str,
    by: str,
    nets: tuple[int, int],
    out: Path | None,
    plot: Path | None,
) -> Output:
    """Match the units of a layer."""
    files.check_writable(out)
    files.check_figure(plot)
    similarity = _similarity(ActivationStats.load(path), layer, nets, by)
    semi, best = match_units(similarity, "semi"), match_units(similarity)
    chosen: dict[str, Matching] = {"semi": semi, "bipartite": best}
    chosen = chosen if method == "both" else {method: chosen[method]}
    rows = [
        {"unit": unit}
        | {f"{name}_partner": int(one.index[unit]) for name, one in chosen.items()}
        | {f"{name}_{by}": _number(float(one.value[unit])) for name, one in chosen.items()}
        for unit in semi.order.tolist()
    ]
    if out:
        files.write_text(out, files.to_csv([{k: "" if v is None else v for k, v in row.items()} for row in rows]))
    if plot:
        figure = (
            draw_matrices(similarity, best, by.replace("-", " "))
            if method == "bipartite"
            else draw_correlations(
                {layer: (semi.value[semi.order].tolist(), best.value[semi.order].tolist())}, ylabel=by.replace("-", " ")
            )
        )
        plots.save(figure, plot)
    overlap = semi.overlap(best)
    value = {
        "layer": layer,
        "by": by,
        "mean": {name: one.mean for name, one in chosen.items()},
        "overlap": overlap,
        "units": rows,
    }
    lines = [f"{layer}: mean {by} of {name} matching {one.mean:.3f}" for name, one in chosen.items()]
    if method == "both":
        lines.append(f"the same partner in both: {100 * overlap:.0f} % of the units")
    at = next(iter(chosen))
    for told, some in (("best", rows[:3]), ("worst", rows[-3:])):
        pairs = ", ".join(f"{row['unit']}-{row[f'{at}_partner']} ({row[f'{at}_{by}'] or 0:.2f})" for row in some)
        lines.append(f"{told} pairs: {pairs}")
    return Output(value, "\n".join(lines))


def parse_lambdas(text: str) -> list[float]:
    """Penalties: numbers with commas, or `from:to:n` for n of them evenly spaced by their logarithms.

    Raises:
        ValueError: if the text is neither.
    """
    try:
        if ":" in text:
            low, high, n = text.split(":")
            first, last = float(low), float(high)
            if not (0 < first < math.inf and 0 < last < math.inf and 1 < int(n) <= 1000):
                raise ValueError
            return torch.logspace(math.log10(first), math.log10(last), int(n), dtype=torch.float64).tolist()
        return [float(one) for one in text.split(",")]
    except ValueError:
        raise ValueError(
            f"penalties are numbers with commas, or from:to:n with 0 < from and n > 1, such as 1e-3:1e-1:10, not {text}"
        ) from None


def sparse(
    path: Path, layer: str, lambdas: str, *, nets: tuple[int, int], out: Path | None, plot: Path | None
) -> Output:
    """Predict one network's units from few of another's."""
    files.check_writable(out)
    files.check_figure(plot)
    penalties = parse_lambdas(lambdas)
    found = sparse_mapping(ActivationStats.load(path), layer, *nets, lambdas=penalties)
    summary = [
        {"lambda": float(penalty), "r2": float(r2.mean()), "units": float(support.double().mean())}
        for penalty, r2, support in zip(found.lambdas, found.r2, found.support, strict=True)
    ]
    if out:
        rows = [
            {
                "lambda": float(found.lambdas[i]),
                "target": j,
                "r2": float(found.r2[i, j]),
                "units": int(found.support[i, j]),
            }
            for i in range(len(penalties))
            for j, (r2, units) in enumerate(zip(found.r2[i].tolist(), found.support[i].tolist(), strict=True))
        ]
        files.write_text(out, files.to_csv(rows))
    dense, single = float(found.dense_r2.mean()), float(found.single_r2.mean())
    if plot:
        named = {"all units": dense, "best single unit": single}
        axis = "mean number of units used"
        plots.save(plots.curves(summary, "r2", x="units", xlabel=axis, ylabel="mean R²", reference=named), plot)
    lines = [f"{layer}: mean R² {single:.3f} from the best single unit, {dense:.3f} from all units"]
    lines += [f"  lambda {row['lambda']:.3g}: R² {row['r2']:.3f} from {row['units']:.1f} units" for row in summary]
    value = {"layer": layer, "dense_r2": dense, "single_r2": single, "path": summary}
    return Output(value, "\n".join(lines))


def cluster(
    path: Path, layer: str, k: int | None, *, method: str, nets: tuple[int, int], seed: int, plot: Path | None
) -> Output:
    """Cluster the units of two networks together."""
    files.check_figure(plot)
    stats = ActivationStats.load(path)
    found = cluster_units(stats, layer, nets, k, method=method, seed=seed)
    if plot:
        plots.save(draw_blocks(joint_similarity(stats, layer, nets), found.order.tolist(), found.sizes[0]), plot)
    rows = []
    for i, cosine in enumerate(found.cosines.tolist()):
        first, second = found.members(i)
        rows.append({"a": first, "b": second, "cosine": _number(cosine)})
    rows.sort(key=lambda row: -len(row["a"]) - len(row["b"]))  # type: ignore[arg-type]
    lines = [f"{layer}: {len(rows)} clusters, {100 * found.mixed_fraction:.0f} % with units of both networks"]
    for row in rows:
        told = "" if row["cosine"] is None else f"; mean cosine {row['cosine']:.2f}"
        lines.append(f"  A {row['a']}  B {row['b']}{told}")
    return Output({"layer": layer, "mixed_fraction": found.mixed_fraction, "clusters": rows}, "\n".join(lines))


def align(
    a: Path, b: Path, arch: tuple[str, str], data: str, out: Path, *, average: Path | None, limit: int | None
) -> Output:
    """Bring a network's units into another's order, and average the two."""
    for file in (out, average):
        if file is not None and file.suffix != ".safetensors":
            raise ValueError(f"networks are written as .safetensors, not as {file.name}")
        files.check_writable(file)
    first, second = load_network(a, *arch), load_network(b, *arch)
    x = load_inputs(data, limit, "train")
    # Batches of like sizes: BatchNorm cannot learn from a last batch of one.
    batches = x.tensor_split(math.ceil(len(x) / BATCH))
    try:
        found = align_networks(first, second, batches)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"the network does not take the samples of {data}: {str(error).splitlines()[0]}") from None
    with torch.no_grad():
        change = float((found.model(batches[0]) - second(batches[0])).abs().max())
        scale = float(second(batches[0]).abs().max())
    if not change <= 1e-4 * max(scale, 1):
        raise ValueError(f"reordering changed the outputs by {change:.2g}, so that nothing was written")
    _save(out, found.model)
    matched = {name: one.mean for name, one in found.matchings.items()}
    value: dict[str, Any] = {"out": str(out), "largest_change": change, "matched": matched, "fixed": found.fixed}
    lines = [f"{b} in the order of {a}, in {out}; the outputs changed by at most {change:.1e}"]
    lines += [f"  {name}: mean correlation {mean:.3f}" for name, mean in matched.items()]
    lines += [f"  {name}: not permuted, {reason}" for name, reason in found.fixed.items()]
    if average is not None:
        merged = average_networks([first, found.model])
        reestimate_batchnorm(merged, batches)
        _save(average, merged)
        naive = average_networks([first, second])
        reestimate_batchnorm(naive, batches)
        value["average"] = {"out": str(average)}
        lines.append(f"the average of the two is in {average}")
        if (test := _labeled(data)) is not None:
            nets = {"a": first, "b": second, "aligned": merged, "unaligned": naive}
            scores = {name: accuracy(net, test.x, test.y) for name, net in nets.items()}
            value["average"]["accuracy"] = scores
            lines.append(
                f"  test accuracy {scores['aligned']:.3f}; {scores['unaligned']:.3f} without alignment; "
                f"{scores['a']:.3f} and {scores['b']:.3f} of the two networks"
            )
    return Output(value, "\n".join(lines))


def _labeled(data: str) -> Any:  # noqa: ANN401 - a labeled data set, or nothing
    """The test part of the data, if it has labels."""
    if Path(data).suffix == ".npy":
        return None
    try:
        return load_splits(data).test
    except (ValueError, OSError):
        return None


def _save(path: Path, model: torch.nn.Module) -> None:
    files.save_tensors(path, {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()})
