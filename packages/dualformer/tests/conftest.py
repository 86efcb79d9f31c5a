import jaxtyping
import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """With tensors as small as here, a second thread only waits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def unchecked(monkeypatch):
    """As users run it: without the type checks of the tests, which would see bad options before the package does."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
