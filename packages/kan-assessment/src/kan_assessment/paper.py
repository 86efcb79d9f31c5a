"""What Hou et al. (2024) claim, and the comparison that they rest on."""

from collections.abc import Mapping

from separata import Claim, Paper, Reference

SLOWEST, FASTEST = 100.0, 1.36
"""The overhead that the abstract quotes, in multiples of an MLP's time."""


def _only_symbolic(m: Mapping[str, float]) -> bool:
    return m["symbolic_wins"] >= 2 / 3 and m["other_wins"] <= 0.2 and m["mlp_learned"] >= 0.99


def _underperforms(m: Mapping[str, float]) -> bool:
    budgets = ("params", "flops")
    return (
        all(m[f"{domain}_{by}"] > 1 for domain in ("vision", "text") for by in budgets)
        and all(m[f"tabular_{by}"] > 0 for by in budgets)
        and m["mlp_over_chance"] > 20
    )


def _is_the_spline(m: Mapping[str, float]) -> bool:
    return m["close"] >= 0.5 and m["bspline_mlp"] <= 0.5


def _in_range(m: Mapping[str, float]) -> bool:
    ends = [m["smallest"], m["largest"]]
    return min(ends) >= FASTEST / 1.25 and max(ends) <= SLOWEST * 1.25 and m["largest"] >= 10 * m["smallest"]


