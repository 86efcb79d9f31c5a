"""Trainings on disk."""

import csv
import itertools
import json
from contextlib import contextmanager
from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ncap_swimmer import (
    Point,
    PolicyConfig,
    RandomTorques,
    RunConfig,
    Swimmer,
    SwimmerEnv,
    TrainConfig,
    evaluate,
    load,
    make_policy,
    runs,
    save,
)
from ncap_swimmer.traces import record
from separata import states
from separata.runs import RunFolder, read_csv
from separata.testing import contents, write_bomb

pytestmark = pytest.mark.usefixtures("short_episodes")

SHORT = RunConfig(n_links=3, hidden=(8,), train=TrainConfig(steps=100, test_every=100, test_episodes=1))
FEW = {"es": {"population": 2}, "ppo": {"segment": 64}, "ddpg": {"warmup": 350}}


def short(policy="ncap", algo="es", steps=100, **changes):
    train = replace(SHORT.train, steps=steps)
    return replace(SHORT, policy=policy, algo=algo, train=train, **{**FEW[algo], **changes})


@pytest.fixture(scope="module")
def evolved(short_episodes, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "evolved"
    runs.train_on_disk(short("ncap", "es", steps=300), out)
    return out


@pytest.fixture
def interrupted_at(monkeypatch):
    """Inside the block, the n-th step of the environments is interrupted as by Ctrl-C."""

    @contextmanager
    def interrupt(n):
        steps, step = itertools.count(1), SwimmerEnv.step

        def counted(env, action):
            if next(steps) == n:
                raise KeyboardInterrupt
            return step(env, action)

        with monkeypatch.context() as patch:
            patch.setattr(SwimmerEnv, "step", counted)
            yield

    return interrupt


@pytest.mark.parametrize(("policy", "algo"), [("ncap", "es"), ("mlp", "es"), ("mlp", "ppo"), ("ncap", "ddpg")])
def test_policies_learn_under_every_algorithm_and_go_on_as_if_never_stopped(
    policy, algo, tmp_path, small_critics, interrupted_at, monkeypatch
):
    monkeypatch.setattr(runs, "_draw", lambda *_: None)
    steps, stop = {"es": (300, 320), "ppo": (128, 200), "ddpg": (400, 390)}[algo]
    config = short(policy, algo)
    config = replace(config, train=replace(config.train, steps=steps, test_every=64))
    whole, result = runs.train_on_disk(config, tmp_path / "whole")
    with interrupted_at(stop), pytest.raises(KeyboardInterrupt):
        runs.train_on_disk(config, tmp_path / "parts")
    before = read_csv(tmp_path / "parts" / "history.csv")
    assert 0 < before[-1]["steps"] < steps
    parts, resumed = runs.train_on_disk(config, tmp_path / "parts", resume=True)
    assert result.history[-1].steps >= steps
    np.testing.assert_array_equal(*([astuple(replace(p, seconds=0)) for p in r.history] for r in (resumed, result)))
    np.testing.assert_array_equal(*([list(row.values()) for row in r] for r in (resumed.rows()[: len(before)], before)))
    for name, tensor in whole.policy.state_dict().items():
        torch.testing.assert_close(tensor, parts.policy.state_dict()[name], rtol=0, atol=0)
    for name in ("config.json", "model.safetensors", "checkpoint.safetensors"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    untrained = make_policy(config).state_dict()
    assert any(not torch.equal(tensor, untrained[name]) for name, tensor in whole.policy.state_dict().items())


def test_a_folder_has_everything(evolved):
    assert {path.name for path in evolved.iterdir()} == {
        *("config.json", "model.safetensors", "history.csv", "learning-curve.svg", "checkpoint.safetensors")
    }
    rows = list(csv.DictReader((evolved / "history.csv").open()))
    assert [row["steps"] for row in rows] == ["0", "100", "200", "300"]
    assert rows[0]["train_return"] == ""
    assert "<svg" in (evolved / "learning-curve.svg").read_text()
    assert RunFolder.open(evolved).config(RunConfig) == short("ncap", "es", steps=300)


def test_the_last_test_is_of_the_weights_that_are_kept(evolved):
    trained = load(evolved)
    last = list(csv.DictReader((evolved / "history.csv").open()))[-1]
    found = evaluate(trained.policy, trained.env(), 1, TrainConfig().test_seed)
    assert float(last["test_return"]) == pytest.approx(found.mean, rel=1e-9) != 0


def test_what_is_loaded_is_what_was_trained(evolved):
    trained = load(evolved)
    weights = load_file(evolved / "model.safetensors")
    assert trained.policy.circuit.weights() == {
        name: pytest.approx(float(weights[f"circuit.weight.{name}"])) for name in ("prop", "osc", "ipsi", "contra")
    }
    again, same = (trained.answer(evaluate(trained.policy, trained.env(), 2, 5)) for _ in range(2))
    assert again == same
    assert json.loads(json.dumps(again.value, allow_nan=False)) == again.value
    assert f"return {again.value['mean']:.1f}" in again.text


def test_a_circuit_moves_to_another_body_and_a_perceptron_does_not(evolved, tmp_path):
    moved = load(evolved).for_body(5)
    assert moved.answer(evaluate(moved.policy, moved.env(), 1, 0)).value["n_links"] == 5
    config = PolicyConfig("mlp", n_links=3)
    with pytest.raises(ValueError, match="own body of 3 links"):
        Swimmer(config, make_policy(config)).for_body(5)


@pytest.mark.parametrize(
    "config", [PolicyConfig("mlp", n_links=3, hidden=(4,), desired_speed=0.2), short("mlp", "ddpg"), short(share=False)]
)
def test_a_policy_that_was_saved_is_loaded(config, tmp_path):
    drawn = {"init": "uniform"} if config.policy == "ncap" else {}
    swimmer = Swimmer(config, make_policy(replace(config, seed=5, **drawn)))
    save(swimmer, tmp_path / "mine")
    assert contents(tmp_path / "mine").keys() == {"config.json", "model.safetensors"}
    loaded = load(tmp_path / "mine", "cpu")
    assert loaded.config == config
    assert type(loaded.config) is type(config)
    assert loaded.env().observation_space == swimmer.env().observation_space
    observation = torch.randn(7, 12)
    assert torch.equal(loaded.policy(observation), swimmer.policy(observation))
    with pytest.raises(ValueError, match="already holds"):
        save(swimmer, tmp_path / "mine")


def test_a_policy_is_saved_with_its_own_configuration_only(tmp_path):
    for policy in (make_policy(PolicyConfig(share=False)), RandomTorques(5)):
        with pytest.raises(ValueError, match="not the circuit of its configuration"):
            save(Swimmer(PolicyConfig(), policy), tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("config", "other", "told"),
    [
        (PolicyConfig(), {"signed": False}, "its signed is False, not True"),
        (PolicyConfig(), {"period": 80}, "its period is 80, not 60"),
        (PolicyConfig(), {"n_links": 7}, "its n_links is 7, not 6"),
        (PolicyConfig(), {"oscillator": False}, "its oscillator is False, not True"),
        (PolicyConfig(task="navigate"), {"steering": "learned"}, "its steering is LearnedSteering, not FixedSteering"),
        (PolicyConfig("mlp"), {"hidden": (8,)}, r"its hidden is \(8,\), not \(256, 256\)"),
        (short("mlp", "ddpg"), {"algo": "es", "warmup": None}, "its activation is tanh, not relu"),
    ],
)
def test_a_policy_that_would_be_loaded_as_another_is_not_saved(config, other, told, tmp_path):
    policy = make_policy(replace(config, **other))
    with pytest.raises(ValueError, match=told):
        save(Swimmer(config, policy), tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_weights_that_could_not_be_loaded_are_not_saved(tmp_path):
    config = PolicyConfig("mlp", hidden=(4,))
    broken = make_policy(config)
    broken.layers[0].bias.data.fill_(torch.nan)
    for policy, words in ((make_policy(config).double(), "its precision is torch.float64"), (broken, "not finite")):
        with pytest.raises(ValueError, match=words):
            save(Swimmer(config, policy), tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_settings_that_no_policy_can_have_are_told_with_their_file(copied):
    values = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(values | {"period": 61}))
    with pytest.raises(ValueError, match=r"config\.json.*period must be even"):
        load(copied)


@pytest.mark.gpu
def test_a_policy_is_loaded_to_the_gpu_where_there_is_one(evolved):
    swimmer, there = load(evolved, "cpu"), load(evolved)
    assert {weight.device.type for weight in there.policy.parameters()} == {"cuda"}
    found, expected = (record(each.policy, each.env()) for each in (there, swimmer))
    np.testing.assert_allclose(found.torques, expected.torques, atol=1e-6)


def test_a_folder_is_not_overwritten(evolved):
    with pytest.raises(ValueError, match="already holds a training.*--resume"):
        runs.train_on_disk(short("ncap", "es"), evolved)
    with pytest.raises(ValueError, match="begun with another algo and population and segment; resume it with"):
        runs.train_on_disk(short("ncap", "ppo", steps=300), evolved, resume=True)


def test_a_finished_training_resumed_stays_as_it_is(evolved):
    before = (evolved / "model.safetensors").read_bytes()
    _, result = runs.train_on_disk(short("ncap", "es", steps=300), evolved, resume=True)
    assert [point.steps for point in result.history] == [0, 100, 200, 300]
    assert (evolved / "model.safetensors").read_bytes() == before


@pytest.fixture
def copied(evolved, tmp_path):
    for path in evolved.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.parametrize("damage", ["garbage", "another state", "code", "another history"])
def test_a_damaged_checkpoint_is_refused_and_kept(copied, damage):
    path = copied / "checkpoint.safetensors"
    if damage == "garbage":
        path.write_bytes(b"garbage")
    elif damage == "another state":
        states.save(path, {"steps": 3})
    elif damage == "another history":
        (copied / "history.csv").write_text("steps,loss\n0,0.5\n")
    else:
        write_bomb(path, copied / "ran", by_torch=True)
    before = contents(copied)
    with pytest.raises(ValueError, match="does not hold a whole checkpoint"):
        runs.train_on_disk(short("ncap", "es", steps=400), copied, resume=True)
    assert contents(copied) == before


def test_weights_of_another_policy_are_refused(copied):
    save_file({"circuit.weight.prop": torch.ones(())}, copied / "model.safetensors")
    with pytest.raises(ValueError, match="weights of another model"):
        load(copied)


def test_weights_that_are_not_finite_are_refused(copied):
    weights = load_file(copied / "model.safetensors")
    save_file(weights | {"circuit.weight.prop": torch.tensor(torch.nan)}, copied / "model.safetensors")
    with pytest.raises(ValueError, match="not finite"):
        load(copied)


@pytest.mark.parametrize(
    "change", [{"n_links": "six"}, {"algo": "sgd"}, {"hidden": [1.5]}, {"extra": 1}, {"seed": None}]
)
def test_settings_of_another_kind_are_refused(copied, change):
    values = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(values | change))
    with pytest.raises(ValueError, match="does not hold the settings"):
        load(copied)


def test_no_training_is_said_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no training"):
        load(tmp_path)
    with pytest.raises(ValueError, match="--init"):
        runs.choose(None, init=False, config=PolicyConfig(), n_links=None)
    with pytest.raises(ValueError, match="--init"):
        runs.choose(tmp_path, init=True, config=PolicyConfig(), n_links=None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"algo": "sgd"}, "algo must be one of es, ppo, ddpg"),
        ({"policy": "random"}, "policy must be one of ncap, mlp, not 'random'"),
        ({"policy": "lstm"}, "policy must be one of"),
        ({"steering": "none"}, "steering must be one of fixed, learned"),
        ({"task": "run"}, "task must be one of"),
        ({"n_links": 2}, "at least 3 links"),
        ({"sigma": 0.1, "algo": "ppo"}, "sigma is a setting of es"),
        ({"population": 3}, "population must be even"),
        ({"segment": 64}, "segment is a setting of ppo"),
        ({"seed": -1}, "seed must be between 0 and 4294967295, not -1"),
        ({"seed": 2**32}, "seed must be between"),
        ({"lr": -1.0}, "lr must be positive"),
        ({"desired_speed": float("nan")}, "desired_speed must be positive"),
        ({"policy": "mlp", "share": False}, "share is a setting of the policy ncap, not of mlp"),
        ({"steering": "learned"}, "steering is a setting of the task navigate, not of swim"),
        ({"task": "navigate", "desired_speed": 0.5}, "desired_speed is a setting of the task swim, not of navigate"),
    ],
)
def test_wrong_settings_are_refused(unchecked, changes, words):
    with pytest.raises(ValueError, match=words):
        replace(SHORT, **changes)


