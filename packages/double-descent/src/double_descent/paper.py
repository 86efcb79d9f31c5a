"""What Liu and Flanigan (2023) claim."""

from collections.abc import Mapping
from itertools import pairwise

from separata import Claim, Paper

PRESENT = 1.2
"""Prominence from which on there is a peak, as in `peaks`."""


def _rises(m: Mapping[str, float], keys: tuple[str, ...]) -> bool:
    """Whether test errors at the threshold rise in this order, and the training losses fall."""
    errors, losses = [m[key] for key in keys], [m[f"loss_{key}"] for key in keys]
    return all(a < b for a, b in pairwise(errors)) and all(a > b for a, b in pairwise(losses))


def _labels(names: Mapping[str, str]) -> dict[str, str]:
    return dict(names) | {f"loss_{key}": f"{name}: training MSE" for key, name in names.items()}


def _unknown(names: Mapping[str, str]) -> dict[str, None]:
    return dict.fromkeys(_labels(names))


OPTIMIZERS = {"sgd": "SGD", "gd": "gradient descent", "momentum": "momentum", "adam": "Adam"}
RATES = {"low": "0.01 / h_max", "medium": "0.1 / h_max", "high": "1 / h_max"}
BATCHES = {"whole": "300, all samples", "batch_32": "batches of 32", "batch_8": "batches of 8"}

