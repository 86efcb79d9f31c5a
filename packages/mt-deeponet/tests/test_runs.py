"""Networks on disk."""

from dataclasses import replace

import pytest
import torch
from tiny import MODELS, data, model

from mt_deeponet import RunConfig, TrainConfig, load, save, train, transfer_run
from separata.testing import contents, interrupted_after

CONFIG = RunConfig(MODELS["darcy"], TrainConfig(steps=12, lr=1e-2, batch_size=5, check_every=4))


@pytest.mark.parametrize("kind", ["fisher", "darcy", "plate"])
def test_networks_are_what_was_saved_normalizers_and_all(kind, tmp_path):
    samples = data(kind)
    surrogate = model(kind, samples)
    save(surrogate, tmp_path / "run", MODELS[kind])
    for place in ("run", "run/model.safetensors"):
        again = load(tmp_path / place, "cpu")
        torch.testing.assert_close(again.predict(samples), surrogate.predict(samples))
        assert torch.equal(again.grid, samples.points)
        assert not again.training
    with pytest.raises(ValueError, match="already holds a training"):
        save(surrogate, tmp_path / "run", MODELS[kind])


def test_a_training_that_was_interrupted_goes_on_to_the_same_weights(tmp_path):
    samples = data("darcy")
    train(samples, tmp_path / "whole", CONFIG, test=samples, device="cpu")
    with pytest.raises(KeyboardInterrupt), interrupted_after(7):
        train(samples, tmp_path / "part", CONFIG, test=samples, device="cpu")
    with pytest.raises(ValueError, match="continue it with --resume"):
        train(samples, tmp_path / "part", CONFIG, test=samples, device="cpu")
    with pytest.raises(ValueError, match="begun with another"):
        train(samples[:11], tmp_path / "part", CONFIG, test=samples, device="cpu", resume=True)
    report = train(samples, tmp_path / "part", CONFIG, test=samples, device="cpu", resume=True)
    assert report.tasks == {"square": 4, "disc": 4, "triangle": 4}
    whole, part = (contents(tmp_path / name) for name in ("whole", "part"))
    for name in ("model.safetensors", "history.csv", "config.json"):
        assert whole[name] == part[name]


def test_a_transfer_is_a_run_of_its_own(tmp_path):
    samples = data("darcy")
    train(samples, tmp_path / "source", CONFIG, device="cpu")
    report = transfer_run(tmp_path / "source", samples.select("disc"), tmp_path / "disc", CONFIG.train, device="cpu")
    source, tuned = load(tmp_path / "source", "cpu"), load(tmp_path / "disc", "cpu")
    assert torch.equal(source.network.trunk.hidden[0].weight, tuned.network.trunk.hidden[0].weight)
    assert not torch.equal(source.network.trunk.out.weight, tuned.network.trunk.out.weight)
    assert report.n_parameters < sum(parameter.numel() for parameter in source.parameters())
    with pytest.raises(ValueError, match="no part"):
        transfer_run(tmp_path / "source", samples, tmp_path / "new", CONFIG.train, parts=("head",))
    assert not (tmp_path / "new").exists()


def test_settings_are_checked_before_anything_is_written(tmp_path):
    samples = data("darcy")
    with pytest.raises(ValueError, match="at least 512"):
        train(samples, tmp_path / "run", replace(CONFIG, model=replace(CONFIG.model, filters=",".join(["2"] * 9))))
    with pytest.raises(ValueError, match="too few samples of triangle: 1"):
        train(samples[:9], tmp_path / "run", CONFIG)
    with pytest.raises(ValueError, match="different shapes"):
        train(samples, tmp_path / "run", CONFIG, test=data("fisher"))
    assert not (tmp_path / "run").exists()


def test_damaged_folders_are_refused(tmp_path):
    train(data("darcy"), tmp_path / "run", CONFIG, device="cpu")
    config = tmp_path / "run/config.json"
    text = config.read_text()
    for old, new, words in (
        ('"latent": 6', '"latent": 7', "another model"),
        ('"model"', '"network"', "not hold a network"),
        ('"n_coordinates": 2', '"n_coordinates": "two"', "n_coordinates"),
    ):
        config.write_text(text.replace(old, new))
        with pytest.raises(ValueError, match=words):
            load(tmp_path / "run")
    with pytest.raises(FileNotFoundError, match="holds no training"):
        load(tmp_path)
