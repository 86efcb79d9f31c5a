import itertools
import math

import numpy as np
import pytest

from dualformer import SokobanState, SokobanTask, random_sokobans

TEXT = "#######\n#  .  #\n# $ $ #\n#  @  #\n# . # #\n#     #\n#######"


def test_a_level_is_read_and_drawn():
    task = SokobanTask.from_text(TEXT)
    assert (task.width, task.height, task.worker) == (7, 7, (3, 3))
    assert set(task.boxes) == {(2, 2), (4, 2)}
    assert set(task.docks) == {(3, 1), (2, 4)}
    assert (4, 4) in task.walls
    assert task.to_text() == TEXT


def test_workers_and_boxes_on_docks_are_read():
    task = SokobanTask.from_text("######\n#+$* #\n######")
    assert (task.worker, task.boxes, task.docks) == ((1, 1), ((2, 1), (3, 1)), ((1, 1), (3, 1)))
    assert task.to_text() == "######\n#+$* #\n######"


def test_moves_follow_the_rules():
    task = SokobanTask.from_text("#######\n#@$ $.#\n#.    #\n#######")
    right, down = (1, 0), (0, 1)
    pushed = task.move(task.initial, right)
    assert pushed == SokobanState((2, 1), ((3, 1), (4, 1)))
    assert task.move(pushed, right) == pushed  # two boxes in a row do not move
    assert task.move(task.initial, (-1, 0)) == task.initial  # a wall
    assert task.move(task.initial, down) == SokobanState((1, 2), task.boxes)
    assert task.children(task.initial) == [task.move(task.initial, d) for d in ((0, -1), (0, 1), (-1, 0), (1, 0))]


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("######\n#    #\n# $@ #\n#   .#\n######", 3),
        ("######\n#$   #\n# @  #\n#   .#\n######", math.inf),  # in a corner
        ("######\n# $@ #\n#    #\n#   .#\n######", 4),  # at a wall, but it can go left and right
        ("######\n#*@  #\n#    #\n#    #\n######", 0),  # in a corner, but on a dock
    ],
)
def test_the_heuristic_is_the_distance_to_the_closest_open_dock(text, bound):
    task = SokobanTask.from_text(text)
    assert task.heuristic(task.initial) == bound


def test_each_box_is_counted_to_its_own_closest_dock():
    task = SokobanTask.from_text("#######\n#  .  #\n# $ $ #\n#@   .#\n#     #\n#######")
    assert task.heuristic(task.initial) == 2 + 2


@pytest.mark.parametrize(
    ("plan", "is_right"),
    [
        (((1, 1), (2, 1)), True),
        (((1, 1), (2, 1), (1, 1)), True),  # all boxes stay on their docks
        (((1, 1),), False),
        ((), False),
        (((2, 1),), False),
        (((1, 1), (1, 2)), False),  # into a wall
        (((1, 1), (3, 1)), False),  # jumps
    ],
)
def test_plans_are_replayed(plan, is_right):
    assert SokobanTask.from_text("#####\n#@$.#\n#####").is_solved_by(plan) == is_right


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("#####\n# $.#\n#####", "exactly one worker .* but has 0"),
        ("#####\n#@@$.#\n#####", "but has 2"),
        ("######\n#@$$.#\n######", "2 boxes and 1 docks"),
        ("####\n#@ #\n####", "at least one"),
        ("#####\n#@$x#\n#####", "not with 'x'"),
        ("#####\n#@$.#\n#####\n\n#####\n#@$.#\n#####", "more than one level"),
    ],
)
def test_levels_that_are_none_are_refused(text, words):
    with pytest.raises(ValueError, match=words):
        SokobanTask.from_text(text)


def test_random_levels_are_as_the_paper_draws_them():
    rng = np.random.default_rng(0)
    for task, trace in itertools.islice(random_sokobans(7, 7, rng, n_boxes=1), 8):
        assert len(task.walls) == 4 * 7 - 4 + 2
        assert all(2 <= x < 5 and 2 <= y < 5 for x, y in task.boxes)
        assert trace.is_solved


def test_levels_without_room_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        next(random_sokobans(5, 5, np.random.default_rng(0)))


LEVEL = "#####\n#@$.#\n#####"


@pytest.mark.parametrize(
    "text",
    [
        f"; a comment\n\n{LEVEL}\n",
        f"{LEVEL}\n\nTitle: One push\nAuthor: Nobody - at all\n; 1\n",
        f"Level-Set: x\n{LEVEL}",
    ],
)
def test_what_a_file_says_about_a_level_is_passed_over(text):
    assert SokobanTask.from_text(text).to_text() == LEVEL


def test_floor_may_be_drawn_with_dashes():
    assert SokobanTask.from_text("######\n#@-$.#\n#_--_#\n######").to_text() == "######\n#@ $.#\n#    #\n######"


def test_levels_with_a_comment_between_them_are_several():
    with pytest.raises(ValueError, match="more than one level"):
        SokobanTask.from_text(f"{LEVEL}\n; 2\n{LEVEL}")
