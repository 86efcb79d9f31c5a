"""Errors, and the baseline without a network."""

import numpy as np
import pytest
import torch
from tiny import data, model

from mt_deeponet import compare, evaluate, make_task, nearest_design
from mt_deeponet.drawing import draw_predictions
from mt_deeponet.evaluation import continued


def test_errors_are_of_the_inside_and_of_each_task():
    samples = data("darcy")
    factors = torch.tensor([0.1, 0.2, 0.3])[samples.task][:, None]
    pred = samples.values * (1 + factors) + 5.0 * ~samples.mask
    report = compare(pred, samples)
    assert report.tasks == pytest.approx({"square": 0.1, "disc": 0.2, "triangle": 0.3}, rel=1e-5)
    assert report.frobenius_of == pytest.approx(report.tasks, rel=1e-5)
    assert report.relative_l2 == pytest.approx(0.2, rel=1e-5)
    assert report.max_error == pytest.approx(float((samples.values * factors).max()), rel=1e-5)
    errors = (factors.double() * samples.values.double()).norm() / samples.values.double().norm()
    assert report.frobenius == pytest.approx(float(errors), rel=1e-6)


def test_a_model_is_left_as_it_was():
    samples = data("darcy")
    surrogate = model("darcy", samples).train()
    assert evaluate(surrogate, samples) == evaluate(surrogate, samples)
    assert surrogate.training


def test_the_nearest_design_is_looked_up_and_its_holes_are_filled():
    points = torch.tensor([[0.0], [1.0], [2.0]])
    train = make_task(
        "t",
        torch.tensor([[2.0, 100.0], [4.0, 300.0]]),
        points,
        torch.tensor([[1.0, 2.0, 0.0], [5.0, 6.0, 7.0]]),
        torch.ones(3, dtype=torch.bool),
    )
    train.mask.data = torch.tensor([[True, True, False], [True] * 3])
    test = make_task("t", torch.tensor([[2.4, 180.0], [3.9, 250.0]]), points, torch.ones(2, 3))
    assert nearest_design(train, test).tolist() == [[1.0, 2.0, 2.0], [5.0, 6.0, 7.0]]
    assert continued(torch.tensor([3.0, 0.0]), torch.tensor([True, False]), points[:2]).tolist() == [3.0, 3.0]


@pytest.mark.parametrize("kind", ["fisher", "darcy", "plate"])
def test_pictures_show_solutions_on_their_domains(kind):
    samples = data(kind)
    sizes = {"fisher": (5, 12), "darcy": (16, 16), "plate": (9, 8, 3)}[kind]
    figure = draw_predictions(samples.values, samples)
    assert len(figure.axes) == 18
    image = figure.axes[0].collections[0].get_array()
    expected, inside = (part[0].reshape(sizes) for part in (samples.values, samples.domain))
    if kind == "plate":
        expected, inside = expected[..., 1], inside[..., 1]
    np.testing.assert_array_equal(image.data[inside], expected[inside])
    assert (np.ma.getmaskarray(image) == ~inside.numpy()).all()
    alone = draw_predictions(samples.values, samples, with_truth=False)
    assert len(alone.axes) == 6


def test_samples_of_one_task_are_drawn_from_first_to_last():
    samples = data("plate")
    figure = draw_predictions(samples.values, samples)
    titles = [axes.get_title("left") or axes.get_title() for axes in figure.axes]
    assert [title for title in titles if ":" in title] == ["sample 0: true", "sample 2: true", "sample 3: true"]


def test_pictures_do_not_depend_on_the_order_of_points():
    samples = data("darcy").select("triangle")
    order = torch.arange(256).reshape(16, 16).T.flip(1).flatten()
    other = make_task("t", samples.functions, samples.points[order], samples.values[:, order], samples.mask[:, order])
    images = [
        draw_predictions(one.values, one, n_shown=1).axes[0].collections[0].get_array() for one in (samples, other)
    ]
    np.testing.assert_array_equal(images[0].filled(-1), images[1].filled(-1))


def test_what_is_outside_is_blank():
    disc = data("darcy").select("disc")
    shown = draw_predictions(disc.values, disc).axes[0].collections[0].get_array()
    assert torch.equal(torch.from_numpy(~shown.mask), disc.mask[0].reshape(16, 16))


def test_scattered_points_are_drawn_against_the_truth():
    scattered = make_task("t", torch.rand(3, 2), torch.rand(7, 2), torch.rand(3, 7))
    assert len(draw_predictions(scattered.values, scattered).axes) == 1
    alone = draw_predictions(scattered.values, scattered, with_truth=False)
    np.testing.assert_allclose(alone.axes[0].collections[0].get_array(), scattered.values[0])
