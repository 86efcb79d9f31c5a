"""What Xiao et al. (2024) claim."""

from collections.abc import Mapping

from separata import Claim, Paper

METHODS = {
    "hlop": "HLOP",
    "finetune": "fine-tuning",
    "ewc": "EWC",
    "gpm": "GPM",
    "replay": "replay",
    "joint": "joint training",
}
RULES = {"dsr": "DSR", "bptt": "BPTT", "ottt": "OTTT"}
FEEDBACKS = {"bp": "back-propagation", "fa": "feedback alignment", "sign": "sign-symmetric"}
QUANTITIES = {"acc": "ACC", "bwt": "BWT"}

NEARLY_ZERO = -0.02
"""Backward transfer above which forgetting is nearly zero."""


def _protects(measured: Mapping[str, float], hlop: str, finetune: str, gain: float) -> bool:
    """Whether HLOP forgets next to nothing, at most half as much as fine-tuning, and still learns what comes later."""
    return (
        measured[f"{hlop}_bwt"] > NEARLY_ZERO
        and -measured[f"{hlop}_bwt"] <= 0.5 * -measured[f"{finetune}_bwt"]
        and measured[f"{hlop}_acc"] >= measured[f"{finetune}_acc"] + gain
    )


def _labels(ways: Mapping[str, str]) -> dict[str, str]:
    """A label for HLOP and fine-tuning in each of these ways, by ACC and BWT."""
    return {
        f"{way}_{method}_{quantity}": f"{ways[way]}, {METHODS[method]}: {QUANTITIES[quantity]}"
        for way in ways
        for method in ("hlop", "finetune")
        for quantity in QUANTITIES
    }


def _comparison(claim_id: str, statement: str, ways: Mapping[str, str]) -> Claim:
    """The claim that forgetting is nearly zero in each of these ways of training."""
    labels = _labels(ways)
    return Claim(
        claim_id,
        statement,
        metric="average accuracy ACC and backward transfer BWT on permuted MNIST",
        paper=dict.fromkeys(labels),
        labels=labels,
        criterion=(
            "for each of the three: BWT above -0.02, forgetting at most half of fine-tuning's, "
            "ACC not below fine-tuning's"
        ),
        holds=lambda m: all(_protects(m, f"{way}_hlop", f"{way}_finetune", 0) for way in ways),
    )


def _compared(*methods: str) -> dict[str, str]:
    return {method: METHODS[method] for method in methods}


PAPER = Paper(
    name="snn-continual",
    title="Hebbian Learning based Orthogonal Projection for Continual Learning of Spiking Neural Networks",
    authors=("Mingqing Xiao", "Qingyan Meng", "Zongpeng Zhang", "Di He", "Zhouchen Lin"),
    venue="International Conference on Learning Representations",
    year=2024,
    arxiv="2402.11984",
    field="Continual learning",
    short="HLOP",
    claims=(
        Claim(
            "principal-subspace",
            "Hebbian and anti-Hebbian learning on lateral connections extracts the principal subspace of activity",
            metric=(
                "on synthetic activity, the relative Frobenius distance of HᵀH to the projection of exact PCA, and "
                "‖HHᵀ - I‖; in a spiking network, the energy of activity that H explains, as a share of what as many "
                "principal components explain, in the layer where that is least"
            ),
            paper={
                "distance": None,
                "untrained_distance": None,
                "orthonormality": None,
                "explained": None,
                "untrained_explained": None,
            },
            labels={
                "distance": "distance to PCA",
                "untrained_distance": "distance to PCA before learning",
                "orthonormality": "‖HHᵀ - I‖",
                "explained": "energy explained in a network",
                "untrained_explained": "energy explained before learning",
            },
            criterion=(
                "distance below 0.05, ‖HHᵀ - I‖ below 0.01, and at least 0.95 of the energy that principal components "
                "explain; the same lateral weights before learning pass neither"
            ),
            holds=lambda m: (
                m["distance"] < 0.05 <= m["untrained_distance"]
                and m["orthonormality"] < 0.01
                and m["explained"] >= 0.95 > m["untrained_explained"]
            ),
        ),
        Claim(
            "nearly-zero-forgetting",
            "Tasks are learned one after the other with nearly zero forgetting",
            metric="average accuracy ACC and backward transfer BWT on permuted MNIST",
            paper={"hlop_acc": None, "hlop_bwt": None, "finetune_acc": None, "finetune_bwt": None},
            labels={
                f"{method}_{quantity}": f"{METHODS[method]}: {QUANTITIES[quantity]}"
                for method in ("hlop", "finetune")
                for quantity in QUANTITIES
            },
            criterion=(
                "BWT above -0.02, forgetting at most half of fine-tuning's, ACC at least 0.02 above fine-tuning's"
            ),
            holds=lambda m: _protects(m, "hlop", "finetune", 0.02),
        ),
        _comparison(
            "training-rules",
            "Forgetting is nearly zero under each training method: DSR, BPTT with surrogate gradients and OTTT",
            RULES,
        ),
        _comparison(
            "error-propagation",
            "Forgetting is nearly zero under each error propagation: back-propagation, feedback alignment and "
            "sign-symmetric feedback",
            FEEDBACKS,
        ),
        Claim(
            "outperforms",
            "It outperforms previous methods of continual learning",
            metric="average accuracy ACC on permuted MNIST, each method with settings chosen on held-out images",
            paper=dict.fromkeys(_compared("hlop", "finetune", "ewc", "gpm", "replay", "joint")),
            labels=_compared("hlop", "finetune", "ewc", "gpm", "replay", "joint"),
            criterion="ACC above that of fine-tuning, EWC, GPM and replay; joint training is shown for comparison only",
            holds=lambda m: all(m["hlop"] > m[other] for other in ("finetune", "ewc", "gpm", "replay")),
            note=(
                "One of the paper's several benchmarks. Replay stores 50 images of each class of each task, which the "
                "others do not. GPM makes the same projection as HLOP, from stored activity; in single trials on "
                "held-out images it stayed ahead at twice the width, and of exactly orthonormal lateral weights."
            ),
        ),
        Claim(
            "neural-projection",
            "Projection by neurons does what projection by mathematics (singular vectors of stored activity) does",
            metric="average accuracy ACC on permuted MNIST, each method with settings chosen on held-out images",
            paper=dict.fromkeys(_compared("hlop", "gpm", "finetune")),
            labels=_compared("hlop", "gpm", "finetune"),
            criterion="ACC of HLOP and GPM within 0.02 of each other, both at least 0.02 above fine-tuning's",
            holds=lambda m: (
                abs(m["hlop"] - m["gpm"]) <= 0.02 and all(m[one] >= m["finetune"] + 0.02 for one in ("hlop", "gpm"))
            ),
        ),
        Claim(
            "spiking-lateral",
            "Lateral neurons may themselves be spiking, with bursts of at most 40 spikes",
            metric="average accuracy ACC on permuted MNIST",
            paper={"real": None, "spiking": None, "finetune": None},
            labels={
                "real": "HLOP, real-valued lateral neurons",
                "spiking": "HLOP, spiking lateral neurons",
                "finetune": "fine-tuning",
            },
            criterion="ACC at most 0.02 below real-valued lateral neurons', and at least 0.02 above fine-tuning's",
            holds=lambda m: m["spiking"] >= m["real"] - 0.02 and m["spiking"] >= m["finetune"] + 0.02,
        ),
    ),
)
