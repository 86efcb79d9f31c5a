"""Trainings: what a step is, that they learn, resume, and end early; what is on disk."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from separata.labeled import LabeledDataset, load_splits
from separata.loop import step_generator
from separata.testing import interrupted_after, write_bomb
from separata.training import seeded
from stochastic_neurons import (
    ModelConfig,
    RunConfig,
    TrainConfig,
    Trainer,
    activity_of,
    evaluate,
    gates_of,
    load,
    make_network,
    predict,
    save,
    save_onnx,
    score_function_loss,
    seed_neurons,
    set_inference,
    sparsity_penalty,
    train,
)
from stochastic_neurons.training import NOISE
from stochastic_neurons.trials import Trial, run_trial

SMALL = ModelConfig("st", 24, 8)


@pytest.fixture(scope="module")
def data():
    return load_splits("digits", n_train=300)


def network(config=SMALL, seed=0):
    with seeded(seed):
        return make_network(config, (1, 8, 8), 10)


@pytest.mark.parametrize("gate", ["st", "sbn", "sts"])
def test_a_step_is_one_of_sgd_on_the_loss_and_the_penalty_with_norms_cut(data, gate):
    config = TrainConfig(1, 30, 0.5, 0.0, 0.2, 0.1, 0.03, "kl", 1.5, 0, 4)
    model = network(ModelConfig(gate, 24, 8, baseline="mean"))
    expected = copy.deepcopy(model).train()
    trainer = Trainer(model.train(), data.train, config)
    trainer.gradients(0)
    trainer.update()
    index = torch.randperm(300, generator=step_generator(4, 0))[:30]
    seed_neurons(expected, step_generator(4 + NOISE, 0))
    x, y = data.train.x[index], data.train.y[index]
    losses = cross_entropy(expected(x), y, reduction="none")
    gater = expected.conditional.gater
    p = gater.neuron.probability(gater.gates(gater.hidden(x.flatten(1))))
    total = losses.mean() + 0.03 * sparsity_penalty(p, 0.1)
    if gate == "sbn":
        total = total + score_function_loss(losses, expected)
    names = [name for name, _ in expected.named_parameters()]
    for name, gradient in zip(names, torch.autograd.grad(total, list(expected.parameters())), strict=True):
        weight = expected.get_parameter(name).detach()
        weight = weight - (0.1 if "gater" in name else 0.5) * gradient
        if name.endswith("weight"):
            weight = weight * (1.5 / weight.norm(dim=1, keepdim=True)).clamp(max=1)
        torch.testing.assert_close(model.get_parameter(name).detach(), weight, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("gate", "lr", "weight"),
    [("st", 0.3, 0.1), ("sts", 1.0, 0.03), ("noisy-relu", 0.3, 0.1), ("sbn", 0.3, 0.1), ("sigmoid", 0.3, 0.0)],
)
def test_every_family_learns_and_its_gates_become_sparse(data, gate, lr, weight):
    model = network(ModelConfig(gate, 40, 16))
    scale = 0.1 if gate == "sbn" else 1.0
    config = TrainConfig(25, lr=lr, gater_lr_scale=scale, penalty_weight=weight)
    Trainer(model, data.train, config, validation=data.validation).fit()
    assert not model.training
    report = evaluate(model, data.test)
    assert report.error < 0.25
    if gate != "sigmoid":
        assert report.activity < 0.4


def test_a_training_that_was_interrupted_ends_as_one_that_was_not(data, tmp_path):
    ends = []
    for name in ("whole", "parts"):
        model, rows = network(ModelConfig("sbn", 24, 8)), []
        settings = {"validation": data.validation, "checkpoint": tmp_path / name, "log": rows.append}
        config = TrainConfig(4, penalty_weight=0.01, momentum=0.5, gater_lr_scale=0.1)
        trainer = Trainer(model, data.train, config, **settings)
        if name == "parts":
            with interrupted_after(13), pytest.raises(KeyboardInterrupt):
                trainer.fit()
            model = network(ModelConfig("sbn", 24, 8), seed=9)
            trainer = Trainer(model, data.train, config, **settings)
            assert 0 < trainer.done < 40
        trainer.fit()
        ends.append((model.state_dict(), rows))
    (first, rows), (second, again) = ends
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert rows == again


def test_it_ends_early_with_the_weights_of_the_lowest_validation_error(data):
    model, rows = network(), []
    config = TrainConfig(40, lr=1.0, penalty_weight=0.0, patience=3)
    trainer = Trainer(model, data.train, config, validation=data.validation, log=rows.append)
    trainer.fit()
    errors = [row["validation_error"] for row in rows]
    assert len(rows) < 40
    assert errors.index(min(errors)) == len(errors) - 4
    assert evaluate(model, data.validation).error == min(errors) == trainer.best


def test_averaging_over_draws_and_no_noise(data):
    model = network(ModelConfig("st", 24, 8))
    x = data.test.x[:50]
    single = torch.stack([predict(model, x, seed=seed) for seed in range(200)]).mean(0)
    several = predict(model, x, n_draws=200, seed=7)
    assert (single - several).abs().max() < 0.05
    torch.testing.assert_close(predict(model, x, seed=3), predict(model, x, seed=3))
    assert not torch.equal(predict(model, x, seed=3), predict(model, x, seed=4))
    set_inference(model, "mean")
    torch.testing.assert_close(
        predict(model, x, inference="threshold"), predict(model.train(), x, inference="threshold")
    )
    assert model.training
    assert model.conditional.gater.neuron.inference == "mean"
    gates = gates_of(model, x, inference="mean")
    a = model.conditional.gater.gates(model.conditional.gater.hidden(x.flatten(1)))
    torch.testing.assert_close(gates, a.detach().sigmoid())
    assert activity_of(model, x, inference="mean").mean == 1
    with pytest.raises(ValueError, match="need inference 'sample'"):
        predict(model, x, inference="mean", n_draws=3)


def test_an_evaluation_is_of_these_samples(data):
    model = network()
    report = evaluate(model, data.test, inference="threshold")
    set_inference(model, "threshold")
    logits = model.eval()(data.test.x).detach()
    assert report.error == pytest.approx(float((logits.argmax(1) != data.test.y).double().mean()))
    assert report.loss == pytest.approx(float(cross_entropy(logits, data.test.y)), rel=1e-5)
    assert report.activity == pytest.approx(float((model.gates(data.test.x) != 0).double().mean()))
    for other, message in (
        (LabeledDataset(torch.rand(3, 5), torch.zeros(3, dtype=torch.long), ("a",)), "samples of 64 numbers"),
        (LabeledDataset(torch.rand(3, 64), torch.full((3,), 12), tuple("abcdefghijklm")), "has 10 classes"),
        (LabeledDataset(torch.rand(0, 64), torch.zeros(0, dtype=torch.long), ("a",)), "no samples"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate(model, other)


def test_a_network_comes_back_from_disk_and_files_of_strangers_are_data(data, tmp_path):
    report = train(data, tmp_path / "run", RunConfig(SMALL, TrainConfig(2)))
    model = load(tmp_path / "run")
    assert evaluate(model, data.test) == report.test
    save(model, tmp_path / "saved", (1, 8, 8), tuple("0123456789"))
    torch.testing.assert_close(predict(load(tmp_path / "saved"), data.test.x), predict(model, data.test.x))
    with pytest.raises(ValueError, match="takes 64 numbers"):
        save(model, tmp_path / "wrong", (1, 7, 7), tuple("0123456789"))
    assert not (tmp_path / "wrong").exists()
    write_bomb(tmp_path / "run" / "model.safetensors", tmp_path / "mark")
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        load(tmp_path / "run")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("inference", ["threshold", "mean"])
def test_onnx_runtime_computes_the_deterministic_form(data, tmp_path, inference):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = network(ModelConfig("sts", 24, 8, 4))
    save_onnx(model, tmp_path / "model.onnx", (1, 8, 8), inference=inference)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    x = data.test.x[:11]
    y = session.run(["y"], {"x": x.numpy()})[0]
    p = predict(model, x, inference=inference)
    np.testing.assert_allclose(torch.from_numpy(y).softmax(1), p, atol=1e-5)
    assert model.conditional.skip
    with pytest.raises(ValueError, match="noise cannot be exported"):
        save_onnx(model, tmp_path / "other.onnx", (1, 8, 8), inference="sample")


@pytest.mark.parametrize(
    "wrong",
    [
        {"lr": 0.0},
        {"epochs": 0},
        {"momentum": 1.0},
        {"target": 1.0},
        {"penalty_weight": -1.0},
        {"seed": -1},
        {"max_norm": -2.0},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainConfig(**wrong)


@pytest.mark.parametrize("baseline", ["mean", "optimal"])
def test_an_interruption_within_a_step_leaves_the_baselines_as_they_were(data, monkeypatch, baseline):
    model = network(ModelConfig("sbn", 24, 8, baseline=baseline))
    trainer = Trainer(model.train(), data.train, TrainConfig(1))
    trainer.gradients(0)
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("stochastic_neurons.training.network_penalty", stop)
    with pytest.raises(KeyboardInterrupt):
        trainer.gradients(1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(ValueError, match="at least one draw"):
        predict(model, data.test.x, n_draws=0)


@pytest.mark.parametrize(
    ("gate", "setting", "value"),
    [("sbn", "baseline", "mean"), ("sts", "ratio", 0.3), ("noisy-relu", "sigma", 2.5), ("semi-hard", "sigma", 0.2)],
)
def test_settings_of_a_configuration_reach_the_neurons(gate, setting, value):
    model = network(ModelConfig(gate, 24, 8, **{setting: value}))
    assert getattr(model.conditional.gater.neuron, setting) == value


def test_settings_are_tried_on_validation_data_alone_and_a_frozen_gater_stays():
    trial = Trial(SMALL, TrainConfig(1), "digits", n_train=100)
    held_out, whole = run_trial(replace(trial, is_held_out=True), "cpu"), run_trial(trial, "cpu")
    assert set(held_out) == {"diverged", "validation_error", "validation_activity"}
    assert held_out.items() <= whole.items()
    data = load_splits("digits", n_train=100)
    model = network()
    Trainer(model, data.train, trial.train, validation=data.validation).fit()
    assert whole["validation_error"] == evaluate(model, data.validation).error
    assert whole["error"] == evaluate(model, data.test).error
    assert whole["averaged_error"] == evaluate(model, data.test, n_draws=10).error
    frozen = run_trial(replace(trial, is_frozen=True, train=TrainConfig(2, lr=1.0, max_norm=0.0)), "cpu")
    assert frozen["validation_activity"] == pytest.approx(evaluate(network(), data.validation).activity)
