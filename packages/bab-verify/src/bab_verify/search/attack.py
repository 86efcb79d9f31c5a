"""Attacks: search for counterexamples by projected gradient descent (PGD)."""

import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bab_verify.graph import Graph
from bab_verify.properties.specification import Query

FIRST_RESTARTS, FIRST_STEPS = 5, 30
"""The cheap round before the full one."""
DIVERSIFYING_STEPS = 8
SAMPLES = 1000
"""Random points that are tried before any gradient; fewer for large networks."""
MAX_ELEMENTS = 2**25
"""Numbers that the values of all nodes hold at once."""
CHEAP = 2**20
"""Numbers that take hardly longer to compute than fewer: small networks get more restarts."""
MORE = 10
"""How many times more."""
KEPT = 16
"""Candidates that are given back at most."""
ROUNDING = 1e-5
"""Points that miss by less may still be confirmed."""


def pgd_attack(
    graph: Graph,
    query: Query,
    restarts: int = 30,
    steps: int = 100,
    generator: torch.Generator | None = None,
    deadline: float = math.inf,
    diversify: bool = True,
    *,
    clauses: Bool[Tensor, "clauses"] | None = None,
    confirm: Callable[[Tensor], object] | None = None,
    budget: float = 1.5,
) -> Float[Tensor, "n inputs"] | None:
    """Search for inputs whose outputs are unsafe.

    The loss of a clause, max_r (C_r f(x) - d_r), is minimised by steps along the sign of its gradient, projected to the
    box; they begin at an eighth of the box in each input. All clauses and restarts are one batch. The centre, corners
    and random points come first, then a short round, then the full one, the closest clauses first. Half of the restarts
    first walk towards random outputs (output-diversified initialisation).

    Args:
        graph: The network, of any floating type and on any device.
        query: The box, and what is unsafe.
        restarts: Random starts for each clause; 0 for no attack. Networks that are so small that it costs little get
            ten times as many.
        steps: Gradient steps from each.
        generator: Of the starts; one with seed 0 if not given.
        deadline: When to stop at the latest, on `time.monotonic`.
        diversify: Whether half of the restarts are diversified.
        clauses: Which clauses are still to be attacked, (clauses,); all if not given.
        confirm: Takes a candidate (inputs,), in float64 and inside the box, and gives something true if it is a
            counterexample. A refused one makes the search go on for points that violate more.
        budget: Seconds; the search ends there, whatever is left of the restarts.

    Returns:
        Points that violate in the graph's arithmetic, in float64, the most violating first; with `confirm`, the one
        that it accepted. `None` if there are none.

    Raises:
        ValueError: if the query is not about the graph's inputs and outputs.
    """
    config = (restarts, steps, diversify)
    return Attack(graph, query, config, generator, clauses=clauses, confirm=confirm).run(budget, deadline)


class Attack:
    """The same, to be gone on with for as long as there is time.

    Args:
        graph: As for `pgd_attack`, and so are the others.
        query: The box, and what is unsafe.
        config: Restarts, steps, and whether half of the restarts are diversified.
        generator: Of the starts.
        clauses: Which clauses are to be attacked.
        confirm: Takes a candidate.
    """

    def __init__(
        self,
        graph: Graph,
        query: Query,
        config: tuple[int, int, bool],
        generator: torch.Generator | None = None,
        *,
        clauses: Bool[Tensor, "clauses"] | None = None,
        confirm: Callable[[Tensor], object] | None = None,
    ) -> None:
        if (query.n_inputs, query.n_outputs) != (graph.n_inputs, graph.n_outputs):
            raise ValueError(
                f"the query is about {query.n_inputs} inputs and {query.n_outputs} outputs, but the network has "
                f"{graph.n_inputs} and {graph.n_outputs}"
            )
        self.clauses = torch.arange(len(query.clauses)) if clauses is None else clauses.cpu().nonzero().squeeze(1)
        """Which clauses are attacked, by their index."""
        restarts, steps, diversify = config
        self._search: _Search | None = None
        if len(self.clauses) and restarts >= 1:
            self._search = _Search(graph, query, self.clauses, generator or torch.Generator().manual_seed(0), confirm)
            self._steps = self._search.run(restarts, steps, diversify=diversify)

    def run(self, budget: float, deadline: float = math.inf) -> Float[Tensor, "n inputs"] | None:
        """Go on for some seconds; what `pgd_attack` returns."""
        search, deadline = self._search, min(deadline, time.monotonic() + budget)
        if search is None:
            return None
        for _ in self._steps:
            if search.found is not None or time.monotonic() > deadline:
                break
        return search.found if search.found is not None else search.almost()


