"""What Shi et al. (2025), GenBaB, and Zhou et al. (2024), BICCOS, claim."""

from collections.abc import Mapping

from separata import Claim, Paper

ACTIVATIONS = ("sigmoid", "tanh", "sin", "gelu")
"""The nonlinearities that GenBaB's abstract names besides those of several inputs."""

BRANCHES = "geometric mean of the branches visited where bounds alone do not decide, an unsolved property at its limit"


def _verifies_more(m: Mapping[str, float]) -> bool:
    """Whether branching proves more for each activation, without a wrong answer."""
    return all(m[f"genbab_{name}"] > m[f"alpha_{name}"] for name in ACTIVATIONS) and m["wrong"] == 0


PAPER = Paper(
    name="bab-verify",
    title="Neural Network Verification with Branch-and-Bound for General Nonlinearities",
    authors=("Zhouxing Shi", "Qirui Jin", "Zico Kolter", "Suman Jana", "Cho-Jui Hsieh", "Huan Zhang"),
    venue="Tools and Algorithms for the Construction and Analysis of Systems",
    year=2025,
    arxiv="2405.21063",
    claims=(
        Claim(
            "general-nonlinearities",
            "GenBaB verifies a wide range of networks with other activations than ReLU: sigmoid, tanh, sine and GeLU",
            metric="images proven robust with branching (genbab) and by bounds alone (alpha-CROWN, alpha), for each "
            "activation; wrong answers",
            paper={
                **{f"{method}_{name}": None for name in ACTIVATIONS for method in ("alpha", "genbab")},
                "wrong": 0,
            },
            holds=_verifies_more,
        ),
        Claim(
            "branching-heuristic",
            "GenBaB's branching heuristic, which takes linear bounds as shortcuts, chooses better splits",
            metric=f"{BRANCHES}, and properties proven within the limit: with BBPS, with the bias score that stops at "
            "the layer before (BaBSR-like), and with random splits",
            paper={
                f"{what}_{method}": None for what in ("visited", "proven") for method in ("bbps", "babsr", "random")
            },
            holds=lambda m: m["visited_bbps"] <= m["visited_babsr"] and m["proven_bbps"] >= m["proven_babsr"],
        ),
        Claim(
            "branching-points",
            "For nonlinear functions GenBaB decides on branching points that are optimised beforehand, better than the "
            "middle",
            metric="room between the planes after a split, as a share of that before it, mean over random intervals; "
            "branches visited over those with middle points, geometric mean (at most 1.05 to hold)",
            paper={"gap_table": None, "gap_middle": None, "visited_ratio": None},
            holds=lambda m: m["gap_table"] < m["gap_middle"] and m["visited_ratio"] <= 1.05,
        ),
        Claim(
            "multi-dimensional",
            "GenBaB handles nonlinear operations of several inputs: LSTMs and vision transformers",
            metric="images proven robust with branching (genbab) and by bounds alone (alpha-CROWN, alpha); wrong "
            "answers",
            paper={
                **{f"{method}_{name}": None for name in ("lstm", "vit") for method in ("alpha", "genbab")},
                "wrong": 0,
            },
            holds=lambda m: (
                min(m[f"genbab_{name}"] - m[f"alpha_{name}"] for name in ("lstm", "vit")) >= 0
                and max(m[f"genbab_{name}"] - m[f"alpha_{name}"] for name in ("lstm", "vit")) > 0
                and m["wrong"] == 0
            ),
        ),
        Claim(
            "general-graphs",
            "GenBaB verifies general computation graphs, as in AC optimal power flow",
            metric="properties decided with branching (genbab) and without it (alpha-CROWN and attack, alpha), of all; "
            "wrong answers",
            paper={"genbab": None, "alpha": None, "properties": None, "wrong": 0},
            holds=lambda m: (m["genbab"] == m["properties"] or m["genbab"] > m["alpha"]) and m["wrong"] == 0,
            note=(
                "At presets without the benchmark's files: a surrogate made for this purpose, from loads by a "
                "perceptron to voltages and from these by products, sines and cosines to the flow through each line."
            ),
        ),
        Claim(
            "competition",
            "GenBaB and BICCOS are part of the winners of the verification competitions of 2023 and 2024 (VNN-COMP)",
            metric="instances decided by this package and, in its published results, by the winner, alpha-beta-CROWN; "
            "answers that contradict it; to hold: at least 95 % as many, and none",
            paper={"decided": None, "winner": None, "contradicted": 0},
            holds=lambda m: m["decided"] >= 0.95 * m["winner"] > 0 and m["contradicted"] == 0,
            note=(
                "A competition cannot be repeated, and its instances and hardware are not part of the package. Where "
                "they are in $SEPARATA_DATA/vnncomp, the preset `paper` counts what is decided in its time."
            ),
        ),
        Claim(
            "cuts",
            "BICCOS: branch and bound infers hundreds of useful cutting planes from the branches that it refutes",
            metric="cuts found for one property, at most, and share of properties that need branching with any",
            paper={"most": None, "share": None},
            holds=lambda m: m["most"] >= 100 and m["share"] > 0.5,
        ),
        Claim(
            "more-verified",
            "BICCOS: inferred cutting planes verify more properties than branch and bound without them (beta-CROWN)",
            metric="properties proven within the same limits without cuts (beta), with strengthened cuts (base), and "
            "with multi-tree search too (biccos); branches that biccos visits over those of beta where both decide",
            paper={"beta": None, "base": None, "biccos": None, "visited_ratio": None},
            holds=lambda m: m["biccos"] >= m["beta"] and m["visited_ratio"] < 1,
            note=(
                "The authors' logs count 91, 95 and 95 of 200 for the network cnn_a_adv, and 112, 120 and 121 for "
                "cnn_b_adv4; networks here are smaller. Cuts of a mixed-integer solver are not compared."
            ),
        ),
        Claim(
            "strengthening-and-trees",
            "BICCOS: constraint strengthening and multi-tree search make the cuts effective",
            metric="mean literals of a cut with strengthening over those without, and branches visited: with "
            "strengthening over without, and with multi-tree search over without, geometric means",
            paper={"length_ratio": None, "strengthening": None, "trees": None},
            holds=lambda m: 0 < m["length_ratio"] < 1 and m["strengthening"] < 1 and m["trees"] < 1,
        ),
        Claim(
            "scale",
            "BICCOS scales to networks that are too large for cuts of a mixed-integer solver",
            metric="ReLUs of a network, and cuts inferred and branches visited on all of its properties",
            paper={"neurons": None, "cuts": None, "visited": None},
            holds=lambda m: m["neurons"] >= 50_000 and m["cuts"] > 0,
            note="No mixed-integer solver takes part, here or in the other measurements.",
        ),
    ),
)
