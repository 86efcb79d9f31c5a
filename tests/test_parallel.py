"""Tests in several processes: what breaks is named and hides nothing else, timed tests run alone, work is shared."""

import sys
from pathlib import Path

import pytest

from house import started
from processes import is_alive, within

HERE = Path(__file__).parent

LOG = """
import contextlib, os, time
from pathlib import Path

@contextlib.contextmanager
def logged(name):
    begin = time.monotonic()
    yield
    with (Path(__file__).parent / "log").open("a") as file:
        file.write(f"{name} {begin} {time.monotonic()}\\n")
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Run a tree of packages in two processes."""
    monkeypatch.setenv("PYTHONPATH", f"{HERE}:{pytester.path}")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # of the run that this test is part of
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\naddopts = --import-mode=importlib --continue-on-collection-errors\nmarkers = timed")

    def run(*arguments: str, **files: str) -> pytest.RunResult:
        pytester.makepyfile(log=LOG, **files)
        return pytester.runpytest_subprocess(*PLUGINS, *arguments)

    return run


PLUGINS = [word for name in ("parallel", "budget", "pytest_benchmark.plugin", "xdist") for word in ("-p", name)]
TWO = ("-n", "2", "--dist", "worksteal")


def test_what_breaks_one_package_does_not_hide_the_others(run):
    result = run(
        *TWO,
        **{
            "packages/dies/tests/test_dies": """
                import os
                def test_lives(): pass
                def test_dies(): os.abort()
                def test_lives_on(): pass
            """,
            "packages/fatal/tests/test_first": "import os\nos.abort()\ndef test_never(): pass",
            "packages/fatal/tests/test_second": "import os\nos.abort()\ndef test_never(): pass",
            "packages/broken/tests/conftest": "import no_such_module",
            "packages/broken/tests/test_broken": "def test_never(): pass",
            "packages/absent/tests/test_absent": "import no_such_module\ndef test_never(): pass",
            "packages/sound/tests/test_sound": "def test_one(): pass\ndef test_two(): pass",
        },
    )
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["failed"]) == (4, 1)
    for told in (
        "FAILED packages/dies/tests/test_dies.py::test_dies - worker",
        "ERROR packages/fatal - importing packages/fatal ended the process",
        "ERROR packages/broken/tests - ModuleNotFoundError",
        "ERROR packages/absent/tests/test_absent.py - ImportError",
    ):
        assert told in result.stdout.str()
    assert result.ret == 1


def test_a_timed_test_runs_alone(run, pytester):
    result = run(
        *TWO,
        **{
            f"test_{name}": """
                import time
                import pytest
                from log import logged

                @pytest.mark.parametrize("n", range(6))
                def test_any(n):
                    with logged("any"):
                        time.sleep(0.05)

                @pytest.mark.timed
                def test_timed():
                    with logged("timed"):
                        time.sleep(0.05)

                def test_last():
                    with logged("any"):
                        time.sleep(0.05)
            """
            for name in "ab"
        },
    )
    result.assert_outcomes(passed=16)
    lines = [line.split() for line in (pytester.path / "log").read_text().splitlines()]
    spans = [(name, float(begin), float(end)) for name, begin, end in lines]
    together = [(one, other) for one, begin, end in spans for other, later, _ in spans if begin < later < end]
    assert ("any", "any") in together
    assert not [pair for pair in together if "timed" in pair]


def test_what_is_made_once_is_the_same_for_all(run, pytester):
    result = run(
        *TWO,
        **{
            f"test_{name}": """
                import os
                import time
                from log import logged
                from parallel import once

                def make():
                    with logged("made"):
                        time.sleep(0.2)
                        return {"by": os.getpid()}

                def test_once(request):
                    assert once(request.config, "a thing", make).keys() == {"by"}

                def test_again(request):
                    assert once(request.config, "a thing", make) == once(request.config, "a thing", make)
            """
            for name in "ab"
        },
    )
    result.assert_outcomes(passed=4)
    assert len((pytester.path / "log").read_text().splitlines()) == 1


@pytest.mark.parametrize("measures", [True, False])
def test_benchmarks_measure_in_one_process(run, measures: bool):
    option = "--benchmark-enable" if measures else "--benchmark-disable"
    result = run(*TWO, option, test_speed="def test_speed(benchmark): benchmark(sum, [1])")
    result.assert_outcomes(passed=1)
    told = result.stdout.str()
    assert ("benchmark: 1 tests" in told) == measures
    assert ("2 workers" in told) == (not measures)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_run_in_the_background_that_is_ended_leaves_nothing_behind(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{HERE}")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        """
        from pathlib import Path
        from house import run

        def test_waits():
            run("bash", "-c", "sleep 300 & echo $! > pid; wait", cwd=Path(__file__).parent)
        """
    )
    pid = pytester.path / "pid"
    pytest_here = ["exec", sys.executable, "-m", "pytest", *PLUGINS, "-n", "1"]
    with started("bash", "-c", f"trap '' INT; {' '.join(pytest_here)}", cwd=pytester.path) as going:
        assert within(60, lambda: pid.exists() and pid.read_text().strip())
        going.terminate()
        assert within(60, lambda: not is_alive(int(pid.read_text())))
