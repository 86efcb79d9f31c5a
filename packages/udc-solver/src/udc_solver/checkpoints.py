"""Trained solvers in one file each: those that come with the package, and your own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from separata import configs, files
from separata.runs import RunFolder

from .configs import SolverConfig, TrainConfig
from .solver import UDC, device_of, make_solver

SHIPPED = Path(__file__).parent / "weights"
"""The files that come with the package, `<problem>.safetensors`."""
SETTINGS, RECIPE, METRICS = "solver", "train", "metrics"
"""What the metadata of a file hold, as JSON: settings of the solver and of its training, and its measurements."""


def pretrained() -> tuple[str, ...]:
    """The problems whose trained solvers come with the package."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.safetensors")))


def from_pretrained(name: str, device: str = "auto") -> UDC:
    """The trained solver of a problem that comes with the package.

    Args:
        name: Of the problem.
        device: `auto` (a GPU if there is one), `cpu` or `cuda`.

    Raises:
        ValueError: if there is none; the sentence lists those there are.
    """
    if name not in pretrained():
        known = ", ".join(pretrained()) or "none"
        raise ValueError(f"no trained solver of {name} comes with the package (there are: {known}); train one")
    return unpack(SHIPPED / f"{name}.safetensors", device)


def pack(folder: Path | str, path: Path | str, metrics: Mapping[str, float] | None = None) -> None:
    """Write the solver of a training as one file, in half precision, with its settings.

    Args:
        folder: Of a training that has ended.
        path: A .safetensors file.
        metrics: What the solver was measured at, by name.

    Raises:
        FileNotFoundError: if there is no training, or it has not ended.
        ValueError: if its files are damaged.
        PermissionError: if the file cannot be written.
    """
    run = RunFolder.open(folder)
    settings, recipe = run.config(SolverConfig, SETTINGS), run.config(TrainConfig, RECIPE)
    solver = make_solver(settings)
    run.load_weights(solver)
    tensors = {
        name: value.half() if value.is_floating_point() else value for name, value in solver.state_dict().items()
    }
    held = {SETTINGS: configs.plain(settings), RECIPE: configs.plain(recipe), METRICS: dict(metrics or {})}
    files.save_tensors(Path(path), tensors, {name: json.dumps(value) for name, value in held.items()})


def unpack(path: Path | str, device: str = "auto") -> UDC:
    """The solver of a file that `pack` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, or of another kind.
    """
    path = Path(path)
    tensors, metadata = files.load_tensors(path)
    solver = make_solver(configs.from_plain(SolverConfig, _part(metadata, SETTINGS, path), path))
    if not all(value.isfinite().all() for value in tensors.values()):
        raise ValueError(f"{path} holds weights that are not finite")
    try:
        solver.load_state_dict({name: _full(value) for name, value in tensors.items()})
    except RuntimeError:
        raise ValueError(f"{path} holds the weights of another solver than its settings describe") from None
    return solver.to(device_of(device)).eval()


def recipe_of(path: Path | str) -> dict[str, Any]:
    """How the solver of a file was trained, and what it was measured at.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, or of another kind.
    """
    _, metadata = files.load_tensors(Path(path))
    return {name: _part(metadata, name, Path(path)) for name in (SETTINGS, RECIPE, METRICS)}


def _part(metadata: Mapping[str, str], name: str, path: Path) -> Any:  # noqa: ANN401 - what JSON holds
    try:
        return json.loads(metadata[name])
    except (KeyError, ValueError):
        raise ValueError(f"{path} does not hold a solver: it says nothing of its {name}") from None


def _full(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value
