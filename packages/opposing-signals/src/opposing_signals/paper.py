"""What Rosenfeld and Risteski (2023) claim."""

from collections.abc import Mapping

from separata import Claim, Paper

Numbers = Mapping[str, float]

MNIST = "1,000 images of MNIST at 14 x 14 pixels, tanh network 196-64-64-10, squared error, full-batch gradient descent"
PLANTED = (
    "1,000 images of MNIST, 20 of the digit 1 and 20 of the digit 7 with A standard deviations added to every pixel; "
    "ReLU network 196-64-64-10, squared error, full-batch gradient descent"
)
DOSES = {"dose_0": 0.0, "dose_1_5": 1.5, "dose_3": 3.0, "dose_5": 5.0}
"""Amplitudes of the planted signal by the key of their share."""


def _are_paired(m: Numbers) -> bool:
    return m["swing"] >= 0.15 and m["eos"] <= -0.9 and m["stable"] >= 0.9


def _hovers_at_the_edge(m: Numbers) -> bool:
    return m["lowest"] >= 0.9 and m["highest"] <= 1.25 and m["rises"] >= 20 and m["stable_rises"] < 1


def _falls_below_the_edge(m: Numbers) -> bool:
    return m["ce_peak"] > 1 > m["ce_late"] and m["ce_rises"] >= 1


def _dominate(m: Numbers) -> bool:
    return m["planted"] <= -0.2 and abs(m["random"]) <= 0.1


def _oppose(m: Numbers) -> bool:
    return m["cosine"] < -0.2 and m["norm"] >= 2 and m["correlation"] < -0.6


def _is_explained(m: Numbers) -> bool:
    return (
        abs(m["sharpness"] - 1) <= 0.1
        and m["dip"] < 0.9
        and m["stable_rises"] < 1
        and m["rises"] >= 1
        and m["settled"] < 1
        and m["flow"] <= 0.02
        and abs(m["sampled"] - 1) <= 0.15
    )


def _needs_depth(m: Numbers) -> bool:
    return (
        abs(m["one_layer"] - 1) < 1e-6
        and m["two_layers"] > 2
        and abs(m["mlp_0"] - 1) < 0.01
        and m["mlp_3"] > m["mlp_1"] > 1.05
    )


def _follows_the_dose(m: Numbers) -> bool:
    return m["dose_5"] >= 0.6 and m["dose_5"] > m["dose_3"] >= m["dose_0"] and m["dose_0"] <= 0.1 and m["probe"] < 0


