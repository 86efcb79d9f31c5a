"""Core-seconds of a test run, by package and kind of test, as its last lines.

What counts is processor time, of the tests' process and of the processes that a test started and waited for: it is the
same on a busy machine and with several workers.
"""

import os
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from typing import cast

import pytest

KINDS = ("tests", "benchmarks", "README", "smoke", "conformance", "slow")
BUDGETS = {"tests": 35, "README": 20, "smoke": 15}
REST = ("benchmarks", "conformance")
BUDGET_OF_REST = 5
OTHERS = ("separata", "root", "collection")
"""Rows without a budget, the last ones."""

COSTLY = 2.0
"""A test that takes so many core-seconds is named, if it is among the first."""

PROPERTY = "core-seconds"
LEDGER: pytest.StashKey["Ledger"] = pytest.StashKey()
AT_START: pytest.StashKey[float] = pytest.StashKey()


def used() -> float:
    """Core-seconds of this process and of the children that it waited for."""
    return sum(os.times()[:4])


def place(item: pytest.Item) -> tuple[str, str]:
    """The row and the kind of a test."""
    is_slow = item.get_closest_marker("slow") is not None
    package = getattr(item, "callspec", None) and item.callspec.params.get("package")  # type: ignore[attr-defined]
    parts = item.path.relative_to(item.config.rootpath).parts
    match parts:
        case ("packages", row, kind, *_):
            kind = "benchmarks" if kind == "benchmarks" else "tests"
        case ("shared", *_):
            row, kind = "separata", "tests"
        case ("tests", "conformance", file):
            row = str(package or "root")
            kind = {"test_readme.py": "README", "test_smoke.py": "smoke"}.get(file, "conformance")
        case _:
            row, kind = "root", "tests"
    return row, "slow" if is_slow else kind


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Look at the clock before anything is set up for a test."""
    item.stash[AT_START] = used()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell with the last of a test's reports what it took: reports come from the workers, too."""
    report = yield
    if call.when == "teardown":
        report.user_properties.append((PROPERTY, [*place(item), used() - item.stash[AT_START]]))
    return report


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Count what it took to start and to import everything."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[PROPERTY] = used()
    elif not session.config.getoption("numprocesses", None):
        session.config.stash[LEDGER].seconds["collection", ""] += used()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Add what a worker needed before its first test."""
    seconds = getattr(node, "workeroutput", {}).get(PROPERTY, 0.0)
    node.config.stash[LEDGER].seconds["collection", ""] += seconds  # type: ignore[attr-defined]


class Ledger:
    """Adds up what the reports tell."""

    def __init__(self) -> None:
        self.seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.tests: list[tuple[float, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Find what a test took in the last of its reports."""
        for name, value in report.user_properties:
            if name == PROPERTY:
                row, kind, seconds = cast("tuple[str, str, float]", value)
                self.seconds[row, kind] += seconds
                self.tests.append((seconds, report.nodeid))

    def lines(self) -> list[str]:
        """What is told in the end."""
        costly = [f"{taken:6.1f} {name}" for taken, name in sorted(self.tests, reverse=True)[:10] if taken >= COSTLY]
        # Budgets are for the usual number of examples.
        late = [] if os.environ.get("HYPOTHESIS_PROFILE") == "explore" else over(self.seconds)
        return [*costly, *([""] if costly else []), *table(self.seconds), *late]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Begin to count, where reports arrive."""
    if not hasattr(config, "workerinput"):
        config.stash[LEDGER] = Ledger()
        config.pluginmanager.register(config.stash[LEDGER])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Show the table after everything else."""
    yield
    ledger = terminalreporter.config.stash[LEDGER]
    if ledger.tests:
        terminalreporter.write_sep("=", "core-seconds")
        for line in ledger.lines():
            terminalreporter.write_line(line)


def table(seconds: Mapping[tuple[str, str], float]) -> Iterator[str]:
    """A row for each package, then those without a budget, then the sums."""
    kinds = [kind for kind in KINDS if any(k == kind for _, k in seconds)]
    packages = sorted({row for row, _ in seconds} - set(OTHERS))
    rows = [*packages, *(row for row in OTHERS if any(r == row for r, _ in seconds))]
    width = max(map(len, [*rows, "all"]))
    yield " ".join([" " * width, *(f"{kind:>11}" for kind in [*kinds, "all"])])
    for row in rows:
        of_kind = {kind: spent for (r, kind), spent in seconds.items() if r == row}
        cells = [f"{of_kind[kind]:11.1f}" if kind in of_kind else " " * 11 for kind in kinds]
        yield " ".join([row.ljust(width), *cells, f"{sum(of_kind.values()):11.1f}"])
    sums = [sum(spent for (_, k), spent in seconds.items() if k == kind) for kind in kinds]
    yield " ".join(["all".ljust(width), *(f"{spent:11.1f}" for spent in [*sums, sum(seconds.values())])])


def over(seconds: Mapping[tuple[str, str], float]) -> Iterator[str]:
    """A line for each package that takes more than it may."""
    for row in sorted({row for row, _ in seconds} - set(OTHERS)):
        spent = {kind: seconds.get((row, kind), 0.0) for kind in KINDS}
        parts = [(kind, spent[kind], budget) for kind, budget in BUDGETS.items()]
        parts.append((" and ".join(REST), sum(spent[kind] for kind in REST), BUDGET_OF_REST))
        told = [f"{kind} {taken:.1f} of {budget}" for kind, taken, budget in parts if taken > budget]
        if told:
            yield f"over budget: {row}: {', '.join(told)}"
