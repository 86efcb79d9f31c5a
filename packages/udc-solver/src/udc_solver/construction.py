"""Solutions built node by node from the divider's heat map."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .divider import DividingPolicy, Heat
from .instances import Instance
from .problems.problem import AnyProblem, Solutions, State
from .sampling import choose

NOT_CHOSEN = -1
"""In the record of choices: none was made among the candidates, because the row was done, or none was feasible."""


@dataclass(frozen=True)
class Block:
    """Choices between two queries of the heat map.

    Args:
        query_state: What the query was made of.
        current: Where each row was at each step.
        allowed: Candidates that were feasible.
        slots: Which of them was chosen; `NOT_CHOSEN` if none was.
    """

    query_state: State
    current: Int[Tensor, "rows steps"]
    allowed: Bool[Tensor, "rows steps candidates"]
    slots: Int[Tensor, "rows steps"]


@dataclass(frozen=True)
class Construction:
    """Complete solutions, and how they were built.

    Args:
        solution: Of all rows.
        blocks: The choices, if they were recorded.
        heat: The heat map that they were made by, with gradients if those were on.
    """

    solution: Solutions
    blocks: tuple[Block, ...]
    heat: Heat

    def log_probs(self) -> Float[Tensor, " rows"]:
        """The logarithm of the probability of each row: a sum over all choices between several feasible candidates."""
        total = torch.zeros(len(self.solution), device=self.solution.device)
        for block in self.blocks:
            logits = self.heat.logits(self.heat.query(block.query_state), block.current)
            chosen = block.slots != NOT_CHOSEN
            allowed = block.allowed | ~chosen[..., None]
            log_probs = logits.masked_fill(~allowed, -torch.inf).log_softmax(-1)
            picked = log_probs.gather(-1, block.slots.clamp(min=0)[..., None])[..., 0]
            total = total + picked.masked_fill(~chosen, 0).sum(1)
        return total


def construct(
    problem: AnyProblem,
    divider: DividingPolicy,
    instance: Instance,
    samples: int,
    window: int,
    generator: torch.Generator,
    *,
    greedy: bool = True,
    record: bool = False,
) -> Construction:
    """Build complete solutions with the divider.

    The probability of a feasible neighbor of the current node is that of the heat map among the feasible ones. Where no
    neighbor is feasible, the problem's `remote` says where to go. The heat map is queried anew every `window` choices.

    Args:
        problem: Says which choices are feasible.
        divider: Predicts the heat map.
        instance: Instances.
        samples: Solutions of each.
        window: Choices between two queries.
        generator: For first nodes, and for choices that are drawn.
        greedy: Take the most likely neighbor instead of drawing one, but for the problem's first `n_sampled` choices.
        record: Keep the choices for `Construction.log_probs`.
    """
    heat = divider(problem.graph(instance, divider.n_neighbors))
    with torch.no_grad():
        state = problem.start(instance, samples, generator)
        recorder = _Recorder(record)
        everywhere = torch.arange(state.taken.shape[1], device=state.taken.device).expand(state.taken.shape)
        query = None
        while state.step < state.sequence.shape[1] and not bool(state.done.all()):
            if query is None or (state.step - 1) % window == 0:
                query = heat.query(state)
                recorder.begin(state)
            logits, candidates = heat.look(query, state)
            allowed = problem.feasible(instance, state, candidates)
            is_drawn = not greedy or state.step <= problem.n_sampled
            slots = choose(logits.masked_fill(~allowed, -torch.inf), generator if is_drawn else None)
            chosen = candidates.gather(1, slots[:, None])[:, 0]
            stuck = ~allowed.any(1) & ~state.done
            if bool(stuck.any()):
                rows = stuck.nonzero()[:, 0]
                feasible = problem.feasible(instance, state, everywhere)[rows]
                wishes = problem.remote(instance, state, rows).masked_fill(~feasible, -torch.inf)
                chosen[rows] = wishes.argmax(1)
            recorder.add(state, allowed, slots.masked_fill(stuck | state.done, NOT_CHOSEN))
            problem.advance(instance, state, chosen.masked_fill(state.done, 0))
        solution = problem.finish(instance, state)
    return Construction(solution, recorder.blocks(), heat)


class _Recorder:
    """Collects the choices block by block."""

    def __init__(self, active: bool) -> None:
        self.active = active
        self._done: list[Block] = []
        self._state: State | None = None
        self._steps: list[tuple[Tensor, Tensor, Tensor]] = []

    def begin(self, state: State) -> None:
        if self.active:
            self._close()
            sequence = state.sequence[:, : state.step].clone()
            self._state = State(state.owner, state.first, state.current, state.taken, sequence, state.done, state.step)

    def add(self, state: State, allowed: Tensor, slots: Tensor) -> None:
        if self.active:
            self._steps.append((state.current, allowed, slots))

    def blocks(self) -> tuple[Block, ...]:
        self._close()
        return tuple(self._done)

    def _close(self) -> None:
        if self._state is not None and self._steps:
            self._done.append(Block(self._state, *_stacked(self._steps)))
        self._steps = []


def _stacked(steps: Sequence[tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    current, allowed, slots = (torch.stack(list(part), 1) for part in zip(*steps, strict=True))
    return current, allowed, slots
