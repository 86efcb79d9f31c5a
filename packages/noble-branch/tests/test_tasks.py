"""What networks are trained on, against what is known of it."""

import math

import pytest
import torch
from torch import nn

from noble_branch.configs import TaskConfig, TrainConfig, TransformerConfig
from noble_branch.mixing import cutmix, mixup
from noble_branch.regression import high_frequency_power, multi_frequency, power_spectrum
from noble_branch.tasks import Characters, Classes, Pixels, Regression, Task, make_task, mask_tokens
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


def test_tokens_are_hidden_in_the_shares_of_bert():
    tokens = torch.randint(50, (400, 500), generator=torch.Generator().manual_seed(1))
    shown, hidden = mask_tokens(tokens, 50, torch.Generator().manual_seed(0))
    assert torch.equal(shown[~hidden], tokens[~hidden])
    assert hidden.float().mean().item() == pytest.approx(0.15, abs=0.003)
    masked, same = shown[hidden] == 50, shown[hidden] == tokens[hidden]
    assert masked.float().mean().item() == pytest.approx(0.8, abs=0.01)
    # One in fifty of the random tokens is the token itself.
    assert same.float().mean().item() == pytest.approx(0.1 + 0.1 / 50, abs=0.008)
    noise = shown[hidden][~masked & ~same]
    assert noise.bincount(minlength=50).float().std() < 0.2 * len(noise) / 50


class Told(nn.Module):
    """Logits from the mean of each channel, which are kept."""

    def forward(self, images):
        self.mixed = images.mean((2, 3))
        return 3 * self.mixed


@pytest.mark.parametrize("augmentation", ["none", "mixup", "cutmix"])
def test_labels_are_mixed_as_their_images_are(augmentation):
    task = Classes("digits", 4, augmentation)
    # An image of class c is one in channel c: what is mixed is seen in the image itself.
    labels = torch.arange(10).repeat(3)
    images = nn.functional.one_hot(labels, 10).float()[:, :, None, None].expand(30, 10, 8, 8)
    task.images.parts["train"] = (images, labels)
    model = Told()
    for seed in range(5):
        loss = task.loss(model, 16, torch.Generator().manual_seed(seed))
        expected = -(model.mixed * (3 * model.mixed).log_softmax(1)).sum(1).mean()
        assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
        assert (model.mixed.max(1).values < 1).any() == (augmentation != "none")


class Shown(nn.Module):
    """Certain that each character is the one that is shown, and of nothing where it is masked."""

    def forward(self, shown):
        self.shown = shown
        return 50.0 * nn.functional.one_hot(shown, 6).float() * (shown < 5)[..., None]


def test_masked_models_are_scored_at_hidden_places_alone():
    task = Characters(corpus_from_text("abcde" * 200, length=10), 10, causal=False)
    model = Shown()
    loss = task.loss(model, 4000, torch.Generator().manual_seed(0)).item()
    assert (model.shown == 5).float().mean().item() == pytest.approx(0.12, abs=0.01)
    # Uniform over six tokens at the 80 % that are masked, and wrong by 50 at four fifths of the 10 % that are random.
    assert loss == pytest.approx(0.8 * math.log(6) + 0.1 * 0.8 * 50, rel=0.1)
    assert isinstance(task, Task)


class Seen(nn.Module):
    """Keeps what it is shown."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.n_outputs, self.shown = n_outputs, []

    def forward(self, x):
        self.shown.append(x)
        shape = x.shape if x.ndim == 2 and not x.is_floating_point() else x.shape[:1]
        return torch.zeros(*shape, self.n_outputs)


SPLITS = ("train", "validation", "test")


@pytest.mark.parametrize("causal", [True, False])
def test_each_part_of_a_text_is_used_for_what_it_is_for(causal):
    task = Characters(corpus_from_text("a" * 800 + "b" * 100 + "c" * 100, length=10), 10, causal=causal)
    # Masked models are shown random characters in places.
    common = lambda model: torch.cat(model.shown)[torch.cat(model.shown) < 3].bincount(minlength=3).argmax()  # noqa: E731
    model = Seen(4)
    for step in range(20):
        task.loss(model, 50, torch.Generator().manual_seed(step))
    assert common(model) == 0
    assert not causal or set(torch.cat(model.shown).unique().tolist()) == {0}
    for split, token in zip(SPLITS[1:], (1, 2), strict=True):
        model = Seen(4)
        task.evaluate(model, split)
        assert common(model) == token


@pytest.mark.parametrize("name", ["vit", "pixels"])
def test_no_image_is_in_two_parts(name):
    task = make_task(TaskConfig(name))
    images = {split: {tuple(image.flatten().tolist()) for image in task.images.parts[split][0]} for split in SPLITS}
    assert sum(map(len, images.values())) == len(set.union(*images.values())) > 1700
    model = Seen(17 if name == "pixels" else 10)
    for step in range(3):
        task.loss(model, 400, torch.Generator().manual_seed(step))
    shown = {"train": torch.cat(model.shown)}
    for split in SPLITS[1:]:
        model = Seen(model.n_outputs)
        task.evaluate(model, split)
        shown[split] = torch.cat(model.shown)
    for split, batch in shown.items():
        if name == "vit":
            assert {tuple(one.flatten().tolist()) for one in batch} <= images[split]
        else:
            # Each pixel is guessed from those before it alone, the first one from nothing.
            tokens = {tuple(round(15 * value) for value in one[:-1]) for one in images[split]}
            assert {tuple(one[1:].tolist()) for one in batch} <= tokens
            assert (batch[:, 0] == 16).all()
    assert len(shown["train"]) == 1200


def test_a_model_that_knows_the_pixels_before_loses_nothing_where_they_repeat():
    task = Pixels("digits")
    flat = torch.full((4, 1, 8, 8), 5 / 15)
    task.images.parts["train"] = (flat, torch.zeros(4))
    loss = task.loss(Repeating(), 4, torch.Generator().manual_seed(0)).item()
    # All pixels but the first are that before.
    assert loss == pytest.approx(math.log(17) / 64, rel=1e-4)


class Repeating(nn.Module):
    """Certain that the next pixel is as the last one; of the first, it knows nothing."""

    def forward(self, tokens):
        return 50.0 * nn.functional.one_hot(tokens, 17).float() * (tokens < 16)[..., None]


def test_a_curve_is_tested_at_other_points_than_a_rate_is_chosen_at():
    task, points = Regression(0), {}
    for split in SPLITS[1:]:
        model = Seen(1)
        task.evaluate(model, split)
        points[split] = set(model.shown[0][:, 0].tolist())
    assert not points["validation"] & points["test"]
    assert all(len(one) == 1024 and -1 <= min(one) < max(one) < 1 for one in points.values())
