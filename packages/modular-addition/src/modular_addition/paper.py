"""What He et al. (2026) claim."""

from collections.abc import Mapping

from separata import Claim, Paper

PREDICTORS = ("flow", "product", "magnitude", "phase")


def _is_single_frequency(m: Mapping[str, float]) -> bool:
    return (
        m["accuracy"] >= 0.999
        and m["ipr"] >= 0.6
        and m["ipr_start"] <= 0.25
        and m["agreement"] >= 0.95
        and m["ipr_random"] <= m["ipr"] - 0.2
    )


def _is_diversified(m: Mapping[str, float]) -> bool:
    return (
        m["least_neurons"] >= 20
        and all(m[f"r{n}"] <= 0.25 for n in (1, 2, 4))
        and m["missing_narrow"] >= 1
        and m["least_untrained"] < 20
    )


def _is_flawed_indicator(m: Mapping[str, float]) -> bool:
    return (
        m["error_quad"] <= 1e-10
        and m["error_relu"] <= 0.005
        and abs(m["ideal_ratio"] - 0.335) <= 0.01
        and m["ghosts"] >= 1
        and m["peak"] > m["ghosts"]
        and m["ghosts_untrained"] < 1
    )


def _votes(m: Mapping[str, float]) -> bool:
    return m["few"] < m["some"] < m["many"] and m["many"] >= 0.9 and m["equal_phases"] <= m["own_phases"] - 0.2


def _predicts(m: Mapping[str, float]) -> bool:
    return all(m["flow"] > m[other] for other in (*PREDICTORS[1:], "chance"))


def _has_stages(m: Mapping[str, float]) -> bool:
    return (
        m["stage1_end"] < m["stage2_end"] / 2
        and 0.6 <= m["test_when_memorized"] <= 0.85
        and m["ipr_rise"] >= 0.1
        and m["norm_change"] < 0
        and m["test_no_decay"] < 0.95
    )


