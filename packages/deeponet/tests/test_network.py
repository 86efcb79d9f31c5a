"""DeepONets: rows against the grid, stacked against separate networks, strategies against sums, and refusals."""

import pytest
import torch
from torch import nn

from deeponet import FNN, DeepONet, StackedBranch, StackedMLP
from deeponet.fnn import check_points
from separata.training import seeded

M, D, P = 7, 2, 6
STRATEGIES = ("independent", "split_both", "split_branch", "split_trunk")


def sizes(strategy, n):
    """Hidden layers of 5, and the last widths that the strategy needs for p = 6."""
    branch = P if strategy in ("independent", "split_trunk") else n * P
    trunk = P if strategy in ("independent", "split_branch") else n * P
    return [M, 5, branch], [D, 5, trunk]


def make(strategy="independent", n=1, **options):
    with seeded(0):
        network = DeepONet(*sizes(strategy, n), n_outputs=n, strategy=strategy, **options)
        if network.bias is not None:
            nn.init.normal_(network.bias)
    return network.double()


@pytest.fixture
def points():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(4, M, generator=generator).double(), torch.randn(3, D, generator=generator).double()


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_grid_is_the_rows_of_the_tiled_product(strategy, n, stacked, points):
    network = make(strategy, n, stacked=stacked)
    u, y = points
    rows = network(u.repeat_interleave(3, 0), y.repeat(4, 1))
    assert rows.shape == (12, n)
    grid, own = network.grid(u, y), network(u, y.expand(4, -1, -1))
    assert grid.shape == own.shape == ((4, 3) if n == 1 else (4, 3, n))
    torch.testing.assert_close(grid.reshape(12, n), rows)
    torch.testing.assert_close(own.reshape(12, n), rows)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_output_is_the_sum_over_its_features(strategy, points):
    n, network = 3, make(strategy, 3)
    u, y = points
    with torch.no_grad():
        b, t, bias, values = network.branch(u), network.trunk(y), network.bias.tolist(), network.grid(u, y)
    for i in range(4):
        for j in range(3):
            for k in range(n):
                mine = slice(k * P, (k + 1) * P)
                of_b = b[i] if strategy == "split_trunk" else b[i, mine]
                of_t = t[j] if strategy == "split_branch" else t[j, mine]
                expected = sum(float(x) * float(z) for x, z in zip(of_b, of_t, strict=True)) + bias[k]
                assert float(values[i, j, k]) == pytest.approx(expected, rel=1e-12)


def test_independent_outputs_are_those_of_networks_by_themselves(points):
    whole = make("independent", 2)
    for k in range(2):
        alone = make()
        for part, stack in ((alone.branch, whole.branch), (alone.trunk, whole.trunk)):
            copy(part, stack, k)
        nn.init.constant_(alone.bias, float(whole.bias[k]))
        torch.testing.assert_close(alone.grid(*points), whole.grid(*points)[..., k])


def copy(network: FNN, stack: StackedMLP, k: int) -> None:
    """Give a network the weights of one of a stack."""
    with torch.no_grad():
        for layer, weight, bias in zip(network.layers, stack.weights, stack.biases, strict=True):
            layer.weight.copy_(weight[k].T)
            layer.bias.copy_(bias[k, 0])


def test_a_stacked_branch_is_p_separate_networks(points):
    stack = StackedBranch([M, 5, 4, P], "tanh").double()
    for bias in stack.biases:
        nn.init.normal_(bias)
    separate = [FNN([M, 5, 4, 1], "tanh").double() for _ in range(P)]
    for k, network in enumerate(separate):
        copy(network, stack, k)
    u, _ = points
    torch.testing.assert_close(stack(u), torch.cat([network(u) for network in separate], 1))


@pytest.mark.parametrize("strategy", ["split_both", "split_branch", "split_trunk", "independent"])
def test_one_output_is_plain_whatever_the_strategy(strategy, points):
    torch.testing.assert_close(make(strategy).grid(*points), make().grid(*points))


def test_forms_of_a_network_by_hand():
    """relu branch without activation at the end, relu trunk with it: G = (2 relu(u) - 1) relu(-y) + b0."""
    network = DeepONet([1, 1, 1], [1, 1], activation="relu")
    with torch.no_grad():
        for layer, weight, bias in zip(
            [*network.branch.layers, *network.trunk.layers], [1.0, 2.0, -1.0], [0.0, -1.0, 0.0], strict=True
        ):
            layer.weight.fill_(weight)
            layer.bias.fill_(bias)
        network.bias.fill_(0.5)
    u, y = torch.tensor([[-3.0], [4.0]]), torch.tensor([[-2.0], [5.0]])
    torch.testing.assert_close(network.grid(u, y), torch.tensor([[-1.5, 0.5], [14.5, 0.5]]))


def test_parameters_are_counted_as_in_the_paper():
    network = DeepONet([100, 40, 40], [1, 40, 40])
    assert sum(parameter.numel() for parameter in network.parameters()) == 7401
    assert "bias" not in dict(DeepONet([100, 40, 40], [1, 40, 40], bias=False).named_parameters())


