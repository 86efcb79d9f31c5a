"""Both stages, their schedules, and that a training goes on as if it had not been interrupted."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import nn

from biper import (
    BiPerLinear,
    DataShape,
    ModelConfig,
    TwoStageConfig,
    TwoStageTrainer,
    binarize,
    evaluate,
    learning_rate,
    make_network,
    predict,
    to_stage2,
)
from biper.augmentation import augment
from biper.schedules import exponential
from biper.training import mean_phase
from separata.labeled import LabeledDataset, load_splits
from separata.testing import interrupted_after

TINY = TwoStageConfig(epochs=3, stage2_epochs=2, lr=0.05, stage2_lr=0.01, warmup=1, batch_size=64)


def blobs(n: int = 192) -> LabeledDataset:
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(n) % 3
    x = 2 * torch.randn(3, 10, generator=generator)[y] + torch.randn(n, 10, generator=generator)
    return LabeledDataset(x, y, tuple("abc"))


def network(method: str = "biper") -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Linear(10, 16), nn.BatchNorm1d(16), nn.Linear(16, 16), nn.BatchNorm1d(16), nn.Linear(16, 3)]
    return binarize(nn.Sequential(*layers), method).model


def test_rates_are_those_of_the_official_schedule():
    """A cosine over epochs - 4 that is stepped from the fifth epoch on, under a linear warm-up of five."""
    epochs, lr = 30, 0.021
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs - 4)
    for epoch in range(epochs):
        if epoch < 5:
            optimizer.param_groups[0]["lr"] = lr * (epoch + 1) / 5
        assert learning_rate(lr, epoch, epochs, 5) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        if epoch >= 4:
            scheduler.step()
    assert [learning_rate(1.0, epoch, 2, 0) for epoch in range(2)] == pytest.approx([1.0, 0.5])


def test_the_weight_of_the_regularizer():
    assert exponential(0.85, 0.99, 0.0) == pytest.approx(0.85)
    assert exponential(0.85, 0.99, 1.0) == pytest.approx(0.99)
    middle = (math.sqrt(math.e) - 1) / (math.e - 1)
    assert exponential(0.85, 0.99, 0.5) == pytest.approx(0.85 + 0.14 * middle)


def test_two_stages_in_turn():
    rows, data = [], blobs()
    model = network()
    trainer = TwoStageTrainer(model, data, TINY, validation=data, log=rows.append)
    trainer.fit()
    assert [row["stage"] for row in rows] == [1, 1, 1, 2, 2]
    rates = [learning_rate(0.05, e, 3, 1) for e in range(3)] + [learning_rate(0.01, e, 2, 1) for e in range(2)]
    assert [row["lr"] for row in rows] == pytest.approx(rates)
    assert model[2].stage == 2
    assert rows[-1]["phase"] > 0
    assert not model.training
    assert max(row["validation_accuracy"] for row in rows[3:]) == evaluate(model, data).accuracy > 0.8
    assert trainer.first_stage["2.stage"] == 1
    first = TwoStageTrainer(network(), data, replace(TINY, stage2_epochs=0), validation=data)
    first.fit()
    assert all(torch.equal(first.model.state_dict()[name], value) for name, value in trainer.first_stage.items())
    assert not torch.equal(trainer.first_stage["2.weight"], model.state_dict()["2.weight"])


def test_a_network_that_was_through_both_stages_is_trained_in_both_again():
    model, stages = to_stage2(network()), []
    TwoStageTrainer(model, blobs(), TINY, log=lambda row: stages.append((row["stage"], model[2].stage))).fit()
    assert stages == [(1, 1)] * 3 + [(2, 2)] * 2


def test_phases_in_radians():
    model = nn.Sequential(BiPerLinear(3, 2, omega=20.0), BiPerLinear(2, 4, omega=5.0))
    with torch.no_grad():
        model[0].weight.fill_(-0.1)
        model[1].weight.fill_(0.8)
    assert mean_phase(model) == pytest.approx((2 + 4) / 2)


def test_the_regularizer_is_part_of_the_first_loss():
    data = blobs()
    means = []
    for tau in (0.0, 5.0):
        model = network()
        TwoStageTrainer(model, data, replace(TINY, epochs=20, stage2_epochs=0, tau=tau)).fit()
        means.append(torch.sin(20 * model[2].weight).square().mean().item())
    assert means[1] < 0.5 * means[0]


def test_baselines_have_one_stage_of_as_many_epochs():
    rows = []
    model = network("ste")
    with torch.no_grad():
        model[2].weight.fill_(3.0)
    TwoStageTrainer(model, blobs(), replace(TINY, augment=False), log=rows.append).fit()
    assert len(rows) == 5
    assert [row["lr"] for row in rows] == pytest.approx([learning_rate(0.05, e, 5, 1) for e in range(5)])
    assert model[2].weight.abs().max() <= 1, "clipped after each step"


@pytest.mark.parametrize("at", [4, 9, 10, 14])
def test_an_interrupted_training_goes_on(tmp_path, at):
    """In the first stage, at the switch (after step 9 of 15), and in the second one."""
    data = blobs()
    whole = TwoStageTrainer(network(), data, TINY, validation=data)
    whole.fit()
    first = TwoStageTrainer(network(), data, TINY, validation=data, checkpoint=tmp_path / "c.safetensors")
    with pytest.raises(KeyboardInterrupt), interrupted_after(at):
        first.fit()
    again = TwoStageTrainer(network(), data, TINY, validation=data, checkpoint=tmp_path / "c.safetensors")
    # An interrupted update belongs to no step: the training goes on from the last epoch.
    assert again.done == at // 3 * 3 - (3 if at % 3 == 0 else 0)
    again.fit()
    ours, theirs = again.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


def test_what_diverges_is_told():
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        TwoStageTrainer(network(), blobs(), replace(TINY, lr=1e30)).fit()
    model = network()

    def break_it(row):
        with torch.no_grad():
            model[2].weight[0, 0] = math.nan

    trainer = TwoStageTrainer(model, blobs(), replace(TINY, stage2_epochs=0), log=break_it)
    with pytest.raises(FloatingPointError):
        trainer.fit()
    with pytest.raises(ValueError, match="at least 2 images"):
        TwoStageTrainer(model, blobs().subset([0]), TINY)


def test_a_network_of_the_paper_learns_digits_in_mixed_precision():
    data = load_splits("digits")
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        model = make_network(ModelConfig("resnet8", width=0.5), DataShape(1, 8, 10))
        config = TwoStageConfig(3, 2, 0.05, 0.01, warmup=1, batch_size=64, precision=precision)
        TwoStageTrainer(model, data.train, config).fit()
        assert evaluate(model, data.test).accuracy > 0.8


def test_shifted_and_mirrored_images():
    x = torch.rand(40, 2, 9, 7, generator=torch.manual_seed(0))
    found = augment(x, torch.Generator().manual_seed(1)).numpy()
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (4, 4), (4, 4)))
    kinds = set()
    for image, frame in zip(found, padded, strict=True):
        places = [
            (dy, dx, flip)
            for dy in range(9)
            for dx in range(9)
            for flip in (False, True)
            if np.array_equal(image, frame[:, dy : dy + 9, dx : dx + 7][:, :, :: -1 if flip else 1])
        ]
        assert len(places) == 1
        kinds.add(places[0])
    assert len(kinds) > 25
    assert {flip for *_, flip in kinds} == {False, True}


def test_evaluation():
    model = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.eye(2))
    data = LabeledDataset(torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]]), torch.tensor([0, 1, 1]), ("a", "b"))
    report = evaluate(model, data)
    expected = np.mean([math.log1p(math.exp(-2)), math.log1p(math.exp(-1)), 3 + math.log1p(math.exp(-3))])
    assert (report.n_samples, report.accuracy) == (3, pytest.approx(2 / 3))
    assert report.loss == pytest.approx(expected, rel=1e-5)
    assert torch.equal(predict(model, data.x, batch_size=2), data.x)
    with pytest.raises(ValueError, match="no samples"):
        evaluate(model, data.subset(torch.arange(0)))


def final_weights(**changes) -> list[torch.Tensor]:
    """Of a small binary network of images after both stages."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.Flatten()]
    model = binarize(nn.Sequential(*layers, nn.Linear(16, 3)), init_b=0.05).model
    x = torch.randn(48, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    data = LabeledDataset(x, torch.arange(48) % 3, tuple("abc"))
    TwoStageTrainer(model, data, replace(TINY, batch_size=16, **changes)).fit()
    return [parameter.detach() for parameter in model.parameters()]


def test_no_setting_is_dead():
    before = final_weights()
    assert all(torch.equal(one, other) for one, other in zip(final_weights(), before, strict=True))
    changes = {
        "epochs": 2, "stage2_epochs": 1, "lr": 0.06, "stage2_lr": 0.02, "weight_decay": 0.1,
        "stage2_weight_decay": 0.1, "tau": 0.5, "tau_end": 0.5, "stage2_tau": 0.5, "warmup": 2, "momentum": 0.5,
        "batch_size": 24, "augment": True, "precision": "bfloat16", "seed": 1,
    }  # fmt: skip
    assert set(changes) == {field.name for field in fields(TwoStageConfig)}
    changes.pop("batch_size")
    for name, value in changes.items():
        assert any(
            not torch.equal(one, other) for one, other in zip(final_weights(**{name: value}), before, strict=True)
        ), name


def test_clamps_tighten_with_the_epochs():
    model = network("recu")
    TwoStageTrainer(model, blobs(), TINY).fit()
    # In the last of five epochs.
    assert model[2].tau.item() == pytest.approx(0.85 + 0.14 * (math.exp(0.8) - 1) / (math.e - 1), rel=1e-6)


def test_settings_are_checked():
    for wrong in (
        {"lr": 0},
        {"epochs": 0, "stage2_epochs": 0},
        {"tau": -1},
        {"tau_end": math.nan},
        {"momentum": math.nan},
        {"seed": -1},
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - several sentences
            TwoStageConfig(**wrong)
    for wrong in ({"omega": 0}, {"width": -1}):
        with pytest.raises(ValueError, match="must be positive"):
            ModelConfig(**wrong)
    assert isinstance(network()[2], BiPerLinear)
