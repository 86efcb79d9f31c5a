"""What Brenner and Itti (2025) claim."""

from collections.abc import Mapping

from separata import Claim, Paper

EXACT = 1e-5
"""Relative differences below this are rounding, in single precision."""
NETWORKS = {"mlp": "MLP", "cnn": "CNN"}
MODERN = {"resnet": "ResNet-8", "gru": "GRU over rows of pixels", "tabular": "MLP on a table"}
MNIST = "MLP on MNIST (at quick, 5,000 of its images)"
SIDES = {"dendrites": "dendrites", "continued": "no dendrites, same epochs"}


def _labels(names: Mapping[str, str], sides: Mapping[str, str] = SIDES) -> dict[str, str]:
    return {f"{name}_{side}": f"{names[name]}: {sides[side]}" for name in names for side in sides}


def _improves(measured: Mapping[str, float], names: Mapping[str, str]) -> bool:
    return all(measured[f"{name}_dendrites"] < measured[f"{name}_continued"] for name in names)


ACCURACY = _labels(
    NETWORKS,
    {
        **SIDES,
        "original": "before dendrites",
        "gradient": "gradient-trained dendrites",
        "random": "random dendrites",
        "unperforated": "dendrites seen by back-propagation",
        "wider": "wider network, same parameters",
    },
)
CYCLES = {
    "original": "before dendrites",
    **{f"dendrites_{n}": f"{n} dendrite{'s' if n > 1 else ''}" for n in (1, 2, 3)},
    **{f"continued_{n}": f"no dendrites, epochs of {n} cycle{'s' if n > 1 else ''}" for n in (1, 2, 3)},
}
COMPRESSION = {
    "full": "full width: error",
    "small": "small network, same epochs: error",
    "grown": "small network with dendrites: error",
    "equal": "network with the parameters of the grown one: error",
    "full_parameters": "full width: parameters",
    "grown_parameters": "small network with dendrites: parameters",
}
OBJECTIVE = {
    "trained": "|correlation| with errors of unseen samples, after training",
    "untrained": "|correlation| with errors of unseen samples, before training",
    "trained_error": "correlation-trained dendrites: test error",
    "random_error": "random dendrites: test error",
}
FEATURES = {
    "similarity": "same neurons, before and after dendrites: correlation",
    "other": "best-fitting neurons of another training: correlation",
    "perforated": "dendrites: error passed back, relative difference",
    "ordinary": "dendrites seen by back-propagation: the same",
    "before": "before dendrites: test error",
    "after": "with the dendrites that validation kept: test error",
    "dendrites": "dendrites a neuron that validation kept",
}
SWITCH = {"switch": "largest change of an output when dendrites are added"}

PAPER = Paper(
    name="dendritic-backprop",
    title="Perforated Backpropagation: A Neuroscience Inspired Extension to Artificial Neural Networks",
    authors=("Rorry Brenner", "Laurent Itti"),
    year=2025,
    arxiv="2501.18018",
    field="Representation learning",
    short="dendrites",
    claims=(
        Claim(
            "improves-accuracy",
            "Dendrites improve upon the original accuracy",
            metric=(
                f"test error of the weights that were best on validation samples, {MNIST}, CNN on digits (at gpu, "
                "CIFAR-10)"
            ),
            paper=dict.fromkeys(ACCURACY),
            labels=ACCURACY,
            criterion=(
                "for both networks, a lower error than before dendrites and than without dendrites after as many "
                "epochs; ablations and a wider network are shown for comparison"
            ),
            holds=lambda m: _improves(m, NETWORKS) and all(m[f"{n}_dendrites"] < m[f"{n}_original"] for n in NETWORKS),
            note=(
                "The paper's own numbers are of TrimNet on Tox21, HIST on CSI 300 and others, whose data are not here."
            ),
        ),
        Claim(
            "compression",
            "Dendrites allow for significant model compression without a loss in accuracy",
            metric=f"test error, and number of parameters, {MNIST} with an eighth of the hidden units",
            paper=dict.fromkeys(COMPRESSION),
            labels=COMPRESSION,
            criterion=(
                "error at most 0.005 above that of the full width, with fewer parameters, and below that of the same "
                "small network after as many epochs; a plain network of equal size is shown for comparison"
            ),
            holds=lambda m: (
                m["grown"] <= m["full"] + 0.005
                and m["grown"] < m["small"]
                and m["grown_parameters"] < m["full_parameters"]
            ),
        ),
        Claim(
            "same-features",
            "Neurons perform better while coding for the same features as in the original architecture",
            metric=(
                "correlation of a hidden neuron's activity before and after dendrites; how far the errors that modules "
                f"pass back are from those of the original neurons alone; test error, {MNIST}"
            ),
            paper=dict.fromkeys(FEATURES),
            labels=FEATURES,
            criterion=(
                "correlation above 0.7, and at least 0.1 above that with the best-fitting neurons of another training; "
                "errors passed back equal up to 1e-5, and not so if back-propagation sees the dendrites; at least one "
                "dendrite kept by validation, and a lower error with those than before"
            ),
            holds=lambda m: (
                m["similarity"] > 0.7
                and m["similarity"] >= m["other"] + 0.1
                and m["perforated"] < EXACT
                and m["ordinary"] > 0.01
                and m["dendrites"] >= 1
                and m["after"] < m["before"]
            ),
        ),
        Claim(
            "repeated-cycles",
            "The cycle of training neurons and adding dendrites can be repeated until performance is satisfactory",
            metric=f"test error after each cycle of the weights that were best on validation samples, {MNIST}",
            paper=dict.fromkeys(CYCLES),
            labels=CYCLES,
            criterion=(
                "error lower with one dendrite than with none, lower with three than with one, and lower with three "
                "than without dendrites after as many epochs"
            ),
            holds=lambda m: (
                m["dendrites_1"] < m["original"]
                and m["dendrites_3"] < m["dendrites_1"]
                and m["dendrites_3"] < m["continued_3"]
            ),
        ),
        Claim(
            "correlation-objective",
            "Dendrites learn to correlate their output with the remaining error of their neuron, and neurons make use "
            "of it",
            metric=(
                "|Pearson correlation| of the first dendrites with the errors of validation samples, mean over layers "
                f"and neurons; test error, {MNIST}"
            ),
            paper=dict.fromkeys(OBJECTIVE),
            labels=OBJECTIVE,
            criterion=(
                "correlation at least twice that before training; a lower error than with dendrites that are not "
                "trained"
            ),
            holds=lambda m: m["trained"] >= 2 * m["untrained"] > 0 and m["trained_error"] < m["random_error"],
        ),
        Claim(
            "modern-networks",
            "Dendrites can be added to modern PyTorch networks across several domains, improving them",
            metric=(
                "test error of a residual and a recurrent network on digits (at gpu, MNIST), and of an MLP on "
                "breast_cancer; change of outputs at the switch"
            ),
            paper=dict.fromkeys(_labels(MODERN) | SWITCH),
            labels=_labels(MODERN) | SWITCH,
            criterion=(
                "no output changes when the first dendrites are added, and the mean error over the three networks is "
                "lower with dendrites than without after as many epochs"
            ),
            holds=lambda m: (
                m["switch"] == 0
                and sum(m[f"{name}_dendrites"] for name in MODERN) < sum(m[f"{name}_continued"] for name in MODERN)
            ),
        ),
    ),
)
