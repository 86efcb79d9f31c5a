"""How a property is verified, bounds are optimized and networks are attacked: every choice, written once."""

import math
from dataclasses import dataclass

BOUNDS = ("ibp", "crown", "alpha-crown", "beta-crown")
BRANCHINGS = ("auto", "input", "bbps", "babsr", "kfsb", "random", "milp", "none")
POINTS = ("table", "middle")
CUTS = ("auto", "none", "base", "base-unstrengthened", "mts", "biccos")
REDUCTIONS = ("min", "max")
DTYPES = ("auto", "float32", "float64")
INFERENCES = ("real", "float32")


@dataclass(frozen=True)
class OptimizationConfig:
    """How bounds are optimized.

    Args:
        steps: Steps of Adam; 0 gives plain CROWN.
        alpha_lr: Learning rate of the planes.
        beta_lr: Learning rate of the multipliers of splits.
        cut_lr: Learning rate of the multipliers of cuts.
        decay: What the learning rates are multiplied by after each step.
        patience: Steps without a gain after which it ends.
    """

    steps: int = 20
    alpha_lr: float = 0.1
    beta_lr: float = 0.05
    cut_lr: float = 0.02
    decay: float = 0.98
    patience: int = 10

    def __post_init__(self) -> None:
        _check_rates(self.alpha_lr, self.beta_lr, self.cut_lr)
        if self.steps < 0 or self.patience < 0 or not 0 < self.decay <= 1:
            raise ValueError("steps and patience must be at least 0, and decay more than 0 and at most 1")


@dataclass(frozen=True)
class SearchConfig:
    """How a property is verified, whatever time there is for it.

    Of the bounds, `alpha-crown` ends at the root, and `ibp` and `crown` do so without optimization. Of the branching
    heuristics, `bbps` takes GenBaB's shortcuts, `babsr` stops at the layer before, and `kfsb` takes the best of both by
    their true children; `milp` solves a linear program in each branch, as mixed-integer solvers do, and is for small
    ReLU networks only; `auto` splits the input where few inputs are free, and takes `bbps` elsewhere, with some time
    for `milp` where it is possible and `bbps` does not end at once. Of the cuts (BICCOS), `base` are strengthened,
    `mts` come from multi-tree search without strengthening, and `biccos` are both; `auto` is `biccos` for at most two
    clauses, `base` for more, and `none` for networks without ReLUs. The precision `auto` is single where its rounding
    is likely to be small against the margins, and what that alone leaves open is bounded in double precision; bounds at
    the root, and linear programs, are in double precision.

    Args:
        device: Device to run on: auto, cpu or cuda.
        dtype: Precision of branch and bound: float32, float64, or auto.
        inference: What unsat says: of the network in real arithmetic (real), or of what it gives in single precision
            as well, in whatever order sums are made (float32).
        bounds: Bounding method: ibp, crown, alpha-crown or beta-crown; only beta-crown branches.
        branching: Branching heuristic: input, bbps, babsr, kfsb, random, milp, none, or auto.
        points: Branching points of general nonlinearities: table (optimised beforehand) or middle.
        relu_only: Branch on ReLUs only.
        reduce: Score a split by its worse child (min) or its better child (max).
        candidates: Number of candidate splits whose children kfsb bounds.
        cuts: Cutting planes: none, base, base-unstrengthened, mts, biccos, or auto.
        max_cuts: Largest number of cuts kept at once.
        input_dimensions: Largest number of free inputs for which --branching auto splits the input.
        batch_size: Branches bounded at once; 0 to choose by the size of the network.
        max_domains: Largest number of branches to visit.
        root_steps: Optimisation steps at the root.
        root_lr: Learning rate at the root.
        branch_steps: Optimisation steps in a branch.
        branch_lr: Learning rate of the relaxations in a branch.
        beta_lr: Learning rate of the multipliers of splits.
        cut_lr: Learning rate of the multipliers of cuts.
        attack_restarts: Random starts of the attack that precedes verification; 0 to skip it.
        attack_steps: Gradient steps from each start of the attack.
        seed: Seed of the attack and of random branching.

    Raises:
        ValueError: if a name is not one of those above, or a number is out of its range.
    """

    device: str = "auto"
    dtype: str = "auto"
    inference: str = "real"
    bounds: str = "beta-crown"
    branching: str = "auto"
    points: str = "table"
    relu_only: bool = False
    reduce: str = "min"
    candidates: int = 3
    cuts: str = "auto"
    max_cuts: int = 200
    input_dimensions: int = 20
    batch_size: int = 0
    max_domains: int = 10**9
    root_steps: int = 60
    root_lr: float = 0.1
    branch_steps: int = 20
    branch_lr: float = 0.05
    beta_lr: float = 0.05
    cut_lr: float = 0.02
    attack_restarts: int = 30
    attack_steps: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        for name, allowed in (
            ("bounds", BOUNDS),
            ("branching", BRANCHINGS),
            ("points", POINTS),
            ("cuts", CUTS),
            ("reduce", REDUCTIONS),
            ("dtype", DTYPES),
            ("inference", INFERENCES),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is one of {', '.join(allowed)}, not {getattr(self, name)}")
        for name, least in (
            ("attack_restarts", 0),
            ("attack_steps", 1),
            ("input_dimensions", 0),
            ("root_steps", 0),
            ("branch_steps", 0),
            ("seed", 0),
            ("candidates", 1),
            ("max_domains", 1),
            ("max_cuts", 1),
            ("batch_size", 0),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        _check_rates(self.root_lr, self.branch_lr, self.beta_lr, self.cut_lr)

    @property
    def root(self) -> OptimizationConfig:
        """How bounds at the root are optimized."""
        return OptimizationConfig(self.root_steps, self.root_lr)

    @property
    def branch(self) -> OptimizationConfig:
        """How bounds in branches are optimized."""
        return OptimizationConfig(self.branch_steps, self.branch_lr, self.beta_lr, self.cut_lr)

    def within(self, timeout: float) -> "VerifyConfig":
        """The same choices with a time limit for one property, in seconds."""
        return VerifyConfig(**{**vars(self), "timeout": timeout})


@dataclass(frozen=True)
class VerifyConfig(SearchConfig):
    """How a property is verified, and within which time; the other arguments are those of `SearchConfig`.

    Args:
        timeout: Time limit for one property, in seconds.

    Raises:
        ValueError: if an argument cannot be.
    """

    timeout: float = 300.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_timeout(self.timeout)


@dataclass(frozen=True)
class AttackConfig:
    """How a counterexample is searched for by gradient descent.

    Args:
        timeout: Time limit in seconds.
        restarts: Random starts for each clause.
        steps: Gradient steps from each start.
        seed: Seed of the random starts.
    """

    timeout: float = 60.0
    restarts: int = 30
    steps: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if self.restarts < 1 or self.steps < 1:
            raise ValueError(f"restarts and steps must be at least 1, not {self.restarts} and {self.steps}")
        if self.seed < 0:
            raise ValueError(f"the seed must not be negative, but it is {self.seed}")
        _check_timeout(self.timeout)


def _check_rates(*rates: float) -> None:
    if not all(0 < rate < math.inf for rate in rates):
        raise ValueError(f"learning rates must be more than 0, not {', '.join(map(str, rates))}")


def _check_timeout(timeout: float) -> None:
    if not timeout > 0:
        raise ValueError(f"the timeout must be more than 0 seconds, not {timeout}")
