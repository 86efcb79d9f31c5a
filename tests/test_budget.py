"""The table of core-seconds at the end of a run."""

import re
from pathlib import Path

import pytest

from budget import Ledger, over, table

HERE = Path(__file__).parent

BUSY = """
import time

def work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
"""


@pytest.fixture
def tree(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Two packages, the core, and tests that span packages; time is spent in fixtures, tests and children."""
    monkeypatch.syspath_prepend(str(pytester.path))
    pytester.makepyfile(
        **{
            "busy": BUSY,
            "packages/oja/tests/test_rule": """
                import pytest
                from busy import work

                @pytest.fixture(scope="module")
                def slow_to_make():
                    yield work(0.2)
                    work(0.1)

                @pytest.mark.slow
                def test_zero(): work(0.2)
                def test_one(slow_to_make): work(0.1)
                def test_two(slow_to_make): work(0.1)
            """,
            "packages/oja/benchmarks/test_speed": "from busy import work\ndef test_speed(): work(0.2)",
            "packages/hebb/tests/test_rule": """
                import subprocess, sys
                def test_child():
                    code = "from busy import work; work(0.2)"
                    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
                def test_fails():
                    from busy import work
                    work(0.2)
                    assert False
            """,
            "shared/tests/test_core": "from busy import work\nwork(0.2)\ndef test_core(): work(0.2)",
            "tests/conformance/test_readme": """
                import pytest
                from busy import work

                @pytest.mark.parametrize("package", ["oja"])
                def test_blocks(package): work(0.3)
                def test_of_the_house(): work(0.1)
            """,
        }
    )
    pytester.makeini("[pytest]\nmarkers = slow\naddopts = --import-mode=importlib")
    return pytester


def seconds(lines: list[str]) -> dict[str, dict[str, float]]:
    """The table as it was shown."""
    start = next(number for number, line in enumerate(lines) if "core-seconds" in line) + 1
    heads = re.split(r"\s{2,}", lines[start].strip())
    starts = [lines[start].index(head) + len(head) for head in heads]
    rows = {}
    for line in lines[start + 1 :]:
        cells = [line[end - 8 : end].strip() for end in starts]
        if not re.match(r"\S+( +[\d.]+)+$", line):
            break
        rows[line.split()[0]] = {head: float(cell) for head, cell in zip(heads, cells, strict=True) if cell}
    return rows


@pytest.mark.parametrize("workers", [[], ["-n", "2", "--dist", "worksteal"]], ids=["one process", "two workers"])
def test_what_is_spent_is_told_by_package_and_kind(tree: pytest.Pytester, workers: list[str], monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{HERE}:{tree.path}")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = tree.runpytest_subprocess("-p", "budget", "-p", "xdist", *workers)
    result.assert_outcomes(passed=8, failed=1)
    shown = seconds(result.outlines)
    collection, total = shown.pop("collection")["all"], shown.pop("all")
    expected = {
        "hebb": {"tests": 0.4, "all": 0.4},
        "oja": {"tests": 0.5, "slow": 0.2, "benchmarks": 0.2, "README": 0.3, "all": 1.2},
        "separata": {"tests": 0.2, "all": 0.2},
        "root": {"README": 0.1, "all": 0.1},
    }
    # A module's fixture is made again where the module is divided between two workers.
    again = 0.3 if workers else 0.0
    assert shown.keys() == expected.keys()
    for row, cells in expected.items():
        assert shown[row].keys() == cells.keys()
        assert all(cell <= shown[row][kind] + 0.051 for kind, cell in cells.items())
        assert all(shown[row][kind] <= cell + again + 0.3 for kind, cell in cells.items())
    assert collection >= 0.2 - 0.051
    assert total["all"] == pytest.approx(sum(row["all"] for row in shown.values()) + collection, abs=0.4)


def test_who_is_over_budget_is_told():
    spent = {
        ("oja", "tests"): 35.2,
        ("oja", "README"): 20.0,
        ("hebb", "tests"): 3.0,
        ("hebb", "benchmarks"): 2.6,
        ("hebb", "conformance"): 2.6,
        ("hebb", "slow"): 900.0,
        ("separata", "tests"): 80.0,
        ("root", "tests"): 80.0,
        ("collection", ""): 80.0,
    }
    assert list(over(spent)) == [
        "over budget: hebb: benchmarks and conformance 5.2 of 5",
        "over budget: oja: tests 35.2 of 35",
    ]
    assert [line.split()[0] for line in table(spent)] == [
        "tests",
        "hebb",
        "oja",
        "separata",
        "root",
        "collection",
        "all",
    ]


def test_tests_that_cost_much_are_named():
    ledger = Ledger()
    ledger.tests = [(1.9, "a"), (2.0, "b"), (7.3, "c")]
    assert ledger.lines()[:3] == ["   7.3 c", "   2.0 b", ""]
