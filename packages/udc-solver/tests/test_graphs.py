import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from udc_solver import graphs
from udc_solver.graph_network import AnisotropicLayer, GraphNetwork
from udc_solver.graphs import EdgeGraph, NeighborGraph, gather_nodes, nearest_points, normalized


def points_of(batch=2, n=30, seed=0):
    return torch.rand(batch, n, 2, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("most", [10**9, 70])
def test_nearest_points_are_those_of_a_k_d_tree_in_any_chunks(monkeypatch, most):
    monkeypatch.setattr(graphs, "MAX_ELEMENTS", most)
    points = points_of()
    neighbors, distances = nearest_points(points, 6)
    for number in range(2):
        expected, index = KDTree(points[number].numpy()).query(points[number].numpy(), 6)
        np.testing.assert_array_equal(neighbors[number].numpy(), index)
        np.testing.assert_allclose(distances[number].numpy(), expected, atol=1e-6)


def test_more_neighbors_than_nodes_are_all_nodes():
    neighbors, _ = nearest_points(points_of(1, 5), 100)
    assert neighbors.sort(2).values.tolist() == [[list(range(5))] * 5]


def test_points_keep_their_shape_when_they_are_normalized():
    points = points_of(1, 20) * torch.tensor([300.0, 40.0]) + 1000
    inside = normalized(points)
    assert inside.min() == 0
    assert inside.max() == pytest.approx(1)
    ratio = torch.cdist(points, points)[0] / torch.cdist(inside, inside)[0]
    off_diagonal = ~torch.eye(20, dtype=torch.bool)
    assert ratio[off_diagonal].std() / ratio[off_diagonal].mean() < 1e-4


def test_equal_points_are_normalized_to_finite_ones():
    assert normalized(torch.full((1, 4, 2), 7.0)).isfinite().all()


def test_nodes_are_gathered_from_their_own_instance():
    x = torch.arange(12.0).view(2, 3, 2)
    found = gather_nodes(x, torch.tensor([[[2, 0]], [[1, 1]]]))
    assert found.tolist() == [[[[4, 5], [0, 1]]], [[[8, 9], [8, 9]]]]


def neighbor_graph(seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, edges = torch.randn(2, 7, 3, generator=generator), torch.randn(2, 7, 4, 2, generator=generator)
    return NeighborGraph(x, torch.randint(7, (2, 7, 4), generator=generator), edges)


def as_edges(graph):
    batch, n, k = graph.neighbors.shape
    source = torch.arange(batch * n).repeat_interleave(k)
    target = (graph.neighbors + n * torch.arange(batch)[:, None, None]).flatten()
    return EdgeGraph(graph.x, torch.stack([source, target]), graph.edges.flatten(0, 2))


def test_both_kinds_of_graphs_give_the_same_embeddings():
    torch.manual_seed(0)
    graph, network = neighbor_graph(), GraphNetwork(3, 2, 8, 3)
    x, w = network(graph)
    other_x, other_w = network(as_edges(graph))
    torch.testing.assert_close(x, other_x)
    torch.testing.assert_close(w.flatten(0, 2), other_w)


def test_mean_of_a_node_without_edges_is_zero():
    graph = EdgeGraph(torch.zeros(1, 3, 1), torch.tensor([[0, 0], [1, 2]]), torch.zeros(2, 1))
    assert graph.mean(torch.tensor([[2.0], [4.0]])).tolist() == [[[3.0], [0.0], [0.0]]]


def test_a_layer_is_its_formula_written_with_loops():
    torch.manual_seed(1)
    layer = AnisotropicLayer(4).eval()
    for norm in (layer.node_norm, layer.edge_norm):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    graph = neighbor_graph()
    x, w = torch.randn(2, 7, 4), torch.randn(2, 7, 4, 4)
    new_x, new_w = layer(graph, x, w)

    def normalize(norm, value):
        return (value - norm.running_mean) / (norm.running_var + norm.eps) ** 0.5 * norm.weight + norm.bias

    def silu(value):
        return value / (1 + torch.exp(-value))

    u, v, a, b = layer.node_maps.weight.split(4)
    u0, v0, a0, b0 = layer.node_maps.bias.split(4)
    for batch in range(2):
        for i in range(7):
            total = torch.zeros(4)
            for j, target in enumerate(graph.neighbors[batch, i].tolist()):
                total += torch.sigmoid(w[batch, i, j]) * (v @ x[batch, target] + v0) / 4
                change = layer.edge_map(w[batch, i, j]) + a @ x[batch, i] + a0 + b @ x[batch, target] + b0
                expected = w[batch, i, j] + silu(normalize(layer.edge_norm, change))
                torch.testing.assert_close(new_w[batch, i, j], expected)
            expected = x[batch, i] + silu(normalize(layer.node_norm, u @ x[batch, i] + u0 + total))
            torch.testing.assert_close(new_x[batch, i], expected)
