"""Training on pooled tasks, and transfer."""

import copy
from dataclasses import replace

import pytest
import torch
from tiny import MODELS, data, model

from mt_deeponet import (
    DARCY,
    FISHER,
    PLATE,
    TARGET,
    Lion,
    MultiTaskData,
    TrainConfig,
    Trainer,
    evaluate,
    freeze_except,
    make_model,
    transfer,
)
from separata.testing import interrupted_after
from separata.training import seeded

CONFIG = TrainConfig(steps=12, lr=1e-2, batch_size=5, check_every=4)


@pytest.mark.parametrize("kind", ["fisher", "darcy", "plate"])
def test_training_lowers_the_error(kind):
    samples = data(kind, 6)
    surrogate = model(kind, samples)
    before = evaluate(surrogate, samples).relative_l2
    settings = replace(CONFIG, steps=100, batch_size=None)
    Trainer(surrogate, samples, settings).fit()
    assert evaluate(surrogate, samples).relative_l2 < 0.7 * before


def test_rates_follow_optimizer_steps():
    assert [DARCY.lr_at(step) for step in (0, 4999, 5000, 7999, 8000)] == [1e-3, 1e-3, 5e-4, 5e-4, 1e-4]
    assert [TARGET.lr_at(step) for step in (1999, 2000, 3000)] == [5e-4, 1e-4, 1e-5]
    assert FISHER.lr_at(999) == 1e-3
    assert FISHER.lr_at(2000) == pytest.approx(1e-3 * 0.95**2)
    assert PLATE.lr_at(1000) == pytest.approx(0.9e-3)
    for words in ("5:1e-3,4:1e-4", "a:1", "5:2"):
        with pytest.raises(ValueError, match="drops are"):
            TrainConfig(drops=words)


def test_the_rate_of_a_step_is_the_optimizer_s():
    samples, rates = data("plate"), []
    surrogate = model("plate", samples)
    settings = TrainConfig(steps=8, drops="3:2e-3", lr=1e-3, batch_size=None, lion_steps=4, lion_lr=1e-4, check_every=1)
    Trainer(surrogate, samples, settings, log=lambda row: rates.append(row["lr"])).fit()
    assert rates == pytest.approx([1e-3, 1e-3, 2e-3, 2e-3, 1e-4, 1e-4, 1e-4, 1e-4])


def test_lion_takes_the_last_steps():
    samples = data("plate")
    surrogate = model("plate", samples)
    trainer = Trainer(surrogate, samples, replace(CONFIG, batch_size=None, lion_steps=1, lion_lr=1e-3))
    before = {}

    def keep(row):
        before.update({name: value.clone() for name, value in surrogate.named_parameters()})

    trainer.loop.log, trainer.loop.log_every = keep, 11
    trainer.fit()
    moved = [(value.detach() - before[name].detach()).abs() for name, value in surrogate.named_parameters()]
    assert isinstance(trainer.lion, Lion)
    # The last row of the history is after the last step, too.
    assert all(float(one.max()) <= 1.01e-3 for one in moved)


def test_batches_mix_tasks():
    samples = data("darcy", 6)
    seen = set()
    trainer = Trainer(model("darcy", samples), samples, replace(CONFIG, batch_size=6))
    loss = trainer._loss

    def watch(pred, true, mask):
        rows = [int((trainer.targets == one).all(1).nonzero()[0]) for one in true]
        seen.add(frozenset(samples.task[rows].tolist()))
        return loss(pred, true, mask)

    trainer._loss = watch
    trainer.fit()
    assert max(map(len, seen)) == 3


def test_an_l2_penalty_is_on_the_branch_s_kernels_alone():
    samples = data("fisher")
    gradients = {}
    for l2 in (0.0, 0.5):
        surrogate = model("fisher", samples)
        Trainer(surrogate, samples, replace(CONFIG, l2=l2)).gradients(0)
        gradients[l2] = {name: parameter.grad for name, parameter in surrogate.network.named_parameters()}
    for name, parameter in surrogate.network.named_parameters():
        is_kernel = name.startswith("branch.dense") and name.endswith("weight")
        expected = gradients[0.0][name] + (parameter.detach() if is_kernel else 0)
        torch.testing.assert_close(gradients[0.5][name], expected)


def test_points_are_drawn_without_bias():
    samples = data("darcy")
    whole = model("darcy", samples).eval()
    trainer = Trainer(whole, samples, replace(CONFIG, batch_size=None))
    full = masked(trainer, slice(None))
    parts = [masked(trainer, torch.randperm(len(trainer.points))[:40]) for _ in range(300)]
    assert float(torch.stack(parts).mean()) == pytest.approx(float(full), rel=0.05)


def test_too_few_points_of_a_step_are_told():
    samples = data("darcy")
    for settings in ({"batch_size": 1}, {"loss": "relative"}):
        trainer = Trainer(model("darcy", samples), samples, replace(CONFIG, n_points=1, steps=50, **settings))
        with pytest.raises(ValueError, match="the 1 points of a step .* draw more"):
            trainer.fit()


