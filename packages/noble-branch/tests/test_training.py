"""How networks are made and trained, against formulas."""

import math

import pytest
import torch
from torch import nn

from noble_branch.configs import BranchConfig, MethodConfig, NetworkConfig, TrainConfig, TransformerConfig
from noble_branch.training import Trainer, make_model, n_parameters

CURVE = NetworkConfig("curve")


class Steep:
    """A loss that is linear in the weights, with a gradient that is known at each step."""

    network, fingerprint = CURVE, ""

    def __init__(self, gradients: list[torch.Tensor]) -> None:
        self.gradients = iter(gradients)

    def loss(self, model, batch_size, generator):
        return (model.weight * next(self.gradients)).sum()

    def evaluate(self, model, split):
        return 0.0


def test_the_learning_rate_rises_in_a_line_and_falls_as_a_cosine():
    config = TrainConfig(20, lr=0.3, warmup=0.25, branch_lr_scale=2.0)
    model = make_model(CURVE, TransformerConfig(4, 1, 1), MethodConfig(rank=2), 0)
    trainer = Trainer(model, Steep([]), config)
    rates = []
    for _ in range(20):
        rates.append({group["name"]: group["lr"] for group in trainer.optimizer.param_groups})
        trainer.update()
    shares = [0.2, 0.4, 0.6, 0.8, 1.0, *(0.5 + 0.5 * math.cos(math.pi * k / 15) for k in range(15))]
    assert [one["plain"] for one in rates] == pytest.approx([0.3 * share for share in shares])
    assert [one["branch"] for one in rates] == pytest.approx([0.6 * share for share in shares])


def test_gradients_are_clipped_and_weights_follow_adamw():
    steep, small = torch.tensor([[300.0, 400.0]]), torch.tensor([[0.3, -0.1]])
    model = nn.Linear(2, 1, bias=False)
    start = model.weight.detach().clone()
    trainer = Trainer(model, Steep([steep, small]), TrainConfig(10, lr=0.1, weight_decay=0.5, warmup=0.0))
    expected, m, v = start, torch.zeros(1, 2), torch.zeros(1, 2)
    for step, gradient in enumerate((steep / 500, small)):
        rate = 0.1 * (0.5 + 0.5 * math.cos(math.pi * step / 10))
        trainer.gradients(step)
        torch.testing.assert_close(model.weight.grad, gradient)
        trainer.update()
        m, v = 0.9 * m + 0.1 * gradient, 0.95 * v + 0.05 * gradient**2
        mean, square = m / (1 - 0.9 ** (step + 1)), v / (1 - 0.95 ** (step + 1))
        expected = expected - rate * (0.5 * expected + mean / (square.sqrt() + 1e-8))
        torch.testing.assert_close(model.weight.detach(), expected)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_the_wider_network_is_the_narrowest_with_as_many_parameters(heads):
    shape = TransformerConfig(16, 2, heads)
    branched, wide = (make_model(CURVE, shape, MethodConfig(kind, rank=6), 0) for kind in ("branch", "wide"))

    def count(width):
        # Two linear layers and a norm in each of two blocks, one from a number and one to a number.
        return 2 * (2 * (width**2 + width) + 2 * width) + 2 * width + width + 1

    assert n_parameters(make_model(CURVE, shape, MethodConfig("plain"), 0)) == count(16)
    assert n_parameters(branched) == count(16) + 4 * (6 * 32 + 36 + 24)
    widths = range(16 + heads, 64, heads)
    assert n_parameters(wide) == next(count(width) for width in widths if count(width) >= n_parameters(branched))


def test_branches_change_no_weight_of_the_plain_network():
    shape, network = TransformerConfig(8, 1, 2), NetworkConfig("next", 5, 4)
    plain = make_model(network, shape, MethodConfig("plain"), 3).state_dict()
    config = BranchConfig("gelu", up_std=0.1)
    one, same, other = (
        make_model(network, shape, MethodConfig(rank=2, branch=config), seed).state_dict() for seed in (3, 3, 4)
    )
    assert all(torch.equal(one[name], value) for name, value in plain.items())
    assert all(torch.equal(one[name], value) for name, value in same.items())
    # As LoRA's, the first projection is another one of every seed and layer.
    downs = [value for state in (one, other) for name, value in state.items() if name.endswith(".down")]
    assert len({value.flatten()[0].item() for value in downs}) == len(downs) == 2 * 4
