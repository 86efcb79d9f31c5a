"""What networks are trained on, against what is known of it."""

import math

import pytest
import torch

from noble_branch.configs import TrainConfig, TransformerConfig
from noble_branch.mixing import cutmix, mixup
from noble_branch.regression import high_frequency_power, multi_frequency, power_spectrum
from noble_branch.text import corpus_from_text, standard_library
from noble_branch.transformer import SequenceModel


def test_the_power_of_a_sine_is_one_half_at_its_frequency():
    x = torch.arange(256, dtype=torch.float64) / 128 - 1
    residual = 3 + torch.sin(2 * math.pi * 7 * x) + 2 * torch.sin(2 * math.pi * 5 * x)
    spectrum = power_spectrum(residual)
    assert spectrum[[0, 9, 10, 14]].tolist() == pytest.approx([9, 0, 2, 0.5], abs=1e-12)
    assert high_frequency_power(spectrum, 6) == pytest.approx(0.5)
    assert high_frequency_power(spectrum, 4) == pytest.approx(2.5)


@pytest.mark.parametrize("n", [255, 256])
def test_powers_add_up_to_the_mean_square(n):
    noise = torch.randn(n, generator=torch.Generator().manual_seed(0)).double()
    assert power_spectrum(noise).sum().item() == pytest.approx(noise.square().mean().item())


def test_the_target_is_a_sum_of_six_sines():
    values = multi_frequency(torch.tensor([0.0, 0.5], dtype=torch.float64), torch.zeros(6))
    assert values.tolist() == pytest.approx([0, sum(math.sin(math.pi * f / 2) for f in (1, 2, 4, 8, 16, 24))])


def test_a_causal_model_does_not_see_ahead():
    torch.manual_seed(0)
    tokens = torch.arange(6)[None]
    changed = tokens.clone()
    changed[0, 4] = 9
    for causal in (True, False):
        model = SequenceModel(10, 6, TransformerConfig(8, 2, 2), causal=causal)
        same = torch.isclose(model(tokens), model(changed)).all(-1)[0]
        assert same.tolist() == ([True] * 4 + [False] * 2 if causal else [False] * 6)


def test_mixed_images_have_the_shares_that_are_told():
    images = torch.arange(8.0)[:, None, None, None].expand(8, 1, 6, 9)
    for mix in (mixup, cutmix):
        for seed in range(20):
            mixed, partner, share = mix(images, 0.8, torch.Generator().manual_seed(seed))
            expected = share * images[:, 0, 0, 0] + (1 - share) * partner
            torch.testing.assert_close(mixed.mean((1, 2, 3)), expected)
            if mix is cutmix:
                assert set(mixed.unique().tolist()) <= set(range(8))


def test_the_share_of_mixup_follows_its_beta_distribution():
    generator = torch.Generator().manual_seed(0)
    shares = torch.tensor([mixup(torch.zeros(2, 1), 0.2, generator)[2] for _ in range(2000)])
    assert shares.mean().item() == pytest.approx(0.5, abs=0.03)
    assert shares.var().item() == pytest.approx(1 / (4 * (2 * 0.2 + 1)), rel=0.06)


def test_text_is_split_by_order():
    text = standard_library(3000)
    corpus = corpus_from_text(text, length=32)
    parts = [corpus.split(name) for name in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [2400, 300, 300]
    assert "".join(corpus.vocabulary[i] for part in parts for i in part) == text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: corpus_from_text("abc" * 100, length=32), "needs 330"),
        (lambda: TransformerConfig(10, 2, 4), "divide"),
        (lambda: TrainConfig(lr=0), "lr must be positive"),
        (lambda: TrainConfig(warmup=1.0), "warmup"),
        (lambda: mixup(torch.zeros(2, 1), 0.0, torch.Generator()), "alpha"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
