"""What Pezeshki et al. (2022) claim."""

from separata import Claim, Paper

WAVE = 0.02
"""A rise or fall of the error that counts; the error begins at 0.5."""
FLAT = 0.01
"""A rise that does not count."""

PAPER = Paper(
    name="epochwise-descent",
    title="Multi-scale Feature Learning Dynamics: Insights for Double Descent",
    year=2022,
    authors=("Mohammad Pezeshki", "Amartya Mitra", "Yoshua Bengio", "Guillaume Lajoie"),
    venue="ICML",
    arxiv="2112.03215",
    field="Theory of training",
    claims=(
        Claim(
            "distinct-features",
            "Double descent comes from features of different scales: fast ones overfit, then slow ones begin to fit",
            metric="generalization error of gradient descent, mean of draws (fig. 1)",
            paper=dict.fromkeys(
                (
                    "fast_min",
                    "fast_end",
                    "slow_start",
                    "slow_end",
                    "slow_rise",
                    "both_min",
                    "both_peak",
                    "both_end",
                    "balanced_rise",
                )
            ),
            labels={
                "fast_min": "fast features alone, minimum",
                "fast_end": "fast features alone, at the end",
                "slow_start": "slow features, at the start",
                "slow_end": "slow features, at the end",
                "slow_rise": "slow features, largest rise",
                "both_min": "both, first minimum",
                "both_peak": "both, peak",
                "both_end": "both, after the second descent",
                "balanced_rise": "both at one speed, largest rise (control)",
            },
            criterion="fast alone rises by 0.02 after its minimum; slow alone never by 0.01, and falls by 0.1; both "
            "rise by 0.02 and fall by 0.02 below the first minimum; at one speed there is no rise of 0.01",
            holds=lambda m: (
                m["fast_end"] > m["fast_min"] + WAVE
                and m["slow_rise"] < FLAT
                and m["slow_end"] < m["slow_start"] - 0.1
                and m["both_peak"] > m["both_min"] + WAVE
                and m["both_end"] < m["both_min"] - WAVE
                and m["balanced_rise"] < FLAT
            ),
            note="The control has a step size for each group of features, in inverse proportion to its squared scale "
            "(Heckel and Yilmaz 2020), on the same draws.",
        ),
        Claim(
            "scale-ratio",
            "The ratio of the scales governs the double descent: none at equal scales, and it grows with the ratio",
            metric="rise of the error from its first minimum to its peak, and its fall by step 10^7 (fig. 3)",
            paper=dict.fromkeys(("rise_1", "rise_7", "rise_30", "rise_100", "rise_1000", "fall_100", "fall_100000")),
            labels={
                "rise_1": "rise at ratio 1",
                "rise_7": "rise at ratio 7",
                "rise_30": "rise at ratio 30",
                "rise_100": "rise at ratio 100",
                "rise_1000": "rise at ratio 1,000",
                "fall_100": "fall at ratio 100",
                "fall_100000": "fall at ratio 100,000",
            },
            criterion="no rise of 0.01 at ratio 1; larger at each ratio than at the one before; above 0.05 at 1,000; "
            "the fall above 0.05 at 100, and not 0.01 at 100,000",
            holds=lambda m: (
                m["rise_1"] < FLAT
                and m["rise_7"] < m["rise_30"] < m["rise_100"] < m["rise_1000"]
                and m["rise_1000"] > 0.05
                and m["fall_100"] > 0.05
                and m["fall_100000"] < FLAT
            ),
        ),
        Claim(
            "theory-accurate",
            "The theory accurately predicts empirical findings",
            metric="difference of the errors of closed form and gradient descent (mean of draws), steps 1 to 10^7",
            paper=dict.fromkeys(
                (
                    "gd_exact",
                    "closed_1",
                    "closed_100",
                    "closed_10000",
                    "closed_worst",
                    "peak_height",
                    "peak_time",
                    "limit_100",
                    "wrong_ratio",
                )
            ),
            labels={
                "gd_exact": "exact form against gradient descent, largest relative difference",
                "closed_1": "closed form, ratio 1, mean",
                "closed_100": "closed form, ratio 100, mean",
                "closed_10000": "closed form, ratio 10,000, mean",
                "closed_worst": "closed form, largest at any ratio and time",
                "peak_height": "height of the peak, ratio 100",
                "peak_time": "time of the peak, ratio 100, as a factor",
                "limit_100": "deterministic equivalent, ratio 100, mean",
                "wrong_ratio": "closed form of ratio 1 against draws of ratio 100, mean (control)",
            },
            criterion="exact form within 1e-9; closed form within 0.01, 0.03 and 0.03 in the mean, 0.07 at any "
            "time; its peak within 0.04 in height and a factor 3 in time; the control above 0.05",
            holds=lambda m: (
                m["gd_exact"] <= 1e-9
                and m["closed_1"] < 0.01
                and m["closed_100"] < 0.03
                and m["closed_10000"] < 0.03
                and m["closed_worst"] < 0.07
                and m["peak_height"] < 0.04
                and 1 / 3 < m["peak_time"] < 3
                and m["wrong_ratio"] > 0.05
            ),
            note="The deterministic equivalent is this package's sharper theory and does not decide the claim.",
        ),
        Claim(
            "regularization",
            "Weight decay removes the overfitting before the second descent, and a large one stops the second descent",
            metric="generalization error of gradient descent, mean of draws (fig. 2c and d)",
            paper=dict.fromkeys(("none_rise", "none_fall", "none_end", "middle_end", "strong_rise", "strong_fall")),
            labels={
                "none_rise": "nearly no weight decay, rise",
                "none_fall": "nearly no weight decay, fall",
                "none_end": "nearly no weight decay, lowest late error",
                "middle_end": "weight decay 0.004, lowest late error",
                "strong_rise": "weight decay 0.4, rise",
                "strong_fall": "weight decay 0.4, fall after any rise",
            },
            criterion="nearly none: rise and fall above 0.02; 0.4: no rise of 0.01; 0.004: late error 0.1 above "
            "that of nearly none",
            holds=lambda m: (
                m["none_rise"] > WAVE
                and m["none_fall"] > WAVE
                and m["strong_rise"] < FLAT
                and m["strong_fall"] < FLAT
                and m["middle_end"] > m["none_end"] + 0.1
            ),
            note="Weight decay is that of the loss that sums over samples; the authors' code divides it by 4.",
        ),
        Claim(
            "closed-form",
            "There are closed-form expressions for the evolution of the generalization error",
            metric="milliseconds for the error at 300 times",
            paper={"closed_ms": None, "gd_ms": None, "ratio": None},
            labels={
                "closed_ms": "closed form",
                "gd_ms": "gradient descent, 100,000 steps of one draw",
                "ratio": "ratio",
            },
            criterion="below 1 ms, and more than 100 times faster than gradient descent",
            holds=lambda m: 0 < m["closed_ms"] < 1 and m["ratio"] > 100 and m["gd_ms"] > m["closed_ms"],
        ),
        Claim(
            "deep-networks",
            "The theory is consistent with observations in deep networks: test error falls, rises and falls again",
            metric="test error of networks with noisy labels: rise after its first minimum, and fall after that",
            paper={"first_min": None, "rise": None, "fall": None, "two_se": None, "clean_rise": None},
            labels={
                "first_min": "first minimum",
                "rise": "rise",
                "fall": "fall",
                "two_se": "two standard errors of a difference",
                "clean_rise": "rise with clean labels (control)",
            },
            criterion="rise and fall above two standard errors; with clean labels the rise is smaller; "
            "direction: the rise alone",
            holds=lambda m: (
                m["rise"] > m["two_se"] > 0 and m["fall"] > m["two_se"] and m["rise"] > m["clean_rise"] >= 0
            ),
            direction=lambda m: m["rise"] > m["two_se"] > 0 and m["rise"] > m["clean_rise"] >= 0,
            note="The paper trains ResNet-18 on CIFAR-10 for 1,000 epochs: in the authors' logs, test error 0.190 at "
            "epoch 25, 0.274 at epoch 74, 0.182 at epoch 912.",
        ),
    ),
)
