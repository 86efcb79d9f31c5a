"""Slopes against functions whose slope is known, and against NumPy."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from mip_hypernet import (
    HyperNetwork,
    MagnitudeMonitor,
    activation_report,
    gradient_report,
    hypernetize,
    magnitude_report,
)
from mip_hypernet.diagnosis import loglog_slope
from mip_hypernet.drawing import draw_report
from separata.models import MLP

V = torch.randn(50, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0, -1.0])
def test_the_slope_of_a_power_is_its_exponent(power):
    def predict(gamma):
        return {"w": V * gamma**power, "b": gamma**power, "other": V}

    report = magnitude_report(predict)
    assert report.slopes["w"] == pytest.approx(power, abs=1e-5)
    assert report.slopes["b"] == pytest.approx(power, abs=1e-5), "a single number"
    assert report.slopes["other"] == pytest.approx(0, abs=1e-6)
    assert report.ratios["w"] == pytest.approx(20 ** abs(power), rel=1e-4)


def test_of_what_is_given_as_a_list_or_a_tensor():
    assert magnitude_report(lambda gamma: V * gamma).slope == pytest.approx(1)
    found = magnitude_report(lambda gamma: [V * gamma, V.view(5, 10) * gamma**2])
    assert list(found.stds) == ["0", "1", "all"]
    assert found.slopes["1"] == pytest.approx(2, abs=1e-5)


def test_norms_and_pooled_magnitudes():
    gammas = torch.rand(9, 4)
    found = magnitude_report(lambda gamma: {"a": V * gamma[0], "b": 3 + V[:10] * gamma[1]}, gammas)
    np.testing.assert_allclose(found.norms, np.linalg.norm(gammas.double().numpy(), axis=1))
    expected = [np.std(np.r_[V.numpy() * float(g[0]), 3 + V[:10].numpy() * float(g[1])]) for g in gammas]
    np.testing.assert_allclose(found.stds["all"], expected, rtol=1e-5)
    assert found.ratio == pytest.approx(max(expected) / min(expected), rel=1e-5)


def test_slopes_are_numpy_s():
    generator = np.random.default_rng(0)
    x, y = generator.uniform(0.1, 2, 30), generator.uniform(0.1, 2, 30)
    assert loglog_slope(x.tolist(), y.tolist()) == pytest.approx(np.polyfit(np.log(x), np.log(y), 1)[0])
    assert loglog_slope([0, 1, 2], [5, 1, 4]) == pytest.approx(2), "zeros are left out"
    assert math.isnan(loglog_slope([1, 2], [0, 1]))


def test_the_default_is_proportional_and_mip_invariant():
    default = hypernetize(MLP((20, 30, 5)), parametrization="default")
    found = magnitude_report(default)
    assert found.slope == pytest.approx(1, abs=1e-4)
    assert found.deviation < 1e-4
    assert found.verdict == "proportional"
    wide = magnitude_report(hypernetize(MLP((20, 30, 5)), hidden_sizes=(64, 64), delta=0.3))
    assert abs(wide.slope) < 0.05
    assert wide.verdict == "invariant"
    assert wide.ratio < 1.1


def test_several_inputs():
    net = HyperNetwork({"b": (2,), "a": (1,)}, {"w": (3, 4)}, (5,), encoding=None, residual=False)
    ray = torch.linspace(0.1, 1, 5)[:, None] * torch.tensor([0.3, 0.8, 0.5])
    assert magnitude_report(net, ray).slope == pytest.approx(1, abs=1e-4)
    with pytest.raises(ValueError, match="takes 3 numbers"):
        magnitude_report(net)


def test_a_stranger_s_module():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(1, 8, bias=False), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 60))
            nn.init.zeros_(self.body[3].bias)

        def forward(self, gamma):
            return {"conv": self.body(gamma)[:36].view(4, 1, 3, 3), "fc": self.body(gamma)[36:]}

    own = Own().train()
    assert magnitude_report(own).slope == pytest.approx(1, abs=1e-4), "without dropout"
    assert own.body[2].training, "and afterwards as it was"


def test_activations_and_gradients():
    default = hypernetize(MLP((6, 8, 3)), "*weight", parametrization="default")
    for name in ("layers.0.bias", "layers.2.bias"):
        default.module.get_parameter(name).data.zero_()
    x, y = torch.randn(16, 6), torch.randint(3, (16,))
    # Layers without biases: the first scales with its weights, the last with the product of two.
    found = activation_report(default, x)
    assert found.slopes["layers.0"] == pytest.approx(1, abs=1e-3)
    assert found.slopes["layers.1"] == pytest.approx(1, abs=1e-3)
    assert found.slopes["layers.2"] == pytest.approx(2, abs=1e-3)

    def linear(model, weights):
        return sum((value * torch.ones_like(value)).sum() for value in weights.values())

    # Of a loss that is linear in θ, the gradient of the last layer is the last hidden layer itself.
    gradients = gradient_report(default, linear)
    assert gradients.slopes["head.weight"] == pytest.approx(1, abs=1e-3)
    mip = hypernetize(MLP((6, 8, 3)), hidden_sizes=(64, 64))
    assert abs(gradient_report(mip, linear).slopes["head.weight"]) < 0.2

    def loss(model, weights):
        return cross_entropy(model.call(weights, x), y)

    assert gradient_report(mip, loss).quantity == "gradients"
    assert gradient_report(default, loss).slopes["head.weight"] > 1


def test_a_monitor_in_a_loop():
    model = hypernetize(MLP((4, 6, 2)), parametrization="default", hidden_sizes=(8, 8))
    monitor = MagnitudeMonitor(model, every=5)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(12):
        optimizer.zero_grad()
        cross_entropy(model(torch.randn(8, 4), gamma=torch.rand(1)), torch.randint(2, (8,))).backward()
        optimizer.step()
        monitor.step()
    assert [row["step"] for row in monitor.history] == [0, 5, 10]
    assert monitor.history[0]["slope"] == pytest.approx(1, abs=1e-3)
    assert monitor.history[-1]["slope"] == pytest.approx(magnitude_report(model).slope, abs=0.5)
    assert "slope of layers.0.weight" in monitor.history[0]
    with pytest.raises(ValueError, match="at least 1"):
        MagnitudeMonitor(model, every=0)


def test_tables_and_pictures():
    report = magnitude_report(lambda gamma: {"w": V * gamma, "zero": 0 * V})
    told = report.output()
    json.dumps(told.value, allow_nan=False)
    assert told.value["verdict"] == "proportional"
    assert told.value["rows"][1]["slope"] is None
    assert "slope 0.9" in told.text or "slope 1.0" in told.text
    figure = draw_report(report)
    assert "Proportional" in figure.axes[0].get_title(loc="left")


@pytest.mark.parametrize(
    ("predict", "gammas", "word"),
    [
        (lambda gamma: V, [0.5], "two or more"),
        (lambda gamma: V, [0.0, 0.5], "two or more"),
        (lambda gamma: V, torch.ones(4, 2), "two or more"),
        (lambda gamma: 0 * V, None, "0 at every input"),
        (lambda gamma: V * math.inf, None, "not finite"),
        (lambda gamma: {"w": 3.0}, None, "output w is a float"),
        (lambda gamma: {}, None, "no weights"),
        (lambda gamma: V, torch.ones(2, 2, 2), "not of shape"),
    ],
)
def test_what_has_no_slope(predict, gammas, word, unchecked):
    with pytest.raises(ValueError, match=word):
        magnitude_report(predict, gammas)
