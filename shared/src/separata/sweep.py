"""One function over many settings, in parallel on the cores of a machine or a cluster."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from copy import copy
from itertools import product
from math import ceil
from types import ModuleType
from typing import Any, Literal, TypeVar

import joblib
import torch

from .extras import require

Result = TypeVar("Result")


def grid(**axes: Iterable[Any]) -> list[dict[str, Any]]:
    """Every combination of the values of some settings; the last axis varies fastest.

    >>> grid(width=(16, 32), seed=range(2))
    [{'width': 16, 'seed': 0}, {'width': 16, 'seed': 1}, {'width': 32, 'seed': 0}, {'width': 32, 'seed': 1}]

    Args:
        **axes: The values of each setting.

    Raises:
        ValueError: if an axis is one value instead of several.
    """
    for name, values in axes.items():
        if isinstance(values, str | bytes) or not isinstance(values, Iterable):
            raise ValueError(f"the axis {name} needs the values to go through, such as [{values!r}], not {values!r}")
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def sweep(
    function: Callable[..., Result],
    settings: Sequence[Any],
    *,
    workers: int | None = None,
    backend: Literal["joblib", "ray"] = "joblib",
    threads: int | None = None,
    on_result: Callable[[int, Result], None] | None = None,
) -> list[Result]:
    """Call a function with each of several settings, in parallel processes.

    A setting that is a mapping is passed as keyword arguments, `function(**setting)`; any other as the only argument,
    `function(setting)`. The results depend neither on the backend nor on the number of workers as long as the function
    draws its randomness from seeds in its setting. For results that agree to the last bit, fix `threads`: PyTorch may
    sum in another order on another number of threads.

    Args:
        function: What to call. It, its arguments and its results travel between processes by cloudpickle, so local
            functions and lambdas do, too.
        settings: What to call it with.
        workers: How many calls run at once; by default as many as there are cores, and never more than settings. With 1
            they run in this process, whatever the backend.
        backend: `joblib` for processes on this machine; `ray` for the Ray cluster that this process is connected to, or
            that `RAY_ADDRESS` names, or else a local one for the time of the sweep. Ray gives each call its share of
            the cluster's GPUs.
        threads: PyTorch threads of each call; by default the cores divided by the workers, and in this process as many
            as it has.
        on_result: Called in this process with the index of a setting and its result, in the order of the settings, as
            soon as the results are there.

    Returns:
        The results in the order of the settings.

    Raises:
        ValueError: if the backend is unknown, or `workers` or `threads` is not positive.
        MissingExtraError: if Ray is asked for and not installed.
        Exception: whatever the function raises for a setting, with a note that names the setting.
    """
    if backend not in ("joblib", "ray"):
        raise ValueError(f"the backend must be joblib or ray, not {backend!r}")
    if (workers is not None and workers < 1) or (threads is not None and threads < 1):
        raise ValueError(f"workers and threads must be at least 1, not {workers} and {threads}")
    if backend == "ray" and workers != 1 and len(settings):
        arriving = _on_ray(function, settings, workers, threads)
    else:
        arriving = _on_this_machine(function, settings, workers, threads)
    results = []
    with closing(arriving):
        for index, result in enumerate(arriving):
            if on_result is not None:
                on_result(index, result)
            results.append(result)
    return results


def _on_this_machine(
    function: Callable[..., Result], settings: Sequence[Any], workers: int | None, threads: int | None
) -> Generator[Result, None, None]:
    cores = joblib.cpu_count()
    workers = min(workers or cores, len(settings))
    if workers <= 1:
        for setting in settings:
            yield _call(function, setting, threads)
        return
    threads = threads or max(1, cores // workers)
    with joblib.parallel_config("loky", n_jobs=workers, inner_max_num_threads=threads):
        parallel = joblib.Parallel(return_as="generator", batch_size=1)
    with closing(
        parallel(joblib.delayed(_call_in_worker)(function, setting, threads) for setting in settings)
    ) as results:
        yield from results


def _on_ray(
    function: Callable[..., Result], settings: Sequence[Any], workers: int | None, threads: int | None
) -> Generator[Result, None, None]:
    # Not joblib's Ray backend: that hands over no result before the last one, and deals the settings out in turn, to
    # workers that are free and to busy ones alike.
    require("ray", extra="separata[ray]")
    import ray

    with _connected(ray):
        cluster = ray.cluster_resources()
        workers = min(workers or int(cluster["CPU"]), len(settings))
        # A call that asks for more than the largest node has would wait for ever.
        most = max(node["Resources"].get("CPU", 1) for node in ray.nodes() if node["Alive"])
        threads = threads or max(1, int(min(cluster["CPU"] // workers, most)))
        gpus = cluster.get("GPU", 0)
        gpu_share = 1 / ceil(workers / gpus) if gpus else 0
        task: Any = ray.remote(num_cpus=min(threads, most), num_gpus=gpu_share)(_call_in_worker)

        def result(setting: object) -> Result:
            try:
                return ray.get(task.remote(function, setting, threads))
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error

        with ThreadPoolExecutor(workers) as waiting:
            yield from waiting.map(result, settings)


@contextmanager
def _connected(ray: ModuleType) -> Iterator[None]:
    """Connect to a Ray cluster for a while, unless this process is connected already."""
    if ray.is_initialized():
        yield
        return
    ray.init()
    try:
        yield
    finally:
        ray.shutdown()


def _call(function: Callable[..., Result], setting: object, threads: int | None) -> Result:
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        return function(**setting) if isinstance(setting, Mapping) else function(setting)
    except Exception as error:
        error.add_note(f"in the setting {setting}")
        raise
    finally:
        torch.set_num_threads(before)


def _call_in_worker(function: Callable[..., Result], setting: object, threads: int) -> Result:
    try:
        return _call(function, setting, threads)
    except Exception as error:
        # An exception that cannot be built again from its arguments would break the pool instead of arriving.
        try:
            copy(error)
        except TypeError:
            raise RuntimeError(f"{type(error).__name__}: {error}, in the setting {setting}") from None
        raise
