"""What experiments repeat, and what runs keep on disk."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from mgno import (
    DataShape,
    GridDataset,
    MgNO,
    ModelConfig,
    ProblemConfig,
    RunConfig,
    TrainConfig,
    TrajectoryDataset,
    load,
    make_operator,
    runs,
    save,
    train,
)
from mgno.boundaries import ExactTrial, HeatTrial, run_exact, run_heat
from mgno.experiments import SMALL, SMOKE
from mgno.published import PUBLISHED
from mgno.trials import kept_bytes, make_data, run_trial
from separata.testing import contents

TINY = RunConfig(ModelConfig(width=3, num_layers=1), TrainConfig(epochs=2, batch_size=4))


def pairs(n=12, size=8):
    x = torch.randn(n, 1, size, size, generator=torch.Generator().manual_seed(0))
    return GridDataset(x, x + 1)


def test_training_validation_and_test_data_are_drawn_apart_and_are_the_same_for_all_networks():
    data, other = make_data(SMOKE), make_data(replace(SMOKE, model=SMALL.fno))
    assert torch.equal(data.train.x, other.train.x)
    assert torch.equal(data.test.x, other.test.x)
    rows = [{tuple(one.flatten().tolist()) for one in part.x} for part in (data.train, data.validation, data.test)]
    assert not rows[0] & rows[1]
    assert not rows[0] & rows[2]
    assert not rows[1] & rows[2]
    assert not torch.equal(data.train.x, make_data(replace(SMOKE, seed=1)).train.x)


def test_a_trial_gives_its_numbers_again():
    found, again = run_trial(SMOKE, "cpu"), run_trial(SMOKE, "cpu")
    assert {**found, "ms": 0} == {**again, "ms": 0}
    assert found["validation"] == min(found["curve"])
    assert len(found["curve"]) == SMOKE.train.epochs
    assert 0 < found["mean"] < 1
    flow = replace(
        SMOKE, name="navier-stokes", problem=ProblemConfig(8, n_frames=3), n_train=4, n_validation=2, n_test=2
    )
    model = ModelConfig(width=3, num_layers=1, padding_mode="circular", residual=True)
    assert run_trial(replace(flow, model=model), "cpu")["rollout"] > 0


def test_the_memory_that_is_kept_for_gradients_counts_each_piece_once():
    x = torch.randn(2, 3, 5, 5)
    convolution = nn.Conv2d(3, 4, 1)
    assert kept_bytes(convolution, x) == 4 * x.numel()
    both = nn.Sequential(convolution, nn.Tanh())
    assert kept_bytes(both, x) == 4 * x.numel() + 4 * 2 * 4 * 25


def test_each_padding_suits_its_own_heat_flow():
    trial = HeatTrial(
        resolution=8, width=4, n_train=32, n_test=20, train=TrainConfig(epochs=6, lr=3e-2, loss="l2", weight_decay=0.0)
    )
    for flow in ("zeros", "circular"):
        errors = {mode: run_heat(replace(trial, flow=flow, padding_mode=mode), "cpu") for mode in ("zeros", "circular")}
        assert min(errors, key=errors.get) == flow


def test_random_networks_are_exact_where_they_should_be():
    found = run_exact(ExactTrial(16, 3), "cpu")
    assert max(found["shift"], found["linear"]) < 1e-12
    assert min(found["shift_unwrapped"], found["linear_network"]) > 1e-3


def test_a_training_is_written_and_loaded(tmp_path):
    report = train(pairs(), tmp_path / "run", TINY, device="cpu")
    model = load(tmp_path / "run", "cpu")
    again = load(tmp_path / "run/model.safetensors", "cpu")
    x = torch.randn(2, 1, 8, 8)
    assert torch.equal(model(x), again(x))
    assert report.epochs == 2
    assert json.loads((tmp_path / "run/config.json").read_text())["shape"]["height"] == 8
    save(model, tmp_path / "copy")
    assert torch.equal(load(tmp_path / "copy", "cpu")(x), model(x))
    assert torch.isfinite(load(tmp_path / "copy", "cpu")(torch.randn(1, 1, 13, 11))).all(), "another grid"


def test_trajectories_are_held_out_whole(tmp_path, monkeypatch):
    seen = {}

    class Seen(runs.Trainer):
        def __init__(self, model, data, config, **options):
            seen.update(train=data.x, held_out=options["validation"].x)
            super().__init__(model, data, config, **options)

    monkeypatch.setattr(runs, "Trainer", Seen)
    numbers = torch.arange(1.0, 6)[:, None, None, None]
    train(TrajectoryDataset(numbers + torch.rand(5, 4, 8, 8) / 4), tmp_path / "run", TINY, device="cpu")
    of = {name: set(x.mean((1, 2, 3)).floor().int().tolist()) for name, x in seen.items()}
    assert (len(of["train"]), len(of["held_out"])) == (4, 1)
    assert not of["train"] & of["held_out"]


@pytest.mark.parametrize("kind", ["mgno", "fno", "unet", "dilated-resnet"])
def test_every_kind_is_made_and_its_functions_are_normalized(kind):
    data = GridDataset(100 + 5 * torch.randn(20, 2, 16, 16), torch.rand(20, 1, 16, 16) - 7)
    config = ModelConfig(kind, width=4, num_layers=1, x_normalizer="pointwise")
    model = make_operator(config, data.shape, data).eval()
    seen = []
    model.network.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        y = model(data.x)
    assert seen[0].std(0).mean() == pytest.approx(1, abs=1e-3)
    assert float(y.mean()) == pytest.approx(-7, abs=1)
    with pytest.raises(ValueError, match="normalizer is for values of shape"):
        model(torch.randn(1, 2, 8, 8))


def test_published_settings_make_the_published_networks():
    sizes = {"darcy-smooth": (738_573, 211), "darcy-rough": (572_661, 256), "darcy-multiscale": (572_661, 256)}
    for name, (expected, size) in sizes.items():
        network = make_operator(PUBLISHED[name].model, DataShape(1, 1, size, size)).network
        assert sum(p.numel() for p in network.parameters()) == expected
    pairs_of = {"navier-stokes": (MgNO.navier_stokes(), 64), "helmholtz": (MgNO.helmholtz(), 101)}
    for name, (network, size) in pairs_of.items():
        made = make_operator(PUBLISHED[name].model, DataShape(1, 1, size, size)).network
        assert {key: value.shape for key, value in made.state_dict().items()} == {
            key: value.shape for key, value in network.state_dict().items()
        }


def test_what_cannot_be_run_is_refused_and_leaves_nothing(tmp_path):
    cases = [
        (RunConfig(ModelConfig("fno", cycles="10,20")), "cycles does not apply to fno"),
        (RunConfig(ModelConfig(cycles="10,10,10,10,20")), "need at least 16 points"),
        (RunConfig(ModelConfig(n_modes=4)), "n modes does not apply to mgno"),
    ]
    for config, words in cases:
        with pytest.raises(ValueError, match=words):
            train(pairs(), tmp_path / "run", config)
    with pytest.raises(ValueError, match="one sample leaves none"):
        train(pairs(1), tmp_path / "run", TINY)
    with pytest.raises(ValueError, match="other channels"):
        train(pairs(), tmp_path / "run", TINY, validation=GridDataset(torch.ones(2, 2, 8, 8), torch.ones(2, 1, 8, 8)))
    with pytest.raises(ValueError, match="two digits a level"):
        ModelConfig(cycles="1,0")
    with pytest.raises(ValueError, match="only a network of make_operator"):
        save(MgNO(1, 1, 3, 1, ((1, 0),)), tmp_path / "run")
    assert not contents(tmp_path)


@pytest.mark.parametrize("setting", ["kind", "x_normalizer", "y_normalizer"])
def test_unknown_names_are_refused(setting, unchecked):
    with pytest.raises(ValueError, match=r"must be one of .*, not gaussian"):
        ModelConfig(**{setting: "gaussian"})
