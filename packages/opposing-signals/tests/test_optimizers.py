"""SplitSGD and SAM, against closed forms and the optimizers that they become at their limits."""

import math

import pytest
import torch
from torch import nn

from opposing_signals import SAM, SplitSGD


def train(make, n_steps=8):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    x, y = torch.randn(30, 4), torch.randn(30, 2)
    optimizer = make(net.parameters())
    for _ in range(n_steps):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        optimizer.step()
    return torch.cat([one.detach().flatten() for one in net.parameters()])


def test_without_large_gradients_it_is_sgd_with_dampened_momentum():
    class Dampened(torch.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {})

        @torch.no_grad()
        def step(self):
            for one in self.param_groups[0]["params"]:
                m = self.state[one].setdefault("m", torch.zeros_like(one))
                m.mul_(0.9).add_(one.grad, alpha=0.1)
                one.sub_(0.3 * m)

    torch.testing.assert_close(train(lambda p: SplitSGD(p, 0.3, threshold=math.inf)), train(Dampened))
    plain = train(lambda p: SplitSGD(p, 0.3, momentum=0.0, threshold=math.inf))
    torch.testing.assert_close(plain, train(lambda p: torch.optim.SGD(p, 0.3)))


def test_with_large_gradients_only_it_is_a_sign_method():
    start = train(lambda p: torch.optim.SGD(p, 0.1), 0)
    moved = train(lambda p: SplitSGD(p, 0.3, 0.01, momentum=0.0, threshold=0.0), 1)
    steps = (moved - start).abs()
    torch.testing.assert_close(steps, torch.full_like(steps, 0.01), atol=1e-6, rtol=0)


def test_the_threshold_splits_off_the_share_that_is_asked_for():
    parameter = nn.Parameter(torch.zeros(100))
    optimizer = SplitSGD([parameter], 1.0, 0.25, momentum=0.0, quantile=0.1)
    parameter.grad = torch.linspace(-1, 1, 101)[torch.arange(101) != 50]
    optimizer.step()
    is_large = parameter.grad.abs() > 0.9
    assert int(is_large.sum()) == 10
    torch.testing.assert_close(parameter[is_large], -0.25 * parameter.grad[is_large].sign())
    torch.testing.assert_close(parameter[~is_large], -parameter.grad[~is_large])


def test_a_state_goes_on_as_if_it_had_not_been_saved():
    def once(saved):
        torch.manual_seed(0)
        net, x = nn.Linear(3, 1), torch.randn(20, 3)
        optimizer = SplitSGD(net.parameters(), 0.1, refresh=3)
        for step in range(10):
            if saved and step == 5:
                state = optimizer.state_dict()
                optimizer = SplitSGD(net.parameters(), 0.7, quantile=0.5)
                optimizer.load_state_dict(state)
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()
        return net.weight.detach()

    assert torch.equal(once(saved=True), once(saved=False))


def test_sharpness_aware_steps_use_the_gradient_uphill():
    matrix = torch.diag(torch.tensor([1.0, 4.0]))
    weight = nn.Parameter(torch.tensor([1.0, 0.5]))
    sam = SAM(torch.optim.SGD([weight], lr=0.1), rho=0.2)
    before = sam.step(lambda: 0.5 * weight @ matrix @ weight)
    w = torch.tensor([1.0, 0.5])
    gradient = matrix @ w
    expected = w - 0.1 * matrix @ (w + 0.2 * gradient / gradient.norm())
    torch.testing.assert_close(weight.detach(), expected)
    assert float(before) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"lr": 0.0},
        {"lr_large": -1.0},
        {"momentum": 1.0},
        {"quantile": 0.0},
        {"quantile": 1.0},
        {"threshold": -1.0},
        {"refresh": 0},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="learning rates" if "lr" in next(iter(wrong)) else next(iter(wrong))):
        SplitSGD([nn.Parameter(torch.zeros(2))], **({"lr": 0.1} | wrong))
    with pytest.raises(ValueError, match="rho"):
        SAM(torch.optim.SGD([nn.Parameter(torch.zeros(2))], lr=0.1), rho=0)
