"""The whole cycle on data: a user's own network, regression, resuming, and equal phases for all variants."""

from dataclasses import replace

import pytest
import torch
from sklearn.datasets import load_wine
from torch import nn

from dendritic_backprop import (
    CycleConfig,
    DendriteConfig,
    TrainConfig,
    Trainer,
    TrainingData,
    add_dendrites,
    count_parameters,
    fit,
)

SHORT = CycleConfig(
    first_epochs=3, neuron_epochs=2, dendrite_epochs=2, dendrite_patience=0, max_dendrites=2, rollback=False
)
FAST = TrainConfig(lr=1e-2, dendrite_lr=5e-2, batch_size=32)


def rings(n=240, seed=0):
    """Two classes that no line separates."""
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))
    return x, (x.norm(dim=1) > 1.18).long()


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))


def test_a_network_that_is_too_narrow_gets_better_with_dendrites():
    cycle = CycleConfig(first_epochs=60, neuron_epochs=40, dendrite_epochs=30, dendrite_patience=0, max_dendrites=2)
    torch.manual_seed(0)
    report = fit(nn.Linear(2, 2), *rings(), validation=0.3, config=FAST, cycle=cycle)
    assert report.initial_score < 0.8, "a line"
    assert report.score > report.initial_score + 0.1
    assert report.n_dendrites >= 1
    assert report.n_parameters == count_parameters(report.model) > 6
    x, y = rings(1000, 1)
    assert (report.model(x).argmax(1) == y).float().mean() > report.initial_score + 0.05


def test_a_stranger_s_table_and_trained_network_in_two_lines():
    table = load_wine()
    x = torch.tensor(table.data, dtype=torch.float32)
    x, y = (x - x.mean(0)) / x.std(0), torch.tensor(table.target)
    network = nn.Sequential(nn.Linear(13, 4), nn.ReLU(), nn.Dropout(0.1), nn.Linear(4, 3))
    rows = []
    report = fit(network, x, y, validation=0.3, config=replace(FAST, lr=3e-2), cycle=SHORT, log=rows.append)
    assert report.model is network
    assert report.score > 0.8
    assert [row["epoch"] for row in rows] == [1, 2, 3, 5, 6, 7, 9, 10, 11]
    assert [row["dendrites"] for row in rows] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [set(row) for row in rows[2:4]] == [
        {"epoch", "dendrites", "loss", "score"},
        {"epoch", "dendrites", "correlation"},
    ]
    assert report.n_epochs == SHORT.n_epochs == 11
    assert report.history == tuple(rows)
    assert len(report.correlations) == 2


def test_numbers_are_predicted_too():
    x = torch.linspace(-2, 2, 160)[:, None]
    y = (3 * x).sin()
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))
    cycle = replace(SHORT, first_epochs=40, neuron_epochs=30, dendrite_epochs=20)
    report = fit(network, x, y, validation=(x, y), config=replace(FAST, lr=2e-2), cycle=cycle)
    assert report.score == pytest.approx(-(network(x) - y).square().mean().item(), rel=1e-4)
    assert report.score > report.initial_score
    assert report.n_dendrites > 0


@pytest.mark.parametrize("n_epochs", [1, 3, 5, 6])
def test_a_training_that_was_interrupted_goes_on_to_the_same_network(n_epochs, tmp_path):
    data = TrainingData.split(*rings(96), 0.25)

    def trainer(**settings):
        return Trainer(add_dendrites(small()), data, FAST, cycle=SHORT, **settings)

    whole = trainer()
    expected = whole.fit()
    place = tmp_path / "checkpoint.safetensors"
    first = trainer(checkpoint=place)
    while first.epochs < n_epochs:
        first._advance()
        first.save()
    second = trainer(checkpoint=place)
    assert second.epochs == first.epochs
    found = second.fit()
    assert (found.score, found.initial_score, found.history) == (
        expected.score,
        expected.initial_score,
        expected.history,
    )
    assert found.correlations == expected.correlations
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name
    done = trainer(checkpoint=place).fit()
    assert done.history == expected.history


