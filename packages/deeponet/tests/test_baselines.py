"""The baselines: joined inputs against concatenation, recurrent networks against PyTorch's cells by hand."""

import pytest
import torch
from torch import nn

from deeponet import FNN, JoinedNet, ResNet, Seq2Seq
from separata.training import seeded


def test_a_joined_network_is_a_perceptron_on_the_concatenation():
    with seeded(0):
        network = JoinedNet(5, 2, [8, 8, 3], "tanh")
        plain = FNN([7, 8, 8, 3], "tanh")
    with torch.no_grad():
        for own, layer in zip([network.first, *network.rest.layers], plain.layers, strict=True):
            layer.weight.copy_(own.weight)
            layer.bias.copy_(own.bias)
    u, y = torch.randn(4, 5), torch.randn(6, 2)
    tiled = plain(torch.cat([u.repeat_interleave(6, 0), y.repeat(4, 1)], 1))
    torch.testing.assert_close(network.grid(u, y).reshape(24, 3), tiled)
    torch.testing.assert_close(network(u, y.expand(4, -1, -1)).reshape(24, 3), tiled)
    torch.testing.assert_close(network(u, y[:4]), plain(torch.cat([u, y[:4]], 1)))


def test_a_joined_network_begins_as_glorot_normal_on_the_whole_input():
    with seeded(0):
        network = JoinedNet(600, 400, [500, 1])
    assert float(network.first.weight.std()) == pytest.approx((2 / 1500) ** 0.5, rel=0.02)


def test_one_output_has_the_shapes_of_a_deeponet():
    network = JoinedNet(5, 2, [8, 1])
    u = torch.randn(4, 5)
    assert network(u, torch.rand(4, 2)).shape == (4, 1)
    assert network(u, torch.rand(4, 3, 2)).shape == (4, 3)
    assert network.grid(u, torch.rand(6, 2)).shape == (4, 6)


def test_residual_blocks_add_to_what_they_are_given():
    network = ResNet(5, 2, width=16, n_blocks=2)
    u, y = torch.randn(4, 5), torch.randn(4, 2)
    for block in network.rest[:-1]:
        nn.init.zeros_(block.second.weight)
    hidden = network.first(torch.cat([u, y], 1)).relu()
    torch.testing.assert_close(network(u, y), network.rest[-1](hidden))
    block = network.rest[0]
    nn.init.ones_(block.second.weight)
    torch.testing.assert_close(block(hidden), hidden + block.first(hidden).relu().sum(1, keepdim=True))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_sequences_are_encoded_attended_to_and_decoded(cell):
    with seeded(0):
        network = Seq2Seq(6, 4, hidden_size=3, cell=cell)
        nn.init.normal_(network.attention)
    single = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}[cell]

    def run(layer, inputs):
        step = single(layer.input_size, layer.hidden_size)
        step.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
        state, out = None, []
        for x in inputs:
            state = step(x[None], state)
            out.append(state[0][0] if cell == "lstm" else state[0])
        return out

    u = torch.randn(2, 6)
    for row, found in zip(u, network(u), strict=True):
        states = run(network.encoder, row[:, None])
        weights = network.attention.exp() / network.attention.exp().sum(1, keepdim=True)
        attended = [sum(w * h for w, h in zip(line, states, strict=True)) for line in weights]
        expected = torch.stack([network.readout(h)[0] for h in run(network.decoder, attended)])
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    assert not Seq2Seq(6, 4).attention.any(), "attention is even at first"


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="m=5 sensor values, got 4"):
        JoinedNet(5, 1, [3, 1])(torch.zeros(2, 4), torch.zeros(2, 1))
    with pytest.raises(ValueError, match="d=1 coordinates, got 2"):
        JoinedNet(5, 1, [3, 1]).grid(torch.zeros(2, 5), torch.zeros(2, 2))
    with pytest.raises(ValueError, match="1 functions and points for 4"):
        JoinedNet(5, 1, [3, 1])(torch.zeros(1, 5), torch.zeros(4, 1))
    with pytest.raises(ValueError, match="at least one block"):
        ResNet(5, n_blocks=0)
    with pytest.raises(ValueError, match="knows 4 points, not 3"):
        Seq2Seq(6, 4).grid(torch.zeros(2, 6), torch.zeros(3, 1))
    with pytest.raises(ValueError, match="m=6 sensor values, got 5"):
        Seq2Seq(6, 4)(torch.zeros(2, 5))
    with pytest.raises(ValueError, match="positive"):
        Seq2Seq(0, 4)
