"""What Kao and Hariharan (2024) claim."""

from collections.abc import Mapping

from separata import Claim, Paper

ACCURACY = "test accuracy"
COMPARED = ("fa", "dfa", "drtp", "fw_dtp")
"""The biologically plausible rules beside counter-current learning."""
LABELS = {
    "ccl": "counter-current learning",
    "bp": "back-propagation",
    "fa": "feedback alignment",
    "dfa": "direct feedback alignment",
    "drtp": "direct random target projection",
    "fw_dtp": "fixed-weight difference target propagation",
    "dtp": "difference target propagation",
    "output_only": "output layer alone on random features (control)",
}
COMPARABLE = 0.01
"""Accuracy by which a comparable rule may stay behind the best of the others."""
NEAR_BP = 0.025
NEAR_BP_CNN = 0.06
BP_MFLOP, CCL_MFLOP = 2.391, 2.552


def _labels(*keys: str) -> dict[str, str]:
    return {key: LABELS[key] for key in keys}


def _is_comparable(m: Mapping[str, float]) -> bool:
    return (
        all(m["ccl"] >= m[rule] - COMPARABLE for rule in COMPARED)
        and m["ccl"] > m["drtp"]
        and m["ccl"] >= m["bp"] - NEAR_BP
        and m["ccl"] > m["output_only"] + COMPARABLE
    )


def _is_cheaper(m: Mapping[str, float]) -> bool:
    return m["ccl"] < m["fw_dtp"] and m["ccl"] < m["dtp"]


def _costs_as_published(m: Mapping[str, float]) -> bool:
    return abs(m["bp"] / BP_MFLOP - 1) < 0.005 and abs(m["ccl"] / CCL_MFLOP - 1) < 0.005 and _is_cheaper(m)


