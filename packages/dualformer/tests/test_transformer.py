import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dualformer import EncoderDecoder, EncoderDecoderConfig, RotaryEmbedding, make_model

CONFIG = EncoderDecoderConfig(vocab_size=20, dim=32, n_layers=2, n_heads=2)


@pytest.fixture(scope="module")
def model():
    return make_model(CONFIG, 0).eval()


def draw(*shape):
    return torch.randint(2, 20, shape, generator=torch.Generator().manual_seed(0))


# ---- rotary positions


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 500))
def test_a_product_of_turned_vectors_depends_on_their_distance_alone(m, n, shift):
    rotary = RotaryEmbedding(8).double()
    q, k = torch.randn(2, 1, 1, 1, 8, dtype=torch.float32, generator=torch.Generator().manual_seed(1))
    one = (rotary(q, m) * rotary(k, n)).sum()
    other = (rotary(q, m + shift) * rotary(k, n + shift)).sum()
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_pairs_are_turned_by_their_angles():
    rotary = RotaryEmbedding(4)
    x = torch.tensor([1.0, 0.0, 0.0, 2.0]).view(1, 1, 1, 4)
    turned = rotary(x, offset=3).flatten().tolist()
    fast, slow = 3.0, 3.0 / 10_000 ** (2 / 4)
    assert turned == pytest.approx([math.cos(fast), math.sin(fast), -2 * math.sin(slow), 2 * math.cos(slow)], abs=1e-6)


def test_tables_grow_and_are_neither_parameters_nor_saved():
    rotary = RotaryEmbedding(4)
    assert rotary(torch.ones(1, 1, 1000, 4)).isfinite().all()
    assert not rotary.state_dict()
    assert not list(rotary.parameters())
    at_once, alone = rotary(torch.ones(1, 1, 1000, 4))[:, :, 999:], RotaryEmbedding(4)(torch.ones(1, 1, 1, 4), 999)
    torch.testing.assert_close(at_once, alone)


def test_an_odd_number_of_features_is_refused():
    with pytest.raises(ValueError, match="even"):
        RotaryEmbedding(5)


# ---- the model


def test_padding_changes_no_logits(model):
    prompts, targets = [draw(1, 5), draw(1, 9), draw(1, 3)], [draw(1, 7), draw(1, 4), draw(1, 11)]
    padded_prompt, padded_target = torch.full((3, 12), 3), torch.full((3, 11), 5)
    mask = torch.zeros(3, 12, dtype=torch.bool)
    for i, (prompt, target) in enumerate(zip(prompts, targets)):
        padded_prompt[i, : prompt.shape[1]], padded_target[i, : target.shape[1]] = prompt, target
        mask[i, : prompt.shape[1]] = True
    together = model(padded_prompt, mask, padded_target)
    for i, (prompt, target) in enumerate(zip(prompts, targets)):
        alone = model(prompt, torch.ones_like(prompt, dtype=torch.bool), target)
        torch.testing.assert_close(together[i : i + 1, : target.shape[1]], alone, atol=1e-5, rtol=1e-5)


def test_no_logit_depends_on_later_tokens(model):
    prompt, target = draw(2, 5), draw(2, 8)
    mask = torch.ones_like(prompt, dtype=torch.bool)
    changed = target.clone()
    changed[:, 5:] = 2
    before, after = model(prompt, mask, target), model(prompt, mask, changed)
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


def test_every_prompt_token_matters_and_so_does_its_place(model):
    prompt, target = draw(1, 6), draw(1, 3)
    mask = torch.ones_like(prompt, dtype=torch.bool)
    before = model(prompt, mask, target)
    assert not torch.allclose(before, model(prompt.flip(1), mask, target), atol=1e-4)


@pytest.mark.parametrize(("name", "millions"), [("s", 6.8), ("m", 34.3)])
def test_named_sizes_have_as_many_parameters_as_the_formula_says(name, millions):
    """For mazes of 30x30, whose vocabulary has 938 tokens; without the tables of positions."""
    with torch.device("meta"):
        model = EncoderDecoder(EncoderDecoderConfig.from_name(name, 938))
    d, layers = model.config.dim, model.config.n_layers
    feed_forward = 3 * d * 256 * math.ceil(int(8 * d / 3) / 256)
    formula = layers * (4 * d * d + feed_forward + 2 * d) + layers * (8 * d * d + feed_forward + 3 * d)
    formula += 3 * 938 * d + d * d + 2 * d
    found = sum(parameter.numel() for parameter in model.parameters())
    assert found == formula
    assert found / 1e6 == pytest.approx(millions, abs=0.06)


def test_norms_are_computed_in_single_precision(model):
    x = torch.full((1, 2, 32), 300.0, dtype=torch.float16)  # its square overflows half precision
    assert model.encoder_norm(x).isfinite().all()


def test_equal_seeds_give_equal_models_and_leave_the_global_state_alone():
    before = torch.random.get_rng_state()
    one, same, other = (make_model(CONFIG, seed).decoder_head.weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("sizes", "words"), [((20, 32, 2, 5), "heads"), ((20, 6, 2, 2), "even"), ((0, 32, 2, 2), "positive")]
)
def test_shapes_that_do_not_fit_are_refused(sizes, words):
    with pytest.raises(ValueError, match=words):
        EncoderDecoderConfig(*sizes)


def test_unknown_sizes_are_refused():
    with pytest.raises(ValueError, match="s, m, l, xl"):
        EncoderDecoderConfig.from_name("tiny", 10)


def test_it_trains_under_autocast():
    model = make_model(CONFIG, 0)
    prompt, target = draw(2, 5), draw(2, 7)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(prompt, torch.ones_like(prompt, dtype=torch.bool), target)
    logits.float().logsumexp(-1).mean().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())


def test_double_precision_is_double():
    """Against the definition, in NumPy's double precision; positions beyond the first table, and after a conversion."""
    x = torch.randn(1, 1, 300, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    pairs = x.numpy().reshape(300, 4, 2)
    angles = np.arange(300)[:, None] * 10_000.0 ** -(np.arange(0, 8, 2) / 8)
    cos, sin = np.cos(angles), np.sin(angles)
    first, second = pairs[..., 0] * cos - pairs[..., 1] * sin, pairs[..., 0] * sin + pairs[..., 1] * cos
    turned = RotaryEmbedding(8).double()(x)
    assert turned.dtype == torch.float64
    np.testing.assert_allclose(turned.numpy().reshape(300, 4, 2), np.stack((first, second), -1), atol=1e-14)


def test_a_model_in_double_precision_tells_changes_that_single_precision_cannot(model):
    prompt, target = draw(1, 5), draw(1, 6)
    mask = torch.ones_like(prompt, dtype=torch.bool)
    double = make_model(CONFIG, 0).double()
    before = double(prompt, mask, target)
    with torch.no_grad():
        double.encoder_embedding.weight *= 1 + 1e-10
    change = (double(prompt, mask, target) - before).abs().max()
    assert 0 < change < 1e-8


def test_a_half_precision_model_turns_by_exact_angles():
    x = torch.randn(1, 1, 200, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    exact = RotaryEmbedding(8)(x.float()).bfloat16()
    assert torch.equal(RotaryEmbedding(8).bfloat16()(x), exact)
