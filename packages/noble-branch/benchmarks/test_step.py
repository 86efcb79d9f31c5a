"""A step of a layer with a branch, fused and naive, beside the plain layer."""

import pytest
import torch
from torch import nn

from noble_branch import BranchedLinear


@pytest.mark.parametrize("width", [256, 768])
@pytest.mark.parametrize("rank", [0, 16, 64])
@pytest.mark.parametrize("path", ["fused", "naive"])
def test_forward_and_backward(benchmark, width, rank, path):
    if not rank and path == "naive":
        pytest.skip("the plain layer has one path")
    layer = BranchedLinear(width, width, rank, path=path) if rank else nn.Linear(width, width)
    x = torch.randn(1024, width, requires_grad=True)
    benchmark.group = f"{width}"

    def step():
        y = layer(x)
        y.backward(torch.ones_like(y))
        return y

    assert benchmark(step).shape == (1024, width)
