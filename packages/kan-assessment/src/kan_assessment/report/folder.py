"""Report folders: every finished trial is on disk before the next begins, and the report follows from them."""

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kan_assessment.configs import By, RunConfig
from kan_assessment.models.registry import get_family
from kan_assessment.protocol.comparison import Comparison
from kan_assessment.protocol.trials import Trial, run_trial
from separata import configs, files
from separata.progress import Reporter
from separata.runs import RunFolder

from .writing import markdown

REPORT, TABLE = "report.json", "report.md"


def key_of(trial: Trial) -> str:
    """A name for a trial: equal trials have the same, others another."""
    return hashlib.sha256(json.dumps(configs.plain(trial), sort_keys=True).encode()).hexdigest()[:20]


class Trials:
    """Does trials, keeps each result as soon as it is there, and repeats none.

    Args:
        reporter: Shows progress.
        device: Where to compute.
        folder: Where results are kept; nowhere if not given.
    """

    def __init__(self, reporter: Reporter, device: str = "cpu", folder: RunFolder | None = None) -> None:
        self.reporter, self.device, self.folder = reporter, device, folder
        kept = folder.load_checkpoint() if folder else None
        self.done: dict[str, Any] = dict((kept or {}).get("trials", {}))

    def __call__(self, trials: Sequence[Trial]) -> list[dict[str, Any]]:
        """Their results, in order."""
        todo = {key_of(trial): trial for trial in trials}
        todo = {key: trial for key, trial in todo.items() if key not in self.done}
        for key, trial in self.reporter.track(list(todo.items()), f"trials of {trials[0].task}" if trials else ""):
            self.done[key] = run_trial(trial, self.device)
            if self.folder is not None:
                self.folder.save_checkpoint({"trials": self.done})
        return [self.done[key_of(trial)] for trial in trials]


def begin(
    out: Path,
    tasks: Sequence[str],
    models: Sequence[str],
    by: Sequence[By],
    config: RunConfig,
    data: str,
    *,
    resume: bool,
) -> RunFolder:
    """The folder of a new assessment, or of one that goes on. Nothing is written.

    Args:
        out: The folder.
        tasks: Names of the tasks.
        models: Names of the models.
        by: What is equal.
        config: All other settings.
        data: Fingerprint of a file that is assessed.
        resume: Go on with the assessment in the folder.

    Raises:
        ValueError: if it holds an assessment that is not to be resumed, or one with other settings.
    """
    described = {
        "tasks": list(tasks),
        "models": list(models),
        "by": list(by),
        "run": config,
        "data": data,
        "version": version("kan-assessment"),
    }
    return RunFolder.begin(out, described, resume=resume)


def write(out: Path, comparisons: Sequence[Comparison], by: Sequence[By]) -> list[Path]:
    """Write the report: JSON, Markdown, figures.

    Returns:
        What was written.
    """
    from separata import plots

    from .drawing import draw_advantages, draw_pareto

    names = dict.fromkeys(entry.model for one in comparisons for entry in one.entries)
    labels = {name: get_family(name).label or name for name in names}
    figures: dict[str, Any] = {}
    if any(entry.advantage for one in comparisons for entry in one.entries):
        figures["advantages.svg"] = draw_advantages(comparisons, labels, by)
    for number, one in enumerate(comparisons):
        figures[f"pareto-{number}.svg"] = draw_pareto(one, labels)
    written = []
    for name, figure in figures.items():
        plots.save(figure, out / name)
        written.append(out / name)
    files.write_json(out / REPORT, {"comparisons": [one.to_json() for one in comparisons]})
    files.write_text(out / TABLE, markdown(comparisons, labels, by, list(figures)))
    return [out / REPORT, out / TABLE, *written]


def load(path: Path | str) -> list[Comparison]:
    """The comparisons of a report folder, or of its file report.json.

    Raises:
        FileNotFoundError: if there is no report.
        ValueError: if the file is damaged.
    """
    path = Path(path)
    path = path / REPORT if path.is_dir() else path
    value = files.read_json(path)
    if not isinstance(value, dict) or not isinstance(value.get("comparisons"), list):
        raise ValueError(f"{path} is not the report of an assessment")
    return [Comparison.from_json(one) for one in value["comparisons"]]
