"""What Ta et al. (2025) claim."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from separata import Claim, Paper

ACCURACY = "test accuracy"
LARGER = ("relu_kan", "bspline_kan")
"""With the same structure, larger than AF-KAN."""
KANS = ("relu_kan", "bspline_kan", "rbf_kan", "faster_kan", "bsrbf_kan", "chebyshev_kan")
LABELS = {
    "af_kan": "AF-KAN",
    "mlp": "MLP",
    "mlp_final": "MLP with SiLU on the logits, as in the authors' code",
    "relu_kan": "ReLU-KAN",
    "bspline_kan": "B-spline KAN",
    "rbf_kan": "RBF KAN (FastKAN)",
    "faster_kan": "FasterKAN",
    "bsrbf_kan": "BSRBF-KAN",
    "chebyshev_kan": "Chebyshev KAN",
    "shuffled": "AF-KAN on shuffled labels (control)",
}
MARGIN = 0.01
"""Accuracy by which AF-KAN must be ahead of a network with as many parameters to outperform it significantly, and by
which the best configuration may be behind the best of an axis."""
MLPS = ("mlp", "mlp_final")
COMPETITIVE = 0.01
"""Accuracy by which a competitive network may stay behind a larger one."""
ALIKE = 0.015
"""Accuracy within which reductions are equally good."""
LEAST_RATIO, MOST_RATIO = 6.0, 9.8
"""Of the parameters of larger networks to AF-KAN's, in 6 to 10 after rounding."""
CHANCE = 0.3
"""Accuracy that no network reaches by chance, and every one that has learned does."""
SMOOTH = ("silu", "gelu", "elu")
AXES: tuple[Literal["activation", "combination", "grid", "order"], ...] = ("activation", "combination", "grid", "order")
REDUCTIONS = ("global_attn", "multistep", "spatial_attn")


def _labels(*keys: str) -> dict[str, str]:
    return {key: LABELS[key] for key in keys}


def _is_ahead(others: Sequence[str], margin: float = 0.0) -> Callable[[Mapping[str, float]], bool]:
    """Whether AF-KAN is ahead of all of them by more than a margin, and has learned nothing from shuffled labels."""
    return lambda m: all(m["af_kan"] - m[other] > margin for other in others) and m["shuffled"] < CHANCE


def _is_competitive(m: Mapping[str, float]) -> bool:
    return (
        all(m["af_kan"] >= m[other] - COMPETITIVE for other in LARGER)
        and all(m[f"ratio_{other}"] > 1 for other in LARGER)
        and all(m[other] > CHANCE for other in LARGER)
    )


def _is_as_small(m: Mapping[str, float]) -> bool:
    return all(LEAST_RATIO <= m[f"ratio_{other}"] <= MOST_RATIO for other in LARGER)


def _is_best_configuration(m: Mapping[str, float]) -> bool:
    return all(m["default"] >= m[f"best_{axis}"] - MARGIN for axis in AXES) and m["default"] > m["no_norm"] + MARGIN


def _keeps_accuracy(m: Mapping[str, float]) -> bool:
    found = [m[name] for name in REDUCTIONS]
    return (
        all(abs(one - other) <= ALIKE for one in found for other in found)
        and all(one >= m["unreduced"] - ALIKE for one in found)
        and m["ratio"] < 1
    )


