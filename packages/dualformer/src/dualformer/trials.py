"""Single measurements of planners: models that come with the package, or trained for the purpose."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from . import records, runs
from .dropping import TraceDropper, level_shares
from .examples import PlanningData
from .metrics import evaluate
from .planner import Planner
from .records import Record
from .tokenizer import make_tokenizer
from .training import Trainer, Training
from .transformer import EncoderDecoder, EncoderDecoderConfig, build_model

FRESH = 1_000
"""Tasks to measure on have seeds from here on; those that come with the package were trained on seeds below."""


@dataclass(frozen=True)
class Recipe:
    """How models are trained to be compared: everything but the shares of the levels, which are what differs."""

    n_train: int
    dim: int
    layers: int
    heads: int
    training: Training
    is_mixed: bool = False
    """Whether matrix products are in bfloat16."""


@dataclass(frozen=True)
class Trial:
    """One model, measured in some modes on unseen mazes: all that its numbers depend on."""

    model: str
    """Name of shares of levels, `dualformer` for the paper's; or of a model that comes with the package."""
    modes: tuple[str, ...]
    size: int
    n_tasks: int
    samples: int
    recipe: Recipe | None = None
    """How it is trained; none for a model that comes with the package."""
    seed: int = 0
    max_len: int | None = None
    batch_rows: int = 2048
    folder: str = ""
    """Where tasks and checkpoints are kept, for training that is too long to repeat."""

    @property
    def shares(self) -> tuple[float, float, float, float, float]:
        """Shares of the levels of dropping."""
        return level_shares("maze" if self.model == "dualformer" else self.model)


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """For each mode the measures, the optimal responses of each task, and how often each level was written."""
    train, test = tasks_of(trial)
    planner = runs.load(trial.model, device) if trial.recipe is None else trained(trial, train, device)
    return {mode: _in_mode(trial, planner, test, mode) for mode in trial.modes}


def _in_mode(trial: Trial, planner: Planner, test: Sequence[Record], mode: str) -> dict[str, Any]:
    responses = planner.solve_all(
        [record.task for record in test],
        mode,  # type: ignore[arg-type] # it checks the name itself
        trial.samples,
        max_len=trial.max_len,
        generator=torch.Generator().manual_seed(trial.seed),
        batch_rows=trial.batch_rows,
    )
    report = evaluate(responses, test)
    written = [response.level for of in responses for response in of]
    levels = {str(level): written.count(level) / len(written) for level in (0, 1, 2, 4)}
    return {**report.to_json(), "n_optimal": list(report.n_optimal), "levels": levels}


def tasks_of(trial: Trial) -> tuple[list[Record], list[Record]]:
    """Tasks to train on, none for a model that comes with the package, and unseen ones with other layouts."""
    if trial.recipe is None:
        return [], list(records.generate_many("maze", trial.size, trial.n_tasks, seed=FRESH + trial.seed))
    n = trial.n_tasks + trial.recipe.n_train
    if not trial.folder:
        made = list(records.generate_many("maze", trial.size, n, seed=FRESH + trial.seed))
        return made[trial.n_tasks :], made[: trial.n_tasks]
    kept = records.read(data_file(trial))
    return kept[trial.n_tasks :], kept[: trial.n_tasks]


def data_file(trial: Trial) -> Path:
    """Where the tasks of long trainings are kept, the same for all models of a seed."""
    return Path(trial.folder) / f"maze-{trial.size}-{trial.seed}.jsonl"


def prepare(trials: Sequence[Trial]) -> None:
    """Make the tasks of long trainings, on all cores, where they are not on disk yet."""
    for trial in trials:
        if trial.folder and trial.recipe is not None and not data_file(trial).is_file():
            n = trial.n_tasks + trial.recipe.n_train
            made = records.generate_many("maze", trial.size, n, seed=FRESH + trial.seed, workers=None)
            records.write(data_file(trial), made)


def trained(trial: Trial, train: Sequence[Record], device: str) -> Planner:
    """A planner, trained as the trial says."""
    recipe = trial.recipe
    if recipe is None:
        raise ValueError("a trial without a recipe has nothing to train")
    tokenizer = make_tokenizer("maze", trial.size, trial.size)
    training = replace(recipe.training, seed=trial.seed)
    data = PlanningData(train, tokenizer, TraceDropper(trial.shares), seed=trial.seed)
    model = build_model(
        EncoderDecoderConfig(len(tokenizer.vocab), recipe.dim, recipe.layers, recipe.heads), trial.seed
    ).to(device)
    checkpoint = Path(trial.folder) / f"{trial.model}-{trial.seed}.safetensors" if trial.folder else None
    learner = _Mixed(model) if recipe.is_mixed else model
    Trainer(learner, data, training, checkpoint=checkpoint, checkpoint_every=1000).fit()
    return Planner(model, tokenizer)


class _Mixed(nn.Module):
    """A model whose matrix products are in bfloat16, without Fabric: `run.map` has given out the devices already."""

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
