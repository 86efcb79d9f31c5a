"""Stages of histories that were made to have them."""

import pytest

from modular_addition import detect_grokking_stages, stages_of_rows

TRAIN = [0.1, 0.5, 0.96, 1.0, 1.0, 1.0, 1.0]
TEST = [0.1, 0.3, 0.70, 0.74, 0.80, 0.97, 0.94]
STEPS = [0, 10, 20, 30, 40, 50, 60]


def test_stages_end_where_accuracies_cross():
    found = detect_grokking_stages(TRAIN, TEST, STEPS)
    assert (found.stage1_end, found.stage2_end, found.test_when_memorized, found.last) == (20, 50, 0.74, 60)
    assert found.current.startswith("III")
    assert "step 50" in str(found)


@pytest.mark.parametrize(("n", "stage"), [(2, "I:"), (4, "II:"), (7, "III:")])
def test_a_training_that_goes_on_is_in_a_stage(n, stage):
    assert detect_grokking_stages(TRAIN[:n], TEST[:n], STEPS[:n]).current.startswith(stage)


def test_without_accuracy_a_small_loss_counts():
    low = [0.7] * 7
    assert detect_grokking_stages(TRAIN, low).stage2_end is None
    assert detect_grokking_stages(TRAIN, low, STEPS, [3, 2, 2, 1, 0.09, 0.05, 0.04]).stage2_end == 40


def test_a_test_set_that_was_easy_before_memorization_does_not_end_the_second_stage():
    assert detect_grokking_stages([0.5, 0.9, 0.97], [0.99, 0.5, 0.96], [0, 1, 2]).stage2_end == 2


def test_histories_with_epochs_and_gaps():
    rows = [{"epoch": s, "train_accuracy": a, "test_accuracy": b} for s, a, b in zip(STEPS, TRAIN, TEST, strict=True)]
    rows[1]["test_accuracy"] = float("nan")
    assert stages_of_rows(rows).stage2_end == 50


@pytest.mark.parametrize(
    ("train", "test", "steps", "word"),
    [
        ([], [], None, "one row"),
        ([1.0], [1.0, 1.0], None, "as many"),
        ([0.5, 0.6], [0.5, 0.6], [1, 1], "rise"),
        ([50, 60], [0.5, 0.6], None, r"\[0, 1\]"),
    ],
)
def test_what_is_no_history_is_refused(train, test, steps, word):
    with pytest.raises(ValueError, match=word):
        detect_grokking_stages(train, test, steps)
    with pytest.raises(ValueError, match="train_accuracy"):
        stages_of_rows([{"step": 1, "loss": 2.0}])
