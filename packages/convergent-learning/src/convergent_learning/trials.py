"""What the experiments spread over the cores: four networks of a seed, and all that is measured of them."""

import statistics
from dataclasses import dataclass, field
from itertools import combinations, permutations
from typing import Any

import torch
from scipy.stats import wilcoxon

from separata import data, training

from .clustering import cluster_units
from .configs import TrainConfig
from .controls import random_matching, rotate, shuffle
from .locality import units_needed
from .matching import match_units
from .mutual_information import mutual_information
from .sparse import sparse_mapping
from .statistics import ActivationStats, collect
from .subspaces import random_cosines
from .training import make_network, train_network

LAYERS = {"conv1": "relu1", "conv2": "relu2", "conv3": "relu3"}
"""The paper's names, and the modules whose activations they mean: after the ReLU."""
HIDDEN = "relu4"
"""The fully connected layer."""


@dataclass(frozen=True)
class NetworksTrial:
    """Networks of one architecture, trained from different initial weights on the same images."""

    dataset: str = "mnist5k"
    train: TrainConfig = field(default_factory=TrainConfig)
    n_nets: int = 4
    n_lambdas: int = 20
    n_random: int = 50
    """Random clusters for each cluster."""
    keep: int = 20_000
    """Samples for mutual information."""
    seed: int = 0


def _nets(trial: NetworksTrial, device: str) -> tuple[ActivationStats, ActivationStats, dict[str, Any]]:
    """Statistics of the trained networks and of untrained ones, on test images; accuracies, and first filters."""
    train, test = (data.load(trial.dataset, split=part, device=device) for part in ("train", "test"))
    seeds = [1000 * trial.seed + i for i in range(trial.n_nets)]
    shape = {"in_channels": train.images.shape[1], "size": train.images.shape[-1]}
    n_classes = int(train.labels.max()) + 1
    fresh = [make_network(seed + 500, n_classes, **shape).to(device).eval() for seed in seeds]
    trained = [train_network(train.images, train.labels, trial.train, seed) for seed in seeds]
    accuracies = [training.accuracy(net, test.images, test.labels) for net in trained]
    options: dict[str, Any] = {"keep": trial.keep, "seed": trial.seed, "device": device}
    stats, control = (
        collect(nets, test.images.split(100), [*LAYERS.values(), HIDDEN], **options) for nets in (trained, fresh)
    )
    filters = [next(net.parameters()).detach().mean(1).cpu().tolist() for net in trained[:2]]
    return stats, control, {"accuracies": accuracies, "filters": filters}


def run_trial(trial: NetworksTrial, device: str) -> dict[str, Any]:
    """Everything that is measured with a seed, for JSON."""
    stats, control, told = _nets(trial, device)
    pairs = list(permutations(range(trial.n_nets), 2))
    generator = torch.Generator().manual_seed(trial.seed)
    layers = {
        name: _match(stats, layer, pairs, generator) | {"untrained": _match(control, layer, pairs, generator)}
        for name, layer in LAYERS.items()
    }
    return told | {
        "layers": layers,
        "hidden": _match(stats, HIDDEN, pairs, generator),
        "subspaces": _subspaces(stats, control, trial, generator),
        "locality": _locality(stats, trial, generator),
        "information": _information(stats, generator),
        "matrix": stats.cross("relu1", 0, 1).tolist(),
    }


