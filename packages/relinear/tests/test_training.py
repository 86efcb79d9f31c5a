"""Trainings: alone and side by side, interrupted, and diverging."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from relinear import (
    ModelConfig,
    RunConfig,
    Setting,
    StrategyConfig,
    TrainConfig,
    Trainer,
    collapse,
    make_network,
    trials,
)
from relinear.batched import Member, train_together
from relinear.continuation import Continuation, run_continuation
from relinear.samples import augment, batch_indices, fitting_parts
from relinear.sweep import draw_sweep, sweep
from relinear.trials import Trial, run_trial
from separata.labeled import LabeledDataset
from separata.testing import interrupted_after
from separata.training import seeded

TRAIN = TrainConfig(epochs=3, lr=0.1, batch_size=8)


def blobs(n=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 2
    return LabeledDataset(torch.randn(n, 5, generator=generator) + y[:, None], y, ("a", "b"))


def network(config, seed=0):
    with seeded(seed):
        return make_network(config, (5,), 2)


@pytest.mark.parametrize(
    "setting",
    [
        Setting(0.1, gamma=0.01),
        Setting(0.1, gamma=0.5, weight_decay=0.01),
        Setting(0.03, alpha=0.5),
        Setting(0.03, alpha=0.99, norm="l1"),
        Setting(0.1, clip=0.05),
    ],
    ids=["sg", "decay", "sw-l2", "sw-l1", "clip"],
)
def test_side_by_side_each_trains_as_alone(setting):
    strategy = StrategyConfig("relinear-sg", setting.gamma)
    if setting.alpha < 1:
        strategy = StrategyConfig("relinear-sw", alpha=setting.alpha, norm=setting.norm)
    train = replace(TRAIN, weight_decay=setting.weight_decay, clip=setting.clip)
    config = RunConfig(ModelConfig("mlp:6x2"), strategy, train)
    data = [blobs(), blobs(seed=1)]
    other = replace(setting, lr=0.02)
    members = [
        Member(network(config, 0), setting, 0, 3),
        Member(network(config, 1), other, 1, 4),
        Member(network(config, 2), setting, 0, 4),
    ]
    together, history = train_together(members, data, TRAIN)
    for member, found, losses in zip(members, together.members(), history.T):
        alone = copy.deepcopy(member.network)
        rows = []
        own = replace(config, train=replace(train, lr=member.setting.lr, seed=member.seed))
        Trainer(alone, data[member.source], own, log=rows.append).fit()
        for (name, one), expected in zip(found.named_parameters(), alone.parameters()):
            torch.testing.assert_close(one, expected, atol=1e-5, rtol=1e-4, msg=f"{name} differs")
        torch.testing.assert_close(losses, torch.tensor([row["loss"] for row in rows]), atol=1e-5, rtol=1e-4)


def test_a_member_that_diverges_does_not_disturb_the_others():
    config = RunConfig(ModelConfig("mlp:6x2"))
    good, bad = Setting(0.05, gamma=0.01), Setting(1e6)
    alone, _ = train_together([Member(network(config), good, 0, 0)], [blobs()], TRAIN)
    both, history = train_together(
        [Member(network(config), bad, 0, 0), Member(network(config), good, 0, 0)], [blobs()], TRAIN
    )
    assert not history[-1, 0].isfinite()
    for one, other in zip(alone.members()[0].parameters(), both.members()[1].parameters()):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("is_together", [False, True])
def test_at_gamma_0_clipping_is_that_of_the_conventional_network(is_together):
    """Gradients of quadratic parameters, which are not 0, do not count where these do not move."""
    train = replace(TRAIN, clip=0.05)
    configs = [
        RunConfig(ModelConfig("mlp:6x2"), StrategyConfig(gamma=0.0), train),
        RunConfig(ModelConfig("mlp:6x2"), StrategyConfig("conventional"), train),
    ]
    trained = []
    for config in configs:
        model = network(config)
        if is_together:
            member = Member(model, Setting.of(config), 0, 0)
            trained.append(train_together([member], [blobs()], train)[0].members()[0].state_dict())
        else:
            Trainer(model, blobs(), config).fit()
            trained.append(model.state_dict())
    for name, value in trained[1].items():
        torch.testing.assert_close(trained[0][f"{name}_r"], value, atol=1e-6, rtol=1e-5, msg=name)


def test_norms_that_differ_are_told():
    config = RunConfig(ModelConfig("mlp:6"))
    members = [Member(network(config), Setting(0.1, alpha=0.9, norm=norm), 0, 0) for norm in ("l1", "l2")]
    with pytest.raises(ValueError, match="same norm"):
        train_together(members, [blobs()], TRAIN)


def test_every_sample_is_seen_once_an_epoch():
    drawn = torch.cat([batch_indices(1, step, 40, 8) for step in range(5)])
    assert sorted(drawn.tolist()) == list(range(40))
    later = torch.cat([batch_indices(1, step, 40, 8) for step in range(5, 10)])
    assert drawn.tolist() != later.tolist()
    assert len(batch_indices(1, 0, 5, 8)) == 5


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_an_interrupted_training_goes_on_to_the_same_weights(tmp_path, optimizer):
    config = RunConfig(ModelConfig("mlp:6x2", batchnorm=True), train=replace(TRAIN, optimizer=optimizer, lr=0.01))
    whole = network(config)
    Trainer(whole, blobs(), config).fit()
    part = network(config)
    with interrupted_after(7), pytest.raises(KeyboardInterrupt):
        Trainer(part, blobs(), config, checkpoint=tmp_path / "c.safetensors").fit()
    again = network(config, seed=9)
    trainer = Trainer(again, blobs(), config, checkpoint=tmp_path / "c.safetensors")
    assert 0 < trainer.loop.done < trainer.loop.n_steps
    trainer.fit()
    torch.testing.assert_close(dict(again.state_dict()), dict(whole.state_dict()), rtol=0, atol=0)


def test_divergence_names_the_layer_before_it_is_too_late():
    config = RunConfig(ModelConfig("mlp:8x5"), StrategyConfig("random"), replace(TRAIN, lr=5.0, epochs=50))
    data = blobs()
    data = replace(data, x=5 * data.x)
    with pytest.raises(FloatingPointError, match=r"diverged in step \d+: .*layer \d+.*; lower lr or gamma"):
        Trainer(network(config), data, config).fit()


@pytest.mark.parametrize("schedule", ["steps", "cosine"])
def test_schedules(schedule):
    config = RunConfig(ModelConfig("mlp:4"), train=replace(TRAIN, epochs=8, schedule=schedule, batch_size=40))
    trainer = Trainer(network(config), blobs(), config)
    rates = []
    for step in range(8):
        trainer.gradients(step)
        rates.append([group["lr"] for group in trainer.optimizer.param_groups])
    regular = [one[0] for one in rates]
    expected = [0.1] * 4 + [0.01] * 2 + [0.001] * 2
    if schedule == "cosine":
        expected = [0.05 * (1 + torch.cos(torch.tensor(torch.pi * step / 8)).item()) for step in range(8)]
    assert regular == pytest.approx(expected)
    assert [one[1] for one in rates] == pytest.approx([0.01 * rate for rate in regular])


def test_augmented_images_are_shifted_and_mirrored():
    images = torch.arange(1.0, 1 + 2 * 3 * 6 * 5).view(2, 3, 6, 5).repeat(40, 1, 1, 1)
    found = augment(images, torch.Generator().manual_seed(0))
    padded = nn.functional.pad(images[0], (4, 4, 4, 4))
    options = [
        one[:, top : top + 6, left : left + 5]
        for one in (padded, padded.flip(2))
        for top in range(9)
        for left in range(9)
    ]
    places = [[torch.equal(one, option) for option in options] for one in found[::2]]
    assert all(any(row) for row in places)
    assert len({row.index(True) // 81 for row in places}) == 2
    assert len({row.index(True) for row in places}) > 10


def test_only_images_are_augmented():
    config = RunConfig(ModelConfig("mlp:4"), train=replace(TRAIN, augment=True))
    with pytest.raises(ValueError, match="only images"):
        Trainer(network(config), blobs(), config)


# ---- what experiments repeat


def test_settings_are_not_chosen_on_the_test_part():
    (train, held), (whole, test) = (fitting_parts("digits", 5, is_held_out=one) for one in (True, False))
    rows = [{tuple(row.tolist()) for row in part.x.flatten(1)} for part in (train, held, test)]
    assert not rows[0] & rows[1]
    assert not (rows[0] | rows[1]) & rows[2]
    assert len(whole) == len(train) + len(held)


@pytest.mark.parametrize("batchnorm", [False, True])
def test_a_trial_is_evaluated_on_what_it_was_not_trained_on(monkeypatch, batchnorm):
    """Here on samples with exchanged classes."""
    other = replace(blobs(200, seed=1), y=1 - torch.arange(200) % 2)
    monkeypatch.setattr(trials, "fitting_parts", lambda *_, **__: (blobs(200), other))
    trial = Trial("", ModelConfig("mlp:6", batchnorm=batchnorm), "quadratic", (Setting(0.1, 0.01),), (0,), train=TRAIN)
    assert run_trial(trial, "cpu")["accuracy"][0][0] < 0.3


@pytest.mark.parametrize("batchnorm", [False, True])
def test_a_trial_tells_what_collapsed(batchnorm):
    trial = Trial(
        "digits",
        ModelConfig("mlp:16x2", batchnorm=batchnorm),
        "quadratic",
        (Setting(0.1, 0.0), Setting(1e4)),
        (0, 1),
        train=replace(TRAIN, epochs=6, batch_size=32),
        n_train=400,
    )
    found = run_trial(trial, "cpu")
    assert min(found["accuracy"][0]) > 0.6
    assert found["collapse"] == [[0, 0], [1, 1]] or (batchnorm and found["collapse"][0] == [0, 0])
    assert found["moved"][0] == [0, 0]
    if not batchnorm:
        assert found["accuracy"][1] == [0.1, 0.1]
    n = 64 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10
    assert found["n_parameters"] == 3 * n + (2 * 2 * 16 if batchnorm else 0)


def test_from_a_trained_network():
    found = run_continuation(Continuation(model="mlp:16x2", epochs=6, further=3, lr=0.1, n_train=400), "cpu")
    assert found["difference"] < 1e-5
    assert found["after"] < found["before"] < found["random_start"]


def test_a_sweep_begins_with_the_conventional_network():
    train = TrainConfig(epochs=4, lr=0.1, batch_size=32)
    points = sweep("digits", ModelConfig("mlp:16x2"), (0.0, 1.0), train, n_seeds=2, n_train=400)
    assert [point.gamma for point in points] == [None, 0.0, 1.0]
    assert points[0].accuracies == pytest.approx(points[1].accuracies, abs=0.01)
    assert points[1].n_parameters == 3 * points[0].n_parameters
    axes = draw_sweep(points).axes[0]
    assert axes.get_xlabel() == "gamma"
    assert [bar.get_height() for bar in axes.patches[:2]] == pytest.approx([point.mean for point in points[1:]])
    assert "std" in points[0].row()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n_seeds": 0}, "a seed or more"),
        ({"gammas": (2.0,)}, "from 0 to 1"),
        ({"config": TrainConfig(optimizer="adam")}, "with sgd, not with adam"),
    ],
)
def test_bad_sweeps_are_told(options, said):
    given = {"data": "digits", "model": ModelConfig("mlp:4"), "gammas": (0.1,), "config": TRAIN} | options
    with pytest.raises(ValueError, match=said):
        sweep(**given)


def test_a_history_of_a_trainer_can_be_judged():
    config = RunConfig(ModelConfig("mlp:6"), train=replace(TRAIN, epochs=10))
    rows = []
    Trainer(network(config), blobs(), config, log=rows.append).fit()
    assert not collapse(rows, 2).is_collapsed
    assert rows[-1]["grad_norm"] > 0
