"""How the claims of Li et al. (2015) are measured."""

import statistics
from typing import Any

import torch

from separata import Run, Unmeasured, experiment, plots

from .configs import TrainConfig
from .drawing import draw_correlations, draw_counts, draw_filters, draw_matrices
from .matching import match_units
from .paper import LAYERS
from .trials import NetworksTrial, run_trial


@experiment(
    "some-features-recur",
    "one-to-one",
    "shared-subspaces",
    "local-and-distributed",
    "depth-trend",
    "mutual-information",
    smoke=NetworksTrial("digits", TrainConfig(epochs=1), n_nets=2, n_lambdas=6, n_random=5, keep=2000),
    quick=NetworksTrial(),
    gpu=NetworksTrial("cifar10", TrainConfig(epochs=20, batch_size=128)),
    paper=Unmeasured("four CaffeNets trained on ImageNet; collect and match take your own networks"),
)
def representations(config: NetworksTrial, run: Run) -> None:
    found = run.over_seeds(run_trial, {"networks": config}, "seeds")["networks"]
    for seed, one in zip(run.seeds, found, strict=True):
        _measure(run, one)
        run.log(seed, accuracy=statistics.fmean(one["accuracies"]))
    accuracy = statistics.fmean(value for one in found for value in one["accuracies"])
    run.note("some-features-recur", f"Mean accuracy of the networks: {accuracy:.3f}.")
    _draw(run, found)


def _measure(run: Run, one: dict[str, Any]) -> None:
    layers = one["layers"]
    first = layers["conv1"]
    run.measure(
        "some-features-recur",
        top=first["top"],
        bottom_quarter=first["bottom_quarter"],
        untrained_top=first["untrained"]["top"],
        untrained_bottom_quarter=first["untrained"]["bottom_quarter"],
        hidden_top=one["hidden"]["top"],
        hidden_bottom_quarter=one["hidden"]["bottom_quarter"],
    )
    columns = {
        f"{key}_{name}": layers[name][key] for key in ("greedy", "matching", "overlap", "random") for name in LAYERS
    }
    columns |= {f"untrained_{name}": layers[name]["untrained"]["matching"] for name in LAYERS}
    run.measure("one-to-one", **columns)
    run.measure("shared-subspaces", **{key: one["subspaces"][key] for key in run.paper.claim("shared-subspaces").paper})
    keys = run.paper.claim("local-and-distributed").paper
    run.measure("local-and-distributed", **{key: one["locality"][key] for key in keys})
    means = {name: layers[name]["greedy"] for name in LAYERS}
    means |= {f"untrained_{name}": layers[name]["untrained"]["greedy"] for name in LAYERS}
    run.measure("depth-trend", **means)
    run.measure("mutual-information", **one["information"])


def _draw(run: Run, found: list[dict[str, Any]]) -> None:
    one = found[0]
    matched = {name: one["layers"][name] for name in LAYERS} | {"fc": one["hidden"]}
    curves = {name: (some["curve"], some["curve_matching"]) for name, some in matched.items()}
    run.figure(
        "correlations",
        draw_correlations(curves),
        ["some-features-recur", "one-to-one"],
        caption="Correlation of each unit with its partner in another network, for both kinds of matching.",
    )
    similarity = torch.tensor(one["matrix"], dtype=torch.float64)
    matching = match_units(similarity)
    run.figure(
        "matrix",
        draw_matrices(similarity, matching),
        ["one-to-one"],
        caption="Correlations between conv1 of two networks, and the same with matched units on the diagonal.",
    )
    first, second = (torch.tensor(filters) for filters in one["filters"])
    run.figure(
        "filters",
        draw_filters(
            first[matching.order], second[matching.index[matching.order]], matching.value[matching.order].tolist()
        ),
        ["some-features-recur"],
        caption="Filters of conv1 of two networks, matched one-to-one: the first pairs look alike, the last do not.",
    )
    counts = {
        name: [n for trial in found for n in trial["locality"][key]]
        for name, key in (("as trained", "counts"), ("rotated", "counts_rotated"))
    }
    run.figure(
        "locality",
        draw_counts(counts),
        ["local-and-distributed"],
        caption="Share of units that so many units of another network predict, and after a random rotation.",
    )
    keys = {name: {"trained": name, "untrained": f"untrained_{name}"} for name in LAYERS}
    run.figure(
        "depth",
        plots.claim(run, "depth-trend", keys),
        ["depth-trend"],
        caption="Mean correlation with the best partner by layer, trained and untrained.",
    )
    subspaces = {
        "all units": {"trained": "dense", "rotated": "dense_rotated", "untrained": "dense_untrained"},
        "best single unit": {"trained": "one_to_one", "rotated": "one_to_one_rotated"},
        "cosine between clusters": {
            "trained": "clusters",
            "untrained": "clusters_untrained",
            "random clusters": "random_clusters",
        },
    }
    run.figure(
        "subspaces",
        plots.claim(run, "shared-subspaces", subspaces, ylabel="R², cosine"),
        ["shared-subspaces"],
        caption="All units of a network predict more of another's than the best single unit does.",
    )