PAPER = Paper(
    name="kan-assessment",
    short="KAN assessment",
    title="Kolmogorov-Arnold Networks: A Critical Assessment of Claims, Performance, and Practical Viability",
    year=2024,
    authors=("Yuntian Hou", "Tianrui Ji", "Di Zhang", "Angelos Stefanidis"),
    arxiv="2407.11075",
    field="Kolmogorov-Arnold networks",
    others=(
        Reference(
            "KANbeFair",
            "KAN or MLP: A Fairer Comparison",
            2024,
            authors=("Runpeng Yu", "Weihao Yu", "Xinchao Wang"),
            arxiv="2407.16674",
        ),
    ),
    claims=(
        Claim(
            "symbolic-only",
            "KANs outperform MLPs only in symbolic regression",
            metric="share of tasks on which the B-spline KAN wins at equal parameters",
            paper={"symbolic_wins": None, "other_wins": None, "mlp_learned": None},
            labels={
                "symbolic_wins": "functions on which the KAN has over 5 % less error",
                "other_wins": "other tasks on which the KAN is better by over 0.5 points, or 5 % of the error",
                "mlp_learned": "functions on which the MLP has under 30 % of the error of a constant (control)",
            },
            criterion="at least two thirds of the functions, at most a fifth of the others; the MLP learns them all",
            holds=_only_symbolic,
        ),
        Claim(
            "underperforms",
            "KANs consistently underperform MLPs in machine learning, vision and language benchmarks at matched cost",
            metric="accuracy of the MLP minus that of the B-spline KAN, in points",
            paper=dict.fromkeys(
                (
                    "tabular_params",
                    "vision_params",
                    "text_params",
                    "tabular_flops",
                    "vision_flops",
                    "text_flops",
                    "tabular_shared",
                    "vision_shared",
                    "text_shared",
                    "mlp_over_chance",
                )
            ),
            labels={
                **{f"{domain}_params": f"{domain}, equal parameters" for domain in ("tabular", "vision", "text")},
                **{f"{domain}_flops": f"{domain}, equal FLOPs" for domain in ("tabular", "vision", "text")},
                **{
                    f"{domain}_shared": f"{domain}, equal FLOPs with shared bases"
                    for domain in ("tabular", "vision", "text")
                },
                "mlp_over_chance": "MLP over the most frequent class (control)",
            },
            criterion=(
                "above 1 point in vision and text and above 0 in tables, at equal parameters and at equal FLOPs; the "
                "MLP over 20 points above the most frequent class"
            ),
            holds=_underperforms,
            note=(
                "Equal FLOPs are those of the published formula, which evaluates every spline on its own; with each "
                "basis evaluated once per input, as implementations do, a KAN may be larger: those rows do not decide. "
                "KANbeFair's published sweeps give 97.56 % (MLP) and 94.03 % (KAN) on all of MNIST within 60,000 "
                "parameters, and mixed results on tables."
            ),
        ),
        Claim(
            "spline-not-architecture",
            "The advantages largely stem from B-spline activations rather than from the architecture",
            metric="error on functions relative to the MLP's, geometric mean, at equal parameters",
            paper={"bspline_kan": None, "bspline_mlp": None, "close": None},
            labels={
                "bspline_kan": "B-spline KAN",
                "bspline_mlp": "MLP with B-spline activations",
                "close": "share of functions on which that MLP has at most 1.5 times the KAN's error",
            },
            criterion="at most 1.5 times the KAN's error on half of the functions or more; at most half of the MLP's",
            holds=_is_the_spline,
        ),
        Claim(
            "overhead",
            "KANs are 1.36 to 100 times slower",
            metric="time of a training step relative to an MLP's",
            paper={
                "smallest": FASTEST,
                "largest": SLOWEST,
                "efficient": None,
                "per_edge": None,
                "rbf": None,
                "equal_params": None,
                "inference_smallest": None,
                "inference_largest": None,
            },
            labels={
                "smallest": "smallest ratio of all",
                "largest": "largest ratio of all",
                "efficient": "B-spline KAN, one basis per input, equal widths",
                "per_edge": "B-spline KAN, edge by edge, equal widths",
                "rbf": "RBF KAN, equal widths",
                "equal_params": "B-spline KAN, one basis per input, equal parameters",
                "inference_smallest": "smallest ratio in inference",
                "inference_largest": "largest ratio in inference",
            },
            criterion=(
                "all ratios between 1.36 and 100, within a quarter, and the largest at least 10 times the smallest; "
                "direction: all ratios above 1"
            ),
            holds=_in_range,
            direction=lambda m: m["smallest"] > 1 and m["largest"] > 1,
            note="The abstract does not say whether training or inference is meant; training steps decide.",
        ),
        Claim(
            "dimensionality",
            "Claims that KANs break the curse of dimensionality lack a rigorous foundation",
            metric="exponent alpha of the test error in the number of parameters, error ~ parameters^-alpha",
            paper=dict.fromkeys(
                (
                    "kan_generic_low",
                    "kan_generic_high",
                    "mlp_generic_low",
                    "mlp_generic_high",
                    "kan_composed_low",
                    "kan_composed_high",
                )
            ),
            labels={
                "kan_generic_low": "KAN, generic target, lowest dimension",
                "kan_generic_high": "KAN, generic target, highest dimension",
                "mlp_generic_low": "MLP, generic target, lowest dimension",
                "mlp_generic_high": "MLP, generic target, highest dimension",
                "kan_composed_low": "KAN, compositional target, lowest dimension",
                "kan_composed_high": "KAN, compositional target, highest dimension",
            },
            criterion=(
                "on generic targets the KAN's exponent in the highest dimension is at most half of that in the lowest, "
                "which is above 0.2"
            ),
            holds=lambda m: m["kan_generic_low"] > 0.2 and m["kan_generic_high"] <= m["kan_generic_low"] / 2,
            note="A missing proof cannot be measured; what is measured is whether the curse is there.",
        ),
        Claim(
            "conditions",
            "There are conditions, which can be named, under which KANs provide value",
            metric="share of tasks for which the better model is named correctly",
            paper={"rule": None, "always_mlp": None, "always_kan": None},
            labels={
                "rule": "a rule of one condition, fitted to the other tasks",
                "always_mlp": "always the MLP",
                "always_kan": "always the KAN",
            },
            criterion="the rule is right on at least 0.7 of the tasks left out, and more often than either constant",
            holds=lambda m: m["rule"] >= 0.7 and m["rule"] > m["always_mlp"] and m["rule"] > m["always_kan"],
        ),
        Claim(
            "ranking",
            "Kinds of KANs can be ranked under one standard of evaluation",
            metric="mean rank at equal parameters, 1 is best; agreement of a seed's ranks with the others'",
            paper=dict.fromkeys(("mlp", "bspline_kan", "af_kan", "s_kan", "agreement")),
            labels={
                "mlp": "MLP",
                "bspline_kan": "B-spline KAN",
                "af_kan": "AF-KAN",
                "s_kan": "S-KAN",
                "agreement": "rank correlation of a seed with the other seeds",
            },
            criterion="a mean rank correlation of at least 0.5 between seeds",
            holds=lambda m: m["agreement"] >= 0.5,
            note="The abstract asks for evaluation standards; that this one separates models is our reading of it.",
        ),
    ),
)
