"""The command line `bab-verify`."""

from pathlib import Path

from separata import cli

from .configs import AttackConfig, SearchConfig, VerifyConfig
from .paper import PAPER

SEARCH, ATTACK = SearchConfig(), AttackConfig()


def verify(
    network: Path,
    property: Path,  # noqa: A002 - the argument's name
    /,
    *,
    timeout: float = VerifyConfig.timeout,
    verification: SearchConfig = SEARCH,
    save_cex: Path | None = None,
    json: bool = False,
) -> None:
    """Prove or refute a property: prints unsat, sat or unknown, and exits with 0, 10 or 20.

    The property states what must not happen: unsat means that no input causes it; sat comes with an input that does.

    Args:
        network: Network, .onnx or .onnx.gz.
        property: Property, .vnnlib or .vnnlib.gz.
        timeout: Time limit in seconds.
        verification: Bounds, branching, cuts, and their budgets.
        save_cex: File to write the counterexample to, if one is found.
        json: Print the result as JSON.
    """
    from bab_verify.commands import verify as command

    command.verify(network, property, verification.within(timeout), save_cex).show(as_json=json)


def run(
    instances: Path,
    /,
    *,
    out: Path,
    select: str | None = None,
    cex_dir: Path | None = None,
    resume: bool = False,
    timeout: float | None = None,
    verification: SearchConfig = SEARCH,
    json: bool = False,
) -> None:
    """Verify a list of instances, saving each result before the next instance starts.

    Args:
        instances: CSV file with rows onnx,vnnlib,timeout as in VNN-COMP; paths are relative to its folder.
        out: CSV file to write the results to.
        select: Instances to verify, counted from 0, such as 0,3-5; all if not given.
        cex_dir: Folder to write counterexamples to.
        resume: Continue an interrupted run from the results in --out.
        timeout: Time limit for each instance in seconds, instead of those in the list.
        verification: Bounds, branching, cuts, and their budgets.
        json: Print a summary as JSON.
    """
    from bab_verify.commands import run as command

    listing = command.Listing(instances, out, select, timeout, cex_dir, resume)
    command.run(listing, verification).show(as_json=json)


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
    """Bound each output over a box of inputs, given by --center and --eps or by --lower and --upper.

    Args:
        network: Network, .onnx or .onnx.gz.
        center: Center of the box, .npy.
        eps: Radius of the box in every input.
        lower: Lower corner of the box, .npy.
        upper: Upper corner of the box, .npy.
        method: Bounding method: ibp, crown or alpha-crown.
        device: Device to run on: auto, cpu or cuda.
        out: File to write the bounds to, .npz with lower, upper, x_lower and x_upper.
        json: Print the bounds as JSON.
    """
    from bab_verify.commands import bounds as command

    command.bounds(network, command.Region(center, eps, lower, upper), method, device, out).show(as_json=json)


def attack(
    network: Path,
    property: Path,  # noqa: A002 - the argument's name
    /,
    *,
    descent: AttackConfig = ATTACK,
    device: str = "auto",
    save_cex: Path | None = None,
    json: bool = False,
) -> None:
    """Search for a counterexample by gradient descent (PGD): prints sat or unknown, and exits with 10 or 20.

    Args:
        network: Network, .onnx or .onnx.gz.
        property: Property, .vnnlib or .vnnlib.gz.
        descent: Time, starts and steps.
        device: Device to run on: auto, cpu or cuda.
        save_cex: File to write the counterexample to, if one is found.
        json: Print the result as JSON.
    """
    from bab_verify.commands import attack as command

    command.attack(network, property, descent, device, save_cex).show(as_json=json)


def info(
    network: Path,
    property: Path | None = None,  # noqa: A002 - the argument's name
    /,
    *,
    json: bool = False,
) -> None:
    """Show a network's operators, parameters and shapes and, given a property, its size and the unstable neurons.

    Args:
        network: Network, .onnx or .onnx.gz.
        property: Property, .vnnlib or .vnnlib.gz.
        json: Print the description as JSON.
    """
    from bab_verify.commands import info as command

    command.info(network, property).show(as_json=json)


def tables(
    action: str = "build",
    /,
    *,
    ops: str = "sigmoid,tanh,sin,gelu,mul",
    step: float | None = None,
    json: bool = False,
) -> None:
    """Precompute tables of branching points, kept in $BAB_VERIFY_CACHE or ~/.cache/bab-verify.

    Args:
        action: What to do; build is the only choice.
        ops: Operations, separated by commas.
        step: Grid spacing of the table, from 0.01 to 1; 0.02, or 0.1 for mul, if not given.
        json: Print a summary as JSON.
    """
    from bab_verify.commands import tables as command

    command.tables(action, ops, step).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [verify, run, bounds, attack, info, tables])
