"""What experiments compute: trainings with all seeds of an experiment as one, and what is found of each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from .configs import ModelConfig, RunConfig, Target, TrainConfig, make_config
from .diagnosis import FourierReport
from .fourier import wrap
from .grokking import detect_grokking_stages
from .groups import PairData
from .ideal import measure_ghosts
from .lottery import play
from .network import ModularAdditionNet, logit_table
from .runs import make_net
from .training import Trainer, train
from .voting import addition_accuracy, pure_weights, vote_accuracy

N_VOTERS = (1, 2, 4, 8, 16, 32)
"""Neurons of each frequency that vote."""


@dataclass(frozen=True)
class FeatureTrial:
    """Trainings on all pairs, one for each seed, with the same label table or one of each seed's own.

    Args:
        seeds: Of the weights, and of a random table.
        config: The training.
    """

    seeds: tuple[int, ...]
    config: RunConfig


def _train(seeds: tuple[int, ...], config: RunConfig, device: str) -> tuple[list[ModularAdditionNet], Trainer]:
    nets = [make_net(config, seed).to(device) for seed in seeds]
    data = [PairData.make(config.model.p, config.data, seed) for seed in seeds]
    trainer = train(nets, data, config.train)
    return [net.cpu() for net in nets], trainer


def run_features(trial: FeatureTrial, device: str) -> list[dict[str, Any]]:
    """For each seed accuracy, ghosts, votes, and what the weights are made of; of the first, the weights, too."""
    before = [make_net(trial.config, seed) for seed in trial.seeds]
    nets, trainer = _train(trial.seeds, trial.config, device)
    accuracy = trainer.records["train_accuracy"][-1]
    return [
        {
            **_features(net, seed),
            # The figures show one network.
            **({} if number else {"w_in": _theta(net).tolist(), "w_out": net.w_out.tolist()}),
            "accuracy": float(accuracy[number]),
            "start": _features_of(before[number]),
            "ghosts_untrained": measure_ghosts(logit_table(_theta(before[number]), before[number].w_out)).prominence,
        }
        for number, (seed, net) in enumerate(zip(trial.seeds, nets, strict=True))
    ]


def _theta(net: ModularAdditionNet) -> torch.Tensor:
    return net.theta.detach()


def _features_of(net: ModularAdditionNet) -> dict[str, Any]:
    report = FourierReport.from_weights(_theta(net), net.w_out.detach())
    return {
        "ipr": report.ipr,
        "agreement": report.agreement,
        "cos": report.mean_cos,
        "sin": report.mean_abs_sin,
        "least": int(report.specialized_counts.min()),
        "missing": int((report.counts == 0).sum()),
        **{f"r{n}": float(report.resultants(n).nanmean()) for n in (1, 2, 4)},
    }


def _features(net: ModularAdditionNet, seed: int) -> dict[str, Any]:
    w_in, w_out, generator = _theta(net), net.w_out.detach(), torch.Generator().manual_seed(seed)
    report = FourierReport.from_weights(w_in, w_out)
    ghost = measure_ghosts(logit_table(w_in, w_out, net.activation))
    return {
        **_features_of(net),
        "cos_shuffled": _shuffled_cosine(report, generator),
        "ghost": {"peak": ghost.peak / ghost.spread, "ghost": ghost.prominence, "ratio": ghost.ratio},
        "votes": [vote_accuracy(w_in, w_out, n, net.activation, n_draws=4, generator=generator) for n in N_VOTERS],
        **{
            f"{phases}_phases": addition_accuracy(*pure_weights(w_in, w_out, phases), net.activation)
            for phases in ("own", "equal")
        },
    }


def _shuffled_cosine(report: FourierReport, generator: torch.Generator) -> float:
    """Mean cos D with the output phases of other neurons of the same frequency."""
    found = []
    for k in range(1, report.n_frequencies + 1):
        some = (report.frequency == k).nonzero()[:, 0]
        other = some[torch.randperm(len(some), generator=generator)]
        found.append(wrap(2 * report.phi[some] - report.psi[other]).cos())
    return float(torch.cat(found).mean())


@dataclass(frozen=True)
class Features:
    """A training on addition, one on a random table, one on subtraction, and one of a narrow network.

    Args:
        config: The training.
        narrow: Neurons of the narrow network.
    """

    config: RunConfig
    narrow: int = 16

    def trials(self, seeds: tuple[int, ...]) -> dict[str, FeatureTrial]:
        """The trainings by name."""
        config = self.config

        def on(target: Target) -> RunConfig:
            return replace(config, data=replace(config.data, target=target))

        return {
            "addition": FeatureTrial(seeds, config),
            "random": FeatureTrial(seeds, on("random")),
            "subtraction": FeatureTrial(seeds, on("subtraction")),
            "narrow": FeatureTrial(seeds, replace(config, model=replace(config.model, width=self.narrow))),
        }


@dataclass(frozen=True)
class LotteryTrial:
    """Networks with squares, trained by SGD until frequencies have won.

    Args:
        seeds: Of the weights.
        model: The networks.
        train: How they are trained.
    """

    seeds: tuple[int, ...]
    model: ModelConfig
    train: TrainConfig


LOTTERY = LotteryTrial((0,), ModelConfig(11, 128, "quad"), TrainConfig("sgd", lr=2.0, steps=1000, warmup=10))
"""A small lottery, of about 130 steps."""


def run_lottery(trial: LotteryTrial, device: str) -> dict[str, Any]:
    """For each seed how often each predictor was right; and of the first network what the figure shows."""
    config = RunConfig(trial.model, train=trial.train)
    played = play([make_net(config, seed).to(device) for seed in trial.seeds], trial.train)
    times = [step * trial.train.lr for step in played.steps]
    return {
        "found": [
            {"accuracy": one.accuracy, "large": one.large_accuracy, "chance": one.chance, "steps": one.steps}
            for one in played.reports
        ],
        "time": times,
        "alpha": played.alpha.tolist(),
        "misalignment": played.misalignment.tolist(),
        "winner": played.reports[0].frequency.tolist(),
        "predicted": played.tickets[0].winner().tolist(),
    }


@dataclass(frozen=True)
class GrokkingTrial:
    """Trainings on a part of the pairs, one for each seed.

    Args:
        seeds: Of the weights and the split.
        config: The training.
    """

    seeds: tuple[int, ...]
    config: RunConfig


def grokking_config(p: int, steps: int, weight_decay: float | None = None, log_every: int = 50) -> RunConfig:
    """The grokking run of the paper, for so many steps."""
    return make_config("grokking", p=p, steps=steps, weight_decay=weight_decay, log_every=log_every)


def run_grokking(trial: GrokkingTrial, device: str) -> dict[str, Any]:
    """The history of every seed, and its stages."""
    _, trainer = _train(trial.seeds, trial.config, device)
    records = trainer.records
    found = []
    for number in range(len(trial.seeds)):
        history = {name: values[:, number].tolist() for name, values in records.items()}
        stages = detect_grokking_stages(
            history["train_accuracy"], history["test_accuracy"], trainer.steps, history["test_loss"]
        )
        found.append({"history": history, **stages.to_json()})
    return {"steps": trainer.steps, "found": found}


def stage_numbers(steps: Sequence[int], found: dict[str, Any]) -> dict[str, float]:
    """Ends of the stages of a seed that `run_grokking` found, and how the weights change between them.

    The inverse participation ratio from the end of the first stage to that of the second, and the norm, relative to
    that at the end of the second stage, from there to the end. What is not reached is not a number.
    """
    first, second = found["stage1_end"], found["stage2_end"]
    numbers = {"stage1_end": first, "stage2_end": second, "test_when_memorized": found["test_accuracy_when_memorized"]}
    rise = change = math.nan
    if first is not None and second is not None:
        ipr, norm = found["history"]["ipr"], found["history"]["norm"]
        rise = ipr[steps.index(second)] - ipr[steps.index(first)]
        change = norm[-1] / norm[steps.index(second)] - 1
    return {
        **{name: math.nan if value is None else value for name, value in numbers.items()},
        "ipr_rise": rise,
        "norm_change": change,
    }
