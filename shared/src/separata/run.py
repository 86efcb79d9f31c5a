"""The context of one measurement."""

import hashlib
import json
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, TypeVar

from . import files
from .configs import plain, replaced
from .paper import Paper
from .progress import Reporter

if TYPE_CHECKING:
    import torch
    from lightning_fabric import Fabric
    from matplotlib.figure import Figure

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
S = TypeVar("S")

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Compute:
    """What a run computes on.

    Args:
        device: `auto` (a GPU if there is one), `cpu` or `cuda`.
        precision: Lightning Fabric's name of the precision: `32-true`, `bf16-mixed`, `16-mixed`, `64-true`, ...
        devices: Processes on this node, each with a device of its own.
        nodes: Nodes. The output folder must be one that they all see.
        threads: PyTorch's threads in each process. More than one pays only for large tensors on an idle machine; cores
            are used by processes.

    Raises:
        ValueError: if the device is not one of the three, is not there, or the counts are not positive.
    """

    device: str = "auto"
    precision: str = "32-true"
    devices: int = 1
    nodes: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise ValueError(f"the device must be one of {', '.join(DEVICES)}, not '{self.device}'")
        if self.devices < 1 or self.nodes < 1:
            raise ValueError(f"devices and nodes must be at least 1, not {self.devices} and {self.nodes}")
        if self.threads < 1:
            raise ValueError(f"threads must be at least 1, not {self.threads}")
        if self.device == "cuda" and self.accelerator != "cuda":
            raise ValueError("the device cuda was asked for, but PyTorch finds no CUDA GPU here; use --device cpu")

    @cached_property
    def accelerator(self) -> str:
        """`cuda` or `cpu`."""
        import torch

        return "cuda" if self.device != "cpu" and torch.cuda.is_available() else "cpu"

    @cached_property
    def fabric(self) -> "Fabric":
        """Lightning Fabric on these devices; launched, when there are several."""
        from lightning_fabric import Fabric

        fabric = Fabric(
            accelerator=self.accelerator,
            devices=self.devices,
            num_nodes=self.nodes,
            precision=self.precision,  # type: ignore[arg-type] # it checks the name itself
        )
        fabric.launch()
        return fabric

    @property
    def is_distributed(self) -> bool:
        """Whether there is more than one process."""
        return self.devices * self.nodes > 1

    @property
    def rank(self) -> int:
        """Number of this process, from 0."""
        return self.fabric.global_rank if self.is_distributed else 0

    @property
    def torch_device(self) -> "torch.device":
        """The device of this process."""
        import torch

        return self.fabric.device if self.is_distributed else torch.device(self.accelerator)

    def wait_for_all(self) -> None:
        """Wait until every process is here."""
        if self.is_distributed:
            self.fabric.barrier()


