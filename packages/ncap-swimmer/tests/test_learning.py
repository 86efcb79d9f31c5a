import math

import numpy as np
import pytest

from ncap_swimmer import Learner, Point, TrainConfig, TrainResult
from ncap_swimmer.learning import learn


class Walk(Learner):
    """Moves towards the goal by a tenth with every piece, as if by learning."""

    def __init__(self, policy, piece, returns=()):
        self.policy, self.piece, self.returns, self.is_closed = policy, piece, list(returns), False

    def advance(self):
        self.steps += self.piece
        self.policy.action.data += self.policy.action.new_tensor([0.05, -0.03])
        return self.returns.pop(0) if self.returns else math.nan

    def state(self):
        return {"steps": self.steps}

    def restore(self, state):
        self.steps = state["steps"]

    def close(self):
        self.is_closed = True


@pytest.fixture
def walk(constant):
    return lambda *args: Walk(constant(0.0, 0.0), *args)


@pytest.mark.parametrize(
    ("piece", "steps", "every", "tested"),
    [
        (10, 50, 20, [0, 20, 40, 50]),
        (10, 40, 20, [0, 20, 40]),
        (10, 35, 20, [0, 20, 40]),
        (30, 100, 20, [0, 30, 60, 90, 120]),
        (7, 30, 10, [0, 14, 21, 35]),
        (50, 20, 10, [0, 50]),
        (1, 3, 100, [0, 3]),
    ],
)
def test_tests_at_the_beginning_at_each_multiple_and_at_the_end(walk, bowl, piece, steps, every, tested):
    result = learn(walk(piece), bowl, TrainConfig(steps, every, 1))
    assert [point.steps for point in result.history] == tested


def test_points_hold_returns_of_training_and_of_tests(walk, bowl):
    learner = walk(10, [1.0, math.nan, 3.0, math.nan, math.nan, 8.0])
    history = learn(learner, lambda: bowl(4), TrainConfig(60, 20, 3)).history
    np.testing.assert_array_equal([point.train_return for point in history], [math.nan, 1, 3, 8])
    # After k pieces the action has gone k tenths of the way to the goal.
    expected = [-4 * np.sum((bowl.goal * (1 - k / 10)) ** 2) for k in (0, 2, 4, 6)]
    np.testing.assert_allclose([point.test_return for point in history], expected, atol=1e-6)
    assert [point.test_std for point in history] == pytest.approx([0] * 4, abs=1e-9)
    seconds = [point.seconds for point in history]
    assert seconds == sorted(seconds)
    assert seconds[0] >= 0


def test_every_test_begins_in_the_same_states(walk, bowl):
    log = []
    learn(walk(10), lambda: bowl(log=log), TrainConfig(30, 10, 2, test_seed=5))
    seeds = [seed for kind, seed in log if kind == "reset"]
    assert len(seeds) == 8
    assert seeds == seeds[:2] * 4


def test_callbacks_see_each_point_and_each_piece(walk, bowl):
    points, pieces, learner = [], [], walk(10)
    result = learn(
        learner,
        bowl,
        TrainConfig(40, 20, 1),
        on_point=points.append,
        on_advance=pieces.append,
    )
    assert points == result.history
    assert pieces == [10, 20, 30, 40]
    assert result.policy is learner.policy
    assert not learner.is_closed


def test_learning_goes_on_from_a_history(walk, bowl):
    whole = learn(walk(10), bowl, TrainConfig(80, 20, 1))
    learner = walk(10)
    first = learn(learner, bowl, TrainConfig(40, 20, 1)).history
    other = learn(learner, bowl, TrainConfig(80, 20, 1), history=first)
    assert [point.steps for point in other.history] == [0, 20, 40, 60, 80]
    for one, two in zip(whole.history, other.history):
        assert (one.steps, one.test_return) == (two.steps, two.test_return)
    assert other.history[3].seconds >= other.history[2].seconds
    assert len(first) == 3


def test_nothing_more_to_learn(walk, bowl):
    learner = walk(10)
    first = learn(learner, bowl, TrainConfig(40, 20, 1)).history
    assert learn(learner, bowl, TrainConfig(40, 20, 1), history=first).history == first
    assert learner.steps == 40


@pytest.mark.parametrize(("until", "tested"), [(-0.5, [0, 20, 40]), (-100.0, [0]), (1.0, [0, 20, 40, 60])])
def test_learning_ends_at_the_test_that_reaches_a_return(walk, bowl, until, tested):
    result = learn(walk(10), lambda: bowl(4), TrainConfig(60, 20, 1, until=until))
    assert [point.steps for point in result.history] == tested
    returns = [point.test_return for point in result.history]
    assert all(value < until for value in returns[:-1])
    assert (returns[-1] >= until) == (tested[-1] < 60)


def history(*returns):
    return [Point(10 * i, 0.5 * i, math.nan, value, 1.0) for i, value in enumerate(returns)]


def test_steps_to_a_level(constant):
    result = TrainResult(constant(0.0), history(100, 400, 300, 500))
    assert [result.steps_to(level) for level in (50, 100, 101, 400, 450, 500)] == [0, 0, 10, 10, 30, 30]
    assert result.steps_to(501) == math.inf
    assert TrainResult(constant(0.0)).steps_to(0) == math.inf


def test_rows_are_plain_values(constant):
    rows = TrainResult(constant(0.0), history(1, 2)).rows()
    assert rows[1]["steps"] == 10
    assert list(rows[0]) == ["steps", "seconds", "train_return", "test_return", "test_std"]


@pytest.mark.parametrize("bad", [{"steps": 0}, {"test_every": 0}, {"test_episodes": 0}, {"steps": -5}])
def test_bad_schedules(bad):
    with pytest.raises(ValueError, match="at least 1"):
        TrainConfig(**{"steps": 10} | bad)


def test_a_seed_of_tests_that_not_every_generator_takes():
    with pytest.raises(ValueError, match="between 0 and 4294967295, not -1"):
        TrainConfig(test_seed=-1)