class _Rows(NamedTuple):
    """Clauses of one number of rows: those of fewer repeat one; those without rows get one that always holds.

    Args:
        C: (clauses, rows, outputs).
        d: (clauses, rows).
    """

    C: Tensor
    d: Tensor

    @staticmethod
    def of(query: Query, chosen: Tensor, like: Tensor) -> "_Rows":
        """Those of a query."""
        clauses = [query.clauses[i] for i in chosen.tolist()]
        most = max(1, *(len(clause.d) for clause in clauses))
        C = like.new_zeros(len(clauses), most, query.n_outputs)
        d = like.new_ones(len(clauses), most)
        for i, clause in enumerate(clauses):
            if len(clause.d):
                rows = torch.arange(most).clamp(max=len(clause.d) - 1)
                C[i], d[i] = clause.C[rows].to(like), clause.d[rows].to(like)
        return _Rows(C, d)

    def losses(self, y: Tensor) -> Tensor:
        """max_r (C_r y - d_r) of every clause, (n, clauses), at outputs (n, outputs)."""
        products = (y @ self.C.flatten(0, 1).T).unflatten(1, self.d.shape)
        return _without_nan((products - self.d).amax(2))

    def loss(self, y: Tensor, clause: Tensor) -> Tensor:
        """The same of one clause (n,) for each, (n,)."""
        products = torch.einsum("no,nro->nr", y, self.C[clause])
        return (products - self.d[clause]).amax(1)


