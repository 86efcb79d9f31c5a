"""Pictures show what they are given."""

import numpy as np
import pytest

from udc_solver.drawing import MOST_NODES, draw_graph, draw_items, draw_quality, draw_routes, draw_scaling, draw_tour

POINTS = np.random.default_rng(0).random((6, 2))


def lines(figure):
    return [line.get_xydata() for line in figure.axes[0].lines]


def test_a_tour_is_closed():
    drawn = lines(draw_tour(POINTS, [3, 1, 0, 2, 5, 4], "six"))[0]
    np.testing.assert_allclose(drawn, POINTS[[3, 1, 0, 2, 5, 4, 3]])


def test_routes_begin_and_end_at_the_depot_unless_open():
    routes = [[1, 2], [3]]
    closed = lines(draw_routes(POINTS, routes, "two"))
    assert any(np.array_equal(line, POINTS[[0, 1, 2, 0]]) for line in closed)
    # What is not visited is there, too.
    assert any(np.array_equal(line, POINTS[[4, 5]]) for line in closed)
    open_ended = lines(draw_routes(POINTS, routes, "two", is_open=True))
    assert any(np.array_equal(line, POINTS[[0, 3]]) for line in open_ended)
    assert not any(np.array_equal(line, POINTS[[0, 3, 0]]) for line in open_ended)


def test_items():
    figure = draw_items(np.array([1.0, 2, 3]), np.array([4.0, 5, 6]), [2], "three")
    assert [line.tolist() for line in lines(figure)] == [[[1, 4], [2, 5]], [[3, 6]]]


def test_selected_nodes_of_a_graph_are_side_by_side():
    edges = np.array([[0, 1], [1, 2], [2, 3]])
    others, chosen = lines(draw_graph(4, edges, [1, 3], "path"))
    np.testing.assert_allclose(chosen, [[1, 0], [0, 1]], atol=1e-9)
    np.testing.assert_allclose(others, [[-1, 0], [0, -1]], atol=1e-9)
    with pytest.raises(ValueError, match="at most 2,000 nodes"):
        draw_graph(MOST_NODES + 1, edges, [], "large")


def test_curves():
    rows = [{"method": "a", "seconds": 2, "objective": 5}, {"method": "a", "seconds": 1, "objective": 7}]
    assert lines(draw_quality(rows, "length", "t"))[0].tolist() == [[1, 7], [2, 5]]
    rows = [{"part": "conquer", "n": 100, "seconds": 1.0}, {"part": "conquer", "n": 200, "seconds": 2.0}]
    drawn = lines(draw_scaling(rows, "t"))
    assert [line.tolist() for line in drawn] == [
        [[100, 1], [200, 2]],
        [[100, 1], [200, 2]],
        [[100, 1], [200, 4]],
    ]
