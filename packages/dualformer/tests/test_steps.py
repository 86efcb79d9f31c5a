import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dualformer import DroppedSteps, StepDropper, split_steps
from house import peer

ROWS = [
    {"question": "2+3*4?", "solution": "3*4 is 12\n2+12 is 14\n14", "id": 7},
    {"question": "1+1?", "solution": "2", "id": 8},
]


def numbers(text):
    return [ord(character) for character in text]


@given(st.lists(st.text(min_size=1), max_size=20), st.floats(0, 1), st.integers(0, 2**32))
def test_the_answer_stays_and_steps_keep_their_order(steps, p, seed):
    *kept, answer = StepDropper(p)(steps, "42", np.random.default_rng(seed))
    left = iter(steps)
    assert all(step in left for step in kept)
    assert answer == "42"


@pytest.mark.parametrize("p", [0.0, 0.2, 0.4, 1.0])
def test_each_step_is_left_out_with_its_chance_by_itself(p):
    rng, n = np.random.default_rng(0), 4000
    kept = np.zeros((n, 5))
    for row in kept:
        row[[int(step) for step in StepDropper(p)(list("01234"), "a", rng)[:-1]]] = 1
    assert np.all(np.abs(kept.mean(0) - (1 - p)) <= 4.5 * np.sqrt(p * (1 - p) / n))
    if 0 < p < 1:
        assert np.abs(np.corrcoef(kept.T) - np.eye(5)).max() < 0.08


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_chances_that_are_none_are_refused(p):
    with pytest.raises(ValueError, match="between 0 and 1"):
        StepDropper(p)


@pytest.mark.parametrize(
    ("solution", "steps", "answer"),
    [
        ("a is 3.5\n\nb is 2\n  \n5.5", ["a is 3.5", "b is 2"], "5.5"),
        ("2 + 1.5 is 3.5. Double it! The answer is 7.", ["2 + 1.5 is 3.5.", "Double it!"], "The answer is 7."),
        ("7", [], "7"),
    ],
)
def test_solutions_are_split_by_lines_or_sentences(solution, steps, answer):
    assert split_steps(solution) == (steps, answer)


def test_an_empty_solution_is_refused():
    with pytest.raises(ValueError, match="empty"):
        split_steps(" \n ")


def test_rows_keep_everything_but_the_dropped_steps():
    dropped = DroppedSteps(ROWS, StepDropper(1.0))
    assert dropped[0] == {**ROWS[0], "solution": "14"}
    assert len(dropped) == 2
    assert DroppedSteps(ROWS, StepDropper(0.0))[0] == ROWS[0]


def test_solutions_may_be_lists():
    rows = [{"question": "?", "solution": ["one", "two", "end"]}]
    assert DroppedSteps(rows, StepDropper(0.0), separator=" ")[0]["solution"] == "one two end"


def test_tokens_of_the_question_are_not_learned():
    item = DroppedSteps(ROWS, StepDropper(0.0), tokenize=numbers, eos=0)[0]
    n = len("2+3*4?\n")
    assert item["input_ids"] == [*numbers("2+3*4?\n3*4 is 12\n2+12 is 14\n14"), 0]
    assert item["labels"] == [-100] * n + item["input_ids"][n:]
    assert item["attention_mask"] == [1] * len(item["input_ids"])


def test_each_epoch_drops_anew_and_the_same_one_alike():
    rows = [{"question": "?", "solution": "\n".join("abcdefgh")}]
    dropped = DroppedSteps(rows, StepDropper(0.5))
    found = []
    for epoch in range(6):
        dropped.set_epoch(epoch)
        assert dropped[0] == dropped[0]
        found.append(dropped[0]["solution"])
    assert len(set(found)) > 3


def test_a_hugging_face_data_set_is_wrapped():
    datasets = peer("datasets")
    dropped = DroppedSteps(datasets.Dataset.from_list(ROWS), StepDropper(0.0), tokenize=numbers, eos=0)
    assert dropped[1]["input_ids"] == [*numbers("1+1?\n2"), 0]


def test_a_hugging_face_collator_and_model_take_the_items():
    transformers = peer("transformers")
    dropped = DroppedSteps(ROWS, StepDropper(0.2), tokenize=numbers, eos=0)
    longest = max(len(item["input_ids"]) for item in (dropped[0], dropped[1]))
    rows = {"input_ids": 0, "attention_mask": 0, "labels": -100}
    batch = {
        key: torch.tensor([dropped[i][key] + [fill] * (longest - len(dropped[i][key])) for i in range(2)])
        for key, fill in rows.items()
    }
    config = transformers.GPT2Config(vocab_size=128, n_embd=8, n_layer=1, n_head=1, n_positions=64)
    assert transformers.GPT2LMHeadModel(config)(**batch).loss.isfinite()


@pytest.mark.parametrize(
    ("rows", "words"), [([], "no rows"), ([{"question": "?"}], "no 'solution'"), ([{"a": "?"}], "no 'question'")]
)
def test_data_sets_that_do_not_fit_are_refused(rows, words):
    with pytest.raises(ValueError, match=words):
        DroppedSteps(rows, StepDropper())


def test_an_empty_list_of_steps_is_refused():
    with pytest.raises(ValueError, match="empty"):
        DroppedSteps([{"question": "?", "solution": []}], StepDropper())[0]


class Tokenizer:
    """Characters, with a token of the beginning (1) before, as Llama's and Mistral's have it."""

    eos_token_id = 2

    def __call__(self, text):
        return {"input_ids": [1, *numbers(text)], "attention_mask": [1] * (len(text) + 1)}


class Ending(Tokenizer):
    """One that writes the token of the end itself, as T5's does."""

    def __call__(self, text):
        return {"input_ids": [1, *numbers(text), 2]}


@pytest.mark.parametrize("tokenizer", [Tokenizer(), Ending()])
def test_the_beginning_and_the_end_stand_once(tokenizer):
    item = DroppedSteps(ROWS, StepDropper(0.0), tokenize=tokenizer)[1]
    assert item["input_ids"] == [1, *numbers("1+1?\n2"), 2]
    assert item["labels"] == [-100] * 6 + [ord("2"), 2]
    assert item["attention_mask"] == [1] * 8


def test_a_token_that_reaches_into_the_solution_is_learned():
    def merging(text):
        return [ord(c) for c in text.replace("\n2", "~")]

    item = DroppedSteps(ROWS, StepDropper(0.0), tokenize=merging, eos=3)[1]
    assert item["input_ids"] == [*numbers("1+1?~"), 3]
    assert item["labels"] == [-100] * 4 + [ord("~"), 3]


def test_tokens_without_an_end_are_refused():
    with pytest.raises(ValueError, match="give eos"):
        DroppedSteps(ROWS, StepDropper(), tokenize=numbers)


def test_rows_count_from_the_end_too():
    dropped = DroppedSteps(ROWS, StepDropper(0.5))
    assert dropped[-2] == dropped[0]
    with pytest.raises(IndexError):
        dropped[2]


@pytest.mark.parametrize("solution", [None, "", []])
def test_a_solution_that_is_none_is_named_by_its_row(solution):
    with pytest.raises(ValueError, match="row 1: a solution needs at least its answer"):
        DroppedSteps([ROWS[0], {"question": "?", "solution": solution}], StepDropper())[1]
