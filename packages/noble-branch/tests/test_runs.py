"""Trainings on disk, trials, and what trainings cost."""

import gzip
import json
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from noble_branch import (
    MethodConfig,
    RunConfig,
    TaskConfig,
    TrainConfig,
    Trained,
    TransformerConfig,
    add_branches,
    load,
    overhead,
    save,
    train,
)
from noble_branch.experiments import differences_interval, half_interval, others, seed_noise, speedup
from noble_branch.text import find_text, read_text
from noble_branch.trials import Trial, best, high_frequency, run_again, run_trial, step_costs

SHAPE = TransformerConfig(8, 1, 2)
METHOD = MethodConfig(rank=2)
TRAIN = TrainConfig(n_steps=4, batch_size=2, eval_every=2)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "poem.txt"
    path.write_text("the rain in spain stays mainly in the plain\n" * 40)
    return path


@pytest.fixture
def run(text):
    return RunConfig(TaskConfig("text", str(text), length=16), SHAPE, METHOD, TRAIN)


def test_what_was_trained_is_loaded_without_its_text(run, text, tmp_path):
    report = train(run, tmp_path / "run", device="cpu")
    text.unlink()
    found = load(tmp_path / "run", "cpu")
    assert found.vocabulary == "".join(sorted(set("the rain in spain stays mainly in the plain\n")))
    tokens = torch.arange(16)[None] % len(found.vocabulary)
    assert torch.equal(found.model(tokens), report.trained.model(tokens))
    save(found, tmp_path / "copy")
    again = load(tmp_path / "copy", "cpu")
    assert torch.equal(again.model(tokens), found.model(tokens))
    assert (again.method, again.shape, again.network) == (METHOD, SHAPE, found.network)


def test_a_changed_text_is_not_gone_on_with(run, text, tmp_path):
    train(run, tmp_path / "run", device="cpu")
    text.write_text(text.read_text()[::-1])
    with pytest.raises(ValueError, match="sha256"):
        train(run, tmp_path / "run", device="cpu", resume=True)


def test_rows_are_logged_as_they_happen(run, tmp_path, monkeypatch):
    seen = []

    def evaluate(trainer):
        path = tmp_path / "run" / "history.csv"
        seen.append(len(path.read_text().splitlines()) - 1 if path.is_file() else 0)
        return 1.0

    monkeypatch.setattr("noble_branch.training.Trainer._evaluate", evaluate)
    train(run, tmp_path / "run", device="cpu")
    assert seen == [0, 1, 2]


def test_damaged_folders_are_refused(run, tmp_path):
    train(run, tmp_path / "run", device="cpu")
    path = tmp_path / "run" / "config.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"vocabulary": 3}))
    with pytest.raises(ValueError, match="vocabulary is no text"):
        load(tmp_path / "run")
    path.write_text(json.dumps(values | {"model": {"width": 16, "depth": 1, "heads": 2}}))
    with pytest.raises(ValueError, match="of another model"):
        load(tmp_path / "run")
    with pytest.raises(FileNotFoundError):
        load(tmp_path)


def test_a_network_of_another_kind_is_kept(tmp_path):
    report = train(RunConfig(TaskConfig("vit", patch=4), SHAPE, METHOD, TRAIN), tmp_path / "run", device="cpu")
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = load(tmp_path / "run", "cpu")
    assert isinstance(found, Trained)
    assert found.vocabulary is None
    assert torch.equal(found.model(images), report.trained.model(images))


