import json
import math
from dataclasses import replace

import pytest
import torch

from dualformer import SamplingConfig, TrainConfig, load, shipped
from dualformer.configs import RunConfig
from dualformer.runs import SHIPPED
from dualformer.trials import (
    FRESH,
    Recipe,
    Trial,
    data_file,
    equal_diversity,
    make_tasks,
    paired_steps,
    prepare,
    run_trial,
    trained,
)
from separata import configs

CONFIG = RunConfig(dim=16, n_layers=1, n_heads=1, train=TrainConfig(steps=3, batch_size=4, lr=1e-3))
RECIPE = Recipe(CONFIG, n_train=12)
TRIAL = Trial("dualformer", ("slow", "fast"), 4, n_tasks=3, sampling=SamplingConfig(2, max_len=20), recipe=RECIPE)


def layouts(records):
    return {record.task.layout for record in records}


def test_tasks_to_measure_on_share_no_layout_with_those_to_train_on():
    train, test = make_tasks(TRIAL)
    assert (len(train), len(test)) == (12, 3)
    assert not layouts(train) & layouts(test)
    assert make_tasks(replace(TRIAL, model="complete-trace")) == (train, test)
    assert make_tasks(replace(TRIAL, seed=1)) != (train, test)


def test_as_released_layouts_are_shared_by_tasks_but_not_with_those_to_measure_on():
    train, test = make_tasks(replace(TRIAL, size=6, recipe=replace(RECIPE, n_train=60, is_released=True)))
    assert (len(train), len(test)) == (60, 3)
    assert len(layouts(train)) < 30
    assert not layouts(train) & layouts(test)


def test_models_that_come_with_the_package_meet_fresh_tasks():
    train, test = make_tasks(Trial("dualformer", (), size=8, n_tasks=2, sampling=SamplingConfig(1)))
    assert (train, len(test)) == ([], 2)


def test_a_trial_gives_its_numbers_again():
    found = run_trial(TRIAL, "cpu")
    assert sorted(found) == ["fast", "slow"]
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(run_trial(TRIAL, "cpu")))
    for mode, report in found.items():
        assert len(report["n_optimal"]) == 3
        assert sum(report["levels"].values()) == pytest.approx(1)
        assert report["slow_share"] == (mode == "slow")


def test_long_trainings_keep_their_tasks_and_go_on(tmp_path):
    trial = replace(TRIAL, modes=("fast",), folder=str(tmp_path))
    prepare([trial, replace(trial, model="solution-only")])
    assert data_file(trial).is_file()
    train, test = make_tasks(trial)
    assert (train, test) == make_tasks(TRIAL)
    found = run_trial(trial, "cpu")
    assert (tmp_path / "dualformer-0.safetensors").is_file()
    assert run_trial(trial, "cpu") == found


def test_mixed_precision_learns_nearly_the_same():
    train, _ = make_tasks(TRIAL)
    one, mixed = (trained(replace(TRIAL, recipe=replace(RECIPE, is_mixed=x)), train, "cpu") for x in (False, True))
    for a, b in zip(one.model.parameters(), mixed.model.parameters(), strict=True):
        assert a.dtype == b.dtype == torch.float32
        torch.testing.assert_close(a, b, atol=1e-2, rtol=0)


def test_a_trial_without_a_recipe_cannot_be_trained():
    with pytest.raises(ValueError, match="nothing to train"):
        trained(replace(TRIAL, recipe=None), [], "cpu")


def test_steps_are_compared_on_mazes_that_both_solve():
    assert paired_steps({"steps_solved": [10.0, None, 30.0]}, {"steps_solved": [20.0, 5.0, 60.0]}) == 0.5
    assert math.isnan(paired_steps({"steps_solved": [None]}, {"steps_solved": [5.0]}))


def test_plans_are_compared_among_equally_many_correct_responses():
    one, other = {"plan_counts": [[1, 1, 2], [1], []]}, {"plan_counts": [[2], [3], [4]]}
    # The first maze alone counts: two of four responses, which differ in five of six pairs, against two equal ones.
    assert equal_diversity(one, other) == (pytest.approx(1 + 5 / 6), 1)
    assert all(map(math.isnan, equal_diversity(one, {"plan_counts": [[1], [1], [1]]})))


# ---- the models that come with the package


def test_three_small_models_come_with_the_package_and_say_how_they_were_made():
    assert shipped() == ["complete-trace", "dualformer", "solution-only"]
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*")) < 10_000_000
    described = {name: json.loads((SHIPPED / name / "config.json").read_text()) for name in shipped()}
    settings = {name: configs.from_plain(RunConfig, of["config"], SHIPPED) for name, of in described.items()}
    probs = {name: config.dropper("maze").probs for name, config in settings.items()}
    assert probs["complete-trace"] == (1, 0, 0, 0, 0)
    assert probs["solution-only"] == (0, 0, 0, 0, 1)
    assert probs["dualformer"] == pytest.approx([0.45, 1 / 6, 1 / 6, 1 / 6, 0.05])
    assert len(described["dualformer"]["sha256"]["data"]) == 64
    for key in ("sha256", "model", "tokenizer", "precision", "processes"):
        assert len({str(of[key]) for of in described.values()}) == 1, "the same data and size for all"
    assert max(config.train.seed for config in settings.values()) < FRESH
    same = {replace(config, probs="", train=replace(config.train, lr=1.0)) for config in settings.values()}
    assert len(same) == 1, "the same training for all, at the best learning rate of each"


@pytest.mark.parametrize("name", ["complete-trace", "dualformer", "solution-only"])
def test_models_that_come_with_the_package_are_read_and_measured(name):
    planner = load(name, "cpu")
    assert (planner.tokenizer.width, planner.tokenizer.height) == (8, 8)
    assert sum(parameter.numel() for parameter in planner.model.parameters()) < 1_000_000
    metrics = json.loads((SHIPPED / name / "metrics.json").read_text())
    for report in metrics.values():
        assert 0 <= report["one_optimal"] <= report["one_solved"] <= 1
