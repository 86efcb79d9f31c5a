"""The command `run`: many instances, one after the other."""

import os
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bab_verify.configs import SearchConfig, VerifyConfig
from bab_verify.properties.counterexamples import write_counterexample
from bab_verify.properties.instances import Instance, InstanceResult, ResultsFile, read_instances, select_instances
from bab_verify.properties.vnnlib import load_vnnlib
from bab_verify.search.device import device_from_name
from bab_verify.search.verifier import Verifier
from separata import files
from separata.output import Output
from separata.progress import Reporter, stopped

from .outputs import check_output
from .progress import telling

KEPT = 4
"""Networks in memory."""
STATUSES = ("unsat", "sat", "unknown", "timeout", "error")


@dataclass(frozen=True)
class Listing:
    """Which instances, and where their results go.

    Args:
        instances: The list, a CSV file.
        out: The results, a CSV file.
        ranges: Which of the list; all if not given.
        timeout: Seconds for each, instead of those in the list.
        cex_dir: Folder for counterexamples, if they are to be kept.
        resume: Go on with the results that are there.
    """

    instances: Path
    out: Path
    ranges: str | None
    timeout: float | None
    cex_dir: Path | None
    resume: bool

    def read(self) -> list[Instance]:
        """The chosen instances."""
        chosen = read_instances(self.instances)
        return chosen if self.ranges is None else select_instances(chosen, self.ranges)

    def name(self, path: Path) -> str:
        """A file as it stands in the list: relative to the list's folder."""
        return os.path.relpath(path, self.instances.parent)

    @property
    def errors(self) -> Path:
        """Where reasons of failures go."""
        return self.out.with_suffix(".errors.txt")


def run(listing: Listing, config: SearchConfig) -> Output:
    """Verify the instances of a list that have no result yet, and summarise all."""
    check_output(listing.out)
    device_from_name(config.device)
    if listing.timeout is not None:
        config = config.within(listing.timeout)
    chosen = listing.read()
    results = ResultsFile(listing.out, resume=listing.resume)
    if not listing.resume:
        listing.errors.unlink(missing_ok=True)
    if listing.cex_dir is not None:
        files.make_writable(listing.cex_dir)
    return _Runner(listing, config, results).run(chosen)


class _Runner:
    """The state of one run."""

    def __init__(self, listing: Listing, config: SearchConfig, results: ResultsFile) -> None:
        self.listing, self.config, self.results = listing, config, results
        self.networks: OrderedDict[Path, Verifier] = OrderedDict()
        self.reporter = Reporter()

    def run(self, chosen: list[Instance]) -> Output:
        """Verify what has no result yet."""
        todo = list(self._unfinished(chosen))
        if len(todo) < len(chosen):
            self.reporter.say(f"{len(chosen) - len(todo)} of {len(chosen)} instances have results already")
        finished = len(chosen) - len(todo)
        try:
            for instance in self.reporter.track(todo, "instances"):
                result = self._one(instance)
                self.results.append(result)
                finished += 1
                self.reporter.say(f"{result.status:<8}{result.seconds:>8.1f} s  {result.onnx} {result.vnnlib}")
        except KeyboardInterrupt:
            self.reporter.say(
                f"Stopped; {self.listing.out} has {finished} of {len(chosen)} instances. Go on with: {stopped()}"
            )
            raise
        return self._summary()

    def _unfinished(self, chosen: list[Instance]) -> Iterator[Instance]:
        """The instances without a result; one that is listed twice needs two."""
        done = Counter((result.onnx, result.vnnlib) for result in self.results.results())
        for instance in chosen:
            key = self.listing.name(instance.onnx), self.listing.name(instance.vnnlib)
            if done[key]:
                done[key] -= 1
            else:
                yield instance

    def _one(self, instance: Instance) -> InstanceResult:
        """Verify one instance; a failure is a result too."""
        onnx, vnnlib = self.listing.name(instance.onnx), self.listing.name(instance.vnnlib)
        started = time.monotonic()
        try:
            status, visited, cuts = self._verified(instance)
        except Exception as error:  # noqa: BLE001 - one failure must not keep the others from being verified
            reason = " ".join(str(error).split()) or type(error).__name__
            self.reporter.say(f"{onnx} {vnnlib}: {reason}")
            with self.listing.errors.open("a", encoding="utf-8") as stream:
                stream.write(f"{onnx},{vnnlib}: {reason}\n")
            status, visited, cuts = "error", 0, 0
        return InstanceResult(onnx, vnnlib, status, round(time.monotonic() - started, 3), visited, cuts)

    def _verified(self, instance: Instance) -> tuple[str, int, int]:
        """Status, branches and cuts."""
        timeout = instance.timeout if self.listing.timeout is None else self.listing.timeout
        verifier = self._network(instance.onnx, self.config.within(timeout))
        specification = load_vnnlib(instance.vnnlib, verifier.graph.n_inputs, verifier.graph.n_outputs)
        # The bar of all instances has the terminal.
        quiet = self.reporter.console.is_terminal
        result = verifier.verify(specification, None if quiet else telling(self.reporter))
        if result.counterexample is not None and self.listing.cex_dir is not None:
            stems = (path.name.removesuffix(".gz").rpartition(".")[0] for path in instance[:2])
            path = self.listing.cex_dir / f"{'-'.join(stems)}.cex"
            write_counterexample(result.counterexample.x, result.counterexample.y, path)
        late = result.status == "unknown" and result.reason == "timeout"
        return "timeout" if late else result.status, result.visited, result.cuts

    def _network(self, path: Path, config: VerifyConfig) -> Verifier:
        """The verifier of a network; the last few are kept."""
        if path not in self.networks:
            while len(self.networks) >= KEPT:
                self.networks.popitem(last=False)
            self.networks[path] = Verifier(path, config)
        self.networks.move_to_end(path)
        self.networks[path].config = config
        return self.networks[path]

    def _summary(self) -> Output:
        """Counts of all results in the file."""
        results = self.results.results()
        counts = Counter(result.status for result in results)
        seconds = sum(result.seconds for result in results)
        rows = [f"{status:<8}{counts[status]:>6}" for status in STATUSES if counts[status]]
        for row in [*rows, f"{'all':<8}{len(results):>6}  {seconds:.1f} s"]:
            self.reporter.say(row)
        if counts["error"]:
            self.reporter.say(f"Why some failed: {self.listing.errors}")
        value = {
            "out": str(self.listing.out),
            "instances": len(results),
            "counts": {status: counts[status] for status in STATUSES},
            "seconds": seconds,
            "visited": sum(result.visited for result in results),
            "cuts": sum(result.cuts for result in results),
        }
        return Output(value, str(self.listing.out))
