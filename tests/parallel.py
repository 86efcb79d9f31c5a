"""What tests that run in several processes at once must agree on.

- A test marked `timed` compares durations: it runs while no other test does.
- Benchmarks that measure run in one process.
- What is to be made once in a run is made by the process that needs it first (`once`).
- Where an import ends the process, the process that follows leaves that package out and reports it.
"""

import fcntl
import json
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TextIO

import pytest

IMPORTING: pytest.StashKey["Imports"] = pytest.StashKey()


def measures(config: pytest.Config) -> bool:
    """Whether benchmarks are to be measured, not only run once as tests."""
    return bool(config.getoption("benchmark_enable") or config.getoption("benchmark_only"))


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Measure in one process, whatever was asked for."""
    if measures(config):
        config.option.numprocesses, config.option.dist, config.option.tx = 0, "no", []


def pytest_configure(config: pytest.Config) -> None:
    """Let a worker be interrupted, which is how it is told to stop, where the run was started in the background."""
    if hasattr(config, "workerinput"):
        signal.signal(signal.SIGINT, signal.default_int_handler)


def shared_folder(config: pytest.Config) -> Path | None:
    """A folder that the workers of this run share, or None where there is only one process."""
    if not hasattr(config, "workerinput"):
        return None
    # A worker's folder for temporary files lies in that of the whole run.
    factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]
    return factory.getbasetemp().parent


@contextmanager
def locked(path: Path, kind: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold the lock that all processes of a run know by this file."""
    with path.open("a") as file:
        fcntl.flock(file, kind)
        yield


def once(config: pytest.Config, name: str, make: Callable[[], Any]) -> Any:
    """What `make` gives, which JSON can say, made by one process of the run for all."""
    folder = shared_folder(config)
    if folder is None:
        return make()
    path = folder / f"{name}.json"
    with locked(folder / f"{name}.lock"):
        if not path.exists():
            path.write_text(json.dumps(make()), encoding="utf-8")
        return json.loads(path.read_text(encoding="utf-8"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let a timed test run alone; no test begins while one waits for the others to end."""
    folder = shared_folder(item.config)
    if folder is None:
        return (yield)
    gate, running = folder / "gate.lock", folder / "running.lock"
    if item.get_closest_marker("timed"):
        with locked(gate), locked(running):
            return (yield)
    with locked(gate):
        pass
    with locked(running, fcntl.LOCK_SH):
        return (yield)


class Imports:
    """Notes what a worker imports while it collects, so that another can tell what ended it.

    A note is locked by its worker; one that can be locked belongs to a worker that is no more.
    """

    def __init__(self, folder: Path, worker: str) -> None:
        self.fatal = set(self._left_behind(folder))
        self.note = folder / f"{worker}.importing"
        self.file = self.note.open("w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    @staticmethod
    def _left_behind(folder: Path) -> Iterator[str]:
        for note in folder.glob("*.importing"):
            with note.open() as file:
                if _is_free(file):
                    yield file.read()

    @contextmanager
    def of(self, package: str) -> Iterator[None]:
        """Hold the note while something of a package is imported."""
        self._write(package)
        yield
        self._write("")

    def _write(self, text: str) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.file.write(text)
        self.file.flush()


def _is_free(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Leave out what is known to end the process, and note the rest while it is imported."""
    folder = shared_folder(collector.config)
    if folder is None or not isinstance(collector, pytest.File | pytest.Directory):
        return (yield)
    worker = collector.config.workerinput["workerid"]  # type: ignore[attr-defined]
    if IMPORTING not in collector.config.stash:
        collector.config.stash[IMPORTING] = Imports(folder, worker)
    imports = collector.config.stash[IMPORTING]
    package = "/".join(collector.nodeid.split("/")[:2])
    if package in imports.fatal:
        collector.collect = lambda: _report_fatal(collector, package)  # type: ignore[method-assign]
    with imports.of(package):
        return (yield)


def _report_fatal(collector: pytest.Collector, package: str) -> NoReturn:
    raise collector.CollectError(f"importing {package} ended the process")
