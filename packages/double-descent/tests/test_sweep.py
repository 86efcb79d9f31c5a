"""Sweeps: known numbers on images with noisy labels, and features and data of one's own."""

import csv
import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from double_descent import (
    DataConfig,
    FeatureConfig,
    FitConfig,
    SweepResult,
    capacity_sweep,
    chosen_budgets,
    chosen_curve,
    draw,
    gd_path,
    load_source,
    source_of,
)
from double_descent.sweep import check_memory

NOISE = DataConfig(n_train=300, n_test=2000, label_noise=0.2)
STEPS = (1e2, 1e3, 1e4, 1e5, 1e6, math.inf)
WIDTHS = (30, 150, 270, 300, 600, 3000)
TABLE = {
    1e2: {30: 0.073, 150: 0.058, 300: 0.055, 600: 0.054, 3000: 0.052},
    1e3: {30: 0.075, 150: 0.065, 300: 0.061, 600: 0.057, 3000: 0.052},
    1e4: {30: 0.075, 150: 0.095, 270: 0.119, 300: 0.114, 600: 0.094, 3000: 0.066},
    1e5: {30: 0.076, 150: 0.111, 300: 0.305, 600: 0.137, 3000: 0.070},
    1e6: {30: 0.076, 150: 0.113, 300: 0.913, 600: 0.139, 3000: 0.070},
}
"""Test MSE by steps of gradient descent and width, measured independently with three other draws."""


def test_short_runs_on_noisy_images_have_the_errors_that_others_measured():
    samples = draw(load_source("mnist5k"), NOISE, range(3))
    found = capacity_sweep(samples, [30, 150, 300, 600], FitConfig(), STEPS)
    for steps in (1e2, 1e3):
        curve = found.curve(("gd", steps)).mean(0)
        expected = [TABLE[steps][int(width)] for width in found.widths]
        np.testing.assert_allclose(curve, expected, rtol=0.1)
    peaks = found.peaks()
    assert [peaks["gd", steps].is_present for steps in STEPS] == [False, False, True, True, True, True]
    train = [found.curve(("gd", steps), "train_mse")[:, 2].mean() for steps in STEPS]
    # 5e-2, 3e-2, 1e-2, 4e-3, 1e-3 and 6e-27, as others measured, to their one digit.
    np.testing.assert_allclose(train[:5], [5e-2, 3e-2, 1e-2, 4e-3, 1e-3], rtol=0.45)
    assert train[5] < 1e-20


@pytest.mark.slow
def test_the_whole_table_is_that_which_others_measured():
    samples = draw(load_source("mnist5k"), NOISE, range(12))
    found = capacity_sweep(samples, WIDTHS, FitConfig(), STEPS)
    # Errors at large budgets are proportional to the share of wrong labels. That of the table's three draws is not
    # known: if each label is wrong with a probability of its own, it has this relative standard deviation.
    of_labels = math.sqrt(0.8 / (0.2 * 300)) / math.sqrt(3)
    for steps, row in TABLE.items():
        curve = found.curve(("gd", steps))
        for width, expected in row.items():
            errors = curve[:, found.widths.index(width)]
            of_draws = errors.std(ddof=1) / errors.mean() / math.sqrt(3)
            assert abs(errors.mean() / expected - 1) < 3 * math.hypot(of_draws, of_labels), (steps, width)


def own(n=80, d=12, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, d))
    return x, (x[:, 0] + 0.3 * random.normal(size=n) > 0).astype(int)


def test_a_row_has_the_numbers_of_scikit_learns_least_squares_on_a_users_own_columns():
    x, y = own()
    samples = draw(source_of(x, y), DataConfig(n_train=30), [7])
    features = FeatureConfig("none", normalize="center")
    (row,) = capacity_sweep(samples, [5], {"least squares": FitConfig("exact")}, features=features).rows
    order = np.random.default_rng(7).permutation(12)[:5]
    train, test = samples.x[0, :, order].numpy(), samples.x_test[0, :, order].numpy()
    model = LinearRegression().fit(train, samples.y[0].numpy())
    outputs, targets = model.predict(test), samples.y_test[0].numpy()
    assert row["test_mse"] == pytest.approx(np.square(outputs - targets).mean(), rel=1e-9)
    assert row["test_error"] == pytest.approx((outputs.argmax(1) != targets.argmax(1)).mean())
    assert row["norm"] == pytest.approx(np.linalg.norm(model.coef_), rel=1e-9)
    assert row["condition_number"] == pytest.approx(np.linalg.cond(train - train.mean(0)), rel=1e-9)
    assert (row["width"], row["seed"], row["steps"], row["rank"]) == (5, 7, math.inf, 5)


def test_features_may_be_a_function_of_ones_own():
    x, y = own()
    samples = draw(source_of(torch.from_numpy(x), torch.from_numpy(y)), DataConfig(n_train=30), [0, 1])

    def cosines(x, width, seed):
        phases = torch.arange(width, dtype=torch.float64) + seed
        return torch.cos(x.sum(1, keepdim=True) * (1 + torch.arange(width)) + phases)

    found = capacity_sweep(samples, [4, 9], FitConfig(), [100], cosines)
    for i, seed in enumerate((0, 1)):
        weights = gd_path(cosines(samples.x[i], 9, seed), samples.y[i], [100])[0]
        error = (cosines(samples.x_test[i], 9, seed) @ weights - samples.y_test[i]).square().mean()
        assert found.curve(("gd", 100.0))[i, 1] == pytest.approx(float(error), rel=1e-9)
    with pytest.raises(ValueError, match="must be"):
        capacity_sweep(samples, [4], FitConfig(), [100], lambda x, width, seed: x)
    with pytest.raises(ValueError, match="NaN or infinite"):
        capacity_sweep(samples, [12], FitConfig(), [100], lambda x, width, seed: x * math.nan)


