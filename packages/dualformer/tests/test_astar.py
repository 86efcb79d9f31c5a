import heapq
import itertools
from collections import deque
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualformer import MazeTask, SearchTask, SokobanTask, astar, random_mazes, random_sokobans

FREE_3X3 = """create 00(0,4) close 00 create 01(1,3) create 10(1,3) close 10 create 11(2,2) create 20(2,2) close 20
create 21(3,1) close 01 create 02(2,2) close 11 create 12(3,1) close 21 create 22(4,0) close 02 close 12 close 22"""


def told(trace):
    """A maze's trace as the oracle writes it: xy(g,h), the costs only of creations."""
    return " ".join(
        f"{s.action} {s.state[0]}{s.state[1]}" + (f"({s.g},{s.h})" if s.action == "create" else "") for s in trace.steps
    )


def cells(plan):
    return " ".join(f"{x}{y}" for x, y in plan)


def distance(task):
    """Steps of a shortest way from start to goal by breadth-first search; None if there is none."""
    reached, queue, walls = {task.start: 0}, deque([task.start]), set(task.walls)
    while queue:
        x, y = queue.popleft()
        for cell in ((x, y + 1), (x, y - 1), (x - 1, y), (x + 1, y)):
            inside = 0 <= cell[0] < task.width and 0 <= cell[1] < task.height
            if inside and cell not in reached and cell not in walls:
                reached[cell] = reached[(x, y)] + 1
                queue.append(cell)
    return reached.get(task.goal)


# ---- the traces that the released code has for tests


def test_the_free_maze_of_3x3_is_searched_step_for_step():
    trace = astar(MazeTask(3, 3, (0, 0), (2, 2)), deterministic=True)
    assert told(trace) == " ".join(FREE_3X3.split())
    assert len(trace.steps) == 18
    assert cells(trace.plan) == "00 10 20 21 22"


@pytest.mark.parametrize(
    ("walls", "n_steps", "plan"),
    [
        (((0, 1),), 13, "00 10 11 12 02"),
        (((0, 1), (1, 1)), 14, "00 10 20 21 22 12 02"),
    ],
)
def test_mazes_with_walls_are_searched_as_in_the_released_tests(walls, n_steps, plan):
    trace = astar(MazeTask(3, 3, (0, 0), (0, 2), walls), deterministic=True)
    assert (len(trace.steps), cells(trace.plan)) == (n_steps, plan)


def test_a_maze_that_is_walled_off_has_no_plan():
    trace = astar(MazeTask(3, 3, (0, 0), (0, 2), ((0, 1), (1, 1), (2, 1))), deterministic=True)
    assert not trace.is_solved
    assert trace.plan == ()


def test_one_push_of_sokoban_is_searched_step_for_step():
    trace = astar(SokobanTask.from_text("#####\n#@$.#\n#####"), deterministic=True)
    assert [(s.action, s.g, s.h) for s in trace.steps] == [
        ("create", 0, 1),
        ("close", 0, 1),
        ("create", 1, 0),
        ("close", 1, 0),
    ]
    assert [state.worker for state in trace.plan] == [(1, 1), (2, 1)]


# ---- properties


@pytest.mark.parametrize("deterministic", [True, False])
def test_plans_of_500_random_mazes_are_as_short_as_those_of_breadth_first_search(deterministic):  # 250 each way
    rng = np.random.default_rng(0)
    for size, count in ((5, 220), (8, 30)):
        for task, trace in itertools.islice(random_mazes(size, size, rng, deterministic=deterministic), count):
            assert len(trace.plan) - 1 == distance(task)
            assert task.is_solved_by(trace.plan)


@st.composite
def mazes(draw):
    width, height = draw(st.integers(2, 6)), draw(st.integers(2, 6))
    every = [(x, y) for y in range(height) for x in range(width)]
    order = [every[i] for i in np.random.default_rng(draw(st.integers(0, 10**6))).permutation(len(every))]
    n_walls = draw(st.integers(0, len(every) - 2))
    return width, height, order[0], order[1], tuple(order[2 : 2 + n_walls])


