"""Trainings on disk: a folder with the policy, its settings, its learning curve and a checkpoint to go on from."""

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import nn

from separata import files
from separata.progress import Reporter, stopped
from separata.run import Compute

from .learning import Learner, Point, Schedule, TrainResult, learn
from .policies import CircuitPolicy, count_parameters
from .settings import PolicySettings, Training, read

if TYPE_CHECKING:
    from .environments import Task

CONFIG, POLICY, HISTORY, CURVE, CHECKPOINT = (
    "config.json",
    "policy.safetensors",
    "history.csv",
    "learning-curve.svg",
    "checkpoint.pt",
)
NAMES = {"ncap": "circuit", "mlp": "MLP", "random": "random torques"}
ALGORITHMS = {"es": "ES", "ppo": "PPO", "ddpg": "DDPG"}


@dataclass(frozen=True)
class Trained:
    """A policy that a training left, or one before any training."""

    settings: PolicySettings
    policy: nn.Module

    def for_body(self, n_links: int | None) -> "Trained":
        """The same policy for another body."""
        moved = self.settings.fit(self.policy, n_links)
        return Trained(replace(self.settings, n_links=n_links or self.settings.n_links), moved)

    def env(self, render_mode: str | None = None) -> Any:  # noqa: ANN401 (a SwimmerEnv; loading it loads MuJoCo)
        """The environment that it is for."""
        from .environments import DESIRED_SPEED, make_env

        speed = getattr(self.settings, "desired_speed", DESIRED_SPEED)
        return make_env(
            cast("Task", self.settings.task), self.settings.n_links, desired_speed=speed, render_mode=render_mode
        )

    def describe(self) -> str:
        """In a few words."""
        kind = NAMES[self.settings.policy]
        weights = ""
        if isinstance(self.policy, CircuitPolicy) and self.policy.circuit.share:
            weights = ": " + ", ".join(f"{name} {value:.4g}" for name, value in self.policy.circuit.weights().items())
        return f"{kind} with {count_parameters(self.policy)} parameters{weights}"


def train(
    training: Training, out: Path, *, workers: int = 1, device: str = "cpu", resume: bool = False
) -> tuple[Trained, TrainResult]:
    """Train as set, and keep everything in a folder from the first test on.

    Raises:
        ValueError: if a setting is wrong, the folder holds another training, or the training diverges.
    """
    if workers < 1:
        raise ValueError(f"there must be at least 1 worker, not {workers}")
    if device != "cpu" and training.algo == "es":
        raise ValueError("evolution runs on the CPU: the device is for the networks of ppo and ddpg")
    device = str(Compute(device).torch_device)
    schedule = Schedule(training.steps, training.test_every, training.test_episodes, patience=training.patience)
    policy = training.build_policy()
    _claim(training, out, resume=resume)
    learner = training.learner(policy, workers, device)
    try:
        history = _resume(learner, out) if resume and (out / CHECKPOINT).is_file() else []
        files.make_writable(out)
        files.write_json(out / CONFIG, asdict(training))
        result = _learn(training, learner, schedule, history, out)
    finally:
        learner.close()
    _draw(training, result.history, out)
    return Trained(training, policy), result


def warning(history: Sequence[Point]) -> str | None:
    """What is suspicious about a learning curve, in a sentence."""
    first, last = history[0].test_return, history[-1].test_return
    if last < first / 2:
        return f"the return fell from {first:.1f} to {last:.1f} during training; a smaller learning rate may help"
    return None


def _learn(training: Training, learner: Learner, schedule: Schedule, history: list[Point], out: Path) -> TrainResult:
    reporter = Reporter()
    kind, algorithm = NAMES[training.policy], ALGORITHMS[training.algo]
    reporter.say(f"{training.task}, {training.n_links} links: {kind}, {algorithm}, {training.steps} steps, to {out}")
    curve = list(history)

    def keep(point: Point, learner: Learner) -> None:
        curve.append(point)
        files.write_text(out / HISTORY, history_csv(curve))
        files.save_tensors(out / POLICY, learner.policy.state_dict())
        save_checkpoint(out / CHECKPOINT, learner, curve)
        trained = "" if math.isnan(point.train_return) else f", {point.train_return:.0f} while learning"
        reporter.say(f"  {point.steps} steps, {point.seconds:.0f} s: return {point.test_return:.1f}{trained}")

    with _progress(reporter, learner.steps, training.steps) as advance:
        try:
            # What overflows ends as an error below, and needs no warning before it.
            with np.errstate(over="ignore", invalid="ignore"):
                return learn(learner, training.env, schedule, history=history, on_point=keep, on_advance=advance)
        except KeyboardInterrupt:
            reporter.say(f"Stopped; {out} has everything up to the last test. Continue with: {stopped()}")
            raise
        except (ValueError, RuntimeError) as error:
            if not _is_divergence(error, learner.policy):
                raise
            raise ValueError(
                f"the training diverged after {learner.steps} steps: its numbers are no longer finite; {out} has "
                "everything up to the last test; try a smaller learning rate, sigma or std"
            ) from error


def _is_divergence(error: Exception, policy: nn.Module) -> bool:
    """Whether an error comes of numbers that are too large: each library complains of them in its own way."""
    is_finite = all(parameter.isfinite().all() for parameter in policy.parameters())
    return not is_finite or "overflow" in str(error) or "not finite" in str(error)