def test_another_training_s_checkpoint_is_refused(tmp_path):
    data, place = TrainingData.split(*rings(40), 0.25), tmp_path / "checkpoint.safetensors"
    Trainer(add_dendrites(small()), data, FAST, cycle=replace(SHORT, max_dendrites=0), checkpoint=place).fit()
    other = add_dendrites(nn.Sequential(nn.Linear(2, 5), nn.Linear(5, 2)))
    with pytest.raises(ValueError, match="not the checkpoint of this training"):
        Trainer(other, data, FAST, cycle=SHORT, checkpoint=place)


def test_variants_share_the_first_phase_and_the_number_of_epochs():
    data, first = TrainingData.split(*rings(96), 0.25), []
    for learning in ("correlation", "gradient", "random", "none"):
        model = add_dendrites(small(), config=DendriteConfig(learning=learning))
        trainer = Trainer(model, data, FAST, cycle=SHORT)
        report = trainer.fit()
        assert report.n_epochs == 11
        first.append([row["loss"] for row in report.history[:3]])
        assert report.n_dendrites in {"none": (0,)}.get(learning, (0, 1, 2))
    assert first[0] == first[1] == first[2] == first[3]


def test_a_rate_is_chosen_for_each_phase_and_its_trials_count():
    data = TrainingData.split(*rings(96), 0.25)
    trainer = Trainer(add_dendrites(small()), data, replace(FAST, rates=(1.0, 0.1), rate_epochs=1), cycle=SHORT)
    rates = []
    step = trainer.controller.step
    trainer.controller.step = lambda score: (
        rates.append(trainer.controller.optimizer.param_groups[0]["lr"]),
        step(score),
    )[1]
    report = trainer.fit()
    assert report.n_epochs == 11 + 2 * 2
    assert set(rates) <= {1e-2, 1e-3}
    assert rates[:3] == [1e-2] * 3


def test_training_ends_at_the_most_epochs_with_the_best_network():
    data = TrainingData.split(*rings(96), 0.25)
    report = Trainer(add_dendrites(small()), data, replace(FAST, max_epochs=4), cycle=SHORT).fit()
    assert report.n_epochs <= 5
    scores = [row["score"] for row in report.history if "score" in row]
    assert report.score == max(scores)


def test_a_training_that_diverges_says_so():
    data = TrainingData.split(*rings(64), 0.25)
    with pytest.raises(FloatingPointError, match="not finite in epoch"):
        Trainer(add_dendrites(small()), data, replace(FAST, optimizer="sgd", lr=1e38), cycle=SHORT).fit()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_every_optimizer_trains(optimizer):
    report = fit(small(), *rings(64), validation=0.25, config=replace(FAST, optimizer=optimizer), cycle=SHORT)
    losses = [row["loss"] for row in report.history if "loss" in row]
    assert losses[-1] < losses[0]
    assert all(phase[name] > 0 for phase in report.correlations for name in phase)


def test_a_score_of_one_s_own_sees_the_network_in_evaluation_mode():
    seen = []

    def score(model, x, y):
        out = model(x)
        seen.append((model.training, out.requires_grad))
        return -nn.functional.cross_entropy(out, y)

    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))
    report = fit(network, *rings(64), validation=0.25, config=FAST, cycle=replace(SHORT, max_dendrites=1), score=score)
    assert set(seen) == {(False, False)}
    assert isinstance(report.score, float)
    assert len(seen) > 5


def test_data_that_do_not_fit_are_refused():
    x, y = rings(10)
    with pytest.raises(ValueError, match="one target for each sample, not 9 for 10"):
        fit(small(), x, y[:9])
    with pytest.raises(ValueError, match="leaves none"):
        fit(small(), x, y, validation=0.01)
    with pytest.raises(ValueError, match=r"outputs of shape \(8, 1\) for targets of shape \(8,\)"):
        fit(nn.Linear(2, 1), x, y.float(), validation=0.2)
    for wrong in ({"lr": 0.0}, {"weight_decay": -1.0}, {"rates": ()}, {"dendrite_lr": -1.0}, {"seed": -1}):
        with pytest.raises(ValueError, match="must|one or more"):
            TrainConfig(**wrong)
