"""Trials: a network, properties of it that are neither easy nor hopeless, and methods that are to decide them."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bab_verify.configs import VerifyConfig
from bab_verify.frontends.onnx_import import graph_from_model
from bab_verify.frontends.torch_modules import model_from_module
from bab_verify.graph import Graph
from bab_verify.operators.relu import Relu
from bab_verify.properties.counterexamples import Oracle
from bab_verify.properties.instances import read_instances
from bab_verify.properties.specification import Specification
from bab_verify.properties.vnnlib import load_vnnlib
from bab_verify.search.results import Result
from bab_verify.search.verifier import Verifier

from .radius import Property, chosen_radii
from .recipes import Numbers, Recipe, make_network, make_properties

METHODS: dict[str, dict[str, Any]] = {
    "alpha": {"bounds": "alpha-crown", "branching": "none"},
    "genbab": {},
    "babsr": {"branching": "babsr"},
    "random": {"branching": "random"},
    "middle": {"points": "middle"},
    "base": {"cuts": "base"},
    "babsr-base": {"branching": "babsr", "cuts": "base"},
    "base-unstrengthened": {"cuts": "base-unstrengthened"},
    "mts": {"cuts": "mts"},
    "biccos": {"cuts": "biccos"},
}
"""What methods change: without changes BBPS, points from the table, and no cuts; on ReLUs that is beta-CROWN."""
STANDARD = VerifyConfig(
    branching="bbps",
    cuts="none",
    max_domains=1000,
    root_steps=20,
    branch_steps=10,
    batch_size=128,
    attack_restarts=10,
    attack_steps=50,
    timeout=30.0,
)
"""What a method may spend on one property, the same for all, where an experiment says nothing else."""
UNLIMITED = replace(STANDARD, max_domains=10**9, root_steps=100, attack_restarts=30)
"""As many branches as there is time for, as in the papers."""
TINY = replace(
    STANDARD, max_domains=4, timeout=5, root_steps=1, branch_steps=1, batch_size=4, attack_restarts=1, attack_steps=1
)
"""What a method may spend at the preset smoke."""


def method_config(budget: VerifyConfig, method: str, seed: int, device: str, *, attack: bool) -> VerifyConfig:
    """A method within a budget."""
    restarts = budget.attack_restarts if attack else 0
    return replace(budget, device=device, seed=seed, attack_restarts=restarts, **METHODS[method])


@dataclass(frozen=True)
class Trial:
    """Methods on the properties of one network: everything that the result depends on.

    The radius of the properties is chosen on others (images or loads), so that alpha-CROWN proves 30 to 60 % of those;
    or each property has its own, beyond the largest that alpha-CROWN verifies. Either depends on bounds alone.
    """

    recipe: Recipe | None = None
    methods: tuple[str, ...] = ("genbab",)
    """Besides alpha-CROWN, whose bounds all others begin with."""
    budget: VerifyConfig = STANDARD
    properties: int = 20
    """Images, or loads with a property for each line."""
    validation: int = 12
    """Those that the radius is chosen on."""
    compared: int = 10**9
    """Properties that all methods are tried on, the first ones; on the others only the first method is."""
    beyond: float = 0.0
    """By what share the radius of each property exceeds the largest that alpha-CROWN verifies; 0 for one for all."""
    radius: float = 0.0
    """Of all properties, without a search; 0 for a search."""
    folder: str = ""
    """Instead of a recipe: a folder in `$SEPARATA_DATA` with an `instances.csv` as in VNN-COMP."""
    seed: int = 0


class Case(NamedTuple):
    """A network and a property of it."""

    verifier: Verifier
    specification: Specification
    network: Callable[[Tensor], Tensor]
    """What the verifier's answers are checked with: flattened inputs (batch, inputs) to outputs (batch, outputs)."""


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """The answers of every method to every property, and what is known of the network."""
    about, cases = _cases(trial, device)
    answers: list[dict[str, dict[str, Any]]] = []
    wrong = 0
    for i, case in enumerate(cases):
        found = _decide(case, trial, trial.methods if i < trial.compared else trial.methods[:1], device)
        answers.append({method: _plain(result) for method, result in found.items()})
        wrong += is_wrong(case, found.values(), trial.seed)
    return {**about, "answers": answers, "wrong": wrong, "max_domains": trial.budget.max_domains}


def _decide(case: Case, trial: Trial, methods: Sequence[str], device: str) -> dict[str, Result]:
    """The results of each method; what attack or bounds at the root decide, they decide for all."""
    case.verifier.config = method_config(trial.budget, "alpha", trial.seed, device, attack=True)
    root = case.verifier.verify(case.specification)
    found = {"alpha": root}
    for method in methods:
        if root.status == "unknown":
            case.verifier.config = method_config(trial.budget, method, trial.seed, device, attack=False)
        found[method] = case.verifier.verify(case.specification) if root.status == "unknown" else root
    return found


