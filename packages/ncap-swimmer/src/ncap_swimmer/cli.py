"""The command line `ncap-swimmer`."""

import sys
from pathlib import Path
from typing import Literal

from separata import cli

from .configs import PolicyConfig, RunConfig
from .paper import PAPER


def train(
    config: RunConfig,
    *,
    out: Path,
    workers: int = 1,
    device: Literal["auto", "cpu", "cuda"] = "cpu",
    resume: bool = False,
) -> None:
    """Train a policy.

    The folder of the run gets its weights (model.safetensors), settings (config.json), learning curve (history.csv,
    learning-curve.svg) and a checkpoint.

    Args:
        config: Policy, task and learning algorithm.
        out: Folder of the run.
        workers: Processes that simulate.
        device: Device of the networks of PPO and DDPG; small ones are fastest on the CPU.
        resume: Continue from the checkpoint in the folder; only --steps, --patience and --until may differ.
    """
    from . import runs

    swimmer, result = runs.train_on_disk(config, out, workers=workers, device=device, resume=resume)
    if warning := runs.warning(result.history):
        print(f"warning: {warning}", file=sys.stderr)
    print(f"return {result.history[-1].test_return:.1f} after {result.history[-1].steps} steps; {swimmer.describe()}")


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
    from . import rollouts, runs

    if not init and (policy or task):
        raise ValueError("--policy and --task are for an untrained policy: also give --init")
    config = PolicyConfig(policy or "ncap", task or "swim", seed=seed)
    swimmer = runs.choose(run, init=init, config=config, n_links=n_links)
    swimmer.answer(rollouts.evaluate(swimmer.policy, swimmer.env(), episodes, seed)).show(as_json=json)


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
    from separata import files, plots

    from . import runs, traces
    from .policies import CircuitPolicy

    swimmer = runs.choose(run, init=init, config=PolicyConfig(), n_links=n_links)
    path = out or (run or Path()) / "trace.npz"
    traces.check(path)
    files.check_writable(path.with_suffix(".svg") if plot else None)
    recorded = traces.record(swimmer.policy, swimmer.env(), seed)
    recorded.save(path)
    if plot:
        plots.save(traces.plot(recorded), path.with_suffix(".svg"))
    print(f"{len(recorded.rewards)} steps, return {recorded.rewards.sum():.1f}, in {path}")
    if isinstance(swimmer.policy, CircuitPolicy):
        print(traces.describe(recorded, swimmer.policy.circuit.period))


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

    swimmer = runs.choose(run, init=init, config=PolicyConfig(), n_links=n_links)
    exports.write(swimmer.policy, swimmer.env(), out, phase, property)
    print(f"{swimmer.describe()}, in {out}")


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
    from separata import files

    from . import rendering, video

    video.check(out, seconds, height, width)
    rendering.choose_renderer()
    from . import runs

    swimmer = runs.choose(run, init=init, config=PolicyConfig(), n_links=n_links)
    files.check_writable(out)
    env = swimmer.env()
    few = video.STRIP if out.suffix == ".png" else None
    pictures = video.frames(
        swimmer.policy, env, seed=seed, first=video.FIRST, seconds=seconds, n=few, height=height, width=width
    )
    video.write(pictures, out, env.metadata["render_fps"])
    print(f"{swimmer.describe()}, in {out}")


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [train, evaluate, trace, export, render])