def _match(
    stats: ActivationStats, layer: str, pairs: list[tuple[int, int]], generator: torch.Generator
) -> dict[str, Any]:
    rows = []
    for i, j in pairs:
        cross = stats.cross(layer, i, j)
        greedy, best = match_units(cross, "semi"), match_units(cross)
        # Dead units have learned nothing that could recur.
        values = greedy.value[~stats[layer].dead(i)].sort(descending=True).values
        rows.append(
            {
                "greedy": greedy.mean,
                "matching": best.mean,
                "overlap": greedy.overlap(best),
                "random": random_matching(cross, generator).mean,
                "top": float(values[0]),
                "bottom_quarter": float(values[-(len(values) // 4) :].mean()),
            }
        )
    means: dict[str, Any] = {key: statistics.fmean(row[key] for row in rows) for key in rows[0]}
    cross = stats.cross(layer, *pairs[0])
    greedy, best = match_units(cross, "semi"), match_units(cross)
    return means | {"curve": greedy.value[greedy.order].tolist(), "curve_matching": best.value[greedy.order].tolist()}


def _lambdas(n: int) -> list[float]:
    return torch.logspace(0, -3, n, dtype=torch.float64).tolist()


def _subspaces(
    stats: ActivationStats, control: ActivationStats, trial: NetworksTrial, generator: torch.Generator
) -> dict[str, float]:
    r2: dict[str, list[float]] = {}
    cosines: dict[str, list[tuple[float, float]]] = {"": [], "_untrained": []}
    for layer in ("relu2", "relu3"):
        for i, j in combinations(range(trial.n_nets), 2):
            turned = rotate(stats, layer, i, generator)
            for name, one in (("", stats), ("_rotated", turned), ("_untrained", control)):
                path = sparse_mapping(one, layer, i, j, [1.0])
                r2.setdefault(f"dense{name}", []).append(float(path.dense_r2.mean()))
                r2.setdefault(f"one_to_one{name}", []).append(float(path.single_r2.mean()))
            for name, one in (("", stats), ("_untrained", control)):
                cosines[name] += _cluster_cosines(one, layer, (i, j), trial, generator)
    found = {name: statistics.fmean(values) for name, values in r2.items()}
    for name, rows in cosines.items():
        of_clusters, by_chance = zip(*rows, strict=True)
        test = wilcoxon(of_clusters, by_chance, alternative="greater")
        found |= {
            f"clusters{name}": statistics.fmean(of_clusters),
            f"random_clusters{name}": statistics.fmean(by_chance),
            f"p_value{name}": float(test.pvalue),
        }
    return found


def _cluster_cosines(
    stats: ActivationStats, layer: str, nets: tuple[int, int], trial: NetworksTrial, generator: torch.Generator
) -> list[tuple[float, float]]:
    """The cosine of each mixed cluster, and the mean one of random groups of its sizes."""
    clusters = cluster_units(stats, layer, nets, seed=trial.seed)
    rows = []
    for i, cosine in enumerate(clusters.cosines.tolist()):
        first, second = clusters.members(i)
        if first and second:
            chance = random_cosines(stats, layer, (len(first), len(second)), generator, nets, trial.n_random)
            rows.append((cosine, float(chance.mean())))
    return rows


def _locality(stats: ActivationStats, trial: NetworksTrial, generator: torch.Generator) -> dict[str, Any]:
    counts: dict[str, list[int]] = {"": [], "_rotated": []}
    shares: dict[str, list[float]] = {"": [], "_rotated": []}
    for layer in LAYERS.values():
        for i, j in combinations(range(trial.n_nets), 2):
            for name, one in (("", stats), ("_rotated", rotate(stats, layer, i, generator))):
                path = sparse_mapping(one, layer, i, j, _lambdas(trial.n_lambdas), tolerance=1e-5)
                needed = units_needed(one, layer, path, i, j)[~one[layer].dead(j)].tolist()
                counts[name] += needed
                shares[name] += [n / one[layer].sizes[i] for n in needed]
    found: dict[str, Any] = {"counts": counts[""], "counts_rotated": counts["_rotated"]}
    for name, needed in counts.items():
        found[f"median_units{name}"] = float(statistics.median(needed))
        found[f"few{name}"] = statistics.fmean(n <= 2 for n in needed)
    return found | {"median_share": float(statistics.median(shares[""]))}


def _information(stats: ActivationStats, generator: torch.Generator) -> dict[str, float]:
    """Of the 8 best pairs of conv1 by correlation, how many mutual information matches alike."""
    shuffled = shuffle(stats, "relu1", 1, generator)["relu1"]
    one = stats["relu1"]
    best = match_units(one.correlation(0, 1))
    top = best.order[:8]
    found = {}
    for name, samples in (("same", one.samples), ("by_chance", shuffled.samples)):
        information = mutual_information(samples[:, one.of(0)], samples[:, one.of(1)])
        matched = match_units(information)
        found[name] = float((matched.index[top] == best.index[top]).sum())
    return found
