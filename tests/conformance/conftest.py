"""Which packages the conformance tests are about."""

import pytest

from house import PACKAGES


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes a `package` for each, or for those that `--package` names."""
    if "package" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("--package")
        chosen = [package for package in PACKAGES if not wanted or package.name in wanted]
        metafunc.parametrize("package", chosen, ids=str, scope="session")


@pytest.fixture
def whole_tree(request: pytest.FixtureRequest) -> None:
    """Skip a test that needs every package installed where the run is restricted to some."""
    if request.config.getoption("--package"):
        pytest.skip("needs every package; left out under --package")
