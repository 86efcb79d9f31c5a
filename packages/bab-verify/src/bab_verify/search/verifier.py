"""The verifier: attack, bounds, branch and bound, on one clock."""

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from bab_verify.bounds.inference import uncovered
from bab_verify.bounds.problem import Problem
from bab_verify.bounds.proof import Proof
from bab_verify.bounds.root_bounds import Root
from bab_verify.bounds.rounding import standard_arithmetic
from bab_verify.configs import VerifyConfig
from bab_verify.frontends.loading import load_network
from bab_verify.frontends.onnx_registry import NetworkError
from bab_verify.graph import Graph
from bab_verify.properties.counterexamples import Counterexample, Oracle
from bab_verify.properties.specification import Query, Specification, SpecificationError

from .activation_splitting import ActivationSplitter
from .attack import Attack
from .bounder import BranchBounder
from .device import device_from_name
from .input_splitting import InputSplitter, InputSplittingConfig
from .mixed_integer import MOST_UNITS, MOST_WEIGHTS, MixedIntegerSearch
from .results import Result

FIRST_ATTACK, SECOND_ATTACK = 0.2, 1.5
"""Seconds that the attack may take before bounds are computed, and after they did not decide."""
INPUT_ELEMENTS, MOST_BOXES = 2**20, 2**14
"""Values of the network, over all boxes of a batch, that input splitting takes at once, and boxes at most."""
MOMENT, FEW_BRANCHES = 2.0, 500
"""Seconds and branches that branch and bound has before linear programs are solved: what is easy ends within them."""
MOMENT_SHARE, PROGRAM_SHARE = 0.1, 0.4
"""Of the time for a property, what that moment is at most, and what linear programs may then take."""
WALKERS, WALK = 32, 8
"""How many of the points that branches suggest are walked downhill, and how many steps."""
Progress = Callable[[float, int, int, float], None]
"""Told seconds, branches visited, branches open and the least margin."""


class Verifier:
    """Proves or refutes properties of one network.

    Args:
        network: An ONNX file, a module (with `example`, an input of it), or a graph.
        config: How.
        oracle: What confirms counterexamples; by default ONNX Runtime on the file, the module itself in its own
            precision, or the graph itself in double precision.
        example: An input of the module, with a batch of 1.
    """

    def __init__(
        self,
        network: Graph | nn.Module | str | Path,
        config: VerifyConfig | None = None,
        oracle: Oracle | None = None,
        example: Tensor | None = None,
    ) -> None:
        self.config = config or VerifyConfig()
        self.device = device_from_name(self.config.device)
        loaded = load_network(network, example)
        self.name = loaded.name
        self.graph = loaded.graph.to(self.device)
        if self.config.inference == "float32":
            self._cover_inference(loaded.name)
        self.oracle = oracle or Oracle(loaded.given, loaded.name, self.graph)
        self.single = copy.deepcopy(self.graph).float()
        """The network in single precision, for the attack."""

    def _cover_inference(self, name: str) -> None:
        """Let bounds hold of the network in single precision, too."""
        missing = uncovered(self.graph)
        if missing:
            raise NetworkError(
                f"{name}: bounds on float32 inference cover affine layers, ReLU, absolute values, signs, sigmoid and "
                f"tanh, but it also has {', '.join(missing)}; take --inference real"
            )
        self.graph.inference = torch.float32

    def verify(self, specification: Specification, progress: Progress | None = None) -> Result:
        """Prove that no input does what the specification describes, or find one that does.

        Args:
            specification: What must not happen.
            progress: Told how it goes.

        Raises:
            SpecificationError: if it is about another number of inputs or outputs.
            DomainError: if the network is not defined on all of the box.
            NetworkError: if `milp` is asked for and the network is no ReLU network, or too large for it.
        """
        with standard_arithmetic():
            return _Run(self, specification, progress).result()

    def confirm(self, specification: Specification, x: Tensor) -> Counterexample | None:
        """The counterexample at an input (inputs,), if it is one."""
        return self.oracle.confirm(specification, x)


