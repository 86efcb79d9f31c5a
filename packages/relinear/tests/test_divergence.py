"""Divergence is noticed where it begins, and collapse is judged from a history."""

import math

import pytest
import torch
from torch import nn

from relinear import DivergenceError, DivergenceMonitor, QuadraticLinear, check_divergence, collapse


class Scale(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def chain(*factors):
    return nn.Sequential(*(Scale(factor) for factor in factors))


def test_the_first_layer_that_is_not_finite_is_named():
    report = check_divergence(chain(1e30, 1e30, 0.0), torch.ones(2, 3))
    assert (report.layer, report.is_finite) == ("1", False)
    assert report.largest["0"] == pytest.approx(1e30)
    assert "from the layer 1 on" in str(report)


def test_otherwise_it_is_the_one_with_the_largest_output():
    report = check_divergence(chain(3.0, 5.0, 0.1), -torch.ones(2, 3))
    assert (report.layer, report.is_finite) == ("1", True)
    assert report.largest == pytest.approx({"0": 3, "1": 15, "2": 1.5})


def test_nan_in_one_sample_is_seen():
    x = torch.ones(2, 3)
    x[1, 2] = math.nan
    assert check_divergence(chain(1.0), x).layer == "0"


def test_a_user_s_loop_is_stopped_at_the_layer():
    torch.manual_seed(0)
    model = nn.Sequential(*[QuadraticLinear(8, 8, init="random") for _ in range(6)])
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    x = torch.randn(16, 8)

    def loop():
        with DivergenceMonitor(model) as monitor:
            for _ in range(100):
                loss = model(x).square().mean()
                monitor.check(loss)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    with pytest.raises(DivergenceError, match=r"not finite from the layer \d on; lower lr or gamma"):
        loop()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_loss_that_is_not_finite_is_enough():
    model = chain(2.0, 7.0)
    with DivergenceMonitor(model) as monitor:
        with pytest.raises(ValueError, match="nothing was computed"):
            monitor.report()
        model(torch.ones(1, 1))
        monitor.check(torch.tensor(1.0))
        with pytest.raises(FloatingPointError, match=r"the loss is nan.*that of the layer 1"):
            monitor.check(torch.tensor(math.nan))


def test_each_forward_pass_is_judged_by_itself():
    model = chain(1.0)
    with DivergenceMonitor(model) as monitor:
        model(torch.full((1, 1), math.inf))
        with pytest.raises(DivergenceError):
            monitor.check()
        model(torch.ones(1, 1))
        monitor.check()


def test_a_layer_alone_is_the_network_itself():
    layer = Scale(math.inf)
    with DivergenceMonitor(layer) as monitor:
        layer(torch.ones(1))
        with pytest.raises(DivergenceError, match="the network itself"):
            monitor.check()


def rows(*losses, **last):
    history = [{"step": 10 * i, "loss": loss} for i, loss in enumerate(losses)]
    history[-1].update(last)
    return history


@pytest.mark.parametrize(
    ("history", "reason", "step"),
    [
        (rows(2.3, 1.0, 0.1), "", None),
        (rows(2.3, math.nan, 0.1), "non-finite", 10),
        (rows(2.3, math.inf), "non-finite", 10),
        (rows(2.3, 1.0, 2.29), "chance", 20),
        (rows(1.0, 9.0), "chance", 10),
        (rows(1.0, 9.0, accuracy=0.9), "", None),
        (rows(1.0, 0.1, accuracy=0.15), "chance", 10),
        (rows(1.0, 0.1, accuracy=0.25), "", None),
        (rows(2.3, 1.9, grad_norm=0.0), "dead", 10),
        (rows(2.3, 1.9, grad_norm=1.0), "", None),
        (rows(2.3, 0.0, grad_norm=0.0), "", None),
        ([{"step": 3}], "non-finite", 3),
    ],
)
def test_a_history_is_judged(history, reason, step):
    report = collapse(history, 10)
    assert (report.reason, report.step, report.is_collapsed) == (reason, step, bool(reason))


def test_nothing_is_no_history():
    with pytest.raises(ValueError, match="at least one row and two classes"):
        collapse([], 10)
