"""Attention against plain loops over heads, rows and nodes."""

import math

import torch

from udc_solver.conquerors.attention import AttentionDecoder, AttentionLayer, attend


def test_attention_against_loops():
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, n, 6, generator=generator) for n in (3, 4, 4))
    allowed = torch.rand(2, 3, 4, generator=generator) < 0.5
    allowed[..., 0] = True
    expected = torch.zeros(2, 3, 6)
    for b in range(2):
        for head in range(3):
            at = slice(2 * head, 2 * head + 2)
            for i in range(3):
                weights = [
                    math.exp(float(query[b, i, at] @ key[b, j, at]) / math.sqrt(2)) * bool(allowed[b, i, j])
                    for j in range(4)
                ]
                total = sum(weights)
                expected[b, i, at] = sum(weight / total * value[b, j, at] for j, weight in enumerate(weights))
    torch.testing.assert_close(attend(query, key, value, 3, allowed), expected)


def test_layers_do_not_depend_on_the_order_of_nodes():
    torch.manual_seed(0)
    layer, h, order = AttentionLayer(8, 16, 2), torch.randn(2, 5, 8), torch.randperm(5)
    torch.testing.assert_close(layer(h)[:, order], layer(h[:, order]))


def test_decoder_is_clipped_and_looks_only_at_what_is_allowed():
    torch.manual_seed(0)
    decoder, h, query = AttentionDecoder(8, 2, clip=3.0), 100 * torch.randn(1, 5, 8), 100 * torch.randn(1, 1, 8)
    allowed = torch.tensor([[[True, True, False, False, True]]])
    logits = decoder(query, h, decoder.prepare(h), allowed)
    assert logits.abs().max() <= 3
    other = h.clone()
    other[0, 2:4] = torch.randn(2, 8)
    torch.testing.assert_close(
        decoder(query, other, decoder.prepare(other), allowed)[..., [0, 1, 4]], logits[..., [0, 1, 4]]
    )
