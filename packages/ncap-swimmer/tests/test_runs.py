"""Trainings on disk."""

import csv
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from ncap_swimmer import Point, Schedule, evaluate, runs
from ncap_swimmer.settings import PolicySettings, Training, read

pytestmark = pytest.mark.usefixtures("short_episodes")

SHORT = Training(n_links=3, steps=100, population=2, test_every=100, test_episodes=1, hidden=(8,))


def short(policy, algo, **changes):
    own = {"es": {}, "ppo": {"segment": 64}, "ddpg": {"warmup": 350}}[algo]
    return replace(SHORT, policy=policy, algo=algo, **({} if algo == "es" else {"population": None}), **own, **changes)


@pytest.fixture(scope="module")
def evolved(short_episodes, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "evolved"
    runs.train(short("ncap", "es", steps=300), out)
    return out


@pytest.mark.parametrize(("policy", "algo"), [("ncap", "es"), ("mlp", "es"), ("mlp", "ppo"), ("ncap", "ddpg")])
def test_policies_learn_under_every_algorithm_and_go_on_as_if_never_stopped(
    policy, algo, tmp_path, small_critics, monkeypatch
):
    monkeypatch.setattr(runs, "_draw", lambda *_: None)
    longer = {"es": 300, "ppo": 128, "ddpg": 400}[algo]
    training = short(policy, algo, steps=longer)
    whole, result = runs.train(training, tmp_path / "whole")
    runs.train(replace(training, steps=longer // 2), tmp_path / "parts")
    parts, resumed = runs.train(training, tmp_path / "parts", resume=True)
    assert result.history[-1].steps >= longer
    assert resumed.history[-1].steps == result.history[-1].steps
    for name, tensor in whole.policy.state_dict().items():
        torch.testing.assert_close(tensor, parts.policy.state_dict()[name], rtol=0, atol=0)
    untrained = training.build_policy().state_dict()
    assert any(not torch.equal(tensor, untrained[name]) for name, tensor in whole.policy.state_dict().items())


def test_a_folder_has_everything(evolved):
    assert {path.name for path in evolved.iterdir()} == {
        *("config.json", "policy.safetensors", "history.csv", "learning-curve.svg", "checkpoint.pt")
    }
    rows = list(csv.DictReader((evolved / "history.csv").open()))
    assert [row["steps"] for row in rows] == ["0", "100", "200", "300"]
    assert rows[0]["train_return"] == ""
    assert "<svg" in (evolved / "learning-curve.svg").read_text()
    assert read(evolved / "config.json") == short("ncap", "es", steps=300)


def test_the_last_test_is_of_the_weights_that_are_kept(evolved):
    trained = runs.load(evolved)
    last = list(csv.DictReader((evolved / "history.csv").open()))[-1]
    found = evaluate(trained.policy, trained.env(), 1, Schedule(1).test_seed)
    assert float(last["test_return"]) == pytest.approx(found.mean, rel=1e-9) != 0


def test_what_is_loaded_is_what_was_trained(evolved):
    trained = runs.load(evolved)
    weights = load_file(evolved / "policy.safetensors")
    assert trained.policy.circuit.weights() == {
        name: pytest.approx(float(weights[f"circuit.weight.{name}"])) for name in ("prop", "osc", "ipsi", "contra")
    }
    again, same = (runs.evaluate(trained, 2, 5) for _ in range(2))
    assert again == same
    assert json.loads(runs.show(again, as_json=True)) == again
    assert f"return {again['mean']:.1f}" in runs.show(again, as_json=False)


def test_a_circuit_moves_to_another_body_and_a_perceptron_does_not(evolved, tmp_path):
    moved = runs.load(evolved).for_body(5)
    assert runs.evaluate(moved, 1, 0)["n_links"] == 5
    settings = PolicySettings("mlp", n_links=3)
    with pytest.raises(ValueError, match="own body of 3 links"):
        runs.Trained(settings, settings.build()).for_body(5)


def test_a_folder_is_not_overwritten(evolved):
    with pytest.raises(ValueError, match="already holds a training.*--resume"):
        runs.train(short("ncap", "es"), evolved)
    with pytest.raises(ValueError, match="begun with another algo and population and segment"):
        runs.train(short("ncap", "ppo", steps=300), evolved, resume=True)


def test_a_finished_training_resumed_stays_as_it_is(evolved):
    before = (evolved / "policy.safetensors").read_bytes()
    _, result = runs.train(short("ncap", "es", steps=300), evolved, resume=True)
    assert [point.steps for point in result.history] == [0, 100, 200, 300]
    assert (evolved / "policy.safetensors").read_bytes() == before


@pytest.fixture
def copied(evolved, tmp_path):
    for path in evolved.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_a_damaged_checkpoint_is_refused_and_kept(copied):
    (copied / "checkpoint.pt").write_bytes(b"garbage")
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        runs.train(short("ncap", "es", steps=400), copied, resume=True)
    assert (copied / "checkpoint.pt").read_bytes() == b"garbage"


def test_a_checkpoint_that_would_run_code_does_not(copied):
    class Evil:
        def __reduce__(self):
            return (open, (str(copied / "ran"), "w"))

    torch.save({"learner": Evil(), "history": []}, copied / "checkpoint.pt")
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        runs.train(short("ncap", "es", steps=400), copied, resume=True)
    assert not (copied / "ran").exists()


def test_weights_of_another_policy_are_refused(copied):
    save_file({"circuit.weight.prop": torch.ones(())}, copied / "policy.safetensors")
    with pytest.raises(ValueError, match="does not hold the weights"):
        runs.load(copied)


def test_weights_that_are_not_finite_are_refused(copied):
    weights = load_file(copied / "policy.safetensors")
    save_file(weights | {"circuit.weight.prop": torch.tensor(torch.nan)}, copied / "policy.safetensors")
    with pytest.raises(ValueError, match="not finite"):
        runs.load(copied)


@pytest.mark.parametrize(
    "change", [{"n_links": "six"}, {"algo": "sgd"}, {"hidden": [1.5]}, {"extra": 1}, {"seed": None}]
)
def test_settings_of_another_kind_are_refused(copied, change):
    values = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(values | change))
    with pytest.raises(ValueError, match="does not hold the settings"):
        runs.load(copied)


def test_no_training_is_said_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no training"):
        runs.load(tmp_path)
    with pytest.raises(ValueError, match="--init"):
        runs.choose(None, init=False, settings=PolicySettings(), n_links=None)
    with pytest.raises(ValueError, match="--init"):
        runs.choose(tmp_path, init=True, settings=PolicySettings(), n_links=None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"algo": "sgd"}, "algo must be one of es, ppo, ddpg"),
        ({"policy": "random"}, "random torques learn nothing"),
        ({"policy": "lstm"}, "policy must be one of"),
        ({"task": "run"}, "task must be one of"),
        ({"n_links": 2}, "at least 3 links"),
        ({"sigma": 0.1, "algo": "ppo", "population": None}, "sigma is a setting of es"),
        ({"segment": 64}, "segment is a setting of ppo"),
        ({"seed": -1}, "seed must be between 0 and 4294967295, not -1"),
        ({"seed": 2**32}, "seed must be between"),
        ({"learning_rate": -1.0}, "learning_rate must be positive"),
        ({"desired_speed": float("nan")}, "desired_speed must be positive"),
    ],
)
def test_wrong_settings_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        replace(SHORT, **changes)


