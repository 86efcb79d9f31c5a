"""What Fan et al. (2021) claim."""

from collections.abc import Mapping

from separata import Claim, Paper

GAMMAS = {"0": 0.0, "1e-4": 1e-4, "1e-3": 1e-3, "1e-2": 1e-2, "1e-1": 1e-1, "1": 1.0}
"""Shares of the learning rate in the sweep, by the ends of their keys."""
ALTERNATIVES = {
    "clip": "quadratic, random, gradients clipped",
    "slow": "quadratic, random, a lower learning rate",
    "batchnorm": "quadratic, random, with BatchNorm",
}
"""What is usually done against divergence, and its labels."""
POINT = 0.01


def _stabilizes(m: Mapping[str, float]) -> bool:
    others = [m["conventional"], *(m[key] for key in ALTERNATIVES)]
    is_lowest = all(m["relinear"] <= other for other in others)
    return is_lowest and m["relinear"] <= m["random"] - 0.25 and m["accuracy_relinear"] > 0.8


def _has_inner_optimum(m: Mapping[str, float]) -> bool:
    same = abs(m["gamma_0"] - m["conventional"]) <= 0.005 and m["moved"] <= 0
    return same and m["best"] > m["gamma_0"] and m["best"] > m["gamma_1"]


def _is_more_expressive(m: Mapping[str, float]) -> bool:
    exact = m["mismatches"] <= 0 and m["spline_error"] < 1e-6 and m["xor_error"] < 1e-6
    larger = m["dimension_quadratic"] > m["dimension_activation"] >= m["dimension_conventional"]
    pieces = m["degree_quadratic"] > m["degree_conventional"] and m["pieces_quadratic"] > m["pieces_activation"]
    return exact and larger and pieces and m["rings_quadratic"] >= 0.99 and m["rings_conventional"] < 0.9


