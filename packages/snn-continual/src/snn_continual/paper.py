"""What Xiao et al. (2024) claim."""

from collections.abc import Mapping

from separata import Claim, Paper


def _forgets_half(measured: Mapping[str, float], ways: tuple[str, ...]) -> bool:
    """Whether HLOP forgets at most half as much as fine-tuning in each of these ways of training."""
    return all(-measured[f"{way}_hlop"] <= 0.5 * -measured[f"{way}_finetune"] for way in ways)


PAPER = Paper(
    name="snn-continual",
    title="Hebbian Learning based Orthogonal Projection for Continual Learning of Spiking Neural Networks",
    authors=("Mingqing Xiao", "Qingyan Meng", "Zongpeng Zhang", "Di He", "Zhouchen Lin"),
    venue="International Conference on Learning Representations",
    year=2024,
    arxiv="2402.11984",
    claims=(
        Claim(
            "principal-subspace",
            "Hebbian and anti-Hebbian learning on lateral connections extracts the principal subspace of activity",
            metric="relative Frobenius distance of HᵀH to the projection of exact PCA, and ‖HHᵀ - I‖",
            paper={"distance": None, "orthonormality": None},
            holds=lambda m: m["distance"] < 0.05 and m["orthonormality"] < 0.01,
        ),
        Claim(
            "nearly-zero-forgetting",
            "Tasks are learned one after the other with nearly zero forgetting",
            metric="average accuracy ACC and backward transfer BWT on permuted MNIST",
            paper={"hlop_acc": None, "hlop_bwt": None, "finetune_acc": None, "finetune_bwt": None},
            holds=lambda m: (
                m["hlop_bwt"] > -0.02
                and -m["hlop_bwt"] <= 0.5 * -m["finetune_bwt"]
                and m["hlop_acc"] >= m["finetune_acc"] + 0.02
            ),
        ),
        Claim(
            "training-rules",
            "It works with each training method of spiking networks: DSR, BPTT with surrogate gradients, and OTTT",
            metric="BWT on permuted MNIST; HLOP is to forget at most half as much as fine-tuning under each",
            paper={f"{rule}_{method}": None for rule in ("dsr", "bptt", "ottt") for method in ("hlop", "finetune")},
            holds=lambda m: _forgets_half(m, ("dsr", "bptt", "ottt")),
        ),
        Claim(
            "error-propagation",
            "It works with each error propagation: back-propagation, feedback alignment, sign-symmetric feedback",
            metric="BWT on permuted MNIST; HLOP is to forget at most half as much as fine-tuning under each",
            paper={
                f"{feedback}_{method}": None for feedback in ("bp", "fa", "sign") for method in ("hlop", "finetune")
            },
            holds=lambda m: _forgets_half(m, ("bp", "fa", "sign")),
        ),
        Claim(
            "outperforms",
            "It outperforms previous methods of continual learning",
            metric="ACC, each method with settings chosen on held-out training images; joint training stands beside",
            paper={"hlop": None, "finetune": None, "ewc": None, "replay": None, "joint": None},
            holds=lambda m: m["hlop"] >= max(m["finetune"], m["ewc"], m["replay"]),
            note="Replay stores 50 images of each class of each task, a privilege that the other methods do not have.",
        ),
        Claim(
            "neural-projection",
            "Projection by neurons does what projection by mathematics (singular vectors of stored activity) does",
            metric="ACC of HLOP, and of GPM in the same network, with settings chosen as for the claim above",
            paper={"hlop": None, "gpm": None},
            holds=lambda m: abs(m["hlop"] - m["gpm"]) <= 0.03,
        ),
        Claim(
            "spiking-lateral",
            "Lateral neurons may themselves be spiking, with bursts of at most 40 spikes",
            metric="ACC on permuted MNIST with real-valued and with spiking lateral neurons",
            paper={"real": None, "spiking": None},
            holds=lambda m: m["spiking"] >= m["real"] - 0.02,
        ),
    ),
)