def test_a_table_is_written_exactly(tmp_path):
    x, y = own()
    found = capacity_sweep(
        draw(source_of(x, y), DataConfig(n_train=30), [0, 1]), [9, 4, 9], FitConfig(), [10, math.inf]
    )
    found.to_csv(tmp_path / "sweep.csv")
    with (tmp_path / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["test_mse"]) for row in rows] == [row["test_mse"] for row in found.rows]
    assert {row["width"] for row in rows} == {"4", "9"}
    assert len(rows) == 2 * 2 * 2


def test_draws_do_not_overlap_and_have_as_much_noise_as_asked_for():
    x = np.arange(400.0)[:, None]
    samples = draw(source_of(x, np.arange(400) % 4), DataConfig(100, 150, 0.4, 0.5), [0, 1])
    for i in range(2):
        parts = [set(part[i].flatten().tolist()) for part in (samples.x, samples.x_val, samples.x_test)]
        assert [len(part) for part in parts] == [100, 50, 150]
        assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
        wrong = [
            float((y.argmax(1) != (x.flatten().long() % 4)).double().mean())
            for x, y in (
                (samples.x[i], samples.y[i]),
                (samples.x_val[i], samples.y_val[i]),
                (samples.x_test[i], samples.y_test[i]),
            )
        ]
        assert 0.2 <= wrong[0] <= 0.4
        assert 0.15 <= wrong[1] <= 0.4
        assert wrong[2] == 0
    assert not torch.equal(samples.x[0], samples.x[1])
    again = draw(source_of(x, np.arange(400) % 4), DataConfig(100, 150, 0.4, 0.5), [1])
    torch.testing.assert_close(again.y[0], samples.y[1])


def test_a_budget_is_chosen_by_the_validation_error_alone():
    rows = [
        {"setting": "gd", "steps": steps, "width": width, "seed": 0, "validation_mse": val, "test_mse": test}
        for steps, width, val, test in [(1.0, 5, 0.3, 0.1), (2.0, 5, 0.2, 0.9), (1.0, 9, 0.1, 0.4), (2.0, 9, 0.2, 0.2)]
    ]
    result = SweepResult(rows, 7)
    assert [row["steps"] for row in chosen_budgets(result, "gd")] == [2.0, 1.0]
    np.testing.assert_array_equal(chosen_curve(result, "gd"), [[0.9, 0.4]])
    with pytest.raises(ValueError, match="no validation errors of adam"):
        chosen_budgets(result, "adam")


def test_a_test_part_may_lack_classes_and_images_are_flattened(tmp_path):
    x = np.random.default_rng(0).normal(size=(30, 3, 4))
    np.savez(tmp_path / "own.npz", x_train=x[:20], y_train=np.arange(20) % 3, x_test=x[20:], y_test=np.ones(10, int))
    source = load_source(str(tmp_path / "own.npz"))
    assert (source.n_classes, tuple(source.x.shape)) == (3, (20, 12))
    assert draw(source, DataConfig(n_train=10), [0]).y_test.shape == (1, 10, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (DataConfig(n_train=80), "none for testing"),
        (DataConfig(n_train=500), "80 samples: 500"),
        (DataConfig(n_train=50, validation=0.9), "45 for validation"),
    ],
)
def test_more_samples_than_there_are_are_refused(data, message):
    with pytest.raises(ValueError, match=message):
        draw(source_of(*own()), data, [0])


def test_what_cannot_be_swept_is_refused():
    samples = draw(source_of(*own()), DataConfig(n_train=30), [0])
    with pytest.raises(ValueError, match="widths must be positive"):
        capacity_sweep(samples, [0, 3], FitConfig())
    with pytest.raises(ValueError, match="larger than the 30 samples"):
        capacity_sweep(samples, [3], FitConfig("sgd", batch_size=31), [10])
    with pytest.raises(ValueError, match="GiB"):
        check_memory(samples, 10**12)
    with pytest.raises(ValueError, match="labels cannot be noisy"):
        draw(source_of(own()[0], own()[0]), DataConfig(n_train=30, label_noise=0.1), [0])
    with pytest.raises(ValueError, match="must be below 2 / h_max"):
        FitConfig(lr=2.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        DataConfig(label_noise=1.5)


def test_a_sweep_is_drawn_with_its_threshold():
    samples = draw(source_of(*own()), DataConfig(n_train=30), [0, 1])
    found = capacity_sweep(samples, [3, 10, 30, 60], {"gd": FitConfig(), "momentum": FitConfig("momentum")}, [10, 1e4])
    axes = found.plot().axes[0]
    assert any(np.allclose(line.get_xdata(), 1) for line in axes.lines)
    drawn = [line.get_ydata() for line in axes.lines if len(line.get_xdata()) == 4]
    np.testing.assert_allclose(drawn, [found.curve(one).mean(0) for one in found.series])
