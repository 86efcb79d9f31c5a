"""The three stages, written once more from their description: sums over edges in double precision, and Adam by hand."""

import math

import pytest
import torch

from s_kan import SKAN, StageConfig, TrainConfig, fit, make_basis

NAMES, WIDTHS, N_STEPS, N_SEARCH = ("bspline", "rbf", "fourier"), (2, 4, 1), 60, 30
TRAIN = TrainConfig(epochs=N_STEPS, lr=2e-2, weight_decay=0.01, seed=3)
STAGES = StageConfig(full=0.3, selective=0.2, tau_min=0.05, selection_lr=4, selection_decay=0.02)


class ByHand:
    """Adam with decoupled weight decay."""

    def __init__(self, groups):
        self.groups = [(p, lr, decay) for params, lr, decay in groups for p in params]
        self.first = [torch.zeros_like(p) for p, _, _ in self.groups]
        self.second = [torch.zeros_like(p) for p, _, _ in self.groups]
        self.t = 0

    def step(self, gradients, factor):
        self.t += 1
        for i, ((p, lr, decay), gradient) in enumerate(zip(self.groups, gradients, strict=True)):
            self.first[i] = 0.9 * self.first[i] + 0.1 * gradient
            self.second[i] = 0.999 * self.second[i] + 0.001 * gradient**2
            mean, square = self.first[i] / (1 - 0.9**self.t), self.second[i] / (1 - 0.999**self.t)
            p.data.mul_(1 - lr * factor * decay).sub_(lr * factor * mean / (square.sqrt() + 1e-8))


def factor(step, n):
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / n))


def silu(x):
    return x * torch.sigmoid(x)


@pytest.mark.parametrize("split", [0.2, 0.0])
def test_a_training_is_the_one_that_is_described(split):
    torch.manual_seed(0)
    model = SKAN(WIDTHS, NAMES, 6)
    x = 2 * torch.rand(50, 2) - 1
    y = x[:, :1] * x[:, 1:]
    coefficients = [layer.coefficients.detach().double().requires_grad_() for layer in model.layers]
    base = [layer.base_weight.detach().double().requires_grad_() for layer in model.layers]
    logits = [torch.zeros(3, n, dtype=torch.float64, requires_grad=True) for n in WIDTHS[1:]]
    stages = STAGES if split else StageConfig(**{**STAGES.__dict__, "selection_split": 0.0})
    fit(model, x, y, TRAIN, stages)

    x, y = x.double(), y.double()
    bases = [make_basis(name, 6).double() for name in NAMES]
    grid = torch.linspace(-1, 1, 401, dtype=torch.float64)
    norms = torch.stack([basis(grid).square().sum(1).mean().sqrt() for basis in bases])
    scales = norms.prod() ** (1 / 3) / norms

    def network(z, weights):
        for c, b, w in zip(coefficients, base, weights, strict=True):
            parts = c.unflatten(2, (3, 6))
            sums = [torch.einsum("nif,oif->no", basis(z), parts[:, :, p]) for p, basis in enumerate(bases)]
            z = silu(z) @ b.T + sum(s * w[p] * scales[p] for p, s in enumerate(sums))
        return z

    order = torch.randperm(50, generator=torch.Generator().manual_seed(TRAIN.seed))
    held_out, seen = order[: round(50 * split)], order[round(50 * split) :]
    optimizer = ByHand([(coefficients + base, 2e-2, 0.01), (logits, 4 * 2e-2, 0.02)])
    for step in range(N_SEARCH):
        done = max(0.0, (step / N_STEPS - 0.3) / 0.2)
        weights = [torch.softmax(a / 0.05**done, 0) for a in logits]
        loss = (network(x[seen], weights) - y[seen]).square().mean()
        gradients = torch.autograd.grad(loss, coefficients + base + logits, retain_graph=True)
        if split and step >= 18:
            other = (network(x[held_out], weights) - y[held_out]).square().mean()
            gradients = (*gradients[:4], *torch.autograd.grad(other, logits))
        optimizer.step(gradients, factor(step, N_SEARCH))

    weights = [torch.softmax(a.detach() / 0.05**done, 0) for a in logits]
    kept = [w == w.amax(0) for w in weights]
    assert model.chosen() == [[NAMES[p] for p in k.long().argmax(0)] for k in kept]
    with torch.no_grad():
        for c, w, k in zip(coefficients, weights, kept, strict=True):
            c.mul_((scales * (w * k).T)[:, None, :].repeat_interleave(6, 2))
    scales = torch.ones(3, dtype=torch.float64)
    ones = [k.double() for k in kept]
    optimizer = ByHand([(coefficients + base, 2e-2, 0.01)])
    for step in range(N_STEPS - N_SEARCH):
        loss = (network(x, ones) - y).square().mean()
        optimizer.step(torch.autograd.grad(loss, coefficients + base), factor(step, N_STEPS - N_SEARCH))
    with torch.no_grad():
        torch.testing.assert_close(model(x.float()).double(), network(x, ones), atol=2e-5, rtol=0)