def masked(trainer, at):
    with torch.no_grad():
        pred = trainer.model.network(trainer.inputs, trainer.points[at])
        return trainer._loss(pred, trainer.targets[:, at], trainer.mask[:, at])


def test_what_is_outside_changes_nothing_unless_the_mask_is_left_out_of_the_loss():
    samples = data("darcy")
    other = replace(samples, mask=None, values=torch.where(samples.mask, samples.values, 7.0))
    other = replace(other, mask=samples.mask)
    losses = []
    for one in (samples, other):
        trainer = Trainer(model("darcy", samples), one, CONFIG)
        losses.append(float(trainer.gradients(0)["loss"]))
    assert losses[0] == losses[1]
    without = Trainer(model("darcy", samples), samples, replace(CONFIG, mask_in_loss=False))
    assert without.mask is None
    assert len(without.points) == 256


@pytest.mark.parametrize("kind", ["darcy", "plate"])
def test_a_training_goes_on_to_the_same_weights(kind, tmp_path):
    samples, settings = data(kind), replace(CONFIG, lion_steps=4, n_points=50, batch_size=3)
    whole, part = model(kind, samples), model(kind, samples)
    Trainer(whole, samples, settings).fit()
    place = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KeyboardInterrupt), interrupted_after(9):
        Trainer(part, samples, settings, checkpoint=place).fit()
    again = model(kind, samples)
    trainer = Trainer(again, samples, settings, checkpoint=place)
    assert 0 < trainer.done < 12
    trainer.fit()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_relative_losses_are_of_solutions_as_they_are():
    samples = data("fisher")
    surrogate = model("fisher", samples)
    trainer = Trainer(surrogate, samples, replace(CONFIG, loss="relative", batch_size=None))
    assert float(trainer.gradients(0)["loss"]) == pytest.approx(evaluate(surrogate, samples).relative_l2, rel=1e-4)


@pytest.fixture(scope="module")
def source():
    samples = data("darcy")
    surrogate = model("darcy", samples)
    Trainer(surrogate, samples, CONFIG).fit()
    return surrogate


def test_transfer_changes_the_named_tensors_alone(source):
    target = data("darcy", 3, seed=5).select("disc")
    before = copy.deepcopy(source.state_dict())
    tuned = transfer(source, target, config=CONFIG)
    changed = {
        name for name, value in tuned.network.state_dict().items() if not torch.equal(value, before[f"network.{name}"])
    }
    expected = {
        name
        for name, _ in tuned.network.named_parameters()
        if name.startswith(("branch.conv.0.", "branch.dense.", "trunk.out."))
    }
    assert changed == expected
    assert all(torch.equal(value, before[name]) for name, value in source.state_dict().items())
    assert all(parameter.requires_grad for parameter in tuned.parameters())
    torch.testing.assert_close(tuned.functions.shift, target.functions.mean(0))


def test_transfer_trains_what_is_asked_and_keeps_statistics_if_asked(source):
    target = data("darcy", 3, seed=5).select("disc")
    tuned = transfer(source, target, ("trunk.hidden.1.weight",), CONFIG, renormalize=False)
    changed = [name for name, value in tuned.state_dict().items() if not torch.equal(value, source.state_dict()[name])]
    assert changed == ["network.trunk.hidden.1.weight"]


def test_statistics_of_frozen_batch_normalization_stay():
    samples = data("plate")
    tuned = transfer(model("plate", samples), samples, config=CONFIG)
    frozen = model("plate", samples).state_dict()
    assert torch.equal(
        tuned.state_dict()["network.trunk.norms.0.running_mean"], frozen["network.trunk.norms.0.running_mean"]
    )


def test_transfer_lowers_the_error(source):
    target = data("darcy", 6, seed=5).select("disc")
    tuned = transfer(source, target, config=replace(CONFIG, steps=100, loss="relative"))
    assert evaluate(tuned, target).relative_l2 < evaluate(source, target).relative_l2


def test_unknown_parts_and_other_data_are_refused(source):
    with pytest.raises(ValueError, match=r"no part 'branch.head'; its parts are .*branch.conv.0.*trunk.out"):
        freeze_except(source.network, ["branch.head"])
    with pytest.raises(ValueError, match="the model was trained on"):
        transfer(source, data("fisher"))
    frozen = copy.deepcopy(source).requires_grad_(requires_grad=False)
    with pytest.raises(ValueError, match="nothing is to be trained"):
        Trainer(frozen, data("darcy"), CONFIG)


def test_one_network_is_told_its_law_by_the_coefficients():
    samples = data("fisher", 12)
    with seeded(0):
        surrogate = make_model(MODELS["fisher"], samples.shape)
    surrogate.fit_normalizers(samples)
    Trainer(surrogate, samples, TrainConfig(steps=300, lr=1e-2, batch_size=None, check_every=300)).fit()
    right = evaluate(surrogate, samples).frobenius
    swapped = MultiTaskData(samples.functions, samples.points, samples.values, codes=samples.codes.roll(12, 0))
    assert evaluate(surrogate, swapped).frobenius > 1.4 * right
