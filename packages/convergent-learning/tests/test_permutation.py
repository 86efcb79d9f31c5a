"""Permuting, aligning and averaging networks: outputs must not change, and planted orders must be found."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import prune

from convergent_learning import (
    align,
    average,
    collect,
    interpolation_path,
    match_units,
    permutation_groups,
    permute_model,
    reestimate_batchnorm,
    weight_matching,
)
from separata import models, training


class Block(nn.Module):
    """A residual block with a projection, functional calls, and a gate for each channel."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.depthwise = nn.Conv2d(n_out, n_out, 3, padding=1, groups=n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 1)
        self.gate = nn.Conv2d(n_out, n_out, 1)
        self.shortcut = nn.Conv2d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.conv2(self.depthwise(y))
        y = y * torch.sigmoid(self.gate(functional.adaptive_avg_pool2d(y, 1)))
        return functional.relu(y + self.shortcut(x))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.one, self.two = Block(6, 6), Block(6, 8)
        self.fc = nn.Linear(8 * 16, 10)
        self.norm1d = nn.BatchNorm1d(10)
        self.out = nn.Linear(10, 4)

    def forward(self, x):
        x = self.two(self.one(functional.relu(self.norm(self.stem(x)))))
        x = functional.max_pool2d(x, 2)
        return self.out(torch.tanh(self.norm1d(self.fc(x.view(x.size(0), -1)))))


class Dense(nn.Module):
    """Channels are concatenated, as in DenseNet."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, padding=1)
        self.norm = nn.BatchNorm2d(9)
        self.c = nn.Conv2d(9, 6, 1)
        self.act = nn.PReLU(6)
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        a = torch.relu(self.a(x))
        return self.head(self.act(self.c(self.norm(torch.cat([a, self.b(a)], 1)))).mean((2, 3)))


class Mixer(nn.Module):
    """A residual MLP over tokens, with LayerNorm and a layer that is used twice."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Linear(3, 6), nn.LayerNorm(6)
        self.up, self.down, self.head = nn.Linear(6, 9), nn.Linear(9, 6), nn.Linear(6, 2)

    def forward(self, x):
        x = self.embed(x)
        for _ in range(2):
            x = x + self.down(functional.gelu(self.up(self.norm(x))))
        return self.head(x)


IMAGES = (5, 3, 8, 8)
NETWORKS = {
    "residual": (Residual, IMAGES),
    "dense": (Dense, IMAGES),
    "mixer": (Mixer, (5, 7, 3)),
    "mlp": (lambda: models.MLP((3, 8, 9, 4)), (5, 3)),
    "cnn": (lambda: models.SmallCNN(3, 4, 8, width=4), IMAGES),
    "resnet": (lambda: models.ResNet(8, width=4), IMAGES),
    "transposed": (lambda: nn.Sequential(nn.Conv2d(3, 5, 2), nn.ReLU(), nn.ConvTranspose2d(5, 6, 2), nn.GroupNorm(1, 6),
                                         nn.Flatten(), nn.Dropout(), nn.Linear(6 * 64, 2)), IMAGES),
}  # fmt: skip


def made(name, seed=0):
    """A network with nothing at its initial value: statistics and scales differ from unit to unit."""
    make, shape = NETWORKS[name]
    with training.seeded(seed):
        net = make().double()
        for tensor in [*net.parameters(), *net.buffers()]:
            if tensor.is_floating_point():
                tensor.data = torch.rand_like(tensor) * 0.5 + 0.1 * (torch.rand_like(tensor) < 0.5)
        for parameter in net.parameters():
            parameter.data += -0.28 if parameter.ndim > 1 else 0.2
        x = torch.randn(*shape, dtype=torch.float64)
    return net.eval(), x


def random_orders(net, seed=1):
    generator = torch.Generator().manual_seed(seed)
    free = [group for group in permutation_groups(net) if not group.fixed]
    return {group.layers[0]: torch.randperm(group.size, generator=generator) for group in free}


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_stay_and_the_order_can_be_undone(name):
    net, x = made(name)
    orders = random_orders(net)
    assert orders
    permuted = permute_model(net, orders)
    torch.testing.assert_close(permuted(x), net(x), atol=1e-9, rtol=1e-9)
    assert permuted.state_dict().keys() == net.state_dict().keys()
    back = permute_model(permuted, {layer: torch.argsort(order) for layer, order in orders.items()})
    for (key, was), now in zip(net.state_dict().items(), back.state_dict().values(), strict=True):
        assert torch.equal(was, now), key
    moved = [key for key, was in net.state_dict().items() if not torch.equal(was, permuted.state_dict()[key])]
    assert len(moved) >= len(orders)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_order_that_reaches_one_parameter_less_changes_the_outputs(name):
    """So that the test above can fail: every parameter that is moved has to be."""
    net, x = made(name)
    permuted = permute_model(net, random_orders(net))
    for group in permutation_groups(net):
        if not group.fixed:
            key, _ = group.parameters[-1]
            broken = copy.deepcopy(permuted)
            broken.load_state_dict(permuted.state_dict() | {key: net.state_dict()[key]})
            assert not torch.allclose(broken(x), net(x), atol=1e-9)


