"""Dual networks: locality bit for bit, the feedback of the classes, and the shapes of every published network."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import elu

from counter_current import (
    CounterCurrent,
    CounterCurrentLinear,
    CounterCurrentNetwork,
    DataShape,
    NetworkConfig,
    Standardize,
    make_mlp,
    make_network,
    make_rule,
    preset,
)
from counter_current.configs import PRESETS


def gradients(network, x, y, rule=None):
    network.zero_grad()
    (rule or CounterCurrent(network)).gradients(x, y, torch.Generator())
    return [None if p.grad is None else p.grad.clone() for p in network.forward_parameters()]


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(12, 8, generator=generator), torch.randint(4, (12,), generator=generator)


def test_a_weight_s_gradient_does_not_depend_on_the_forward_weights_above_it(batch):
    network = make_mlp([8, 7, 6, 5, 4])
    before = gradients(network, *batch)
    for number in range(4):
        changed = make_mlp([8, 7, 6, 5, 4])
        changed.load_state_dict(network.state_dict())
        for layer in list(changed.dual_layers())[number + 1 :]:
            nn.init.normal_(layer.forward_module[0].weight)
        after = gradients(changed, *batch)
        assert torch.equal(after[number], before[number])


def test_with_back_propagation_it_does(batch):
    network = make_mlp([8, 7, 6, 5, 4])
    rule = make_rule(network, preset(rule="bp"))
    before = gradients(network, *batch, rule)
    nn.init.normal_(list(network.dual_layers())[-1].forward_module[0].weight)
    after = gradients(network, *batch, rule)
    assert not any(torch.allclose(a, b) for a, b in zip(after, before, strict=True))


def test_each_pair_reaches_the_weights_of_its_own_two_layers_only(batch):
    network = make_mlp([8, 7, 6, 4])
    activations, signals = network.activations(batch[0]), network.class_signals()
    forward, feedback = network.forward_parameters(), network.feedback_parameters()
    for k in range(3):
        loss = (activations[k] @ signals[k].T).square().sum()
        reached = torch.autograd.grad(loss, [*forward, *feedback], allow_unused=True, retain_graph=True)
        places = [i for i, gradient in enumerate(reached) if gradient is not None]
        # Weight l makes a_l (place l - 1), and V_l makes b_{l-1}: pair k trains U_k and V_{k+1}.
        assert places == ([k - 1] if k else []) + [len(forward) + k]


def test_the_feedback_of_the_classes_begins_with_the_columns_of_its_weights():
    network = make_mlp([8, 7, 6, 4])
    v = list(network.dual_layers())[-1].feedback_module[0].weight
    torch.testing.assert_close(network.class_signals()[-2], elu(v.T))
    torch.testing.assert_close(network.class_signals()[-1], torch.eye(4))


def test_label_signals_are_the_class_signals_of_the_labels():
    network, labels = make_mlp([8, 7, 4]), torch.tensor([3, 0, 3])
    for ours, classes in zip(network.label_signals(labels), network.class_signals(), strict=True):
        torch.testing.assert_close(ours, classes[labels])


def small(name):
    """A published network with few channels."""
    config = preset(name).network
    widths = {"mlp": "9,8", "autoencoder": "4,6"}.get(config.architecture, "4,5,6")
    return replace(config, widths=widths)


@pytest.mark.parametrize("norm", ["none", "before", "after"])
@pytest.mark.parametrize("name", PRESETS)
def test_both_directions_have_the_same_shapes(name, norm):
    config = replace(small(name), norm=norm)
    n_classes = None if config.architecture == "autoencoder" else 5
    network = make_network(config, DataShape((3, 16, 16), n_classes))
    x = torch.rand(2, 3, 16, 16)
    there = network.activations(x)
    back = network.signals(x if n_classes is None else torch.eye(5)[:2])
    assert [a.shape for a in there] == [b.shape for b in back]
    assert tuple(tuple(a.shape[1:]) for a in there) == network.shapes


@pytest.mark.parametrize("size", [7, 13, 28])
@pytest.mark.parametrize("architecture", ["cnn", "strided-cnn"])
def test_convolutional_networks_take_images_of_any_size(architecture, size):
    network = make_network(NetworkConfig(architecture, "3,4"), DataShape((1, size, size), 3))
    assert network(torch.rand(2, 1, size, size)).shape == (2, 3)


def test_the_published_networks():
    mlp = make_network(preset("mnist-mlp").network, DataShape((1, 28, 28), 10))
    assert [tuple(p.shape) for p in mlp.forward_parameters()] == [(256, 784), *[(256, 256)] * 4, (10, 256)]
    with torch.device("meta"):
        cnn = make_network(preset("cifar10-cnn").network, DataShape((3, 32, 32), 10))
        autoencoder = make_network(preset("stl10-ae").network, DataShape((3, 96, 96), None))
    assert [shape[0] for shape in cnn.shapes] == [3, 128, 128, 256, 256, 512, 10]
    assert cnn.shapes[-2] == (512, 1, 1)
    assert [shape[0] for shape in autoencoder.shapes] == [3, 128, 256, 1024, 2048, 1024, 256, 128, 3]
    assert autoencoder.shapes[4] == (2048, 6, 6)


def test_an_autoencoder_begins_with_orthogonal_encoders_and_a_decoder_of_nothing():
    network = make_network(small("stl10-ae"), DataShape((1, 8, 8), None))
    layers = list(network.dual_layers())
    kernel = layers[1].forward_module[0].weight.flatten(1)
    torch.testing.assert_close(kernel @ kernel.T, torch.eye(6), atol=1e-5, rtol=0)
    # More inputs than outputs: each input has a filter orthogonal to the others'.
    narrow = layers[2].feedback_module[0].weight.detach().transpose(0, 1).flatten(1)
    assert narrow.shape[0] == 4 or narrow.shape[0] == 6
    assert not layers[-1].forward_module[1].weight.any()
    assert not layers[0].feedback_module[1].weight.any()
    decoder = layers[2].forward_module[1].weight
    assert 0 < decoder.abs().max() <= 1e-3
    assert layers[-1].forward_module[1].bias is not None
    assert not network(torch.rand(3, 1, 8, 8)).any(), "biases are zero, too"


def test_biases_of_convolutions_begin_at_zero():
    network = make_network(small("mnist-cnn"), DataShape((1, 12, 12), 3))
    biases = [p for p in network.parameters() if p.ndim == 1]
    assert len(biases) == 6
    assert not any(map(torch.any, biases))


def test_the_forward_network_alone_is_plain_and_equal():
    config = replace(small("cifar10-cnn"), norm="before", standardize=False)
    network = make_network(config, DataShape((1, 12, 12), 3)).eval()
    plain = network.plain()
    assert all(type(module).__module__.startswith("torch.nn") for module in plain)
    x = torch.rand(5, 1, 12, 12)
    torch.testing.assert_close(plain(x), network(x))
    assert len(plain.state_dict()) < len(network.state_dict())
    plain[1].weight.data.zero_()
    assert network.forward_parameters()[0].any(), "the copy shares nothing"


def test_standardization_has_a_mean_for_each_channel_or_feature():
    images = 3 + 2 * torch.randn(500, 3, 4, 4)
    module = Standardize((3, 4, 4))
    module.fit(images)
    torch.testing.assert_close(module.mean.flatten(), images.transpose(0, 1).flatten(1).mean(1))
    z = module(images)
    torch.testing.assert_close(z.transpose(0, 1).flatten(1).std(1, correction=0), torch.ones(3))
    features = torch.cat([torch.randn(50, 2), torch.full((50, 1), 7.0)], 1)
    module = Standardize((3,))
    module.fit(features)
    assert module(features)[:, 2].abs().max() == 0
    torch.testing.assert_close(module(features)[:, :2].mean(0), torch.zeros(2), atol=1e-6, rtol=0)


def test_what_does_not_fit_is_refused():
    layers = [CounterCurrentLinear(8, 7), CounterCurrentLinear(6, 4)]
    with pytest.raises(ValueError, match="layer 2 does not take samples of shape 7"):
        CounterCurrentNetwork(layers, 4)
    with pytest.raises(ValueError, match="at least 2 classes, not 1"):
        CounterCurrentNetwork(layers[:1], 1)
    with pytest.raises(ValueError, match="5 classes"):
        CounterCurrentNetwork(layers[:1], 5)
    with pytest.raises(ValueError, match="at least one layer"):
        CounterCurrentNetwork([], 4)
    with pytest.raises(ValueError, match="no classes"):
        make_network(small("stl10-ae"), DataShape((1, 8, 8), None)).class_signals()
    with pytest.raises(ValueError, match="multiples of 4, not 10 x 10"):
        make_network(small("stl10-ae"), DataShape((1, 10, 10), None))
    with pytest.raises(ValueError, match="can be halved 2 times, not 3"):
        make_network(small("cifar10-cnn"), DataShape((1, 4, 4), 3))
    with pytest.raises(ValueError, match="takes images"):
        make_network(small("cifar10-cnn"), DataShape((16,), 3))
