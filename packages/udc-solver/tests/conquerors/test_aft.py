import math

import pytest
import torch

from udc_solver.conquerors.aft import AFTDecoder, AFTLayer, adaptation, aft, weighted_values


def draw(*shape, seed=0, scale=1.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def naive(query, key, value, bias, allowed):
    out = torch.zeros_like(query)
    for b, i, c in torch.cartesian_prod(*map(torch.arange, query.shape)).tolist():
        numerator = denominator = 0.0
        for j in range(key.shape[1]):
            if allowed[b, i, j]:
                weight = math.exp(bias[b, i, j] + key[b, j, c])
                numerator += weight * value[b, j, c].item()
                denominator += weight
        out[b, i, c] = numerator / denominator / (1 + math.exp(-query[b, i, c]))
    return out


@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_its_formula_written_with_loops(masked):
    query, key, value, bias = draw(2, 3, 4), draw(2, 5, 4, seed=1), draw(2, 5, 4, seed=2), draw(2, 3, 5, seed=3)
    allowed = draw(2, 3, 5, seed=4) > 0 if masked else torch.ones(2, 3, 5, dtype=torch.bool)
    allowed[..., 0] = True
    found = aft(query, weighted_values(key, value), bias, allowed if masked else None)
    torch.testing.assert_close(found, naive(query, key, value, bias, allowed))


def test_large_keys_and_small_biases_do_not_overflow():
    value = draw(1, 5, 4).float()
    found = aft(
        torch.zeros(1, 2, 4), weighted_values(torch.full((1, 5, 4), 500.0), value), torch.full((1, 2, 5), -900.0)
    )
    torch.testing.assert_close(found, (0.5 * value.mean(1, keepdim=True)).expand(-1, 2, -1))


def test_the_bias_grows_with_the_logarithm_of_the_number_of_nodes():
    costs = torch.ones(1, 1, 1)
    assert adaptation(costs, torch.tensor(2.0), 8).item() == pytest.approx(-6)


def test_layers_do_not_depend_on_the_order_of_the_nodes():
    torch.manual_seed(0)
    layer = AFTLayer(8, 16)
    h, costs = draw(2, 6, 8).float(), draw(2, 6, 6, seed=1).abs().float()
    order = torch.randperm(6)
    torch.testing.assert_close(layer(h[:, order], costs[:, order][:, :, order]), layer(h, costs)[:, order])


def test_the_decoder_prefers_near_nodes_and_bounds_its_logits():
    decoder = AFTDecoder(8, clip=3.0)
    h = torch.zeros(1, 5, 8)
    costs = torch.tensor([[[0.1, 0.2, 0.05, 90.0, 0.3]]])
    allowed = torch.ones(1, 1, 5, dtype=torch.bool)
    logits = decoder(torch.zeros(1, 1, 8), h, decoder.prepare(h), costs, allowed)
    assert logits[0, 0].argsort(descending=True).tolist() == [2, 0, 1, 4, 3]
    assert logits.abs().max() <= 3
