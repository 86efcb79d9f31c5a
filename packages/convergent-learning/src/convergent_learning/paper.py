"""What Li et al. (2015) claim."""

import math
from collections.abc import Mapping

from separata import Claim, Paper

LAYERS = ("conv1", "conv2", "conv3")
GREEDY = {"conv1": 0.703, "conv2": 0.556, "conv3": 0.478}
MATCHING = {"conv1": 0.663, "conv2": 0.507, "conv3": 0.446}
OVERLAP = {"conv1": 0.729, "conv2": 0.578, "conv3": 0.617}
SCALE = (
    "The paper compares four CaffeNets trained on ImageNet; here four small convolutional networks are trained on "
    "MNIST for each seed."
)


def _one_to_one(m: Mapping[str, float]) -> bool:
    return all(
        0.85 * m[f"greedy_{layer}"] <= m[f"matching_{layer}"] <= m[f"greedy_{layer}"] + 1e-9
        and 0.3 < m[f"overlap_{layer}"] < 1
        and m[f"matching_{layer}"] > m[f"random_{layer}"] + 0.1
        for layer in LAYERS
    )


PAPER = Paper(
    name="convergent-learning",
    title="Convergent Learning: Do different neural networks learn the same representations?",
    year=2015,
    arxiv="1511.07543",
    authors=("Yixuan Li", "Jason Yosinski", "Jeff Clune", "Hod Lipson", "John Hopcroft"),
    venue="ICLR 2016",
    field="Representation learning",
    claims=(
        Claim(
            "some-features-recur",
            "Some features are learned reliably in multiple networks, yet others are not consistently learned",
            metric="correlation of conv1 units with their best partner",
            paper=dict.fromkeys(
                (
                    "top",
                    "bottom_quarter",
                    "untrained_top",
                    "untrained_bottom_quarter",
                    "hidden_top",
                    "hidden_bottom_quarter",
                )
            ),
            labels={
                "top": "best unit",
                "bottom_quarter": "lowest quarter of units",
                "untrained_top": "best unit, untrained",
                "untrained_bottom_quarter": "lowest quarter, untrained",
                "hidden_top": "best unit of the fully connected layer",
                "hidden_bottom_quarter": "lowest quarter of that layer",
            },
            criterion="best unit above 0.95 and above that of untrained networks; lowest quarter below 0.7 on average",
            holds=lambda m: m["top"] > 0.95 and m["top"] > m["untrained_top"] and m["bottom_quarter"] < 0.7,
            note=SCALE,
        ),
        Claim(
            "one-to-one",
            "A one-to-one matching of units is almost as good as the best partner of each unit, and largely the same",
            metric="mean correlation of matched units; share of units with the same partner",
            paper={
                **{f"greedy_{layer}": GREEDY[layer] for layer in LAYERS},
                **{f"matching_{layer}": MATCHING[layer] for layer in LAYERS},
                **{f"overlap_{layer}": OVERLAP[layer] for layer in LAYERS},
                **{f"random_{layer}": None for layer in LAYERS},
                **{f"untrained_{layer}": None for layer in LAYERS},
            },
            labels={
                **{f"greedy_{layer}": f"{layer}: semi-matching" for layer in LAYERS},
                **{f"matching_{layer}": f"{layer}: bipartite matching" for layer in LAYERS},
                **{f"overlap_{layer}": f"{layer}: same partner in both" for layer in LAYERS},
                **{f"random_{layer}": f"{layer}: random matching" for layer in LAYERS},
                **{f"untrained_{layer}": f"{layer}: bipartite matching, untrained" for layer in LAYERS},
            },
            criterion=(
                "in each layer the bipartite matching is at least 0.85 of the semi-matching and 0.1 above a random "
                "matching, and 0.3 to 1 of the units have the same partner"
            ),
            holds=_one_to_one,
            note=SCALE,
        ),
        Claim(
            "shared-subspaces",
            "Units learn to span low-dimensional subspaces that are common to the networks, in bases that are not",
            metric="R² of predicting units of conv2 and conv3; cosines of principal angles between clusters",
            paper=dict.fromkeys(
                (
                    "dense",
                    "one_to_one",
                    "dense_rotated",
                    "one_to_one_rotated",
                    "dense_untrained",
                    "clusters",
                    "random_clusters",
                    "p_value",
                    "clusters_untrained",
                    "random_clusters_untrained",
                    "p_value_untrained",
                )
            ),
            labels={
                "dense": "R² from all units",
                "one_to_one": "R² from the best single unit",
                "dense_rotated": "R² from all units, rotated",
                "one_to_one_rotated": "R² from the best single unit, rotated",
                "dense_untrained": "R² from all units, untrained",
                "clusters": "cosine between clusters",
                "random_clusters": "cosine between random clusters",
                "p_value": "p of the two being alike",
                "clusters_untrained": "cosine between clusters, untrained",
                "random_clusters_untrained": "cosine between random clusters, untrained",
                "p_value_untrained": "p of the two being alike, untrained",
            },
            criterion=(
                "all units give an R² at least 0.1 above the best single unit, which a rotation lowers by 0.05 or "
                "more; cosines between clusters exceed those between random ones (p < 0.05); R² and the excess of the "
                "cosines are larger than in untrained networks, which have a share of both"
            ),
            holds=lambda m: (
                m["dense"] >= m["one_to_one"] + 0.1
                and m["one_to_one_rotated"] <= m["one_to_one"] - 0.05
                and m["clusters"] > m["random_clusters"]
                and m["p_value"] < 0.05
                and m["dense"] > m["dense_untrained"]
                and m["clusters"] - m["random_clusters"] > m["clusters_untrained"] - m["random_clusters_untrained"]
            ),
            note=(
                f"{SCALE} The cosine of a cluster is the mean over its principal angles, those of noise included. The "
                "Wilcoxon test takes clusters as independent, although pairs of networks share a network."
            ),
        ),
        Claim(
            "local-and-distributed",
            "The representation is a mix between a local code and slightly, but not fully, distributed codes",
            metric="units that reach 90 % of the R² of all units, by the lasso, refitted",
            paper=dict.fromkeys(("median_units", "median_share", "few", "median_units_rotated", "few_rotated")),
            labels={
                "median_units": "median number of units",
                "median_share": "median as a share of the layer",
                "few": "share of targets that need at most 2",
                "median_units_rotated": "median number, rotated",
                "few_rotated": "share that need at most 2, rotated",
            },
            criterion=(
                "the median is between 2 units and half of the layer, 5 to 95 % of the targets need at most 2 units, "
                "and more need as few than after a random rotation"
            ),
            holds=lambda m: (
                m["median_units"] >= 2
                and m["median_share"] <= 0.5
                and 0.05 <= m["few"] <= 0.95
                and m["few"] > m["few_rotated"]
            ),
            note=SCALE,
        ),
        Claim(
            "depth-trend",
            "The deeper the layer, the less its units correlate with their best partners",
            metric="mean correlation of units with their best partners",
            paper={**GREEDY, **{f"untrained_{layer}": None for layer in LAYERS}},
            labels={
                **{layer: layer for layer in LAYERS},
                **{f"untrained_{layer}": f"{layer}, untrained" for layer in LAYERS},
            },
            criterion="conv1 above conv2 above conv3",
            holds=lambda m: m["conv1"] > m["conv2"] > m["conv3"],
            note=SCALE,
        ),
        Claim(
            "mutual-information",
            "Mutual information gives nearly the same pairs as correlation: 7 of the 8 best in conv1",
            metric="of the 8 best pairs by correlation in conv1, how many mutual information matches alike",
            paper={"same": 7.0, "by_chance": None},
            labels={"same": "matched alike", "by_chance": "with activations shuffled"},
            criterion="at least 5 of 8; direction: more than with the samples shuffled",
            holds=lambda m: m["same"] >= 5 > m["by_chance"],
            direction=lambda m: m["same"] > m["by_chance"] and math.isfinite(m["same"]),
            note=(
                f"{SCALE} More than half of the pixels of MNIST are background, where each unit has one constant "
                "value, and mutual information does not tell a negative correlation from a positive one."
            ),
        ),
    ),
)