def test_nothing_is_written_when_a_setting_is_wrong(tmp_path):
    for changes, words in (({"population": 3}, "even"), ({"steps": 0}, "at least 1"), ({"period": 3}, "even")):
        with pytest.raises(ValueError, match=words):
            runs.train(replace(SHORT, **changes), tmp_path / "new")
    for algo, device, words in (("es", "cuda", "evolution runs on the CPU"), ("ppo", "tpu", "auto, cpu, cuda")):
        with pytest.raises(ValueError, match=words):
            runs.train(short("ncap", algo), tmp_path / "new", device=device)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "training",
    [
        replace(short("mlp", "ddpg", learning_rate=1e30, steps=400), warmup=150),
        short("mlp", "es", sigma=1e38),
        short("mlp", "es", learning_rate=1e38, steps=300),
        short("ncap", "ppo", std=1e30),
    ],
    ids=["weights", "perturbations", "steps", "actions"],
)
def test_a_training_that_diverges_says_so_and_keeps_what_was_good(training, tmp_path):
    with pytest.raises(ValueError, match=r"diverged after \d+ steps.*smaller learning rate, sigma or std"):
        runs.train(training, tmp_path / "run")
    trained = runs.load(tmp_path / "run")
    assert all(torch.isfinite(tensor).all() for tensor in trained.policy.state_dict().values())


def test_an_error_that_is_not_divergence_stays_what_it_is(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise ValueError("no")

    monkeypatch.setattr(runs, "learn", fail)
    with pytest.raises(ValueError, match="^no$"):
        runs.train(SHORT, tmp_path / "run")


@pytest.mark.parametrize(
    ("returns", "told"), [((800, 900, 390), "fell from 800.0 to 390.0"), ((800, 401), ""), ((0, 0), "")]
)
def test_a_return_that_fell_is_worth_a_warning(returns, told):
    found = runs.warning([Point(i, 0.0, 0.0, float(value), 0.0) for i, value in enumerate(returns)])
    assert told in found if told else found is None
