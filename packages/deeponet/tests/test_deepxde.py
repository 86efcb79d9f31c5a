"""Beside DeepXDE's networks with the same weights."""

import pytest
import torch

from deeponet import DeepONet

deepxde = pytest.importorskip("deepxde", reason="DeepXDE is not installed")
# It makes a GPU the default of the whole process.
torch.set_default_device(None)

M, D, P = 20, 2, 12
STRATEGIES = ("independent", "split_both", "split_branch", "split_trunk")


def sizes(strategy, n):
    """Hidden layers of 16, and the last widths that the strategy needs for p = 12."""
    branch = P if strategy in ("independent", "split_trunk") else n * P
    trunk = P if strategy in ("independent", "split_branch") else n * P
    return [M, 16, branch], [D, 16, trunk]


def pairs(network, peer):
    """The linear layers of both, in the order of computation, for one network of each."""
    return list(zip([*network.branch.layers, *network.trunk.layers], [*peer.branch.linears, *peer.trunk.linears]))


def random_weights(peer):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in peer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 3)


def copy_into(network, peer, strategy, n):
    with torch.no_grad():
        if strategy == "independent" and n > 1:
            for part in ("branch", "trunk"):
                for k, other in enumerate(getattr(peer, part)):
                    stack = getattr(network, part)
                    for weight, bias, layer in zip(stack.weights, stack.biases, other.linears):
                        weight[k] = layer.weight.T
                        bias[k, 0] = layer.bias
        else:
            for own, other in pairs(network, peer):
                own.weight.copy_(other.weight)
                own.bias.copy_(other.bias)
        for k, bias in enumerate(peer.b):
            network.bias[k] = bias.reshape(())


@pytest.mark.parametrize("kind", ["rows", "grid"])
@pytest.mark.parametrize(("strategy", "n"), [("independent", 1), *((name, 3) for name in STRATEGIES)])
def test_outputs_are_deepxde_s(kind, strategy, n):
    branch, trunk = sizes(strategy, n)
    make = deepxde.nn.pytorch.DeepONet if kind == "rows" else deepxde.nn.pytorch.DeepONetCartesianProd
    options = {"num_outputs": n, "multi_output_strategy": strategy} if n > 1 else {}
    peer = make(branch, trunk, "relu", "Glorot normal", **options)
    random_weights(peer)
    network = DeepONet(branch, trunk, n_outputs=n, strategy=strategy)
    copy_into(network, peer, strategy, n)
    u, y = torch.rand(9, M), torch.rand(9 if kind == "rows" else 7, D)
    own = network(u, y) if kind == "rows" else network.grid(u, y)
    torch.testing.assert_close(own, peer((u, y)).view_as(own), atol=1e-6, rtol=1e-6)
