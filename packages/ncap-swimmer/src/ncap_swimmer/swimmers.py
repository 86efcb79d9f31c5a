"""A policy in the body and the task that it is for."""

from dataclasses import dataclass, replace
from functools import partial

from torch import nn

from separata.output import Output

from .circuit import SwimmerCircuit
from .configs import NAMES, PolicyConfig
from .environments import SwimmerEnv, make_env
from .policies import CircuitPolicy, RandomTorques, count_parameters
from .rollouts import EvaluationReport


@dataclass(frozen=True)
class Swimmer:
    """A policy, trained or not, and what it was made of.

    Args:
        config: As `make_policy` took it, or the training.
        policy: From an observation to torques.
    """

    config: PolicyConfig
    policy: nn.Module

    def env(self) -> SwimmerEnv:
        """The environment that it is for."""
        return env_factory(self.config)()

    def for_body(self, n_links: int) -> "Swimmer":
        """The same policy for a body with another number of links.

        Raises:
            ValueError: if it cannot be moved there.
        """
        if n_links == self.config.n_links:
            return self
        config = replace(self.config, n_links=n_links)
        if isinstance(self.policy, CircuitPolicy):
            return Swimmer(config, self.policy.for_body(n_links - 1))
        if isinstance(self.policy, RandomTorques):
            return Swimmer(config, RandomTorques(n_links - 1, self.policy.generator))
        raise ValueError(f"an MLP fits its own body of {self.config.n_links} links only, not one of {n_links}")

    def answer(self, report: EvaluationReport) -> Output:
        """Its evaluation, for a program or a person."""
        (low, high), n = report.ci, len(report.returns)
        value = {
            "policy": self.config.policy,
            "task": self.config.task,
            "n_links": self.config.n_links,
            "n_parameters": count_parameters(self.policy),
            "episodes": n,
            "mean": report.mean,
            "std": report.std if n > 1 else None,
            "ci95": [low, high] if n > 1 else None,
            "returns": list(report.returns),
        }
        interval = f" ± {report.std:.1f} (95 % confidence interval of the mean: {low:.1f} to {high:.1f})"
        rows = [f"  episode {i}: {one:.1f}" for i, one in enumerate(report.returns)]
        head = f"{self.config.task}, {self.config.n_links} links, {self.kind}"
        return Output(value, "\n".join([head, *rows, f"return {report.mean:.1f}{interval if n > 1 else ''}"]))

    @property
    def kind(self) -> str:
        """What it is, in a few words."""
        return f"{NAMES[self.config.policy]} with {count_parameters(self.policy)} parameters"

    def describe(self) -> str:
        """What it is, and the weights where they are few."""
        if not (isinstance(self.policy, CircuitPolicy) and self.policy.circuit.share):
            return self.kind
        weights = ", ".join(f"{name} {value:.4g}" for name, value in self.policy.circuit.weights().items())
        return f"{self.kind}: {weights}"


def env_factory(config: PolicyConfig) -> "partial[SwimmerEnv]":
    """Makes the environment of a configuration; can be sent to other processes."""
    return partial(make_env, config.task, config.n_links, desired_speed=config.desired_speed)


def make_circuit_policy(env: SwimmerEnv, circuit: SwimmerCircuit | None = None) -> CircuitPolicy:
    """The circuit as a policy for this environment: made for its body, with turning and braking if it has a target.

    Raises:
        ValueError: if `circuit` is for another number of joints, or steers where there is no target.
    """
    steers = env.task == "navigate"
    circuit = circuit or SwimmerCircuit(env.n_joints, turn=steers, speed=steers)
    if circuit.n_joints != env.n_joints:
        raise ValueError(
            f"the circuit is for {circuit.n_joints} joints, but the body has {env.n_joints}; "
            f"use circuit.for_body({env.n_joints})"
        )
    if (circuit.turn or circuit.speed) and not steers:
        raise ValueError("a circuit with turn or speed steers to a target: it is for the task navigate, not for swim")
    return CircuitPolicy(circuit, time_feature=env.time_feature)
