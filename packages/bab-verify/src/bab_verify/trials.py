"""Trials: a network, properties of it that are neither easy nor hopeless, and methods that are to decide them."""

import itertools
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from separata import data
from separata.models import MLP

from . import networks
from .counterexamples import Oracle
from .graph import Graph
from .instances import read_instances
from .modules import model_from_module
from .onnx_front_end import graph_from_model, load_onnx
from .optimization import Optimisation
from .property_files import load_vnnlib
from .radius import Property, chosen_radii
from .relu import Relu
from .results import Result
from .settings import VerifyConfig
from .specification import Clause, Query, Specification, robustness
from .verifier import Verifier

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

SPARE = 0.02
"""By how much the limit of a line exceeds its largest flow at the corners of the box, as a share of the range there."""


@dataclass(frozen=True)
class Recipe:
    """A network to train: everything that it depends on but the seed."""

    network: str = "mlp"
    """mlp, cnn, wide, lstm, vit, or power."""
    activation: str = "relu"
    """Of the mlp."""
    dataset: str = "digits"
    size: int | None = None
    """Height and width that images are resized to."""
    hidden: tuple[int, ...] = (50, 50)
    """Of the mlp; the two convolutions' channels of the cnn, those of the first of wide; tokens and blocks of vit."""
    epochs: int = 40
    """Passes over the images; of power, hundreds of steps."""
    radius: float = 0.1
    """Of the perturbations in training."""
    start: float = 0.08
    """The first radius that is tried for verification."""


@dataclass(frozen=True)
class Budget:
    """What a method may spend on one property, the same for all."""

    max_domains: int = 1000
    timeout: float = 30.0
    root_steps: int = 20
    branch_steps: int = 10
    batch: int = 128
    restarts: int = 10
    beta_lr: float = 0.05
    """Learning rate of the multipliers of splits."""
    cut_lr: float = 0.02
    """Learning rate of the multipliers of cuts."""

    def config(self, method: str, seed: int, device: str, *, attack: bool) -> VerifyConfig:
        """The settings of a method."""
        chosen: dict[str, Any] = {"branching": "bbps", "points": "table", "cuts": "none", **METHODS[method]}
        return VerifyConfig(
            timeout=self.timeout,
            device=device,
            batch=self.batch,
            max_domains=self.max_domains,
            root=Optimisation(steps=self.root_steps),
            branch=Optimisation(steps=self.branch_steps, alpha_lr=0.05, beta_lr=self.beta_lr, cut_lr=self.cut_lr),
            attack_restarts=self.restarts if attack else 0,
            attack_steps=50,
            seed=seed,
            **chosen,
        )


@dataclass(frozen=True)
class Trial:
    """Methods on the properties of one network: everything that the result depends on.

    The radius of the properties is chosen on others (images or loads), so that alpha-CROWN proves 30 to 60 % of those;
    or each property has its own, beyond the largest that alpha-CROWN verifies. Either depends on bounds alone.
    """

    recipe: Recipe | None = None
    methods: tuple[str, ...] = ("genbab",)
    """Besides alpha-CROWN, whose bounds all others begin with."""
    budget: Budget = Budget()
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
    """What the verifier's answers are checked with: a flattened input to the flattened output."""


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
    case.verifier.config = trial.budget.config("alpha", trial.seed, device, attack=True)
    root = case.verifier.verify(case.specification)
    found = {"alpha": root}
    for method in methods:
        if root.status == "unknown":
            case.verifier.config = trial.budget.config(method, trial.seed, device, attack=False)
        found[method] = case.verifier.verify(case.specification) if root.status == "unknown" else root
    return found


