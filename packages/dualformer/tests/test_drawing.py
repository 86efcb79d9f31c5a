import numpy as np
import pytest
from matplotlib.figure import Figure

from dualformer import MazeTask, SokobanTask, astar, drawing, tokenizer_from_task

MAZE = MazeTask.from_text("S..\n.#.\n..G")
TRACE = "create 0 0 c0 c4 close 0 0 c0 c4 create 1 0 c1 c3 create 0 1 c1 c3 close 1 0 c1 c3"


def test_explored_cells_and_the_path_are_drawn():
    assert drawing.text(MAZE, TRACE.split()) == "S+.\no#.\n..G"
    assert drawing.text(MAZE, TRACE.split(), ((0, 0), (1, 0), (2, 0), (2, 1), (2, 2))) == "S**\no#*\n..G"
    assert drawing.text(MAZE) == MAZE.to_text()


def test_cells_are_told_in_the_order_of_their_creation():
    assert list(drawing.explored(TRACE.split()).items()) == [((0, 0), "close"), ((1, 0), "close"), ((0, 1), "create")]


@pytest.mark.parametrize("words", ["create create 0 1", "close", "create 7 7 c0 c0", "create plan 0 0", "create c1 0"])
def test_traces_that_a_model_got_wrong_are_drawn_as_far_as_they_go(words):
    assert drawing.text(MAZE, words.split()).replace("o", ".") == MAZE.to_text()
    assert isinstance(drawing.figure(MAZE, words.split()), Figure)


def test_a_level_is_drawn_with_the_worker_s_way():
    task = SokobanTask.from_text("######\n#@$ .#\n######")
    trace = astar(task, rng=np.random.default_rng(0))
    words = tokenizer_from_task(task).trace(trace.steps, task)
    plan = tuple(state.worker for state in trace.plan)
    assert drawing.text(task, words, plan) == "######\n#@$*.#\n######"
    assert isinstance(drawing.figure(task, words, plan, "title"), Figure)


def test_a_figure_has_the_walls_the_explored_cells_and_the_path():
    figure = drawing.figure(MAZE, TRACE.split(), ((0, 0), (1, 0), (2, 0)))
    order, walls = (np.ma.filled(image.get_array(), np.nan) for image in figure.axes[0].images)
    assert np.argwhere(np.isfinite(walls)).tolist() == [[1, 1]]
    assert order[0, 0] < order[0, 1] < order[1, 0]
    (line,) = figure.axes[0].lines
    assert line.get_xydata().tolist() == [[0, 0], [1, 0], [2, 0]]