PAPER = Paper(
    name="double-descent",
    title="Understanding the Role of Optimization in Double Descent",
    authors=("Chris Yuhao Liu", "Jeffrey Flanigan"),
    year=2023,
    field="Theory of training",
    short="Double descent",
    claims=(
        Claim(
            "low-loss",
            "Double descent is observed if and only if the optimizer finds a minimum of sufficiently low loss",
            metric="prominence of the peak over all settings, by the training MSE that they reach at P = N",
            paper={"rank_correlation": None, "highest_at_high_loss": None, "lowest_at_low_loss": None},
            labels={
                "rank_correlation": "rank correlation of prominence with −log training MSE",
                "highest_at_high_loss": "highest prominence, training MSE above 0.02",
                "lowest_at_low_loss": "lowest prominence, training MSE below 0.005",
            },
            criterion="correlation at least 0.9; no peak (at most 1.2) at high loss; at least 2 at low loss",
            holds=lambda m: (
                m["rank_correlation"] >= 0.9 and m["highest_at_high_loss"] <= PRESENT and m["lowest_at_low_loss"] >= 2
            ),
            note="The prominence is the error of the peak over the larger of those on its two sides; 1 or less is "
            "no peak. The abstract names no loss; 0.02 and 0.005 are of this data set.",
        ),
        Claim(
            "weak-or-absent",
            "The peak is weak or absent in some settings without any explicit regularization",
            metric="prominence of the peak, by steps of gradient descent",
            paper={"steps_1e3": None, "steps_1e4": None, "steps_1e6": None, "infinite": None},
            labels={
                "steps_1e3": "1,000 steps",
                "steps_1e4": "10,000 steps",
                "steps_1e6": "1,000,000 steps",
                "infinite": "least squares",
            },
            criterion="absent (at most 1.2) after 1,000 steps, and higher with each longer run; above 5 in the end",
            holds=lambda m: (
                m["steps_1e3"] <= PRESENT and m["steps_1e3"] < m["steps_1e4"] < m["steps_1e6"] < m["infinite"] > 5
            ),
        ),
        Claim(
            "condition-number",
            "What decides is the condition number of the optimization problem, which peaks where the error does",
            metric="condition number of the features",
            paper={"half": None, "threshold": None, "wide": None, "location": None},
            labels={
                "half": "P = N / 2",
                "threshold": "P = N",
                "wide": "the widest",
                "location": "P / N where it is largest",
            },
            criterion="at P = N at least 10 times both others; largest at P / N from 0.9 to 1.1",
            holds=lambda m: (
                all(m["threshold"] >= 10 * m[key] >= 10 for key in ("half", "wide")) and 0.9 <= m["location"] <= 1.1
            ),
        ),
        Claim(
            "optimizer",
            "The optimization algorithm raises or lowers the peak through the loss that it reaches",
            metric="test MSE and training MSE at P = N after equal steps",
            paper=_unknown(OPTIMIZERS),
            labels=_labels(OPTIMIZERS),
            criterion="Adam above momentum above gradient descent above SGD; training MSE in the opposite order",
            holds=lambda m: _rises(m, ("sgd", "gd", "momentum", "adam")),
        ),
        Claim(
            "learning-rate",
            "The learning rate raises or lowers the peak: the lower it is, the lower the peak after equal steps",
            metric="test MSE and training MSE at P = N after equal steps of gradient descent",
            paper=_unknown(RATES),
            labels=_labels(RATES),
            criterion="test MSE rises with the rate, training MSE falls",
            holds=lambda m: _rises(m, ("low", "medium", "high")),
        ),
        Claim(
            "batch-size",
            "The batch size raises or lowers the peak: smaller batches make more steps in an epoch",
            metric="test MSE and training MSE at P = N after equal epochs of SGD",
            paper=_unknown(BATCHES),
            labels=_labels(BATCHES),
            criterion="test MSE rises as batches get smaller, training MSE falls",
            holds=lambda m: _rises(m, ("whole", "batch_32", "batch_8")),
        ),
        Claim(
            "initialization",
            "The initialization raises or lowers the peak",
            metric="test MSE at P = N, and prominence of the peak, by the standard deviation of the initial weights",
            paper={"zero": None, "std_001": None, "std_01": None, "std_1": None, "prominence_1": None},
            labels={
                "zero": "zero",
                "std_001": "0.01",
                "std_01": "0.1",
                "std_1": "1",
                "prominence_1": "1: prominence of the peak",
            },
            criterion="test MSE rises with the standard deviation; with 1 it only rises with P, which is no peak",
            holds=lambda m: m["zero"] <= m["std_001"] < m["std_01"] < m["std_1"] and m["prominence_1"] <= PRESENT,
        ),
        Claim(
            "normalization",
            "Normalization raises or lowers the peak through the condition number",
            metric="condition number at P = N / 2 and prominence of the peak after equal steps",
            paper=dict.fromkeys(
                (
                    "kappa_raw",
                    "kappa_standardized",
                    "peak_raw",
                    "peak_standardized",
                    "loss_network",
                    "loss_network_batch",
                    "peak_network",
                    "peak_network_batch",
                )
            ),
            labels={
                "kappa_raw": "features: condition number",
                "kappa_standardized": "standardized features: condition number",
                "peak_raw": "features: prominence",
                "peak_standardized": "standardized features: prominence",
                "loss_network": "two-layer network: training MSE at the threshold",
                "loss_network_batch": "with batch normalization: training MSE at the threshold",
                "peak_network": "two-layer network: prominence",
                "peak_network_batch": "with batch normalization: prominence",
            },
            criterion="standardized, a lower condition number and a higher peak; with batch norm., a lower loss "
            "and a higher peak",
            holds=lambda m: (
                m["kappa_standardized"] < m["kappa_raw"]
                and m["peak_standardized"] > m["peak_raw"] > 0
                and m["loss_network_batch"] < m["loss_network"]
                and m["peak_network_batch"] > m["peak_network"] > 0
            ),
        ),
        Claim(
            "two-layer",
            "The same holds for two-layer neural networks",
            metric="prominence of the peak, its number of parameters over N C, training MSE at the threshold",
            paper={"adam": None, "location": None, "sgd": None, "loss_adam": None, "loss_sgd": None},
            labels={
                "adam": "Adam, a long run: prominence",
                "location": "Adam: parameters over N C",
                "sgd": "SGD, a short run: prominence",
                "loss_adam": "Adam: training MSE",
                "loss_sgd": "SGD: training MSE",
            },
            criterion="a peak (above 1.2) between 0.5 and 2 with the lower loss, none (at most 1.2) with the higher",
            holds=lambda m: (
                m["adam"] > PRESENT >= m["sgd"] and 0.5 <= m["location"] <= 2 and m["loss_adam"] < m["loss_sgd"]
            ),
        ),
        Claim(
            "real-world",
            "Double descent is unlikely to be a problem for real-world setups",
            metric="largest rise of the test MSE over a narrower model's, with the steps chosen on validation data",
            paper={"gd": None, "momentum": None, "sgd": None, "adam": None, "unstopped": None},
            labels={
                "gd": "gradient descent",
                "momentum": "momentum",
                "sgd": "SGD",
                "adam": "Adam",
                "unstopped": "least squares, never stopped",
            },
            criterion="at most 0.1 with each; above 1 where nothing stops",
            holds=lambda m: (
                all(0 <= m[name] <= 0.1 for name in ("gd", "momentum", "sgd", "adam")) and m["unstopped"] > 1
            ),
        ),
    ),
)
