"""Tasks: warps against SciPy, a regularization path against scikit-learn, masks against areas, networks by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from sklearn.linear_model import LogisticRegression

from mip_hypernet import (
    Bayes,
    ConvNet,
    Regularization,
    ScaleSpace,
    TaskConfig,
    TrainConfig,
    UNet,
    evaluate,
    hypernetize,
    load_task,
    make_ellipses,
    make_pairs,
    warp,
)
from mip_hypernet.configs import HyperConfig
from mip_hypernet.tasks.registration import roughness
from mip_hypernet.tasks.scale_space import factor_of
from mip_hypernet.training import Trainer, loss_at, make_model
from separata.labeled import LabeledDataset, Splits


@pytest.fixture(scope="module")
def blobs():
    """Samples that are not ours: three classes of 4 features."""
    generator = torch.Generator().manual_seed(0)
    parts = []
    for n in (240, 60, 60):
        y = torch.arange(n) % 3
        parts.append(LabeledDataset(torch.randn(n, 4, generator=generator) + 1.5 * torch.eye(4)[y], y, ("a", "b", "c")))
    return Splits(*parts)


def test_images_are_warped_as_by_scipy():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, 2, 9, 7, generator=generator)
    flow = 2 * torch.randn(3, 2, 9, 7, generator=generator)
    down, right = np.meshgrid(np.arange(9), np.arange(7), indexing="ij")
    found = warp(images, flow)
    for i in range(3):
        at = [down + flow[i, 0].numpy(), right + flow[i, 1].numpy()]
        for channel in range(2):
            expected = map_coordinates(images[i, channel].numpy(), at, order=1, mode="nearest")
            np.testing.assert_allclose(found[i, channel].numpy(), expected, atol=1e-5)


def test_the_true_displacement_makes_one_image_the_other():
    pairs = make_pairs(torch.rand(6, 3, 12, 12), seed=3)
    torch.testing.assert_close(warp(pairs.images[:, :1], pairs.flows), pairs.images[:, 1:], atol=1e-5, rtol=0)
    assert float((pairs.images[:, 0] - pairs.images[:, 1]).abs().mean()) > 0.05, "they differ"
    assert float(pairs.flows.square().mean().sqrt()) == pytest.approx(0.08 * 12, rel=1e-4)
    assert float(roughness(pairs.flows)) < 0.2 * float(pairs.flows.square().mean())


def test_roughness_of_a_ramp():
    flow = torch.stack([0.5 * torch.arange(6.0).expand(4, 6), torch.zeros(4, 6)])[None]
    # Of the two components, one rises by 0.5 to the right.
    assert float(roughness(flow)) == pytest.approx(0.25 / 2)


def test_gamma_weighs_similarity_and_smoothness():
    task = load_task("registration", TaskConfig(width=2, n_train=40))
    batch, flow = task.samples("train"), torch.randn(40, 2, 16, 16)
    ends = [float(task.loss(lambda _: flow, {}, batch, torch.tensor([g]))) for g in (0.0, 1.0)]
    half = float(task.loss(lambda _: flow, {}, batch, torch.tensor([0.5])))
    assert half == pytest.approx(sum(ends) / 2, rel=1e-5)
    assert ends[1] == pytest.approx(float(roughness(flow)), rel=1e-5)
    moved = warp(batch[0][:, :1], flow) - batch[0][:, 1:]
    assert ends[0] == pytest.approx(float(moved.square().mean()) / 0.01, rel=1e-5)
    # No displacement at all costs what `failure` says.
    zero = torch.zeros_like(flow)
    none = [float(task.loss(lambda _: zero, {}, batch, torch.tensor([g]))) for g in (0.0, 0.5, 1.0)]
    assert np.mean(none) == pytest.approx(task.failure / 0.95, rel=1e-4)


def test_registration_finds_the_displacement():
    task = load_task("registration", TaskConfig(width=4, n_train=200))
    model = make_model(task, HyperConfig(hidden="8,16"))
    Trainer(model, task, TrainConfig(240, 3e-3, batch_size=16)).fit()
    report = evaluate(model, task, (0.1, 0.9))
    _, flows = task.samples("test")
    assert report.rows[0]["mse"] < 0.6 * task.identity * 2 * 0.01
    assert report.rows[0]["error"] < 0.95 * float(flows.norm(dim=1).mean()), "nearer than no displacement"
    assert report.rows[1]["roughness"] < 0.7 * report.rows[0]["roughness"], "smoother where that is asked for"


def test_a_regularization_path_is_that_of_scikit_learn(blobs):
    """Without a hidden layer, the loss is that of multinomial logistic regression, for every strength at once."""
    task = Regularization(blobs, TaskConfig(width=0))
    model = make_model(task, HyperConfig(hidden="16,32"))
    x, y = blobs.train.x, blobs.train.y
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    generator = torch.Generator().manual_seed(0)
    for step in range(500):
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * (1 - step / 500)
        optimizer.zero_grad()
        loss_at(model, task, (x, y), torch.rand(1, generator=generator)).backward()
        optimizer.step()
    norms = []
    for gamma in (0.2, 0.5, 0.8, 1.0):
        strength = 10 ** (3 * gamma - 4)
        solved = LogisticRegression(C=1 / (strength * len(x)), tol=1e-8, max_iter=10_000).fit(x.numpy(), y.numpy())
        logits = torch.from_numpy(solved.decision_function(x.numpy()))
        best = float(torch.nn.functional.cross_entropy(logits, y)) + strength / 2 * float(np.square(solved.coef_).sum())
        plain = model.instantiate(gamma=gamma)
        found = task.metrics(plain, "train", torch.tensor([gamma]))
        assert best - 1e-6 <= found["loss"] < best + 0.02, "no lower than the minimum, and hardly above it"
        assert found["norm"] == pytest.approx(np.linalg.norm(solved.coef_), rel=0.15)
        norms.append(found["norm"])
    assert norms == sorted(norms, reverse=True)


def test_ellipses_have_the_area_of_ellipses():
    found = make_ellipses(400, 32, seed=0)
    # The mean of pi a b, for semi-axes that are uniform from 0.1 to 0.3 and independent.
    assert float(found.masks.mean()) == pytest.approx(math.pi * 0.2**2, rel=0.05)
    inside = found.images[found.masks > 0]
    assert float(inside.mean()) == pytest.approx(1, abs=0.02)
    assert float(inside.std()) == pytest.approx(0.4, rel=0.05)
    again = make_ellipses(400, 32, seed=0)
    assert torch.equal(again.images, found.images)
    assert not torch.equal(make_ellipses(400, 32, seed=1).masks, found.masks)


def test_gamma_is_the_resolution_of_the_network():
    task = ScaleSpace.of(TaskConfig(width=2, size=16, n_train=30))
    network = task.make_network()
    seen = []
    network.bottom.register_forward_hook(lambda module, args, output: seen.append(tuple(args[0].shape[-2:])))
    x = task.samples("test")[0]
    for gamma in (0.0, 1.0):
        at = torch.tensor([gamma])
        assert factor_of(at) == pytest.approx((0.125, 0.5)[int(gamma)])
        bound = task.bind(network, at)
        direct = network(x, factor=factor_of(at))
        assert torch.equal(bound(x), direct)
        value = task.loss(network, {}, task.samples("test"), at)
        masks = task.samples("test")[1]
        by_hand = torch.nn.functional.softplus(direct) - masks * direct
        assert float(value.detach()) == pytest.approx(float(by_hand.detach().mean()), rel=1e-5)
    assert seen == [(2, 2)] * 3 + [(8, 8)] * 3


def test_chance_and_overlap():
    task = ScaleSpace.of(TaskConfig(width=2, size=16, n_train=30))
    masks = task.samples("train")[1]
    share = masks.mean()
    constant = torch.full_like(masks, float(torch.logit(share)))
    found = torch.nn.functional.binary_cross_entropy_with_logits(constant, masks)
    assert task.failure == pytest.approx(0.95 * float(found), rel=1e-4)

    class Known(UNet):
        def forward(self, x, factor=None):
            return 20 * task.samples("test")[1] - 10

    metrics = task.metrics(Known(1, 1, 2), "test", torch.tensor([0.3]))
    assert metrics["dice"] == 1
    assert metrics["loss"] < 1e-3


def test_classifiers():
    task = load_task("bayes", TaskConfig(dim=3, width=2, n_train=100))
    assert (task.dim, task.sample_shape) == (3, (1, 8, 8))
    assert task.failure == pytest.approx(2.2)
    assert task.target == pytest.approx(0.5)
    network = task.make_network()
    # Three convolutions and an affine layer on 1 x 1 x 8 features.
    n = (9 * 2 + 2) + (2 * 9 * 4 + 4) + (4 * 9 * 8 + 8) + (8 * 10 + 10)
    assert sum(value.numel() for value in network.parameters()) == n
    x, y = task.samples("validation")
    with torch.no_grad():
        logits = network(x)
    found = task.metrics(network, "validation", torch.rand(3))
    assert found["accuracy"] == pytest.approx(float((logits.argmax(1) == y).float().mean()))
    expected = torch.logsumexp(logits, 1) - logits[torch.arange(len(y)), y]
    assert found["loss"] == pytest.approx(float(expected.mean()), rel=1e-5)


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_networks_are_hypernetized_with_any_normalization(norm):
    for network, x in (
        (ConvNet(3, 5, (9, 9), 2, norm), torch.randn(4, 3, 9, 9)),
        (UNet(2, 2, 2, norm), torch.randn(4, 2, 10, 12)),
    ):
        model = hypernetize(network, hidden_sizes=(4,))
        out = model(x, gamma=0.4)
        assert out.shape == ((4, 5) if isinstance(network, ConvNet) else (4, 2, 10, 12))
        torch.testing.assert_close(model.instantiate(gamma=0.4)(x), out)


def test_initial_weights_are_those_of_he_et_al():
    network = ConvNet(1, 10, (28, 28), 64)
    second = network.features[2]
    assert float(second.weight.detach().std()) == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.05)
    assert not second.bias.any()


@pytest.mark.parametrize("parametrization", ["mip", "default", "encoding", "residual"])
def test_registration_begins_near_no_displacement_whatever_predicts_the_weights(parametrization):
    task = load_task("registration", TaskConfig(width=8, n_train=40))
    model = make_model(task, HyperConfig(parametrization))
    for gamma in (0.0, 0.5, 1.0):
        with torch.no_grad():
            flow = model(task.samples("test")[0], gamma=gamma)
        assert float(flow.square().mean().sqrt()) < 0.3 * float(task.samples("test")[1].square().mean().sqrt())


@pytest.mark.parametrize("width", [0, 300])
def test_perceptrons_begin_as_those_of_he_et_al(width, blobs):
    network = Regularization(blobs, TaskConfig(width=width)).make_network()
    first = network.layers[0]
    if width:
        assert float(first.weight.detach().std()) == pytest.approx(math.sqrt(2 / 4), rel=0.1)
    assert not first.bias.any()


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda blobs: Bayes(blobs, TaskConfig()), "takes images"),
        (lambda blobs: Regularization(blobs, TaskConfig(dim=2)), "dim must be 1"),
        (lambda blobs: load_task("registration", TaskConfig(dim=3)), "dim must be 1, not 3"),
        (lambda blobs: load_task("scale-space", TaskConfig(dim=2)), "dim must be 1, not 2"),
        (lambda blobs: load_task("scale-space", TaskConfig(width=0)), "at least 1"),
        (lambda blobs: load_task("bayes", TaskConfig(size=2)), "at least 4 pixels"),
        (lambda blobs: load_task("bayes", TaskConfig("nothing")), "nothing"),
        (lambda blobs: load_task("chess", TaskConfig()), "no task 'chess'"),
    ],
)
def test_what_does_not_fit(make, word, blobs, unchecked):
    with pytest.raises(ValueError, match=word):
        make(blobs)