@given(mazes(), st.integers(0, 2**32), st.booleans())
def test_every_search_keeps_its_books(maze, seed, deterministic):
    task = MazeTask(*maze)
    trace = astar(task, deterministic=deterministic, rng=np.random.default_rng(seed))
    created, closed, last_f = set(), [], 0
    for step in trace.steps:
        assert step.h == abs(step.state[0] - task.goal[0]) + abs(step.state[1] - task.goal[1])
        if step.action == "create":
            created.add(step.state)
        else:
            assert step.state in created
            assert step.g + step.h >= last_f  # the heuristic is consistent: costs never fall
            last_f = step.g + step.h
            closed.append(step.state)
    assert len(closed) == len(set(closed))
    assert len(closed) <= sum(step.action == "create" for step in trace.steps)
    assert (len(trace.plan) - 1 if trace.plan else None) == distance(task)


def test_equal_seeds_give_equal_searches_and_others_give_others():
    task = MazeTask(6, 6, (0, 0), (5, 5))
    one, same, other = (astar(task, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_ties_are_broken_either_way_about_equally_often():
    task = MazeTask(2, 2, (0, 0), (1, 1))
    by_x = sum(astar(task, rng=np.random.default_rng(seed)).plan[1] == (1, 0) for seed in range(400))
    assert abs(by_x - 200) < 4 * np.sqrt(100)


def dijkstra(task):
    """Cost of a shortest plan by search without a heuristic."""
    queue, best, counter = [(0, 0, task.initial)], {task.initial: 0}, itertools.count(1)
    while queue:
        cost, _, state = heapq.heappop(queue)
        if task.is_goal(state):
            return cost
        for child in task.children(state):
            if best.get(child, np.inf) > cost + 1:
                best[child] = cost + 1
                heapq.heappush(queue, (cost + 1, next(counter), child))
    return None


def test_sokoban_plans_solve_their_levels_and_searches_create_what_they_close():
    rng = np.random.default_rng(0)
    for task, trace in itertools.islice(random_sokobans(6, 6, rng, n_walls=0, n_boxes=1), 10):
        assert task.is_solved_by(tuple(state.worker for state in trace.plan))
        assert len(trace.plan) - 1 == dijkstra(task)
        created = {s.state for s in trace.steps if s.action == "create"}
        assert {s.state for s in trace.steps if s.action == "close"} <= created


class Reopening(SearchTask[str]):
    """Two ways from a to c, the longer one through the state that looks nearer: c is closed before it is cheap."""

    edges: ClassVar = {"a": ["x", "b"], "b": ["b2"], "b2": ["c"], "x": ["c"], "c": ["d"], "d": ["e"], "e": ["goal"]}
    bounds: ClassVar = {"x": 4, "b": 0, "b2": 0, "c": 0, "d": 0, "e": 4}

    initial = "a"

    def children(self, state):
        return self.edges.get(state, [])

    def heuristic(self, state):
        return self.bounds.get(state, 0)

    def is_goal(self, state):
        return state == "goal"

    def key(self, state):
        return state


def test_a_closed_node_is_opened_again_when_it_becomes_cheaper():
    trace = astar(Reopening(), deterministic=True)
    assert [s.state for s in trace.steps if s.action == "close"].count("c") == 2
    assert trace.plan == ("a", "x", "c", "d", "e", "goal")


def test_random_search_needs_a_source_of_randomness():
    with pytest.raises(ValueError, match="rng"):
        astar(MazeTask(2, 2, (0, 0), (1, 1)))


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_search_on_a_smaller_frontier_never_visits_an_unreachable_cell(deterministic):
    task = MazeTask(4, 1, (0, 0), (3, 0), ((2, 0),))
    trace = astar(task, deterministic=deterministic, rng=np.random.default_rng(0))
    assert {s.state for s in trace.steps} == {(0, 0), (1, 0)}
