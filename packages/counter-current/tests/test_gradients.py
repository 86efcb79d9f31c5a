"""What is done to gradients, against plain formulas."""

import torch
from torch import nn

from counter_current import centralize_gradients, clip_gradients
from counter_current.gradients import scale_gradients


def with_gradients() -> nn.Module:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(5, 4))
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter) + 1
    return model


def test_centralized_gradients_have_no_mean_but_for_those_of_biases():
    model = with_gradients()
    before = [p.grad.clone() for p in model.parameters()]
    centralize_gradients(model)
    for parameter, old in zip(model.parameters(), before, strict=True):
        if parameter.ndim == 1:
            assert torch.equal(parameter.grad, old)
            continue
        axes = tuple(range(1, parameter.ndim))
        torch.testing.assert_close(parameter.grad, old - old.mean(axes, keepdim=True))
        assert parameter.grad.mean(axes).abs().max() < 1e-6


def test_gradients_are_clipped_together_or_not_at_all():
    model = with_gradients()
    parameters = list(model.parameters())
    whole = torch.cat([p.grad.flatten() for p in parameters])
    clip_gradients(parameters, 0)
    torch.testing.assert_close(torch.cat([p.grad.flatten() for p in parameters]), whole)
    clip_gradients(parameters, 0.5)
    torch.testing.assert_close(torch.cat([p.grad.flatten() for p in parameters]), 0.5 * whole / whole.norm())


def test_a_scaled_gradient_is_that_of_the_scaled_loss():
    weight = torch.randn(3, requires_grad=True)
    weight.square().sum().backward()
    scale_gradients([weight], 0.25)
    torch.testing.assert_close(weight.grad, 0.25 * 2 * weight.detach())


def test_what_has_no_gradient_is_passed_over():
    weight = torch.randn(3, 3, requires_grad=True)
    centralize_gradients([weight])
    clip_gradients([weight], 1.0)
    scale_gradients([weight], 2.0)
    assert weight.grad is None
