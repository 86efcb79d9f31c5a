"""What the tests of bab-verify share: tables of branching points, built once and away from the user's own."""

import sys
from pathlib import Path

import pytest

# For `exact_arithmetic`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session", autouse=True)
def _tables(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAB_VERIFY_CACHE", str(tmp_path_factory.mktemp("tables")))
        yield
