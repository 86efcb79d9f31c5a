"""What a problem must tell, so that the one solver, the one trainer and the commands work for it.

A solution is a tensor of integers: a sequence of nodes, with the depot, 0, between routes and behind the last one where
there is a depot; or a Boolean mask of nodes, where nodes are selected. Solutions come in rows: with B instances and R
rows, row r belongs to instance r // (R / B); R / B is the number of samples.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from udc_solver.configs import ConquerorConfig
from udc_solver.conquerors.conqueror import Conqueror, SubProblems
from udc_solver.graphs import Graph
from udc_solver.instances import Instance

InstanceT = TypeVar("InstanceT", bound=Instance)
Solutions = Int[Tensor, "rows length"] | Bool[Tensor, "rows nodes"]


@dataclass
class State:
    """Partial solutions while they are built; the problem's `advance` changes it in place.

    Attributes:
        owner: Instance of each row.
        first: Node that each row began with.
        current: Node that each row is at.
        taken: Nodes that must not be chosen any more.
        sequence: What was chosen, step by step; 0 behind the end.
        done: Rows that are complete; nothing more is chosen in them.
        step: Choices so far, the first node among them.
        held: Whatever else the problem keeps, by name: load, length, prize.
    """

    owner: Int[Tensor, " rows"]
    first: Int[Tensor, " rows"]
    current: Int[Tensor, " rows"]
    taken: Bool[Tensor, "rows nodes"]
    sequence: Int[Tensor, "rows length"]
    done: Bool[Tensor, " rows"]
    step: int = 1
    held: dict[str, Tensor] = field(default_factory=dict)

    def record(self, chosen: Int[Tensor, " rows"]) -> None:
        """Write the choice down, and go there: what every `advance` begins with."""
        self.sequence[:, self.step] = chosen
        self.current = chosen
        self.step += 1


@dataclass(frozen=True)
class Division:
    """A solution, divided.

    Args:
        sub: All sub-problems of all rows, in one batch.
        plan: Whatever the problem's `merge` needs to put answers back.
    """

    sub: SubProblems
    plan: Any


class Problem(ABC, Generic[InstanceT]):
    """One combinatorial optimization problem.

    Subclass this class, give the attributes values, write the methods, and `register_problem`: `UDC`, `Trainer` and
    the commands then know the problem. README.md has an example.
    """

    name: str
    """As the command line has it."""
    title: str
    """As people read it."""
    instance_type: type[InstanceT]
    n_node_features: int
    n_edge_features: int
    has_depot: bool = False
    """Whether node 0 is a depot, which the divider then gets a context of."""
    heat: Literal["edges", "nodes"] = "edges"
    """What the divider predicts: which edge to follow, or which node to select."""
    n_sampled: int = 0
    """First choices that are drawn at random also where the others are greedy, so that samples differ."""
    is_maximized: bool = False
    """Whether people want a large objective; costs are then its negative."""
    window: int = 100
    """Nodes of a sub-problem in the paper."""
    n_neighbors: int = 100
    """Edges of each node in the paper's sparse graph."""
    rounds: int = 2
    """Conquering rounds in a training step of the paper: conquer and reunion."""

    @abstractmethod
    def generate(self, n_nodes: int, batch: int, generator: torch.Generator) -> InstanceT:
        """Random instances from the paper's distribution.

        Args:
            n_nodes: Nodes, customers or items; a depot is not counted.
            batch: Instances.
            generator: On the CPU.
        """

    @abstractmethod
    def graph(self, instance: InstanceT, k: int) -> Graph:
        """What the divider sees: nodes, edges and their features, in the divider's units."""

    @abstractmethod
    def start(self, instance: InstanceT, samples: int, generator: torch.Generator) -> State:
        """Partial solutions of one node, `samples` of each instance."""

    @abstractmethod
    def feasible(
        self, instance: InstanceT, state: State, candidates: Int[Tensor, "rows some"]
    ) -> Bool[Tensor, "rows some"]:
        """Which of the candidates each row may choose next. In every row that is not done, some node of all may be."""

    @abstractmethod
    def remote(self, instance: InstanceT, state: State, rows: Int[Tensor, " some"]) -> Float[Tensor, "some nodes"]:
        """Preferences over all nodes, in rows none of whose neighbors is feasible: the best feasible node is chosen."""

    @abstractmethod
    def advance(self, instance: InstanceT, state: State, chosen: Int[Tensor, " rows"]) -> None:
        """Add the chosen nodes, and mark the rows that are done; `chosen` is 0 in rows that already were."""

    @abstractmethod
    def finish(self, instance: InstanceT, state: State) -> Solutions:
        """The solutions of rows that are all done."""

    @abstractmethod
    def split(
        self, instance: InstanceT, solution: Solutions, window: int, roll: int, generator: torch.Generator
    ) -> Division:
        """Divide solutions into sub-problems of `window` nodes.

        Args:
            instance: The instances.
            solution: Complete and feasible.
            window: Nodes of each sub-problem; what is left over stays as it is in this round.
            roll: By how many nodes the borders are shifted.
            generator: For whatever else is drawn.
        """

    @abstractmethod
    def merge(self, instance: InstanceT, division: Division, answers: Tensor) -> Solutions:
        """The solutions, with the parts that were sub-problems replaced by these answers."""

    @abstractmethod
    def cost(self, instance: InstanceT, solution: Solutions) -> Float[Tensor, " rows"]:
        """What is minimized, in the instance's own units."""

    @abstractmethod
    def check(self, instance: InstanceT, solution: Solutions) -> None:
        """Refuse solutions that are not feasible.

        Raises:
            ValueError: which constraint is violated, in one sentence.
        """

    @abstractmethod
    def make_conqueror(self, config: ConquerorConfig) -> Conqueror:
        """The network for its sub-problems, untrained."""

    def objective(self, cost: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """What people call the value of a solution: the cost, or its negative where it is maximized."""
        return -cost if self.is_maximized else cost


AnyProblem = Problem[Any]
"""A problem, whatever its instances are."""

PROBLEMS: dict[str, Callable[[], AnyProblem]] = {}
"""How to make each problem, by name."""


def register_problem(name: str, factory: Callable[[], AnyProblem]) -> None:
    """Make a problem known under a name.

    Raises:
        ValueError: if the name is taken.
    """
    if name in PROBLEMS:
        raise ValueError(f"there is already a problem {name}; choose another name")
    PROBLEMS[name] = factory


def owners(n_rows: int, batch: int, device: torch.device | str = "cpu") -> Int[Tensor, " rows"]:
    """The instance of each row."""
    return torch.arange(batch, device=device).repeat_interleave(n_rows // batch)
