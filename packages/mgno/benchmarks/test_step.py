"""A training step of MgNO, of the baselines, and of neuraloperator's FNO: time with one thread and two, and memory.

Each in the size of the literature, on four pairs of functions. `--benchmark-enable -k table` prints the README's table;
the largest case, the dilated ResNet at 256², takes several GB and minutes.
"""

import importlib.util

import pytest
import torch
from mgno_steps import NAMES, PEER, make, make_step, measure, measured_apart, table

BATCH = 4


def is_measured(config):
    return config.getoption("benchmark_enable") or config.getoption("benchmark_only")


def pytest_generate_tests(metafunc):
    """All sizes where times are measured, a small one where the cases only run as tests."""
    measured = is_measured(metafunc.config)
    cases = {"size": [64, 128, 256] if measured else [16], "n_threads": [1, 2] if measured else [1]}
    for name in [name for name in cases if name in metafunc.fixturenames]:
        metafunc.parametrize(name, cases[name])


@pytest.fixture
def threads(n_threads):
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    yield
    torch.set_num_threads(before)


def installed():
    """All networks, but that of neuraloperator only where it is installed."""
    return [name for name in NAMES if name != PEER or importlib.util.find_spec("neuralop")]


@pytest.mark.parametrize("name", NAMES)
def test_training_step(benchmark, threads, name, size):
    if name not in installed():
        pytest.skip("neuraloperator is not installed")
    step = make_step(make(name, size), size, BATCH)
    loss = benchmark.pedantic(step, rounds=3, warmup_rounds=1)
    assert loss.isfinite()


def test_table(request, capsys):
    if is_measured(request.config):
        found = table(installed(), [64, 128, 256], [1, 2], BATCH, n_steps=3)
        with capsys.disabled():
            print(f"\n{found}")  # noqa: T201
    else:
        found = table(["FNO"], [16], [1], 1, 1, measure)
        assert [len(line.split(" | ")) for line in found.splitlines()] == [4, 4, 4]
        assert found.splitlines()[-1].startswith("| FNO | 2,372,449 | ")


@pytest.mark.slow
def test_memory_holds_parameters_gradients_and_averages():
    """In single precision; the activations on this grid are small beside them."""
    found, parameters = measured_apart("U-Net", 16, 1, 2, 1), 4 * 7_762_465 / 2**20
    assert 4 * parameters < (found["memory"] or 5 * parameters) < 6 * parameters
