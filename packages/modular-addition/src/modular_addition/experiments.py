"""How the claims of He et al. (2026) are measured."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import torch

from separata import Run, experiment

from . import drawing
from .configs import ModelConfig, RunConfig, TrainConfig, make_config
from .diagnosis import FourierReport
from .flow import crossing_time, decoupled_flow, scipy_flow
from .grokking import GrokkingStages
from .ideal import flawed_indicator, ideal_network, measure_ghosts
from .lottery import THRESHOLD
from .network import logit_table
from .trials import (
    LOTTERY,
    N_VOTERS,
    Features,
    GrokkingTrial,
    LotteryTrial,
    grokking_config,
    run_features,
    run_grokking,
    run_lottery,
    stage_numbers,
)

NONE = math.nan

# ---- features of a network that was trained on all pairs


def _standard(p: int, steps: int, **settings: Any) -> RunConfig:  # noqa: ANN401 - settings
    return make_config("standard", p=p, steps=steps, log_every=max(1, steps // 10), **settings)


@experiment(
    "fourier",
    "phase-alignment",
    "diversification",
    "flawed-indicator",
    "majority-vote",
    smoke=Features(_standard(11, 60, width=64, lr=1e-3)),
    quick=Features(_standard(23, 5000)),
    gpu=Features(_standard(59, 5000)),
    paper=Features(_standard(97, 5000)),
)
def features(config: Features, run: Run) -> None:
    """Networks that were trained on addition, and on tables without its structure."""
    trials = config.trials(run.seeds)
    found = dict(zip(trials, run.map(run_features, list(trials.values()), "trainings on all pairs"), strict=True))
    errors = _ideal_errors(config.config.model.p)
    for number in range(len(run.seeds)):
        own, random, subtraction, narrow = (found[name][number] for name in trials)
        run.measure(
            "fourier",
            accuracy=own["accuracy"],
            ipr=own["ipr"],
            ipr_start=own["start"]["ipr"],
            agreement=own["agreement"],
            ipr_random=random["ipr"],
        )
        run.measure(
            "phase-alignment",
            cos=own["cos"],
            sin=own["sin"],
            cos_shuffled=own["cos_shuffled"],
            cos_subtraction=subtraction["cos"],
        )
        run.measure(
            "diversification",
            least_neurons=own["least"],
            **{f"r{n}": own[f"r{n}"] for n in (1, 2, 4)},
            missing_narrow=narrow["missing"],
            least_untrained=own["start"]["least"],
        )
        run.measure(
            "flawed-indicator",
            **errors,
            ghosts=own["ghost"]["ghost"],
            peak=own["ghost"]["peak"],
            ghosts_untrained=own["ghosts_untrained"],
        )
        votes = dict(zip(N_VOTERS, own["votes"], strict=True))
        run.measure(
            "majority-vote",
            few=votes[1],
            some=votes[4],
            many=votes[16],
            own_phases=own["own_phases"],
            equal_phases=own["equal_phases"],
        )
    _note_features(found, run)
    _draw_features(found["addition"], run)


def _ideal_errors(p: int) -> dict[str, float]:
    quad = ideal_network(p, 5).logit_table().detach() / 5 - flawed_indicator(p)
    relu = ideal_network(p, 64, "relu").logit_table().detach() / 64 - flawed_indicator(p, "relu")
    return {
        "error_quad": float(quad.abs().max()),
        "error_relu": float(relu.abs().max()),
        "ideal_ratio": measure_ghosts(flawed_indicator(p, "relu")).ratio,
    }


def _note_features(found: dict[str, list[dict[str, Any]]], run: Run) -> None:
    def mean(name: str, key: str) -> float:
        return fmean(one[key] for one in found[name])

    run.note(
        "phase-alignment",
        f"Trained on subtraction, of which a network whose input is a sum of two one-hot vectors can know half, "
        f"{100 * mean('subtraction', 'accuracy'):.0f} % of the pairs are right.",
    )
    run.note("fourier", f"The random table is learned with an accuracy of {mean('random', 'accuracy'):.3f}.")
    run.note("diversification", f"The network of 16 neurons has an accuracy of {mean('narrow', 'accuracy'):.2f}.")
    ratio = fmean(one["ghost"]["ratio"] for one in found["addition"])
    run.note("flawed-indicator", f"In the trained networks, ghosts have {ratio:.2f} of the height of the peak.")


def _draw_features(found: Sequence[dict[str, Any]], run: Run) -> None:
    first = found[0]
    w_in, w_out = torch.tensor(first["w_in"]), torch.tensor(first["w_out"])
    report = FourierReport.from_weights(w_in, w_out)
    run.figure(
        "spectra",
        drawing.draw_spectra(report),
        ["fourier"],
        caption="Magnitudes of every neuron by frequency, sorted by its dominant one: one frequency in both layers.",
    )
    run.figure(
        "phases",
        drawing.draw_phases(report),
        ["phase-alignment"],
        caption="Output phase against twice the input phase of every neuron: all lie on the diagonal.",
    )
    run.figure(
        "circles",
        drawing.draw_circles(report),
        ["diversification"],
        caption="Phases of the neurons of one frequency times 1 to 4 on the circle: evenly spread, they cancel.",
    )
    p = report.p
    x, y = min(3, p - 2), min(8, p - 1)
    run.figure(
        "logits",
        drawing.draw_logits(logit_table(w_in, w_out)[x, y], x, y),
        ["flawed-indicator"],
        caption="Logits of one pair: the sum stands out, and the ghosts at twice each summand above the others.",
    )
    run.figure(
        "votes",
        drawing.draw_votes(N_VOTERS, [one["votes"] for one in found]),
        ["majority-vote"],
        caption="Accuracy against the neurons of each frequency that vote: a line for each seed, and the mean.",
    )


# ---- the lottery


@experiment(
    "lottery",
    smoke=replace(LOTTERY, model=ModelConfig(7, 32, "quad")),
    quick=LOTTERY,
    gpu=replace(LOTTERY, model=ModelConfig(23, 256, "quad")),
    paper=replace(LOTTERY, model=ModelConfig(23, 512, "quad")),
)
def lottery(config: LotteryTrial, run: Run) -> None:
    """Winners told from initial weights, and winners of the training."""
    found = run.once(run_lottery, replace(config, seeds=run.seeds), str(run.device))
    for one in found["found"]:
        run.measure("lottery", **one["accuracy"], chance=one["chance"])
    large = fmean(one["large"]["flow"] for one in found["found"])
    steps = ", ".join(str(one["steps"]) for one in found["found"])
    run.note(
        "lottery",
        f"p = {config.model.p}, {config.model.n_neurons} neurons, learning rate {config.train.lr:g}, until the loss is "
        f"below 0.3 log p, after {steps} steps. Among the half of neurons with the larger trained magnitude, "
        f"{large:.3f} are predicted.",
    )
    run.figure(
        "lottery",
        drawing.draw_lottery(
            found["time"],
            torch.tensor(found["alpha"]),
            torch.tensor(found["misalignment"]),
            torch.tensor(found["winner"]),
            torch.tensor(found["predicted"]),
        ),
        caption=(
            "Magnitudes and misalignments of all frequencies of three neurons over time: those predicted win as their "
            "phases align."
        ),
    )


# ---- the flow


@dataclass(frozen=True)
class FlowTrial:
    """Random states of the flow.

    Args:
        p: Size of the group.
        n_states: Trajectories whose invariants are watched.
        n_pairs: Pairs of states that are compared.
        scale: Initial magnitude.
    """

    p: int = 23
    n_states: int = 64
    n_pairs: int = 2000
    scale: float = 0.02


@experiment("ode", smoke=FlowTrial(n_states=8, n_pairs=50), quick=FlowTrial())
def flow(config: FlowTrial, run: Run) -> None:
    """The flow of states with random phases, and its comparison principle."""
    for seed in run.seeds:
        generator = run.generator(seed)
        run.measure("ode", **_flow_numbers(config, generator))
    time = torch.linspace(0, 1400, 281)
    angles = torch.tensor([0.2, 0.8, 1.4, 2.0, 2.6, 3.0])
    path = decoupled_flow(config.scale, config.scale, angles / 2, torch.zeros(len(angles)), config.p, time)
    run.figure(
        "flow",
        drawing.draw_flow(path, THRESHOLD * config.scale),
        caption="Misalignment and input magnitude over time from six misalignments: the better aligned grow first.",
    )


def _flow_numbers(config: FlowTrial, generator: torch.Generator) -> dict[str, float]:
    angle = (2 * torch.rand(config.n_states, generator=generator, dtype=torch.double) - 1) * 2.8
    psi = 2 * torch.pi * torch.rand(config.n_states, generator=generator, dtype=torch.double)
    scale = torch.full_like(angle, config.scale)
    end = crossing_time(scale, scale, angle, config.p, 4 * config.scale)
    # In time of its own: the slowest would leave the fastest far beyond its blow-up.
    drift, final, difference = 0.0, 0.0, 0.0
    for i, one in enumerate(end.tolist()):
        path = decoupled_flow(
            config.scale, config.scale, (angle[i] + psi[i]) / 2, psi[i], config.p, torch.linspace(0, one, 50), 1.0
        )
        for kept in path.invariants:
            drift = max(drift, float((kept - kept[0]).abs().max() / kept[0].abs()))
        final = max(final, float(path.misalignment[-1].abs()))
        if i < 4:
            first, second, phi, psi_0 = (float(state[0]) for state in (path.alpha, path.beta, path.phi, path.psi))
            other = scipy_flow(first, second, phi, psi_0, config.p, path.time)
            difference = max(difference, float((other.alpha / path.alpha - 1).abs().max()))
    return {"drift": drift, "misalignment": final, "ordered": _ordered(config, generator), "difference": difference}


def _ordered(config: FlowTrial, generator: torch.Generator) -> float:
    """Share of random pairs in which the state with larger magnitudes and the better aligned phases is first."""
    numbers = torch.rand(3, 2, config.n_pairs, generator=generator, dtype=torch.double).sort(dim=1).values
    alpha, beta = config.scale * (0.5 + numbers[:2])
    angle = 3.0 * numbers[2].flip(0)
    time = crossing_time(alpha, beta, angle, config.p, 4 * config.scale)
    return float((time[1] < time[0]).double().mean())


# ---- grokking


@dataclass(frozen=True)
class Grokking:
    """Trainings on a part of the pairs, with weight decay and without.

    Args:
        config: The training with weight decay.
    """

    config: RunConfig

    def trials(self, seeds: tuple[int, ...]) -> list[GrokkingTrial]:
        """With decay, and without."""
        plain = replace(self.config, train=replace(self.config.train, weight_decay=0.0))
        return [GrokkingTrial(seeds, self.config), GrokkingTrial(seeds, plain)]


@experiment(
    "grokking-3-stage",
    smoke=Grokking(
        RunConfig(
            ModelConfig(7, 32), data=grokking_config(19, 10).data, train=TrainConfig(lr=1e-2, steps=100, log_every=10)
        )
    ),
    quick=Grokking(grokking_config(23, 24_000, log_every=100)),
    gpu=Grokking(grokking_config(31, 16_000)),
    paper=Grokking(grokking_config(23, 50_000)),
)
def grokking(config: Grokking, run: Run) -> None:
    """Trainings on 75 % of the pairs."""
    decayed, plain = run.map(run_grokking, config.trials(run.seeds), "trainings on a part of the pairs")
    steps = decayed["steps"]
    for own, control in zip(decayed["found"], plain["found"], strict=True):
        run.measure("grokking-3-stage", **stage_numbers(steps, own), test_no_decay=_last(control, "test_accuracy"))
    p, width = config.config.model.p, config.config.model.n_neurons
    run.note("grokking-3-stage", f"p = {p}, {width} neurons, {steps[-1]:,} steps. {_order(decayed)}")
    first = decayed["found"][0]
    stages = GrokkingStages(
        first["stage1_end"], first["stage2_end"], first["test_accuracy_when_memorized"], first["last_step"]
    )
    run.figure(
        "grokking",
        drawing.draw_grokking(steps, first["history"], stages, plain["found"][0]["history"]["test_accuracy"]),
        caption=(
            "Accuracies, losses, inverse participation ratio and norm of one training with its stages; dotted, the "
            "test accuracy without weight decay."
        ),
    )


def _last(found: dict[str, Any], name: str) -> float:
    return float(found["history"][name][-1])


def _order(decayed: dict[str, Any]) -> str:
    """Whether common pairs are memorized before rare ones."""
    ends = []
    for name in ("symmetric_accuracy", "single_accuracy"):
        of_seeds = [_reached(decayed["steps"], one["history"][name]) for one in decayed["found"]]
        ends.append(fmean(of_seeds))
    if any(math.isnan(end) for end in ends):
        return "Not all seeds memorize both the common and the rare training pairs."
    return (
        f"Training pairs both orders of which are trained on reach an accuracy of 0.95 at step {ends[0]:,.0f}, those "
        f"with one order at step {ends[1]:,.0f}."
    )


def _reached(steps: Sequence[int], accuracy: Sequence[float]) -> float:
    return next((float(step) for step, one in zip(steps, accuracy, strict=True) if one >= 0.95), NONE)
