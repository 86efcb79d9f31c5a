"""Networks and their learning curves."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from epochwise_descent import CurveTrainer, NetworkConfig, TrainConfig, make_network, resnet18_cifar
from epochwise_descent.training import augmented
from separata.label_noise import noisy_labels
from separata.labeled import LabeledDataset
from separata.models import count_parameters
from separata.training import seeded


def blobs(n=96, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 3
    x = torch.randn(n, 1, 8, 8, generator=generator) * 0.3
    x[torch.arange(n), 0, y, y] += 2
    return LabeledDataset(x, y, ("a", "b", "c"))


CONFIG = TrainConfig(steps=40, lr=5e-3, batch_size=96, label_noise=0.3, n_points=8, n_seeds=2, seed=3)


def test_the_paper_s_network():
    """ResNet-18 for CIFAR-10 has 11,173,962 parameters."""
    assert count_parameters(resnet18_cifar()) == 11_173_962
    assert resnet18_cifar(8)(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_each_network_of_several_is_trained_as_if_alone():
    data, test = blobs(), blobs(seed=1)
    trainer = CurveTrainer(NetworkConfig("mlp", 16), data, test, CONFIG)
    rows = trainer.fit()
    with seeded(4):
        model = make_network(NetworkConfig("mlp", 16), (1, 8, 8), 3)
    labels, drawn = noisy_labels(data.y, 0.3, 3, torch.Generator().manual_seed(4), "permute")
    assert int(drawn.sum()) == round(0.3 * 96)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(40):  # A batch is all there is, in whatever order.
        optimizer.zero_grad()
        cross_entropy(model(data.x), labels).backward()
        optimizer.step()
    with torch.no_grad():
        error = float((model(test.x).argmax(1) != test.y).float().mean())
    assert rows[-1]["test_error_4"] == pytest.approx(error, abs=0.02)
    assert rows[-1]["step"] == 40
    assert rows[-1]["test_error"] < rows[0]["test_error"]


@pytest.mark.parametrize("kind", ["cnn", "resnet18"])
def test_other_networks(kind):
    config = TrainConfig(steps=8, batch_size=32, n_points=8, n_seeds=2, augment=True)
    rows = CurveTrainer(NetworkConfig(kind, 4), blobs(), blobs(seed=1), config).fit()
    assert set(rows[-1]) == {"step", "test_error", "train_error", "test_error_0", "test_error_1"}


def test_images_are_shifted_and_mirrored():
    x = torch.zeros(400, 1, 9, 9)
    x[:, 0, 4, 6] = 1
    found = augmented(x, torch.Generator().manual_seed(0))
    places = found.flatten(1).argmax(1)
    assert int((found.flatten(1).sum(1) == 1).sum()) > 200
    columns = {int(place) % 9 for place, total in zip(places, found.flatten(1).sum(1)) if total}
    assert columns == set(range(9))
    rows = {int(place) // 9 for place, total in zip(places, found.flatten(1).sum(1)) if total}
    assert rows == set(range(9))


def test_what_is_refused():
    data = LabeledDataset(torch.zeros(6, 5), torch.arange(6) % 2, ("a", "b"))
    with pytest.raises(ValueError, match="square images"):
        CurveTrainer(NetworkConfig("cnn", 4), data, data, CONFIG)
    with pytest.raises(ValueError, match="only images"):
        CurveTrainer(NetworkConfig("mlp", 4), data, data, TrainConfig(augment=True))
    for settings, told in (
        ({"label_noise": 1.5}, "between 0 and 1"),
        ({"steps": 0}, "steps must be positive"),
        ({"n_points": 3}, "at least 8 points"),
        ({"weight_decay": -1.0}, "weight decay"),
    ):
        with pytest.raises(ValueError, match=told):
            TrainConfig(**settings)
