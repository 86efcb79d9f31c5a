"""What Lu et al. (2019) claim."""

from collections.abc import Mapping

from separata import Claim, Paper

MSE = "mean squared error on unseen functions"
CLEARLY = 1 / 3
"""A significant reduction: to at most this share."""
LEARNED = 0.1
"""What has learned something has at most this share of the error of what cannot have."""
NEARLY = 1.05
"""No worse, within the spread of a few seeds."""


def _within(value: float, expected: float, share: float) -> bool:
    return abs(value / expected - 1) <= share


def _generalizes(m: Mapping[str, float]) -> bool:
    return (
        m["deeponet_test"] <= CLEARLY * m["fnn_test"]
        and m["deeponet_gap"] <= CLEARLY * m["fnn_gap"]
        and m["deeponet_test"] <= LEARNED * m["shuffled_test"]
    )


def _best_is_unstacked_with_bias(m: Mapping[str, float]) -> bool:
    others = ("unstacked", "stacked_bias", "stacked")
    return (
        all(m["unstacked_bias"] <= NEARLY * m[other] for other in others)
        and m["unstacked_gap"] < m["stacked_gap"]
        and m["unstacked_bias"] <= LEARNED * m["mean"]
    )


PAPER = Paper(
    name="deeponet",
    short="DeepONet",
    title=(
        "Learning nonlinear operators for identifying differential equations based on the universal approximation "
        "theorem of operators"
    ),
    year=2019,
    authors=("Lu Lu", "Pengzhan Jin", "George Em Karniadakis"),
    arxiv="1910.03193",
    field="Operator learning",
    claims=(
        Claim(
            "ode-and-pde",
            "It learns the operators of dynamic systems and partial differential equations accurately, from a "
            "relatively small data set",
            metric="relative L2 error on unseen functions",
            paper={"antiderivative": None, "pendulum": None, "diffusion_reaction": None, "shuffled": None},
            labels={
                "diffusion_reaction": "diffusion-reaction",
                "shuffled": "antiderivative, with the values of other functions (control)",
            },
            criterion=(
                "below 3 % (antiderivative), 5 % (pendulum) and 10 % (diffusion-reaction); the control above 30 %"
            ),
            holds=lambda m: (
                m["antiderivative"] < 0.03
                and m["pendulum"] < 0.05
                and m["diffusion_reaction"] < 0.1
                and m["shuffled"] > 0.3
            ),
        ),
        Claim(
            "gap-vs-fnn",
            "It significantly reduces the generalization error compared with fully connected networks",
            metric=f"{MSE} of the antiderivative, and its difference from that on the training data",
            paper=dict.fromkeys(("deeponet_test", "fnn_test", "deeponet_gap", "fnn_gap", "shuffled_test")),
            labels={
                "deeponet_test": "DeepONet",
                "fnn_test": "best fully connected network",
                "deeponet_gap": "DeepONet, generalization gap",
                "fnn_gap": "best fully connected network, generalization gap",
                "shuffled_test": "DeepONet, trained on the values of other functions (control)",
            },
            criterion="error and gap at most a third of the best network's; error at most a tenth of the control's",
            holds=_generalizes,
        ),
        Claim(
            "sensors",
            "The approximation error depends on the number of sensors as derived, which computations verify",
            metric="log-log slope of the error of G(u_m) in the number m of sensors; mean squared error of networks",
            paper={"slope": -2.0, "mse_few": None, "mse_many": None},
            labels={
                "slope": "slope, of the antiderivative of the interpolated input",
                "mse_few": "network with 5 sensors",
                "mse_many": "network with 50 sensors",
            },
            criterion="slope of -2 within 0.3; the error with 5 sensors more than 5 times that with 50",
            holds=lambda m: abs(m["slope"] + 2) <= 0.3 and m["mse_few"] > 5 * m["mse_many"],
            note="The slope is that of the theory, 1/(m² l²) for Gaussian fields, measured without a network.",
        ),
        Claim(
            "input-type",
            "The approximation error depends on the type of the input functions as derived",
            metric="ratios of interpolation errors of Gaussian fields; mean squared error of networks",
            paper={"ratio_2": 4.0, "ratio_5": 6.25, "mse_01": None, "mse_02": None, "mse_05": None},
            labels={
                "ratio_2": "correlation length 0.1 to 0.2",
                "ratio_5": "correlation length 0.2 to 0.5",
                "mse_01": "network, correlation length 0.1",
                "mse_02": "network, correlation length 0.2",
                "mse_05": "network, correlation length 0.5",
            },
            criterion=(
                "ratios of 4 and 6.25, the inverse squares of the correlation lengths, within 30 %; networks have "
                "larger errors on shorter lengths"
            ),
            holds=lambda m: (
                _within(m["ratio_2"], 4, 0.3)
                and _within(m["ratio_5"], 6.25, 0.3)
                and m["mse_01"] > m["mse_02"] > m["mse_05"]
            ),
            note="The ratios are those of the theory, 1/(m² l²) for Gaussian fields, measured without a network.",
        ),
        Claim(
            "poly-rate",
            "The error converges polynomially in the size of the training set, at rates from half to fourth order",
            metric="minus the log-log slope of the mean squared error in the number of training rows",
            paper={"order": None, "order_shuffled": None},
            labels={"order": "DeepONet", "order_shuffled": "with the values of other functions (control)"},
            criterion="order of at least 0.5, and 0.25 more than the control's",
            holds=lambda m: m["order"] >= 0.5 and m["order"] >= m["order_shuffled"] + 0.25,
            note="Of the antiderivative.",
        ),
        Claim(
            "exp-rate",
            "The error even converges exponentially in the size of the training set, while that is small",
            metric="r² of straight lines through the logarithm of the error; mean squared errors",
            paper=dict.fromkeys(("r2_exponential", "r2_polynomial", "mse_first", "mse_last")),
            labels={
                "r2_exponential": "line in the number of rows (exponential)",
                "r2_polynomial": "line in its logarithm (polynomial)",
                "mse_first": "error with the fewest rows",
                "mse_last": "error with the most rows",
            },
            criterion="the exponential fits better; the last error at most a fifth of the first",
            holds=lambda m: m["r2_exponential"] > m["r2_polynomial"] and m["mse_last"] <= m["mse_first"] / 5,
            note="Of the antiderivative.",
        ),
        Claim(
            "unstacked-bias",
            "Unstacked networks with a bias have the smallest test error, and a smaller generalization gap than "
            "stacked ones",
            metric=f"{MSE} of the antiderivative, and its difference from that on the training data",
            paper=dict.fromkeys(
                ("unstacked_bias", "unstacked", "stacked_bias", "stacked", "unstacked_gap", "stacked_gap", "mean")
            ),
            labels={
                "unstacked_bias": "unstacked, with bias",
                "unstacked": "unstacked, without",
                "stacked_bias": "stacked, with bias",
                "stacked": "stacked, without",
                "unstacked_gap": "generalization gap, unstacked with bias",
                "stacked_gap": "generalization gap, stacked with bias",
                "mean": "the mean of the training values (control)",
            },
            criterion=(
                "error of the unstacked network with bias at most 1.05 of each other's, and a tenth of the control's; "
                "its gap smaller than that of the stacked one"
            ),
            holds=_best_is_unstacked_with_bias,
            note="Said in the paper's text, not in its abstract.",
        ),
    ),
)
