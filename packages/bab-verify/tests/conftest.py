"""What the tests of bab-verify share: tables of branching points, built once and away from the user's own."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _tables(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAB_VERIFY_CACHE", str(tmp_path_factory.mktemp("tables")))
        yield