def test_the_units_are_in_the_order_that_was_asked_for():
    net, x = made("cnn")
    order = torch.tensor([2, 0, 3, 1])
    permuted = permute_model(net, {"features.0": order})
    torch.testing.assert_close(permuted.features[:3](x), net.features[:3](x)[:, order])


def test_a_residual_stream_is_one_group():
    groups = {group.layers[0]: group for group in permutation_groups(made("residual")[0])}
    stem = groups["stem"]
    assert {"stem", "norm", "one.conv2", "one.gate"} <= set(stem.layers)
    assert ("two.conv1.weight", 1) in stem.parameters
    assert ("norm.running_var", 0) in stem.parameters
    assert {"two.shortcut", "two.conv2"} <= set(groups["two.conv2"].layers)
    assert groups["out"].fixed == "its units are the network's outputs"
    assert sum(not group.fixed for group in groups.values()) == 5


def test_a_residual_network_of_torchvision():
    torchvision = pytest.importorskip("torchvision")
    with training.seeded(0):
        net = torchvision.models.resnet18(num_classes=5).double().eval()
        x = torch.randn(2, 3, 33, 33, dtype=torch.float64)
    permuted = permute_model(net, random_orders(net))
    torch.testing.assert_close(permuted(x), net(x), atol=1e-8, rtol=1e-8)
    assert [group.layers[0] for group in permutation_groups(net) if group.fixed] == ["fc"]


class Odd(nn.Module):
    """Units pass through what permutations do not commute with."""

    def __init__(self, how):
        super().__init__()
        self.conv, self.linear, self.how = nn.Conv2d(3, 8, 1), nn.Linear(8, 8), how
        self.scale = nn.Parameter(torch.rand(8, 1, 1))
        self.lrn, self.grouped, self.groups = nn.LocalResponseNorm(3), nn.Conv2d(8, 8, 1, groups=2), nn.GroupNorm(2, 8)

    def forward(self, x):
        y = self.conv(x)
        tied = functional.conv2d(y, self.conv.weight[:, :1].expand(8, 8, 1, 1)) if self.how == "tied" else y
        return {
            "scale": lambda: y * self.scale,
            "lrn": lambda: self.lrn(y),
            "grouped": lambda: self.grouped(y),
            "group norm": lambda: self.groups(y),
            "width": lambda: self.linear(y),
            "slice": lambda: y[:, :4],
            "cumsum": lambda: y.cumsum(1),
            "mean": lambda: y.mean((1, 2)),
            "tied": lambda: tied,
            "transpose": lambda: y.transpose(1, 3),
            "plus input": lambda: self.linear(x.sum(1)) + y.mean((2, 3))[:, None],
        }[self.how]().sum()


@pytest.mark.parametrize(
    "how",
    ["scale", "lrn", "grouped", "group norm", "width", "slice", "cumsum", "mean", "tied", "transpose", "plus input"],
)
def test_units_that_pass_through_anything_else_are_fixed(how):
    with training.seeded(0):
        net = Odd(how).eval()
    (conv,) = [group for group in permutation_groups(net) if "conv" in group.layers]
    assert conv.fixed
    with pytest.raises(ValueError, match="cannot be permuted"):
        permute_model(net, {"conv": torch.arange(8).flip(0)})
    assert permute_model(net, {"conv": torch.arange(8)}) is not net


def lambda_net(forward, **layers):
    """A network from a function of itself and its input."""

    class Made(nn.Module):
        def __init__(self):
            super().__init__()
            for name, layer in layers.items():
                self.add_module(name, layer)

        def forward(self, x):
            return forward(self, x)

    return Made()


