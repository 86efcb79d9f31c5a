"""What Shi et al. (2025), GenBaB, and Zhou et al. (2024), BICCOS, claim."""

from collections.abc import Iterable, Mapping

from separata import Claim, Paper, Reference

ACTIVATIONS = {"sigmoid": "sigmoid", "tanh": "tanh", "sin": "sine", "gelu": "GeLU"}
"""The nonlinearities that GenBaB's abstract names besides those of several inputs."""
SEVERAL_INPUTS = {"lstm": "LSTM", "vit": "vision transformer"}
"""Networks whose nonlinear operations have several inputs."""
HEURISTICS = {"bbps": "BBPS", "babsr": "BaBSR-like", "random": "random splits"}
LARGE = 50_000
"""ReLUs of a network that is too large for cuts of a mixed-integer solver."""

WRONG = "wrong answers"
BRANCHES = (
    "branches visited where bounds alone do not decide (geometric mean, an unsolved property counted at its limit)"
)


def _more_proven(networks: Iterable[str], m: Mapping[str, float]) -> bool:
    """Whether branching proves more than bounds alone for each network, without a wrong answer."""
    return all(m[f"genbab_{name}"] > m[f"alpha_{name}"] for name in networks) and m["wrong"] == 0


def _proven(networks: Mapping[str, str]) -> dict[str, str]:
    """Labels of the numbers proven for each network by bounds alone and with branching."""
    methods = {"alpha": "bounds alone", "genbab": "GenBaB"}
    labels = {f"{one}_{name}": f"{networks[name]}, {methods[one]}" for name in networks for one in methods}
    return {**labels, "wrong": WRONG}


def _cuts_pay(m: Mapping[str, float]) -> bool:
    """Whether cuts prove more properties, or as many in fewer branches."""
    return m["biccos"] > m["beta"] or (m["biccos"] == m["beta"] and m["visited_ratio"] < 1)


def _is_better_heuristic(m: Mapping[str, float]) -> bool:
    """Whether BBPS visits fewer branches than both others, and proves no fewer properties."""
    return all(
        m["visited_bbps"] < m[f"visited_{other}"] and m["proven_bbps"] >= m[f"proven_{other}"]
        for other in ("babsr", "random")
    )


GENBAB = (
    Claim(
        "general-nonlinearities",
        "GenBaB verifies a wide range of networks with other activations than ReLU: sigmoid, tanh, sine and GeLU",
        metric="images proven robust, with branching (GenBaB) and by bounds alone (alpha-CROWN)",
        paper={**dict.fromkeys(_proven(ACTIVATIONS)), "wrong": 0},
        labels=_proven(ACTIVATIONS),
        criterion="for each of the four, more images proven than by bounds alone; no wrong answer",
        holds=lambda m: _more_proven(ACTIVATIONS, m),
    ),
    Claim(
        "branching-heuristic",
        "GenBaB's branching heuristic, which takes linear bounds as shortcuts, chooses better splits",
        metric=f"{BRANCHES}, and properties proven within the limit: with BBPS, with the bias score that stops at "
        "the layer before (BaBSR-like), and with random splits",
        paper={f"{what}_{method}": None for what in ("visited", "proven") for method in HEURISTICS},
        labels={
            f"{what}_{method}": f"{label}, {HEURISTICS[method]}"
            for what, label in (("visited", "branches"), ("proven", "proven"))
            for method in HEURISTICS
        },
        criterion="fewer branches than both the BaBSR-like score and random splits, and no fewer properties proven",
        holds=_is_better_heuristic,
    ),
    Claim(
        "branching-points",
        "For nonlinear functions GenBaB decides on branching points that are optimised beforehand, better than the "
        "middle",
        metric="room between the planes after a split, as a share of that before it (mean over random intervals and "
        "four activations); branches visited over those with middle points (geometric mean)",
        paper={"gap_table": None, "gap_middle": None, "visited_ratio": None},
        labels={
            "gap_table": "room left, optimised points",
            "gap_middle": "room left, middle points",
            "visited_ratio": "branches over those with middle points",
        },
        criterion="less room left than by splits in the middle, and fewer branches",
        holds=lambda m: m["gap_table"] < m["gap_middle"] and m["visited_ratio"] < 1,
    ),
    Claim(
        "multi-dimensional",
        "GenBaB handles nonlinear operations of several inputs: LSTMs and vision transformers",
        metric="images proven robust, with branching (GenBaB) and by bounds alone (alpha-CROWN)",
        paper={**dict.fromkeys(_proven(SEVERAL_INPUTS)), "wrong": 0},
        labels=_proven(SEVERAL_INPUTS),
        criterion="for both of the two, more images proven than by bounds alone; no wrong answer",
        holds=lambda m: _more_proven(SEVERAL_INPUTS, m),
    ),
    Claim(
        "general-graphs",
        "GenBaB verifies general computation graphs, as in AC optimal power flow",
        metric="properties proven or refuted, with branching (GenBaB) and without it (attack and alpha-CROWN)",
        paper={"genbab": None, "alpha": None, "properties": None, "wrong": 0},
        labels={
            "genbab": "decided, GenBaB",
            "alpha": "decided, attack and bounds alone",
            "properties": "properties",
            "wrong": WRONG,
        },
        criterion="at least half of the properties decided, and more than without branching; no wrong answer",
        holds=lambda m: m["genbab"] > m["alpha"] and m["genbab"] >= 0.5 * m["properties"] and m["wrong"] == 0,
        note=(
            "At presets without the benchmark's files: a surrogate made for this purpose, from loads by a "
            "perceptron to voltages and from these by products, sines and cosines to the flow through each line."
        ),
    ),
    Claim(
        "competition",
        "GenBaB and BICCOS are part of the winners of the verification competitions of 2023 and 2024 (VNN-COMP)",
        metric="instances decided by this package and, in its published results, by the winner, alpha-beta-CROWN; "
        "answers that contradict it",
        paper={"decided": None, "winner": None, "contradicted": 0},
        labels={
            "decided": "decided",
            "winner": "decided by the winner",
            "contradicted": "contradicting the winner",
        },
        criterion="at least 0.95 of the instances that the winner decides, and none of its answers contradicted",
        holds=lambda m: m["decided"] >= 0.95 * m["winner"] > 0 and m["contradicted"] == 0,
        note=(
            "A competition cannot be repeated, and its instances and hardware are not part of the package. Where "
            "they are in $SEPARATA_DATA/vnncomp, the preset `paper` counts what is decided in its time."
        ),
    ),
)

