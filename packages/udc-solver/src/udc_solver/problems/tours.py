"""Closed tours through all nodes: what TSP and ATSP have in common."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from .problem import State, owners


def start_tours(batch: int, n_nodes: int, samples: int, generator: torch.Generator, device: torch.device) -> State:
    """Tours that begin at random nodes."""
    n_rows = batch * samples
    first = torch.randint(n_nodes, (n_rows,), generator=generator).to(device)
    sequence = torch.zeros(n_rows, n_nodes, dtype=torch.long, device=device)
    sequence[:, 0] = first
    taken = torch.zeros(n_rows, n_nodes, dtype=torch.bool, device=device)
    taken.scatter_(1, first[:, None], value=True)
    done = torch.zeros(n_rows, dtype=torch.bool, device=device)
    return State(owners(n_rows, batch, device), first, first, taken, sequence, done)


def feasible_in_tour(state: State, candidates: Int[Tensor, "rows some"]) -> Bool[Tensor, "rows some"]:
    """Nodes that are not on the tour yet."""
    return ~state.taken.gather(1, candidates)


def advance_tour(state: State, chosen: Int[Tensor, " rows"]) -> None:
    """Go to the chosen nodes; the tours are done with the last one."""
    state.record(chosen)
    state.taken.scatter_(1, chosen[:, None], value=True)
    if state.step == state.sequence.shape[1]:
        state.done = torch.ones_like(state.done)


def check_tours(solution: Int[Tensor, "rows nodes"], n_nodes: int) -> None:
    """Refuse sequences that are not permutations of all nodes.

    Raises:
        ValueError: in one sentence.
    """
    if solution.shape[1] != n_nodes:
        raise ValueError(f"a tour visits each of the {n_nodes} nodes once, not {solution.shape[1]} of them")
    if not torch.equal(solution.sort(1).values, torch.arange(n_nodes, device=solution.device).expand_as(solution)):
        raise ValueError("the tour does not visit every node exactly once")
