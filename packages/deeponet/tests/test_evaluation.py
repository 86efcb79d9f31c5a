"""Errors against those by hand."""

import math

import pytest
import torch
from torch import nn

from deeponet import DeepONet, TripleDataset, compare, evaluate, mse_without_outliers
from deeponet.evaluation import mean_error


def test_errors_of_functions_with_several_points():
    true = torch.tensor([[[3.0], [4.0]], [[0.0], [2.0]]])
    predicted = torch.tensor([[[3.0], [5.0]], [[1.0], [2.0]]])
    report = compare(predicted, true, train_mse=0.1)
    assert report.mse == pytest.approx(0.5)
    assert report.mse_without_outliers == pytest.approx(1 / 3)
    assert report.relative_l2 == pytest.approx((1 / 5 + 1 / 2) / 2)
    assert report.generalization_gap == pytest.approx(0.4)
    assert (report.n_functions, report.n_rows) == (2, 4)


def test_errors_of_functions_with_one_point_are_relative_to_all():
    report = compare(torch.tensor([[[0.1]], [[1.0]]]), torch.tensor([[[0.0]], [[2.0]]]))
    assert report.relative_l2 == pytest.approx(math.sqrt(1.01) / 2)
    assert report.generalization_gap is None


def test_a_thousandth_of_the_errors_are_outliers():
    errors = torch.arange(2000.0)
    found = mse_without_outliers(errors, torch.zeros(2000))
    assert found == pytest.approx(float(errors[:1998].double().square().mean()), rel=1e-5)
    assert mse_without_outliers(torch.ones(1), torch.zeros(1)) == 1


def test_a_function_that_is_zero_has_no_relative_error():
    true = torch.tensor([[[0.0], [0.0]], [[0.0], [2.0]]])
    assert compare(true + 1, true).relative_l2 == pytest.approx(math.sqrt(2) / 2)
    assert math.isnan(compare(torch.ones(1, 2, 1), torch.zeros(1, 2, 1)).relative_l2)


def test_a_model_is_evaluated_in_evaluation_mode_and_left_as_it_was():
    model = DeepONet(nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5)), [1, 4]).double()
    data = TripleDataset(torch.rand(5, 3), torch.rand(2, 1), torch.rand(5, 2))
    assert evaluate(model, data).mse == evaluate(model, data).mse
    assert model.training


def test_the_mean_of_the_training_values_is_a_control():
    train = TripleDataset(torch.zeros(2, 1), torch.zeros(1, 1), torch.tensor([[1.0], [3.0]]))
    test = TripleDataset(torch.zeros(2, 1), torch.zeros(1, 1), torch.tensor([[2.0], [5.0]]))
    assert mean_error(train, test) == pytest.approx(4.5)
