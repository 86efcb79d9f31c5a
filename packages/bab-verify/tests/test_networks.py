"""The networks of the experiments: what they compute, that they learn, and that the verifier reads them."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from bab_verify.experiments.networks import (
    CONDUCTANCE,
    LINES,
    N_BUSES,
    N_LOADS,
    SUSCEPTANCE,
    Attention,
    PowerFlow,
    RowLSTM,
    Sine,
    TinyViT,
    corners,
    make_convolutional,
    make_wide,
    nominal_loads,
    train_classifier,
    train_power_flow,
)
from bab_verify.frontends.onnx_import import graph_from_model
from bab_verify.frontends.torch_modules import model_from_module
from separata import data


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


NETWORKS = {
    "lstm": (RowLSTM(hidden=2, rows_at_once=4), (1, 8, 8)),
    "vit": (TinyViT(dim=4), (1, 8, 8)),
    "cnn": (make_convolutional(8, widths=(2, 3), hidden=5), (1, 8, 8)),
    "wide": (make_wide(8, 4), (1, 8, 8)),
    "power": (PowerFlow(4), (N_LOADS,)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_graphs_compute_what_the_modules_do(name):
    module, shape = NETWORKS[name]
    graph = graph_from_model(model_from_module(module, torch.rand(1, *shape), fixed=True), name, torch.float64)
    x = torch.rand(5, *shape)
    with torch.no_grad():
        expected = torch.cat([module(one[None]) for one in x])
        torch.testing.assert_close(graph(x.double()), expected.double(), atol=1e-5, rtol=1e-5)


def test_sine():
    torch.testing.assert_close(Sine()(torch.tensor([0.0, torch.pi / 6])), torch.tensor([0.0, 0.5]))


def test_attention_is_pytorch_s():
    ours, theirs = Attention(8, 2), torch.nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
        x = torch.randn(3, 5, 8)
        torch.testing.assert_close(ours(x), theirs(x, x, x, need_weights=False)[0], atol=1e-5, rtol=1e-5)


def test_fifty_thousand_neurons():
    layers = make_wide(28)
    assert layers[0](torch.zeros(1, 1, 28, 28)).numel() >= 50_000


# ---- the power grid


def test_flows_are_those_of_complex_voltages():
    grid = PowerFlow(6)
    loads = nominal_loads(4, generator())
    magnitudes, angles = (x.detach().double().numpy() for x in grid.voltages(loads))
    voltage = magnitudes * np.exp(1j * angles)
    admittance = CONDUCTANCE + 1j * SUSCEPTANCE
    injected = np.zeros((4, N_BUSES), complex)
    for line, (i, j) in enumerate(LINES):
        into = voltage[:, i] * np.conj((voltage[:, i] - voltage[:, j]) * admittance)
        back = voltage[:, j] * np.conj((voltage[:, j] - voltage[:, i]) * admittance)
        np.testing.assert_allclose(grid(loads)[:, line].detach(), into.real, atol=1e-5)
        injected[:, i] += into
        injected[:, j] += back
    missing = -injected[:, 1:] - (loads[:, : N_BUSES - 1] + 1j * loads[:, N_BUSES - 1 :]).numpy()
    found = grid.mismatch(loads).detach().numpy()
    np.testing.assert_allclose(found, np.concatenate([missing.real, missing.imag], 1), atol=1e-5)


def test_the_surrogate_learns_to_balance_power():
    grid = PowerFlow(8)
    before = train_power_flow(grid, 0, generator())
    assert train_power_flow(grid, 300, generator()) < 0.2 * before


def test_corners():
    found = corners(torch.tensor([1.0, 2.0]), 0.5)
    assert sorted(map(tuple, found.tolist())) == [(0.5, 1.5), (0.5, 2.5), (1.5, 1.5), (1.5, 2.5)]


# ---- training


@pytest.mark.parametrize("radius", [0.0, 0.1])
def test_classifiers_learn_and_robustly(radius):
    images = data.load("digits").subset(range(400))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    train_classifier(model, images.images, images.labels, epochs=30, radius=radius, generator=generator())
    assert not model.training
    with torch.no_grad():
        assert (model(images.images).argmax(1) == images.labels).float().mean() > (0.75 if radius else 0.9)


def test_moved_images_stay_within_the_radius_and_are_worse():
    from bab_verify.experiments.networks import _moved

    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    images = data.load("digits").subset(range(50))
    x, y = images.images, images.labels
    moved = _moved(model, x, y, 0.1, generator())
    assert (moved - x).abs().max() <= 0.1 + 1e-6
    assert moved.min() >= 0
    assert moved.max() <= 1
    assert cross_entropy(model(moved), y) > cross_entropy(model(x), y)
