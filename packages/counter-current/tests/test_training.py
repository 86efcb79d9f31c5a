"""Training: one step by hand, the schedule, what is kept, and that an interruption changes nothing."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn.utils import clip_grad_norm_

from counter_current import (
    CounterCurrent,
    DataShape,
    NetworkConfig,
    TrainConfig,
    Trainer,
    augment,
    evaluate,
    make_mlp,
    make_network,
    make_rule,
    preset,
)
from counter_current.training import cosine_rate
from separata.labeled import LabeledDataset
from separata.testing import interrupted_after
from separata.training import seeded

SHORT = TrainConfig(epochs=4, batch_size=16, lr=0.3, lr_feedback=0.2, momentum=0.5, seed=3)


def clouds(n=60, n_classes=3, seed=0):
    """Points around centers, one for each class."""
    generator = torch.Generator().manual_seed(seed)
    centers = 3 * torch.randn(n_classes, 8, generator=torch.Generator().manual_seed(9))
    labels = torch.arange(n) % n_classes
    return LabeledDataset(
        centers[labels] + torch.randn(n, 8, generator=generator), labels, tuple(map(str, range(n_classes)))
    )


def small(seed=0, standardize=True):
    with seeded(seed):
        return make_network(NetworkConfig(widths="9,7", standardize=standardize), DataShape((8,), 3))


def test_one_step_by_hand():
    data = clouds(16)
    config = TrainConfig(
        epochs=1, batch_size=16, lr=0.4, lr_feedback=0.3, clip=0.2, clip_feedback=0.1, warmup=4, centralize=True
    )
    network, twin = small(standardize=False), small(standardize=False)
    Trainer(network, data, config).fit()
    CounterCurrent(twin).gradients(data.x, data.y, torch.Generator())
    for parameters, rate, clip in ((twin.forward_parameters(), 0.4, 0.2), (twin.feedback_parameters(), 0.3, 0.1)):
        for p in parameters:
            p.grad = (p.grad - p.grad.mean(1, keepdim=True)) / 4
        assert clip_grad_norm_(parameters, clip) > clip, "or the order of the two does not show"
        with torch.no_grad():
            for p in parameters:
                p.sub_(rate * p.grad)
    for ours, theirs in zip(network.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_feedback_with_a_rate_of_zero_stays_as_it_began():
    network = small()
    before = [p.clone() for p in network.feedback_parameters()]
    Trainer(network, clouds(), replace(SHORT, lr_feedback=0.0, weight_decay=0.1)).fit()
    assert all(torch.equal(a, b) for a, b in zip(before, network.feedback_parameters(), strict=True))


@pytest.mark.parametrize("rule", ["ccl", "bp", "fa", "dfa", "fw-dtp", "dtp"])
def test_every_rule_learns_to_tell_clouds_apart(rule):
    network = small()
    Trainer(network, clouds(120), replace(SHORT, epochs=8), make_rule(network, replace(preset(), rule=rule))).fit()
    assert evaluate(network, clouds(90, seed=1)).accuracy > 0.9
    assert not network.training


def test_the_weights_of_the_lowest_validation_loss_are_kept():
    network, rows = small(), []
    data, validation = clouds(), clouds(30, seed=2)
    # With labels of other samples there is nothing to learn but the samples themselves.
    data = replace(data, y=data.y[torch.randperm(60, generator=torch.Generator().manual_seed(0))])
    trainer = Trainer(network, data, replace(SHORT, epochs=6), validation=validation, log=rows.append)
    trainer.fit()
    losses = [row["validation_loss"] for row in rows]
    assert len(losses) == 6
    assert losses.index(min(losses)) < 5, "the last epoch is not the best here, or the test shows nothing"
    assert evaluate(network, validation).loss == pytest.approx(min(losses), rel=1e-5)
    assert trainer.best == min(losses)


@pytest.mark.parametrize(
    ("n", "size", "sizes"), [(9, 4, [4, 5]), (10, 4, [4, 4, 2]), (8, 4, [4, 4]), (1, 4, [1]), (3, 1, [1, 1, 1])]
)
def test_a_single_sample_at_the_end_joins_the_batch_before_it(n, size, sizes):
    seen = []

    class Watched(CounterCurrent):
        def gradients(self, x, labels, generator):
            seen.append(x)
            return super().gradients(x, labels, generator)

    network, data = small(standardize=False), clouds(n)
    Trainer(network, data, TrainConfig(epochs=1, batch_size=size), Watched(network)).fit()
    assert list(map(len, seen)) == sizes
    assert torch.equal(torch.cat(seen).sort(0).values, data.x.sort(0).values), "every sample once"


def test_batch_normalization_trains_whatever_the_number_of_samples():
    network = make_network(NetworkConfig(widths="4", norm="before"), DataShape((8,), 3))
    Trainer(network, clouds(9), TrainConfig(epochs=1, batch_size=4)).fit()
    assert all(p.isfinite().all() for p in network.parameters())
    with pytest.raises(ValueError, match="at least 2 samples"):
        Trainer(network, clouds(9), TrainConfig(epochs=1, batch_size=1))


def test_an_interruption_changes_nothing(tmp_path):
    def trainer(network, **settings):
        return Trainer(network, clouds(), SHORT, validation=clouds(30, seed=2), **settings)

    whole, part, again = small(), small(), small(seed=1)
    trainer(whole).fit()
    # Two optimizers step in each of the 16 steps.
    with interrupted_after(15), pytest.raises(KeyboardInterrupt):
        trainer(part, checkpoint=tmp_path / "c.safetensors").fit()
    resumed = trainer(again, checkpoint=tmp_path / "c.safetensors")
    assert 0 < resumed.done < 16
    resumed.fit()
    for ours, theirs in zip(again.state_dict().values(), whole.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    Trainer(small(), clouds(), SHORT, checkpoint=tmp_path / "c.safetensors").fit()
    with pytest.raises(ValueError, match="not the checkpoint of this training"):
        Trainer(make_mlp([8, 5, 3]), clouds(), SHORT, checkpoint=tmp_path / "c.safetensors")


def test_the_cosine_falls_from_the_rate_to_its_end():
    config = TrainConfig(epochs=10, lr=0.5, cosine=True, eta_min=0.1)
    rates = [cosine_rate(0.5, epoch, config) for epoch in range(11)]
    assert (rates[0], rates[5], rates[10]) == pytest.approx((0.5, 0.3, 0.1))
    assert cosine_rate(0.0, 3, config) == 0
    trainer = Trainer(small(), clouds(), replace(config, batch_size=30))
    trainer.gradients(5 * 2)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.3)


def test_a_training_that_diverges_says_so():
    network = small()
    config = replace(SHORT, lr=1e30, clip=0, clip_feedback=0)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        Trainer(network, clouds(), config, validation=clouds(30, seed=2)).fit()


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (torch.tensor([0, 1, 12]), r"label 12 outside 0\.\.2"),
        (torch.tensor([0, -1, 2]), r"label -1 outside"),
    ],
)
def test_labels_are_classes(labels, words):
    with pytest.raises(ValueError, match=words):
        Trainer(small(), LabeledDataset(torch.zeros(3, 8), labels, ("a",)), SHORT)


def test_samples_are_finite_some_and_of_the_right_shape():
    whole = clouds()
    wrong = {
        "no samples": LabeledDataset(whole.x[:0], whole.y[:0], whole.classes),
        "NaN": LabeledDataset(torch.full((3, 8), math.nan), whole.y[:3], whole.classes),
        r"shape \(8,\), not \(7,\)": LabeledDataset(whole.x[:, :7], whole.y, whole.classes),
    }
    for words, data in wrong.items():
        with pytest.raises(ValueError, match=words):
            Trainer(small(), data, SHORT)
    with pytest.raises(ValueError, match="NaN"):
        evaluate(small(), wrong["NaN"])


@pytest.mark.parametrize("wrong", [{"lr": 0.0}, {"lr_feedback": -0.1}, {"momentum": 1.0}, {"epochs": 0}, {"seed": -1}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        TrainConfig(**wrong)


def test_crops_and_mirrors_are_those_of_each_image_alone():
    n, size = 64, 6
    images = torch.arange(n * 2 * size * size, dtype=torch.float).view(n, 2, size, size) + 1
    found = augment(images, torch.Generator().manual_seed(0), padding=2)
    padded = torch.nn.functional.pad(images, (2,) * 4)
    seen = set()
    for one, source in zip(found, padded, strict=True):
        crops = {(i, j): source[:, i : i + size, j : j + size] for i in range(5) for j in range(5)}
        matches = {(*place, False) for place, crop in crops.items() if torch.equal(one, crop)}
        matches |= {(*place, True) for place, crop in crops.items() if torch.equal(one, crop.flip(2))}
        assert len(matches) == 1
        seen |= matches
    assert len(seen) > 20
    assert {mirrored for *_, mirrored in seen} == {False, True}


def test_no_padding_and_no_chance_leave_the_image():
    images = torch.rand(30, 1, 4, 4)
    found = augment(images, torch.Generator().manual_seed(0), padding=0)
    same = (found == images).flatten(1).all(1)
    flipped = (found == images.flip(3)).flatten(1).all(1)
    assert bool((same | flipped).all())
    assert 5 < int(same.sum()) < 25
