"""A training step of a layer, fused and by its definition, beside efficient-kan's and a linear layer's.

All have 784 inputs, 64 outputs and batches of 256; the peers come with the wheels of kan-gpt and pykan.
"""

import statistics
import time

import pytest
import torch
from torch import nn

from af_kan import AFKAN, MLP, AFKANLinear, BSplineKAN, BSplineKANLinear, ReLUKANLinear, basis_sums, uniform_grid
from af_kan.layers.fused import naive_sums
from house import peer

BATCH, WIDTH, OUTPUTS = 256, 784, 64


def step_of(module, width=WIDTH, batch=BATCH):
    """A function that runs a module forward and backward on always the same batch."""
    x = (2 * torch.rand(batch, width, generator=torch.Generator().manual_seed(0)) - 1).requires_grad_()

    def step():
        module.zero_grad()
        x.grad = None
        module(x).square().mean().backward()

    return step


def efficient_kan(widths=None):
    """Efficient-kan's layer, or network."""
    module = peer("kan_gpt.efficient_kan.model")
    if widths is None:
        return module.KANLinear(WIDTH, OUTPUTS, grid_size=5, spline_order=3)
    return nn.Sequential(*(module.KANLinear(*pair, grid_size=5, spline_order=3) for pair in zip(widths, widths[1:])))


def pykan():
    """Pykan's layer as a module of one output."""
    module = peer("kan.KANLayer", "KANLayer")
    layer = module.KANLayer(WIDTH, OUTPUTS, num=5, k=3)

    class First(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x)[0]

    return First()


LAYERS = {
    "af-kan, global_attn, fused": lambda: AFKANLinear(WIDTH, OUTPUTS),
    "af-kan, global_attn, plain": lambda: AFKANLinear(WIDTH, OUTPUTS, fused=False),
    "af-kan, multistep, fused": lambda: AFKANLinear(WIDTH, OUTPUTS, reduction="multistep"),
    "af-kan, multistep, plain": lambda: AFKANLinear(WIDTH, OUTPUTS, reduction="multistep", fused=False),
    "af-kan, spatial_attn": lambda: AFKANLinear(WIDTH, OUTPUTS, reduction="spatial_attn"),
    "relu-kan": lambda: ReLUKANLinear(WIDTH, OUTPUTS),
    "bspline-kan": lambda: BSplineKANLinear(WIDTH, OUTPUTS),
    "efficient-kan": efficient_kan,
    "linear": lambda: nn.Linear(WIDTH, OUTPUTS),
}
NETWORKS = {
    "af-kan": lambda: AFKAN([WIDTH, OUTPUTS, 10]),
    "mlp": lambda: MLP([WIDTH, OUTPUTS, 10]),
    "bspline-kan": lambda: BSplineKAN([WIDTH, OUTPUTS, 10]),
    "efficient-kan": lambda: efficient_kan([WIDTH, OUTPUTS, 10]),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.benchmark(group="a layer forward and backward, 784-64, batch of 256")
def test_layer(benchmark, name):
    benchmark(step_of(LAYERS[name]()))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.benchmark(group="a network forward and backward, 784-64-10, batch of 64")
def test_network(benchmark, name):
    benchmark(step_of(NETWORKS[name](), batch=64))


@pytest.mark.slow
@pytest.mark.benchmark(group="pykan's layer, 784-64, batch of 32")
@pytest.mark.parametrize("name", ["af-kan", "pykan"])
def test_beside_pykan(benchmark, name):
    benchmark(step_of(pykan() if name == "pykan" else AFKANLinear(WIDTH, OUTPUTS), batch=32))


@pytest.mark.parametrize("n_functions", [3, 6, 12, 24])
@pytest.mark.benchmark(group="over basis functions, 784-64, batch of 64")
def test_over_functions(benchmark, n_functions):
    benchmark(step_of(AFKANLinear(WIDTH, OUTPUTS, grid_size=n_functions - 1, order=1), batch=64))


def medians(steps, repetitions):
    """Median seconds of each step, taking turns, so that what else the machine does falls on all alike."""
    seconds = [[] for _ in steps]
    for repetition in range(-2, repetitions):
        for one, step in zip(seconds, steps, strict=True):
            start = time.perf_counter()
            step()
            if repetition >= 0:
                one.append(time.perf_counter() - start)
    return [statistics.median(one) for one in seconds]


def sums_step(sums):
    """A function that computes both sums of a batch, forward and backward."""
    low, high = uniform_grid(3, 3)
    drawn = torch.Generator().manual_seed(0)
    x = 2 * torch.rand(BATCH, WIDTH, generator=drawn) - 1
    arguments = [one.requires_grad_() for one in (x, low, high, torch.randn(len(low), generator=drawn))]
    of_sums = [torch.randn(BATCH, WIDTH, generator=drawn) for _ in range(2)]

    def step():
        torch.autograd.grad(sums(*arguments), arguments, of_sums)

    return step


@pytest.mark.timed
def test_the_fused_sums_take_less_time_than_the_naive_broadcast(record_property):
    """0.35 of it where the naive form's memory comes new from the system, up to 0.7 where it is used again."""
    fused, naive = medians([sums_step(basis_sums), sums_step(naive_sums)], 15)
    record_property("ratio", fused / naive)
    assert fused < naive


def saved_numbers(module, x):
    """Numbers that a forward pass keeps for the backward pass, besides parameters and the input."""
    own = {p.data_ptr() for p in module.parameters()} | {x.data_ptr()}
    kept = {}

    def pack(tensor):
        kept[tensor.data_ptr()] = max(tensor.numel(), kept.get(tensor.data_ptr(), 0))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        module(x)
    return sum(n for place, n in kept.items() if place not in own)


@pytest.mark.parametrize("reduction", ["global_attn", "multistep"])
def test_the_fused_layer_keeps_at_most_a_quarter_of_what_its_definition_does(reduction):
    x = torch.randn(32, WIDTH, requires_grad=True)
    layer = AFKANLinear(WIDTH, OUTPUTS, reduction=reduction)
    fused = saved_numbers(layer, x)
    layer.fused = False
    assert fused <= 0.25 * saved_numbers(layer, x)
