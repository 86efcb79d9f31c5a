"""Networks: sizes as published, masks, and the form of the product."""

import pytest
import torch

from deeponet import TripleDataset, predict
from mt_deeponet import ConvBranch, MaskedDeepONet, MLPBranch, ResidualTrunk, Trunk, count_parameters
from mt_deeponet.initialization import BIAS_STD


def test_parameters_are_as_many_as_in_the_published_checkpoints():
    fisher = MaskedDeepONet(MLPBranch(68, (128, 128), 300), Trunk(2, (128, 128, 128), 300))
    assert count_parameters(fisher) == 136_664
    branch = ConvBranch(100)
    assert branch.n_flat == 2304
    assert count_parameters(MaskedDeepONet(branch, Trunk())) == 559_164


def test_the_output_is_the_product_without_a_bias():
    network = MaskedDeepONet(MLPBranch(5, (6,), 4), Trunk(2, (6,), 4))
    u, y = torch.randn(3, 5), torch.randn(7, 2)
    expected = torch.einsum("ik,lk->il", network.branch(u), network.trunk(y))
    torch.testing.assert_close(network(u, y), expected)
    assert network.bias is None


def test_outside_the_mask_the_output_is_exactly_zero():
    network = MaskedDeepONet(ConvBranch(8, filters=(2,), hidden=(4,), n_out=3).eval(), Trunk(2, (4,), 3))
    mask = torch.rand(2, 64) > 0.5
    found = network(torch.randn(2, 2, 8, 8), torch.randn(64, 2), mask)
    assert not found[~mask].any()
    assert found[mask].all()


def test_samples_are_independent_of_their_order_and_company():
    network = MaskedDeepONet(MLPBranch(5, (6, 6), 4), Trunk(2, (6,), 4))
    u, y, order = torch.randn(6, 5), torch.randn(7, 2), torch.tensor([4, 1, 0, 5, 2, 3])
    torch.testing.assert_close(network(u[order], y), network(u, y)[order])
    torch.testing.assert_close(network(u, y[:3]), network(u, y)[:, :3])


def test_a_residual_trunk_adds_projections_of_two_layers_earlier():
    trunk = ResidualTrunk(3, (4, 5, 6, 7), 2).eval()
    torch.nn.init.normal_(trunk.out.weight)
    y, found = torch.randn(9, 3), []
    for number in range(4):
        x = found[-1] if found else y
        x = torch.nn.functional.silu(trunk.norms[number](trunk.hidden[number](x)))
        found.append(x + (trunk.projections[number - 2](found[number - 2]) if number >= 2 else 0))
    torch.testing.assert_close(trunk(y), trunk.out(found[-1]))
    assert [layer.out_features for layer in ResidualTrunk().projections] == [64, 64, 128, 128, 128, 128, 128]


def test_statistics_of_the_residual_trunk_are_over_points():
    trunk = ResidualTrunk(3, (4, 4), 2).train()
    hidden = torch.nn.functional.silu
    y = torch.randn(50, 3)
    first = trunk.hidden[0](y)
    normed = (first - first.mean(0)) / (first.var(0, unbiased=False) + 1e-3).sqrt()
    second = trunk.hidden[1](hidden(normed))
    normed = (second - second.mean(0)) / (second.var(0, unbiased=False) + 1e-3).sqrt()
    torch.testing.assert_close(trunk(y), trunk.out(hidden(normed)))


def test_initial_weights_are_as_published():
    branch, trunk = MLPBranch(100, (200,), 100), Trunk(2, (200, 200), 100)
    assert float(branch.dense[0].weight.detach().std()) == pytest.approx((2 / 300) ** 0.5, rel=0.05)
    assert float(trunk.hidden[1].bias.detach().std()) == pytest.approx(BIAS_STD, rel=0.3)
    assert float(ResidualTrunk().hidden[5].weight.detach().std()) == pytest.approx(0.001, rel=0.1)


def test_leaky_rectifiers_have_keras_slope():
    trunk = Trunk(1, (1,), 1)
    with torch.no_grad():
        for parameter in trunk.parameters():
            parameter.fill_(0.0)
        trunk.hidden[0].weight.fill_(1.0)
        trunk.out.weight.fill_(1.0)
        assert trunk(torch.tensor([[-1.0], [2.0]])).flatten().tolist() == pytest.approx([-0.2, 2.0])


def test_dropout_is_off_in_evaluation():
    for branch, x in (
        (ConvBranch(4, filters=(2,), n_out=3, dropout=0.5), torch.randn(2, 2, 4, 4)),
        (MLPBranch(3, (4, 4, 4), 3, norm="batch", dropout=0.5), torch.randn(6, 3)),
    ):
        branch.eval()
        torch.testing.assert_close(branch(x), branch(x))
        branch.train()
        assert not torch.equal(branch(x), branch(x))


def test_deeponet_s_own_functions_take_it():
    network = MaskedDeepONet(MLPBranch(5, (6,), 4), Trunk(2, (6,), 4))
    data = TripleDataset(torch.randn(3, 5), torch.randn(7, 2), torch.randn(3, 7))
    torch.testing.assert_close(predict(network, data.u, data.y)[..., 0], network(data.u, data.y))


def test_one_s_own_branch_and_trunk_are_taken():
    network = MaskedDeepONet(torch.nn.Linear(3, 4), torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh()))
    assert network(torch.randn(5, 3), torch.randn(6, 2), torch.ones(5, 6, dtype=torch.bool)).shape == (5, 6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: MaskedDeepONet(MLPBranch(5, (6,), 4), Trunk(2, (6,), 5)), "not 4 and 5"),
        (lambda: ConvBranch(15), "at least 16, not 15 x 15"),
        (lambda: ConvBranch(16)(torch.randn(2, 2, 17, 16)), r"\(2, 16, 16\), got \(2, 17, 16\)"),
        (
            lambda: MaskedDeepONet(MLPBranch(5, (6,), 4), Trunk(2, (6,), 4))(
                torch.randn(2, 5), torch.randn(3, 2), torch.ones(2, 4, dtype=torch.bool)
            ),
            r"the shape \(2, 3\), not \(2, 4\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