@contextmanager
def _progress(reporter: Reporter, done: int, total: int) -> Iterator[Any]:
    """A bar that counts environment steps, in thousands."""
    bar = reporter.track(range(math.ceil((total - done) / 1000)), "thousand steps")
    shown = 0
    next(bar, None)

    def advance(steps: int) -> None:
        nonlocal shown
        while shown < (steps - done) // 1000:
            next(bar, None)
            shown += 1

    try:
        yield advance
    finally:
        if hasattr(bar, "close"):
            bar.close()


def save_checkpoint(path: Path, learner: Learner, history: list[Point]) -> None:
    """Write what a learner goes on from, whole or not at all."""
    with files.replacing(path) as part:
        torch.save({"learner": learner.state(), "history": [astuple(point) for point in history]}, part)


def _resume(learner: Learner, out: Path) -> list[Point]:
    path = out / CHECKPOINT
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        learner.restore(saved["learner"])
        return [Point(*values) for values in saved["history"]]
    except Exception as error:  # noqa: BLE001 (whatever a damaged file causes)
        raise ValueError(
            f"{path} is not a whole checkpoint of this training ({type(error).__name__}); train anew in another folder"
        ) from None


def _claim(training: Training, out: Path, *, resume: bool) -> None:
    """See that the folder is free, or holds the training to go on with."""
    if not (out / CONFIG).exists():
        if out.is_file():
            raise ValueError(f"{out} is a file; name a folder")
        return
    if not resume:
        raise ValueError(f"{out} already holds a training; continue it with --resume, or choose another folder")
    earlier = asdict(read(out / CONFIG))
    changed = [
        name for name, value in asdict(training).items() if earlier[name] != value and name not in {"steps", "patience"}
    ]
    if changed:
        raise ValueError(f"the training in {out} was begun with another {' and '.join(changed)}; resume with the same")


def history_csv(history: list[Point]) -> str:
    """A learning curve as a table; cells that are not a number are empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Point)])
    writer.writerows([["" if math.isnan(value) else f"{value:.10g}" for value in astuple(point)] for point in history])
    return text.getvalue()


def _draw(training: Training, history: list[Point], out: Path) -> None:
    from separata import plots

    rows = [{"return": point.test_return, "steps": float(point.steps)} for point in history]
    figure = plots.curves(
        rows,
        "return",
        x="steps",
        xlabel="environment steps",
        ylabel="return of an episode",
        title=f"{NAMES[training.policy]}, {ALGORITHMS[training.algo]}",
    )
    with files.replacing(out / CURVE) as part:
        figure.savefig(part, bbox_inches="tight")


def load(run: Path) -> Trained:
    """What a training left.

    Raises:
        FileNotFoundError: if the folder holds no training.
        ValueError: if a file is damaged, or is not that of these settings.
    """
    if not (run / CONFIG).is_file():
        raise FileNotFoundError(f"{run} holds no training: there is no {CONFIG} in it")
    training = read(run / CONFIG)
    policy = training.build_policy()
    tensors, _ = files.load_tensors(run / POLICY)
    expected = {name: tensor.shape for name, tensor in policy.state_dict().items()}
    if {name: tensor.shape for name, tensor in tensors.items()} != expected:
        raise ValueError(f"{run / POLICY} does not hold the weights of the {NAMES[training.policy]} in {CONFIG}")
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise ValueError(f"{run / POLICY} holds weights that are not finite")
    policy.load_state_dict(tensors)
    return Trained(training, policy)


def choose(run: Path | None, *, init: bool, settings: PolicySettings, n_links: int | None) -> Trained:
    """The policy of a run, or with `init` an untrained one, for a body.

    Raises:
        ValueError: if neither or both are asked for, or the policy does not fit the body.
    """
    if (run is None) != init:
        raise ValueError("name the folder of a training, or give --init for an untrained policy")
    if run is not None:
        return load(run).for_body(n_links)
    settings = replace(settings, n_links=n_links or settings.n_links)
    return Trained(settings, settings.build())


def evaluate(trained: Trained, episodes: int, seed: int) -> dict[str, Any]:
    """Returns of test episodes, as plain values."""
    from .rollouts import evaluate as run_episodes

    result = run_episodes(trained.policy, trained.env(), episodes, seed)
    low, high = result.ci
    return {
        "policy": trained.settings.policy,
        "task": trained.settings.task,
        "n_links": trained.settings.n_links,
        "parameters": count_parameters(trained.policy),
        "episodes": episodes,
        "mean": result.mean,
        "std": result.std if episodes > 1 else None,
        "ci95": None if math.isnan(low) else [low, high],
        "returns": list(result.returns),
    }


def show(found: dict[str, Any], *, as_json: bool) -> str:
    """An evaluation for a program or a person."""
    if as_json:
        return json.dumps(found, indent=2)
    spread = ""
    if found["ci95"] is not None:
        low, high = found["ci95"]
        spread = f" ± {found['std']:.1f} (95 % confidence interval of the mean: {low:.1f} to {high:.1f})"
    rows = [f"  episode {i}: {value:.1f}" for i, value in enumerate(cast("list[float]", found["returns"]))]
    kind = NAMES[found["policy"]]
    head = f"{found['task']}, {found['n_links']} links, {kind} with {found['parameters']} parameters"
    return "\n".join([head, *rows, f"return {found['mean']:.1f}{spread}"])
