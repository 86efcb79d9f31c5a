"""The command line `bab-verify`."""

from pathlib import Path

from separata import cli

from .options import DEFAULT, Options
from .paper import PAPER


def verify(
    network: Path,
    property: Path,  # noqa: A002 - the argument's name
    /,
    *,
    timeout: float = 300.0,
    verification: Options = DEFAULT,
    save_cex: Path | None = None,
    json: bool = False,
) -> None:
    """Prove or refute a property: prints sat, unsat or unknown; exit code 10, 0 or 20.

    The property describes what must not happen: unsat says that it cannot. After sat comes the counterexample.

    Args:
        network: The network, .onnx or .onnx.gz.
        property: The property, .vnnlib or .vnnlib.gz.
        timeout: Seconds.
        verification: Bounds, branching, cuts, and what may be spent on them.
        save_cex: File for the counterexample, if there is one.
        json: Print as JSON.
    """
    from . import commands

    config = verification.config(timeout)
    commands.verify(network, property, config, save_cex).show(as_json=json)


def run(
    instances: Path,
    /,
    *,
    out: Path,
    select: str | None = None,
    cex_dir: Path | None = None,
    resume: bool = False,
    timeout: float | None = None,
    verification: Options = DEFAULT,
    json: bool = False,
) -> None:
    """Verify a list of instances; each result is on disk before the next begins.

    Args:
        instances: The list, rows onnx,vnnlib,timeout as in VNN-COMP, with paths relative to its folder.
        out: File for the results, .csv.
        select: Which, counted from 0, such as 0,3-5; all if not given.
        cex_dir: Folder for counterexamples.
        resume: Go on with the results that are there.
        timeout: Seconds for each, instead of those in the list.
        verification: Bounds, branching, cuts, and what may be spent on them.
        json: Print a summary as JSON.
    """
    from . import instance_runs

    listing = instance_runs.Listing(instances, out, select, timeout, cex_dir, resume)
    instance_runs.run(listing, verification.config()).show(as_json=json)


def bounds(
    network: Path,
    /,
    *,
    center: Path | None = None,
    eps: float | None = None,
    lower: Path | None = None,
    upper: Path | None = None,
    method: str = "alpha-crown",
    device: str = "auto",
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Bounds of each output over a box of inputs.

    Args:
        network: The network, .onnx or .onnx.gz.
        center: Centre of the box, .npy.
        eps: Its radius in every input.
        lower: Instead, smallest inputs, .npy.
        upper: And largest inputs, .npy.
        method: ibp, crown or alpha-crown.
        device: auto, cpu or cuda.
        out: File for the bounds, .npz: lower, upper, x_lower, x_upper.
        json: Print as JSON.
    """
    from . import commands

    commands.bounds(network, commands.Region(center, eps, lower, upper), method, device, out).show(as_json=json)


def attack(
    network: Path,
    property: Path,  # noqa: A002 - the argument's name
    /,
    *,
    timeout: float = 60.0,
    restarts: int = 30,
    steps: int = 100,
    device: str = "auto",
    seed: int = 0,
    save_cex: Path | None = None,
    json: bool = False,
) -> None:
    """Look for a counterexample by gradient descent: prints sat or unknown; exit code 10 or 20.

    Args:
        network: The network, .onnx or .onnx.gz.
        property: The property, .vnnlib or .vnnlib.gz.
        timeout: Seconds.
        restarts: Random starts for each clause.
        steps: Gradient steps from each.
        device: auto, cpu or cuda.
        seed: Of the starts.
        save_cex: File for the counterexample, if there is one.
        json: Print as JSON.
    """
    from . import commands

    settings = commands.Attack(restarts, steps, timeout, seed)
    commands.attack(network, property, settings, device, save_cex).show(as_json=json)


def info(
    network: Path,
    property: Path | None = None,  # noqa: A002 - the argument's name
    /,
    *,
    json: bool = False,
) -> None:
    """Operators, parameters and shapes of a network; and with a property, its size and the unstable neurons.

    Args:
        network: The network, .onnx or .onnx.gz.
        property: The property, .vnnlib or .vnnlib.gz.
        json: Print as JSON.
    """
    from . import commands

    commands.info(network, property).show(as_json=json)


def tables(
    action: str = "build",
    /,
    *,
    ops: str = "sigmoid,tanh,sin,gelu,mul",
    step: float | None = None,
    json: bool = False,
) -> None:
    """Build tables of branching points beforehand, in $BAB_VERIFY_CACHE or ~/.cache/bab-verify.

    Args:
        action: build.
        ops: Operations, with commas.
        step: Spacing of the bounds that a table has; 0.02, or 0.1 for mul, if not given.
        json: Print as JSON.
    """
    from . import commands

    commands.tables(action, ops, step).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [verify, run, bounds, attack, info, tables])