PAPER = Paper(
    name="relinear",
    short="ReLinear",
    title="On Expressivity and Trainability of Quadratic Networks",
    year=2021,
    authors=("Feng-Lei Fan", "Mengzhou Li", "Fei Wang", "Rongjie Lai", "Ge Wang"),
    arxiv="2110.06081",
    field="Architectures",
    claims=(
        Claim(
            "expressivity",
            "A quadratic network is more expressive than a conventional one with or without quadratic activation",
            metric="dimension of the functions of two layers; errors of exact constructions; pieces; accuracy",
            paper=dict.fromkeys(
                (
                    "dimension_quadratic",
                    "dimension_activation",
                    "dimension_conventional",
                    "mismatches",
                    "spline_error",
                    "spline_error_conventional",
                    "xor_error",
                    "degree_quadratic",
                    "degree_conventional",
                    "pieces_quadratic",
                    "pieces_activation",
                    "rings_quadratic",
                    "rings_activation",
                    "rings_conventional",
                )
            ),
            labels={
                "dimension_quadratic": "dimension, quadratic network",
                "dimension_activation": "dimension, quadratic activation",
                "dimension_conventional": "dimension, linear layers",
                "mismatches": "dimensions of single neurons that differ from their formula",
                "spline_error": "error of a quadratic network for a quadratic spline",
                "spline_error_conventional": "error of a conventional network with as many neurons",
                "xor_error": "error of one quadratic neuron for XOR",
                "degree_quadratic": "degree of the pieces of a random quadratic ReLU network of three layers",
                "degree_conventional": "degree of the pieces of a conventional one",
                "pieces_quadratic": "pieces of the quadratic ReLU network",
                "pieces_activation": "pieces with quadratic activation instead of ReLU",
                "rings_quadratic": "accuracy of one trained quadratic neuron on two rings",
                "rings_activation": "accuracy of one trained neuron (w·x + b)² + c",
                "rings_conventional": "accuracy of one trained conventional neuron",
            },
            criterion=(
                "a larger dimension than both; all formulas met; spline and XOR exact to 1e-6; pieces of a higher "
                "degree than a conventional network's and more of them than with quadratic activation; one trained "
                "neuron separates rings (0.99), a conventional one does not (0.9)"
            ),
            holds=_is_more_expressive,
            note=(
                "The measure from algebraic geometry is read as the dimension of the set of functions, the generic "
                "rank of the Jacobian in the parameters."
            ),
        ),
        Claim(
            "collapse",
            "Trained by generic backpropagation, a quadratic network has a higher risk of collapse than the "
            "conventional one",
            metric="share of trainings whose loss is not finite or whose accuracy is chance, over depths and rates",
            paper=dict.fromkeys(("random", "conventional", *ALTERNATIVES, "accuracy_random", "accuracy_conventional")),
            labels={
                "random": "quadratic, random",
                "conventional": "conventional",
                **ALTERNATIVES,
                "accuracy_random": "quadratic, random: mean test accuracy",
                "accuracy_conventional": "conventional: mean test accuracy",
            },
            criterion="a share that is higher by at least 0.25",
            holds=lambda m: m["random"] >= m["conventional"] + 0.25,
            note=(
                "Clipping, a lower rate and BatchNorm are measured beside, since generic training may have them, the "
                "first two at the best of as many strengths as ReLinear has. Random weights are those of He et al., as "
                "of the conventional networks. An "
                "accuracy is chance up to a tenth of the way from that of guessing to 1: up to 0.19 of ten classes."
            ),
        ),
        Claim(
            "stabilizes",
            "ReLinear stabilizes the training of a quadratic network",
            metric="share of trainings whose loss is not finite or whose accuracy is chance, over depths and rates",
            paper=dict.fromkeys(
                (
                    "relinear",
                    "relinear_sw",
                    "init_only",
                    "rate_only",
                    "random",
                    "conventional",
                    *ALTERNATIVES,
                    "accuracy_relinear",
                    *(f"accuracy_{key}" for key in ALTERNATIVES),
                )
            ),
            labels={
                "relinear": "ReLinear",
                "relinear_sw": "ReLinear by shrunk weights",
                "init_only": "its initialization alone, gamma = 1",
                "rate_only": "its learning rates alone, random initialization",
                "random": "quadratic, random",
                "conventional": "conventional",
                **ALTERNATIVES,
                "accuracy_relinear": "ReLinear: mean test accuracy",
                "accuracy_clip": "clipped: mean test accuracy",
                "accuracy_slow": "a lower rate: mean test accuracy",
                "accuracy_batchnorm": "with BatchNorm: mean test accuracy",
            },
            criterion=(
                "a share lower by at least 0.25 than at random, and no higher than of conventional networks and of "
                "clipping, a lower rate and BatchNorm; mean accuracy above 0.8"
            ),
            holds=_stabilizes,
            note=(
                "ReLinear, clipping and the lower rate each have the best of as many strengths on held-out data; "
                "BatchNorm has none."
            ),
        ),
        Claim(
            "full-potential",
            "ReLinear unleashes the full potential of quadratic networks in machine learning tasks",
            metric="test accuracy, mean over data sets",
            paper=dict.fromkeys(("relinear", "conventional", "conventional_wide", "activation", "random")),
            labels={
                "relinear": "quadratic, ReLinear",
                "conventional": "conventional, same structure",
                "conventional_wide": "conventional, as many parameters",
                "activation": "quadratic activation, same structure",
                "random": "quadratic, random initialization",
            },
            criterion=(
                "at least the accuracy of the conventional network of the same structure, and above those of quadratic "
                "activation and of random initialization"
            ),
            holds=lambda m: (
                m["relinear"] >= m["conventional"]
                and m["relinear"] > m["activation"]
                and m["relinear"] > m["random"]
                and m["relinear"] > 0.8
            ),
            note=(
                "Each has as many candidate settings on held-out data: learning rates by shares gamma (ReLinear), or "
                "by as many weight decays (all others). The quadratic network and the two conventional ones differ by "
                "less than seeds do, so that the first comparison is a tie: its verdict changed with the grid, which "
                "was refined twice, for all alike, because networks without a remedy had their best at its edge."
            ),
        ),
        Claim(
            "inside-optimum",
            "As quadratic parameters are shrunk less, performance peaks between the conventional and the plain "
            "quadratic network",
            metric="test accuracy by the share gamma of the learning rate that quadratic parameters have",
            paper=dict.fromkeys((*(f"gamma_{key}" for key in GAMMAS), "best", "conventional", "moved")),
            labels={
                **{f"gamma_{key}": f"gamma = {key}" for key in GAMMAS},
                "best": "best gamma between 0 and 1 on held-out data",
                "conventional": "conventional network",
                "moved": "largest change of a quadratic parameter at gamma = 0",
            },
            criterion=(
                "the gamma between 0 and 1 that is best on held-out data is better than both ends; gamma = 0 is the "
                "conventional network to half a point, with quadratic parameters that do not move"
            ),
            holds=_has_inner_optimum,
            note="The learning rate is that chosen for the conventional network.",
        ),
        Claim(
            "from-trained",
            "Begun from a trained conventional network, a quadratic network only gets better",
            metric="cross-entropy of the test data in nats, before and after further training",
            paper=dict.fromkeys(("difference", "before", "after", "after_conventional", "random_start", "gained")),
            labels={
                "difference": "largest change of an output by the conversion",
                "before": "trained conventional network",
                "after": "converted and trained further",
                "after_conventional": "trained further without conversion",
                "random_start": "converted with random quadratic parameters, before training",
                "gained": "training loss: further conventional minus further quadratic",
            },
            criterion="the conversion changes no output by more than 1e-4; no higher loss after further training",
            holds=lambda m: m["difference"] <= 1e-4 and m["after"] <= m["before"] and m["random_start"] > m["before"],
        ),
        Claim(
            "compact",
            "Compact quadratic neurons work with ReLinear at a lower cost",
            metric="ratio of parameters and of operations; share of collapsed trainings; test accuracy",
            paper=dict.fromkeys(
                ("parameters", "operations", "collapse", "accuracy", "accuracy_full", "accuracy_conventional")
            ),
            labels={
                "parameters": "parameters of a layer, by those of full neurons",
                "operations": "multiplications of forward and backward, by those of full neurons",
                "collapse": "compact: share of collapsed trainings",
                "accuracy": "compact: mean test accuracy",
                "accuracy_full": "full: mean test accuracy",
                "accuracy_conventional": "conventional: mean test accuracy",
            },
            criterion=(
                "two thirds of parameters and operations to 0.01, no collapse, and an accuracy at most one point below "
                "that of full neurons"
            ),
            holds=lambda m: (
                abs(m["parameters"] - 2 / 3) <= 0.01
                and abs(m["operations"] - 2 / 3) <= 0.01
                and m["collapse"] <= 0
                and m["accuracy"] >= m["accuracy_full"] - POINT
            ),
        ),
    ),
)
