"""What He, Liu and Xu (2024) claim."""

from collections.abc import Mapping

from separata import Claim, Paper

HALF = 0.5
"""What has learned something has at most this share of the error of the mean of the training solutions."""
QUARTER = 0.25
NEARLY = 1.1
"""Within ten percent."""
L2 = "relative L2 error on unseen functions"
CONDITIONS = ("dirichlet", "periodic", "neumann")


def _is_best(m: Mapping[str, float]) -> bool:
    return m["worst"] <= 1 and all(m["mgno"] <= m[other] for other in ("fno", "unet", "dilated_resnet"))


def _overfits_less(m: Mapping[str, float]) -> bool:
    return (
        all(m[f"mgno_{size}"] < m[f"fno_{size}"] for size in ("few", "many"))
        and m["mgno_error"] <= m["fno_error"]
        and m["mgno_error"] <= HALF * m["mean"]
    )


def _follows_boundaries(m: Mapping[str, float]) -> bool:
    return (
        all(m[f"heat_{name}"] <= HALF * m[f"heat_{name}_other"] for name in CONDITIONS)
        and m["darcy_zeros"] < m["darcy_circular"]
        and m["shift"] <= 1e-5 < m["shift_unwrapped"]
    )


PAPER = Paper(
    name="mgno",
    short="MgNO",
    title="MgNO: Efficient Parameterization of Linear Operators via Multigrid",
    year=2024,
    authors=("Juncai He", "Xinliang Liu", "Jinchao Xu"),
    arxiv="2310.19809",
    field="Operator learning",
    claims=(
        Claim(
            "accuracy",
            "It is consistently more accurate than other neural operators and networks, on several equations",
            metric=f"{L2}; geometric mean over the equations",
            paper=dict.fromkeys(("mgno", "fno", "unet", "dilated_resnet", "worst", "mean")),
            labels={
                "mgno": "MgNO",
                "fno": "FNO",
                "unet": "U-Net",
                "dilated_resnet": "dilated ResNet",
                "worst": "largest ratio of MgNO's error to the best other network's, over the equations",
                "mean": "the mean of the training solutions (control)",
            },
            criterion=("error at most that of each other network, on each equation; and at most half of the control's"),
            holds=lambda m: _is_best(m) and m["mgno"] <= HALF * m["mean"],
        ),
        Claim(
            "efficiency",
            "It parameterizes linear operators efficiently: as accurate as FNO with far fewer parameters",
            metric=f"trainable numbers; {L2}; processor milliseconds of a training step; megabytes kept for gradients",
            paper=dict.fromkeys(
                (
                    "mgno_parameters",
                    "fno_parameters",
                    "small_fno_parameters",
                    "unet_parameters",
                    "mgno_error",
                    "fno_error",
                    "small_fno_error",
                    "mgno_ms",
                    "fno_ms",
                    "mgno_megabytes",
                    "fno_megabytes",
                    "mean",
                )
            ),
            labels={
                "mgno_parameters": "MgNO, parameters",
                "fno_parameters": "FNO, parameters",
                "small_fno_parameters": "FNO of few channels, parameters",
                "unet_parameters": "U-Net, parameters",
                "mgno_error": "MgNO, error",
                "fno_error": "FNO, error",
                "small_fno_error": "FNO of few channels, error",
                "mgno_ms": "MgNO, ms a step",
                "fno_ms": "FNO, ms a step",
                "mgno_megabytes": "MgNO, megabytes",
                "fno_megabytes": "FNO, megabytes",
                "mean": "the mean of the training solutions, error (control)",
            },
            criterion="fewer than a quarter of FNO's parameters, with at most its error and half of the control's",
            holds=lambda m: (
                m["mgno_parameters"] < QUARTER * m["fno_parameters"]
                and m["mgno_error"] <= m["fno_error"]
                and m["mgno_error"] <= HALF * m["mean"]
            ),
            note="Time and memory are shown and decide nothing.",
        ),
        Claim(
            "ease-of-training",
            "It is easier to train than other convolutional networks",
            metric="share of the epochs; ratio of the largest to the smallest error over three learning rates",
            paper=dict.fromkeys(("share_unet", "share_dilated_resnet", "spread_mgno", "spread_unet")),
            labels={
                "share_unet": "epochs until MgNO reaches U-Net's best validation error",
                "share_dilated_resnet": "epochs until MgNO reaches the dilated ResNet's best validation error",
                "spread_mgno": "MgNO, spread over learning rates",
                "spread_unet": "U-Net, spread over learning rates",
            },
            criterion=(
                "the best validation errors of U-Net and dilated ResNet reached in at most half of the epochs; errors "
                "spread less over learning rates than U-Net's"
            ),
            holds=lambda m: (
                m["share_unet"] <= HALF and m["share_dilated_resnet"] <= HALF and m["spread_mgno"] < m["spread_unet"]
            ),
            note=(
                "An error that is never reached counts as a share of 2, and an error above 1, that of the zero "
                "function, as 1."
            ),
        ),
        Claim(
            "less-overfit",
            "It overfits less than spectral operators",
            metric="ratio of the error on unseen functions to that on training functions",
            paper=dict.fromkeys(("mgno_few", "fno_few", "mgno_many", "fno_many", "mgno_error", "fno_error", "mean")),
            labels={
                "mgno_few": "MgNO, few samples",
                "fno_few": "FNO, few samples",
                "mgno_many": "MgNO, many samples",
                "fno_many": "FNO, many samples",
                "mgno_error": "MgNO, error with few samples",
                "fno_error": "FNO, error with few samples",
                "mean": "the mean of the training solutions, error with few samples (control)",
            },
            criterion=(
                "a smaller ratio than FNO's with few and with many samples; since what has learned nothing does not "
                "overfit, an error at most FNO's and half of the control's"
            ),
            holds=_overfits_less,
        ),
        Claim(
            "no-lift-project",
            "It needs neither lifting nor projection",
            metric=L2,
            paper=dict.fromkeys(("without", "with_both", "mean")),
            labels={
                "without": "without",
                "with_both": "with pointwise lifting and projection",
                "mean": "the mean of the training solutions (control)",
            },
            criterion="error without them at most 1.1 times that with them, and at most half of the control's",
            holds=lambda m: m["without"] <= NEARLY * m["with_both"] and m["without"] <= HALF * m["mean"],
        ),
        Claim(
            "boundary",
            "It accommodates different boundary conditions",
            metric=f"{L2}; largest difference over the largest value, where a shift of the input is undone",
            paper=dict.fromkeys(
                (
                    *(f"heat_{name}{other}" for name in CONDITIONS for other in ("", "_other")),
                    "darcy_zeros",
                    "darcy_circular",
                    "shift",
                    "shift_unwrapped",
                )
            ),
            labels={
                **{f"heat_{name}": f"{name} heat flow, padded for it" for name in CONDITIONS},
                **{
                    f"heat_{name}_other": f"{name} heat flow, padded for the better of the other two"
                    for name in CONDITIONS
                },
                "darcy_zeros": "Darcy (Dirichlet), zeros",
                "darcy_circular": "Darcy (Dirichlet), circular",
                "shift": "periodic network, shift by a cell of the coarsest grid",
                "shift_unwrapped": "the same with PyTorch's transposed convolutions (control)",
            },
            criterion=(
                "on heat flow under each condition, at most half of the error that the padding of any other has; zeros "
                "better than circular on Darcy; shifts exact to 1e-5, and the control's not"
            ),
            holds=_follows_boundaries,
        ),
        Claim(
            "linearity",
            "Its layers are linear operators between functions",
            metric="largest difference between W(af + bg) and aW(f) + bW(g), over the largest value",
            paper=dict.fromkeys(("cycle", "network")),
            labels={"cycle": "one V-cycle", "network": "a network with activations (control)"},
            criterion="below 1e-5, and the control's above 1e-2",
            holds=lambda m: m["cycle"] <= 1e-5 and m["network"] >= 1e-2,
        ),
    ),
)
