"""Networks on disk."""

from dataclasses import replace

import pytest
import torch
from known_functions import generator
from torch import nn

from deeponet import (
    FNN,
    DataShape,
    DeepONet,
    JoinedNet,
    ModelConfig,
    ResNet,
    RunConfig,
    TrainConfig,
    TripleDataset,
    describe,
    load,
    make_model,
    save,
    train,
)
from separata.testing import contents, interrupted_after

NETWORKS = [
    DeepONet([5, 4, 6], [2, 4, 6]),
    DeepONet([5, 4, 6], [2, 4, 6], stacked=True, bias=False, activation="tanh"),
    DeepONet([5, 4, 6], [2, 6], n_outputs=2),
    DeepONet([5, 4, 12], [2, 6], n_outputs=2, strategy="split_branch", stacked=True),
    DeepONet([5, 4, 6], [2, 12], n_outputs=2, strategy="split_trunk"),
    DeepONet([5, 4, 6], [2, 6], n_outputs=2, strategy="split_both"),
    JoinedNet(5, 2, [7, 8, 2], "gelu"),
    ResNet(5, 2, width=7, n_blocks=3),
]


@pytest.mark.parametrize("network", NETWORKS, ids=range(len(NETWORKS)))
def test_networks_are_what_was_saved(network, tmp_path):
    save(network, tmp_path / "run")
    for place in ("run", "run/model.safetensors"):
        again = load(tmp_path / place, "cpu")
        u, y = torch.rand(3, 5), torch.rand(4, 2)
        torch.testing.assert_close(again.grid(u, y), network.grid(u, y))
        assert not again.training
    with pytest.raises(ValueError, match="already holds a training"):
        save(network, tmp_path / "run")


def test_networks_of_one_s_own_modules_are_not_saved_as_runs(tmp_path):
    for network in (DeepONet(nn.Linear(5, 6), [2, 6]), FNN([5, 2])):
        with pytest.raises(ValueError, match="state_dict"):
            save(network, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_widths_are_those_of_one_output():
    shape = DataShape(5, 2, 3)
    assert make_model(ModelConfig(strategy="split_branch"), shape).sizes == ((5, 40, 120), (2, 40, 40))
    assert make_model(ModelConfig(strategy="split_trunk"), shape).sizes == ((5, 40, 40), (2, 40, 120))
    assert describe(make_model(ModelConfig("resnet", "8,8"), shape))[0] == ModelConfig("resnet", "8,8")
    with pytest.raises(ValueError, match="one width, not 8,9"):
        make_model(ModelConfig("resnet", "8,9"), shape)
    with pytest.raises(ValueError, match="positive whole numbers"):
        ModelConfig(branch="40,x")


@pytest.fixture
def data():
    g = generator()
    return TripleDataset(torch.rand(20, 5, generator=g), torch.rand(4, 1, generator=g), torch.rand(20, 4, generator=g))


CONFIG = RunConfig(ModelConfig(branch="6,6", trunk="6,6"), TrainConfig(steps=30, check_every=10))


def test_a_training_that_was_interrupted_goes_on_to_the_same_weights(data, tmp_path):
    train(data, tmp_path / "whole", CONFIG, test=data, device="cpu")
    with pytest.raises(KeyboardInterrupt), interrupted_after(17):
        train(data, tmp_path / "part", CONFIG, test=data, device="cpu")
    with pytest.raises(FileNotFoundError, match="has not ended"):
        load(tmp_path / "part")
    with pytest.raises(ValueError, match="continue it with --resume"):
        train(data, tmp_path / "part", CONFIG, test=data, device="cpu")
    with pytest.raises(ValueError, match="begun with another data"):
        train(data[:10], tmp_path / "part", CONFIG, test=data, device="cpu", resume=True)
    report = train(data, tmp_path / "part", CONFIG, test=data, device="cpu", resume=True)
    assert report.steps == 30
    whole, part = (contents(tmp_path / name) for name in ("whole", "part"))
    for name in ("model.safetensors", "history.csv", "config.json"):
        assert whole[name] == part[name]


def test_settings_are_checked_before_anything_is_written(data, tmp_path):
    wrong = replace(CONFIG, model=ModelConfig(branch="6,5", trunk="6,6"))
    with pytest.raises(ValueError, match="5 of the branch and 6 of the trunk"):
        train(data, tmp_path / "run", wrong)
    other = TripleDataset(torch.rand(3, 6), data.y, torch.rand(3, 4))
    with pytest.raises(ValueError, match="different shapes"):
        train(data, tmp_path / "run", CONFIG, test=other)
    assert not (tmp_path / "run").exists()


def test_data_far_from_the_order_of_one_is_warned_of(data, tmp_path, capsys):
    from separata.progress import Reporter

    for factor, number in ((1.0, 0), (1e5, 1)):
        scaled = TripleDataset(factor * data.u, data.y, data.s)
        train(scaled, tmp_path / str(number), CONFIG, device="cpu", reporter=Reporter())
        assert ("u is of the order of 6e+04" in " ".join(capsys.readouterr().err.split())) == bool(number)


def test_damaged_folders_are_refused(data, tmp_path):
    train(data, tmp_path / "run", CONFIG, device="cpu")
    config = tmp_path / "run/config.json"
    text = config.read_text()
    for old, new, words in (
        ('"branch": "6,6"', '"branch": "6,7"', "7 of the branch and 6"),
        ('"branch": "6,6"', '"branch": "8,6"', "another model"),
        ('"model"', '"network"', "not hold a network"),
        ('"n_sensors": 5', '"n_sensors": "five"', "n_sensors"),
    ):
        config.write_text(text.replace(old, new))
        with pytest.raises(ValueError, match=words):
            load(tmp_path / "run")
    with pytest.raises(FileNotFoundError, match="holds no training"):
        load(tmp_path)
