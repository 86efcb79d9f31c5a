"""What every test run shares: one thread, shapes checked, nothing downloaded or random, GPU tests only with a GPU."""

import os
import sys
from collections.abc import Iterable

# ruff: noqa: E402 - numpy and torch look at these when they are loaded; cores are used by the workers of pytest-xdist
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import hypothesis
import jaxtyping
import pytest

import shapes
from house import PACKAGES

pytest_plugins = ["budget", "parallel", "pytester"]

words = [*sys.argv, *os.environ.get("PYTEST_ADDOPTS", "").split()]
IS_CHECKED = not {"--benchmark-enable", "--benchmark-only"} & set(words)
"""Benchmarks measure what users run."""

if IS_CHECKED:
    # Before any of them is imported: from here on, every call in them is checked against its annotated shapes.
    shapes.install(["separata", *(package.module for package in PACKAGES)], "house.typecheck")

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--package`."""
    parser.addoption(
        "--package",
        action="append",
        choices=[package.name for package in PACKAGES],
        help="check only this package's conformance; may be given more than once",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to measure code that is slowed down by its checks."""
    from parallel import measures  # a plugin: not before pytest imports it

    if measures(config) and IS_CHECKED:
        raise pytest.UsageError(
            "say --benchmark-enable on the command line or in PYTEST_ADDOPTS: nowhere else is it seen in time"
        )


def pytest_collection_modifyitems(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none, and compositions without a package that `--package` names."""
    wanted = set(config.getoption("--package") or [])
    for item in items:
        composed = item.get_closest_marker("composes")
        if composed and wanted and not wanted & set(composed.args):
            item.add_marker(pytest.mark.skip(reason="takes none of the packages; left out under --package"))
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if not needing:
        return
    import torch

    if not torch.cuda.is_available():
        for item in needing:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(autouse=True)
def seeded() -> None:
    """What draws from PyTorch's global generator draws the same in any order of the tests."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As users run it: without the checks of the tests, which would see bad options before the package does."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
