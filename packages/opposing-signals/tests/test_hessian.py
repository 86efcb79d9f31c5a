"""Sharpness, its attribution and gradients, against full Hessians and autograd."""

import numpy as np
import pytest
import torch
from torch import nn

from opposing_signals import (
    HessianOperator,
    SharpnessTracker,
    curvature_shares,
    example_curvatures,
    feature_alignment,
    gradient_norms,
    group_gradients,
    layer_features,
    make_network,
    sharpness,
)
from opposing_signals.configs import ModelConfig


def full_hessian(net, x, y, loss="cross-entropy"):
    """The Hessian of the mean loss by `torch.func`, all parameters in a row."""
    from torch.func import functional_call, hessian

    from opposing_signals.losses import LOSSES

    named = {name: one.detach() for name, one in net.named_parameters()}
    sizes = [one.numel() for one in named.values()]

    def value(row):
        parts = {name: p.view_as(one) for (name, one), p in zip(named.items(), row.split(sizes), strict=True)}
        return LOSSES[loss](functional_call(net, parts, (x,)), y).mean()

    return hessian(value)(torch.cat([one.flatten() for one in named.values()]))


@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_the_largest_eigenvalues_are_those_of_the_full_hessian(small, loss, batch_size):
    net, x, y = small
    expected, vectors = torch.linalg.eigh(full_hessian(net, x, y, loss))
    found = sharpness(net, x, y, loss, k=3, tol=1e-9, batch_size=batch_size)
    torch.testing.assert_close(found.eigenvalues, expected.flip(0)[:3], atol=1e-6, rtol=1e-6)
    assert (found.residuals < 1e-6).all()
    for i in range(3):
        assert abs(float(found.eigenvectors[i] @ vectors[:, -1 - i])) == pytest.approx(1, abs=1e-6)


def test_products_are_those_of_the_full_hessian(small):
    net, x, y = small
    matrix, vector = full_hessian(net, x, y), torch.randn(len(full_hessian(net, x, y)), dtype=torch.float64)
    torch.testing.assert_close(HessianOperator(net, x, y)(vector), matrix @ vector)
    torch.testing.assert_close(HessianOperator(net, x, y, batch_size=9)(vector), matrix @ vector)


def test_the_largest_eigenvalue_is_found_where_a_negative_one_is_larger_in_size():
    """Power iteration would find -5."""

    class Saddle(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3, dtype=torch.float64))

        def forward(self, x):
            return (torch.tensor([2.0, -5.0, 0.5]) * self.weight.square() / 2).sum() + 0 * x[:, :1]

    found = sharpness(
        Saddle(), torch.ones(4, 2, dtype=torch.float64), torch.zeros(4, 1), lambda out, _: out, k=2, tol=1e-10
    )
    torch.testing.assert_close(found.eigenvalues, torch.tensor([2.0, 0.5], dtype=torch.float64))


def test_equal_eigenvalues_are_found_one_after_the_other():
    class Bowl(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4, dtype=torch.float64))

        def forward(self, x):
            return 1.5 * self.weight.square().sum() + 0 * x[:, :1]

    found = sharpness(Bowl(), torch.ones(4, 2, dtype=torch.float64), torch.zeros(4, 1), lambda out, _: out, k=3)
    torch.testing.assert_close(found.eigenvalues, torch.full((3,), 3.0, dtype=torch.float64))
    vectors = found.eigenvectors
    torch.testing.assert_close(vectors @ vectors.T, torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize("act", [curvature_shares, example_curvatures, gradient_norms])
def test_examples_that_batch_normalization_mixes_have_no_curvature_of_their_own(act):
    net = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3))
    x, y, v = torch.randn(12, 5), torch.arange(12) % 3, torch.ones(47)
    rest = {curvature_shares: (v, {"a": torch.arange(3)}), example_curvatures: (v,), gradient_norms: ()}[act]
    with pytest.raises(ValueError, match="model.eval"):
        act(net, x, y, *rest)
    act(net.eval(), x, y, *rest)


