import csv
import io
import math

import numpy as np
import pytest

from snn_continual import AccuracyMatrix

HAND = AccuracyMatrix(np.array([[0.9, math.nan], [0.8, 0.7]]))


def test_acc_and_bwt_of_a_matrix_worked_out_by_hand():
    assert HAND.acc == pytest.approx(0.75)
    assert HAND.bwt == pytest.approx(-0.1)


def test_bwt_averages_over_all_tasks_but_the_last():
    matrix = np.array([[0.9, math.nan, math.nan], [0.5, 0.8, math.nan], [0.7, 0.9, 0.6]])
    assert AccuracyMatrix(matrix).bwt == pytest.approx(((0.7 - 0.9) + (0.9 - 0.8)) / 2)


@pytest.mark.parametrize("matrix", [[[0.9]], [[math.nan, math.nan], [0.8, 0.7]]])
def test_bwt_is_nan_where_there_is_nothing_to_compare(matrix):
    assert math.isnan(AccuracyMatrix(np.array(matrix)).bwt)


def test_json_keeps_every_digit_and_what_was_not_measured():
    again = AccuracyMatrix.from_json(HAND.to_json())
    np.testing.assert_array_equal(again.matrix, HAND.matrix)
    assert HAND.to_json()[0][1] is None


def test_csv_has_a_row_for_each_task_learned():
    rows = list(csv.reader(io.StringIO(HAND.to_csv())))
    assert rows == [["after", "task 0", "task 1"], ["0", "0.9", ""], ["1", "0.8", "0.7"]]
