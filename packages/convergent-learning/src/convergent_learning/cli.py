"""The command line `convergent-learning`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .paper import PAPER


def collect(
    a: Path,
    b: Path,
    /,
    arch: str,
    data: str,
    layers: str,
    out: Path,
    *,
    arch_args: str = "",
    after: Literal["none", "relu"] = "none",
    axis: Literal["auto", "channels", "last"] = "auto",
    limit: int | None = None,
    max_positions: int | None = None,
    keep: int = 0,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Collect statistics of the units of two networks.

    Args:
        a: Weights of the first network, .safetensors or .pt.
        b: Weights of the second.
        arch: small-convnet, mlp, small-cnn, resnet, or module:name of your own code, which is run.
        data: .npy or .npz of inputs, a folder of images, or digits, mnist5k, mnist, ...; the test part of these.
        layers: Names of modules, with commas.
        out: File for the statistics, .npz.
        arch_args: Keyword arguments of the architecture, a JSON object.
        after: Rectify what the layers answer, for networks that call relu as a function.
        axis: Where units stand in arrays of three or more axes: axis 1 (channels) or the last; by default as the layers
            tell.
        limit: Number of samples; all by default.
        max_positions: Random pixels or tokens of each sample; all by default.
        keep: Samples to keep for mutual information.
        seed: Draws positions and samples.
        json: Print as JSON.
    """
    from . import commands

    commands.collect(
        (a, b), (arch, arch_args), data, layers, out,
        after=after, axis=axis, limit=limit, max_positions=max_positions, keep=keep, seed=seed,
    ).show(as_json=json)  # fmt: skip


def match(
    stats: Path,
    /,
    layer: str,
    *,
    method: Literal["semi", "bipartite", "both"] = "both",
    by: Literal["correlation", "mutual-information"] = "correlation",
    nets: tuple[int, int] = (0, 1),
    out: Path | None = None,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Match the units of a layer one by one.

    Args:
        stats: Statistics that collect wrote.
        layer: The layer.
        method: The best partner of each unit (semi), the best one-to-one matching (bipartite), or both.
        by: What makes units similar.
        nets: The two networks, counted from 0.
        out: Table to write, .csv, the best matched units first.
        plot: Figure to write: .svg, .png or .pdf; with bipartite, the matrix before and after.
        json: Print as JSON.
    """
    from . import commands

    commands.match(stats, layer, method=method, by=by, nets=nets, out=out, plot=plot).show(as_json=json)


def sparse(
    stats: Path,
    /,
    layer: str,
    *,
    lambdas: str = "1e-3:0.3:10",
    nets: tuple[int, int] = (0, 1),
    out: Path | None = None,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Predict units from few units of the other network.

    Args:
        stats: Statistics that collect wrote.
        layer: The layer.
        lambdas: Penalties with commas, or from:to:n.
        nets: The network that predicts and the one that is predicted, counted from 0.
        out: Table to write, .csv, a row for each penalty and unit.
        plot: Figure to write: .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import commands

    commands.sparse(stats, layer, lambdas, nets=nets, out=out, plot=plot).show(as_json=json)


def cluster(
    stats: Path,
    /,
    layer: str,
    *,
    k: int | None = None,
    method: Literal["spectral", "agglomerative"] = "spectral",
    nets: tuple[int, int] = (0, 1),
    seed: int = 0,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Cluster the units of two networks together.

    Args:
        stats: Statistics that collect wrote.
        layer: The layer.
        k: Number of clusters; the width of the layer over 2.4 by default.
        method: Spectral, or agglomerative by mean correlation.
        nets: The two networks, counted from 0.
        seed: Seed of k-means.
        plot: Figure to write: .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import commands

    commands.cluster(stats, layer, k, method=method, nets=nets, seed=seed, plot=plot).show(as_json=json)


def align(
    a: Path,
    b: Path,
    /,
    arch: str,
    data: str,
    out: Path,
    *,
    arch_args: str = "",
    average: Path | None = None,
    limit: int | None = None,
    json: bool = False,
) -> None:
    """Reorder the units of a network like another's.

    Args:
        a: Weights of the network whose order is taken, .safetensors or .pt.
        b: Weights of the network that is reordered.
        arch: As for collect.
        data: As for collect, but the training part.
        out: File for the reordered weights, .safetensors; they compute what B did.
        arch_args: Keyword arguments of the architecture, a JSON object.
        average: File for the average of A and the reordered B, .safetensors.
        limit: Number of samples; all by default.
        json: Print as JSON.
    """
    from . import commands

    commands.align(a, b, (arch, arch_args), data, out, average=average, limit=limit).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [collect, match, sparse, cluster, align])