class _Run:
    """One verification under way."""

    def __init__(self, verifier: Verifier, specification: Specification, progress: Progress | None) -> None:
        self.verifier, self.config, self.specification = verifier, verifier.config, specification
        sizes = (verifier.graph.n_inputs, verifier.graph.n_outputs)
        if (specification.n_inputs, specification.n_outputs) != sizes:
            raise SpecificationError(
                f"the specification is about {specification.n_inputs} inputs and {specification.n_outputs} outputs, "
                f"but the network has {sizes[0]} and {sizes[1]}"
            )
        self.started = time.monotonic()
        self.deadline = self.started + self.config.timeout
        self.progress = progress
        self.visited = 0
        self.cut_lengths: list[int] = []
        self.history: list[tuple[float, int, int, float]] = []
        self.counterexample: Counterexample | None = None
        self.proof = Proof()
        self.attack: Attack | None = None
        """The last one on the query, to be gone on with."""
        self.query = specification.queries[0]
        self.generator = torch.Generator().manual_seed(self.config.seed)

    def result(self) -> Result:
        """Run."""
        reason, margins = "bounds", []
        for query in self.specification.queries:
            proven, why, found = self._query(query)
            margins.append(found)
            if self.counterexample is not None:
                return self._finished("sat", why, margins)
            if not proven:
                return self._finished("unknown", why, margins)
            reason = why if why != "bounds" else reason
        return self._finished("unsat", reason, margins)

    def _finished(self, status: str, reason: str, margins: list[tuple[float, ...]]) -> Result:
        seconds = time.monotonic() - self.started
        return Result(
            status,
            reason,
            self.counterexample,
            tuple(margins),
            self.visited,
            len(self.cut_lengths),
            seconds,
            sum(self.cut_lengths) / max(1, len(self.cut_lengths)),
            self.proof.margin if status == "unsat" else None,
            self.proof.error_bound if status == "unsat" else None,
            tuple(self.history),
        )

    def _query(self, query: Query) -> tuple[bool, str, tuple[float, ...]]:
        """Refute all clauses over one box: whether that was done, by what, and the margins."""
        self.query = query
        if any(not len(clause.d) for clause in query.clauses) and self._confirmed((query.lower + query.upper) / 2):
            return False, "a clause without constraints", ()
        if self._attacked(query, FIRST_ATTACK):
            return False, "attack", ()
        with torch.no_grad():
            root = Root(Problem.of(self.verifier.graph, query), self.config, self.deadline)
        if len(root):
            open_clauses = torch.zeros_like(root.margins, dtype=torch.bool).index_fill(0, root.clauses, value=True)
            if self._attacked(query, SECOND_ATTACK, open_clauses):
                return False, "attack", ()
        with torch.no_grad():
            root.focus()
        splits_input = self._splits_input(root.problem)
        if len(root) and self.config.bounds not in {"ibp", "crown"} and not splits_input:
            with torch.no_grad():
                root.optimize()
        self.proof.join(root.proof)
        if not len(root):
            return True, "bounds", tuple(root.margins.tolist())
        if self.config.branching == "none" or self.config.bounds != "beta-crown":
            return False, "no branching", tuple(root.margins.tolist())
        proven, why, lower_bound = (self._split_input if splits_input else self._split_units)(root)
        root.margins[root.clauses] = lower_bound
        return proven, why, tuple(root.margins.tolist())

    def _splits_input(self, problem: Problem) -> bool:
        wanted = self.config.branching
        return wanted == "input" or (wanted == "auto" and len(problem.free) <= self.config.input_dimensions)

    def _split_input(self, root: Root) -> tuple[bool, str, float]:
        with torch.no_grad():
            problem, _ = root.rounded(root.dtype())
        size = sum(node.size for node in problem.graph.nodes)
        batch_size = self.config.batch_size or min(MOST_BOXES, max(64, INPUT_ELEMENTS // size))
        config = InputSplittingConfig(batch_size, max_domains=self.config.max_domains)
        finer, exact = None, root.problem
        if self.config.dtype == "auto" and problem is not exact:
            finer = InputSplitter(exact.graph, (exact.c, exact.d), config)
        splitter = InputSplitter(problem.graph, (problem.c, problem.d), config, finer)
        with torch.no_grad():
            found = splitter.run(
                problem.box.lower[0], problem.box.upper[0], partial(self._violated, problem), self.deadline, self._tell
            )
        self.visited += found.visited
        self.proof.join(splitter.proof)
        return (
            found.proven,
            "branches" if found.proven or found.candidate is not None else self._why(),
            found.lower_bound,
        )

    def _split_units(self, root: Root) -> tuple[bool, str, float]:
        if self.config.branching not in {"auto", "milp"}:
            return self._split_activations(root)
        with torch.no_grad():
            solvable = MixedIntegerSearch.applies(root.problem.graph, root.problem.box, root.bounds)
        if self.config.branching == "milp":
            if not solvable:
                raise NetworkError(
                    f"{self.verifier.name}: --branching milp is for networks of affine layers and ReLUs, of which at "
                    f"most {MOST_UNITS} may be either over the box, and at most {MOST_WEIGHTS} weights; take auto"
                )
            return self._solve_programs(root)
        return self._alternate(root) if solvable else self._split_activations(root)

    def _alternate(self, root: Root) -> tuple[bool, str, float]:
        """Branch and bound for a moment, linear programs for longer, and branch and bound for the rest."""
        begun, timeout, least = self.visited, self.config.timeout, float("-inf")
        for search, share, most in (
            (self._split_activations, min(MOMENT / timeout, MOMENT_SHARE), FEW_BRANCHES),
            (self._solve_programs, PROGRAM_SHARE, self.config.max_domains),
            (self._split_activations, 1.0, self.config.max_domains),
        ):
            until = min(self.deadline, time.monotonic() + share * timeout)
            left = self.config.max_domains - (self.visited - begun)
            proven, why, margin = search(root, until, min(most, left))
            least = max(least, margin)
            if proven or self.counterexample is not None or self._over(begun):
                break
        return proven, why, least

    def _over(self, begun: int = 0) -> bool:
        """Whether time or branches are spent."""
        return time.monotonic() > self.deadline or self.visited - begun >= self.config.max_domains

    def _solve_programs(
        self, root: Root, until: float | None = None, most: float | None = None
    ) -> tuple[bool, str, float]:
        problem = root.problem
        search = MixedIntegerSearch(
            problem.graph,
            problem.box,
            root.bounds,
            (problem.c, problem.d),
            violated=lambda x: self._violated(problem, x.to(problem.c)),
            deadline=self.deadline if until is None else until,
            most=self.config.max_domains if most is None else most,
            progress=self._tell,
        )
        with torch.no_grad():
            proven, lower_bound = search.run()
        self.visited += search.visited
        self.proof.join(search.proof)
        decided = proven or self.counterexample is not None
        why = "branches" if decided else "branches that cannot be split" if search.unresolved else self._why()
        return proven, why, lower_bound

    def _split_activations(
        self, root: Root, until: float | None = None, most: int | None = None
    ) -> tuple[bool, str, float]:
        """Branch and bound.

        Args:
            root: What is known.
            until: On `time.monotonic`, when it ends; by default when time is over.
            most: Branches to visit, at most; by default as many as there may be.
        """
        with torch.no_grad():
            problem, bounds = root.rounded(root.dtype())
            mixed = self.config.dtype == "auto" and problem is not root.problem
            bounder = BranchBounder(
                problem.graph,
                problem.box,
                bounds,
                (problem.c, problem.d),
                self.config if most is None else replace(self.config, max_domains=max(1, most)),
                violated=partial(self._violated, problem),
                deadline=self.deadline if until is None else until,
                generator=self.generator,
                exact=(root.problem, root.bounds) if mixed else None,
            )
            splitter = ActivationSplitter(bounder, self._tell)
            proven, lower_bound = splitter.run()
        self.visited += bounder.visited
        self.proof.join(bounder.proof)
        self.cut_lengths += splitter.cut_lengths
        decided = proven or self.counterexample is not None
        last = until is None or until >= self.deadline
        if splitter.unresolved and not decided and last and self.config.branching == "auto":
            # Smooth operations over intervals too short to split: only the input is left.
            return self._split_input(root)
        why = "branches" if decided else "branches that cannot be split" if splitter.unresolved else self._why()
        return proven, why, lower_bound

    def _why(self) -> str:
        return "timeout" if time.monotonic() > self.deadline else "domain limit"

    def _tell(self, visited: int, open_branches: int, margin: float) -> None:
        entry = (time.monotonic() - self.started, self.visited + visited, open_branches, margin)
        self.history.append(entry)
        if self.progress:
            self.progress(*entry)

    def _violated(self, problem: Problem, x: Tensor) -> Tensor | None:
        """An input that is a counterexample, among some (n, free inputs) or a short descent away from the best."""
        if not len(x):
            return None
        violation = problem.violations(x)
        found = self._first_confirmed(problem, x, violation)
        if found is None:
            nearest = violation.topk(min(len(x), WALKERS), largest=False).indices
            others = torch.randint(len(x), (WALKERS,), generator=self.generator).to(nearest.device)
            found = self._descended(problem, x[torch.cat([nearest, others])])
        return found

    def _descended(self, problem: Problem, x: Tensor) -> Tensor | None:
        size = (problem.box.upper - problem.box.lower) / 20
        for step in range(WALK):
            x = x.detach().requires_grad_()
            with torch.enable_grad():
                violation = problem.violations(x)
                (gradient,) = torch.autograd.grad(violation.sum(), x)
            found = self._first_confirmed(problem, x.detach(), violation.detach())
            if found is not None:
                return found
            moved = x.detach() - size * 0.5**step * gradient.sign()
            x = torch.maximum(torch.minimum(moved, problem.box.upper), problem.box.lower)
        return self._first_confirmed(problem, x, problem.violations(x))

    def _first_confirmed(self, problem: Problem, x: Tensor, violation: Tensor) -> Tensor | None:
        for index in (violation <= 0).nonzero().squeeze(1)[:3].tolist():
            if self._confirmed(self._whole(problem, x[index])):
                return x[index]
        return None

    def _whole(self, problem: Problem, x: Tensor) -> Tensor:
        """An input (free inputs,) with those that are fixed."""
        whole = self.query.lower.clone()
        whole[problem.free.cpu()] = x.detach().to("cpu", torch.float64)
        return whole

    def _confirmed(self, x: Tensor) -> bool:
        found = self.verifier.confirm(self.specification, x)
        if found is not None:
            self.counterexample = found
        return found is not None

    def _attacked(self, query: Query, budget: float, clauses: Tensor | None = None) -> bool:
        if not self.config.attack_restarts:
            return False
        if clauses is not None and self.attack is not None:
            # It may have been about to find something.
            self.attack.run(budget / 2, self.deadline)
            if self.counterexample is not None:
                return True
        config = (self.config.attack_restarts, self.config.attack_steps, True)
        open_clauses = None if clauses is None else clauses.cpu()
        single, confirm = self.verifier.single, self._confirmed
        self.attack = Attack(single, query, config, self.generator, clauses=open_clauses, confirm=confirm)
        self.attack.run(budget if clauses is None else budget / 2, self.deadline)
        return self.counterexample is not None
