"""Swimmers on disk: trainings, which are kept from their first test on, and policies that were saved."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from separata.progress import Reporter
from separata.run import Compute
from separata.runs import CONFIG, RunFolder

from .configs import NAMES, PolicyConfig, RunConfig
from .learning import Learner, Point, TrainResult, learn
from .policies import CircuitPolicy, MLPPolicy, RandomTorques, make_policy
from .swimmers import Swimmer, env_factory
from .training import make_learner

CURVE = "learning-curve.svg"


def train_on_disk(
    config: RunConfig, out: Path, *, workers: int = 1, device: str = "cpu", resume: bool = False
) -> tuple[Swimmer, TrainResult]:
    """Train as configured, and keep everything in a folder from the first test on.

    Raises:
        ValueError: if a setting is wrong, the folder holds another training, or the training diverges.
    """
    policy = make_policy(config)
    folder = RunFolder.begin(out, config, resume=resume, may_change=("steps", "patience", "until"))
    learner = make_learner(policy, env_factory(config), config.algorithm, config.seed, workers, device)
    try:
        history = _restore(learner, folder) if resume else []
        result = _learn(config, learner, folder, history)
    finally:
        learner.close()
    _draw(config, result, out / CURVE)
    return Swimmer(config, policy), result


def save(swimmer: Swimmer, path: Path | str) -> None:
    """Write a policy, trained or not, to a folder that `load` and the commands read.

    Raises:
        ValueError: if the folder already holds one, or `load` would make another policy of the configuration and the
            weights; it names the setting.
    """
    made, kind = make_policy(swimmer.config), NAMES[swimmer.config.policy]
    if type(made) is not type(swimmer.policy):
        raise ValueError(f"the policy is not the {kind} of its configuration")
    own, described = _settings(swimmer.policy), _settings(made)
    if differing := [name for name in described if own.get(name) != described[name]]:
        name = differing[0]
        raise ValueError(
            f"the policy is not the {kind} of its configuration: its {name} is {own.get(name)}, "
            f"not {described[name]} as there"
        )
    weights = swimmer.policy.state_dict()
    if not all(value.isfinite().all() for value in weights.values()):
        raise ValueError("the policy has weights that are not finite")
    try:
        made.load_state_dict(weights)
    except RuntimeError:
        raise ValueError(f"the policy is not the {kind} of its configuration: its weights are others") from None
    RunFolder.save(path, swimmer.config, swimmer.policy)


def _settings(policy: nn.Module) -> dict[str, Any]:
    """What a policy computes with besides its weights, by the names of settings where it is one."""
    if isinstance(policy, CircuitPolicy):
        circuit = policy.circuit
        found = circuit.config() | {"circuit": type(circuit).__name__, "steering": type(policy.steering).__name__}
        found |= {"n_links": found.pop("n_joints") + 1, "limit": policy.limit}
        found |= {"time_feature": policy.time_feature, "episode_steps": policy.episode_steps}
        del found["init"]  # decides the first weights only
    elif isinstance(policy, MLPPolicy):
        found = {"hidden": policy.hidden, "activation": policy.activation}
    elif isinstance(policy, RandomTorques):
        return {"n_links": policy.n_joints + 1}
    else:
        return {}
    return {"precision": next(policy.parameters()).dtype, **found}


def load(path: Path | str, device: str = "auto") -> Swimmer:
    """What a training left, or `save` wrote.

    Args:
        path: The folder.
        device: Where the policy is to be: `auto` (a GPU if there is one), `cpu` or `cuda`.

    Raises:
        FileNotFoundError: if the folder holds none.
        ValueError: if a file is damaged, or is not that of these settings.
    """
    folder = RunFolder.open(path)
    config = folder.config(RunConfig if "algo" in folder.values() else PolicyConfig)
    try:
        policy = make_policy(config)
    except ValueError as error:
        raise ValueError(f"{folder.path / CONFIG} does not hold the settings of a policy: {error}") from None
    folder.load_weights(policy)
    return Swimmer(config, policy.to(Compute(device).torch_device))


def choose(run: Path | None, *, init: bool, config: PolicyConfig, n_links: int | None) -> Swimmer:
    """The policy of a run, or with `init` an untrained one, for a body.

    Raises:
        ValueError: if neither or both are asked for, or the policy does not fit the body.
    """
    if (run is None) != init:
        raise ValueError("name the folder of a training, or give --init for an untrained policy")
    if run is not None:
        swimmer = load(run, "cpu")
        return swimmer if n_links is None else swimmer.for_body(n_links)
    config = config if n_links is None else replace(config, n_links=n_links)
    return Swimmer(config, make_policy(config))


def warning(history: Sequence[Point]) -> str | None:
    """What is suspicious about a learning curve, in a sentence."""
    first, last = history[0].test_return, history[-1].test_return
    if last < first / 2:
        return f"the return fell from {first:.1f} to {last:.1f} during training; a smaller learning rate may help"
    return None


def _restore(learner: Learner, folder: RunFolder) -> list[Point]:
    """Bring the learner to the last checkpoint, if there is one, and give the learning curve until there."""
    try:
        if (state := folder.load_checkpoint()) is not None:
            learner.restore(state)
        folder.history.resume(lambda row: row["steps"] <= learner.steps)
        return [Point(**row) for row in folder.history.rows]  # type: ignore[arg-type] # steps are read as integers
    except Exception as error:  # noqa: BLE001 (whatever a damaged file causes)
        raise ValueError(
            f"{folder.path} does not hold a whole checkpoint of this training and its history "
            f"({type(error).__name__}); train anew in another folder"
        ) from None


def _learn(config: RunConfig, learner: Learner, folder: RunFolder, history: list[Point]) -> TrainResult:
    reporter, out, steps = Reporter(), folder.path, config.train.steps

    def keep(point: Point) -> None:
        folder.history.add(asdict(point))
        folder.save_weights(learner.policy)
        folder.save_checkpoint(learner.state())
        trained = "" if math.isnan(point.train_return) else f", {point.train_return:.0f} while learning"
        reporter.say(f"  {point.steps} steps, {point.seconds:.0f} s: return {point.test_return:.1f}{trained}")

    with folder.training(reporter), _progress(reporter, learner.steps, steps) as advance:
        reporter.say(f"{config.task}, {config.n_links} links: {_title(config)}, {steps} steps, to {out}")
        try:
            # What overflows ends as an error below, and needs no warning before it.
            with np.errstate(over="ignore", invalid="ignore"):
                return learn(
                    learner, env_factory(config), config.train, history=history, on_point=keep, on_advance=advance
                )
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


def _title(config: RunConfig) -> str:
    return f"{NAMES[config.policy]}, {NAMES[config.algo]}"


def _draw(config: RunConfig, result: TrainResult, path: Path) -> None:
    from separata import plots

    figure = plots.curves(
        result.rows(),
        "test_return",
        x="steps",
        xlabel="environment steps",
        ylabel="return of an episode",
        title=_title(config),
    )
    plots.save(figure, path)
