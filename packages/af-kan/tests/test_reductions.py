"""Reductions number by number, against their definitions written as loops."""

import math

import numpy as np
import pytest
import torch

from af_kan import AFKANLinear
from af_kan.layers.feature_norms import make_feature_norm
from af_kan.layers.reductions import make_reduction

B, D, N = 2, 4, 5


def made(name, tau=1.7):
    """A reduction with a temperature, some features, and its parameters as arrays."""
    reduction = make_reduction(name, D, N).double()
    if hasattr(reduction, "tau"):
        reduction.tau.data.fill_(tau)
    features = torch.randn(B, D, N, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    return reduction, features, {key: value.numpy() for key, value in reduction.state_dict().items()}


def softmax(scores):
    powers = [math.exp(one) for one in scores]
    return [one / sum(powers) for one in powers]


def linear(p, name, x):
    return p[f"{name}.weight"] @ x + p[f"{name}.bias"]


def attended(p, tokens, tau):
    """What attention among tokens makes of each."""
    query, key, value = ([linear(p, name, one) for one in tokens] for name in ("query", "key", "value"))
    weights = [softmax([one @ other / tau for other in key]) for one in query]
    return [sum(w * v for w, v in zip(row, value, strict=True)) for row in weights]


def spatial(p, f):
    """A softmax over the functions of a convolution of each along the coordinates."""
    padded = np.pad(f, ((1, 1), (0, 0)))
    kernel, bias = p["scores.weight"][:, 0], p["scores.bias"]
    scores = [[sum(kernel[i, j] * padded[d + j, i] for j in range(3)) + bias[i] for i in range(N)] for d in range(D)]
    return [np.dot(softmax([one / 1.7 for one in scores[d]]), f[d]) for d in range(D)]


def local(p, f):
    """Attention among the two whole windows; the fifth function is left out."""
    tokens = ([one[:2], one[2:4]] for one in f)
    return [linear(p, "output", np.concatenate(attended(p, some, 1.7)))[0] for some in tokens]


def among_coordinates(p, f):
    return [one.sum() for one in attended(p, list(f), 1.7)]


def multihead(p, f):
    """A head for each function, whose keys have one number, and no temperature."""
    weights, biases = p["attention.in_proj_weight"], p["attention.in_proj_bias"]
    query, key, value = (f @ weights[i : i + N].T + biases[i : i + N] for i in (0, N, 2 * N))
    heads = np.zeros((D, N))
    for h in range(N):
        for d in range(D):
            heads[d, h] = np.dot(softmax([query[d, h] * key[e, h] for e in range(D)]), value[:, h])
    return (heads @ p["attention.out_proj.weight"].T + p["attention.out_proj.bias"]).sum(1)


DEFINITIONS = {
    "spatial_attn": spatial,
    "local_attn": local,
    "self_attn": among_coordinates,
    "multihead_attn": multihead,
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_reduction_is_its_definition(name):
    reduction, features, p = made(name)
    expected = np.array([DEFINITIONS[name](p, one) for one in features.numpy()])
    np.testing.assert_allclose(reduction(features).detach().numpy(), expected, atol=1e-10)


@pytest.mark.parametrize("tau", [1.0, 0.2, -3.0])
def test_a_temperature_below_one_counts_as_one(tau):
    layer = AFKANLinear(D, 2)
    x = torch.randn(B, D)
    found = []
    for value in (1.0, tau):
        layer.reduction.temperature.tau.data.fill_(value)
        found.append(layer.reduce(x))
    torch.testing.assert_close(*found)


def test_the_range_of_a_sample_is_over_all_its_functions():
    features = torch.randn(B, D, N)
    scaled = make_feature_norm("sample")(features)
    for one, whole in zip(scaled, features, strict=True):
        torch.testing.assert_close(one, (whole - whole.min()) / (whole.max() - whole.min()))
