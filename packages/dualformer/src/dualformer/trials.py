"""Single measurements of planners: models that come with the package, or trained for the purpose."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from . import records, runs
from .configs import Mode, RunConfig, SamplingConfig
from .examples import PlanningData
from .metrics import distinct_among, evaluate
from .planner import Planner
from .records import Record
from .tokenizer import make_tokenizer
from .training import Trainer
from .transformer import EncoderDecoder, make_model

FRESH = 1_000
"""Evaluation tasks have seeds from here on; the models that come with the package were trained on seeds below."""
SPARE = 100
"""Further tasks that are generated where layouts are shared: training tasks with the layout of a test task go."""


@dataclass(frozen=True)
class Recipe:
    """How models are trained for a comparison: everything but the shares of the levels, which differ."""

    config: RunConfig
    n_train: int
    is_mixed: bool = False
    """Whether matrix products are computed in bfloat16."""
    is_released: bool = False
    """Whether mazes are drawn as by the released generator, which keeps every success of 100 draws per layout."""


@dataclass(frozen=True)
class Trial:
    """One model, evaluated in some modes on unseen mazes: all that its numbers depend on."""

    model: str
    """`dualformer` for the paper's shares of the levels, or a name of `level_shares`; without a recipe, one of the
    models that come with the package."""
    modes: tuple[Mode, ...]
    size: int
    n_tasks: int
    sampling: SamplingConfig
    recipe: Recipe | None = None
    """How it is trained; None for a model that comes with the package."""
    seed: int = 0
    """Of everything: tasks, training and sampling."""
    folder: str = ""
    """Where tasks and checkpoints of long trainings are kept."""

    def config(self) -> RunConfig:
        """How the model is trained.

        Raises:
            ValueError: if it is one that comes with the package.
        """
        if self.recipe is None:
            raise ValueError("a trial without a recipe has nothing to train")
        config, probs = self.recipe.config, "maze" if self.model == "dualformer" else self.model
        return replace(config, probs=probs, train=replace(config.train, seed=self.seed))


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """For each mode the metrics, and for each task the optimal responses, the steps and the plans of correct ones."""
    train, test = make_tasks(trial)
    planner = runs.load(runs.SHIPPED / trial.model, "cpu") if trial.recipe is None else trained(trial, train, device)
    planner.model.to(device)
    return {mode: _in_mode(trial, planner, test, mode) for mode in trial.modes}


def _in_mode(trial: Trial, planner: Planner, test: Sequence[Record], mode: Mode) -> dict[str, Any]:
    responses = planner.respond([record.task for record in test], mode, replace(trial.sampling, seed=trial.seed))
    report = evaluate(responses, test)
    written = [response.level for of in responses for response in of]
    correct = [[one for one in of if one.solves(record.task)] for of, record in zip(responses, test, strict=True)]
    return {
        **report.to_json(),
        "n_optimal": list(report.n_optimal),
        "levels": {str(level): written.count(level) / len(written) for level in (0, 1, 2, 4)},
        "steps_solved": [float(np.mean([one.trace_clauses for one in of])) if of else None for of in correct],
        "plan_counts": [sorted(Counter(one.plan for one in of).values()) for of in correct],
    }


def paired_steps(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Ratio of the steps of correct responses, each maze that both solve counted once; NaN if there is none."""
    pairs = [
        (a, b) for a, b in zip(one["steps_solved"], other["steps_solved"], strict=True) if None not in (a, b) and b
    ]
    mine, others = (sum(column) for column in zip(*pairs, strict=True)) if pairs else (0.0, 0.0)
    return mine / others if others else float("nan")


def equal_diversity(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[float, float]:
    """Expected different plans among equally many correct responses, on mazes that both solve twice; NaN if none."""
    found = [
        (distinct_among(k, a), distinct_among(k, b))
        for a, b in zip(one["plan_counts"], other["plan_counts"], strict=True)
        if (k := min(sum(a), sum(b))) >= 2
    ]
    mine, others = np.mean(found, 0).tolist() if found else (float("nan"), float("nan"))
    return mine, others


def make_tasks(trial: Trial) -> tuple[list[Record], list[Record]]:
    """Training tasks, none for a model that comes with the package, and unseen ones with other layouts."""
    made = records.load_jsonl(data_file(trial)) if trial.folder and trial.recipe else list(_made(trial))
    test, rest = made[: trial.n_tasks], made[trial.n_tasks :]
    if trial.recipe is None:
        return [], test
    layouts = {records.board(record.task).layout for record in test}
    return [record for record in rest if records.board(record.task).layout not in layouts][: trial.recipe.n_train], test


def _made(trial: Trial, workers: int | None = 1) -> Iterator[Record]:
    """The tasks of a trial: those to test on, and then those to train on."""
    recipe, seed = trial.recipe, FRESH + trial.seed
    if recipe is None or not recipe.is_released:
        n = trial.n_tasks + (recipe.n_train if recipe else 0)
        return records.generate_many("maze", trial.size, n, seed=seed, workers=workers)
    n = trial.n_tasks + recipe.n_train + SPARE
    return records.generate_many("maze", trial.size, n, seed=seed, workers=workers, options={"tasks_per_layout": None})


def data_file(trial: Trial) -> Path:
    """File of the tasks of a long training, the same for all models of a seed."""
    return Path(trial.folder) / f"maze-{trial.size}-{trial.seed}.jsonl"


def prepare(trials: Sequence[Trial]) -> None:
    """Generate the tasks of long trainings that are not on disk yet, on all cores."""
    for trial in trials:
        if trial.folder and trial.recipe is not None and not data_file(trial).is_file():
            records.save_jsonl(_made(trial, workers=None), data_file(trial))


def trained(trial: Trial, train: Sequence[Record], device: str) -> Planner:
    """The planner that the trial's recipe trains."""
    config, tokenizer = trial.config(), make_tokenizer("maze", trial.size, trial.size)
    data = PlanningData(train, tokenizer, config.dropper("maze"), seed=trial.seed)
    model = make_model(config.network(len(tokenizer.vocab)), trial.seed).to(device)
    checkpoint = Path(trial.folder) / f"{trial.model}-{trial.seed}.safetensors" if trial.folder else None
    learner = _Mixed(model) if trial.recipe and trial.recipe.is_mixed else model
    Trainer(learner, data, config.train, checkpoint=checkpoint, checkpoint_every=1000).fit()
    return Planner(model, tokenizer)


class _Mixed(nn.Module):
    """A model under bfloat16 autocast, without Fabric: `run.map` has assigned the devices already."""

    def __init__(self, model: EncoderDecoder) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        prompt: Int[Tensor, "batch prompt"],
        prompt_mask: Bool[Tensor, "batch prompt"],
        target: Int[Tensor, "batch length"],
    ) -> Float[Tensor, "batch length vocab"]:
        with torch.autocast(prompt.device.type, torch.bfloat16):
            return self.model(prompt, prompt_mask, target)
