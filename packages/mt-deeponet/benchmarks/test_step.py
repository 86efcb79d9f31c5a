"""A training step on 20 samples at 32 x 32 nodes: the shared trunk, points inside the masks, and tiled rows."""

from dataclasses import replace

import pytest
import torch

from deeponet import DeepONet
from mt_deeponet import (
    ConvBranch,
    ModelConfig,
    MultiTaskData,
    TrainConfig,
    Trainer,
    Trunk,
    make_model,
    nodes,
    rasterize,
)

B, SIZE = 20, 32


@pytest.fixture(scope="module")
def data() -> MultiTaskData:
    generator = torch.Generator().manual_seed(0)
    functions = torch.randn(B, SIZE, SIZE, generator=generator)
    mask = rasterize("disc", SIZE, SIZE).flatten().expand(B, -1)
    return MultiTaskData(functions, nodes(SIZE, SIZE).float(), torch.randn(B, SIZE**2, generator=generator), mask)


def trainer(data, **settings) -> Trainer:
    model = make_model(ModelConfig(), data.shape).fit_normalizers(data)
    return Trainer(model, data, replace(TrainConfig(batch_size=None), **settings))


def step(one: Trainer) -> torch.Tensor:
    loss = one.gradients(0)["loss"]
    one.update()
    return loss


def test_all_nodes_inside(benchmark, data):
    loss = benchmark.pedantic(step, (trainer(data),), rounds=3, warmup_rounds=1)
    assert loss.isfinite()


def test_some_of_the_nodes(benchmark, data):
    """200 nodes, drawn in each step."""
    loss = benchmark.pedantic(step, (trainer(data, n_points=200),), rounds=3, warmup_rounds=1)
    assert loss.isfinite()


def test_points_of_each_sample(benchmark, data):
    """What the shared grid replaces: DeepONet with points of each sample, so that the trunk is computed for each."""
    model = DeepONet(ConvBranch(SIZE), Trunk(), bias=False)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    u = torch.stack([data.functions, data.mask.reshape(data.functions.shape).float()], 1)
    y = data.points.expand(B, -1, -1)

    def own() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (torch.where(data.mask, model(u, y) - data.values, 0.0)).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    assert benchmark.pedantic(own, rounds=2, warmup_rounds=1).isfinite()
