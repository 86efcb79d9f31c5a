"""Properties of trained ReLU networks that hold by little, or fail by little: hard for branch and bound."""

import math

import torch
from torch import nn

from bab_verify import Clause, Query, Specification


def normal(generator, *shape):
    return torch.randn(*shape, generator=generator)


def trained(seed, sizes, steps=300, points=400, clusters=12, noise=0.35):
    """A classifier of points around random centers, and one of these points."""
    generator = torch.Generator().manual_seed(seed)
    centers = normal(generator, clusters, sizes[0])
    which = torch.randint(clusters, (points,), generator=generator)
    x = centers[which] + noise * normal(generator, points, sizes[0])
    layers = []
    for n, m in zip(sizes, sizes[1:]):
        layer = nn.Linear(n, m)
        with torch.no_grad():
            layer.weight.copy_(normal(generator, m, n) / math.sqrt(n))
            layer.bias.copy_(0.1 * normal(generator, m))
        layers += [layer, nn.ReLU()]
    network = nn.Sequential(*layers[:-1])
    parameters = list(network.parameters())
    first, second = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    # Adam by hand: importing PyTorch's costs more than all else here.
    for step in range(1, steps + 1):
        loss = nn.functional.cross_entropy(network(x), which % sizes[-1])
        for p, m, v, g in zip(parameters, first, second, torch.autograd.grad(loss, parameters)):
            m.lerp_(g, 0.1)
            v.lerp_(g**2, 0.001)
            p.data -= 0.003 * m / (1 - 0.9**step) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
    return network.double().requires_grad_(requires_grad=False), x[0].double()


def least_found(network, c, lower, upper, starts=64, steps=60):
    """The least c f(x) that gradient descent finds in a box."""
    generator = torch.Generator().manual_seed(0)
    x = lower + (upper - lower) * torch.rand(starts, len(lower), generator=generator, dtype=torch.float64)
    best = math.inf
    for step in range(steps):
        x = x.detach().requires_grad_()
        margins = network(x) @ c
        (gradient,) = torch.autograd.grad(margins.sum(), x)
        best = min(best, float(margins.min().detach()))
        x = torch.maximum(torch.minimum(x - (upper - lower) * 0.25 * 0.97**step * gradient.sign(), upper), lower)
    return best


def tight(seed, sizes=(30, 128, 2), left=0.05):
    """A network and that a point keeps its label in a box, in which a share of its margin is left.

    The share is what gradient descent says: a positive one is all but sure to be provable.

    Args:
        seed: Of everything.
        sizes: Of layers.
        left: The share; below zero the property fails.
    """
    network, center = trained(seed, sizes)
    y = network(center)
    label, other = y.topk(2).indices.tolist()
    c = torch.zeros(sizes[-1], dtype=torch.float64)
    c[label], c[other] = 1, -1
    low, high = 0.0, 2.0
    for _ in range(14):
        radius = (low + high) / 2
        enough = least_found(network, c, center - radius, center + radius) > left * float(y @ c)
        low, high = (radius, high) if enough else (low, radius)
    clause = Clause(c[None], torch.zeros(1, dtype=torch.float64))
    return network, Specification((Query(center - low, center + low, (clause,)),))
