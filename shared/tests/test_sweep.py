import os
import sys
from contextlib import contextmanager
from inspect import unwrap

import joblib
import pytest
import torch

from separata.sweep import grid, sweep

BACKENDS = ["joblib", pytest.param("ray", marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster of two cores."""
    with ray_cluster() as ray:
        yield ray


@contextmanager
def ray_cluster(**resources):
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.shutdown()
        ray.init(num_cpus=2, object_store_memory=80 * 2**20, include_dashboard=False, log_to_driver=False, **resources)
        yield ray
        ray.shutdown()


@pytest.fixture(autouse=True)
def same_threads_afterwards():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def backend(request):
    if request.param == "ray":
        request.getfixturevalue("cluster")
    return request.param


def training():
    """A function of a seed that trains; made anew so that it travels by value."""

    def trained(seed: int, width: int) -> list[float]:
        import torch

        torch.manual_seed(seed)
        network = torch.nn.Sequential(torch.nn.Linear(5, width), torch.nn.Tanh(), torch.nn.Linear(width, 1))
        optimizer = torch.optim.Adam(network.parameters(), 0.01)
        x = torch.randn(64, 5)
        losses = []
        for _ in range(20):
            optimizer.zero_grad()
            loss = (network(x).squeeze() - x.prod(1)).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    return trained


class TestGrid:
    def test_the_last_axis_varies_fastest(self):
        assert grid(width=(1, 2), seed=range(3)) == [{"width": w, "seed": s} for w in (1, 2) for s in (0, 1, 2)]

    def test_axes_are_gone_through_once(self):
        assert grid(a=iter("xy"), b=[None]) == [{"a": "x", "b": None}, {"a": "y", "b": None}]

    def test_no_axis_and_an_empty_axis(self):
        assert grid() == [{}]
        assert grid(a=[1, 2], b=[]) == []

    @pytest.mark.parametrize("value", ["mnist", 3, None])
    def test_an_axis_that_is_one_value(self, value):
        with pytest.raises(ValueError, match=r"the axis data needs the values to go through, such as \["):
            unwrap(grid)(data=value)  # the tests' own check of types would speak first


class TestSweep:
    @pytest.mark.parametrize("backend", BACKENDS, indirect=True)
    def test_training_is_the_same_wherever_it_runs(self, backend):
        settings = grid(width=(3, 8), seed=range(3))
        trained = training()
        torch.set_num_threads(1)
        expected = [trained(**setting) for setting in settings]
        assert sweep(trained, settings, backend=backend, workers=1, threads=1) == expected
        assert sweep(trained, settings, backend=backend, workers=2, threads=1) == expected
        assert sweep(trained, settings, backend=backend) == expected

    @pytest.mark.parametrize("backend", BACKENDS, indirect=True)
    def test_two_workers_are_two_processes_at_once_with_half_of_the_cores(self, backend, tmp_path):
        def meet(place):
            import os
            import time

            import torch

            start = time.time()
            (tmp_path / str(place)).touch()
            while not (tmp_path / str(place ^ 1)).exists():
                time.sleep(0.01)
            return os.getpid(), torch.get_num_threads(), start, time.time()

        results = sweep(meet, range(4), backend=backend, workers=2)
        assert len({pid for pid, *_ in results} | {os.getpid()}) >= 3
        cores = joblib.cpu_count() if backend == "joblib" else 2
        assert {threads for _, threads, *_ in results} == {max(1, cores // 2)}
        assert all(sum(first <= start < end for *_, first, end in results) <= 2 for *_, start, _ in results)

    @pytest.mark.parametrize("backend", BACKENDS, indirect=True)
    def test_no_settings(self, backend):
        assert sweep(abs, [], backend=backend) == []

    @pytest.mark.parametrize("backend", BACKENDS, indirect=True)
    @pytest.mark.parametrize("workers", [1, 2])
    def test_results_are_handed_over_in_order_as_they_arrive(self, backend, workers, tmp_path):
        def wait(place):
            import time

            while place == 3 and not (tmp_path / "second").exists():
                time.sleep(0.01)
            time.sleep(0.2 if place == 0 else 0)
            return place**2

        def take(place, result):
            seen.append((place, result))
            if place == 1:
                (tmp_path / "second").touch()  # only now can the last call end

        seen = []
        assert sweep(wait, range(4), backend=backend, workers=workers, on_result=take) == [0, 1, 4, 9]
        assert seen == [(0, 0), (1, 1), (2, 4), (3, 9)]

    # The last that needs workers: it ends those of joblib, and new ones take seconds to start.
    @pytest.mark.parametrize("backend", BACKENDS, indirect=True)
    def test_an_exception_names_its_setting(self, backend):
        def fail(seed, unportable=False):
            class UnportableError(Exception):
                def __init__(self, code, reason):
                    super().__init__(f"{reason} {code}")

            if unportable:
                raise UnportableError(7, "reason")
            if seed == 2:
                raise KeyError("missing")

        for workers in (1, 2):
            with pytest.raises(KeyError, match="missing") as caught:
                sweep(fail, grid(seed=range(4)), backend=backend, workers=workers)
            assert type(caught.value) is KeyError
            assert caught.value.__notes__ == ["in the setting {'seed': 2}"]
        with pytest.raises(
            RuntimeError, match=r"UnportableError: reason 7, in the setting \{'seed': [01], 'unportable': True\}"
        ):
            sweep(fail, grid(seed=range(2), unportable=[True]), backend=backend, workers=2)

    def test_mappings_are_keywords_and_anything_else_the_only_argument(self):
        assert sweep(dict, [{"a": 1}, [("b", 2)]], workers=1) == [{"a": 1}, {"b": 2}]
        assert sweep(len, [(1, 2), "abc"], workers=1) == [2, 3]

    def test_one_worker_is_this_process(self):
        before = torch.get_num_threads()
        found = sweep(lambda _: (os.getpid(), torch.get_num_threads()), range(2), workers=1, threads=before + 1)
        assert found == [(os.getpid(), before + 1)] * 2
        assert torch.get_num_threads() == before
        assert sweep(lambda _: torch.get_num_threads(), [0]) == [before]

    def test_threads_are_given_back_when_a_call_fails(self):
        before = torch.get_num_threads()
        with pytest.raises(ZeroDivisionError):
            sweep(lambda _: 1 / 0, [0], threads=before + 1)
        assert torch.get_num_threads() == before

    @pytest.mark.parametrize("options", [{"workers": 0}, {"threads": 0}])
    def test_counts_must_be_positive(self, options):
        with pytest.raises(ValueError, match="workers and threads must be at least 1"):
            sweep(abs, [1], **options)

    def test_ray_that_is_not_installed(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "ray", None)
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'separata\[ray\]'"):
            sweep(abs, [1, 2], backend="ray")


@pytest.mark.slow
class TestRay:
    @pytest.mark.usefixtures("cluster")
    def test_more_threads_than_a_node_has(self):
        assert sweep(abs, [-1, -2], backend="ray", threads=64) == [1, 2]

    def test_calls_share_the_gpus(self):
        def gpus(_):
            import ray

            return ray.get_runtime_context().get_assigned_resources()["GPU"]

        with ray_cluster(num_gpus=2):  # that only the scheduler believes in
            assert sweep(gpus, range(3), backend="ray", workers=3) == [0.5] * 3

    def test_a_cluster_is_started_for_the_time_of_the_sweep(self, monkeypatch):
        ray = pytest.importorskip("ray")
        monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.shutdown()
        assert os.getpid() not in sweep(lambda _: __import__("os").getpid(), [0, 1], backend="ray")
        assert not ray.is_initialized()