STRANGERS = {
    "weight read transposed": (
        lambda: lambda_net(
            lambda net, x: functional.linear(torch.relu(net.mid(torch.relu(net.a(x)))), net.mid.weight.t()),
            a=nn.Linear(3, 6), mid=nn.Linear(6, 4),
        ), (5, 3)),
    "weight read after its layer": (
        lambda: lambda_net(lambda net, x: net.out(net.a(x)) + net.out.weight @ torch.arange(6.0).double(),
                           a=nn.Linear(3, 6), out=nn.Linear(6, 2)), (5, 3)),
    "mT": (lambda: lambda_net(lambda net, x: net.out(net.tokens(net.a(x).mT).mean(-1)),
                              a=nn.Linear(3, 6), tokens=nn.Linear(7, 4), out=nn.Linear(6, 2)), (5, 7, 3)),
    "channels in the batch": (
        lambda: lambda_net(lambda net, x: net.out(net.a(x).view(x.size(0) * 4, -1)).view(x.size(0), -1),
                           a=nn.Conv2d(3, 4, 1), out=nn.Linear(64, 2)), IMAGES),
    "maxout": (lambda: nn.Sequential(nn.Conv2d(3, 6, 1), nn.MaxPool3d((3, 1, 1), 1, (1, 0, 0)), nn.Conv2d(6, 2, 1)),
               IMAGES),
    "mean of two axes of three": (lambda: lambda_net(lambda net, x: net.out(net.a(x).mean((2, 3))),
                                                     a=nn.Conv3d(3, 4, 1), out=nn.Linear(4, 2)), (2, 3, 4, 4, 4)),
    "weight norm": (lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 5)), nn.Linear(5, 2)),
                    (5, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGERS)
def test_what_only_looks_like_a_chain_of_units_keeps_its_order(name):
    make, shape = STRANGERS[name]
    with training.seeded(0):
        net, x = make().double().eval(), torch.randn(*shape, dtype=torch.float64)
        groups = {layer: group.fixed for group in permutation_groups(net) for layer in group.layers}
        assert all(fixed for layer, fixed in groups.items() if layer in {"a", "0"})
        torch.testing.assert_close(permute_model(net, random_orders(net))(x), net(x))


def test_the_mean_over_all_pixels_is_followed_however_many_axes_they_have():
    for conv, shape, dims in (
        (nn.Conv1d(3, 4, 1), (2, 3, 5), -1), (nn.Conv3d(3, 4, 1), (2, 3, 4, 4, 4), (2, 3, -1)),
    ):  # fmt: skip
        net = lambda_net(lambda net, x, dims=dims: net.out(net.a(x).mean(dims)), a=conv, out=nn.Linear(4, 2))
        x = torch.randn(*shape)
        torch.testing.assert_close(permute_model(net, {"a": torch.tensor([2, 0, 3, 1])})(x), net(x))


def test_units_of_pruned_layers_stay_and_a_network_that_cannot_be_copied_says_so():
    net = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 4), nn.Linear(4, 2))
    prune.l1_unstructured(net[0], "weight", 0.5)
    with pytest.raises(ValueError, match="make its weights parameters again"):
        permute_model(net, {"1": torch.arange(4).flip(0)})
    prune.remove(net[0], "weight")
    assert [group.fixed for group in permutation_groups(net)][:2] == ["", ""]


def test_alignment_of_convolutions_over_a_length_as_long_as_wide():
    with training.seeded(0):
        net = nn.Sequential(nn.Conv1d(3, 7, 1), nn.ReLU(), nn.Flatten(), nn.Linear(49, 2)).eval()
        x = torch.randn(100, 3, 7)
    shuffled = permute_model(net, random_orders(net))
    found = align(net, shuffled, [x])
    assert torch.equal(found.model[0].weight, net[0].weight)


