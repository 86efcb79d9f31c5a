"""What every test run shares: shapes checked, nothing downloaded, nothing random, GPU tests only with a GPU."""

import os
from collections.abc import Iterable

import hypothesis
import pytest
from jaxtyping import install_import_hook

from house import PACKAGES

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Before any of them is imported: from here on, every call in them is checked against its annotated shapes.
install_import_hook(["separata", *(package.module for package in PACKAGES)], "house.typecheck")

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


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if not needing:
        return
    import torch

    if not torch.cuda.is_available():
        for item in needing:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
