"""A training step of MgNO, of the baselines, and of neuraloperator's FNO: time with one thread and two, and memory.

Each in the size of the literature, on four pairs of functions. `-k table -s` prints the README's table; the largest
case, the dilated ResNet at 256², takes several GB and minutes.
"""

import pytest
import torch
from mgno_steps import NETWORKS, PEER, make_step, table

BATCH = 4


def pytest_generate_tests(metafunc):
    """All sizes where times are measured, a small one where the cases only run as tests."""
    is_measured = metafunc.config.getoption("benchmark_enable") or metafunc.config.getoption("benchmark_only")
    cases = {"size": [64, 128, 256] if is_measured else [16], "n_threads": [1, 2] if is_measured else [1]}
    for name in cases.keys() & set(metafunc.fixturenames):
        metafunc.parametrize(name, cases[name])


@pytest.fixture
def threads(n_threads):
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    yield
    torch.set_num_threads(before)


def installed():
    """All networks, but that of neuraloperator only where it is installed."""
    import importlib.util

    return [name for name in NETWORKS if name != PEER or importlib.util.find_spec("neuralop")]


@pytest.mark.parametrize("name", NETWORKS)
def test_training_step(benchmark, threads, name, size):
    if name not in installed():
        pytest.skip("neuraloperator is not installed")
    step = make_step(NETWORKS[name](), size, BATCH)
    loss = benchmark.pedantic(step, rounds=3, warmup_rounds=1)
    assert loss.isfinite()


def test_table(request, capsys):
    if request.config.getoption("benchmark_enable") or request.config.getoption("benchmark_only"):
        found = table(installed(), [64, 128, 256], [1, 2], BATCH, n_steps=3)
    else:
        found = table(["FNO"], [16], [1], 1, n_steps=1)
        row = found.splitlines()[-1].split(" | ")
        assert row[:2] == ["| FNO", "2,372,449"]
        # At least the parameters, their gradients and the two averages of Adam, in single precision.
        assert float(row[3].strip(" |").replace(",", "") or "inf") > 4 * 4 * 2_372_449 / 2**20
    with capsys.disabled():
        print(f"\n{found}")  # noqa: T201
