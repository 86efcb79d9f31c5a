import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from dualformer import (
    MazeTask,
    Record,
    Response,
    SokobanTask,
    at_least_one_of,
    distinct_among,
    evaluate,
    reference_trace_length,
    tokenizer_from_task,
)

SHORT = "plan 0 0 plan 1 0 plan 2 0 plan 2 1"
LONG = "plan 0 0 plan 0 1 plan 0 0 plan 1 0 plan 2 0 plan 2 1"
OTHER = "plan 0 0 plan 0 1 plan 1 1 plan 2 1"
WRONG = "plan 0 0 plan 2 1"
TRACE = "create 0 0 c0 c3 "  # 5 tokens


def record(reasoning=""):
    task = MazeTask(3, 2, (0, 0), (2, 1))
    plan = tuple(SHORT.split())
    return Record(task, tuple(tokenizer_from_task(task).prompt(task)), tuple(reasoning.split()), plan)


def responses(*texts):
    return [Response(tuple(text.split()), is_ended=True) for text in texts]


def test_a_hand_made_case():
    found = evaluate(
        [
            responses(TRACE + SHORT, TRACE * 3 + OTHER, SHORT, WRONG),
            responses(LONG, TRACE * 2 + LONG, WRONG, WRONG),
            responses(WRONG, WRONG, WRONG, TRACE),
        ],
        [record()] * 3,
        reference=[20.0, 30.0, 40.0],
    )
    assert found.one_optimal == pytest.approx(1 / 3)
    assert found.three_optimal == pytest.approx(1 / 3)
    assert found.one_solved == pytest.approx(2 / 3)
    assert found.three_solved == pytest.approx(1 / 3)
    assert found.optimal_rate == pytest.approx(3 / 12)
    assert found.solved_rate == pytest.approx(5 / 12)
    assert found.swc == pytest.approx((1 + 4 / 6 + 0) / 3)
    assert found.ilr_optimal == pytest.approx((20 / (20 / 3) + 0 + 0) / 3)
    assert found.ilr_solved == pytest.approx((20 / (20 / 3) + 30 / (10 / 2) + 0) / 3)
    assert found.trace_length == pytest.approx((5 + 15 + 10 + 5) / 12)
    assert found.trace_length_solved == pytest.approx((5 + 15 + 0 + 0 + 10) / 5)
    assert found.trace_clauses == pytest.approx((1 + 3 + 2 + 1) / 12)
    assert found.slow_share == pytest.approx(4 / 12)
    assert found.diversity == pytest.approx((2 + 1 + 0) / 3)
    assert found.n_optimal == (3, 0, 0)
    assert (found.n_tasks, found.n_samples) == (3, 4)


def test_success_weighted_by_cost_of_the_specified_case():
    """l* = (4, 4), l = (4, 8), both correct: (1 + 1/2) / 2."""
    eight = "plan 0 0 plan 0 1 plan 0 0 plan 0 1 plan 0 0 plan 1 0 plan 2 0 plan 2 1"
    assert evaluate([responses(SHORT), responses(eight)], [record()] * 2).swc == pytest.approx(0.75)


@given(st.lists(st.sampled_from([SHORT, LONG, WRONG, OTHER]), min_size=2, max_size=2))
def test_success_weighted_by_cost_is_one_exactly_when_all_shortest_plans_are_optimal(texts):
    found = evaluate([responses(text) for text in texts], [record()] * 2)
    assert (found.swc == 1) == (found.one_optimal == 1) == all(text in (SHORT, OTHER) for text in texts)
    assert found.one_optimal <= found.swc <= found.one_solved


def test_nothing_solved_is_zero_and_the_length_of_no_trace_is_no_number():
    found = evaluate([responses(WRONG)], [record()])
    assert (found.swc, found.one_solved, found.diversity) == (0, 0, 0)
    assert math.isnan(found.ilr_solved)
    assert found.to_json()["ilr_solved"] is None
    fast = evaluate([responses(SHORT), responses(WRONG)], [record(TRACE)] * 2)
    assert math.isnan(fast.ilr_optimal)


def test_without_a_reference_the_record_s_own_trace_is_it():
    assert evaluate([responses(TRACE + SHORT)], [record(TRACE * 4)]).ilr_optimal == pytest.approx(4)


def test_sokoban_is_measured_by_replay():
    task = SokobanTask.from_text("#####\n#@$.#\n#####")
    one = Record(task, tuple(tokenizer_from_task(task).prompt(task)), (), ("plan", "1", "1", "plan", "2", "1"))
    assert evaluate([responses("plan 1 1 plan 2 1")], [one]).one_optimal == 1
    assert evaluate([responses("plan 1 1 plan 2 1 plan 1 1")], [one]).one_solved == 1
    assert evaluate([responses("plan 1 1")], [one]).one_solved == 0


@given(st.lists(st.integers(0, 10), min_size=1, max_size=4), st.integers(1, 10))
def test_the_chance_of_a_right_sample_is_that_of_drawing_without_putting_back(n_right, k):
    expected = np.mean([1 - hypergeom.pmf(0, 10, right, k) for right in n_right])
    assert at_least_one_of(k, n_right, 10) == pytest.approx(expected)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.data())
def test_different_plans_among_k_are_counted_over_all_draws(counts, data):
    plans = [i for i, count in enumerate(counts) for _ in range(count)]
    k = data.draw(st.integers(0, len(plans)))
    expected = np.mean([len(set(drawn)) for drawn in itertools.combinations(plans, k)])
    assert distinct_among(k, counts) == pytest.approx(expected)


def test_more_draws_than_correct_responses_are_refused():
    with pytest.raises(ValueError, match="from 0 to the 3 correct"):
        distinct_among(4, [1, 2])


def test_the_reference_is_the_mean_over_searches():
    task = MazeTask(3, 2, (0, 0), (2, 1), ((1, 0), (0, 1)))
    assert reference_trace_length(MazeTask(3, 1, (0, 0), (2, 0)), np.random.default_rng(0)) == 30
    with pytest.raises(ValueError, match="at least"):
        evaluate([[]], [record()])
    assert task.walls


@pytest.mark.parametrize(
    ("of", "records", "reference"),
    [([], [], None), ([responses(SHORT)], [record()] * 2, None), ([responses(SHORT)], [record()], [1.0, 2.0])],
)
def test_responses_that_do_not_match_the_tasks_are_refused(of, records, reference):
    with pytest.raises(ValueError, match="expected"):
        evaluate(of, records, reference=reference)


@pytest.mark.parametrize(("k", "n_right"), [(0, [1]), (11, [1]), (1, [])])
def test_impossible_draws_are_refused(k, n_right):
    with pytest.raises(ValueError, match="expected"):
        at_least_one_of(k, n_right, 10)
