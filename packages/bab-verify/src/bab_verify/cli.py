"""The command line `bab-verify`."""

from pathlib import Path

from separata import cli

from .paper import PAPER


def verify(
    network: Path,
    property: Path,  # noqa: A002 - the argument's name
    /,
    *,
    timeout: float = 300.0,
    device: str = "auto",
    dtype: str = "auto",
    bounds: str = "beta-crown",
    branching: str = "auto",
    points: str = "table",
    relu_only: bool = False,
    reduce: str = "min",
    candidates: int = 3,
    cuts: str = "auto",
    max_cuts: int = 200,
    input_dimensions: int = 20,
    batch: int = 0,
    max_domains: int = 10**9,
    root_steps: int = 60,
    root_lr: float = 0.1,
    branch_steps: int = 20,
    branch_lr: float = 0.05,
    beta_lr: float = 0.05,
    cut_lr: float = 0.02,
    restarts: int = 30,
    attack_steps: int = 100,
    seed: int = 0,
    save_cex: Path | None = None,
    json: bool = False,
) -> None:
    """Prove or refute a property: prints sat, unsat or unknown; exit code 10, 0 or 20.

    The property describes what must not happen: unsat says that it cannot. After sat comes the counterexample.

    Args:
        network: The network, .onnx or .onnx.gz.
        property: The property, .vnnlib or .vnnlib.gz.
        timeout: Seconds.
        device: auto, cpu or cuda.
        dtype: Numbers of the branch and bound: float32, float64, or auto.
        bounds: ibp, crown, alpha-crown, or beta-crown; only the last one branches.
        branching: input, bbps, babsr, kfsb, random, none, or auto.
        points: Where general nonlinearities are split: table or middle.
        relu_only: Branch on ReLUs alone.
        reduce: A split is as good as its worse (min) or better (max) child.
        candidates: Of how many candidates kfsb bounds the children.
        cuts: Cutting planes: none, base, base-unstrengthened, mts, biccos, or auto.
        max_cuts: Cuts kept at once.
        input_dimensions: The most free inputs that auto splits.
        batch: Branches that are bounded at once; 0 for what suits the network.
        max_domains: Branches after which it gives up.
        root_steps: Steps of optimisation at the root.
        root_lr: Its learning rate.
        branch_steps: Steps of optimisation in branches.
        branch_lr: Its learning rate of relaxations.
        beta_lr: Its learning rate of the multipliers of splits.
        cut_lr: Its learning rate of the multipliers of cuts.
        restarts: Random starts of the attack before anything else; 0 for none.
        attack_steps: Its gradient steps.
        seed: Of the attack and of random branching.
        save_cex: File for the counterexample, if there is one.
        json: Print as JSON.
    """
    from . import commands

    config = commands.configured(
        timeout=timeout,
        device=device,
        dtype=dtype,
        bounds=bounds,
        branching=branching,
        points=points,
        relu_only=relu_only,
        reduce=reduce,
        candidates=candidates,
        cuts=cuts,
        max_cuts=max_cuts,
        input_dimensions=input_dimensions,
        batch=batch,
        max_domains=max_domains,
        root_steps=root_steps,
        root_lr=root_lr,
        branch_steps=branch_steps,
        branch_lr=branch_lr,
        beta_lr=beta_lr,
        cut_lr=cut_lr,
        attack_restarts=restarts,
        attack_steps=attack_steps,
        seed=seed,
    )
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
    device: str = "auto",
    dtype: str = "auto",
    bounds: str = "beta-crown",
    branching: str = "auto",
    points: str = "table",
    relu_only: bool = False,
    reduce: str = "min",
    candidates: int = 3,
    cuts: str = "auto",
    max_cuts: int = 200,
    input_dimensions: int = 20,
    batch: int = 0,
    max_domains: int = 10**9,
    root_steps: int = 60,
    root_lr: float = 0.1,
    branch_steps: int = 20,
    branch_lr: float = 0.05,
    beta_lr: float = 0.05,
    cut_lr: float = 0.02,
    restarts: int = 30,
    attack_steps: int = 100,
    seed: int = 0,
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
        device: auto, cpu or cuda.
        dtype: Numbers of the branch and bound: float32, float64, or auto.
        bounds: ibp, crown, alpha-crown, or beta-crown; only the last one branches.
        branching: input, bbps, babsr, kfsb, random, none, or auto.
        points: Where general nonlinearities are split: table or middle.
        relu_only: Branch on ReLUs alone.
        reduce: A split is as good as its worse (min) or better (max) child.
        candidates: Of how many candidates kfsb bounds the children.
        cuts: Cutting planes: none, base, base-unstrengthened, mts, biccos, or auto.
        max_cuts: Cuts kept at once.
        input_dimensions: The most free inputs that auto splits.
        batch: Branches that are bounded at once; 0 for what suits the network.
        max_domains: Branches after which it gives up.
        root_steps: Steps of optimisation at the root.
        root_lr: Its learning rate.
        branch_steps: Steps of optimisation in branches.
        branch_lr: Its learning rate of relaxations.
        beta_lr: Its learning rate of the multipliers of splits.
        cut_lr: Its learning rate of the multipliers of cuts.
        restarts: Random starts of the attack before anything else; 0 for none.
        attack_steps: Its gradient steps.
        seed: Of the attack and of random branching.
        json: Print a summary as JSON.
    """
    from . import commands, instance_runs

    config = commands.configured(
        device=device,
        dtype=dtype,
        bounds=bounds,
        branching=branching,
        points=points,
        relu_only=relu_only,
        reduce=reduce,
        candidates=candidates,
        cuts=cuts,
        max_cuts=max_cuts,
        input_dimensions=input_dimensions,
        batch=batch,
        max_domains=max_domains,
        root_steps=root_steps,
        root_lr=root_lr,
        branch_steps=branch_steps,
        branch_lr=branch_lr,
        beta_lr=beta_lr,
        cut_lr=cut_lr,
        attack_restarts=restarts,
        attack_steps=attack_steps,
        seed=seed,
    )
    listing = instance_runs.Listing(instances, out, select, timeout, cex_dir, resume)
    instance_runs.run(listing, config).show(as_json=json)


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
