import pytest
import torch

from dualformer import (
    EncoderDecoderConfig,
    MazeTask,
    MazeTokenizer,
    Planner,
    Response,
    SokobanTokenizer,
    make_model,
)

TOKENIZER = MazeTokenizer(4, 4)
TASKS = [MazeTask(4, 4, (0, 0), (3, 3), walls) for walls in ((), ((1, 1),), ((1, 0), (2, 2), (0, 2)))]


@pytest.fixture(scope="module")
def planner():
    return Planner(make_model(EncoderDecoderConfig(len(TOKENIZER.vocab), 16, 1, 1), 0), TOKENIZER)


def response(text, *, is_ended=True):
    return Response(tuple(text.split()), is_ended)


@pytest.mark.parametrize(
    ("text", "trace_length", "clauses", "plan", "level"),
    [
        ("plan 0 0 plan 0 1", 0, 0, ((0, 0), (0, 1)), 4),
        ("create 0 0 c0 c1 close 0 0 c0 c1 plan 0 0", 10, 2, ((0, 0),), 0),
        ("create 0 0 c0 c1 plan 0 0", 5, 1, ((0, 0),), 1),
        ("create 0 0 create 0 1 plan 0 0", 6, 2, ((0, 0),), 2),
        ("create 0 0 c0 c1", 5, 1, None, 1),
        ("plan 0 0 plan 0", 0, 0, None, 4),
        ("plan 0 0 0 1 plan", 0, 0, None, 4),
        ("plan 0 c1", 0, 0, None, 4),
        ("", 0, 0, None, 4),
    ],
)
def test_responses_are_taken_apart(text, trace_length, clauses, plan, level):
    one = response(text)
    assert (one.trace_length, one.trace_clauses, one.plan, one.level) == (trace_length, clauses, plan, level)


def test_a_plan_that_was_cut_off_is_none():
    assert response("plan 0 0 plan 0 1", is_ended=False).plan is None


@pytest.mark.parametrize(("mode", "first"), [("fast", "plan"), ("slow", "create")])
def test_a_mode_forces_the_first_token(planner, mode, first):
    for of_task in planner.solve_all(TASKS, mode, 5, max_len=20):
        assert {one.tokens[0] for one in of_task} == {first}


def test_auto_forces_none(planner):
    firsts = {one.tokens[:1] for one in planner.solve(TASKS[0], "auto", 50, max_len=5)}
    assert len(firsts) > 3


def test_there_are_as_many_responses_as_asked_for_and_no_longer(planner):
    found = planner.solve_all(TASKS, "slow", 7, max_len=12)
    assert [len(of_task) for of_task in found] == [7, 7, 7]
    assert max(len(one.tokens) for of_task in found for one in of_task) <= 11


def test_tasks_do_not_depend_on_those_beside_them(planner):
    together = planner.solve_all(TASKS, "slow", 1, temperature=0, max_len=20)
    assert together == [planner.solve(task, "slow", 1, temperature=0, max_len=20) for task in TASKS]
    one_by_one = planner.solve_all(TASKS, "slow", 1, temperature=0, max_len=20, batch_size=1)
    assert together == one_by_one


def test_64_samples_of_32_tasks_are_one_batch(planner, monkeypatch):
    from dualformer import planner as module

    calls = []
    monkeypatch.setattr(module, "sample", lambda *args, **kwargs: calls.append(args) or [[[1]] * 64] * 32)
    found = planner.solve_all(TASKS[:1] * 32, "slow", 64)
    assert len(calls) == 1
    assert sum(map(len, found)) == 2048


def test_nothing_asked_is_nothing_answered(planner):
    assert planner.solve_all([]) == []


@pytest.mark.usefixtures("unchecked")
def test_unknown_modes_are_refused(planner):
    with pytest.raises(ValueError, match="fast, slow, auto"):
        planner.solve(TASKS[0], "quick")


def test_tasks_of_another_size_are_refused(planner):
    with pytest.raises(ValueError, match="4x4, but the task is 5x4"):
        planner.solve(MazeTask(5, 4, (0, 0), (3, 3)))


@pytest.mark.parametrize("tokenizer", [MazeTokenizer(5, 5), SokobanTokenizer(4, 4, 10)])
def test_a_model_with_another_vocabulary_is_refused(planner, tokenizer):
    with pytest.raises(ValueError, match="but the vocabulary of"):
        Planner(planner.model, tokenizer)


def test_a_longest_length_that_leaves_no_room_is_refused(planner):
    with pytest.raises(ValueError, match="max_len"):
        planner.solve(TASKS[0], "fast", max_len=2)


def test_the_model_is_asked_without_gradients(planner):
    planner.solve(TASKS[0], "fast", max_len=5)
    assert torch.is_grad_enabled()


def test_more_samples_than_a_batch_are_sampled_in_several(planner, monkeypatch):
    from dualformer import planner as module

    sizes = []
    real = module.sample
    monkeypatch.setattr(
        module, "sample", lambda *args, **kwargs: sizes.append(kwargs["n_samples"]) or real(*args, **kwargs)
    )
    found = planner.solve_all(TASKS, "slow", 7, max_len=12, batch_size=3)
    assert [len(of_task) for of_task in found] == [7, 7, 7]
    assert sizes == [3, 3, 1] * 3
    assert len(set(found[0])) > 1


@pytest.mark.parametrize("options", [{"n_samples": 10**9}, {"n_samples": 0}, {"max_len": 10**12}])
def test_numbers_out_of_range_are_refused_at_once(planner, options):
    with pytest.raises(ValueError, match="must be at"):
        planner.solve_all(TASKS, "slow", **options)