PAPER = Paper(
    name="opposing-signals",
    short="Opposing signals",
    title="Outliers with Opposing Signals Have an Outsized Effect on Neural Network Optimization",
    year=2023,
    authors=("Elan Rosenfeld", "Andrej Risteski"),
    venue="ICLR 2024",
    arxiv="2311.04163",
    field="Theory of training",
    claims=(
        Claim(
            "paired-groups",
            "Paired groups of outliers oscillate in their loss, which is high on one group and then on the other",
            metric=f"change of a group's mean loss in a step; correlation of all changes in two steps; {MNIST}",
            paper=dict.fromkeys(("swing", "eos", "stable")),
            labels={
                "swing": "smallest change of a group's loss at the spike, 2 steps",
                "eos": "correlation of consecutive changes, learning rate 0.3",
                "stable": "correlation of consecutive changes, learning rate 0.05 (control)",
            },
            criterion="swing at least 0.15, correlation at most -0.9, and at least 0.9 below the edge of stability",
            holds=_are_paired,
            note="Groups of 20 at the largest spike after step 60.",
        ),
        Claim(
            "opposing-gradients",
            "The two groups have large gradients that point in opposite directions",
            metric=f"two groups of 20 at the largest spike; {MNIST}",
            paper=dict.fromkeys(("cosine", "norm", "correlation")),
            labels={
                "cosine": "cosine of the groups' gradients",
                "norm": "larger gradient norm, relative to random groups",
                "correlation": "correlation of the groups' losses within 10 steps",
            },
            criterion="cosine below -0.2, norm at least 2, correlation below -0.6",
            holds=_oppose,
        ),
        Claim(
            "consistent-features",
            "The groups share consistent features of large magnitude",
            metric="mean |projection| of 40 examples on their leading feature direction, relative to all examples",
            paper=dict.fromkeys(("groups_input", "random_input", "groups_last", "random_last")),
            labels={
                "groups_input": "the two groups, input",
                "random_input": "random examples, input",
                "groups_last": "the two groups, last hidden layer",
                "random_last": "random examples, last hidden layer",
            },
            criterion="at least 1.1 times random examples, in the input or in the last hidden layer",
            holds=lambda m: (
                m["groups_input"] >= 1.1 * m["random_input"] > 0 or m["groups_last"] >= 1.1 * m["random_last"] > 0
            ),
            note="The direction of either set is the top right singular vector of its own features.",
        ),
        Claim(
            "edge-of-stability",
            "Progressive sharpening leads to the edge of stability, where the loss rises again and again",
            metric=f"sharpness relative to 2 / learning rate from step 30 on; loss increases in 60 steps; {MNIST}",
            paper=dict.fromkeys(("lowest", "highest", "power_lowest", "power_highest", "rises", "stable_rises")),
            labels={
                "lowest": "lowest sharpness, learning rate 0.3",
                "highest": "highest sharpness, learning rate 0.3",
                "power_lowest": "lowest by five products of power iteration, which end too early",
                "power_highest": "highest by five products of power iteration",
                "rises": "loss increases in 60 steps, learning rate 0.3",
                "stable_rises": "loss increases in 60 steps, learning rate 0.05 (control)",
            },
            criterion="sharpness within 0.9 and 1.25, at least 20 increases, and none below the edge",
            holds=_hovers_at_the_edge,
            note="The sharpness is that of Lanczos with a residual below 0.01, which agrees with the full Hessian and "
            "with ARPACK. The bounds were set from power iteration of five products, each time from the last vector "
            "on: that ends before it has converged, below the largest eigenvalue.",
        ),
        Claim(
            "cross-entropy",
            "With cross-entropy the sharpness crosses the edge of stability, the loss spikes, and it falls again",
            metric="sharpness relative to 2 / learning rate, full-batch gradient descent at learning rate 1, MNIST",
            paper=dict.fromkeys(("ce_peak", "ce_late", "ce_rises")),
            labels={
                "ce_peak": "highest sharpness in 60 steps",
                "ce_late": "sharpness after the last step",
                "ce_rises": "loss increases in 60 steps",
            },
            criterion="highest sharpness above 1, last below 1, and at least one increase",
            holds=_falls_below_the_edge,
        ),
        Claim(
            "narrow-valley",
            "Early optimization enters a valley that balances the two groups, whose loss then rises rapidly",
            metric=f"{PLANTED}; A = 5; balance: |sum| of the two groups' slopes along the sharpest direction, relative "
            "to the sum of their sizes, below the edge of stability (learning rate 0.05); losses past it (0.5)",
            paper=dict.fromkeys(("balance", "balance_random", "share", "balance_edge", "groups_rise", "rest_rise")),
            labels={
                "balance": "balance of the groups, learning rate 0.05",
                "balance_random": "balance of two random groups, learning rate 0.05 (control)",
                "share": "share of the two groups, 4 % of the images, in the curvature along that direction",
                "balance_edge": "balance of the groups at learning rate 0.5, past the edge of stability",
                "groups_rise": "loss of the worse group at the largest spike, relative to that before it",
                "rest_rise": "loss of all other images at the same steps, likewise",
            },
            criterion="balance below 0.5, and the groups' loss rises at least twice as much as that of the rest",
            holds=lambda m: m["balance"] < 0.5 and m["groups_rise"] >= 2 * m["rest_rise"] > 0,
            note="The balance is the median over steps 20 to 100. It was first measured at learning rate 0.5 only, "
            "where the network is past the edge of stability from the first step on: there, weights jump from one side "
            "of the valley to the other, and no single step is balanced. The claim is about the valley before that, "
            "so it is now decided at learning rate 0.05, by the same criterion. Losses are relative to 10 steps before "
            "the spike's peak.",
        ),
        Claim(
            "outliers-dominate",
            "The outliers dominate: without the planted 4 % of the images the sharpness is much lower",
            metric="relative change of the sharpness after the last step when images are left out; "
            f"{PLANTED}; A = 5, learning rate 0.05",
            paper=dict.fromkeys(("planted", "random")),
            labels={"planted": "without the 40 planted images", "random": "without 40 random images"},
            criterion="at least 0.2 lower without the planted images, at most 0.1 changed without random; direction: "
            "lower without the planted images, and more so than without random ones",
            holds=_dominate,
            direction=lambda m: m["planted"] < 0 and m["planted"] < m["random"],
        ),
        Claim(
            "outliers-dominate-natural",
            "Outliers of natural data dominate: without the two groups that were found, the loss rises less often",
            metric=f"loss increases in 300 steps, learning rate 0.3; {MNIST}",
            paper=dict.fromkeys(("all", "without_groups", "without_random", "share")),
            labels={
                "all": "all images",
                "without_groups": "without the 40 images of the groups",
                "without_random": "without 40 random images",
                "share": "share of all changes of loss in the 1 % of the images that change most",
            },
            criterion="at least a fifth fewer increases without the groups than without random images",
            holds=lambda m: m["without_groups"] <= 0.8 * m["without_random"],
            note="Leaving the groups out changes the number of increases as little as leaving random images out.",
        ),
        Claim(
            "linear-analysis",
            "The analysis of a two-layer linear network explains sharpening, oscillation and self-stabilization",
            metric="two-layer linear network on the opposing-signals model, alpha = 20, |beta| = 1",
            paper=dict.fromkeys(("sharpness", "dip", "stable_rises", "rises", "settled", "flow", "sampled")),
            labels={
                "sharpness": "final curvature relative to alpha |beta|, step size 0.05",
                "dip": "lowest curvature relative to the first, step size 0.05",
                "stable_rises": "loss increases, step size 0.05",
                "rises": "loss increases, step size 0.12",
                "settled": "final curvature relative to 2 / step size, step size 0.12",
                "flow": "largest relative difference of the curvature from gradient flow, step size 0.001",
                "sampled": "final curvature on sampled data relative to that of the population, step size 0.05",
            },
            criterion="sharpness within 0.1 of 1 after a dip below 0.9, no increases below the edge and some above, "
            "where it settles below 1; within 0.02 of gradient flow; sampled within 0.15 of 1",
            holds=_is_explained,
        ),
        Claim(
            "depth",
            "The phenomenon arises from the interaction of depth and heavy tails: no depth, no progressive sharpening",
            metric="largest sharpness relative to the lowest before it, in training at a small learning rate",
            paper=dict.fromkeys(("one_layer", "two_layers", "mlp_0", "mlp_1", "mlp_3")),
            labels={
                "one_layer": "one-layer linear network, opposing-signals model",
                "two_layers": "two-layer linear network, opposing-signals model",
                "mlp_0": "no hidden layer, MNIST",
                "mlp_1": "1 hidden layer, MNIST",
                "mlp_3": "3 hidden layers, MNIST",
            },
            criterion="1 without depth, above 2 in the two-layer network, and more with 3 hidden layers than with 1",
            holds=_needs_depth,
        ),
        Claim(
            "predictions",
            "It predicts new behavior: the magnitude of a shared feature decides which images take part in the spikes",
            metric=f"share of planted images among the two groups of 20, 0.04 by chance; {PLANTED}; learning rate 0.5",
            paper=dict.fromkeys((*DOSES, "svd_5", "loss_5", "probe")),
            labels={
                **{key: f"share at A = {dose:g}" for key, dose in DOSES.items()},
                "svd_5": "share at A = 5, groups by singular vectors",
                "loss_5": "share at A = 5 among the 40 images of highest loss (baseline)",
                "probe": "correlation of consecutive changes of the output for a plain image of A = 5",
            },
            criterion="at least 0.6 at A = 5, more than at A = 3, where not less than at A = 0, at most 0.1; the "
            "output for the plain image alternates",
            holds=_follows_the_dose,
        ),
        Claim(
            "adam-and-sgd",
            "It is a lens on Adam and SGD: SGD with small fixed steps for its largest gradients comes nearer to Adam",
            metric="steps until the training loss is down where that of SGD with momentum is at the end, relative to "
            "all of SGD's steps; tuned rates",
            paper=dict.fromkeys(
                ("text_sgd", "text_adam", "text_split", "images_sgd", "images_adam", "images_split"),
            ),
            labels={
                "text_sgd": "SGD itself, text",
                "text_adam": "Adam, text",
                "text_split": "SplitSGD, text",
                "images_sgd": "SGD itself, MNIST",
                "images_adam": "Adam, MNIST",
                "images_split": "SplitSGD, MNIST",
            },
            criterion="SplitSGD below SGD itself, and Adam at most 0.9 times SGD itself, on both",
            holds=lambda m: all(
                m[f"{data}_split"] < m[f"{data}_sgd"] <= 1 and m[f"{data}_adam"] <= 0.9 * m[f"{data}_sgd"]
                for data in ("text", "images")
            ),
            note="Losses are averaged over three records. In minibatches SGD comes down to where it ends before it "
            "ends, so that it has a share of its own, which the others must be below; one that is never as low has "
            "twice SGD's steps, the length of its training. The text is generated: pairs of words of very different "
            "frequency, half of which may be followed by either of two words.",
        ),
    ),
)
