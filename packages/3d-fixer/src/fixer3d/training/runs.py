"""Trainings on disk: a folder for each stage, with all networks that were trained so far."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from fixer3d.configs import ModelConfig, SamplerConfig, Stage, TrainConfig
from fixer3d.network.model import FixerModel
from fixer3d.scenes.dataset import fingerprint, scene_folders
from separata import configs
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import CONFIG, RunFolder

from .building import encode_examples, load_voxels, measure_latents, occupancy_examples
from .examples import ExampleSource, OccupancyExamples
from .stages import PRIORS, STARTS_FROM, make_loss, phases, relying_on
from .textures import texture_sources
from .trainer import Trainer

HELD_OUT = 0.05
"""Share of the examples that the validation loss is measured on."""
N_MEASURED = 512
"""Grids on which the latents are normalized."""


@dataclass(frozen=True)
class Result:
    """How a training ended."""

    out: Path
    stage: str
    row: dict[str, float]
    n_parameters: int

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        row = {key: value if math.isfinite(value) else None for key, value in self.row.items()}
        return {"out": str(self.out), "stage": self.stage, **row, "n_parameters": self.n_parameters}

    def summary(self) -> str:
        """For people."""
        losses = ", ".join(f"{key.replace('_', ' ')} {value:.4f}" for key, value in self.row.items() if "loss" in key)
        return f"{self.stage}: {losses} after {self.row['step']} steps; {self.n_parameters:,} parameters in {self.out}"


def train_stage(
    stage: Stage,
    data: Path,
    config: TrainConfig,
    out: Path,
    *,
    model: ModelConfig | None = None,
    start_from: Path | None = None,
    max_scenes: int | None = None,
    device: str = "auto",
    resume: bool = False,
) -> Result:
    """Train a stage on a folder of scenes.

    Nothing is written before the settings are checked and the data is read.

    Args:
        stage: The stage.
        data: Folder of scenes, as `3d-fixer scenes generate` writes it.
        config: How it is trained.
        out: Folder for the networks: those of the stages before, and this one's.
        model: Sizes; those of the stage before if there is one.
        start_from: Folder of the stage before.
        max_scenes: Scenes to use, from the first.
        device: Where to compute.
        resume: Go on with an interrupted training in the same folder.

    Raises:
        ValueError: if a setting is wrong, the folder holds another training, or the stage before has stages after it
            that this one would spoil.
        FileNotFoundError: if there is no scene, or no stage before.
    """
    target = Compute(device).torch_device
    networks = _begin(stage, model, start_from, config.seed)
    found = scene_folders(data)[:max_scenes]
    described = {
        "stages": [*_stages_before(start_from), stage],
        "model": configs.plain(networks.config),
        "train": configs.plain(config),
        "data": [str(data), len(found), fingerprint(found)],
        "start_from": None if start_from is None else str(start_from),
        "version": version("3d-fixer"),
    }
    folder = RunFolder.begin(out, described, resume=resume)
    reporter = Reporter()
    networks.to(target)
    examples, held_out = _examples(stage, found, networks, config, reporter)
    networks.train()
    row = _fit(stage, networks, examples, held_out, config, folder, reporter)
    if stage == "vae":
        assert isinstance(examples, OccupancyExamples)  # noqa: S101 - for the type checker
        measure_latents(networks, examples.occupancy[:N_MEASURED])
    folder.save_weights(networks, torch.float16)
    return Result(out, stage, row, sum(one.numel() for one in networks.parameters()))


def _begin(stage: Stage, model: ModelConfig | None, start_from: Path | None, seed: int) -> FixerModel:
    """The networks as a training finds them."""
    before = STARTS_FROM[stage]
    torch.manual_seed(seed)
    if before is None:
        if start_from is not None:
            raise ValueError(f"the stage {stage} is the first; it does not start from another")
        return FixerModel(model or ModelConfig(), ())
    if start_from is None:
        raise ValueError(f"the stage {stage} starts from the stage {before}; name its folder with --start-from")
    if before not in (trained := trained_stages(start_from)):
        raise ValueError(f"{start_from} does not hold the stage {before}, from which {stage} starts")
    if later := [one for one in trained if one in relying_on(stage)]:
        raise ValueError(
            f"{start_from} already holds {', '.join(later)}, which would no longer fit its prior after the stage "
            f"{stage}; start {stage} from a folder without"
        )
    networks = load_networks(start_from)
    if model is not None and replace(model, scene_branch=networks.config.scene_branch) != networks.config:
        raise ValueError(f"the networks in {start_from} are of other sizes than those that were asked for")
    if stage == "texture":
        networks.add_texturer()
    return networks


def _stages_before(folder: Path | None) -> list[str]:
    return [] if folder is None else trained_stages(folder)


def trained_stages(folder: Path | str) -> list[str]:
    """The stages of a folder, in the order in which they were trained.

    Raises:
        FileNotFoundError: if it holds no training.
        ValueError: if its configuration is damaged.
    """
    run = RunFolder.open(folder)
    stages = run.values().get("stages")
    if not isinstance(stages, list):
        raise ValueError(f"{run.path / CONFIG} does not hold the settings of a fixer")
    return [str(stage) for stage in stages]


def load_networks(folder: Path | str) -> FixerModel:
    """The networks of a folder, on the CPU.

    Raises:
        FileNotFoundError: if there is no training, or it has not ended.
        ValueError: if a file is damaged.
    """
    run = RunFolder.open(folder)
    config = run.config(ModelConfig, "model")
    stages = trained_stages(folder)
    controls = tuple(stage for stage in stages if stage in ("control-pre", "coarse", "fine"))
    networks = FixerModel(config, controls, texture="texture" in stages)
    run.load_weights(networks)
    samplers = run.values().get("samplers", {})
    if not isinstance(samplers, dict):
        raise ValueError(f"{run.path / CONFIG} does not hold the settings of a fixer")
    networks.samplers = {
        name: configs.from_plain(SamplerConfig, one, run.path / CONFIG) for name, one in samplers.items()
    }
    return networks.float().eval()


def save_networks(networks: FixerModel, folder: Path | str) -> None:
    """Write networks to a folder, from which `load_networks` reads them.

    Raises:
        ValueError: if the folder holds a training.
    """
    textures = [] if networks.texturer is None else ["texture"]
    described = {
        "stages": ["vae", "prior", *networks.stages, *textures],
        "model": configs.plain(networks.config),
        "samplers": {name: configs.plain(sampler) for name, sampler in networks.samplers.items()},
    }
    RunFolder.save(folder, described, networks, torch.float16)


def _examples(
    stage: Stage,
    folders: Sequence[Path],
    networks: FixerModel,
    config: TrainConfig,
    reporter: Reporter,
) -> tuple[ExampleSource[Any], ExampleSource[Any] | None]:
    """Examples for training, and held-out ones if there are enough."""
    sizes = networks.config.vae.resolution, networks.config.encoder.image_size
    voxels = load_voxels(folders, stage, config, *sizes, reporter)
    device = networks.latent_mean.device
    if stage == "texture":
        return texture_sources(networks, voxels, HELD_OUT, config.seed)
    if stage == "vae":
        grids = occupancy_examples(voxels).occupancy
        shuffled = grids[torch.randperm(len(grids), generator=torch.Generator().manual_seed(config.seed))].to(device)
        n = round(HELD_OUT * len(grids))
        kept = OccupancyExamples(shuffled[: len(grids) - n])
        return kept, OccupancyExamples(shuffled[len(grids) - n :]) if n else None
    examples = encode_examples(networks, voxels, with_partial=stage not in PRIORS).to(device)
    n = round(HELD_OUT * len(examples))
    parts = examples.split(n) if n else (examples, None)
    if stage in PRIORS:
        return parts
    return parts[0].with_tokens(networks), None if parts[1] is None else parts[1].with_tokens(networks)


def _fit(
    stage: Stage,
    networks: FixerModel,
    examples: ExampleSource[Any],
    held_out: ExampleSource[Any] | None,
    config: TrainConfig,
    folder: RunFolder,
    reporter: Reporter,
) -> dict[str, float]:
    """Train on disk, and say how it goes; the last row of the history."""
    done, keep = 0, folder.log(reporter)

    def log(row: dict[str, float]) -> None:
        keep(row | {"step": done + row["step"]})

    with folder.training(reporter):
        for phase, part in enumerate(phases(stage, config)):
            trainer = Trainer(
                make_loss(networks, stage, part, phase),
                examples,
                part,
                validation=held_out,
                checkpoint=_checkpoint(folder, phase),
                checkpoint_every=max(1, min(1000, part.steps // 10)),
                log_every=max(1, min(200, part.steps // 40)),
                track=reporter.track,
                log=log,
            )
            folder.history.resume(_until(done + trainer.done))
            n = sum(one.numel() for one in trainer.parameters)
            reporter.say(f"{stage}: {len(examples):,} examples; {n:,} parameters are trained; to {folder.path}")  # type: ignore[arg-type]
            trainer.fit()
            done += part.steps
    return folder.history.rows[-1] if folder.history.rows else {"step": 0, "loss": math.nan}


def _checkpoint(folder: RunFolder, phase: int) -> Path:
    """The progress of a part of a stage; that of the first has the usual name."""
    return folder.checkpoint.with_stem(f"{folder.checkpoint.stem}-{phase}") if phase else folder.checkpoint


def _until(step: int) -> Callable[[dict[str, float]], bool]:
    """Which rows of a history a training that goes on after a step keeps."""
    return lambda row: row["step"] <= step
