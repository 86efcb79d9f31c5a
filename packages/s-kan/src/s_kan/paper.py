"""What Yang et al. (2024) claim."""

from collections.abc import Mapping

from separata import Claim, Paper

FAMILIES = ("bspline", "rbf", "chebyshev", "fourier", "wavelet")
"""The families of the pool, each of which is a baseline by itself."""
NAMES = {
    "bspline": "B-spline KAN",
    "rbf": "radial basis KAN",
    "chebyshev": "Chebyshev KAN",
    "fourier": "Fourier KAN",
    "wavelet": "wavelet KAN",
}
POINT = 0.005
"""Half a point of accuracy."""


def _outperforms(m: Mapping[str, float]) -> bool:
    return (
        m["rank_skan"] <= 2.5 and all(m["rank_skan"] < m[f"rank_{name}"] for name in FAMILIES) and m["worst_ratio"] <= 2
    )


def _leads_on_images(m: Mapping[str, float]) -> bool:
    return m["margin_fixed"] >= 0 and m["margin_cnn"] >= -POINT and m["skan"] > 0.5


PAPER = Paper(
    name="s-kan",
    short="S-KAN",
    title="Activation Space Selectable Kolmogorov-Arnold Networks",
    year=2024,
    authors=("Zhuoqin Yang", "Jiansong Zhang", "Xiaoling Luo", "Zheng Lu", "Linlin Shen"),
    arxiv="2408.08338",
    field="Kolmogorov-Arnold networks",
    claims=(
        Claim(
            "outperforms",
            "It outperforms baseline methods in seven representative function fitting tasks",
            metric="mean rank of the test RMSE among six networks, over the seven functions; largest ratio of RMSEs",
            paper={
                "rank_skan": None,
                **{f"rank_{name}": None for name in FAMILIES},
                "worst_ratio": None,
                "rank_skan_equal_total": None,
                "rank_skan_successive": None,
            },
            labels={
                "rank_skan": "S-KAN",
                **{f"rank_{name}": NAMES[name] for name in FAMILIES},
                "worst_ratio": "S-KAN's RMSE by that of the best family, on its worst function",
                "rank_skan_equal_total": "S-KAN in its place with as many epochs in all stages together",
                "rank_skan_successive": "S-KAN in its place with the strategy successive",
            },
            criterion=(
                "mean rank at most 2.5 and the lowest of the six; on no function more than twice the RMSE of the best "
                "family"
            ),
            holds=_outperforms,
            note=(
                "Every network has the same size at the end, and as many epochs as S-KAN after pruning. The "
                "paper's own seven functions are not known to us."
            ),
        ),
        Claim(
            "surpasses-mlp",
            "It significantly surpasses multilayer perceptrons at the same level of parameters",
            metric="functions of seven with a lower test RMSE; geometric mean of the ratios of RMSEs",
            paper=dict.fromkeys(("wins", "ratio", "wins_unpruned", "ratio_unpruned")),
            labels={
                "wins": "lower RMSE than an MLP of the pruned size, functions of 7",
                "ratio": "RMSE by that of an MLP of the pruned size",
                "wins_unpruned": "lower RMSE than an MLP of the unpruned size, functions of 7",
                "ratio_unpruned": "RMSE by that of an MLP of the unpruned size",
            },
            criterion=(
                "lower on at least 6 functions and at most half the RMSE against the pruned size; lower in the mean "
                "against the unpruned size, too"
            ),
            holds=lambda m: m["wins"] >= 6 and m["ratio"] <= 0.5 and m["ratio_unpruned"] < 1,
            note="Perceptrons have two hidden layers and SiLU, and as many learning rates to choose from.",
        ),
        Claim(
            "single-space",
            "A single activation space limits a network: how well it does depends on the task",
            metric="families that are best or worst somewhere; functions on which they differ threefold",
            paper={"extreme": None, "spread": None, "largest_spread": None},
            labels={
                "extreme": "families that are the best or the worst of five on some function",
                "spread": "functions of 7 with a threefold difference between families",
                "largest_spread": "largest RMSE by smallest, on the function where they differ most",
            },
            criterion="all 5 families are best or worst somewhere; a threefold difference on at least 3 functions",
            holds=lambda m: m["extreme"] >= 5 and m["spread"] >= 3,
        ),
        Claim(
            "images",
            "S-ConvKAN leads on general image classification data sets",
            metric="test accuracy, mean over data sets; smallest margin over them",
            paper=dict.fromkeys(("skan", "fixed", "best_fixed", "cnn", "margin_fixed", "margin_cnn")),
            labels={
                "skan": "S-ConvKAN",
                "fixed": "ConvKANs of one family, mean of five",
                "best_fixed": "best ConvKAN of one family on each data set",
                "cnn": "CNN of the same size",
                "margin_fixed": "smallest lead over the mean of the ConvKANs",
                "margin_cnn": "smallest lead over the CNN",
            },
            criterion=(
                "on every data set at least the mean of the ConvKANs, and at most half a point below the CNN; above 0.5"
            ),
            holds=_leads_on_images,
            note="Two small data sets at quick, four at gpu and paper.",
        ),
        Claim(
            "variability",
            "It mitigates the variability of performance across tasks",
            metric="regret: log10 of the test RMSE by the best of the six networks, on the worst of seven functions",
            paper={"skan": None, **dict.fromkeys(FAMILIES)},
            labels={"skan": "S-KAN", **NAMES},
            criterion="a smaller largest regret than every family",
            holds=lambda m: all(m["skan"] < m[name] for name in FAMILIES),
        ),
        Claim(
            "matches-mlp",
            "Feedforward KANs with a selectable space match or exceed methods based on MLPs",
            metric="test accuracy on images of digits; geometric mean of the ratios of RMSEs on seven functions",
            paper=dict.fromkeys(("skan", "mlp", "ratio")),
            labels={
                "skan": "S-KAN, accuracy",
                "mlp": "MLP of the pruned size, accuracy",
                "ratio": "S-KAN's RMSE by that of the MLP",
            },
            criterion="at most half a point less accurate, and not a larger RMSE in the mean",
            holds=lambda m: m["skan"] >= m["mlp"] - POINT and m["ratio"] <= 1,
        ),
    ),
)
