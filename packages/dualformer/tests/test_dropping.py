import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualformer import PROBABILITIES, MazeTask, MazeTokenizer, TraceDropper, astar, level_shares, mix


@pytest.fixture(scope="module")
def trace():
    task = MazeTask(5, 5, (0, 0), (4, 4), ((1, 1), (2, 3), (3, 1)))
    return MazeTokenizer(5, 5).trace(astar(task, rng=np.random.default_rng(0)).steps, task)


def in_clauses(words):
    text = " ".join(words).replace("create", "|create").replace("close", "|close")
    return [clause.split() for clause in text.split("|") if clause]


clauses = st.lists(
    st.tuples(st.sampled_from(["create", "close"]), *([st.integers(0, 9).map(str)] * 2), st.just("c1"), st.just("c2")),
    max_size=30,
)


@given(clauses, st.integers(0, 2**32))
def test_each_level_drops_what_it_says(drawn, seed):
    words = [word for clause in drawn for word in clause]
    dropper, rng = TraceDropper(), np.random.default_rng(seed)
    levels = [dropper.at_level(words, level, rng) for level in range(5)]
    created = [list(clause) for clause in drawn if clause[0] == "create"]
    assert levels[0] == words
    assert in_clauses(levels[1]) == created
    assert in_clauses(levels[2]) == [clause[:3] for clause in created]
    assert len(levels[2]) == 3 * len(created)
    assert len(in_clauses(levels[3])) == len(created) - round(0.3 * len(created))
    assert levels[4] == []
    for more, less in zip(levels, levels[1:]):
        left = iter(more)
        assert all(word in left for word in less), "each level is a subsequence of the one before"


def test_level_3_leaves_out_every_clause_equally_often():
    words = [word for i in range(10) for word in ("create", str(i), "0", "c0", "c0")]
    dropper, rng = TraceDropper(), np.random.default_rng(0)
    kept = np.zeros(10)
    for _ in range(4000):
        left = [clause[1] for clause in in_clauses(dropper.at_level(words, 3, rng))]
        kept[[int(i) for i in left]] += 1
    assert np.all(np.abs(kept - 0.7 * 4000) < 4.5 * np.sqrt(4000 * 0.21))


@pytest.mark.parametrize("name", PROBABILITIES)
def test_levels_are_drawn_by_their_shares(name):
    dropper, rng, n = TraceDropper(PROBABILITIES[name]), np.random.default_rng(0), 20_000
    found = np.bincount([dropper.sample_level(rng) for _ in range(n)], minlength=5)
    shares = np.array(PROBABILITIES[name])
    assert np.all(np.abs(found - n * shares) <= 4 * np.sqrt(n * shares * (1 - shares)))


def test_a_call_draws_a_level_and_drops_at_it(trace):
    dropper, rng = TraceDropper(), np.random.default_rng(0)
    lengths = {level: set() for level in range(5)}
    for _ in range(300):
        kept, level = dropper(trace, rng)
        lengths[level].add(len(kept))
    n = sum(word == "create" for word in trace)
    assert lengths == {0: {len(trace)}, 1: {5 * n}, 2: {3 * n}, 3: {3 * (n - round(0.3 * n))}, 4: {0}}


def test_the_released_variant_keeps_costs_and_drops_a_share_drawn_anew(trace):
    dropper, rng = TraceDropper(variant="released"), np.random.default_rng(0)
    n = sum(word == "create" for word in trace)
    counts = set()
    for _ in range(2000):
        kept = in_clauses(dropper.at_level(trace, 3, rng))
        assert all(len(clause) == 5 for clause in kept)
        counts.add(n - len(kept))
    assert counts == {n * q // 100 for q in range(10, 41)}


def test_the_released_variant_for_sokoban_drops_clauses_one_by_one(trace):
    dropper, rng = TraceDropper(variant="released-sokoban"), np.random.default_rng(0)
    n = sum(word == "create" for word in trace)
    left = [len(in_clauses(dropper.at_level(trace, 3, rng))) for _ in range(2000)]
    assert abs(np.mean(left) - 0.7 * n) < 4 * np.sqrt(0.21 * n / 2000)
    assert abs(np.var(left) / (0.21 * n) - 1) < 0.2
    assert all(len(clause) == 3 for clause in in_clauses(dropper.at_level(trace, 3, rng)))


def test_numbers_are_dropped_as_words_are(trace):
    tokenizer = MazeTokenizer(5, 5)
    words, numbers = TraceDropper(), TraceDropper(create=tokenizer.ids["create"], close=tokenizer.ids["close"])
    for level in range(5):
        one = words.at_level(trace, level, np.random.default_rng(level))
        other = numbers.at_level(tokenizer.encode(trace), level, np.random.default_rng(level))
        assert tokenizer.encode(one) == other


@pytest.mark.parametrize(
    ("probs", "words"),
    [
        ((0.5, 0.5), "five"),
        ((0.5, 0.5, 0.5, 0, 0), "sum to 1"),
        ((1.5, -0.5, 0, 0, 0), "five numbers from 0"),
        ((float("nan"), 1, 0, 0, 0), "five"),
    ],
)
def test_shares_that_are_none_are_refused(probs, words):
    with pytest.raises(ValueError, match=words):
        TraceDropper(probs)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"create_drop": -0.1}, "between 0 and 1"),
        ({"create_drop": 1.1}, "between 0 and 1"),
        ({"create_drop": float("nan")}, "between 0 and 1"),
        ({"variant": "mine"}, "paper, released, released-sokoban"),
    ],
)
def test_other_bad_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        TraceDropper(**options)


def test_levels_and_traces_that_are_none_are_refused(trace):
    with pytest.raises(ValueError, match="0, 1, 2, 3 or 4"):
        TraceDropper().at_level(trace, 5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="begins with"):
        TraceDropper().at_level(["3", "create"], 1, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("complete-trace", (1, 0, 0, 0, 0)),
        ("solution-only", (0, 0, 0, 0, 1)),
        ("mix-0.25", (0.75, 0, 0, 0, 0.25)),
        ("0.2,0.2,0.2,0.2,0.2", (0.2,) * 5),
    ],
)
def test_shares_have_names(text, shares):
    assert level_shares(text) == pytest.approx(shares)


@pytest.mark.parametrize("text", ["", "all", "1,0,0,0", "mix-2", "mix-", "a,b,c,d,e", "0.5,0.5,0.5,0,0"])
def test_names_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match=r"shares|Mix-p|five"):
        level_shares(text)


def test_mix_is_between_the_two_baselines():
    assert mix(0) == PROBABILITIES["complete-trace"]
    assert mix(1) == PROBABILITIES["solution-only"]