def test_bad_orders_are_refused():
    net, _ = made("residual")
    for orders, message in [
        ({"nowhere": torch.arange(3)}, "no units to permute"),
        ({"stem": torch.arange(5)}, "permutation of its 6 units"),
        ({"stem": torch.tensor([0, 0, 1, 2, 3, 4])}, "permutation of its 6 units"),
        ({"out": torch.tensor([1, 0, 2, 3])}, "network's outputs"),
        ({"stem": torch.arange(6).flip(0), "one.conv2": torch.arange(6)}, "another order"),
    ]:
        with pytest.raises(ValueError, match=message):
            permute_model(net, orders)

    class Dynamic(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(ValueError, match=r"torch\.fx cannot trace"):
        permutation_groups(Dynamic())


@pytest.mark.parametrize(("name", "seed"), [("residual", 0), ("dense", 0), ("cnn", 2), ("mixer", 0)])
def test_alignment_undoes_a_permutation(name, seed):
    """With seeds without dead units, which have no partner to be known by."""
    net, x = made(name, seed)
    shuffled = permute_model(net, random_orders(net))
    x = torch.randn(64, *x.shape[1:], generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    found = align(net, shuffled, x.split(32))
    for matching in found.matchings.values():
        assert matching.mean == pytest.approx(1, abs=1e-6)
    for key, tensor in net.state_dict().items():
        torch.testing.assert_close(found.model.state_dict()[key], tensor, msg=key)
    for layer, order in weight_matching(net, shuffled).items():
        aligned = permute_model(shuffled, {layer: order})
        torch.testing.assert_close(aligned(x), net(x), atol=1e-9, rtol=1e-9)


def test_weights_alone_undo_a_permutation():
    with training.seeded(0):
        net = models.SmallCNN(1, 4, 8, width=8)
    shuffled = permute_model(net, random_orders(net))
    found = permute_model(shuffled, weight_matching(net, shuffled))
    for key, tensor in net.state_dict().items():
        assert torch.equal(found.state_dict()[key], tensor)


def test_only_networks_of_one_architecture_are_aligned():
    with pytest.raises(ValueError, match="same architecture"):
        align(models.MLP((2, 3, 1)), models.MLP((2, 4, 1)), [torch.zeros(4, 2)])
    with pytest.raises(ValueError, match="no layer of the network can be permuted"):
        align(nn.Linear(2, 2), nn.Linear(2, 2), [torch.zeros(4, 2)])


def test_averages_are_those_of_the_parameters():
    nets = [made("residual", seed)[0] for seed in (0, 1, 2)]
    nets[0].norm.num_batches_tracked.fill_(5)
    merged = average(nets, [1, 1, 2])
    for key, tensor in merged.state_dict().items():
        parts = [net.state_dict()[key] for net in nets]
        expected = (parts[0] + parts[1] + 2 * parts[2]) / 4 if tensor.is_floating_point() else parts[0]
        torch.testing.assert_close(tensor, expected)
    with pytest.raises(ValueError, match="network 1 differs in"):
        average([nets[0], made("dense")[0]])
    with pytest.raises(ValueError, match="as many weights"):
        average(nets, [1, 2])
    with pytest.raises(ValueError, match="finite sum"):
        average(nets, [math.nan] * len(nets))
    with pytest.raises(ValueError, match="no network"):
        average([])


def test_the_average_of_an_aligned_copy_is_the_network_and_that_of_an_unaligned_one_is_not():
    net, x = made("cnn")
    shuffled = permute_model(net, random_orders(net))
    data = torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    aligned = align(net, shuffled, [data]).model
    torch.testing.assert_close(average([net, aligned])(x), net(x))
    assert not torch.allclose(average([net, shuffled])(x), net(x), rtol=0.01)


def test_batchnorm_sees_the_data_again():
    with training.seeded(0):
        net = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5)).double().train()
        x = torch.randn(60, 3, dtype=torch.float64) * 4 + 2
    reestimate_batchnorm(net, x.split(20))
    torch.testing.assert_close(net[0].running_mean, x.mean(0))
    variances = torch.stack([part.var(0) for part in x.split(20)]).mean(0)
    torch.testing.assert_close(net[0].running_var, variances)
    assert net[1].training
    assert net[0].momentum == 0.1
    with pytest.raises(ValueError, match="no batch"):
        reestimate_batchnorm(net, [])


def test_a_path_goes_from_one_network_to_the_other():
    a, b = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    a.weight.data.fill_(1)
    b.weight.data.fill_(3)
    path = interpolation_path(a, b, lambda net: net.weight.item(), 5)
    assert path == [(0, 1), (0.25, 1.5), (0.5, 2), (0.75, 2.5), (1, 3)]
    with pytest.raises(ValueError, match="2 or more points"):
        interpolation_path(a, b, lambda net: 0.0, 1)


def test_a_networks_matching_with_itself_in_another_order():
    net, x = made("cnn")
    order = torch.tensor([2, 0, 3, 1])
    shuffled = permute_model(net, {"features.0": order})
    stats = collect([shuffled, net], torch.randn(50, *x.shape[1:], dtype=torch.float64).split(10), ["features.0"])
    matching = match_units(stats.cross("features.0"))
    assert matching.index.tolist() == order.tolist()
    assert matching.mean == pytest.approx(1, abs=1e-9)
