"""The command `attack`."""

import time
from pathlib import Path

import torch
from torch import Tensor

from bab_verify.configs import AttackConfig
from bab_verify.frontends.onnx_files import read_model
from bab_verify.frontends.onnx_import import graph_from_model
from bab_verify.properties.counterexamples import Counterexample, Oracle
from bab_verify.properties.vnnlib import load_vnnlib
from bab_verify.search.attack import pgd_attack
from bab_verify.search.device import device_from_name
from bab_verify.search.results import Result
from separata.output import Output
from separata.progress import Reporter

from .outputs import check_output
from .verdict import shown_verdict


def attack(network: Path, prop: Path, config: AttackConfig, device: str, save: Path | None) -> Output:
    """Look for a counterexample, and keep it if that is asked for."""
    check_output(save)
    started = time.monotonic()
    place = device_from_name(device)
    model = read_model(network)
    graph = graph_from_model(model, str(network), torch.float32).to(place)
    oracle = Oracle(model, str(network))
    specification = load_vnnlib(prop, graph.n_inputs, graph.n_outputs)
    generator = torch.Generator().manual_seed(config.seed)
    found: list[Counterexample] = []

    def confirm(x: Tensor) -> bool:
        confirmed = oracle.confirm(specification, x)
        found.extend([confirmed] if confirmed is not None else [])
        return bool(found)

    for number, query in enumerate(specification.queries):
        left = config.timeout - (time.monotonic() - started)
        share = left / (len(specification.queries) - number)
        pgd_attack(graph, query, config.restarts, config.steps, generator, confirm=confirm, budget=share)
        if found:
            break
    status, reason = ("sat", "attack") if found else ("unknown", "no counterexample found")
    seconds = time.monotonic() - started
    return shown_verdict(Result(status, reason, found[0] if found else None, seconds=seconds), save, Reporter())
