"""How a property is verified: every choice in one place."""

from dataclasses import dataclass, field

from .optimization import Optimisation

BOUNDS = ("ibp", "crown", "alpha-crown", "beta-crown")
BRANCHINGS = ("auto", "input", "bbps", "babsr", "kfsb", "random", "none")
POINTS = ("table", "middle")
CUTS = ("auto", "none", "base", "base-unstrengthened", "mts", "biccos")
REDUCTIONS = ("min", "max")
DTYPES = ("auto", "float32", "float64")


@dataclass(frozen=True)
class VerifyConfig:
    """How a property is verified.

    Args:
        timeout: Time limit for one property, in seconds.
        device: `auto`, `cpu`, `cuda` or a device's name.
        dtype: Precision of branch and bound: `float32`, `float64`, or `auto`, which takes single precision where its
            rounding is small against the margins. The bounds at the root are in double precision.
        bounds: `ibp`, `crown`, `alpha-crown`, or `beta-crown`, which branches; the others end at the root.
        branching: What is split: `input` boxes, or the inputs of nonlinear operations chosen by `bbps` (GenBaB's
            shortcuts), `babsr` (stopping at the layer before), `kfsb` (the best of both by their true children) or
            `random`; `none` does not branch. `auto` splits the input where it has at most `input_dimensions` free
            dimensions, and takes `bbps` elsewhere.
        points: Where general nonlinearities are split: at the optimum of a `table`, or in the `middle`.
        relu_only: Branch on ReLUs only.
        reduce: Score a split by its worse child (`min`) or its better child (`max`).
        candidates: Number of candidate splits whose children `kfsb` bounds.
        cuts: Cutting planes from refuted branches (BICCOS): `none`; `base` (with constraint strengthening);
            `base-unstrengthened`; `mts` (multi-tree search without strengthening); `biccos` (both); `auto`, which is
            `biccos` for at most two clauses and `base` for more, and `none` for networks without ReLUs.
        max_cuts: Largest number of cuts kept at once.
        input_dimensions: Largest number of free inputs for which `auto` splits the input.
        batch: Branches bounded at once; 0 to choose by the size of the network.
        max_domains: Largest number of branches to visit.
        root: Optimisation of the bounds at the root.
        branch: Optimisation of the bounds in branches.
        attack_restarts: Random starts of the attack that precedes verification; 0 to skip it.
        attack_steps: Gradient steps from each start of the attack.
        seed: Seed of the attack and of random branching.

    Raises:
        ValueError: if a name is not one of those above, or a number is out of its range.
    """

    timeout: float = 300.0
    device: str = "auto"
    dtype: str = "auto"
    bounds: str = "beta-crown"
    branching: str = "auto"
    points: str = "table"
    relu_only: bool = False
    reduce: str = "min"
    candidates: int = 3
    cuts: str = "auto"
    max_cuts: int = 200
    input_dimensions: int = 20
    batch: int = 0
    max_domains: int = 10**9
    root: Optimisation = field(default_factory=lambda: Optimisation(steps=60))
    branch: Optimisation = field(default_factory=lambda: Optimisation(steps=20, alpha_lr=0.05))
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
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is one of {', '.join(allowed)}, not {getattr(self, name)}")
        if not self.timeout > 0:
            raise ValueError(f"the timeout must be more than 0 seconds, not {self.timeout}")
        if self.candidates < 1 or self.max_domains < 1 or self.max_cuts < 1 or self.batch < 0:
            raise ValueError("candidates, max_domains and max_cuts must be at least 1, and batch at least 0")
        if self.attack_restarts < 0 or self.attack_steps < 1:
            raise ValueError("attack_restarts must be at least 0, and attack_steps at least 1")
        if self.input_dimensions < 0 or self.seed < 0:
            raise ValueError("input_dimensions and seed must be at least 0")