PAPER = Paper(
    name="modular-addition",
    short="Modular addition",
    title="On the Mechanism and Dynamics of Modular Addition: Fourier Features, Lottery Ticket, and Grokking",
    year=2026,
    authors=("Jianliang He", "Leda Wang", "Siyu Chen", "Zhuoran Yang"),
    arxiv="2602.16849",
    field="Theory of training",
    claims=(
        Claim(
            "fourier",
            "Each neuron of a network that learns modular addition becomes a single Fourier frequency",
            metric="after training on all pairs: accuracy, inverse participation ratio, same frequency in both layers",
            paper={"accuracy": 1.0, "ipr": None, "ipr_start": None, "agreement": None, "ipr_random": None},
            labels={
                "accuracy": "accuracy",
                "ipr": "inverse participation ratio",
                "ipr_start": "before training",
                "agreement": "neurons with one frequency in both layers",
                "ipr_random": "trained on a random table (control)",
            },
            criterion=(
                "accuracy at least 0.999; inverse participation ratio at least 0.6, from at most 0.25, and 0.2 above "
                "the control's; agreement at least 0.95"
            ),
            holds=_is_single_frequency,
        ),
        Claim(
            "phase-alignment",
            "In every neuron the output phase becomes twice the input phase",
            metric="cosine and |sine| of the misalignment D = 2φ - ψ, means over neurons",
            paper={"cos": 1.0, "sin": 0.0, "cos_shuffled": None, "cos_subtraction": None},
            labels={
                "cos": "mean cos D",
                "sin": "mean |sin D|",
                "cos_shuffled": "mean cos D, output weights shuffled in each frequency (control)",
                "cos_subtraction": "mean cos D, trained on subtraction (control)",
            },
            criterion="mean cos at least 0.98, mean |sin| at most 0.15; controls within 0.25 of 0",
            holds=lambda m: (
                m["cos"] >= 0.98
                and m["sin"] <= 0.15
                and abs(m["cos_shuffled"]) <= 0.25
                and abs(m["cos_subtraction"]) <= 0.25
            ),
        ),
        Claim(
            "diversification",
            "In an overparametrized network, phase symmetry and frequency diversification emerge during training",
            metric=(
                "fewest single-frequency neurons of any frequency; mean resultant length of the phases times n, over "
                "frequencies; frequencies without a neuron in a network of 16"
            ),
            paper=dict.fromkeys(("least_neurons", "r1", "r2", "r4", "missing_narrow", "least_untrained")),
            labels={
                "least_neurons": "fewest neurons of a frequency",
                "r1": "resultant of φ",
                "r2": "resultant of 2φ",
                "r4": "resultant of 4φ",
                "missing_narrow": "frequencies missing with 16 neurons",
                "least_untrained": "fewest neurons of a frequency, untrained (control)",
            },
            criterion=(
                "at least 20 neurons of each frequency; resultants at most 0.25; a narrow network misses one or more; "
                "fewer than 20 untrained"
            ),
            holds=_is_diversified,
            note=(
                "A neuron counts if half of its energy, in each layer, is at its frequency. Without that, an untrained "
                "network passes: its largest random frequencies are spread evenly, too."
            ),
        ),
        Claim(
            "flawed-indicator",
            "Diversified neurons together approximate an indicator of the sum that is flawed at twice each summand",
            metric=(
                "largest errors of closed forms, a unit for each phase; heights of ghosts 2x and 2y and of the peak of "
                "trained logits above the mean of the other classes, in their standard deviations"
            ),
            paper=dict.fromkeys(("error_quad", "error_relu", "ideal_ratio", "ghosts", "peak", "ghosts_untrained")),
            labels={
                "error_quad": "error of the closed form, squares",
                "error_relu": "error of the closed form, ReLU, 64 phases",
                "ideal_ratio": "ghost / peak, ideal ReLU network",
                "ghosts": "ghosts, trained ReLU network",
                "peak": "peak, trained ReLU network",
                "ghosts_untrained": "ghosts, untrained (control)",
            },
            criterion=(
                "errors at most 1e-10 and 0.005; ideal ratio within 0.01 of 0.335; trained ghosts at least one "
                "standard deviation, below the peak; untrained less than one"
            ),
            holds=_is_flawed_indicator,
        ),
        Claim(
            "majority-vote",
            "Single neurons are noisy, and phase symmetry makes a majority vote that cancels the noise",
            metric="accuracy with n random neurons of each frequency; with one cosine a neuron, own or equal phases",
            paper=dict.fromkeys(("few", "some", "many", "own_phases", "equal_phases")),
            labels={
                "few": "1 neuron of each frequency",
                "some": "4 neurons of each frequency",
                "many": "16 neurons of each frequency",
                "own_phases": "one cosine a neuron, own phases",
                "equal_phases": "one cosine a neuron, equal phases in each frequency",
            },
            criterion="rises with n, to at least 0.9; equal phases at least 0.2 below own phases",
            holds=_votes,
        ),
        Claim(
            "lottery",
            "Frequencies compete in each neuron, and initial magnitude and phase alignment decide the winner",
            metric="share of neurons whose frequency was predicted from the initial weights; squares, SGD",
            paper=dict.fromkeys((*PREDICTORS, "chance")),
            labels={
                "flow": "gradient flow: magnitudes and phases",
                "product": "largest α β cos D",
                "magnitude": "largest α",
                "phase": "smallest |D|",
                "chance": "chance",
            },
            criterion=(
                "at least 0.85, 0.2 more than by phases alone, and more than every other; direction: more than every "
                "other"
            ),
            holds=lambda m: m["flow"] >= 0.85 and m["flow"] >= m["phase"] + 0.2 and _predicts(m),
            direction=_predicts,
        ),
        Claim(
            "ode",
            "Phases of the two layers are coupled and align, and comparison of solutions tells which frequency wins",
            metric=(
                "largest relative drift of the invariants; largest |D| at the end; share of random pairs of states in "
                "which the larger and better aligned one is first; largest difference to SciPy"
            ),
            paper={"drift": 0.0, "misalignment": 0.0, "ordered": 1.0, "difference": 0.0},
            labels={
                "drift": "drift of the invariants",
                "misalignment": "largest final |D|",
                "ordered": "larger and better aligned is first",
                "difference": "difference to SciPy",
            },
            criterion="drift below 1e-6, final |D| below 0.05, all pairs ordered, and SciPy agrees to 1e-6",
            holds=lambda m: (
                m["drift"] < 1e-6 and m["misalignment"] < 0.05 and m["ordered"] >= 1 and m["difference"] < 1e-6
            ),
        ),
        Claim(
            "grokking-3-stage",
            "Grokking has three stages: memorization, and two of generalization, from loss against weight decay",
            metric="on 75 % of the pairs: steps at which stages end; test accuracy; changes of weights between them",
            paper=dict.fromkeys(
                ("stage1_end", "stage2_end", "test_when_memorized", "ipr_rise", "norm_change", "test_no_decay")
            ),
            labels={
                "stage1_end": "end of memorization, step",
                "stage2_end": "end of fast generalization, step",
                "test_when_memorized": "test accuracy when all training pairs are right",
                "ipr_rise": "rise of the inverse participation ratio in stage II",
                "norm_change": "relative change of the norm in stage III",
                "test_no_decay": "test accuracy at the end, without weight decay (control)",
            },
            criterion=(
                "stage I ends before half of stage II; test accuracy 0.6 to 0.85 when memorized; the ratio rises by at "
                "least 0.1 in stage II, the norm falls in stage III; without decay the test accuracy stays below 0.95"
            ),
            holds=_has_stages,
        ),
    ),
)
