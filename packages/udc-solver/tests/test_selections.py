"""Instances: what is refused, what is read back, and what is drawn."""

import numpy as np
import pytest
import torch

from udc_solver import selection_generators as draw
from udc_solver.selections import Items, Networks, Orienteering, PrizeCollecting

POINTS = torch.rand(1, 3, 2)
ONES = torch.tensor([[0, 1.0, 1]])


@pytest.mark.parametrize(
    ("instance", "words"),
    [
        (Orienteering(POINTS, ONES, torch.tensor([-1.0])), "must not be negative, but is -1"),
        (Orienteering(POINTS, -ONES, torch.ones(1)), "prizes must not be negative"),
        (Orienteering(POINTS, ONES + 1, torch.ones(1)), "first node is the depot"),
        (Orienteering(POINTS.log() / 0, ONES, torch.ones(1)), "not finite"),
        (PrizeCollecting(POINTS, ONES, ONES, torch.tensor([3.0])), "add up to 2, but 3 must be collected"),
        (PrizeCollecting(POINTS, ONES, -ONES, torch.tensor([1.0])), "penalties must not be negative"),
        (Items(torch.tensor([[1.0, 6]]), torch.ones(1, 2), torch.tensor([5.0])), "item 1 weighs 6"),
        (Items(torch.ones(1, 1), torch.ones(1, 1), torch.ones(1)), "at least 2 items, not 1"),
        (Items(torch.ones(1, 2), -torch.ones(1, 2), torch.ones(1)), "must not be negative"),
        (Networks(torch.tensor([[[1, 1]]]), torch.tensor([2])), "its own neighbor"),
        (Networks(torch.tensor([[[0, 2]]]), torch.tensor([2])), "not 0 to 1"),
        (Networks(torch.tensor([[[0, -2]]]), torch.tensor([2])), "not 0 to 1"),
    ],
)
def test_refused(instance, words):
    with pytest.raises(ValueError, match=words):
        instance.check()


@pytest.mark.parametrize("make", [draw.orienteering, draw.stochastic_prizes, draw.items, draw.random_graphs])
def test_files(make, tmp_path):
    instance = make(20, 3, torch.Generator().manual_seed(0))
    instance.save(tmp_path / "a.npz")
    again = type(instance).load(tmp_path / "a.npz")
    for name in instance.DIMENSIONS:
        assert torch.equal(getattr(again, name), getattr(instance, name))


def test_as_many_values_as_weights(tmp_path, unchecked):
    np.savez(tmp_path / "a.npz", weights=np.ones(2), values=np.ones(3), capacity=np.array(1.0))
    with pytest.raises(ValueError, match="2 weights, but 3 values"):
        Items.load(tmp_path / "a.npz")


def test_edges_must_be_whole(tmp_path, unchecked):
    np.savez(tmp_path / "a.npz", edges=np.array([[0.5, 1]]), size=np.array(3))
    with pytest.raises(ValueError, match="whole numbers"):
        Networks.load(tmp_path / "a.npz")


def test_orienteering():
    instance = draw.orienteering(500, 4, torch.Generator().manual_seed(0))
    assert instance.limit.tolist() == [4] * 4
    away = (instance.points - instance.points[:, :1]).norm(dim=-1)
    for row in range(4):
        expected = (1 + (99 * away[row, 1:] / away[row].max()).floor()) / 100
        torch.testing.assert_close(instance.prizes[row, 1:], expected)
    instance.check()


def test_prize_collecting():
    instance = draw.stochastic_prizes(500, 50, torch.Generator().manual_seed(0))
    instance.check()
    assert float(instance.prizes[:, 1:].mean()) == pytest.approx(2 / 500, rel=0.03)
    assert float(instance.penalties[:, 1:].mean()) == pytest.approx(1.5 * 9 / 500, rel=0.03)
    ratio = (instance.realized / instance.prizes)[:, 1:]
    assert 0 <= float(ratio.min()) < 0.01
    assert 1.99 < float(ratio.max()) <= 2
    assert (instance.minimum == 1).all()
    assert [draw.route_length(n) for n in (500, 1000, 5000, 10_000)] == [9, 12, 20, 38]
    assert 9 < draw.route_length(700) < 12


def test_knapsacks_and_graphs():
    assert draw.items(500, 2, torch.Generator().manual_seed(0)).capacity.tolist() == [50, 50]
    assert draw.items(1000, 1, torch.Generator().manual_seed(0)).capacity.tolist() == [100]
    graphs = draw.random_graphs(200, 2, torch.Generator().manual_seed(0))
    graphs.check()
    assert graphs.directed().shape[1] == pytest.approx(2 * 2 * 0.15 * 200 * 199 / 2, rel=0.03)
