"""The hot loops: bounds and input splitting on a network of the shape of ACAS Xu's, and the graph's forward pass.

auto_LiRPA and ONNX Runtime are the peers; a case of auto_LiRPA is skipped where it does not import. Where nothing is
measured, everything runs once on a small network and a few boxes.
"""

from functools import partial

import pytest
import torch

from bab_verify import Interval, OptimizationConfig, Oracle, Propagator, compute_bounds, graph_from_module
from bab_verify.bounds.optimization import optimize
from bab_verify.frontends.torch_modules import model_from_module
from bab_verify.search.input_splitting import InputSplitter, InputSplittingConfig
from house import peer
from separata.models import MLP

SIZES = (5, *[50] * 6, 5)
BATCH = 256
STEPS = 20


@pytest.fixture(scope="module")
def is_measured(request):
    options = request.config.option
    return options.benchmark_enable or not options.benchmark_disable


@pytest.fixture(scope="module")
def module(is_measured):
    torch.manual_seed(0)
    # What is made of PyTorch's own layers is exported at once.
    return MLP(SIZES).eval() if is_measured else MLP((5, 8, 8, 5)).eval().layers


@pytest.fixture(scope="module")
def graph(module):
    return graph_from_module(module, torch.zeros(1, 5), torch.float32)


def around(n, radius):
    """Boxes of one radius."""
    center = torch.rand(n, 5, generator=torch.Generator().manual_seed(0)) - 0.5
    return Interval(center - radius, center + radius)


@pytest.fixture(scope="module")
def boxes(is_measured):
    return around(BATCH if is_measured else 4, 0.05)


def crown_here(module, boxes):
    propagator = Propagator(graph_from_module(module, torch.zeros(1, 5), torch.float32))
    rows = torch.eye(5).expand(len(boxes.lower), 5, 5)

    @torch.no_grad()
    def go():
        _, planes = propagator.crown(boxes)
        return propagator.backward(len(propagator.graph.nodes) - 1, rows, planes).minimum(boxes)

    return go


def alpha_crown_here(module, boxes):
    propagator = Propagator(graph_from_module(module, torch.zeros(1, 5), torch.float32))
    n = len(boxes.lower)
    rows, zero = torch.eye(5).expand(n, 5, 5), torch.zeros(n, 5)
    settings = OptimizationConfig(steps=STEPS, patience=STEPS)

    def go():
        with torch.no_grad():
            bounds, _ = propagator.crown(boxes)
        return optimize(propagator, boxes, bounds, rows, zero, settings, target=torch.inf).margins

    return go


def with_auto_lirpa(method):
    def prepare(module, boxes):
        lirpa = peer("auto_LiRPA", "BoundedModule", "BoundedTensor", "PerturbationLpNorm")
        perturbation = lirpa.PerturbationLpNorm(x_L=boxes.lower, x_U=boxes.upper)
        x = lirpa.BoundedTensor((boxes.lower + boxes.upper) / 2, perturbation)
        model = lirpa.BoundedModule(module, torch.zeros(1, 5), device="cpu")
        # As here, only what chooses the planes of the last bound is optimised.
        model.set_bound_opts({"optimize_bound_args": {"iteration": STEPS, "enable_opt_interm_bounds": False}})
        return lambda: model.compute_bounds(x=(x,), method=method, bound_upper=False)[0]

    return prepare


BOUNDS = {
    "crown, bab-verify": crown_here,
    "crown, auto_LiRPA": with_auto_lirpa("CROWN"),
    "alpha-crown, bab-verify": alpha_crown_here,
    "alpha-crown, auto_LiRPA": with_auto_lirpa("CROWN-Optimized"),
}


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.benchmark(group=f"lower bounds of 5 outputs over {BATCH} boxes, 5-50x6-5")
def test_bounds(benchmark, module, boxes, name):
    found = benchmark(BOUNDS[name](module, boxes))
    with torch.no_grad():
        middle = module((boxes.lower + boxes.upper) / 2)
    assert (found <= middle + 1e-5).all()


@pytest.mark.parametrize("method", ["ibp", "crown", "alpha-crown"])
@pytest.mark.benchmark(group=f"compute_bounds: in double precision, with export, {BATCH} boxes, 5-50x6-5")
def test_compute_bounds(benchmark, module, boxes, method):
    lower, upper = benchmark(compute_bounds, module, *boxes, method=method)
    assert (lower <= upper).all()


@pytest.mark.parametrize("batch", [64, 256, 1024, 4096])
@pytest.mark.benchmark(group="CROWN in a round of input splitting, by boxes at once")
def test_round_of_input_splitting(benchmark, graph, batch):
    splitter = InputSplitter(graph, (torch.eye(5)[:1, None], torch.zeros(1, 1)), InputSplittingConfig(batch))
    with torch.no_grad():
        benchmark(splitter.bound, *around(4 if benchmark.disabled else batch, 0.02))
    if not benchmark.disabled:
        benchmark.extra_info["boxes a second"] = round(batch / benchmark.stats.stats.median)


@pytest.mark.benchmark(group="input splitting to the end")
def test_input_splitting(benchmark, module, graph):
    lower, upper = torch.full((5,), -0.5), torch.full((5,), 0.5)
    corner = torch.rand(20_000, 5, generator=torch.Generator().manual_seed(0)) - 0.5
    with torch.no_grad():
        least = module(corner)[:, :1].min()
    # The first output stays above a little less than the least that samples have shown.
    clauses = (torch.eye(5)[:1, None], (least - 0.02).reshape(1, 1))
    splitter = InputSplitter(
        graph, clauses, InputSplittingConfig(1024, max_domains=100 if benchmark.disabled else 50_000)
    )

    def go():
        with torch.no_grad():
            return splitter.run(lower, upper, lambda x: None, float("inf"), lambda *_: None)

    found = benchmark(go)
    assert found.visited > 0
    if not benchmark.disabled:
        benchmark.extra_info["boxes a second"] = round(found.visited / benchmark.stats.stats.median)


FORWARD = {
    "bab-verify": lambda module, x: partial(graph_from_module(module, x[:1], torch.float32), x),
    "PyTorch": lambda module, x: lambda: module(x),
    "ONNX Runtime": lambda module, x: _runtime(module, x),
}


def _runtime(module, x):
    import io

    import onnxruntime

    stream = io.BytesIO()
    axes = {"x": {0: "batch"}}
    torch.onnx.export(module, (x[:1],), stream, dynamo=False, input_names=["x"], dynamic_axes=axes)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(stream.getvalue(), options, providers=["CPUExecutionProvider"])
    return lambda: torch.from_numpy(session.run(None, {"x": x.numpy()})[0])


@pytest.mark.parametrize("name", FORWARD)
@pytest.mark.benchmark(group="4096 forward passes, 5-50x6-5")
def test_forward(benchmark, module, name):
    x = torch.rand(4096, 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = benchmark(FORWARD[name](module, x))
        torch.testing.assert_close(found, module(x), atol=1e-5, rtol=1e-5)


@pytest.mark.benchmark(group="one input, with ONNX Runtime")
def test_confirming_a_counterexample(benchmark, module):
    oracle = Oracle(model_from_module(module, torch.zeros(1, 5)))
    x = torch.rand(5, dtype=torch.float64)
    torch.testing.assert_close(benchmark(oracle.outputs, x), module(x.float()[None])[0].double(), atol=1e-5, rtol=0)
