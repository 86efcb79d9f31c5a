"""What experiments repeat."""

from dataclasses import replace

import pytest
import torch

from mt_deeponet import ModelConfig, ProblemConfig, TrainConfig
from mt_deeponet.experiments import _costs, _first
from mt_deeponet.trials import (
    TEST,
    TRAIN,
    DarcyTrial,
    FisherTrial,
    PlateTrial,
    darcy_data,
    fisher_data,
    plate_data,
    run_darcy,
    run_fisher,
    run_plate,
    run_scratch,
    run_untuned,
)

TRAINING = TrainConfig(steps=6, lr=1e-2, batch_size=4, check_every=3)
LAWS = FisherTrial(
    n_train=4,
    n_test=3,
    problem=ProblemConfig(resolution=8, n_times=4),
    model=ModelConfig(branch="6", trunk="6", latent=4),
    train=TRAINING,
)
SHAPES = DarcyTrial(
    n_train=3,
    n_test=2,
    n_target=3,
    n_validation=2,
    problem=ProblemConfig(resolution=16),
    model=ModelConfig(branch="6", trunk="6", latent=4, filters="2,2", dropout=0.0),
    train=TRAINING,
    tune=TRAINING,
)


def test_a_law_s_samples_are_the_same_alone_and_together():
    together, alone = fisher_data(LAWS), fisher_data(replace(LAWS, families="F2"))
    for one, other in zip(together, alone):
        torch.testing.assert_close(one.select("F2").values, other.values)
    parts = [{tuple(row) for row in part.functions.tolist()} for part in together]
    assert not parts[0] & parts[1]
    assert not parts[1] & parts[2]
    numbered = fisher_data(replace(LAWS, codes="number"))[0]
    assert numbered.codes.unique().tolist() == [0, 1]


def test_a_shape_s_first_samples_are_the_same_alone():
    together = darcy_data(SHAPES, TRAIN, 3, "square,disc")
    alone = darcy_data(SHAPES, TRAIN, 9, "square")
    assert torch.equal(together.select("square").values, alone.values[:3])
    assert not torch.equal(darcy_data(SHAPES, TEST, 3, "square").values, alone.values[:3])
    assert not torch.equal(darcy_data(replace(SHAPES, seed=1), TRAIN, 3, "square").values, alone.values[:3])


def test_a_trial_gives_its_errors_again_and_its_seconds():
    found, again = run_fisher(LAWS, "cpu"), run_fisher(LAWS, "cpu")
    assert found.pop("seconds_per_step") > 0
    again.pop("seconds_per_step")
    assert found == again
    assert found["steps"] == [3, 6]
    assert set(found["validation"]) == {"F1", "F2", "F4"}
    held_out = run_fisher(replace(LAWS, is_held_out=True), "cpu")
    assert held_out["F1"] == pytest.approx(found["validation"]["F1"][-1])


def test_shapes_are_learned_and_fine_tuned():
    found = run_darcy(replace(SHAPES, rates=(1e-3, 1e-2)), "cpu")
    assert set(found) == {"seen", "unseen", "tuned", "lr"}
    assert found == run_darcy(replace(SHAPES, rates=(1e-3, 1e-2)), "cpu")
    assert set(run_darcy(SHAPES, "cpu")) == {"seen", "unseen"}
    one = replace(SHAPES, rates=(1e-2,))
    assert run_scratch(one, "cpu")["tuned"] != run_untuned(one, "cpu")["tuned"]


def test_a_blind_branch_has_no_trace_of_the_shape():
    blind = replace(SHAPES, keeps_outside=True, model=replace(SHAPES.model, mask_in_branch=False))
    data = darcy_data(blind, TRAIN, 3, "disc")
    assert data.functions.all()
    assert 0 < run_darcy(blind, "cpu")["seen"] < 2


def test_plates_that_choose_settings_are_of_the_training():
    trial = PlateTrial(8, 3, ModelConfig(branch="6", trunk="6,6,6", latent=4), replace(TRAINING, batch_size=None))
    train, test = plate_data(trial)
    fewer, held_out = plate_data(replace(trial, is_held_out=True))
    assert (len(train), len(test), len(fewer), len(held_out)) == (24, 40, 18, 6)
    designs = [{tuple(row) for row in part.functions.tolist()} for part in (train, test, fewer, held_out)]
    assert not designs[0] & designs[1]
    assert designs[2] | designs[3] == designs[0]
    found = run_plate(trial, "cpu")
    assert found["nearest"] < found["mean"]


def test_costs_are_seconds_until_all_laws_are_learned():
    steps = [10, 20, 30]
    multi = {"steps": steps, "seconds_per_step": 2.0, "validation": {"F1": [9, 2, 1], "F2": [3, 2, 2], "F4": [9, 9, 3]}}
    shuffled = {"validation": {name: [9.0, 9, 9] for name in ("F1", "F2", "F4")}}
    singles = {
        name: {"steps": steps, "seconds_per_step": 1.0, "validation": {name: errors}}
        for name, errors in (("F1", [9, 9, 1]), ("F2", [9, 2, 1]), ("F4", [3, 2, 1]))
    }
    found = _costs({"multi": multi, "shuffled": shuffled, **singles})
    assert found == {"multi": 60.0, "singles": 30.0 + 20.0 + 10.0, "ratio": 1.0, "shuffled": 1.0}
    assert _first(steps, [3, 2, 1], 0.5) == float("inf")
