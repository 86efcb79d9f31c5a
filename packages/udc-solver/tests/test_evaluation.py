"""The evaluators against numbers that are worked out by hand, and against each way to break a rule."""

import math

import numpy as np
import pytest

from udc_solver import evaluation

SQUARE = np.array([[0, 0], [3, 0], [3, 4], [0, 4]])
DISTANCE = evaluation.straight(SQUARE)


def test_tour_is_closed():
    assert evaluation.tour_length(DISTANCE, 4, [2, 3, 0, 1]) == 14
    assert evaluation.tour_length(DISTANCE, 4, [0, 2, 1, 3]) == 5 + 4 + 5 + 4


def test_matrix_tour_has_a_direction():
    matrix = np.array([[0, 1, 9], [9, 0, 2], [3, 9, 0]])
    assert evaluation.tour_length(evaluation.entries(matrix), 3, [0, 1, 2]) == 6
    assert evaluation.tour_length(evaluation.entries(matrix), 3, [2, 1, 0]) == 27


@pytest.mark.parametrize(
    ("tour", "words"), [([0, 1, 2], "3 is never"), ([0, 1, 2, 2, 3], "2 is visited 2"), ([0, 1, 2, 4], "place 4")]
)
def test_tours_that_are_none(tour, words):
    with pytest.raises(evaluation.InfeasibleError, match=words):
        evaluation.tour_length(DISTANCE, 4, tour)


def test_routes_return_unless_open():
    demands, routes = [0, 2, 1, 2], [[1, 2], [3]]
    assert evaluation.routes_length(DISTANCE, demands, 3, routes) == (3 + 4 + 5) + (4 + 4)
    assert evaluation.routes_length(DISTANCE, demands, 3, routes, is_open=True) == (3 + 4) + 4
    with pytest.raises(evaluation.InfeasibleError, match="route 1 carries 5"):
        evaluation.routes_length(DISTANCE, demands, 4, [[1, 2, 3]])
    with pytest.raises(evaluation.InfeasibleError, match="place 3 is never"):
        evaluation.routes_length(DISTANCE, demands, 9, [[1, 2]])
    with pytest.raises(evaluation.InfeasibleError, match="place 0"):
        evaluation.routes_length(DISTANCE, demands, 9, [[1, 0, 2, 3]])


def test_routes_are_between_zeros():
    assert evaluation.routes_of([0, 3, 1, 0, 0, 2, 0]) == [[3, 1], [2]]
    assert evaluation.routes_of([3, 1]) == [[3, 1]]
    assert evaluation.routes_of([0, 0]) == []


def test_longest_route():
    assert evaluation.longest_route(DISTANCE, 4, 2, [[1, 2], [3]]) == 12
    assert evaluation.longest_route(DISTANCE, 4, 3, [[1, 2], [3]]) == 12
    with pytest.raises(evaluation.InfeasibleError, match="2 agents travel, but there are 1"):
        evaluation.longest_route(DISTANCE, 4, 1, [[1, 2], [3]])


def test_orienteering():
    prizes = [7, 1, 10, 100]
    assert evaluation.collected_prize(DISTANCE, prizes, 12, [1, 2]) == 11
    assert evaluation.collected_prize(DISTANCE, prizes, 0, []) == 0
    with pytest.raises(evaluation.InfeasibleError, match="length 12, but the limit is 11.9"):
        evaluation.collected_prize(DISTANCE, prizes, 11.9, [1, 2])
    with pytest.raises(evaluation.InfeasibleError, match="1 twice"):
        evaluation.collected_prize(DISTANCE, prizes, 99, [1, 1])


def test_prize_collecting():
    prizes, penalties = [9, 1, 2, 3], [9, 0.5, 0.25, 2]
    assert evaluation.prize_collecting_cost(DISTANCE, prizes, penalties, 3, [3]) == 8 + 0.75
    with pytest.raises(evaluation.InfeasibleError, match="collects 3, but must collect 3.5"):
        evaluation.prize_collecting_cost(DISTANCE, prizes, penalties, 3.5, [3])
    # More than there is cannot be asked for.
    assert evaluation.prize_collecting_cost(DISTANCE, prizes, penalties, 7, [1, 2, 3]) == 14


def test_knapsack():
    assert evaluation.knapsack_value([1, 2, 3], [10, 20, 30], 4, [0, 2]) == 40
    with pytest.raises(evaluation.InfeasibleError, match="weigh 5"):
        evaluation.knapsack_value([1, 2, 3], [10, 20, 30], 4, [1, 2])
    with pytest.raises(evaluation.InfeasibleError, match="item 3"):
        evaluation.knapsack_value([1, 2, 3], [10, 20, 30], 4, [3])


def test_independent_set():
    path = np.array([[0, 1], [1, 2], [3, 2]])
    assert evaluation.independent_set_size(4, path, [0, 2]) == 2
    with pytest.raises(evaluation.InfeasibleError, match="3 and 2"):
        evaluation.independent_set_size(4, path, [2, 3])
    with pytest.raises(evaluation.InfeasibleError, match="twice"):
        evaluation.independent_set_size(4, path, [0, 0])


def test_sums_are_in_double_precision():
    points = np.stack([np.arange(1000) * 1e-3, np.zeros(1000)], 1).astype(np.float32)
    tour = evaluation.tour_length(evaluation.straight(points), 1000, list(range(1000)))
    assert math.isclose(tour, 2 * 0.999, rel_tol=1e-6)
