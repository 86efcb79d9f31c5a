"""The command line `ncap-swimmer`."""

import sys
from pathlib import Path
from typing import Literal

from separata import cli

from .paper import PAPER


def train(
    *,
    out: Path,
    policy: Literal["ncap", "mlp"] = "ncap",
    algo: Literal["es", "ppo", "ddpg"] = "es",
    task: Literal["swim", "navigate"] = "swim",
    n_links: int = 6,
    steps: int = 500_000,
    seed: int = 0,
    workers: int = 1,
    device: Literal["auto", "cpu", "cuda"] = "cpu",
    hidden: tuple[int, ...] = (256, 256),
    period: int = 60,
    share: bool = True,
    signed: bool = True,
    init: Literal["constant", "uniform"] = "constant",
    proprioception: bool = True,
    oscillator: bool = True,
    steering: Literal["fixed", "learned"] = "fixed",
    desired_speed: float = 0.1,
    learning_rate: float | None = None,
    population: int | None = None,
    sigma: float | None = None,
    segment: int | None = None,
    std: float | None = None,
    warmup: int | None = None,
    test_every: int = 20_000,
    test_episodes: int = 5,
    patience: int | None = None,
    resume: bool = False,
) -> None:
    """Train a policy.

    The folder of the run gets its weights (policy.safetensors), settings (config.json), learning curve (history.csv,
    learning-curve.svg) and a checkpoint.

    Args:
        out: Folder of the run.
        policy: Policy to train: the circuit (ncap) or a multilayer perceptron (mlp).
        algo: Learning algorithm.
        task: Task to learn.
        n_links: Links of the body, at least 3; one more than joints.
        steps: Environment steps to train for.
        seed: Seed of the initial weights, the exploration and the initial states.
        workers: Processes that simulate.
        device: Device of the networks of PPO and DDPG; small ones are fastest on the CPU.
        hidden: Widths of the MLP's hidden layers.
        period: Period of the circuit's oscillator in steps of 30 ms; must be even.
        share: Share the circuit's weights along the body; with --no-share each joint and side has its own.
        signed: Constrain the circuit's weights to the sign of their synapse; with --no-signed they may take any.
        init: Initial weights of the circuit: +1 and -1 (constant), or drawn between 0 and those (uniform).
        proprioception: Let each joint sense the joint before it; --no-proprioception is an ablation.
        oscillator: Drive the head with the oscillator; --no-oscillator is an ablation.
        steering: How a navigating circuit turns the target into commands: the paper's rule, or a learned linear map.
        desired_speed: Speed from which swim pays its full reward, in m/s.
        learning_rate: Learning rate of the policy; by default the one tuned for policy and algorithm.
        population: Population size of ES; must be even.
        sigma: Standard deviation of the perturbations of ES.
        segment: Steps between two updates of PPO; must be a multiple of 8.
        std: Initial standard deviation of the actions of PPO.
        warmup: Steps of random torques before DDPG begins to learn.
        test_every: Steps between two tests of the policy without exploration.
        test_episodes: Episodes of each test.
        patience: Stop at a plateau: when no test has exceeded the best so far by 1 % for this many steps.
        resume: Continue from the checkpoint in the folder; only --steps and --patience may differ.
    """
    from . import runs
    from .settings import Training

    training = Training(
        policy=policy,
        task=task,
        n_links=n_links,
        hidden=tuple(hidden),
        period=period,
        share=share,
        signed=signed,
        init=init,
        proprioception=proprioception,
        oscillator=oscillator,
        steering=steering,
        seed=seed,
        algo=algo,
        steps=steps,
        desired_speed=desired_speed,
        learning_rate=learning_rate,
        population=population,
        sigma=sigma,
        segment=segment,
        std=std,
        warmup=warmup,
        test_every=test_every,
        test_episodes=test_episodes,
        patience=patience,
    )
    trained, result = runs.train(training, out, workers=workers, device=device, resume=resume)
    if warning := runs.warning(result.history):
        print(f"warning: {warning}", file=sys.stderr)
    print(f"return {result.history[-1].test_return:.1f} after {result.history[-1].steps} steps; {trained.describe()}")


