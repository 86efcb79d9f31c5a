"""The options of the commands that verify."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .settings import VerifyConfig


@dataclass(frozen=True)
class Options:
    """How a property is verified.

    Args:
        device: Device to run on: auto, cpu or cuda.
        dtype: Precision of branch and bound: float32, float64, or auto.
        bounds: Bounding method: ibp, crown, alpha-crown or beta-crown; only beta-crown branches.
        branching: Branching heuristic: input, bbps, babsr, kfsb, random, none, or auto.
        points: Branching points of general nonlinearities: table (optimised beforehand) or middle.
        relu_only: Branch on ReLUs only.
        reduce: Score a split by its worse child (min) or its better child (max).
        candidates: Number of candidate splits whose children kfsb bounds.
        cuts: Cutting planes: none, base, base-unstrengthened, mts, biccos, or auto.
        max_cuts: Largest number of cuts kept at once.
        input_dimensions: Largest number of free inputs for which --branching auto splits the input.
        batch: Branches bounded at once; 0 to choose by the size of the network.
        max_domains: Largest number of branches to visit.
        root_steps: Optimisation steps at the root.
        root_lr: Learning rate at the root.
        branch_steps: Optimisation steps in a branch.
        branch_lr: Learning rate of the relaxations in a branch.
        beta_lr: Learning rate of the multipliers of splits.
        cut_lr: Learning rate of the multipliers of cuts.
        restarts: Random starts of the attack that precedes verification; 0 to skip it.
        attack_steps: Gradient steps from each start of the attack.
        seed: Seed of the attack and of random branching.
    """

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
    root_steps: int = 60
    root_lr: float = 0.1
    branch_steps: int = 20
    branch_lr: float = 0.05
    beta_lr: float = 0.05
    cut_lr: float = 0.02
    restarts: int = 30
    attack_steps: int = 100
    seed: int = 0

    def config(self, timeout: float = 300.0) -> "VerifyConfig":
        """The configuration that the options come to.

        Args:
            timeout: Seconds for a property.

        Raises:
            ValueError: if an option cannot be.
        """
        from .settings import VerifyConfig

        default = VerifyConfig()
        for name, value, least in (
            ("--restarts", self.restarts, 0),
            ("--attack-steps", self.attack_steps, 1),
            ("--input-dimensions", self.input_dimensions, 0),
            ("--root-steps", self.root_steps, 0),
            ("--branch-steps", self.branch_steps, 0),
            ("--seed", self.seed, 0),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, not {value}")
        rates = (self.root_lr, self.branch_lr, self.beta_lr, self.cut_lr)
        if not all(0 < rate < math.inf for rate in rates):
            raise ValueError(f"learning rates must be more than 0, not {', '.join(map(str, rates))}")
        return VerifyConfig(
            timeout=timeout,
            device=self.device,
            dtype=self.dtype,
            bounds=self.bounds,
            branching=self.branching,
            points=self.points,
            relu_only=self.relu_only,
            reduce=self.reduce,
            candidates=self.candidates,
            cuts=self.cuts,
            max_cuts=self.max_cuts,
            input_dimensions=self.input_dimensions,
            batch=self.batch,
            max_domains=self.max_domains,
            root=replace(default.root, steps=self.root_steps, alpha_lr=self.root_lr),
            branch=replace(
                default.branch,
                steps=self.branch_steps,
                alpha_lr=self.branch_lr,
                beta_lr=self.beta_lr,
                cut_lr=self.cut_lr,
            ),
            attack_restarts=self.restarts,
            attack_steps=self.attack_steps,
            seed=self.seed,
        )


DEFAULT = Options()
