"""Two-layer networks: many seeds as one against each alone, and normalization against PyTorch's."""

import numpy as np
import pytest
import torch

from double_descent import DataConfig, NetworkConfig, TwoLayerNet, draw, n_parameters, source_of, train_two_layer
from double_descent.network_sweep import network_sweep


def data(n_seeds=2, n=12, d=4, c=3):
    random = torch.Generator().manual_seed(0)
    x = torch.randn(n_seeds, n, d, generator=random, dtype=torch.float64)
    labels = torch.randint(c, (n_seeds, n), generator=random)
    return x, torch.nn.functional.one_hot(labels, c).double()


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_the_outputs_are_those_of_pytorchs_modules(norm):
    net = TwoLayerNet(4, 6, 3, norm, seed=1)
    x = data()[0][0]
    layers = {"none": torch.nn.Identity(), "batch": torch.nn.BatchNorm1d(6), "layer": torch.nn.LayerNorm(6)}
    expected = torch.nn.Sequential(net.hidden, layers[norm].double(), torch.nn.ReLU(), net.out)(x)
    torch.testing.assert_close(net(x), expected)
    # Of other samples, with the statistics of those for training.
    alone = net(x[:1], x) if norm == "batch" else net(x[:1])
    torch.testing.assert_close(alone, expected[:1])


def test_parameters_are_counted_and_scaled_as_said():
    net = TwoLayerNet(4, 6, 3, init_scale=10.0)
    assert sum(p.numel() for p in net.parameters()) == n_parameters(4, 6, 3) == 6 * 5 + 3 * 7
    large = TwoLayerNet(100, 2000, 3, init_scale=10.0).hidden.weight
    assert float(large.abs().max()) == pytest.approx(1.0, rel=1e-3)
    assert float(large.std()) == pytest.approx(1 / 3**0.5, rel=0.01)


@pytest.mark.parametrize(
    "config",
    [
        NetworkConfig(optimizer="adam", epochs=5, lr=0.01, norm="batch"),
        NetworkConfig(optimizer="momentum", epochs=5, lr=0.05, loss="cross-entropy"),
        NetworkConfig(optimizer="sgd", epochs=3, lr=0.1, batch_size=5, norm="layer"),
    ],
)
def test_each_seed_is_trained_as_if_alone(config):
    x, y = data()
    nets = [TwoLayerNet(4, 6, 3, config.norm, seed=seed) for seed in (0, 1)]
    ((_, ensemble),) = train_two_layer(nets, x, y, config, [0, 1])
    make = torch.optim.Adam if config.optimizer == "adam" else torch.optim.SGD
    momentum = {"momentum": 0.9} if config.optimizer == "momentum" else {}
    for i, net in enumerate(nets):
        optimizer = make(net.parameters(), config.rate, **momentum)
        random = torch.Generator().manual_seed(i)
        for _ in range(config.epochs):
            order = torch.randperm(12, generator=random) if config.batch_size else torch.arange(12)
            for index in order.split(config.batch_size or 12):
                optimizer.zero_grad()
                outputs = net(x[i][index])
                loss = (
                    (outputs - y[i][index]).square().sum() / (2 * len(index))
                    if config.loss == "mse"
                    else torch.nn.functional.cross_entropy(outputs, y[i][index].argmax(1))
                )
                loss.backward()
                optimizer.step()
        trained = ensemble.members()[i]
        for one, other in zip(trained.parameters(), net.parameters(), strict=True):
            torch.testing.assert_close(one, other, atol=1e-9, rtol=0)


def test_a_sweep_of_networks_knows_its_threshold_and_its_kernel():
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 4))
    samples = draw(source_of(x, (x[:, 0] > 0).astype(int)), DataConfig(n_train=20, validation=0.5), [0, 1])
    config = NetworkConfig(epochs=10, optimizer="adam")
    found = network_sweep(samples, [2, 5], {"Adam": config}, [0, 10], kernel=True)
    assert found.threshold == 40
    assert found.widths == [2 * 5 + 2 * 3, 5 * 5 + 2 * 6]
    before, after = (found.curve(one, "train_mse") for one in found.series)
    assert (after < before).all()
    first = next(row for row in found.rows if row["seed"] == 1 and row["width"] == 5 and row["steps"] == 0)
    net = TwoLayerNet(4, 5, 2, seed=1)
    outputs = net(samples.x_test[1])
    assert first["test_mse"] == pytest.approx(float((outputs - samples.y_test[1]).square().mean()))
    hidden = net.features(samples.x[1]).detach()
    s = torch.linalg.svdvals(hidden)
    s = s[s > 1e-12 * s[0]]
    assert first["condition_number"] == pytest.approx(float(s[0] / s[-1]))
    assert first["kernel_condition_number"] > 1
    assert first["gradient_norm"] > 0


def test_errors_of_networks_trained_by_cross_entropy_are_those_of_probabilities():
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 4))
    samples = draw(source_of(x, (x[:, 0] > 0).astype(int)), DataConfig(n_train=20), [3])
    config = NetworkConfig(epochs=0, loss="cross-entropy", init_scale=30.0)
    (row,) = network_sweep(samples, [5], config).rows
    net = TwoLayerNet(4, 5, 2, init_scale=30.0, seed=3)
    outputs = net(samples.x_test[0]).softmax(1)
    assert row["test_mse"] == pytest.approx(float((outputs - samples.y_test[0]).square().mean()))
    assert row["test_mse"] <= 1 < float(net(samples.x_test[0]).abs().max())


def test_features_that_are_all_zero_have_no_condition_number(monkeypatch):
    x = -np.abs(np.random.default_rng(0).normal(size=(60, 4)))
    samples = draw(source_of(x, np.arange(60) % 2), DataConfig(n_train=20), [0, 1])
    positive = TwoLayerNet.__init__

    def dead(self, *args):
        positive(self, *args)
        if args[-1] == 1:
            with torch.no_grad():
                self.hidden.weight.abs_()
                self.hidden.bias.fill_(-1.0)

    monkeypatch.setattr(TwoLayerNet, "__init__", dead)
    alive, gone = network_sweep(samples, [5], NetworkConfig(epochs=0)).rows
    assert alive["condition_number"] >= 1
    assert np.isnan(gone["condition_number"])


def test_trainings_that_cannot_be_are_refused():
    x, y = data()
    nets = [TwoLayerNet(4, 6, 3, seed=seed) for seed in (0, 1)]
    with pytest.raises(ValueError, match="larger than the 12 samples"):
        list(train_two_layer(nets, x, y, NetworkConfig(batch_size=13), [0, 1]))
    with pytest.raises(ValueError, match="diverges"):
        list(train_two_layer(nets, x, y, NetworkConfig(optimizer="gd", lr=1e6, epochs=200), [0, 1]))
    with pytest.raises(ValueError, match="must be positive"):
        TwoLayerNet(4, 0, 3)
    with pytest.raises(ValueError, match="must be positive"):
        NetworkConfig(lr=-1.0)