def _plain(result: Result) -> dict[str, Any]:
    return {
        "status": result.status,
        "visited": result.visited,
        "cuts": result.cuts,
        "length": result.cut_length,
        "seconds": round(result.seconds, 3),
    }


def is_wrong(case: Case, results: Iterable[Result], seed: int) -> bool:
    """Whether an answer is refuted: by the network itself, by samples of the box, or by another answer."""
    found = list(results)
    statuses = {result.status for result in found}
    if {"sat", "unsat"} <= statuses:
        return True
    for result in found:
        if result.counterexample is not None:
            x = result.counterexample.x[None]
            if float(case.specification.violation(x, case.network(x))) > 1e-5:
                return True
    if "unsat" not in statuses:
        return False
    generator = torch.Generator().manual_seed(seed)
    for query in case.specification.queries:
        share = torch.rand(200, query.n_inputs, generator=generator, dtype=torch.float64)
        # Corners and inner points by turns.
        share[1::2] = share[1::2].round()
        y = case.network(query.lower + (query.upper - query.lower) * share)
        if bool((torch.stack([clause.violation(y) for clause in query.clauses]) < -1e-5).any()):
            return True
    return False


def _cases(trial: Trial, device: str) -> tuple[dict[str, Any], list[Case]]:
    if trial.recipe is None:
        cases = _from_folder(trial, device)
        return {"radii": [], "quality": 0.0, "neurons": max(neurons(case.verifier.graph) for case in cases)}, cases
    generator = torch.Generator().manual_seed(1_000_003 * (trial.seed + 1))
    with torch.random.fork_rng():
        torch.manual_seed(trial.seed)
        module = make_network(trial.recipe)
    numbers = Numbers(trial.properties, trial.validation)
    quality, properties, validation, example = make_properties(trial.recipe, module.to(device), numbers, generator)
    module = module.cpu().eval()
    model = model_from_module(module, example, fixed=True)
    graph = graph_from_model(model, trial.recipe.network, torch.float64)
    config = method_config(trial.budget, "alpha", trial.seed, device, attack=False)
    verifier = Verifier(graph, config, Oracle(model))

    def proves(prop: Property, radius: float) -> bool:
        return verifier.verify(prop(radius)).status == "unsat"

    @torch.no_grad()
    def network(x: Tensor) -> Tensor:
        return module(x.float().reshape(-1, *example.shape[1:])).flatten(1).double()

    radii = [trial.radius] * len(properties)
    if not trial.radius:
        radii = chosen_radii(proves, (properties, validation), trial.recipe.start, trial.beyond)
    about = {"radii": radii, "quality": quality, "neurons": neurons(graph)}
    return about, [Case(verifier, prop(radius), network) for prop, radius in zip(properties, radii, strict=True)]


def _one_by_one(oracle: Oracle, x: Tensor) -> Tensor:
    """The outputs of what takes one input at a time."""
    return torch.stack([oracle.outputs(point) for point in x])


def neurons(graph: Graph) -> int:
    """How many ReLUs a network has."""
    return sum(node.size for node in graph.nodes if isinstance(node.operator, Relu))


def folder_of(name: str) -> Path:
    """A folder in `$SEPARATA_DATA`.

    Raises:
        FileNotFoundError: if it is not there.
    """
    folder = Path(os.environ.get("SEPARATA_DATA", ""), name)
    if not os.environ.get("SEPARATA_DATA") or not folder.is_dir():
        raise FileNotFoundError(
            f"the instances of {name} are not on this machine: put the folder with its instances.csv, networks and "
            f"properties in $SEPARATA_DATA/{name}"
        )
    return folder


def _from_folder(trial: Trial, device: str) -> list[Case]:
    """The instances of a folder, as many as the trial takes."""
    cases = []
    verifiers: dict[Path, Verifier] = {}
    for instance in read_instances(folder_of(trial.folder) / "instances.csv")[: trial.properties]:
        if instance.onnx not in verifiers:
            config = method_config(trial.budget, "alpha", trial.seed, device, attack=False)
            verifiers[instance.onnx] = Verifier(instance.onnx, config)
        verifier = verifiers[instance.onnx]
        assert verifier.oracle is not None  # noqa: S101
        specification = load_vnnlib(instance.vnnlib, verifier.graph.n_inputs, verifier.graph.n_outputs)
        cases.append(Case(verifier, specification, partial(_one_by_one, verifier.oracle)))
    return cases
