"""Training of both networks by divide, conquer and reunion (DCR)."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from separata.loop import Loop, Track, step_generator

from .configs import TrainConfig
from .conquering import chunks, merge_if_better, roll_of, solve_sub_problems
from .conquerors.conqueror import Rollout, SubProblems
from .construction import construct
from .solver import UDC


def reinforce(costs: Float[Tensor, "groups samples"], log_probs: Float[Tensor, "groups samples"]) -> Float[Tensor, ""]:
    """The REINFORCE loss with the mean of each group as its baseline: mean((cost - mean cost) * log p).

    An infinite cost, of what is not feasible, counts as the largest finite one of its group.
    """
    finite = costs.masked_fill(~costs.isfinite(), -torch.inf).amax(1, keepdim=True)
    costs = torch.where(costs.isfinite(), costs, torch.where(finite.isfinite(), finite, 0))
    advantage = costs - costs.mean(1, keepdim=True)
    return (advantage.detach() * log_probs).mean()


class Trainer:
    """Trains a solver step by step.

    In each step, the divider builds several solutions of a new instance. Two rounds follow, conquer and reunion, whose
    windows are shifted by half of their size; after each, the conqueror is updated by the costs of its answers. The
    divider is updated by the costs of the solutions after both rounds, so that a bad border that the reunion mends is
    not held against it.

    Args:
        solver: Its networks are trained in place.
        config: Schedule.
        checkpoint: File of the progress; the training goes on from it if it exists.
        track: Shows progress over steps.
        log: Called with each row of the history.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between rows of the history.

    Raises:
        ValueError: if the checkpoint is of another training.
    """

    def __init__(
        self,
        solver: UDC,
        config: TrainConfig,
        *,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[dict[str, float]], None] | None = None,
        checkpoint_every: int = 500,
        log_every: int = 50,
    ) -> None:
        self.solver, self.config = solver, config
        self.problem, self.window = solver.problem, solver.window
        self.divider_optimizer = torch.optim.Adam(solver.divider.parameters(), lr=config.lr)
        self.conqueror_optimizer = torch.optim.Adam(solver.conqueror.parameters(), lr=config.lr)
        self.loop = Loop(
            self,
            config.n_steps,
            checkpoint=checkpoint,
            track=track,
            log=log,
            checkpoint_every=checkpoint_every,
            log_every=log_every,
        )

    def fit(self) -> None:
        """Train to the last step."""
        self.loop.run()
        self.solver.eval()

    def gradients(self, step: int) -> Mapping[str, Tensor]:
        """Build, conquer, reunite: the conqueror's updates but the last, and the gradients of the last ones."""
        # The conqueror is updated in the middle of the step; an interruption takes that back.
        before = copy.deepcopy(self.state_dict())
        try:
            return self._gradients(step_generator(self.config.seed, step))
        except BaseException:
            self.load_state_dict(before)
            raise

    def _gradients(self, generator: torch.Generator) -> Mapping[str, Tensor]:
        config, problem = self.config, self.problem
        trains_divider, trains_conqueror = config.freeze != "divider", config.freeze != "conqueror"
        self.solver.divider.train(trains_divider)
        self.solver.conqueror.train(trains_conqueror)
        instance = problem.generate(self._size(generator), config.batch_size, generator).to(self.solver.device)
        with torch.set_grad_enabled(trains_divider):
            built = construct(
                problem,
                self.solver.divider,
                instance,
                config.n_samples,
                self.window,
                generator,
                greedy=False,
                record=trains_divider,
            )
        solution, cost = built.solution, problem.cost(instance, built.solution)
        losses = {"constructed": cost.mean()}
        for number in range(config.rounds):
            if number and trains_conqueror:
                self.conqueror_optimizer.step()
            division = problem.split(
                instance, solution, self.window, roll_of(number, self.window, generator), generator
            )
            rollouts = solve_sub_problems(
                self.solver.conqueror, division.sub, config.n_starts, generator, record=trains_conqueror
            )
            if trains_conqueror:
                losses[f"conqueror_loss_{number + 1}"] = self._conqueror_gradients(division.sub, rollouts)
            solution, cost = merge_if_better(problem, instance, division, rollouts, solution, cost)
            losses[f"round_{number + 1}"] = cost.mean()
        if trains_divider:
            losses["divider_loss"] = loss = reinforce(
                *(one.view(len(instance), -1) for one in (cost, built.log_probs()))
            )
            self.divider_optimizer.zero_grad()
            loss.backward()
        return {name: value.detach() for name, value in losses.items()}

    def _conqueror_gradients(self, sub: SubProblems, rollouts: list[tuple[slice, Rollout]]) -> Float[Tensor, ""]:
        """Leave the gradients of the mean loss over all sub-problems, a few of them at a time."""
        self.conqueror_optimizer.zero_grad()
        conqueror, total = self.solver.conqueror, torch.zeros((), device=self.solver.device)
        for outer, rollout in rollouts:
            part = sub[outer]
            for inner in chunks(len(part), 4 * conqueror.n_elements(part, self.config.n_starts)):
                some, answered = part[inner], rollout[inner]
                share = len(some) / len(sub)
                loss = share * reinforce(answered.costs, conqueror.log_probs(some, answered))
                # Where there was nothing to choose, nothing depends on the weights.
                if loss.requires_grad:
                    loss.backward()
                total += loss.detach()
        return total

    def _size(self, generator: torch.Generator) -> int:
        """Nodes of the instances of a step: a multiple of the window within the range, or its lower end."""
        low, high = self.config.sizes
        first, last = -(-low // self.window), high // self.window
        if last < first:
            return low
        return self.window * int(torch.randint(first, last + 1, (), generator=generator))

    def update(self) -> None:
        """Update both networks, but those that are frozen."""
        if self.config.freeze != "conqueror":
            self.conqueror_optimizer.step()
        if self.config.freeze != "divider":
            self.divider_optimizer.step()

    def row(self, losses: dict[str, float]) -> dict[str, float]:
        """The losses, and costs after the construction and each round."""
        return losses

    def state_dict(self) -> dict[str, Any]:
        """Weights and optimizers."""
        return {
            "solver": self.solver.state_dict(),
            "divider_optimizer": self.divider_optimizer.state_dict(),
            "conqueror_optimizer": self.conqueror_optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.solver.load_state_dict(state["solver"])
        self.divider_optimizer.load_state_dict(state["divider_optimizer"])
        self.conqueror_optimizer.load_state_dict(state["conqueror_optimizer"])
