"""Trainings against PyTorch's own, together and alone, and the paper's numbers."""

import math

import pytest
import torch

from modular_addition import (
    DataConfig,
    FourierReport,
    ModularAdditionNet,
    PairData,
    TrainConfig,
    all_pairs,
    make_config,
    make_net,
    measure_ghosts,
    split,
    train,
)
from modular_addition.training import Trainer


def nets(n, p=7, width=12, embedding=0):
    return [
        ModularAdditionNet(p, width, embedding=embedding, init_scale=1.0, generator=torch.Generator().manual_seed(seed))
        for seed in range(n)
    ]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("embedding", [0, 5])
def test_training_is_pytorchs_own_over_ordered_pairs(optimizer, embedding):
    ours, theirs = nets(1, embedding=embedding)[0], nets(1, embedding=embedding)[0]
    data = PairData.make(7, DataConfig(train_fraction=0.75), seed=3)
    config = TrainConfig(optimizer, lr=0.02, weight_decay=0.5, steps=15, log_every=5)
    trainer = train(ours, data, config)
    pairs = all_pairs(7)[split(7, 0.75, 3).flatten()]
    if optimizer == "adamw":
        other = torch.optim.AdamW(theirs.parameters(), 0.02, betas=(0.9, 0.98), weight_decay=0.5)
    else:
        other = torch.optim.SGD(theirs.parameters(), 0.02)
    for step in range(15):
        rate = other.param_groups[0]["lr"] = 0.02 * min(step / 10, 1)
        other.zero_grad()
        torch.nn.functional.cross_entropy(theirs(pairs), pairs.sum(1) % 7).backward()
        if optimizer == "sgd":
            with torch.no_grad():
                for one in theirs.parameters():
                    one.mul_(1 - rate * 0.5)
        other.step()
    for mine, yours in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, yours, atol=2e-5, rtol=1e-4)
    is_right = ours(all_pairs(7)).argmax(1) == all_pairs(7).sum(1) % 7
    chosen = split(7, 0.75, 3).flatten()
    assert float(trainer.records["train_accuracy"][-1, 0]) == pytest.approx(float(is_right[chosen].double().mean()))
    assert float(trainer.records["test_accuracy"][-1, 0]) == pytest.approx(float(is_right[~chosen].double().mean()))


def test_networks_together_are_trained_as_each_alone():
    data = [PairData.make(7, DataConfig(target, 0.75), seed) for seed, target in enumerate(("addition", "random"))]
    config = TrainConfig(lr=0.01, weight_decay=1.0, steps=20, log_every=5)
    together = nets(2)
    trainer = train(together, data, config)
    for number, (net, pairs) in enumerate(zip(nets(2), data, strict=True)):
        alone = train(net, pairs, config)
        torch.testing.assert_close(together[number].w_in, net.w_in, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(trainer.records["ipr"][:, number], alone.records["ipr"][:, 0], atol=1e-5, rtol=1e-4)
    assert trainer.steps == [0, 5, 10, 15, 20]


def test_networks_that_are_stopped_stay():
    trainer = Trainer(nets(2), PairData.make(7), TrainConfig(lr=0.1, steps=5, warmup=0, log_every=1))
    before = trainer.w_in.detach().clone()
    trainer.is_stopped[0] = True
    trainer.gradients(3)
    trainer.update()
    assert torch.equal(trainer.w_in[0], before[0])
    assert not torch.equal(trainer.w_in[1], before[1])


def test_the_first_step_has_no_rate():
    trainer = Trainer(nets(1), PairData.make(7), TrainConfig(lr=0.1, steps=5))
    before = trainer.w_in.detach().clone()
    trainer.gradients(0)
    trainer.update()
    assert torch.equal(trainer.w_in, before)


def test_a_rate_that_diverges_is_told_with_the_step():
    net = ModularAdditionNet(7, 12, "quad", init_scale=1.0)
    with pytest.raises(FloatingPointError, match=r"step \d+; lower the learning rate"):
        train(net, PairData.make(7), TrainConfig("sgd", lr=1e4, steps=200, log_every=10))


def test_networks_of_different_shape_do_not_train_together():
    with pytest.raises(ValueError, match="same p"):
        train([*nets(1), *nets(1, width=13)], PairData.make(7))
    with pytest.raises(ValueError, match="p = 7"):
        train(nets(1), PairData.make(11))


def test_a_small_network_learns_the_structure():
    config = make_config("standard", p=11, width=128, lr=1e-3, steps=600, log_every=600)
    net = make_net(config)
    trainer = train(net, PairData.make(11), config.train)
    report = FourierReport.from_weights(net.theta, net.w_out)
    assert trainer.records["train_accuracy"][-1] == 1
    assert report.ipr > trainer.records["ipr"][0] + 0.15
    assert report.mean_cos > 0.95
    assert measure_ghosts(net.logit_table()).prominence > 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "loss", "ipr", "norm"), [("standard", 0.0477, 0.649, 34.9), ("quad_random", 0.0083, 0.774, 36.6)]
)
def test_the_papers_numbers(run, loss, ipr, norm):
    config = make_config(run)
    net = make_net(config)
    trainer = train(net, PairData.make(23), config.train)
    last = {name: float(values[-1, 0]) for name, values in trainer.records.items()}
    assert float(trainer.records["train_loss"][0, 0]) == pytest.approx(math.log(23), abs=2e-3)
    assert last["train_accuracy"] == 1
    assert last["train_loss"] == pytest.approx(loss, rel=0.1)
    assert last["ipr"] == pytest.approx(ipr, abs=0.02)
    assert last["norm"] == pytest.approx(norm, rel=0.01)


@pytest.mark.slow
def test_the_papers_grokking():
    config = make_config("grokking", p=31, steps=7000, log_every=50)
    from modular_addition import detect_grokking_stages

    trainer = train(make_net(config), PairData.make(31, config.data, 42), config.train)
    found = {name: values[:, 0].tolist() for name, values in trainer.records.items()}
    stages = detect_grokking_stages(found["train_accuracy"], found["test_accuracy"], trainer.steps)
    assert stages.stage1_end == pytest.approx(1302, rel=0.1)
    assert stages.stage2_end == pytest.approx(5119, rel=0.3)
    assert stages.test_when_memorized == pytest.approx(0.763, abs=0.05)
