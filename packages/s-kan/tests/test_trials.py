"""What experiments and comparisons repeat."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from s_kan import FUNCTIONS, LayerConfig, ModelConfig, RunConfig, StageConfig, TrainConfig
from s_kan.comparison import compare, epochs_of, rates_of
from s_kan.configs import DataConfig
from s_kan.contenders import Contender, contenders, make_contender
from s_kan.samples import Samples
from s_kan.scaling import standardized_mse
from s_kan.tabular import TableData, from_formula
from s_kan.trials import (
    DigitsTrial,
    FunctionTrial,
    ImageTrial,
    _images,
    function_data,
    run_digits,
    run_function,
    run_image,
)
from separata.models import count_parameters

LAYER = LayerConfig("rbf,fourier", 6)
TRIAL = FunctionTrial("exp-sin", model=ModelConfig(LAYER, "3"), train=TrainConfig(epochs=20), n_train=60, n_test=40)


def test_training_held_out_and_test_points_are_drawn_apart():
    train, test = function_data(TRIAL)
    again, held_out = function_data(replace(TRIAL, is_held_out=True))
    assert torch.equal(train.x, again.x)
    rows = [{tuple(row.tolist()) for row in part.x} for part in (train, test, held_out)]
    assert not (rows[0] & rows[1])
    assert not (rows[1] & rows[2])
    assert not (rows[0] & rows[2])
    other, _ = function_data(replace(TRIAL, seed=1))
    assert not torch.equal(train.x, other.x)
    assert train.x.abs().max() <= 1


def test_the_seven_functions_are_what_they_say():
    assert len(FUNCTIONS) == 7
    x = 2 * torch.rand(50, 4, dtype=torch.float64) - 1
    a, b, c, d = x.T.numpy()
    gaussians = sum(
        h * s * math.sqrt(2 * math.pi) * stats.norm(m, s).pdf(a)
        for h, m, s in ((1.0, -0.6, 0.08), (0.7, 0.1, 0.2), (0.9, 0.65, 0.05))
    )
    expected = {
        "high-frequency": np.sin(20 * a),
        "steps": np.select([a <= -0.5, a <= 0.1, a <= 0.6], [0, 1, 1.5], 0.3),
        "mixture": gaussians,
        "product": a * b,
        "exp-sin": np.exp(np.sin(np.pi * a) + b**2),
        "feynman": stats.norm(0, 2 + b).pdf(2 + a),
        "four": np.exp((np.sin(np.pi * (a**2 + b**2)) + np.sin(np.pi * (c**2 + d**2))) / 2),
    }
    for name, function in FUNCTIONS.items():
        np.testing.assert_allclose(function(x[:, : function.n_variables]), expected[name], atol=1e-6, err_msg=name)


def test_a_trial_gives_its_numbers_again():
    found = run_function(TRIAL, "cpu")
    assert found == run_function(TRIAL, "cpu")
    assert found["n_parameters"] == 2 * 3 * 7 + 3 * 7
    assert [len(layer) for layer in found["chosen"]] == [3, 1]
    longer = run_function(replace(TRIAL, train=replace(TRIAL.train, epochs=200)), "cpu")
    assert longer["rmse"] < found["rmse"]


@pytest.mark.parametrize("strategy", ["successive", "oracle"])
def test_strategies_in_a_trial(strategy):
    found = run_function(replace(TRIAL, stages=StageConfig(strategy=strategy)), "cpu")
    assert found["epochs"] == {"successive": 20 + 3 * 2, "oracle": 40}[strategy]
    assert found["rmse"] > 0


def test_what_is_compared_has_the_size_that_is_told():
    model = ModelConfig(LAYER, "5,4")
    all_of_them = contenders("rbf,fourier")
    assert [one.label for one in all_of_them] == [
        "S-KAN",
        "KAN, rbf",
        "KAN, fourier",
        "MLP, pruned size",
        "MLP, unpruned size",
    ]
    networks = {one.label: make_contender(one, model, 2, 1) for one in all_of_them}
    counts = {label: count_parameters(network) for label, network in networks.items()}
    kinds = [type(one) for one in networks["MLP, pruned size"].modules() if not list(one.children())]
    assert kinds == [nn.Linear, nn.SiLU, nn.Linear, nn.SiLU, nn.Linear]
    n_edges = 2 * 5 + 5 * 4 + 4
    assert counts["KAN, rbf"] == counts["KAN, fourier"] == 7 * n_edges
    assert counts["S-KAN"] == 13 * n_edges + 2 * (5 + 4 + 1)
    assert abs(counts["MLP, pruned size"] / counts["KAN, rbf"] - 1) < 0.08
    assert abs(counts["MLP, unpruned size"] / counts["S-KAN"] - 1) < 0.08


def test_epochs_after_pruning_are_the_others_in_all():
    config = RunConfig(stages=StageConfig(0.3, 0.2), train=TrainConfig(epochs=100))
    assert epochs_of(Contender(), config) == 200
    assert epochs_of(Contender("mlp"), config) == 100


def test_the_learning_rate_is_the_best_on_validation_samples_whatever_the_test_samples_say():
    x = torch.linspace(-1, 1, 60)[:, None]
    train, constant = Samples(x, torch.sin(3 * x)), Samples(x, torch.zeros(60))
    config = RunConfig(ModelConfig(LAYER, "3"), train=TrainConfig(epochs=60))
    for validation, test, best in ((train, constant, 3e-2), (constant, train, 1e-6)):
        data = TableData(train, validation, test, ("x",))
        (found,) = compare({"own": data}, [Contender("kan", "rbf")], config, (1e-6, 3e-2), device="cpu")["own"]
        assert found.lr == best


def test_noise_of_a_formula_does_not_depend_on_the_points():
    data = from_formula("0*x", DataConfig(n_train=3000, noise=0.5), seed=3)
    parts = (data.train, data.validation)
    x, noise = torch.cat([part.x[:, 0] for part in parts]), torch.cat([part.y[:, 0] for part in parts])
    spreads = [float(noise[i].std()) for i in x.argsort().split(500)]
    assert spreads == pytest.approx([0.5] * 6, rel=0.12)
    assert not data.test.y.any(), "test values are the formula's"


def test_errors_are_trained_on_in_units_of_the_variance_of_each_target():
    y = torch.randn(200, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1e3, 1e-2]) + 5
    loss = standardized_mse(y)
    assert float(loss(y.mean(0).expand_as(y), y)) == pytest.approx(1, rel=1e-4)
    off = torch.tensor([1e3, 0.0])
    assert float(loss(y + off, y)) == pytest.approx(0.5 * 1e6 / float(y[:, 0].var(unbiased=False)), rel=1e-4)


def test_learning_rates_are_numbers():
    assert rates_of("0.1,1e-3") == (0.1, 0.001)
    for text in ("", "fast", "0", "0.1,2"):
        with pytest.raises(ValueError, match="learning rates are numbers"):
            rates_of(text)


@pytest.mark.parametrize("kind", ["s-kan", "kan", "mlp"])
def test_pixels_of_digits(kind):
    trial = DigitsTrial(
        contender=Contender(kind, "rbf"),
        model=ModelConfig(LAYER, "8"),
        train=TrainConfig(epochs=15, batch_size=128, lr=1e-2),
    )
    found = run_digits(trial, "cpu")
    assert found["accuracy"] > 0.6
    held_out = run_digits(replace(trial, is_held_out=True), "cpu")
    assert held_out["accuracy"] != found["accuracy"]


def test_images_for_choosing_are_none_of_those_for_testing_and_trained_on_in_the_end():
    parts = [_images("digits", 1, None, None, is_held_out=is_held_out)[:2] for is_held_out in (True, False)]
    (fitted, held_out), (whole, test) = ([{row.tobytes() for row in one.x.numpy()} for one in both] for both in parts)
    assert len(held_out) == pytest.approx(0.2 * len(whole), rel=0.02)
    assert not held_out & test
    assert not held_out & fitted
    assert fitted | held_out == whole


@pytest.mark.parametrize("arch", ["s-convkan", "convkan", "cnn"])
def test_images(arch):
    trial = ImageTrial("digits", arch, "rbf", LAYER, "3,5", train=TrainConfig(epochs=3, lr=3e-2, batch_size=64))
    found = run_image(trial, "cpu")
    assert found["accuracy"] > 0.3
    assert found == run_image(trial, "cpu"), "dropout, too, depends on the seed"
    assert bool(found["chosen"]) == (arch == "s-convkan")
    like = 7 * 9 * (1 * 3 + 3 * 5) + 2 * 3 + 2 * 5 + 2 + 60
    assert abs(found["n_parameters"] / like - 1) < 0.15
