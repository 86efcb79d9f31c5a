"""Evolution strategies (Salimans et al. 2017), as the paper trains its circuit."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from .controllers import controller
from .learning import Learner, Point, Projectable, Schedule, TrainResult, learn
from .policies import CircuitPolicy, Standardize
from .rollouts import EnvFactory, Evaluator, episode, episode_seeds, get_parameters, set_parameters


@dataclass(frozen=True)
class ESSettings:
    """Settings of the evolution strategy; the defaults are those of the paper's code, except for the population.

    Args:
        population: Perturbed policies per generation; must be even, since each perturbation is tried with both signs.
        sigma: Standard deviation of the perturbations.
        learning_rate: Learning rate of Adam on the centre.
        weight_decay: L2 penalty on the centre.

    Raises:
        ValueError: if a setting is out of range.
    """

    population: int = 32
    sigma: float = 0.02
    learning_rate: float = 0.01
    weight_decay: float = 0.005

    @classmethod
    def for_policy(cls, policy: nn.Module) -> "ESSettings":
        """The best settings of a small search, for the few weights of a circuit or the many of an MLP."""
        return cls(sigma=0.1, learning_rate=0.1) if isinstance(policy, CircuitPolicy) else cls(learning_rate=0.03)

    def __post_init__(self) -> None:
        if self.population < 2 or self.population % 2:
            raise ValueError(f"the population must be even, since perturbations come in pairs; not {self.population}")
        if not (self.sigma > 0 and self.learning_rate > 0 and self.weight_decay >= 0):
            raise ValueError(
                "sigma and learning_rate must be positive and weight_decay not negative, not "
                f"{self.sigma}, {self.learning_rate} and {self.weight_decay}"
            )
        if not all(map(math.isfinite, (self.sigma, self.learning_rate, self.weight_decay))):
            raise ValueError("sigma, learning_rate and weight_decay must be finite")


class ESLearner(Learner):
    """OpenAI's evolution strategy on any policy's parameters; one piece is one generation.

    A generation tries centre + eps and centre - eps for population / 2 draws eps ~ N(0, sigma^2), each pair from one
    initial state, and moves the centre along

        g = 1 / (population sigma) sum_i u_i eps_i,    u_i = rank of return i, scaled to [-1/2, 1/2],

    each entry clipped to [-1, 1], by Adam. A policy with `Standardize` modules also acts once per generation at the
    centre, to update the mean and variance of its observations.

    Args:
        policy: Any module from an observation to an action.
        env: Makes an environment; with several workers it must be picklable.
        seed: Seed of perturbations and initial states.
        settings: Settings of the strategy.
        workers: Processes that act.

    Raises:
        ValueError: if the policy has no trainable parameters, or there are no workers.
    """

    def __init__(
        self, policy: nn.Module, env: EnvFactory, seed: int = 0, settings: ESSettings | None = None, workers: int = 1
    ) -> None:
        self.policy, self.settings, self.seed = policy, settings or ESSettings.for_policy(policy), seed
        if not any(parameter.requires_grad for parameter in policy.parameters()):
            raise ValueError("the policy has no trainable parameters to evolve")
        self.generation = 0
        self._center = get_parameters(policy)
        self._optimizer = torch.optim.Adam(
            [self._center], lr=self.settings.learning_rate, weight_decay=self.settings.weight_decay
        )
        self._generator = torch.Generator().manual_seed(seed)
        self._standardizers = [module for module in policy.modules() if isinstance(module, Standardize)]
        self._env = env()
        self._evaluate = Evaluator(policy, env, workers)

    def advance(self) -> float:
        """One generation; returns its mean return."""
        sigma, size = self.settings.sigma, self.settings.population
        seeds = episode_seeds((self.seed, self.generation, 1), size // 2 + 1)
        self._watch(seeds.pop())
        samples = sample(self._center, sigma, size, self._generator)
        # Both signs of a perturbation begin in the same state.
        results = self._evaluate(samples, [seed for seed in seeds for _ in range(2)], dict(self.policy.named_buffers()))
        returns = torch.tensor([value for value, _ in results])
        self._center.grad = -ascent(self._center, sigma, samples, returns)
        self._optimizer.step()
        self._update_policy()
        self.steps += sum(length for _, length in results)
        self.generation += 1
        return float(returns.mean())

    def state(self) -> dict[str, Any]:
        """See `Learner`."""
        return {
            "center": self._center.detach().clone(),
            "optimizer": copy.deepcopy(self._optimizer.state_dict()),
            "generator": self._generator.get_state(),
            "buffers": {name: buffer.clone() for name, buffer in self.policy.named_buffers()},
            "generation": self.generation,
            "steps": self.steps,
        }

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        """See `Learner`."""
        self._center.copy_(state["center"])
        self._optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self._generator.set_state(state["generator"])
        for name, buffer in self.policy.named_buffers():
            buffer.copy_(state["buffers"][name])
        self.generation, self.steps = state["generation"], state["steps"]
        set_parameters(self.policy, self._center)

    def close(self) -> None:
        """End the processes."""
        self._evaluate.close()

    def _watch(self, seed: int) -> None:
        if not self._standardizers:
            return
        seen = np.stack([observation for observation, _ in episode(controller(self.policy), self._env, seed)])
        for module in self._standardizers:
            module.update(torch.from_numpy(seen))
        self.steps += len(seen)

    @torch.no_grad()
    def _update_policy(self) -> None:
        set_parameters(self.policy, self._center)
        if isinstance(self.policy, Projectable):
            self.policy.project_()
            self._center.copy_(get_parameters(self.policy))


def sample(
    center: Float[Tensor, "parameters"], sigma: float, population: int, generator: torch.Generator
) -> Float[Tensor, "population parameters"]:
    """Antithetic perturbations of the centre: rows 0 and 1 are a pair, rows 2 and 3, and so on."""
    samples = torch.empty(population, len(center))
    samples[::2].normal_(generator=generator)
    samples[1::2] = -samples[::2]
    return samples.mul_(sigma).add_(center)


def ascent(
    center: Float[Tensor, "parameters"],
    sigma: float,
    samples: Float[Tensor, "population parameters"],
    returns: Float[Tensor, "population"],
) -> Float[Tensor, "parameters"]:
    """The direction g in which the centre moves (see `ESLearner`), each entry clipped to [-1, 1]."""
    u, eps = centered_ranks(returns), samples[::2] - center
    # The two of a pair have opposite eps, so a pair's share is the difference of its ranks.
    gradient = ((u[::2] - u[1::2]) / 2)[:, None].mul(eps).sum(0) / len(eps)
    return (gradient / sigma).clamp(-1, 1)


def centered_ranks(returns: Float[Tensor, "population"]) -> Float[Tensor, "population"]:
    """Ranks of returns, spread evenly from -1/2 for the lowest to 1/2 for the highest; ties are broken arbitrarily."""
    ranks = torch.empty_like(returns)
    ranks[returns.argsort()] = torch.arange(len(returns), dtype=returns.dtype) / (len(returns) - 1) - 0.5
    return ranks


def train_es(
    policy: nn.Module,
    env: EnvFactory,
    schedule: Schedule,
    *,
    seed: int = 0,
    settings: ESSettings | None = None,
    workers: int = 1,
    on_point: Callable[[Point, Learner], None] | None = None,
) -> TrainResult:
    """Train a policy with an evolution strategy (see `ESLearner` for the method, `learn` for what is returned).

    The policy is changed in place.

    Args:
        policy: Any module from an observation to an action.
        env: Makes an environment; with several workers it must be picklable.
        schedule: Environment steps, and how often to test.
        seed: Seed of perturbations and initial states.
        settings: Settings of the strategy.
        workers: Processes that act.
        on_point: Called at each new point of the learning curve.
    """
    learner = ESLearner(policy, env, seed, settings, workers)
    try:
        return learn(learner, env, schedule, on_point=on_point)
    finally:
        learner.close()
