"""What experiments measure, from trainings whose curves are known."""

import math

import pytest

from noble_branch import experiments
from noble_branch.configs import TaskConfig, TrainConfig, TransformerConfig
from noble_branch.experiments import RATES, Language, Others, Setting
from noble_branch.paper import ACTIVATIONS, PAPER
from separata import Run

SETTING = Setting(TaskConfig(), TransformerConfig(16, 1, 2), TrainConfig(100, lr=1e-3), rank=4, thin=2)
SPEEDS = {"baseline": 2.0, "wide": 2.4, "thin": 2.2, "cosnet": 3.0, "cos": 2.1, "gelu": 2.5, "relu": 2.3, "tanh": 2.6}
SPEEDS |= {"identity": 2.7}
BEST_RATE = {name: RATES[i % 3] for i, name in enumerate(SPEEDS)}


def method_of(trial) -> str:
    if trial.method.kind != "branch":
        return {"plain": "baseline", "wide": "wide"}[trial.method.kind]
    return "thin" if trial.method.rank == 2 else trial.method.branch.activation


def known_trial(trial, device):
    """The loss falls from 4 by the speed of the method; what is best on test data is another learning rate."""
    method = method_of(trial)
    is_best = math.isclose(trial.train.lr, 1e-3 * BEST_RATE[method])
    speed = SPEEDS[method] + 0.1 * trial.train.seed
    if not is_best:
        speed *= 0.5 if trial.split == "validation" else 1.5
    speed -= {"mixup": 1.0, "cutmix": 0.5}.get(trial.task.augmentation, 0.0) * (method == "cosnet")
    speed += {"mlm": 1.0, "pixels": 2.0, "vit": 3.0}.get(trial.task.name, 0.0) * (method == "cosnet")
    numbers = [1.0] * 41
    return {
        "curve": [[step, 4 - speed * step / 100] for step in (0, 25, 50, 75, 100)],
        "n_steps": 100,
        "seconds": 1.0,
        "n_parameters": 10,
        "diverged": False,
        "high_frequency": SPEEDS[method] / 10,
        "spectrum": numbers,
        "x": numbers,
        "target": numbers,
        "fit": numbers,
    }


def known_again(trial, device):
    """The baseline, faster by a tenth than its own seed."""
    found = known_trial(trial, device)
    return found | {"curve": [[step, 4 - 1.1 * (4 - loss)] for step, loss in found["curve"]]}


def known_costs(trials, repeats, device):
    costs = {"baseline": (1000, 1.0), "thin": (1040, 1.1), "cosnet": (1150, 1.2)}
    seed = trials[0].train.seed
    return [{"parameters": costs[method_of(one)][0], "seconds": costs[method_of(one)][1] + seed} for one in trials]


@pytest.fixture
def measured(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "run_trial", known_trial)
    monkeypatch.setattr(experiments, "run_again", known_again)
    monkeypatch.setattr(experiments, "step_costs", known_costs)

    def measure(experiment, config):
        run = Run(PAPER, experiment.claims, tmp_path, seeds=(0, 1, 2))
        experiment(config, run)
        return run.measurements

    return measure


def test_the_language_model_s_numbers_are_those_of_its_curves(measured):
    found = measured(experiments.language, Language(SETTING, 1, (16,), (2,)))
    # A curve that falls twice as fast reaches the baseline's best loss in half of the steps.
    assert found["step-speedup"][0] == pytest.approx(
        {"noble": 3.0 / 2, "wide": 2.4 / 2, "identity": 2.7 / 2, "seed_noise": 2.2 / 2 - 1}
    )
    assert found["step-speedup"][1] == pytest.approx(
        {"noble": 3.1 / 2.1, "wide": 2.5 / 2.1, "identity": 2.8 / 2.1, "seed_noise": 2.1 / 2 - 1}
    )
    assert found["overhead"][0] == pytest.approx(
        {
            "parameters": 15,
            "step_time": 20,
            "net": 1.5 / 1.2,
            "thin_parameters": 4,
            "thin_step_time": 10,
            "thin_net": 1.0 * 2.2 / 2 / 1.1,
        }
    )
    assert found["overhead"][2]["step_time"] == pytest.approx(100 * (3.2 / 3 - 1))
    assert found["overhead"][2]["net"] == pytest.approx(3.2 / 2.2 / (3.2 / 3))


def test_each_activation_has_its_best_loss(measured):
    found = measured(experiments.activations, SETTING)
    assert found["best-activation"][0] == pytest.approx({name: 4 - SPEEDS[name] for name in ACTIVATIONS})


def test_the_regression_is_compared_with_itself_on_the_same_curve(measured):
    found = measured(experiments.regression, SETTING)
    expected = {"noble": 1.5, "wide": 1.2, "identity": 1.35, "seed_noise": 0.1}
    assert found["regression-speedup"][0] == pytest.approx(expected)
    assert found["best-activation-regression"][2] == pytest.approx({name: 3.8 - SPEEDS[name] for name in ACTIVATIONS})
    power = {"noble": 0.3, "baseline": 0.2, "wide": 0.24, "identity": 0.27}
    assert found["high-frequency"] == [pytest.approx(power)] * 3


def test_tasks_and_augmentations_are_told_apart(measured):
    found = measured(experiments.tasks, Others(*_of_tasks()))
    assert found["tasks"][0] == pytest.approx({"lm": 1.5, "mlm": 2.0, "pixels": 2.5, "vit": 3.0, "seed_noise": 0.1})
    gains = {"plain": 4.0, "mixup": 3.0, "cutmix": 3.5, "interval": 0.0}
    assert found["augmentation"] == [pytest.approx(gains, abs=1e-9)] * 3


def _of_tasks() -> list[Setting]:
    names = ("char-lm", "mlm", "pixels", "vit")
    return [Setting(TaskConfig(name), SETTING.model, SETTING.train, SETTING.rank) for name in names]
