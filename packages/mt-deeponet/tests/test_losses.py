"""Losses inside the domain, and Lion."""

import pytest
import torch

from mt_deeponet import Lion, masked_mse, masked_relative_l2
from separata.pde import relative_l2


@pytest.mark.parametrize("loss", [masked_mse, lambda *parts: masked_relative_l2(*parts).mean()])
def test_what_is_outside_has_no_gradient(loss):
    pred, true = torch.randn(3, 8, requires_grad=True), torch.randn(3, 8)
    mask = torch.rand(3, 8) > 0.4
    mask[:, 0] = True
    loss(pred, true, mask).backward()
    assert not pred.grad[~mask].any()
    assert pred.grad[mask].all()


def test_losses_are_those_of_the_inside_alone():
    pred, true = torch.randn(2, 6), torch.randn(2, 6)
    mask = torch.tensor([[1, 1, 1, 0, 0, 0]] * 2, dtype=torch.bool)
    torch.testing.assert_close(masked_mse(pred, true, mask), (pred - true)[:, :3].square().mean())
    torch.testing.assert_close(masked_relative_l2(pred, true, mask), relative_l2(pred[:, :3], true[:, :3]))
    torch.testing.assert_close(masked_relative_l2(pred, true), relative_l2(pred, true))


def test_a_perfect_prediction_has_a_finite_gradient():
    true = torch.randn(2, 6)
    pred = true.clone().requires_grad_()
    masked_relative_l2(pred, true).sum().backward()
    assert pred.grad.isfinite().all()


def test_nothing_to_compare_is_refused():
    zeros, none = torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bool)
    with pytest.raises(ValueError, match="sample 0 is zero everywhere"):
        masked_relative_l2(zeros, zeros)
    with pytest.raises(ValueError, match="no point inside"):
        masked_mse(zeros, zeros, none)


def test_lion_moves_by_the_sign_of_the_interpolated_momentum():
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
    optimizer = Lion([weight], lr=0.1, betas=(0.9, 0.99))
    momentum, expected = torch.zeros(3), weight.detach().clone()
    for gradient in (torch.tensor([0.5, -1.0, 0.0]), torch.tensor([-0.5, 100.0, 0.0]), torch.tensor([1e-4, 1.0, -1.0])):
        weight.grad = gradient.clone()
        optimizer.step()
        expected = expected - 0.1 * torch.sign(0.9 * momentum + 0.1 * gradient)
        momentum = 0.99 * momentum + 0.01 * gradient
        torch.testing.assert_close(weight.detach(), expected)
    with pytest.raises(ValueError, match="positive"):
        Lion([weight], lr=0)
