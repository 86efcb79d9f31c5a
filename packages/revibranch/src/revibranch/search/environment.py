"""Branch and bound as an environment: an episode is the solution of one instance."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from revibranch.configs import ScipConfig
from revibranch.scip.models import Problem, make_scip_model
from revibranch.scip.rules import set_built_in

from .branching import Rule, install_rule
from .trees import Episode, install_recorder, summarize

Instance = Problem | Path | str
"""A problem, or a file that has one."""


class SCIPEnv:
    """Solves instances with SCIP while a rule does the branching.

    SCIP asks the rule, not the other way around: a whole search is one call, and its decisions are learned from
    afterwards.

    Args:
        instances: Problems with a method `to_scip()`, or paths of files.
        config: How SCIP solves.

    Raises:
        ValueError: if there are no instances.
    """

    def __init__(self, instances: Sequence[Instance], config: ScipConfig = ScipConfig()) -> None:  # noqa: B008 - immutable
        if not instances:
            raise ValueError("an environment needs at least one instance")
        self.instances, self.config = list(instances), config

    def rollout(self, rule: Rule | str, instance: int | Instance, seed: int = 0, *, record: bool = True) -> Episode:
        """Solve an instance.

        Args:
            rule: Chooses the variables; or the name of one of SCIP's own (`BUILT_IN`), which are not recorded.
            instance: The number of an instance of the environment, or any other.
            seed: SCIP's seed, instead of that of the settings.
            record: Keep the decisions with their observations.

        Raises:
            KeyboardInterrupt: after Ctrl-C, which SCIP catches while it solves.
            Exception: whatever the rule raises, and what reading the instance does.
        """
        if isinstance(instance, int):
            instance = self.instances[instance]
        return solve_episode(rule, instance, replace(self.config, seed=seed), record=record)


def solve_episode(rule: Rule | str, instance: Instance, config: ScipConfig, *, record: bool = True) -> Episode:
    """Solve an instance; see `SCIPEnv.rollout`."""
    model = make_scip_model(instance, config)
    try:
        plugin: Any = None
        if isinstance(rule, str):
            set_built_in(model, rule)
        else:
            plugin = (install_recorder if record else install_rule)(model, rule)
        model.optimize()
        if plugin is not None:
            plugin.check()
        if model.getStatus() == "userinterrupt":
            raise KeyboardInterrupt
        return plugin.episode() if record and plugin is not None else summarize(model)
    finally:
        model.freeProb()  # the model and its plugin refer to each other
