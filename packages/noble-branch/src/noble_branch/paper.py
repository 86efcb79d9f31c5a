"""What NOBLE (2026) claims."""

from collections.abc import Mapping

from separata import Claim, Paper

ACTIVATIONS = ("cosnet", "cos", "gelu", "relu", "tanh", "identity")
TASKS = ("lm", "mlm", "pixels", "vit")
MIXED = ("mixup", "cutmix")
WITHOUT = ("baseline", "wide", "identity")
"""What has no nonlinear branch."""


def _ahead(m: Mapping[str, float]) -> bool:
    """Faster than the baseline by more than its own seeds differ, and than both controls."""
    return all(m["noble"] > other for other in (1 + m["seed_noise"], m["wide"], m["identity"]))


def _net(m: Mapping[str, float]) -> float:
    return max(m["net"], m["thin_net"])


def _mean(m: Mapping[str, float]) -> float:
    return sum(m[name] for name in TASKS) / len(TASKS)


def _best(m: Mapping[str, float]) -> bool:
    return all(m["cosnet"] < m[name] for name in ACTIVATIONS if name != "cosnet")


_SPEEDUPS = {
    "noble": "NOBLE",
    "wide": "wider baseline, at least as many parameters",
    "identity": "linear branch of equal rank",
    "seed_noise": "the baseline against itself with another seed: largest distance from 1",
}

PAPER = Paper(
    name="noble-branch",
    title="NOBLE: Accelerating Transformers with Nonlinear Low-Rank Branches",
    year=2026,
    authors=("Ethan Smith",),
    arxiv="2603.06492",
    field="Architectures",
    short="NOBLE",
    claims=(
        Claim(
            "step-speedup",
            "Transformers with NOBLE reach the baseline's best evaluation loss in up to 1.47 times fewer steps",
            metric="steps of the baseline over steps to its best loss, language model",
            paper={"noble": 1.47, "wide": None, "identity": None, "seed_noise": None},
            labels=_SPEEDUPS,
            criterion="at least 1.40, above 1 by more than the baseline's seeds differ, and above both controls; "
            "direction: without the number",
            holds=lambda m: m["noble"] >= 1.4 and _ahead(m),
            direction=_ahead,
            note="Where the loss is not reached, the number is the largest that it could be: the baseline's step over "
            "all steps. Each side has the best of three learning rates on validation data.",
        ),
        Claim(
            "regression-speedup",
            "On a target with sharp structure, NOBLE needs a fraction of the steps (the mechanism it names)",
            metric="steps of the baseline over steps to its best loss, regression of six frequencies",
            paper={"noble": None, "wide": None, "identity": None, "seed_noise": None},
            labels=_SPEEDUPS,
            criterion="at least 3, above 1 by more than the baseline's seeds differ, and above both controls",
            holds=lambda m: m["noble"] >= 3 and _ahead(m),
            note="No experiment of the paper: it shows where its explanation applies. A seed draws the curve, too; the "
            "baseline is compared with itself on the same curve.",
        ),
        Claim(
            "overhead",
            "This costs as little as 4 % more parameters and 7 % more time a step, a net speedup of up to 1.22",
            metric="parameters and time of a step of the language model, more than the plain one's, and net speedup",
            paper={
                "thin_parameters": 4.0,
                "thin_step_time": 7.0,
                "thin_net": None,
                "parameters": None,
                "step_time": None,
                "net": 1.22,
            },
            labels={
                "thin_parameters": "low rank: parameters, %",
                "thin_step_time": "low rank: time of a step, %",
                "thin_net": "low rank: net speedup",
                "parameters": "rank of width / 8: parameters, %",
                "step_time": "rank of width / 8: time of a step, %",
                "net": "rank of width / 8: net speedup",
            },
            criterion="at low rank below 4.5 % parameters and 7.5 % time, which round to the paper's numbers, and a "
            "net speedup of at least 1.16 at one rank; direction: a net speedup above 1 at one rank",
            holds=lambda m: m["thin_parameters"] < 4.5 and m["thin_step_time"] < 7.5 and _net(m) >= 1.16,
            direction=lambda m: _net(m) > 1,
            note="Each net speedup is that in steps of a network over the step time of the same network. Steps are "
            "timed on the machine of the measurement, turn by turn; the small products of a branch cost more of a CPU, "
            "and of a narrow network, than the count of operations says.",
        ),
        Claim(
            "best-activation",
            "CosNet is the best activation of the branch",
            metric="best evaluation loss of the language model, at equal rank",
            paper=dict.fromkeys(ACTIVATIONS),
            labels={name: name for name in ACTIVATIONS},
            criterion="CosNet below every other",
            holds=_best,
        ),
        Claim(
            "best-activation-regression",
            "CosNet is the best activation where the target has high frequencies",
            metric="best evaluation MSE of the regression, at equal rank",
            paper=dict.fromkeys(ACTIVATIONS),
            labels={name: name for name in ACTIVATIONS},
            criterion="CosNet below every other",
            holds=_best,
            note="No experiment of the paper; see regression-speedup.",
        ),
        Claim(
            "tasks",
            "Language models, BERT, autoregression of images and ViT are all trained in fewer steps",
            metric="steps of the baseline over steps to its best loss",
            paper=dict.fromkeys((*TASKS, "seed_noise")),
            labels={
                "lm": "characters",
                "mlm": "masked characters",
                "pixels": "pixels of digits",
                "vit": "ViT, no augmentation",
                "seed_noise": "baselines against themselves with another seed: mean of the largest distances from 1",
            },
            criterion="each above 1.05, and their mean above 1 by more than the baselines' seeds differ; direction: "
            "their mean",
            holds=lambda m: all(m[name] > 1.05 for name in TASKS) and _mean(m) > 1 + m["seed_noise"],
            direction=lambda m: _mean(m) > 1.05 and _mean(m) > 1 + m["seed_noise"],
            note="A loss that is not reached counts as reached after all steps, so that the mean of no effect is a "
            "little above 1.",
        ),
        Claim(
            "augmentation",
            "Mixup and CutMix interfere with the benefit that a ViT has without them",
            metric="evaluation loss of the baseline less that of NOBLE",
            paper={"plain": None, "mixup": None, "cutmix": None, "interval": None},
            labels={
                "plain": "no augmentation",
                "mixup": "Mixup",
                "cutmix": "CutMix",
                "interval": "half of a 95 % interval of the difference of gains, the larger of both",
            },
            criterion="a gain without, above that with each by more than the interval; direction: within the interval",
            holds=lambda m: m["plain"] > 0 and all(m["plain"] - m[name] > m["interval"] for name in MIXED),
            direction=lambda m: m["plain"] > 0 and all(m["plain"] > m[name] for name in MIXED),
        ),
        Claim(
            "high-frequency",
            "Branches fit the sharper parts of the target that the linear layers leave",
            metric="power of the residual above 6 cycles per unit, regression",
            paper={"noble": None, "baseline": None, "wide": None, "identity": None},
            labels={
                "noble": "NOBLE",
                "baseline": "baseline",
                "wide": "wider baseline",
                "identity": "linear branch",
            },
            criterion="at most a tenth of each other's; direction: below",
            holds=lambda m: all(10 * m["noble"] <= m[name] for name in WITHOUT),
            direction=lambda m: all(m["noble"] < m[name] for name in WITHOUT),
        ),
    ),
)