@pytest.mark.parametrize("name", ["here", "here.txt"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_text_is_found_by_its_name(tmp_path, monkeypatch, name, packed):
    folder = tmp_path / "text"
    folder.mkdir()
    content = "to be, or not to be\n"
    if packed:
        (folder / "here.txt.gz").write_bytes(gzip.compress(content.encode()))
    else:
        (folder / "here.txt").write_text(content)
    monkeypatch.setenv("SEPARATA_DATA", str(tmp_path))
    assert read_text(find_text(name)) == content
    with pytest.raises(FileNotFoundError, match="SEPARATA_DATA"):
        find_text("nowhere")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", gzip.compress(b"text")[:-6], b"\x1f\x8bnothing"])
def test_what_is_no_text_is_refused(tmp_path, content):
    path = tmp_path / ("a.txt" if content[0] == 0xFF else "a.txt.gz")
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.txt.* is not a text"):
        read_text(path)


CURVE = Trial(TaskConfig("regression"), TransformerConfig(8, 1, 1), METHOD, TrainConfig(20, 64, 3e-3, eval_every=5))


def test_a_regression_tells_the_spectrum_of_what_it_left():
    found = run_trial(CURVE, "cpu")
    assert found["high_frequency"] == high_frequency(found) > 0.9
    # Most power is left where the target has it: at half of 1, 2, 4, 8, 16 and 24 cycles per unit.
    largest = sorted(range(3, 41), key=lambda i: -found["spectrum"][i])[:4]
    assert sorted(largest) == [4, 8, 16, 24]
    assert sum(found["spectrum"]) == pytest.approx(found["curve"][-1][1], rel=0.01)
    squares = [(one - other) ** 2 for one, other in zip(found["fit"], found["target"], strict=True)]
    assert sum(squares) / len(squares) == pytest.approx(found["curve"][-1][1], rel=0.01)


def test_a_training_that_diverged_has_no_score_and_fits_json():
    found = run_trial(replace(CURVE, train=replace(CURVE.train, lr=1e30)), "cpu")
    assert found["diverged"]
    assert (best(found), high_frequency(found)) == (math.inf, math.inf)
    json.dumps(found, allow_nan=False)
    base = run_trial(CURVE, "cpu")
    assert speedup(base, found) <= 1
    assert math.isnan(speedup(found, base))


def result(*losses: float) -> dict:
    return {"curve": [[10 * i, loss] for i, loss in enumerate(losses)], "n_steps": 10 * (len(losses) - 1)}


def test_a_loss_that_is_not_reached_counts_as_all_steps():
    base = result(4.0, 2.0, 1.0, 1.5, 1.2)
    assert speedup(base, result(4.0, 1.0, 0.5, 0.5, 0.5)) == pytest.approx(2)
    assert speedup(base, result(4.0, 3.0, 3.0, 3.0, 3.0)) == pytest.approx(0.5)


def test_the_noise_of_seeds_is_the_largest_difference_of_two():
    slow, fast = result(4.0, 3.0, 2.0), result(4.0, 2.0, 1.0)
    assert seed_noise(slow, [slow, fast]) == pytest.approx(1)
    assert seed_noise(fast, [slow]) == pytest.approx(1)
    assert seed_noise(slow, []) == 0
    assert others([slow, fast, slow], 1) == [slow, slow]


def test_the_same_curve_is_learned_again_from_other_weights():
    one, again, other = (
        run_trial(CURVE, "cpu"),
        run_again(CURVE, "cpu"),
        run_trial(replace(CURVE, train=replace(CURVE.train, seed=1)), "cpu"),
    )
    assert again["target"] == one["target"] != other["target"]
    assert again["curve"] != one["curve"]


def test_the_interval_is_student_s():
    # t of 0.975 with 2 degrees of freedom is 4.303; the standard deviation of 1, 2, 3 is 1.
    assert half_interval([1.0, 2.0, 3.0]) == pytest.approx(4.303 / math.sqrt(3), rel=1e-3)
    assert half_interval([1.0]) == 0
    assert math.isnan(half_interval([1.0, math.inf]))
    assert math.isnan(half_interval([-math.inf]))


def test_the_interval_of_differences_is_the_larger_one_and_none_of_what_diverged():
    gains = {"plain": [1.0, 2.0, 3.0], "mixup": [0.0, 0.0, 0.0], "cutmix": [1.0, 2.0, 3.0]}
    # Over mixup the gain varies as that of 1, 2, 3; over cutmix it does not vary.
    assert differences_interval(gains) == pytest.approx(4.303 / math.sqrt(3), rel=1e-3)
    swapped = {"plain": gains["plain"], "mixup": gains["cutmix"], "cutmix": gains["mixup"]}
    assert differences_interval(swapped) == differences_interval(gains)
    for name in ("mixup", "cutmix"):
        assert math.isnan(differences_interval(gains | {name: [0.0, -math.inf, 0.0]}))


def test_steps_of_all_trials_are_timed_and_parameters_counted():
    trials = [replace(CURVE, method=MethodConfig(kind, 2)) for kind in ("plain", "branch")]
    plain, branch = step_costs(trials, 2, "cpu")
    # Two layers of 8 to 8 features in one block.
    assert branch["parameters"] - plain["parameters"] == 2 * (2 * 16 + 4 + 8)
    assert min(plain["seconds"], branch["seconds"]) > 0


class Model(nn.Module):
    """A language model with two blocks of one layer, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.blocks, self.head = nn.Embedding(11, 6), nn.ModuleList(), nn.Linear(6, 11)
        self.blocks.extend([nn.Linear(6, 6), nn.Linear(6, 6)])

    def forward(self, tokens):
        x = self.tokens(tokens)
        for block in self.blocks:
            x = x + block(x).relu()
        return {"logits": self.head(x)}


def test_the_overhead_of_a_whole_network_is_that_of_its_formula():
    model = Model()
    add_branches(model, rank=2, targets="blocks.*")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tokens = torch.arange(10).view(2, 5)
    found = overhead(model, tokens, forward=lambda network, batch: network(batch)["logits"], repeats=2)
    assert found.plain_parameters == 66 + 2 * 42 + 77
    assert found.added_parameters == 2 * (2 * 12 + 4 + 8)
    # A product takes two operations for each number of the weight and each token, and twice that backward.
    assert found.plain_flops == 3 * 2 * 10 * (2 * 36 + 66)
    assert found.added_flops == 3 * 2 * 10 * 2 * (2 * 12 + 4)
    assert found.parameters_percent == pytest.approx(100 * 72 / 227)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("sample", [torch.arange(10).view(2, 5), {"tokens": torch.arange(10).view(2, 5)}])
def test_outputs_by_name_and_arguments_by_name_are_measured(sample):
    model = Model()
    add_branches(model, rank=2, targets="blocks.*")
    assert overhead(model, sample, repeats=1).added_flops == 3 * 2 * 10 * 2 * (2 * 12 + 4)


def test_what_cannot_be_differentiated_has_no_overhead():
    model = Model()
    add_branches(model, rank=2, targets="blocks.*")
    tokens = torch.arange(10).view(2, 5)
    with pytest.raises(ValueError, match="dict, in which no tensor can be differentiated"):
        overhead(model, tokens, forward=lambda network, batch: {"loss": 1.0, "tokens": batch})
    with pytest.raises(ValueError, match="repeats must be positive"):
        overhead(model, tokens, repeats=0)