PAPER = Paper(
    name="af-kan",
    short="AF-KAN",
    title=("AF-KAN: Activation Function-Based Kolmogorov-Arnold Networks for Efficient Representation Learning"),
    year=2025,
    authors=("Hoang-Thang Ta", "Anh Tran"),
    arxiv="2503.06112",
    field="Kolmogorov-Arnold networks",
    claims=(
        Claim(
            "outperforms-mlp",
            "It significantly outperforms an MLP with as many parameters",
            metric=f"{ACCURACY} of a network with one hidden layer of 64 units, MNIST",
            paper=dict.fromkeys(("af_kan", *MLPS, "shuffled")),
            labels=_labels("af_kan", *MLPS, "shuffled"),
            criterion="more than 0.01 above both MLPs; the control below 0.3; direction: above both",
            holds=_is_ahead(MLPS, MARGIN),
            direction=_is_ahead(MLPS),
            note="All three have the same widths, and 52,512 or 52,552 parameters.",
        ),
        Claim(
            "outperforms-kans",
            "It significantly outperforms ReLU-KAN and other Kolmogorov-Arnold networks with as many parameters",
            metric=f"{ACCURACY}, MNIST; hidden layers of the others as wide as AF-KAN's parameters allow",
            paper=dict.fromkeys(("af_kan", *KANS, "shuffled")),
            labels=_labels("af_kan", *KANS, "shuffled"),
            criterion="more than 0.01 above all of them; the control below 0.3; direction: above all of them",
            holds=_is_ahead(KANS, MARGIN),
            direction=_is_ahead(KANS),
        ),
        Claim(
            "fewer-parameters",
            "It is competitive with networks of the same structure that have 6 to 10 times its parameters",
            metric=f"{ACCURACY} of networks with one hidden layer of 64 units, MNIST; ratios of parameters to AF-KAN's",
            paper=dict.fromkeys(("af_kan", *LARGER, *(f"ratio_{other}" for other in LARGER))),
            labels=_labels("af_kan", *LARGER)
            | {
                "ratio_relu_kan": "parameters of ReLU-KAN, relative",
                "ratio_bspline_kan": "parameters of the B-spline KAN, relative",
            },
            criterion=(
                "at most 0.01 below both, with ratios from 6.0 to 9.8; direction: at most 0.01 below both, which are "
                "larger"
            ),
            holds=lambda m: _is_competitive(m) and _is_as_small(m),
            direction=_is_competitive,
        ),
        Claim(
            "cost",
            "It trains longer and takes more floating-point operations than an MLP of the same structure",
            metric="time of a training step and FLOP of a forward pass, relative to an MLP's; 784-64-10, batches of 64",
            paper=dict.fromkeys(("time", "flops")),
            labels={"time": "time of a step, relative", "flops": "FLOP of a forward pass, relative"},
            criterion="both above 1",
            holds=lambda m: m["time"] > 1 and m["flops"] > 1,
            note=(
                "FLOP are counted by the definition of the layer, one for each elementary function. The time is that "
                "of the fused layer; both networks take turns."
            ),
        ),
        Claim(
            "best-configuration",
            "An ablation over activation functions, function combinations, grid sizes and spline orders finds its best "
            "configuration",
            metric=f"{ACCURACY}, scikit-learn's digits; of each axis the best value on validation data",
            paper=dict.fromkeys(("default", *(f"best_{axis}" for axis in AXES), "no_norm")),
            labels={
                "default": "SiLU, quad1, g = k = 3, layer normalization, global attention",
                "best_activation": "with the best activation",
                "best_combination": "with the best combination",
                "best_grid": "with the best grid size",
                "best_order": "with the best order",
                "no_norm": "without normalization",
            },
            criterion="at most 0.01 below the best of each axis, and more than 0.01 above no normalization",
            holds=_is_best_configuration,
            note="The configuration is that of the authors' code, for MNIST and Fashion-MNIST.",
        ),
        Claim(
            "negative-values",
            "Activation functions that keep negative values are better than ReLU in it",
            metric=f"{ACCURACY}, scikit-learn's digits",
            paper=dict.fromkeys((*SMOOTH, "relu")),
            labels={"silu": "SiLU", "gelu": "GELU", "elu": "ELU", "relu": "ReLU"},
            criterion="the mean of SiLU, GELU and ELU above ReLU",
            holds=lambda m: sum(m[name] for name in SMOOTH) / len(SMOOTH) > m["relu"],
        ),
        Claim(
            "reduction",
            "Attention and normalization reduce its parameters without a loss of accuracy",
            metric=(
                f"{ACCURACY}, scikit-learn's digits, by how the basis functions of a coordinate become one number; "
                "parameters of global attention relative to those without a reduction"
            ),
            paper=dict.fromkeys((*REDUCTIONS, "unreduced", "ratio")),
            labels={
                "global_attn": "global attention",
                "multistep": "multistep",
                "spatial_attn": "spatial attention",
                "unreduced": "no reduction: a weight for each function (ReLU-KAN)",
                "ratio": "parameters with global attention, relative to no reduction",
            },
            criterion="all within 0.015 of each other and at most 0.015 below no reduction, with fewer parameters",
            holds=_keeps_accuracy,
        ),
    ),
)
