import operator
import re

import numpy as np
import pytest

from dualformer import EncoderDecoderConfig, StepDropper, TrainConfig, arithmetic, make_model
from dualformer.arithmetic import random_problem
from dualformer.sums import Sums, SumsTrial, make_problems, run_sums, score

OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def test_steps_lead_from_the_question_to_the_answer():
    rng = np.random.default_rng(0)
    for _ in range(100):
        problem = random_problem(4, rng)
        first, *rest = re.findall(r"[-+*]?\d", problem.question)
        value = int(first)
        for part, step in zip(rest, problem.steps, strict=True):
            expected = OPERATIONS[part[0]](value, int(part[1:])) % 10
            assert step == f"{value}{part}={expected}"
            value = expected
        assert problem.answer == str(value)


def test_solutions_keep_the_answer():
    problem, rng = random_problem(3, np.random.default_rng(0)), np.random.default_rng(0)
    whole = problem.solution(StepDropper(0.0), rng)
    assert whole == ";".join(problem.steps) + f";#{problem.answer}"
    assert problem.solution(StepDropper(1.0), rng) == f"#{problem.answer}"
    assert arithmetic.answer_of(whole) == problem.answer
    assert arithmetic.answer_of("3+4=7;") == ""


def test_characters_come_back():
    text = arithmetic.CHARACTERS
    assert arithmetic.decode([0, *arithmetic.encode(text), 1]) == text
    assert min(arithmetic.encode(text)) == 2


def test_problems_to_test_on_are_others():
    train, test = make_problems(SumsTrial(n_steps=2, n_train=200, n_test=100))
    assert not {one.question for one in train} & {one.question for one in test}
    assert (len(train), len(test)) == (200, 100)


def test_problems_are_drawn_alike_with_and_without_dropping():
    train, _ = make_problems(SumsTrial(n_train=50, n_test=1))
    every, dropped = (Sums(train, StepDropper(p)).step(3, 8, 1) for p in (0.0, 0.5))
    assert [one.prompt for one in every] == [one.prompt for one in dropped]
    assert sum(map(len, every)) > sum(map(len, dropped))


def test_answers_are_scored():
    model = make_model(EncoderDecoderConfig(arithmetic.VOCAB_SIZE, 16, 1, 1), 0)
    found = score(model, [random_problem(2, np.random.default_rng(i)) for i in range(5)], max_len=10)
    assert found["accuracy"] == 0
    assert found["length"] <= 9


def test_a_trial_gives_its_numbers_again():
    network = EncoderDecoderConfig(arithmetic.VOCAB_SIZE, 8, 1, 1)
    trial = SumsTrial(n_train=20, n_test=5, network=network, train=TrainConfig(steps=2, batch_size=4))
    assert run_sums(trial, "cpu") == run_sums(trial, "cpu")
    with pytest.raises(ValueError, match="only 300 sums of 1 steps, not 700"):
        SumsTrial(n_steps=1)
