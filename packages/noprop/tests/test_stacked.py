"""Blocks that are computed at once do what each does alone."""

import pytest
import torch
from noprop_own import Attentive, OwnBlock, Residual
from torch import nn

from noprop import ConfiguredBlocks, DenoisingBlock, ModelConfig, StackedBlocks
from noprop.training.stacked import StackedAny, StackedBatchNorm, StackedConvs, StackedLinear

N, T, DIM = 9, 3, 4


def images(n=N):
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(1)).double()


def features(n=N):
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(1)).double()


def own_encoder(dim, n_outputs):
    return DenoisingBlock(Residual(), 6, dim, n_outputs, width=8)


FACTORIES = {
    "conv": (ConfiguredBlocks(ModelConfig(channels="3,4", width=8), (1, 8, 8)), images()),
    "mlp": (ConfiguredBlocks(ModelConfig(width=8), (6,)), features()),
    "images of prototypes": (
        ConfiguredBlocks(ModelConfig(channels="3,4", width=8, embedding="prototype"), (1, 8, 8)),
        images(),
    ),
    "own encoder": (own_encoder, images()),
    "own block with convolutions": (OwnBlock, images()),
    "own block by vmap": (Attentive, features()),
}


@pytest.mark.parametrize("name", FACTORIES)
def test_outputs_gradients_and_statistics_are_those_of_a_loop(name):
    factory, x = FACTORIES[name]
    dim = 64 if name == "images of prototypes" else DIM
    torch.manual_seed(0)
    blocks = [factory(dim, 5).double() for _ in range(T)]
    z = torch.randn(T, N, dim).double()
    stacked = StackedBlocks(blocks)
    weights = torch.randn(T, N, 5).double()
    before = [{key: value.clone() for key, value in block.state_dict().items()} for block in blocks]

    found = stacked(x, z)
    (found * weights).sum().backward()
    with torch.no_grad():  # A step by hand, so that gradients of all parameters are seen.
        for parameter in stacked.parameters():
            parameter.sub_(0.1 * parameter.grad)

    for block, state, weight, expected in zip(blocks, before, weights, found):
        assert all(torch.equal(block.state_dict()[key], value) for key, value in state.items())
        alone = block(x, z[blocks.index(block)])
        torch.testing.assert_close(expected, alone, atol=1e-10, rtol=1e-8)
        (alone * weight).sum().backward()
    loop = [
        {key: (value - 0.1 * value.grad if value.requires_grad else value).detach().clone() for key, value in named}
        for named in ([*block.named_parameters(), *block.named_buffers()] for block in blocks)
    ]
    stacked.write_back()
    for block, expected in zip(blocks, loop):
        for key, value in expected.items():
            torch.testing.assert_close(block.state_dict().get(key, value), value, atol=1e-9, rtol=1e-7)


def test_layers_have_stacked_forms():
    factory, _ = FACTORIES["conv"]
    kinds = {type(one) for one in StackedBlocks([factory(DIM, 5) for _ in range(T)]).modules()}
    assert {StackedLinear, StackedBatchNorm, StackedConvs} <= kinds
    assert StackedAny not in kinds


def test_a_stack_takes_what_its_blocks_hold():
    factory, x = FACTORIES["mlp"]
    blocks = [factory(DIM, 5).double() for _ in range(T)]
    stacked, z = StackedBlocks(blocks), torch.randn(T, N, DIM).double()
    for block in blocks:
        for parameter in block.parameters():
            parameter.data.mul_(1.5)
    stacked.read()
    for t in range(T):
        torch.testing.assert_close(stacked(x, z)[t], blocks[t](x, z[t]))


def test_a_block_that_vmap_cannot_take_is_run_in_a_loop():
    class Branching(nn.Linear):
        def forward(self, x, z):
            return super().forward(z) if x.sum() > 0 else -super().forward(z)

    blocks = [Branching(DIM, 5) for _ in range(T)]
    stacked, x, z = StackedBlocks(blocks), torch.rand(N, 6), torch.randn(T, N, DIM)
    for _ in range(2):
        for t, found in enumerate(stacked(x, z)):
            torch.testing.assert_close(found, blocks[t](x, z[t]))
    with pytest.raises(RuntimeError):
        StackedAny(blocks, by_vmap=True)(x.expand(T, N, 6), z)


def test_blocks_of_two_architectures_are_refused():
    with pytest.raises(ValueError, match="one architecture"):
        StackedBlocks([nn.Linear(3, 4), nn.Linear(3, 5)])
    with pytest.raises(ValueError, match="one architecture"):
        StackedBlocks([nn.Linear(3, 4), nn.Identity()])


def test_batch_normalization_keeps_the_statistics_of_each_block():
    blocks = [nn.BatchNorm1d(3) for _ in range(2)]
    x = torch.randn(2, 50, 3) * torch.tensor([1.0, 9.0])[:, None, None]
    stacked = StackedBatchNorm(blocks)
    out = stacked(x)
    torch.testing.assert_close(out.var(1, unbiased=False), torch.ones(2, 3), atol=1e-3, rtol=0)
    stacked.write_back()
    for block, own in zip(blocks, x):
        torch.testing.assert_close(block.running_var, 0.9 * torch.ones(3) + 0.1 * own.var(0))
        assert block.num_batches_tracked == 1
    stacked.eval()
    torch.testing.assert_close(stacked(x)[1], blocks[1].eval()(x[1]))