class _Search:
    """The state of one attack."""

    def __init__(
        self,
        graph: Graph,
        query: Query,
        clauses: Tensor,
        generator: torch.Generator,
        confirm: Callable[[Tensor], object] | None,
    ) -> None:
        self.graph, self.query, self.generator, self.confirm = graph, query, generator, confirm
        self.like = graph.example()
        self.rows = _Rows.of(query, clauses, self.like)
        self.lower, self.upper = query.lower.to(self.like), query.upper.to(self.like)
        size = sum(node.size for node in graph.nodes)
        self.chunk = max(1, MAX_ELEMENTS // (4 * size))
        """Points that the network takes at once."""
        self.cheap = CHEAP // (size * len(clauses))
        """Restarts that cost little."""
        self.wanted = 0.0
        """A candidate must violate this much: more than those that were refused."""
        self.found: Tensor | None = None
        self.nearest: tuple[float, Tensor] | None = None
        self.best = self.like.new_full((len(clauses),), math.inf)
        """Least loss of each clause."""

    def run(self, restarts: int, steps: int, *, diversify: bool) -> Iterator[None]:
        """Search; what it yields is only a chance to stop."""
        starts = self._sample()
        yield
        n = len(self.best)
        clause = self.best.argsort()
        quick = min(restarts, FIRST_RESTARTS)
        for part in clause.split(max(1, self.chunk // quick)):
            x = torch.cat([starts[part], self._random((quick - 1) * len(part))])
            yield from self._descend(x, part.repeat(quick), min(steps, FIRST_STEPS))
        if restarts == quick and steps <= FIRST_STEPS:
            return
        clause = self.best.argsort()
        # Every clause gets a restart before any gets its next; few enough at once that time is not spent on one batch.
        todo = clause.repeat(max(restarts, min(MORE * restarts, self.cheap)))
        walk = torch.arange(len(todo), device=todo.device) // n % 2 == 1
        for index in torch.arange(len(todo), device=todo.device).split(self.chunk):
            x = self._random(len(index))
            if diversify:
                away = walk[index]
                for moved in self._diversify(x[away]):
                    x[away] = moved
                    yield
            yield from self._descend(x, todo[index], steps)

    def almost(self) -> Tensor | None:
        """What missed by no more than rounding, if it is confirmed all the same."""
        if self.confirm is None or self.nearest is None or self.nearest[0] > ROUNDING:
            return None
        point = self._inside(self.nearest[1])
        return point[None] if self.confirm(point) else None

    def _sample(self) -> Tensor:
        """Try the centre, corners and random points; the best of them for each clause, (clauses, inputs)."""
        n = min(SAMPLES, max(8, self.chunk))
        random = self._random(n)
        middle = (self.lower + self.upper) / 2
        corners = torch.where(random[: n // 2] > middle, self.upper, self.lower)
        x = torch.cat([middle[None], corners, random[n // 2 :]])
        starts = x[:1].repeat(len(self.best), 1)
        # A first look at the cost: large networks get the centre and a few.
        for part in x.split(min(self.chunk, max(1, n // 4))):
            with torch.no_grad():
                losses = self.rows.losses(self.graph(part))
            least, at = losses.min(0)
            better = least < self.best
            starts[better] = part[at[better]]
            self._record(part, losses.amin(1))
            self.best = torch.minimum(self.best, least)
            if self.found is not None:
                break
        return starts

    def _descend(self, x: Tensor, clause: Tensor, steps: int) -> Iterator[None]:
        """Gradient descent from points (n, inputs), each on its clause (n,)."""
        size = (self.upper - self.lower) / 8
        decay = 0.01 ** (1 / steps)
        for step in range(steps + 1):
            x = x.detach().requires_grad_(step < steps)
            with torch.set_grad_enabled(step < steps):
                loss = self.rows.loss(self.graph(x), clause)
                total = loss.sum()
            value = _without_nan(loss.detach())
            self._record(x.detach(), value)
            self.best = self.best.scatter_reduce(0, clause, value, "amin")
            if step < steps:
                (gradient,) = torch.autograd.grad(total, x)
                x = self._move(x.detach(), -gradient, size * decay**step)
            yield

    def _diversify(self, x: Tensor) -> Iterator[Tensor]:
        """Walk from points (n, inputs) towards random outputs, step by step."""
        if not len(x):
            return
        direction = 2 * self._uniform(len(x), self.graph.n_outputs) - 1
        size = (self.upper - self.lower) / 4
        for _ in range(DIVERSIFYING_STEPS):
            x = x.detach().requires_grad_()
            with torch.enable_grad():
                value = (self.graph(x) * direction).sum()
            (gradient,) = torch.autograd.grad(value, x)
            x = self._move(x.detach(), gradient, size)
            yield x

    def _move(self, x: Tensor, direction: Tensor, size: Tensor) -> Tensor:
        """A step along the signs of a direction, inside the box; where it is zero, at random."""
        sign = direction.sign().nan_to_num()
        lost = (sign == 0).all(1)
        if bool(lost.any()):
            sign[lost] = (2 * self._uniform(int(lost.sum()), x.shape[1]) - 1).sign()
        return torch.maximum(torch.minimum(x + size * sign, self.upper), self.lower)

    def _record(self, x: Tensor, loss: Tensor) -> None:
        """Take note of points (n, inputs) and their losses (n,)."""
        least, index = loss.min(0)
        if self.found is not None or not least < (math.inf if self.nearest is None else self.nearest[0]):
            return
        self.nearest = (float(least), x[index])
        hits = (loss <= self.wanted).nonzero().squeeze(1)
        if not len(hits):
            return
        hits = hits[loss[hits].argsort()][:KEPT]
        points = self._inside(x[hits])
        if self.confirm is None:
            self.found = points
            return
        # Copies of one point would be refused alike: the most violating stands for all.
        if self.confirm(points[0]):
            self.found = points[:1]
        else:
            self.wanted = 2 * float(loss[hits[0]]) - 1e-7

    def _inside(self, x: Tensor) -> Tensor:
        """In float64, on the CPU, and inside the box as it is in float64."""
        return torch.maximum(torch.minimum(x.detach().cpu().double(), self.query.upper), self.query.lower)

    def _random(self, n: int) -> Tensor:
        """Points of the box, (n, inputs)."""
        return self.lower + (self.upper - self.lower) * self._uniform(n, len(self.lower))

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator, device=self.generator.device).to(self.like)


def _without_nan(x: Tensor) -> Tensor:
    return torch.where(x.isnan(), math.inf, x)
