import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fixer3d.network.blocks import LayerNorm, TrunkBlock
from fixer3d.network.embeddings import timestep_embedding
from fixer3d.network.trunk import FlowTrunk, grid_from_tokens, tokens_from_grid


def test_a_linear_layer_of_patches_is_a_convolution_with_their_stride():
    torch.manual_seed(0)
    layer, x = nn.Linear(3 * 8, 5), torch.randn(2, 3, 6, 6, 6)
    expected = F.conv3d(x, layer.weight.reshape(5, 3, 2, 2, 2), layer.bias, stride=2).flatten(2).transpose(1, 2)
    torch.testing.assert_close(layer(tokens_from_grid(x, 2)), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("patch", [1, 2, 3])
def test_patches_are_put_together_again(patch):
    x = torch.randn(2, 3, 6, 6, 6)
    torch.testing.assert_close(grid_from_tokens(tokens_from_grid(x, patch), patch), x, rtol=0, atol=0)


def test_layer_normalization_is_in_single_precision():
    x = 300 + torch.randn(2, 3, 64)
    half = LayerNorm(64, affine=True).half()(x.half())
    assert half.dtype == torch.float16
    expected = F.layer_norm(x.half().double(), (64,), eps=1e-6)
    torch.testing.assert_close(half.double(), expected, atol=2e-3, rtol=0)


def test_a_block_is_two_attentions_and_a_feed_forward_layer_with_modulation(config, randomize):
    block = randomize(TrunkBlock(config)).double()
    x, t, context = (torch.randn(shape, dtype=torch.float64) for shape in ((2, 8, 24), (2, 24), (2, 5, 10)))
    m = block.adaLN_modulation[1](t * t.sigmoid())[:, None].split(24, dim=-1)

    def standard(x):
        x = x.float()
        return ((x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + 1e-6).sqrt()).double()

    h = x + m[2] * block.self_attn(standard(x) * (1 + m[1]) + m[0])
    h = h + block.cross_attn(standard(h) * block.norm2.weight + block.norm2.bias, context)
    up = block.mlp.mlp[0](standard(h) * (1 + m[4]) + m[3])
    gelu = 0.5 * up * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (up + 0.044715 * up**3)))
    expected = h + m[5] * block.mlp.mlp[2](gelu)
    torch.testing.assert_close(block(x, t, context), expected, atol=1e-5, rtol=1e-5)


def test_the_trunk_embeds_applies_its_blocks_and_projects(trunk, inputs):
    (x, t), cond = inputs, torch.randn(2, 5, 10)
    embed = trunk.t_embedder.mlp
    embedded = embed[2](F.silu(embed[0](timestep_embedding(t))))
    h = trunk.input_layer(tokens_from_grid(x, 2)) + trunk.pos_emb
    states = []
    for block in trunk.blocks:
        h = block(h, embedded, cond)
        states.append(h)
    expected = grid_from_tokens(trunk.out_layer(F.layer_norm(h, (24,))), 2)
    v, hidden = trunk(x, t, cond, hidden=True)
    torch.testing.assert_close(v, expected)
    assert len(hidden) == 3
    for ours, theirs in zip(hidden, states):
        torch.testing.assert_close(ours, theirs)


def test_a_new_trunk_has_no_velocity_and_blocks_that_look_only_at_the_image(config, inputs):
    trunk = FlowTrunk(config)
    v, hidden = trunk(*inputs, torch.zeros(2, 5, 10), hidden=True)
    assert not v.any()
    # Without bias, tokens of zeros add nothing, and closed gates let nothing else in.
    torch.testing.assert_close(hidden[-1], trunk.embed(inputs[0]))


def test_half_precision_and_autocast_stay_close(trunk, inputs):
    (x, t), cond = inputs, torch.randn(2, 5, 10)
    v = trunk(x, t, cond)
    with torch.autocast("cpu", torch.bfloat16):
        automatic = trunk(x, t, cond)
    lower = trunk.to(torch.bfloat16)(x, t, cond)
    for other in (automatic, lower):
        assert other.dtype == torch.float32
        assert (other - v).norm() < 0.05 * v.norm()


def test_latents_of_another_shape_are_refused(trunk):
    with pytest.raises(ValueError, match=r"shape \(batch, 2, 4, 4, 4\), not \(1, 2, 8, 8, 8\)"):
        trunk(torch.zeros(1, 2, 8, 8, 8), torch.zeros(1), torch.zeros(1, 5, 10))