def evaluate(
    run: Path | None = None,
    /,
    *,
    init: bool = False,
    policy: Literal["ncap", "mlp", "random"] | None = None,
    task: Literal["swim", "navigate"] | None = None,
    n_links: int | None = None,
    episodes: int = 10,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Measure the return of a policy, on its own body or another.

    Args:
        run: Folder that train wrote.
        init: Evaluate an untrained policy instead of a run.
        policy: Untrained policy to evaluate; the circuit (ncap) if not given.
        task: Task of the untrained policy; swim if not given.
        n_links: Links of the body; those of the run, or 6, if not given.
        episodes: Number of episodes.
        seed: Seed of the initial states, and of the untrained policy.
        json: Print as JSON.
    """
    from . import runs
    from .settings import PolicySettings

    if not init and (policy or task):
        raise ValueError("--policy and --task are for an untrained policy: also give --init")
    settings = PolicySettings(policy=policy or "ncap", task=task or "swim", seed=seed)
    trained = runs.choose(run, init=init, settings=settings, n_links=n_links)
    print(runs.show(runs.evaluate(trained, episodes, seed), as_json=json))


def trace(
    run: Path | None = None,
    /,
    *,
    init: bool = False,
    n_links: int | None = None,
    out: Path | None = None,
    plot: bool = False,
    seed: int = 0,
) -> None:
    """Record joints, neurons and muscles over one episode, and measure the travelling wave.

    Args:
        run: Folder that train wrote.
        init: Trace the untrained circuit instead of a run.
        n_links: Links of the body; those of the run, or 6, if not given.
        out: File to write, .npz; trace.npz in the folder of the run, or in this folder, if not given.
        plot: Also draw an excerpt, as .svg beside it.
        seed: Seed of the initial state.
    """
    from separata import files

    from . import runs, traces
    from .policies import CircuitPolicy
    from .settings import PolicySettings

    trained = runs.choose(run, init=init, settings=PolicySettings(), n_links=n_links)
    path = out or (run or Path()) / "trace.npz"
    recorded = traces.record(trained.policy, trained.env(), seed)
    recorded.save(path)
    if plot:
        with files.replacing(path.with_suffix(".svg")) as part:
            traces.plot(recorded).savefig(part, bbox_inches="tight")
    print(f"{len(recorded.rewards)} steps, return {recorded.rewards.sum():.1f}, in {path}")
    if isinstance(trained.policy, CircuitPolicy):
        wave = traces.wave(recorded, trained.policy.circuit.period)
        print(f"each joint follows the one before it by {', '.join(map(str, wave.lags))} steps of 30 ms")


def export(
    run: Path | None = None,
    /,
    *,
    out: Path,
    init: bool = False,
    n_links: int | None = None,
    phase: Literal["dorsal", "ventral"] | None = None,
    property: Path | None = None,  # noqa: A002 (an option's name)
) -> None:
    """Write a policy as ONNX, from an observation to torques.

    Args:
        run: Folder that train wrote.
        out: File to write, .onnx.
        init: Export the untrained circuit instead of a run.
        n_links: Links of the body; those of the run, or 6, if not given.
        phase: Side at which to hold the circuit's oscillator; writes linear layers and ReLUs, for network verifiers.
        property: With --phase, file for a property to verify, .vnnlib: bending the head gives no wrong torque behind.
    """
    from . import exports, runs
    from .settings import PolicySettings

    trained = runs.choose(run, init=init, settings=PolicySettings(), n_links=n_links)
    exports.write(trained.policy, trained.env(), out, phase, property)
    print(f"{trained.describe()}, in {out}")


def render(
    run: Path | None = None,
    /,
    *,
    out: Path,
    init: bool = False,
    n_links: int | None = None,
    seconds: float = 6.0,
    width: int = 280,
    height: int = 280,
    seed: int = 0,
) -> None:
    """Draw the swim from above, as a video or a strip of pictures.

    Args:
        run: Folder that train wrote.
        out: File to write: .gif, .mp4 (needs the extra video), or .png for a strip of six pictures.
        init: Draw the untrained circuit instead of a run.
        n_links: Links of the body; those of the run, or 6, if not given.
        seconds: Length, from the third second of the episode on.
        width: Width of a picture in pixels.
        height: Height of a picture in pixels.
        seed: Seed of the initial state.
    """
    from . import video

    video.check(out, seconds, height, width)
    video.choose_renderer()
    from . import runs
    from .settings import PolicySettings

    trained = runs.choose(run, init=init, settings=PolicySettings(), n_links=n_links)
    env = trained.env()
    pictures = video.frames(trained.policy, env, seed=seed, first=100, seconds=seconds, height=height, width=width)
    video.write(pictures, out, env.metadata["render_fps"])
    print(f"{trained.describe()}, in {out}")


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [train, evaluate, trace, export, render])