def _plain(result: Result) -> dict[str, Any]:
    length = float(getattr(result, "cut_length", 0.0))
    return {
        "status": result.status,
        "visited": result.visited,
        "cuts": result.cuts,
        "length": length if math.isfinite(length) else 0.0,
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
            x = result.counterexample.x
            if float(case.specification.violation(x, case.network(x))) > 1e-5:
                return True
    if "unsat" not in statuses:
        return False
    generator = torch.Generator().manual_seed(seed)
    for query in case.specification.queries:
        for i in range(200):
            share = torch.rand(query.n_inputs, generator=generator, dtype=torch.float64)
            # Corners and inner points by turns.
            x = query.lower + (query.upper - query.lower) * (share.round() if i % 2 else share)
            y = case.network(x)
            if min(float(clause.violation(y)) for clause in query.clauses) < -1e-5:
                return True
    return False


# ---- where networks and properties come from


def _cases(trial: Trial, device: str) -> tuple[dict[str, Any], list[Case]]:
    if trial.recipe is None:
        cases = _from_folder(trial, device)
        return {"radii": [], "quality": 0.0, "neurons": max(neurons(case.verifier.graph) for case in cases)}, cases
    generator = torch.Generator().manual_seed(1_000_003 * (trial.seed + 1))
    with torch.random.fork_rng():
        torch.manual_seed(trial.seed)
        module = build(trial.recipe)
    make = _power if trial.recipe.network == "power" else _classifier
    quality, properties, validation, example = make(trial, module.to(device), generator)
    module = module.cpu().eval()
    model = model_from_module(module, example, fixed=True)
    graph = graph_from_model(model, trial.recipe.network, torch.float64)
    config = trial.budget.config("alpha", trial.seed, device, attack=False)
    verifier = Verifier(graph, config, Oracle(model))

    def proves(prop: Property, radius: float) -> bool:
        return verifier.verify(prop(radius)).status == "unsat"

    @torch.no_grad()
    def network(x: Tensor) -> Tensor:
        return module(x.float().reshape(example.shape)).flatten().double()

    radii = [trial.radius] * len(properties)
    if not trial.radius:
        radii = chosen_radii(proves, (properties, validation), trial.recipe.start, trial.beyond)
    about = {"radii": radii, "quality": quality, "neurons": neurons(graph)}
    return about, [Case(verifier, prop(radius), network) for prop, radius in zip(properties, radii, strict=True)]


def neurons(graph: Graph) -> int:
    """How many ReLUs a network has."""
    return sum(node.size for node in graph.nodes if isinstance(node.operator, Relu))


def build(recipe: Recipe) -> nn.Module:
    """The network of a recipe, untrained."""
    if recipe.network == "power":
        return networks.PowerFlow(*recipe.hidden[:1])
    channels, height, width = _images(recipe, "train").images.shape[1:]
    if recipe.network == "mlp":
        return MLP((channels * height * width, *recipe.hidden, 10), networks.ACTIVATIONS[recipe.activation])
    if recipe.network == "lstm":
        return networks.RowLSTM(width, recipe.hidden[0])
    if recipe.network == "vit":
        dim, blocks = recipe.hidden
        return networks.TinyViT(height, dim=dim, blocks=blocks, channels=channels)
    if recipe.network == "wide":
        return networks.wide(height, recipe.hidden[0])
    return networks.convolutional(height, channels, (recipe.hidden[0], recipe.hidden[1]))


def _images(recipe: Recipe, split: str) -> data.ImageDataset:
    return data.load(recipe.dataset, split=split, size=recipe.size)


Made = tuple[float, list[Property], list[Property], Tensor]
"""How good the network is, properties, those to choose the radius on, and an example of an input."""


def _classifier(trial: Trial, module: nn.Module, generator: torch.Generator) -> Made:
    assert trial.recipe is not None  # noqa: S101
    device = next(module.parameters()).device
    train, test = (_images(trial.recipe, split) for split in ("train", "test"))
    order = torch.randperm(len(train), generator=generator)
    n_held = min(len(train) // 5, 20 * trial.validation)
    held, used = train.subset(order[:n_held]), train.subset(order[n_held:]).to(device)
    networks.train_classifier(
        module,
        used.images,
        used.labels,
        epochs=trial.recipe.epochs,
        radius=trial.recipe.radius,
        generator=generator,
    )
    test = test.subset(torch.randperm(len(test), generator=generator))
    right = _is_right(module, test)
    properties = _robustness(test.subset(right.nonzero().squeeze(1)[: trial.properties]))
    validation = _robustness(held.subset(_is_right(module, held).nonzero().squeeze(1)[: trial.validation]))
    return right.float().mean().item(), properties, validation, test.images[:1]


@torch.no_grad()
def _is_right(module: nn.Module, images: data.ImageDataset) -> Tensor:
    device = next(module.parameters()).device
    found = torch.cat([module(batch.to(device)).argmax(1).cpu() for batch in images.images.split(512)])
    return found == images.labels


def _robustness(images: data.ImageDataset) -> list[Property]:
    def one(image: Tensor, label: int) -> Property:
        return lambda radius: robustness(image, label, radius, images.n_classes)

    return [one(*pair) for pair in zip(images.images, images.labels.tolist(), strict=True)]


def _power(trial: Trial, module: nn.Module, generator: torch.Generator) -> Made:
    """For nominal loads and each line: the flow stays within a limit, whatever the loads in a box."""
    assert trial.recipe is not None  # noqa: S101
    assert isinstance(module, networks.PowerFlow)  # noqa: S101
    mismatch = networks.train_power_flow(module, 100 * trial.recipe.epochs, generator)
    module = module.cpu()
    loads = networks.nominal_loads(trial.properties + trial.validation, generator)
    found = [[_flow_limit(module, centre, line) for line in range(len(networks.LINES))] for centre in loads]
    properties, validation = (
        list(itertools.chain.from_iterable(part)) for part in (found[: trial.properties], found[trial.properties :])
    )
    return mismatch, properties, validation, loads[:1]


def _flow_limit(module: networks.PowerFlow, centre: Tensor, line: int) -> Property:
    @torch.no_grad()
    def prop(radius: float) -> Specification:
        flow = module(networks.corners(centre, radius))[:, line]
        limit = (flow.abs().max() + SPARE * (flow.max() - flow.min())).reshape(1)
        c = torch.zeros(1, len(networks.LINES))
        c[0, line] = 1
        return Specification((Query(centre - radius, centre + radius, (Clause(c, -limit), Clause(-c, -limit))),))

    return prop


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
    verifiers: dict[Path, tuple[Verifier, Oracle]] = {}
    for instance in read_instances(folder_of(trial.folder) / "instances.csv")[: trial.properties]:
        if instance.onnx not in verifiers:
            config = trial.budget.config("alpha", trial.seed, device, attack=False)
            oracle = Oracle(instance.onnx)
            verifiers[instance.onnx] = Verifier(load_onnx(instance.onnx), config, oracle), oracle
        verifier, oracle = verifiers[instance.onnx]
        specification = load_vnnlib(instance.vnnlib, verifier.graph.n_inputs, verifier.graph.n_outputs)
        cases.append(Case(verifier, specification, oracle.outputs))
    return cases


# ---- what answers come to


Answers = Sequence[Mapping[str, Mapping[str, Any]]]
"""Of each property, the answer of each method."""


def proven(answers: Answers, method: str) -> int:
    """How many properties a method has proven."""
    return sum(one[method]["status"] == "unsat" for one in answers)


def solved(answers: Answers, method: str) -> int:
    """How many it has proven or refuted."""
    return sum(one[method]["status"] != "unknown" for one in answers)


def tried(answers: Answers, methods: Iterable[str]) -> Answers:
    """The answers to the properties that all of the methods were tried on."""
    return [one for one in answers if one.keys() >= set(methods)]


def branched(answers: Answers) -> list[Mapping[str, Mapping[str, Any]]]:
    """The answers to the properties that were not decided before branching."""
    return [one for one in answers if one["alpha"]["status"] == "unknown"]


def cost(answer: Mapping[str, Any], limit: int) -> float:
    """Branches that an answer took; the limit where there is none."""
    return min(answer["visited"], limit) if answer["status"] != "unknown" else limit


def mean_cost(answers: Answers, method: str, limit: int) -> float:
    """Geometric mean of the branches that a method visited, over the properties that needed any."""
    costs = [cost(one[method], limit) for one in branched(answers)]
    return math.exp(sum(math.log(max(1, one)) for one in costs) / len(costs)) if costs else math.nan


def ratios(answers: Answers, method: str, other: str) -> list[float]:
    """Branches of a method over those of another, for each property that both have decided by branching."""
    both = [one for one in branched(answers) if "unknown" not in (one[method]["status"], one[other]["status"])]
    return [max(1, one[method]["visited"]) / max(1, one[other]["visited"]) for one in both]


def mean_ratio(values: Sequence[float]) -> float:
    """Their geometric mean."""
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else math.nan