PAPER = Paper(
    name="counter-current",
    short="CCL",
    title="Counter-Current Learning: A Biologically Plausible Dual Network Approach for Deep Learning",
    year=2024,
    authors=("Chia-Hsiang Kao", "Bharath Hariharan"),
    venue="NeurIPS",
    arxiv="2409.19841",
    field="Biologically plausible learning",
    claims=(
        Claim(
            "local-updates",
            "It has no weight transport and no error from the layers above: each weight learns from one local loss",
            metric=(
                "largest relative change of a layer's gradient when the forward weights of all layers above it are "
                "drawn anew"
            ),
            paper={"ccl": 0.0, "bp": None},
            labels=_labels("ccl", "bp"),
            criterion="exactly 0, and above 0.1 with back-propagation",
            holds=lambda m: m["ccl"] == 0 and m["bp"] > 0.1,
            note=(
                "Two forward networks share the weights up to a layer, and the feedback network. The layers still "
                "wait for each other's activations: backward locking is removed only partly, as the paper says. What "
                "is compared is the gradient before clipping, which in the published settings divides the gradients "
                "of all layers by their joint norm."
            ),
        ),
        Claim(
            "comparable-mlp",
            "Perceptrons perform comparably to those of other biologically plausible algorithms",
            metric=f"{ACCURACY}, perceptron with five hidden layers on MNIST",
            paper={
                "ccl": 0.9813,
                "bp": 0.9819,
                "fa": 0.9696,
                "dfa": 0.9727,
                "drtp": 0.9216,
                "fw_dtp": 0.9720,
                "output_only": None,
            },
            labels=_labels("ccl", "bp", *COMPARED, "output_only"),
            criterion=(
                "at most 0.01 below the best of feedback alignment, DFA, DRTP and FW-DTP, above DRTP, at most 0.025 "
                "below back-propagation, and more than 0.01 above the control"
            ),
            holds=_is_comparable,
            note="The paper's numbers are those of all of MNIST; preset quick has 5,000 of its images.",
        ),
        Claim(
            "cnn",
            "Convolutional networks perform comparably, too",
            metric=f"{ACCURACY}, convolutional network",
            paper=dict.fromkeys(("ccl", "bp", "output_only")),
            labels=_labels("ccl", "bp", "output_only"),
            criterion=(
                "at least 0.85 on MNIST, at most 0.06 below back-propagation, and more than 0.01 above the control"
            ),
            holds=lambda m: (
                m["ccl"] >= 0.85 and m["ccl"] >= m["bp"] - NEAR_BP_CNN and m["ccl"] > m["output_only"] + COMPARABLE
            ),
            note=(
                "In the paper, 0.829 beside 0.871 of back-propagation on CIFAR-10, and 0.563 beside 0.519 on "
                "CIFAR-100. Back-propagation has batch normalization, as in the published code."
            ),
        ),
        Claim(
            "training-cost",
            "A training step costs nearly what back-propagation's does, and less than target propagation's",
            metric="MFLOP of a training step for each sample, perceptron for MNIST, batches of 32",
            paper={"ccl": 2.55, "bp": 2.39, "fw_dtp": 18.06, "dtp": 48.69},
            labels=_labels("ccl", "bp", "fw_dtp", "dtp"),
            criterion=(
                "2.552 and 2.391 for back-propagation within 0.5 %, below both forms of target propagation; "
                "direction: at most 1.1 of back-propagation's, below both"
            ),
            holds=_costs_as_published,
            direction=lambda m: m["ccl"] <= 1.1 * m["bp"] and _is_cheaper(m),
            note=(
                "Counted matrix products. The paper's counts for target propagation are those of the published code "
                "of FW-DTP, within 0.2 %: it also multiplies by identity matrices, repeats the forward pass, sends "
                "each layer's loss back through all layers below, and trains DTP's feedback five times for each step. "
                "Here, each feedback layer is evaluated twice, and trained once by DTP, as the equations ask; what is "
                "left of the difference is small."
            ),
        ),
        Claim(
            "autoencoder",
            "It trains an autoencoder",
            metric="mean squared error of test images",
            paper=dict.fromkeys(("ccl", "bp", "mean", "output_only")),
            labels=_labels("ccl", "bp", "output_only") | {"mean": "mean of the training images (control)"},
            criterion="below 0.6 of the error of the mean image, and below that of the output layer alone",
            holds=lambda m: m["ccl"] < 0.6 * m["mean"] and m["ccl"] < m["output_only"],
            note="In the paper, 0.0086 beside 0.0059 of back-propagation on STL-10.",
        ),
        Claim(
            "alignment",
            "The top of the forward network and the bottom of the feedback network align during training",
            metric=(
                "mean linear CKA of the three hidden layers next to the labels in one direction with those in the "
                "other, after 160 steps"
            ),
            paper=dict.fromkeys(("before", "after", "bp_after", "mlp_before", "mlp_after", "mlp_bp_after")),
            labels={
                "before": "convolutional network, before training",
                "after": "convolutional network, after counter-current learning",
                "bp_after": "convolutional network, after back-propagation, feedback as it began (control)",
                "mlp_before": "perceptron, before training",
                "mlp_after": "perceptron, after counter-current learning",
                "mlp_bp_after": "perceptron, after back-propagation, feedback as it began (control)",
            },
            criterion="in the convolutional network up by at least 0.2, and above that after back-propagation",
            holds=lambda m: m["after"] - m["before"] >= 0.2 and m["after"] > m["bp_after"],
            note=(
                "The paper shows a convolutional network. Class signals are the same for all samples of a class, so "
                "that any rule that brings the samples of a class together raises the alignment, even with a feedback "
                "network that has never been trained."
            ),
        ),
        Claim(
            "trained-feedback",
            "The two networks enhance each other: a trained feedback network is better than one that stays as it began",
            metric=f"{ACCURACY} by forward learning rate, with the feedback's rate 0 (frozen) or 0.4 (trained)",
            paper={
                "frozen_low": 0.9719,
                "frozen_middle": None,
                "frozen_high": None,
                "trained_low": None,
                "trained_middle": None,
                "trained_high": 0.9815,
            },
            labels={
                f"{feedback}_{rate}": f"{feedback} feedback, rate {value:g}"
                for feedback in ("frozen", "trained")
                for rate, value in (("low", 0.2), ("middle", 0.4), ("high", 0.8))
            },
            criterion="at the largest rate more accurate than frozen; frozen above 0.8 at its best rate",
            holds=lambda m: (
                m["trained_high"] > m["frozen_high"]
                and any(m[f"frozen_{which}"] > 0.8 for which in ("low", "middle", "high"))
            ),
            note="The paper's numbers are those of all of MNIST; preset quick has 5,000 of its images.",
        ),
    ),
)
