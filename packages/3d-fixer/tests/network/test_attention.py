import pytest
import torch
from torch import nn

from fixer3d.network.attention import CrossAttention, HeadRMSNorm, SelfAttention


def peer(ours, weights, biases, **widths):
    """PyTorch's own attention with the same weights."""
    theirs = nn.MultiheadAttention(24, 4, batch_first=True, **widths)
    if widths:
        theirs.q_proj_weight.data, theirs.k_proj_weight.data, theirs.v_proj_weight.data = weights
    else:
        theirs.in_proj_weight.data = torch.cat(weights)
    theirs.in_proj_bias.data = torch.cat(biases)
    theirs.out_proj.load_state_dict(ours.to_out.state_dict())
    return theirs.eval()


@pytest.mark.parametrize("padded", [False, True])
def test_self_attention_is_that_of_pytorch(padded):
    torch.manual_seed(0)
    ours, x = SelfAttention(24, 4, qk_rms_norm=False), torch.randn(3, 6, 24)
    exists = torch.arange(6) < torch.tensor([[6], [4], [1]]) if padded else None
    theirs = peer(ours, ours.to_qkv.weight.data.chunk(3), ours.to_qkv.bias.data.chunk(3))
    expected, _ = theirs(x, x, x, key_padding_mask=None if exists is None else ~exists)
    torch.testing.assert_close(ours(x, exists), expected, atol=1e-5, rtol=1e-5)


def test_cross_attention_is_that_of_pytorch():
    torch.manual_seed(1)
    ours, x, context = CrossAttention(24, 10, 4), torch.randn(2, 6, 24), torch.randn(2, 9, 10)
    weights = (ours.to_q.weight.data, *ours.to_kv.weight.data.chunk(2))
    theirs = peer(ours, weights, (ours.to_q.bias.data, *ours.to_kv.bias.data.chunk(2)), kdim=10, vdim=10)
    torch.testing.assert_close(ours(x, context), theirs(x, context, context)[0], atol=1e-5, rtol=1e-5)


def test_normalized_queries_and_keys_are_those_of_rms_norm_in_each_head():
    torch.manual_seed(2)
    ours, x = HeadRMSNorm(4, 6), torch.randn(2, 4, 5, 6)
    ours.gamma.data = torch.rand(4, 6)
    for head in range(4):
        theirs = nn.RMSNorm(6, eps=0.0)
        theirs.weight.data = ours.gamma.data[head]
        torch.testing.assert_close(ours(x)[:, head], theirs(x[:, head]))


def test_with_normalization_the_scale_of_the_queries_does_not_matter():
    torch.manual_seed(3)
    ours, x = SelfAttention(24, 4, qk_rms_norm=True), torch.randn(2, 6, 24)
    before = ours(x)
    ours.to_qkv.weight.data[:48] *= 7
    ours.to_qkv.bias.data[:48] *= 7
    torch.testing.assert_close(ours(x), before, atol=1e-5, rtol=1e-5)