def test_a_stacked_branch_without_bias_has_none_in_its_last_layer():
    network = DeepONet([M, 5, P], [D, P], stacked=True, bias=False)
    assert [tuple(bias.shape) for bias in network.branch.biases] == [(P, 1, 5)]
    assert len(DeepONet([M, 5, P], [D, P], stacked=True).branch.biases) == 2


@pytest.mark.parametrize("stacked", [False, True])
def test_initial_weights_are_glorot_normal_in_every_slice(stacked):
    with seeded(0):
        network = DeepONet([300, 200, 30], [1, 30], stacked=stacked)
    weights = network.branch.weights if stacked else [layer.weight.T[None] for layer in network.branch.layers]
    for weight in weights[0]:
        assert float(weight.std()) == pytest.approx((2 / 500) ** 0.5, rel=0.03)
    assert not any(parameter.any() for name, parameter in network.named_parameters() if "bias" in name)


class Convolution(nn.Module):
    """A branch of one's own, on images."""

    def __init__(self, n):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(n))

    def forward(self, u):
        return self.layers(u[:, None])


def test_modules_of_one_s_own_are_branch_and_trunk():
    network = DeepONet(
        Convolution(2 * P), nn.Sequential(nn.Linear(2, P), nn.Tanh()), n_outputs=2, strategy="split_branch"
    )
    images, y = torch.randn(3, 5, 5), torch.rand(4, 2)
    values = network.grid(images, y)
    b, t = network.branch(images), network.trunk(y)
    torch.testing.assert_close(values[..., 1], b[:, P:] @ t.T)
    assert network(images, torch.rand(3, 2)).shape == (3, 2)


def test_gradients_and_functional_calls_pass():
    network = make("split_both", 2, activation="tanh")
    assert torch.autograd.gradcheck(
        network.grid,
        (
            torch.randn(2, M, dtype=torch.double, requires_grad=True),
            torch.randn(3, D, dtype=torch.double, requires_grad=True),
        ),
    )
    stack = {name: torch.stack([value, 2 * value]) for name, value in network.named_parameters()}
    u, y = torch.randn(2, M).double(), torch.randn(2, D).double()
    both = torch.func.vmap(lambda weights: torch.func.functional_call(network, weights, (u, y)))(stack)
    torch.testing.assert_close(both[0], network(u, y))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (([M, 5, 6], [D, 5, 7]), "6 of the branch and 7 of the trunk"),
        (([M, 5, 7], [D, 5, 7], 2, "split_both"), "7, cannot be split among 2"),
        (([M, 5, 6], [D, 5, 6], 2, "split_branch"), "branch 2 times as wide"),
        (([M, 5, 6], [D, 5, 6], 2, "split_trunk"), "trunk 2 times as wide"),
        (([M], [D, 5]), "two or more"),
        (([M, 0, 5], [D, 5]), "positive"),
        (([M, 5], [D, 5], 0), "at least one output"),
        ((nn.Linear(M, 12), [D, 6], 2), "own module"),
    ],
)
def test_networks_that_cannot_be_are_refused(options, words):
    branch, trunk, *rest = options
    with pytest.raises(ValueError, match=words):
        DeepONet(branch, trunk, **dict(zip(("n_outputs", "strategy"), rest)))


def test_stacking_needs_sizes():
    with pytest.raises(ValueError, match="made from sizes"):
        DeepONet(nn.Linear(M, 5), [D, 5], stacked=True)


@pytest.mark.parametrize(
    ("u", "y", "words"),
    [
        ((4, 5), (4, D), "m=7 sensor values, got 5"),
        ((4, M), (4, 3), "d=2 coordinates, got 3"),
        ((4, M), (3, D), "4 functions and points for 3"),
        ((4, M), (4, 3, 2, D), r"y must be \(functions, d\) or \(functions, points, d\), not of shape \(4, 3, 2, 2\)"),
    ],
)
def test_wrong_shapes_are_refused(u, y, words):
    with pytest.raises(ValueError, match=words):
        make()(torch.zeros(u).double(), torch.zeros(y).double())


def test_a_grid_has_points_that_all_functions_share():
    check_points(torch.zeros(3, D), own=False)
    with pytest.raises(ValueError, match=r"y must be \(points, d\), not of shape \(4, 3, 2\)"):
        check_points(torch.zeros(4, 3, D), own=False)


def test_mixed_types_are_refused():
    with pytest.raises(ValueError, match="one type"):
        make()(torch.zeros(2, M), torch.zeros(2, D).double())
    with pytest.raises(ValueError, match="the network is torch.float64"):
        make()(torch.zeros(2, M), torch.zeros(2, D))


def test_own_modules_that_do_not_fit_are_refused_when_they_are_used():
    network = DeepONet(nn.Linear(M, 5), nn.Linear(D, 4))
    with pytest.raises(ValueError, match="5 of the branch and 4 of the trunk"):
        network.grid(torch.zeros(2, M), torch.zeros(3, D))
