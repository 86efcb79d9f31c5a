"""Results of a verification competition as it publishes them, beside this package's own."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bab_verify.configs import VerifyConfig
from bab_verify.properties.instances import read_instances
from bab_verify.properties.vnnlib import load_vnnlib
from bab_verify.search.verifier import Verifier

Published = Mapping[tuple[str, str, str], str]
"""The status of each benchmark, network and property."""


def read_published(path: Path) -> dict[tuple[str, str, str], str]:
    """Rows of benchmark, network, property, seconds, status, seconds."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.reader(stream) if len(row) >= 5]
    return {(row[0], _stem(Path(row[1])), _stem(Path(row[2]))): row[4].strip() for row in rows}


@dataclass
class Tally:
    """How many instances each seed decides and contradicts, and how many the winner decides."""

    winner: int = 0
    decided: Counter[int] = field(default_factory=Counter)
    contradicted: Counter[int] = field(default_factory=Counter)

    def add(self, benchmark: Path, theirs: Published, seeds: Iterable[int], device: str) -> None:
        """Verify every instance of a benchmark, in its own time."""
        for instance in read_instances(benchmark / "instances.csv"):
            expected = theirs.get((benchmark.name, _stem(instance.onnx), _stem(instance.vnnlib)), "unknown")
            self.winner += expected in {"sat", "unsat"}
            verifier = Verifier(instance.onnx, VerifyConfig(timeout=instance.timeout, device=device))
            # GenBaB and BICCOS as they are: no linear programs.
            few = verifier.graph.n_inputs <= verifier.config.input_dimensions
            verifier.config = replace(verifier.config, branching="input" if few else "bbps")
            specification = load_vnnlib(instance.vnnlib, verifier.graph.n_inputs, verifier.graph.n_outputs)
            for seed in seeds:
                verifier.config = replace(verifier.config, seed=seed)
                status = verifier.verify(specification).status
                self.decided[seed] += status != "unknown"
                self.contradicted[seed] += {status, expected} == {"sat", "unsat"}

    def of(self, seed: int) -> dict[str, int]:
        """The numbers of a seed."""
        return {"decided": self.decided[seed], "winner": self.winner, "contradicted": self.contradicted[seed]}


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz")
