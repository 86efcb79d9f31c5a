"""From ResNet-50 to its picture, beside torchview."""

import pytest
import torch

from circuit_diagrams import Drawing, trace
from circuit_diagrams.gallery.residual import ResNet


@pytest.fixture(scope="module")
def resnet() -> torch.nn.Module:
    with torch.device("meta"):
        return ResNet().eval()


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.empty(1, 3, 224, 224, device="meta")


def test_trace_and_draw(benchmark, resnet, image):
    picture = benchmark(lambda: Drawing(trace(resnet, image)).svg)
    assert picture.count('<g class="cell') > 10


def test_layout_alone(benchmark, resnet, image):
    diagram = trace(resnet, image)
    picture = benchmark(lambda: Drawing(diagram).svg)
    assert picture.startswith("<svg")


def test_torchview(benchmark, resnet):
    torchview = pytest.importorskip("torchview", reason="the peer is not installed")
    pytest.importorskip("graphviz", reason="torchview needs graphviz")
    graph = benchmark(lambda: torchview.draw_graph(resnet, input_size=(1, 3, 224, 224), device="meta"))
    assert graph.visual_graph.source
