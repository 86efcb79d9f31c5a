"""The command line `ncap-swimmer`."""

from pathlib import Path

from separata import cli

from .paper import PAPER


def train(
    *,
    out: Path,
    policy: str = "ncap",
    algo: str = "es",
    task: str = "swim",
    n_links: int = 6,
    steps: int = 500_000,
    seed: int = 0,
    workers: int = 1,
    device: str = "cpu",
    hidden: tuple[int, ...] = (256, 256),
    period: int = 60,
    share: bool = True,
    signed: bool = True,
    init: str = "constant",
    proprioception: bool = True,
    oscillator: bool = True,
    steering: str = "fixed",
    desired_speed: float = 0.1,
    learning_rate: float | None = None,
    population: int | None = None,
    sigma: float | None = None,
    std: float | None = None,
    warmup: int | None = None,
    test_every: int = 20_000,
    test_episodes: int = 5,
    patience: int | None = None,
    resume: bool = False,
) -> None:
    """Train a policy; keep its weights, settings, history.csv, learning curve and checkpoint in a folder.

    Args:
        out: The folder.
        policy: ncap or mlp.
        algo: es, ppo or ddpg.
        task: swim or navigate.
        n_links: Links of the body, at least 3; one more than joints.
        steps: Environment steps, at least.
        seed: Of initial weights, exploration and initial states.
        workers: Processes that act.
        device: cpu or cuda, for the networks of ppo and ddpg.
        hidden: Widths of the perceptron's hidden layers.
        period: Steps of the circuit's oscillation, even.
        share: One circuit weight a kind instead of one a joint and side.
        signed: Hold the circuit's weights to the sign of their synapse.
        init: Of the circuit's weights, constant or uniform.
        proprioception: Let joints feel the joint before them.
        oscillator: Let the head oscillate.
        steering: Of a circuit that navigates, fixed or learned.
        desired_speed: Of swim, in metres a second.
        learning_rate: Of the policy; the algorithm's own if not given.
        population: Of es, even.
        sigma: Of es, the size of perturbations.
        std: Of ppo, the initial spread of actions.
        warmup: Of ddpg, steps of random torques before learning.
        test_every: Steps between tests of the policy without noise.
        test_episodes: Episodes of a test.
        patience: End at a plateau: when no test exceeded the best before by 1 % for so many steps.
        resume: Go on from the checkpoint in the folder; steps and patience may be others than before.
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
        std=std,
        warmup=warmup,
        test_every=test_every,
        test_episodes=test_episodes,
        patience=patience,
    )
    trained, result = runs.train(training, out, workers=workers, device=device, resume=resume)
    print(f"return {result.history[-1].test_return:.1f} after {result.history[-1].steps} steps; {trained.describe()}")


def evaluate(
    run: Path | None = None,
    /,
    *,
    init: bool = False,
    policy: str = "ncap",
    task: str = "swim",
    n_links: int | None = None,
    episodes: int = 10,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Return of a policy in test episodes, on its own body or another.

    Args:
        run: Folder that `train` wrote.
        init: Take a policy before training instead.
        policy: With --init, ncap, mlp or random.
        task: With --init, swim or navigate.
        n_links: Links of the body; the run's, or 6, if not given.
        episodes: How many.
        seed: Of the initial states (and with --init of the policy).
        json: Print as JSON.
    """
    from . import runs
    from .settings import PolicySettings

    settings = PolicySettings(policy=policy, task=task, seed=seed)
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
    """Record what joints, neurons and muscles do in one episode, as .npz; and how the wave travels.

    Args:
        run: Folder that `train` wrote.
        init: Take the circuit before training instead.
        n_links: Links of the body; the run's, or 6, if not given.
        out: File to write; trace.npz in the run's folder, or here, if not given.
        plot: Also draw an excerpt, beside it as .svg.
        seed: Of the initial state.
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
    phase: str | None = None,
    property: Path | None = None,  # noqa: A002 (an option's name)
) -> None:
    """Write a policy as ONNX, from an observation to torques.

    Args:
        run: Folder that `train` wrote.
        out: File to write, .onnx.
        init: Take the circuit before training instead.
        n_links: Links of the body; the run's, or 6, if not given.
        phase: dorsal or ventral, for the circuit with its oscillator held there, as linear layers and ReLUs from
            normalised joints to torques: what verifiers of networks read.
        property: With --phase, also write a property to verify, .vnnlib: a positive bend of the head gives no torque
            of the wrong sign behind it.
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
    """Draw the swim from above: an .mp4, a .gif, or a .png with six pictures side by side.

    Args:
        run: Folder that `train` wrote.
        out: File to write.
        init: Take the circuit before training instead.
        n_links: Links of the body; the run's, or 6, if not given.
        seconds: How long, from the third second on.
        width: Of a picture, in pixels.
        height: Of a picture, in pixels.
        seed: Of the initial state.
    """
    from . import video

    video.choose_renderer()
    from . import runs
    from .settings import PolicySettings

    video.check(out, seconds, height, width)
    trained = runs.choose(run, init=init, settings=PolicySettings(), n_links=n_links)
    env = trained.env()
    pictures = video.frames(trained.policy, env, seed=seed, first=100, seconds=seconds, height=height, width=width)
    video.write(pictures, out, env.metadata["render_fps"])
    print(f"{trained.describe()}, in {out}")


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [train, evaluate, trace, export, render])
