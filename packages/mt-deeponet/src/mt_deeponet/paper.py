"""What Kumar et al. (2024) claim."""

from collections.abc import Mapping

from separata import Claim, Paper

FAMILIES = ("f1", "f2", "f4")
"""Reaction laws of the Fisher equation."""
ERROR = "relative L2 error on unseen functions"


def _learns_several(m: Mapping[str, float]) -> bool:
    return (
        m["multi"] < 0.1
        and all(m[f"multi_{name}"] < 1.5 * m[f"single_{name}"] for name in FAMILIES)
        and m["shuffled"] > 0.1
    )


def _masks_help(m: Mapping[str, float]) -> bool:
    return (
        m["both"] < min(m["no_loss_mask"], m["no_branch_mask"])
        and m["no_loss_mask"] >= 1.1 * m["both"]
        and m["unseen_no_branch_mask"] >= 1.3 * m["unseen_both"]
        and m["blind"] > m["both"]
    )


def _transfers(m: Mapping[str, float]) -> bool:
    return m["multi"] < m["single"] < m["scratch"] and m["multi"] < m["untuned"]


PAPER = Paper(
    name="mt-deeponet",
    short="MT-DeepONet",
    title="Synergistic Learning with Multi-Task DeepONet for Efficient PDE Problem Solving",
    year=2024,
    authors=("Varun Kumar", "Somdatta Goswami", "Katiana Kontolati", "Michael D. Shields", "George Em Karniadakis"),
    arxiv="2408.02198",
    field="Operator learning",
    claims=(
        Claim(
            "multi-source",
            "A single training session learns the solutions for several forms of the source term",
            metric=f"{ERROR} of the Fisher equation, whole test set or one reaction law",
            paper=dict.fromkeys(
                (
                    "multi",
                    *(f"{kind}_{name}" for name in FAMILIES for kind in ("multi", "single", "third")),
                    "one_hot",
                    "shuffled",
                )
            ),
            labels={
                "multi": "one network, all laws",
                **{f"multi_{name}": f"one network, {name.upper()}" for name in FAMILIES},
                **{f"single_{name}": f"single-task, {name.upper()}, as many steps each" for name in FAMILIES},
                **{f"third_{name}": f"single-task, {name.upper()}, a third of the steps" for name in FAMILIES},
                "one_hot": "one network, number of the law instead of coefficients",
                "shuffled": "one network, with the solutions of other samples (control)",
            },
            criterion=(
                "below 10 % overall, and for each law less than 1.5 times its own network's with as many steps; the "
                "control above 10 %"
            ),
            holds=_learns_several,
        ),
        Claim(
            "synergy-cost",
            "Learning tasks together lowers the overall training cost",
            metric="CPU seconds of training until the validation error of every law is reached",
            paper=dict.fromkeys(("multi", "singles", "ratio", "shuffled")),
            labels={
                "multi": "one network",
                "singles": "three networks together",
                "ratio": "ratio of the two",
                "shuffled": "steps until the control gets there, as a share of all (1: never)",
            },
            criterion="less than 0.7 of the sum of three single-task trainings; the control never gets there",
            holds=lambda m: 0 < m["ratio"] < 0.7 and m["shuffled"] >= 1,
            note=(
                "The error to be reached for a law is 1.1 times the larger of the two final validation errors, that of "
                "the shared network and that of the law's own; all networks have as many steps."
            ),
        ),
        Claim(
            "mask",
            "A binary mask in the branch and in the loss improves convergence and generalization to new geometries",
            metric=f"masked {ERROR} of Darcy flow, on shapes of the training and on an unseen one",
            paper=dict.fromkeys(
                (
                    "both",
                    "no_loss_mask",
                    "no_branch_mask",
                    "blind",
                    "unseen_both",
                    "unseen_no_loss_mask",
                    "unseen_no_branch_mask",
                )
            ),
            labels={
                "both": "both masks",
                "no_loss_mask": "no mask in the loss",
                "no_branch_mask": "no mask in the branch",
                "blind": "branch without any trace of the shape (control)",
                "unseen_both": "unseen shape, both masks",
                "unseen_no_loss_mask": "unseen shape, no mask in the loss",
                "unseen_no_branch_mask": "unseen shape, no mask in the branch",
            },
            criterion=(
                "both masks have the smallest error; without the loss's at least 1.1 times as large; on an unseen "
                "shape without the branch's at least 1.3 times as large; the control is worse"
            ),
            holds=_masks_help,
            note=(
                "The coefficient is known inside the domain only, and zero in its channel outside, so that a branch "
                "without the mask channel still has the shape in front of it; the control has not. Predictions are "
                "multiplied by the mask in every case."
            ),
        ),
        Claim(
            "transfer",
            "It transfers better to new geometries",
            metric=f"masked {ERROR} of Darcy flow on a new shape, after fine-tuning on few samples",
            paper=dict.fromkeys(("multi", "single", "scratch", "untuned")),
            labels={
                "multi": "from a network of three shapes",
                "single": "from a network of one shape",
                "scratch": "from scratch",
                "untuned": "from random weights, the same layers trained (control)",
            },
            criterion="three shapes below one shape below scratch; the control is worse than the first",
            holds=_transfers,
            note=(
                "Both sources have equally many samples and steps, and the learning rate of each fine-tuning is chosen "
                "on held-out samples of the new shape."
            ),
        ),
        Claim(
            "plate3d",
            "It predicts accurate solutions for new but similar 3D geometries",
            metric="masked relative L2 error of the temperature of unseen plates",
            paper=dict.fromkeys(("network", "nearest", "mean")),
            labels={
                "network": "network",
                "nearest": "nearest design of the training, its holes filled",
                "mean": "mean of the training plates (control)",
            },
            criterion="below 5 %, and below the nearest design's; the control is worse",
            holds=lambda m: m["network"] < 0.05 and m["network"] < m["nearest"] and m["network"] < m["mean"],
            note=(
                "The plates of the paper were solved with finite elements and are not public; here they are solved by "
                "finite volumes: heated at the upper edge, cold at the lower edge, insulated elsewhere, with tapered "
                "holes on a circle."
            ),
        ),
    ),
)
