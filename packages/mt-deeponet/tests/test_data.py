"""Pooled tasks."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import data, generator

from mt_deeponet import MultiTaskData, make_task, nodes


def task(name="a", n=3, size=4, fill=1.0):
    mask = torch.ones(size * size, dtype=torch.bool)
    mask[0] = False
    return make_task(name, torch.full((n, size, size), fill), nodes(size, size).float(), torch.rand(n, size**2), mask)


def test_tasks_are_pooled_and_found_again():
    a, b = task("a", fill=1.0), task("b", 2, fill=2.0)
    pooled = MultiTaskData.concat([a, b, task("a", 1, fill=3.0)])
    assert pooled.names == ("a", "b")
    assert pooled.task.tolist() == [0, 0, 0, 1, 1, 0]
    assert pooled.select("b").functions.unique().tolist() == [2.0]
    assert len(pooled.select("a")) == 4
    assert not pooled.values[:, 0].any()
    assert pooled[pooled.task == 1].domain.shape == (2, 16)


def test_a_mask_of_one_task_makes_the_others_whole():
    whole = make_task("whole", torch.zeros(2, 4, 4), nodes(4, 4).float(), torch.rand(2, 16))
    pooled = MultiTaskData.concat([task(), whole])
    assert pooled.mask[3:].all()
    assert not pooled.mask[:3, 0].any()


def test_masks_of_zeros_and_ones_are_taken_and_others_refused():
    inside = torch.tensor([0.0, 1.0] * 8)
    made = make_task("t", torch.zeros(2, 4, 4), nodes(4, 4).float(), torch.ones(2, 16), inside)
    assert torch.equal(made.mask, (inside > 0).expand(2, -1))
    with pytest.raises(ValueError, match="zeros and ones only"):
        make_task("t", torch.zeros(2, 4, 4), nodes(4, 4).float(), torch.ones(2, 16), 255 * inside)


def test_numbers_of_tasks_are_a_code_of_their_own():
    pooled = data("fisher", 2).with_task_numbers()
    assert pooled.codes.shape == (6, 3)
    assert pooled.codes.argmax(1).tolist() == [0, 0, 1, 1, 2, 2]


def test_shuffled_solutions_are_those_of_others():
    pooled = data("darcy", 3)
    shuffled = pooled.shuffled(generator())
    assert torch.equal(shuffled.functions, pooled.functions)
    assert not torch.equal(shuffled.values, pooled.values)
    assert torch.equal(shuffled.values.sum(1).sort().values, pooled.values.sum(1).sort().values)
    assert not shuffled.values[~shuffled.mask].any()


LAWS = data("fisher", 4)


@given(n=st.integers(1, 11), seed=st.integers(0, 99))
def test_a_split_loses_nothing(n, seed):
    pooled = LAWS
    rest, held = pooled.split(n, generator(seed))
    assert (len(rest), len(held)) == (12 - n, n)
    both = torch.cat([rest.values, held.values]).sum(1).sort().values
    torch.testing.assert_close(both, pooled.values.sum(1).sort().values)


def bad(**changes):
    parts = {
        "functions": torch.zeros(2, 4, 4),
        "points": nodes(4, 4).float(),
        "values": torch.ones(2, 16),
        "mask": torch.ones(2, 16, dtype=torch.bool),
    }
    return lambda: MultiTaskData(**(parts | changes))


NAN = torch.ones(2, 16)
NAN[1, 3] = float("nan")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (bad(values=torch.ones(2, 15)), "do not belong together"),
        (bad(mask=torch.ones(2, 15, dtype=torch.bool)), "a mask has a value at each point"),
        (bad(mask=torch.tensor([[True] * 16, [False] * 16])), r"mask of sample 1 \(from 0\) is all zeros"),
        (bad(values=NAN), r"values has a number that is not finite in sample 1"),
        (bad(functions=torch.zeros(2, 3, 3)), "a value at each point"),
        (bad(codes=torch.full((2, 4), float("nan"))), "codes has a number that is not finite in sample 0"),
        (bad(task=torch.tensor([0, 1])), "0 to 0"),
        (lambda: MultiTaskData.concat([]), "no tasks"),
        (lambda: MultiTaskData.concat([task(), task("b", size=5)]), "same grid of points, and that of b"),
        (lambda: task().select("b"), "the tasks are a, not b"),
        (lambda: task().split(3, generator()), "1 to 2"),
    ],
)
def test_what_does_not_belong_together_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