class Run:
    """One experiment as it is measured: its settings, and everything that it finds.

    An experiment reads `preset`, `seeds` and `device`; draws randomness from `generator`; shows progress with `track`;
    and hands over what it found with `measure`, `log`, `figure` and `note`. Work that other experiments share, or that
    is too long to repeat after an interruption, goes through `once` or `map`.
    """

    def __init__(
        self,
        paper: Paper,
        claims: Sequence[str],
        out: Path,
        *,
        preset: str = "smoke",
        seeds: Sequence[int] = (0,),
        compute: Compute | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        self.paper = paper
        self.claims = tuple(claims)
        self.out = out
        self.preset = preset
        self.seeds = tuple(seeds)
        self.compute = compute or Compute()
        self.reporter = reporter or Reporter(quiet=True)
        self.measurements: dict[str, list[dict[str, float]]] = {}
        self.history: list[dict[str, Any]] = []
        self.figures: dict[str, list[str]] = {}
        self.captions: dict[str, str] = {}
        self.notes: dict[str, list[str]] = {}

    @property
    def device(self) -> "torch.device":
        """Where tensors live."""
        return self.compute.torch_device

    @property
    def fabric(self) -> "Fabric":
        """Lightning Fabric, for an experiment that trains one model on several devices."""
        return self.compute.fabric

    @property
    def state(self) -> Path:
        """Folder of what is kept for resuming; also the place for long training's own checkpoints."""
        return self.out / ".state" / self.preset

    def generator(self, seed: int, *purpose: int | str) -> "torch.Generator":
        """A random generator on the CPU for this seed and purpose; equal arguments give equal numbers."""
        import torch

        digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

    def track(self, items: Iterable[T], description: str) -> Iterator[T]:
        """Go through `items`, showing progress."""
        return self.reporter.track(items, description)

    def measure(self, claim: str, **values: Any) -> None:  # noqa: ANN401 - anything that float() takes
        """Hand over one seed's numbers for a claim, under the claim's keys.

        Raises:
            ValueError: if the experiment is not marked with the claim, or the keys are not the claim's.
        """
        if claim not in self.claims:
            raise ValueError(f"this experiment measures {', '.join(self.claims)}, not '{claim}'")
        if set(values) != set(self.paper.claim(claim).paper):
            expected = ", ".join(self.paper.claim(claim).paper)
            raise ValueError(f"the claim '{claim}' has the keys {expected}, not {', '.join(values)}")
        self.measurements.setdefault(claim, []).append({key: float(value) for key, value in values.items()})

    def log(self, step: int, **values: Any) -> None:  # noqa: ANN401 - numbers, tensors of one number, or labels
        """Add a row to the history: numbers, and words to group them by."""
        row = {key: value if isinstance(value, str) else float(value) for key, value in values.items()}
        self.history.append({"step": step, **row})

    def note(self, claim: str, text: str) -> None:
        """Add what a reader of this claim's numbers must know."""
        self.notes.setdefault(claim, []).append(text)

    def figure(self, name: str, figure: "Figure", claims: Sequence[str] | None = None, *, caption: str = "") -> None:
        """Keep a figure as SVG, for all claims of the experiment or for those named.

        Args:
            name: Stem of its file.
            figure: The figure, as the functions of `separata.plots` make it.
            claims: The claims that it belongs to; all of the experiment if not given.
            caption: What is seen, in a sentence: for those who see the figure, and instead of it for those who do not.
        """
        import matplotlib as mpl

        path = self.out / self.preset / f"{name}.svg"
        if self.compute.rank == 0:
            # A fixed salt and no date: the same figure is the same file.
            with files.replacing(path) as part, mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
                figure.savefig(part, format="svg", bbox_inches="tight", metadata={"Date": None})
        if caption:
            self.captions[f"{self.preset}/{name}.svg"] = caption
        for claim in claims if claims is not None else self.claims:
            self.figures.setdefault(claim, []).append(f"{self.preset}/{name}.svg")

    def once(self, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - passed on
        """`function(*arguments)`, computed at most once for this output folder and preset.

        The function must depend on its arguments alone and return what JSON can hold; the arguments are dataclasses or
        what JSON can hold. The result is on disk before this returns, so that neither another experiment nor a resumed
        run computes it again.
        """
        work = _Kept(function, self._place(function, arguments))
        if self.compute.rank == 0:
            work(*arguments)
        self.compute.wait_for_all()
        return work(*arguments)

    def map(self, function: Callable[..., T], settings: Sequence[Any], description: str) -> list[T]:
        """`[once(function, setting, device) for setting in settings]`, side by side on all cores or devices.

        Each result is on disk as soon as it is there; what occurs twice is computed once. On the CPU, the settings are
        spread over the cores, in processes of `compute.threads` threads each, except at preset `smoke`; with several
        devices, over these.
        `function(setting, device)` must be importable.
        """
        import joblib

        from .sweep import sweep

        device = str(self.device)
        places = [self._place(function, (setting,)) for setting in settings]
        # By place, so that a setting that occurs twice is computed once.
        todo = {place: setting for place, setting in zip(places, settings, strict=True) if not place.is_file()}
        mine = list(todo.items())[self.compute.rank :: self.compute.devices * self.compute.nodes]
        jobs = [_Job(_Kept(function, place), setting, device) for place, setting in mine]
        # What `smoke` computes takes less time than starting processes.
        is_alone = self.preset == "smoke" or device != "cpu" or self.compute.is_distributed
        cores = 1 if is_alone else joblib.cpu_count()
        workers = max(1, cores // self.compute.threads)
        # As many threads on every machine: a sum over more is another sum.
        threads = self.compute.threads if device == "cpu" else None
        done = iter(self.track(range(len(jobs)), description))
        next(done, None)

        def advance(index: int, result: None) -> None:  # noqa: ARG001 - what a sweep hands over
            next(done, None)

        sweep(_call, jobs, workers=workers, threads=threads, on_result=advance)
        self.compute.wait_for_all()
        return [files.read_json(place) for place in places]

    def over_seeds(
        self, function: Callable[[Any, str], T], settings: Mapping[K, Any], description: str
    ) -> dict[K, list[T]]:
        """`map` over every setting with every seed: for each name the results, in the order of the seeds.

        Args:
            function: As for `map`.
            settings: Dataclasses with a field `seed`, or else with one in a part of theirs, by name.
            description: What is counted while it goes on.
        """
        named = [(name, _with_seed(setting, seed)) for seed in self.seeds for name, setting in settings.items()]
        results: dict[K, list[T]] = {name: [] for name in settings}
        found = self.map(function, [setting for _, setting in named], description)
        for (name, _), result in zip(named, found, strict=True):
            results[name].append(result)
        return results

    def choose(
        self,
        function: Callable[[S, str], T],
        candidates: Mapping[K, Sequence[S]],
        score: Callable[[T], float],
        description: str,
        *,
        every_seed: bool = False,
    ) -> dict[K, S]:
        """For each name the candidate with the highest score, the first of several; all are tried by `map`.

        The candidates must be tried on data that is held out from training, and on none that decides a claim. What is
        unstable is seen by trying them with every seed.

        Args:
            function: As for `map`.
            candidates: The settings to choose from, by the name of what they are settings of.
            score: Of a result of `function`; what has no score (NaN) is never chosen over what has one.
            description: What is counted while it goes on.
            every_seed: Try each candidate, a dataclass as for `over_seeds`, with every seed of the run; the mean of its
                scores counts, and one that has no score with one of the seeds has none.
        """
        tried = {
            (name, i): [_with_seed(one, seed) for seed in self.seeds] if every_seed else [one]
            for name, some in candidates.items()
            for i, one in enumerate(some)
        }
        results = iter(self.map(function, [one for ones in tried.values() for one in ones], description))
        found = {key: fmean([score(next(results)) for _ in ones]) for key, ones in tried.items()}
        chosen: dict[K, S] = {}
        for name, some in candidates.items():
            scores = [found[name, i] for i in range(len(some))]
            best = max(range(len(some)), key=lambda i: -math.inf if math.isnan(scores[i]) else scores[i])
            chosen[name] = some[best]
        return chosen

    def _place(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Path:
        name = f"{function.__module__}.{function.__qualname__}"
        # With their types: equal fields mean something else in another dataclass.
        told = [[type(argument).__qualname__, plain(argument)] for argument in arguments]
        text = json.dumps([name, told], sort_keys=True)
        return self.state / "once" / f"{function.__name__}-{hashlib.sha256(text.encode()).hexdigest()[:20]}.json"

    def history_csv(self) -> str:
        """The history as a table of comma-separated values, or an empty string."""
        return files.to_csv(self.history)


def _with_seed(setting: Any, seed: int) -> Any:  # noqa: ANN401 - a dataclass
    return replace(setting, seed=seed) if hasattr(setting, "seed") else replaced(setting, seed=seed)


@dataclass(frozen=True)
class _Kept:
    """A function whose result is kept in a file."""

    function: Callable[..., Any]
    place: Path

    def __call__(self, *arguments: Any) -> Any:  # noqa: ANN401 - passed on
        if not self.place.is_file():
            files.write_json(self.place, self.function(*arguments))
        return files.read_json(self.place)


@dataclass(frozen=True)
class _Job:
    work: _Kept
    setting: Any
    device: str


def _call(job: _Job) -> None:
    job.work(job.setting, job.device)