@pytest.mark.parametrize(("factor", "is_stable"), [(0.98, True), (1.02, False)])
def test_on_a_quadratic_loss_gradient_descent_is_stable_just_below_two_over_the_sharpness(factor, is_stable):
    x = torch.randn(50, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = torch.randn(50, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    net = nn.Linear(6, 1, bias=False).double()
    expected = torch.linalg.eigvalsh(x.T @ x / 50)[-1]
    found = sharpness(net, x, y, "mse", tol=1e-10)
    assert found.value == pytest.approx(float(expected), rel=1e-9)
    optimizer = torch.optim.SGD(net.parameters(), lr=factor * 2 / found.value)
    losses = []
    for _ in range(1000):
        optimizer.zero_grad()
        loss = 0.5 * (net(x) - y).square().sum() / 50
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    assert (losses[-1] < losses[0]) == is_stable


def test_a_warm_start_takes_fewer_products_and_still_sees_another_vector(small):
    net, x, y = small
    tracker = SharpnessTracker(net, x, y, tol=1e-6, max_products=100)
    cold, warm = tracker.measure(), tracker.measure()
    assert warm.n_products < cold.n_products
    assert warm.value == pytest.approx(cold.value, rel=1e-6)
    second = sharpness(net, x, y, k=2, tol=1e-9).eigenvectors[1]
    assert sharpness(net, x, y, v0=second, tol=1e-9).value == pytest.approx(cold.value, rel=1e-6)


def test_shares_of_groups_add_up_and_are_the_full_hessian_s(small):
    net, x, y = small
    vector = sharpness(net, x, y, tol=1e-9).eigenvectors[0]
    groups = {"a": torch.arange(5), "b": torch.tensor([10, 20, 30])}
    shares = curvature_shares(net, x, y, vector, groups)
    assert sum(one.share for one in shares.values()) == pytest.approx(1, abs=1e-9)
    for name, some in groups.items():
        assert shares[name].curvature == pytest.approx(
            float(vector @ full_hessian(net, x[some], y[some]) @ vector), abs=1e-9
        )
    slopes, curvatures = example_curvatures(net, x, y, vector, batch_size=11)
    assert float(curvatures[groups["a"]].mean()) == pytest.approx(shares["a"].curvature, abs=1e-9)
    assert float(slopes[groups["b"]].mean()) == pytest.approx(shares["b"].slope, abs=1e-9)
    assert float(curvatures.mean()) == pytest.approx(sharpness(net, x, y, tol=1e-9).value, abs=1e-8)


def test_gradients_of_groups_are_autograd_s(small):
    net, x, y = small
    groups = {"up": torch.arange(8), "down": torch.arange(8, 16)}
    found = group_gradients(net, x, y, groups, batch_size=3)
    for name, some in groups.items():
        net.zero_grad()
        nn.functional.cross_entropy(net(x[some]), y[some]).backward()
        expected = torch.cat([one.grad.flatten() for one in net.parameters()])
        torch.testing.assert_close(found.gradients[list(groups).index(name)], expected)
    a, b = found.gradients.numpy()
    assert found.cosine() == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    each = gradient_norms(net, x, y)
    one = group_gradients(net, x, y, {"one": torch.tensor([4])}, n_random=3)
    assert float(each[4]) == pytest.approx(one.norms["one"])
    assert one.random_norm in [pytest.approx(float(norm)) for norm in each]


def test_two_copies_with_other_labels_oppose_each_other(small):
    net, _, _ = small
    x = torch.randn(1, 5, dtype=torch.float64).repeat(20, 1)
    y = torch.tensor([0] * 10 + [1] * 10)
    for parameter in net.parameters():
        parameter.requires_grad_(parameter.ndim > 1)
    found = group_gradients(net, x, y, {"up": torch.arange(10), "down": torch.arange(10, 20)}, n_random=0)
    assert found.cosine() < -0.2
    assert found.gradients.shape[1] == 5 * 8 + 8 * 5 + 5 * 3


def test_a_shared_feature_is_found_in_the_tail():
    torch.manual_seed(0)
    x = torch.randn(300, 10)
    direction = nn.functional.normalize(torch.ones(10), dim=0)
    x[:10] += 8 * direction
    x[10:20] -= 8 * direction
    net = nn.Sequential(nn.Linear(10, 4), nn.ReLU(), nn.Linear(4, 2))
    found = feature_alignment(net, x, {"up": torch.arange(10), "down": torch.arange(10, 20)}, "input")
    assert abs(float(found.direction @ direction)) > 0.97
    assert min(found.tail.values()) > 0.95
    assert found.ratio > 4
    last = layer_features(net, net[2], x, batch_size=70)
    torch.testing.assert_close(last, net[:2](x).detach())
    torch.testing.assert_close(layer_features(net, "2", x), last)


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig("resnet", width=8, norm="group"),
        ModelConfig("resnet", width=8, norm="batch"),
        ModelConfig("vgg", width=8),
        ModelConfig("vit", width=8),
        ModelConfig(hidden="6", activation="gelu", norm="batch"),
    ],
    ids=lambda config: f"{config.kind}-{config.norm}",
)
def test_networks_of_the_paper_have_a_sharpness(config):
    torch.manual_seed(0)
    net = make_network(config, (3, 8, 8), 4)
    x, y = torch.randn(6, 3, 8, 8), torch.arange(6) % 4
    assert net(x).shape == (6, 4)
    found = sharpness(net, x, y, tol=1e-2, max_products=30)
    assert found.value > 0
    assert float(found.residuals[0]) < 0.05


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda n, x, y: sharpness(n, x, y, k=0), "k must"),
        (lambda n, x, y: sharpness(n, x, y, tol=0), "tol"),
        (lambda n, x, y: sharpness(n, x, y, v0=torch.ones(3)), "v0 has 3"),
        (lambda n, x, y: sharpness(n, x, y, batch_size=-3), "batch_size must"),
        (lambda n, x, y: sharpness(n, x, y, "hinge"), "mse, cross-entropy"),
        (lambda n, x, y: sharpness(n.requires_grad_(requires_grad=False), x, y), "no parameters"),
        (lambda n, x, y: sharpness(n, x, y, lambda o, t: nn.functional.cross_entropy(o, t)), "reduction='none'"),
        (lambda n, x, y: group_gradients(n, x, y, {}), "gradients need"),
        (
            lambda n, x, y: curvature_shares(
                n, x, y, torch.ones(111).double(), {"a": torch.arange(3), "b": torch.arange(2, 4)}
            ),
            "overlap",
        ),
        (lambda n, x, y: layer_features(n, "head", x), "no layer head"),
        (lambda n, x, _: feature_alignment(n, x, {}), "alignment needs"),
        (lambda *_: make_network(ModelConfig("vgg"), (10,), 2), "images"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_told(small, act, message):
    with pytest.raises(ValueError, match=message):
        act(*small)
