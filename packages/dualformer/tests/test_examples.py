import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from dualformer import (
    Example,
    MazeTokenizer,
    PlanningData,
    TraceDropper,
    buckets,
    collate,
    generate,
    level_shares,
    seq2seq_collate,
)

TOKENIZER = MazeTokenizer(5, 5)
RECORDS = list(itertools.islice(generate("maze", 5, np.random.default_rng(0)), 20))


def data(shares="maze", **options):
    return PlanningData(RECORDS, TOKENIZER, TraceDropper(level_shares(shares), **options))


def test_examples_are_framed_sequences_of_the_records():
    one = data("complete-trace").draw(3, np.random.default_rng(0))
    assert TOKENIZER.decode(one.prompt) == list(RECORDS[3].prompt)
    assert TOKENIZER.decode(one.target) == [*RECORDS[3].reasoning, *RECORDS[3].plan]
    assert (one.target[0], one.target[-1], one.level) == (0, 1, 0)


def test_solution_only_examples_begin_with_the_plan():
    one = data("solution-only").draw(3, np.random.default_rng(0))
    assert TOKENIZER.decode(one.target) == list(RECORDS[3].plan)


def test_an_epoch_sees_every_task_once_and_drops_it_anew_in_the_next():
    examples = data()
    epochs = [[examples.step(step, 4, seed=1) for step in range(5 * epoch, 5 * epoch + 5)] for epoch in range(3)]
    prompts = [sorted(tuple(one.prompt) for batch in epoch for one in batch) for epoch in epochs]
    assert prompts[0] == prompts[1] == prompts[2]
    assert len(set(prompts[0])) == 20
    lengths = [{tuple(one.prompt): len(one.target) for batch in epoch for one in batch} for epoch in epochs]
    assert lengths[0] != lengths[1]


def test_a_batch_may_reach_from_one_epoch_into_the_next():
    assert len(data().step(1, 15, seed=0)) == 15


def test_steps_are_the_same_for_equal_seeds_and_share_their_tasks_between_ways_of_dropping():
    one, same = data().step(7, 8, seed=3), data().step(7, 8, seed=3)
    assert [(a.prompt, a.target) for a in one] == [(a.prompt, a.target) for a in same]
    complete = data("complete-trace").step(7, 8, seed=3)
    assert [a.prompt for a in one] == [a.prompt for a in complete]
    assert [a.prompt for a in one] != [a.prompt for a in data().step(7, 8, seed=4)]


def test_the_released_variant_for_sokoban_keeps_the_level_of_each_task():
    examples = data("0.2,0.2,0.2,0.2,0.2", variant="released-sokoban")
    rng = np.random.default_rng(0)
    for index in range(5):
        assert len({examples.draw(index, rng).level for _ in range(10)}) == 1
    assert len({examples.draw(index, rng).level for index in range(20)}) > 2


def test_items_suit_a_loader_and_change_with_the_epoch():
    examples = data()
    batch = next(iter(DataLoader(examples, batch_size=20, collate_fn=seq2seq_collate)))
    assert batch["input_ids"].shape == batch["attention_mask"].shape
    assert batch["labels"].shape[0] == 20
    for i, record in enumerate(RECORDS):
        prompt = batch["input_ids"][i][batch["attention_mask"][i].bool()].tolist()
        labels = batch["labels"][i][batch["labels"][i] != -100].tolist()
        assert TOKENIZER.decode(prompt) == list(record.prompt)
        assert TOKENIZER.decode(labels)[-len(record.plan) :] == list(record.plan)
        assert labels[-1] == 1
    before = [examples[i]["labels"] for i in range(20)]
    assert before == [examples[i]["labels"] for i in range(20)]
    examples.set_epoch(1)
    assert before != [examples[i]["labels"] for i in range(20)]


def test_padding_is_masked():
    short, long = Example([0, 5, 1], [0, 7, 8, 1], 0), Example([0, 5, 6, 1], [0, 9, 1], 4)
    batch = collate([short, long])
    assert batch.prompt.tolist() == [[0, 5, 1, 0], [0, 5, 6, 1]]
    assert batch.prompt_mask.tolist() == [[True, True, True, False], [True] * 4]
    assert batch.target_mask.tolist() == [[True] * 4, [True, True, True, False]]
    assert batch.to(torch.device("cpu")).target.tolist() == [[0, 7, 8, 1], [0, 9, 1, 0]]


@given(st.lists(st.tuples(st.integers(2, 30), st.integers(2, 200)), min_size=1, max_size=40), st.integers(1, 600))
def test_buckets_hold_every_example_once_within_the_tokens(lengths, max_tokens):
    examples = [Example([0] * prompt, [0] * target, 0) for prompt, target in lengths]
    groups = list(buckets(examples, max_tokens))
    assert Counter(id(one) for group in groups for one in group) == Counter(map(id, examples))
    for group in groups:
        batch = collate(group)
        assert len(group) == 1 or batch.prompt.numel() + batch.target.numel() <= max_tokens


def test_buckets_waste_little_on_padding():
    rng = np.random.default_rng(0)
    lengths = rng.lognormal(4, 0.6, 500).astype(int) + 2
    examples = [Example([0, 1], [0] * int(n), 0) for n in lengths]
    padded = sum(collate(group).target.numel() for group in buckets(examples, 2000))
    assert padded < 1.1 * lengths.sum()


def test_records_of_another_size_are_refused():
    with pytest.raises(ValueError, match="6x6, but the task is 5x5"):
        PlanningData(RECORDS, MazeTokenizer(6, 6), TraceDropper())


def test_items_count_from_the_end_too():
    examples = data()
    assert examples[-1] == examples[19]
    with pytest.raises(IndexError):
        examples[20]


def test_every_record_must_fit_the_vocabulary():
    other = next(generate("maze", 4, np.random.default_rng(0)))
    with pytest.raises(ValueError, match="5x5, but the task is 4x4"):
        PlanningData([*RECORDS, other], TOKENIZER, TraceDropper())