BICCOS = (
    Claim(
        "cuts",
        "Branch and bound infers hundreds of useful cutting planes from the branches that it refutes",
        metric="cuts inferred for a property, mean over the properties that need branching; share of these with any "
        "cut; branches visited over those without cuts, where both decide (geometric mean)",
        paper={"mean": None, "share": None, "visited_ratio": None},
        labels={
            "mean": "cuts for a property",
            "share": "share of properties with cuts",
            "visited_ratio": "branches over those without cuts",
        },
        criterion="on average at least 100 cuts for a property, any for more than half of them, and fewer branches "
        "than without cuts",
        holds=lambda m: m["mean"] >= 100 and m["share"] > 0.5 and m["visited_ratio"] < 1,
        source="BICCOS",
    ),
    Claim(
        "more-verified",
        "Inferred cutting planes verify more properties than branch and bound without them (beta-CROWN)",
        metric="properties proven within the same limits without cuts, with strengthened cuts, and with multi-tree "
        "search too (BICCOS); branches of BICCOS over those without cuts, where both decide (geometric mean)",
        paper={"beta": None, "base": None, "biccos": None, "visited_ratio": None},
        labels={
            "beta": "proven, no cuts",
            "base": "proven, strengthened cuts",
            "biccos": "proven, BICCOS",
            "visited_ratio": "branches over those without cuts",
        },
        criterion="BICCOS proves more properties than without cuts, or as many in fewer branches",
        holds=_cuts_pay,
        note=(
            "The authors' logs count 91, 95 and 95 of 200 for the network cnn_a_adv, and 112, 120 and 121 for "
            "cnn_b_adv4; networks here are smaller. Cuts of a mixed-integer solver are not compared."
        ),
        source="BICCOS",
    ),
    Claim(
        "strengthening-and-trees",
        "Constraint strengthening and multi-tree search make the cuts effective",
        metric=f"mean literals of a cut with strengthening over those without; {BRANCHES}, with strengthening over "
        "those without, and with multi-tree search over those without",
        paper={"length_ratio": None, "strengthening": None, "trees": None},
        labels={
            "length_ratio": "literals, with strengthening over without",
            "strengthening": "branches, with strengthening over without",
            "trees": "branches, with multi-tree search over without",
        },
        criterion="shorter cuts and fewer branches with strengthening than without, and fewer branches with "
        "multi-tree search than without",
        holds=lambda m: 0 < m["length_ratio"] < 1 and m["strengthening"] < 1 and m["trees"] < 1,
        source="BICCOS",
    ),
    Claim(
        "scale",
        "Inferred cutting planes verify more on networks, too, that are too large for cuts of a mixed-integer solver",
        metric="ReLUs of the network; of the properties that bounds alone leave open, the share with cuts, and those "
        "proven with and without cuts; branches with cuts over those without, where both decide (geometric mean)",
        paper={"neurons": None, "share": None, "beta": None, "biccos": None, "visited_ratio": None},
        labels={
            "neurons": "ReLUs",
            "share": "share of properties with cuts",
            "beta": "proven, no cuts",
            "biccos": "proven, inferred cuts",
            "visited_ratio": "branches over those without cuts",
        },
        criterion="at least 50,000 ReLUs, cuts for at least half of the properties, and more of them proven than "
        "without cuts, or as many in fewer branches",
        holds=lambda m: m["neurons"] >= LARGE and m["share"] >= 0.5 and _cuts_pay(m),
        note="No mixed-integer solver takes part, here or in the other measurements.",
        source="BICCOS",
    ),
)

PAPER = Paper(
    name="bab-verify",
    title="Neural Network Verification with Branch-and-Bound for General Nonlinearities",
    authors=("Zhouxing Shi", "Qirui Jin", "Zico Kolter", "Suman Jana", "Cho-Jui Hsieh", "Huan Zhang"),
    venue="Tools and Algorithms for the Construction and Analysis of Systems",
    year=2025,
    arxiv="2405.21063",
    field="Verification",
    short="GenBaB",
    others=(
        Reference(
            "BICCOS",
            title="Scalable Neural Network Verification with Branch-and-bound Inferred Cutting Planes",
            year=2024,
            authors=("Duo Zhou", "Christopher Brix", "Grani A. Hanasusanto", "Huan Zhang"),
            venue="Advances in Neural Information Processing Systems",
            arxiv="2501.00200",
        ),
    ),
    claims=GENBAB + BICCOS,
)
