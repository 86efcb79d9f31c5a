"""Evolution strategies (Salimans et al. 2017), as the paper trains its circuit."""

import copy
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from .algorithms import ESConfig
from .controllers import make_controller
from .learning import Learner, Projectable
from .policies import Standardize
from .rollouts import EnvFactory, Evaluator, episode, episode_seeds, get_parameters, set_parameters


class ESLearner(Learner):
    """OpenAI's evolution strategy on any policy's parameters; one piece is one generation.

    A generation tries center + eps and center - eps for population / 2 draws eps ~ N(0, sigma^2), each pair from one
    initial state, and moves the center along

        g = 1 / (population sigma) sum_i u_i eps_i,    u_i = rank of return i, scaled to [-1/2, 1/2],

    each entry clipped to [-1, 1], by Adam. A policy with `Standardize` modules also acts once per generation at the
    center, to update the mean and variance of its observations.

    Args:
        policy: Any module from an observation to an action.
        env: Makes an environment; with several workers it must be picklable.
        config: Settings of the strategy.
        seed: Seed of perturbations and initial states.
        workers: Processes that act.

    Raises:
        ValueError: if the policy has no trainable parameters, or there are no workers.
    """

    def __init__(self, policy: nn.Module, env: EnvFactory, config: ESConfig, seed: int = 0, workers: int = 1) -> None:
        self.policy, self.config, self.seed = policy, config, seed
        if not any(parameter.requires_grad for parameter in policy.parameters()):
            raise ValueError("the policy has no trainable parameters")
        self.generation = 0
        self._center = get_parameters(policy)
        self._optimizer = torch.optim.Adam([self._center], lr=config.lr, weight_decay=config.weight_decay)
        self._generator = torch.Generator().manual_seed(seed)
        self._standardizers = [module for module in policy.modules() if isinstance(module, Standardize)]
        self._env = env()
        self._evaluate = Evaluator(policy, env, workers)

    def advance(self) -> float:
        """One generation; returns its mean return."""
        sigma, size = self.config.sigma, self.config.population
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
        seen = np.stack([observation for observation, _ in episode(make_controller(self.policy), self._env, seed)])
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
    """Antithetic perturbations of the center: rows 0 and 1 are a pair, rows 2 and 3, and so on."""
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
    """The direction g in which the center moves (see `ESLearner`), each entry clipped to [-1, 1]."""
    u, eps = centered_ranks(returns), samples[::2] - center
    # The two of a pair have opposite eps, so a pair's share is the difference of its ranks.
    gradient = ((u[::2] - u[1::2]) / 2)[:, None].mul(eps).sum(0) / len(eps)
    return (gradient / sigma).clamp(-1, 1)


def centered_ranks(returns: Float[Tensor, "population"]) -> Float[Tensor, "population"]:
    """Ranks of returns, spread evenly from -1/2 for the lowest to 1/2 for the highest; ties are broken arbitrarily."""
    ranks = torch.empty_like(returns)
    ranks[returns.argsort()] = torch.arange(len(returns), dtype=returns.dtype) / (len(returns) - 1) - 0.5
    return ranks
