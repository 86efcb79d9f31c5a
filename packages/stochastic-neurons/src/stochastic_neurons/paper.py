"""What the paper claims."""

from collections.abc import Mapping

from separata import Claim, Paper

FAMILIES = ("sbn", "sts", "noisy_relu", "st")
"""The four families, by their gates."""
OTHERS = ("sbn", "sts", "noisy_relu")
"""The families that straight-through is compared with."""
BASELINES = ("relu", "sigmoid", "noisy_sigmoid")
GATES = {
    "sbn": "unbiased (REINFORCE)",
    "sts": "smooth times stochastic",
    "noisy_relu": "noisy rectifier",
    "st": "straight-through",
    "st_sigmoid": "straight-through, times sigm'",
    "relu": "rectifier, no noise",
    "sigmoid": "sigmoid, no noise",
    "noisy_sigmoid": "sigmoid of a noisy argument",
}
RECALLED = "The paper's table of errors on MNIST is known from memory only, so that no number of it is quoted."


def _all_train(m: Mapping[str, float]) -> bool:
    is_close = all(m[name] <= m[other] + 0.03 for name in FAMILIES for other in BASELINES)
    return is_close and all(m[name] < 0.12 for name in FAMILIES) and m["frozen"] > m["st"]


PAPER = Paper(
    name="stochastic-neurons",
    title="Estimating or Propagating Gradients Through Stochastic Neurons for Conditional Computation",
    year=2013,
    authors=("Yoshua Bengio", "Nicholas Léonard", "Aaron Courville"),
    venue="arXiv",
    arxiv="1308.3432",
    field="Representation learning",
    claims=(
        Claim(
            "unbiased",
            "(h − p) L is an unbiased estimator of the gradient of the expected loss, with any baseline that does not "
            "depend on the unit",
            metric="largest bias over 8 units and three functions, in standard errors over 200,000 samples",
            paper={"none": None, "mean": None, "optimal": None, "learned": None, "st": None},
            labels={
                "none": "no baseline",
                "mean": "mean loss as baseline",
                "optimal": "optimal baseline of each unit",
                "learned": "learned baseline",
                "st": "straight-through (control: biased)",
            },
            criterion="below 4 for all four, and above 4 for the biased control",
            holds=lambda m: all(m[name] < 4 for name in ("none", "mean", "optimal", "learned")) and m["st"] > 4,
        ),
        Claim(
            "minimum-variance",
            "With E[(h − p)² L] / E[(h − p)²] as each unit's baseline, its variance is the least",
            metric="exact variance, summed over units, relative to the optimal baseline",
            paper={"mean": None, "none": None, "shifted": None, "swapped": None},
            labels={
                "mean": "mean loss as baseline",
                "none": "no baseline",
                "shifted": "optimal baseline, 10 % more or less: the lower of both",
                "swapped": "baselines of other units (control)",
            },
            criterion="above 1 for each; and no baseline at all above the mean loss",
            holds=lambda m: 1 < m["mean"] < m["none"] and m["shifted"] > 1 and m["swapped"] > 1,
        ),
        Claim(
            "first-order",
            "A stochastic binary part times a smooth part approximates the expected effect of the stochastic binary "
            "neuron to first order",
            metric="relative errors of the mean output and of the gradient for a loss that is linear in h; cosine with "
            "the exact gradient for quadratic losses",
            paper={"output": None, "gradient": None, "cosine": None, "half": None},
            labels={
                "output": "mean output against sigm(a)",
                "gradient": "twice the mean gradient, against the derivative of the expectation",
                "cosine": "cosine with the exact gradient, quadratic losses",
                "half": "the mean gradient itself, against the same (control)",
            },
            criterion="errors at most 0.01, cosine at least 0.9, and the control's error above 0.4",
            holds=lambda m: m["output"] <= 0.01 and m["gradient"] <= 0.01 and m["cosine"] >= 0.9 and m["half"] > 0.4,
        ),
        Claim(
            "noise-injection",
            "Where noise is injected into a graph that is otherwise differentiable, back-propagation gives the "
            "gradient of the expected loss",
            metric="largest bias over 8 units, quadratic losses, in standard errors; relative errors of closed forms",
            paper={
                "gaussian": None,
                "logistic": None,
                "semi_hard": None,
                "output": None,
                "slope": None,
                "sigmoid": None,
            },
            labels={
                "gaussian": "noisy rectifier, Gaussian",
                "logistic": "noisy rectifier, logistic",
                "semi_hard": "clipped noisy line",
                "output": "mean output of the logistic one, against softplus",
                "slope": "its mean derivative, against the sigmoid",
                "sigmoid": "bias if its derivative were taken without noise (control)",
            },
            criterion="biases below 4, errors at most 0.01, and the control's bias above 4",
            holds=lambda m: (
                all(m[name] < 4 for name in ("gaussian", "logistic", "semi_hard"))
                and m["sigmoid"] > 4
                and m["output"] <= 0.01
                and m["slope"] <= 0.01
            ),
        ),
        Claim(
            "straight-through",
            "Copying the gradient from the output to the argument of the sigmoid is a biased estimator that points the "
            "right way for a single layer",
            metric="quadratic losses of 8 units, exactly: cosine of the mean with the gradient, relative bias",
            paper={
                "cosine": None,
                "scaled": None,
                "bias": None,
                "single": None,
                "single_unbiased": None,
                "shuffled": None,
            },
            labels={
                "cosine": "cosine, straight-through",
                "scaled": "cosine, times sigm'",
                "bias": "bias over gradient, straight-through",
                "single": "single-sample cosine, straight-through",
                "single_unbiased": "single-sample cosine, unbiased with its best baseline",
                "shuffled": "cosine with the gradient of another function (control)",
            },
            criterion="both cosines above 0.5 and above the control's; bias above 0.1; a single sample points "
            "better than an unbiased one",
            holds=lambda m: (
                all(m[name] > 0.5 and m[name] > m["shuffled"] for name in ("cosine", "scaled"))
                and m["bias"] > 0.1
                and m["single"] > m["single_unbiased"]
            ),
        ),
        Claim(
            "trains",
            "All four families train the gates of a conditional network",
            metric="test error, gates drawn once",
            paper=dict.fromkeys((*FAMILIES, "st_sigmoid", *BASELINES, "frozen")),
            labels={**GATES, "frozen": "straight-through, gates not trained (control)"},
            criterion="each below 12 %, within 3 points of the best baseline, and gates that are not trained do worse",
            note=RECALLED,
            holds=_all_train,
        ),
        Claim(
            "straight-through-best",
            "Of the stochastic gates, the straight-through estimator does best",
            metric="test error, gates drawn once",
            paper=dict.fromkeys((*FAMILIES, "st_sigmoid", "chosen")),
            labels={
                **{name: GATES[name] for name in (*FAMILIES, "st_sigmoid")},
                "chosen": "straight-through, the form with the lower validation error",
            },
            criterion="the form with the lower validation error has the lowest test error; direction: within 1 point "
            "of the lowest of the other families",
            note=RECALLED,
            holds=lambda m: all(m["chosen"] <= m[name] for name in OTHERS),
            direction=lambda m: all(m["chosen"] <= m[name] + 0.01 for name in OTHERS),
        ),
        Claim(
            "sparse-gates",
            "The gating units produce an actual 0 most of the time, in combinatorially many patterns",
            metric="share of gates that are not 0 on test data; different sets of active gates per test sample",
            paper={"sbn": 0.1, "sts": 0.1, "noisy_relu": 0.1, "st": 0.1, "without": None, "patterns": None},
            labels={
                **{name: GATES[name] for name in FAMILIES},
                "without": "straight-through without the penalty (control)",
                "patterns": "different sets of active gates, straight-through",
            },
            criterion="each between 0.05 and 0.2 for the target 0.1; without the penalty above 0.3; at least half as "
            "many patterns as samples",
            holds=lambda m: (
                all(0.05 <= m[name] <= 0.2 for name in FAMILIES) and m["without"] > 0.3 and m["patterns"] >= 0.5
            ),
        ),
        Claim(
            "less-computation",
            "The sparsity can be exploited to greatly reduce the computational cost",
            metric="operations relative to the network without gates; speed-ups on one core, 4,000 experts in blocks "
            "of 50, a tenth of the gates on",
            paper={"operations": None, "one": None, "few": None, "many": None, "masked": None},
            labels={
                "operations": "multiplications, gater included",
                "one": "speed-up, one example at a time",
                "few": "speed-up, 32 at a time",
                "many": "speed-up, 256 at a time",
                "masked": "speed-up if inactive experts were computed, 32 at a time (control)",
            },
            criterion="operations below 0.35, and a speed-up of at least 1.3 for each batch; none with inactive "
            "experts computed",
            holds=lambda m: (
                m["operations"] < 0.35 and all(m[name] >= 1.3 for name in ("one", "few", "many")) and m["masked"] < 1.1
            ),
        ),
    ),
)