def test_nothing_is_written_when_a_setting_is_wrong(tmp_path):
    with pytest.raises(ValueError, match="even"):
        runs.train_on_disk(short(period=3), tmp_path / "new")
    with pytest.raises(ValueError, match="at least 1 worker"):
        runs.train_on_disk(short(), tmp_path / "new", workers=0)
    for algo, device, words in (("es", "cuda", "evolution runs on the CPU"), ("ppo", "tpu", "auto, cpu, cuda")):
        with pytest.raises(ValueError, match=words):
            runs.train_on_disk(short("ncap", algo), tmp_path / "new", device=device)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "config",
    [
        short("mlp", "ddpg", lr=1e30, steps=400, warmup=150),
        short("mlp", "es", sigma=1e38),
        short("mlp", "es", lr=1e38, steps=300),
        short("ncap", "ppo", std=1e30),
    ],
    ids=["weights", "perturbations", "steps", "actions"],
)
def test_a_training_that_diverges_says_so_and_keeps_what_was_good(config, tmp_path):
    with pytest.raises(ValueError, match=r"diverged after \d+ steps.*smaller learning rate, sigma or std"):
        runs.train_on_disk(config, tmp_path / "run")
    trained = load(tmp_path / "run")
    assert all(torch.isfinite(tensor).all() for tensor in trained.policy.state_dict().values())


def test_an_error_that_is_not_divergence_stays_what_it_is(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise ValueError("no")

    monkeypatch.setattr(runs, "learn", fail)
    with pytest.raises(ValueError, match="^no$"):
        runs.train_on_disk(short(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("returns", "told"), [((800, 900, 390), "fell from 800.0 to 390.0"), ((800, 401), ""), ((0, 0), "")]
)
def test_a_return_that_fell_is_worth_a_warning(returns, told):
    found = runs.warning([Point(i, 0.0, 0.0, float(value), 0.0) for i, value in enumerate(returns)])
    assert told in found if told else found is None
