"""Dual networks of a user's own `nn.Sequential`."""

import pytest
import torch
from torch import nn

from counter_current import CounterCurrent, CounterCurrentLayer, CounterCurrentNetwork, counter_current


class Snake(nn.Module):
    """An activation function of a stranger's."""

    def forward(self, x):
        return x + torch.sin(x).square()


class Own(nn.Module):
    """A model that is no chain of modules."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        return self.linear(x)


def own_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.2),
        nn.Sequential(nn.Conv2d(6, 8, 3, stride=2, bias=False), Snake()),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 16),
        nn.LayerNorm(16),
        nn.GELU(),
        nn.Linear(16, 3),
    )


def test_a_model_of_one_s_own_has_a_mirror():
    model = own_cnn()
    network = counter_current(model, 3, (1, 17, 17))
    assert network.n_layers == 4
    assert network.shapes == ((1, 17, 17), (6, 6, 6), (8, 2, 2), (16,), (3,))
    x = torch.randn(5, 1, 17, 17)
    network.eval()
    torch.testing.assert_close(network(x), model(x))
    names = [[type(m).__name__ for m in layer.feedback_module] for layer in network.dual_layers()]
    assert names == [
        ["Upsample", "Upsample", "Conv2d"],
        ["Upsample", "Conv2d", "BatchNorm2d", "ReLU"],
        ["Linear", "Unflatten", "Snake"],
        ["Linear", "LayerNorm", "GELU"],
    ]
    assert [a.shape for a in network.activations(x)] == [
        b.shape for b in network.signals(torch.eye(3)[torch.tensor([0, 1, 2, 0, 1])])
    ]


def test_biases_are_mirrored_and_weights_are_the_model_s_own():
    model = own_cnn()
    network = counter_current(model, 3, (1, 17, 17))
    convolutions = [m for layer in network.dual_layers() for m in layer.feedback_module if isinstance(m, nn.Conv2d)]
    assert [m.bias is None for m in convolutions] == [False, True]
    assert set(map(id, network.forward_parameters())) == set(map(id, model.parameters()))
    with torch.no_grad():
        network.forward_parameters()[0].zero_()
    assert not model[0].weight.any()


def test_training_the_network_trains_the_model():
    torch.manual_seed(0)
    x = torch.randn(300, 6)
    labels = (x[:, 0] * x[:, 1] > 0).long()
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    network = counter_current(model, 2)
    rule, optimizer = CounterCurrent(network), torch.optim.SGD(network.parameters(), 1.0)
    for _ in range(200):
        optimizer.zero_grad()
        rule.gradients(x, labels, torch.Generator())
        nn.utils.clip_grad_norm_(network.forward_parameters(), 1.0)
        nn.utils.clip_grad_norm_(network.feedback_parameters(), 1.0)
        optimizer.step()
    assert (model(x).argmax(1) == labels).float().mean() > 0.9


def test_an_autoencoder_of_one_s_own():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(4, 1, 3, padding=1)
    )
    network = counter_current(model, None, (1, 8, 8))
    assert network.shapes == ((1, 8, 8), (4, 8, 8), (1, 8, 8))
    CounterCurrent(network).gradients(torch.rand(3, 1, 8, 8), None, torch.Generator())
    assert all(p.grad is not None for p in network.parameters())


def test_what_flattens_before_anything_else_belongs_to_the_first_layer():
    network = counter_current(nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2)), 2, (3, 2, 2))
    assert network.shapes == ((3, 2, 2), (5,), (2,))


@pytest.mark.parametrize(
    ("model", "shape", "words"),
    [
        (nn.Sequential(nn.ReLU()), (4,), "no linear map"),
        (nn.Sequential(nn.Linear(4, 4), nn.Bilinear(4, 4, 2)), (4,), "does not take|missing"),
        (nn.Sequential(Own()), (4,), "in an nn.Sequential, only Own"),
        (nn.Sequential(nn.Linear(4, 4), nn.LSTM(4, 4)), (4,), "gives no tensor"),
        (nn.Sequential(nn.Linear(4, 4), nn.PReLU(4), nn.Linear(4, 2)), (4,), "PReLU has no mirror"),
        (nn.Sequential(nn.Conv2d(1, 2, 4), nn.Flatten(), nn.LazyLinear(2)), (1, 8, 8), "even kernel"),
        (nn.Sequential(nn.Linear(4, 4), nn.Linear(5, 2)), (4,), "module 1"),
        (nn.Sequential(nn.Linear(4, 3)), (4,), "2 classes"),
        (nn.Sequential(nn.Conv2d(1, 2, 3)), None, "give the shape"),
    ],
)
def test_what_has_no_mirror_is_refused_in_a_sentence(model, shape, words):
    with pytest.raises(ValueError, match=words):
        counter_current(model, 2, shape)


def test_what_has_no_mirror_is_paired_by_hand():
    layers = [
        CounterCurrentLayer(nn.Sequential(nn.Linear(4, 6), nn.PReLU()), nn.Linear(6, 4)),
        CounterCurrentLayer(nn.Linear(6, 2), nn.Sequential(nn.Linear(2, 6), nn.PReLU())),
    ]
    network = CounterCurrentNetwork(layers, 2, (4,))
    CounterCurrent(network).gradients(torch.randn(5, 4), torch.tensor([0, 1, 1, 0, 1]), torch.Generator())
    assert all(p.grad is not None for p in network.parameters())
